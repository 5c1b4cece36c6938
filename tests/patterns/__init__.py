"""Tests of the toolkit: each one on four kinds of servers, for the blocking and the asyncio classes alike."""
