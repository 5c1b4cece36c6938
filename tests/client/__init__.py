"""Tests of the in-process client."""
