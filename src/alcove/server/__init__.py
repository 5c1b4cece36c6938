"""The engine for network clients: sockets, one loop, and the process around them."""
