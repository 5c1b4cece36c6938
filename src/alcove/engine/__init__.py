"""The engine: declarations, sessions, the keyspace, and the call of a command."""
