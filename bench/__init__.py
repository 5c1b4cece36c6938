"""Benchmarks beside real peers: `python -m bench`, or `make bench` for the compiled build."""
