"""The data structures alone: they know nothing of keys, commands or clients."""
