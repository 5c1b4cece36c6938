"""The RDB encoding of values: its checksum, its compression, its primitives, and one value of each type both ways."""
