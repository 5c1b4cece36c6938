cdef class Limits:
    cdef public long long hash_max_listpack_entries, hash_max_listpack_value
    cdef public long long list_max_listpack_size, list_compress_depth
    cdef public long long set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value
    cdef public long long zset_max_listpack_entries, zset_max_listpack_value
    cdef public long long stream_node_max_bytes, stream_node_max_entries
    cdef public long long hll_sparse_max_bytes
