from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from alcove.types.blocks cimport Blocks, Heads, blocks_at, heads_at, heads_for

# A key and its value in one block: behind this the key's bytes, then the value's, or the pointer to a value that is too
# large to be copied whenever somebody reads it.
cdef struct Pair:
    uint32_t key_size
    uint32_t value_size

cdef union Key:
    PyObject *object
    Pair *pair

# A map to scores alone has entries with a score; those of the others end before it: the arrays step by `width`.
cdef struct Entry:
    Key key
    uint32_t hash
    uint32_t next
    double score

cdef class DenseSet:
    cdef Blocks entries
    cdef Heads heads
    cdef Py_ssize_t count
    cdef bint has_pairs
    cdef Py_ssize_t object_bytes

    cdef inline Entry *entry(self, Py_ssize_t position) noexcept:
        return <Entry *>blocks_at(&self.entries, position)

    cdef inline uint32_t *head(self, uint32_t head) noexcept:
        return <uint32_t *>heads_at(&self.heads, head)

    cdef inline uint32_t *head_of(self, uint32_t hash) noexcept:
        return <uint32_t *>heads_for(&self.heads, hash)

    cdef Py_ssize_t lookup(self, bytes key, uint32_t hash) noexcept
    cdef Entry *push(self, uint32_t hash) except NULL
    cdef Entry *push_key(self, bytes key, uint32_t hash) except NULL
    cdef int within(self, Py_ssize_t position) except -1
    cdef int split(self) except -1
    cdef void join(self) noexcept
    cdef void release(self, Entry *entry) noexcept
    cdef int copy_into(self, DenseSet twin) except -1

    cpdef Py_ssize_t find(self, bytes key) except -2
    cpdef bytes key_at(self, Py_ssize_t position)
    cpdef bint add(self, bytes key) except -1
    cpdef bint delete(self, bytes key) except -1
    cpdef object delete_at(self, Py_ssize_t position)
    cpdef list keys(self)
    cpdef Py_ssize_t footprint(self) noexcept
    cpdef bint drain(self, Py_ssize_t number) noexcept
    cpdef DenseSet copy(self)

cdef class ByteMap(DenseSet):
    cpdef bytes get(self, bytes key)
    cpdef bytes value_at(self, Py_ssize_t position)
    cpdef bint set(self, bytes key, bytes value) except -1
    cpdef object set_at(self, Py_ssize_t position, bytes value)
    cpdef list values(self)
    cpdef list items(self)

cdef class ScoreMap(DenseSet):
    cpdef object get(self, bytes key)
    cpdef double value_at(self, Py_ssize_t position) except? -1
    cpdef bint set(self, bytes key, double score) except -1
    cpdef object set_at(self, Py_ssize_t position, double score)
