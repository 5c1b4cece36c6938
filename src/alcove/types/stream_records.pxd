from libc.stdint cimport uint32_t, uint64_t

cpdef bytes pending_record(bytes stream_id, uint64_t time_ms, uint64_t count, uint32_t slot)
cpdef bytes time_key(bytes record)

cdef struct Block:
    uint32_t count
    uint32_t capacity
    # The records follow.

cdef class SortedRecords:
    cdef readonly uint32_t key_size, size
    cdef Py_ssize_t _count, _block_count, _block_capacity
    cdef size_t _bytes
    cdef Block **_blocks

    cpdef bint put(self, bytes record) except -1
    cpdef bytes get(self, bytes key)
    cpdef bint remove(self, bytes key) except -1
    cpdef list page(self, bytes key, Py_ssize_t count)
    cpdef bytes first(self)
    cpdef bytes last(self)
    cpdef Py_ssize_t footprint(self) noexcept
    cpdef bint drain(self, Py_ssize_t count) except -1
    cpdef SortedRecords copy(self)
    cdef Py_ssize_t _block_of(self, const unsigned char *key) noexcept
    cdef bint _seek(self, bytes key, Py_ssize_t *index, uint32_t *place) except -1
    cdef int _insert_block(self, Py_ssize_t index, Block *block) except -1
    cdef void _remove_block(self, Py_ssize_t index) noexcept
    cdef Block *_widened(self, Py_ssize_t index) except NULL
    cdef int _split(self, Py_ssize_t *index, uint32_t *place) except -1
    cdef void _merge(self, Py_ssize_t index) noexcept
