"""The in-process client: redis-py's own classes over an engine in this process, without sockets and packing."""
