"""The wire protocol, sans-IO: requests out of bytes, replies into bytes, and what redis-py makes of replies."""
