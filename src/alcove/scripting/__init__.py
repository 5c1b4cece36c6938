"""Scripts: Lua 5.1 in a sandbox, what it may call, and how values travel between it and the engine."""
