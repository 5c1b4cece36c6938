from libc.stdint cimport int64_t, uint32_t

# A sequence in one malloc'd block: the C form of a listpack, for the containers that hold many of them.
# The entries are block[head:tail]; room is kept on both sides. An all-zero Pack is an empty one.
cdef struct Pack:
    unsigned char *block
    uint32_t capacity
    uint32_t head
    uint32_t tail
    uint32_t count
    # The place last visited, so that neighbours are found without a walk. Any change forgets it (finger_at 0
    # and finger_index 0 is where every walk begins anyway).
    uint32_t finger_index
    uint32_t finger_at

cdef int pack_reserve(Pack *pack, uint32_t size) except -1
cdef void pack_clear(Pack *pack) noexcept
cdef int pack_trim(Pack *pack) except -1
cdef int pack_copy(Pack *target, const Pack *source) except -1
cdef size_t pack_memory(const Pack *pack) noexcept
cdef inline uint32_t pack_bytes(const Pack *pack) noexcept:
    return pack.tail - pack.head
cdef bytes pack_get(Pack *pack, uint32_t index)
cdef int pack_insert(Pack *pack, uint32_t index, bytes value) except -1
cdef int pack_append(Pack *pack, bytes value) except -1
cdef int pack_append_text(Pack *pack, const unsigned char *text, Py_ssize_t size) except -1
cdef int pack_append_integer(Pack *pack, int64_t number) except -1
cdef int pack_prepend(Pack *pack, bytes value) except -1
cdef int pack_replace(Pack *pack, uint32_t index, bytes value) except -1
cdef int pack_delete(Pack *pack, uint32_t index, uint32_t number) except -1
cdef bytes pack_pop(Pack *pack, bint last)
cdef Py_ssize_t pack_find(Pack *pack, bytes value, Py_ssize_t start, Py_ssize_t step) except -2
cdef uint32_t pack_matches(const Pack *pack, bytes value) except? 0xFFFFFFFF
cdef int pack_remove(Pack *pack, bytes value, uint32_t spared, uint32_t number) except -1
cdef int pack_collect(Pack *pack, uint32_t start, uint32_t stop, list into, Py_ssize_t at) except -1
cdef int pack_split(Pack *pack, uint32_t index, Pack *behind) except -1
cdef int pack_join(Pack *pack, const Pack *behind) except -1
cdef bytes pack_serialised(const Pack *pack)

cdef class Listpack:
    cdef Pack pack
    cdef uint32_t _index(self, Py_ssize_t index) except? 0xFFFFFFFF
    cpdef bytes get(self, Py_ssize_t index)
    cpdef Py_ssize_t find(self, bytes value, Py_ssize_t start=*, Py_ssize_t step=*) except -2
    cpdef object append(self, bytes value)
    cpdef object prepend(self, bytes value)
    cpdef object insert(self, Py_ssize_t index, bytes value)
    cpdef object replace(self, Py_ssize_t index, bytes value)
    cpdef object delete(self, Py_ssize_t index, Py_ssize_t number=*)
    cpdef list range(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list items(self)
    cpdef Py_ssize_t longest(self) noexcept
    cpdef list sift(self, list values, bint present)
    cpdef bint has_duplicates(self, Py_ssize_t step=*) except -1
    cpdef Py_ssize_t footprint(self) noexcept
    cpdef Listpack copy(self)
    cpdef bytes to_bytes(self)
