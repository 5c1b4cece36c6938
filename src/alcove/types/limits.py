"""The thresholds at which a container leaves its compact encoding, shared by all containers of one engine."""

from __future__ import annotations

LIMIT_NAMES = (
    "hash_max_listpack_entries",
    "hash_max_listpack_value",
    "list_max_listpack_size",
    "list_compress_depth",
    "set_max_intset_entries",
    "set_max_listpack_entries",
    "set_max_listpack_value",
    "zset_max_listpack_entries",
    "zset_max_listpack_value",
    "stream_node_max_bytes",
    "stream_node_max_entries",
    "hll_sparse_max_bytes",
)


class Limits:
    """One engine's encoding thresholds, under the names of their configuration directives.

    The engine keeps one instance and rewrites its fields on CONFIG SET; containers hold a reference and read a
    field when they grow, so a new value applies to what is written after it, as on the real server.
    """

    def __init__(self) -> None:
        self.hash_max_listpack_entries = 512
        self.hash_max_listpack_value = 64
        self.list_max_listpack_size = -2
        self.list_compress_depth = 0
        self.set_max_intset_entries = 512
        self.set_max_listpack_entries = 128
        self.set_max_listpack_value = 64
        self.zset_max_listpack_entries = 128
        self.zset_max_listpack_value = 64
        self.stream_node_max_bytes = 4096
        self.stream_node_max_entries = 100
        self.hll_sparse_max_bytes = 3000
