"""Tests of the examples, as their users would use them."""
