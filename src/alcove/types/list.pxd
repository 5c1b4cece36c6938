from libc.stdint cimport int64_t, uint32_t

from alcove.types.container cimport Container
from alcove.types.limits cimport Limits
from alcove.types.listpack cimport Listpack, Pack

# `start` is where the node begins in a count of its own that runs on as the list grows and shrinks at its ends, so
# that a push or pop at either end moves no other node's start.
cdef struct Node:
    Pack pack
    int64_t start

cdef class List(Container):
    cdef Limits limits
    # The nodes are nodes[first:last]; room is kept on both sides.
    cdef Node *nodes
    cdef uint32_t first, last, capacity
    cdef bint quick
    cdef Py_ssize_t node_bytes

    cdef inline Py_ssize_t length(self) noexcept:
        if self.first == self.last:
            return 0
        return self.nodes[self.last - 1].start + self.nodes[self.last - 1].pack.count - self.nodes[self.first].start

    cdef bint exceeds(self, size_t size, size_t count) noexcept
    cdef bint allows(self, uint32_t place, bytes value) noexcept
    cdef void shrunk(self, bint halved) noexcept
    cdef uint32_t locate(self, Py_ssize_t index, uint32_t *offset) noexcept
    cdef void account(self, uint32_t place, Py_ssize_t added) noexcept
    cdef uint32_t add_node(self, uint32_t place) except? 0xFFFFFFFF
    cdef bint spread(self, uint32_t capacity) noexcept
    cdef void drop_nodes(self, uint32_t place, uint32_t number) noexcept
    cdef int trim_node(self, uint32_t place) except -1
    cdef int insert_at(self, uint32_t place, uint32_t offset, bytes value) except -1
    cdef int insert_quick(self, uint32_t place, uint32_t offset, bytes value) except -1
    cdef int split(self, uint32_t place, uint32_t offset) except -1
    cdef bint fit_together(self, uint32_t place, uint32_t other, int times) noexcept
    cdef int absorb(self, uint32_t place, uint32_t other) except -1
    cdef int join(self, uint32_t place) except -1
    cdef int tidy(self) except -1
    cdef int cut(self, uint32_t place, uint32_t offset, uint32_t number) except -1
    cdef int delete_range(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef void make_room(self, size_t size, size_t number) noexcept
    cdef int push_end(self, bytes value, bint left) except -1
    cdef bytes pop_end(self, uint32_t place, bint last)
    cdef int within(self, Py_ssize_t index) except -1
    cdef Pack *node_at(self, Py_ssize_t place) except NULL
    cdef Py_ssize_t remove_in(self, uint32_t place, bytes value, Py_ssize_t number, bint backward) except -1

    cpdef object push_left(self, bytes value)
    cpdef object push_right(self, bytes value)
    cpdef object push(self, object values, bint left)
    cpdef bytes pop_left(self)
    cpdef bytes pop_right(self)
    cpdef bytes get(self, Py_ssize_t index)
    cpdef object set(self, Py_ssize_t index, bytes value)
    cpdef object insert(self, Py_ssize_t index, bytes value)
    cpdef list range(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef Py_ssize_t find(self, bytes value, Py_ssize_t start, Py_ssize_t stop) except -2
    cpdef Py_ssize_t remove(self, bytes value, Py_ssize_t number) except -1
    cpdef object trim(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef object expect(self, object values)
    cpdef Py_ssize_t node_count(self) noexcept
    cpdef bytes packed(self, Py_ssize_t place)
    cpdef bytes plain(self, Py_ssize_t place)
    cpdef object load_pack(self, Listpack pack)
    cpdef object load_plain(self, bytes value)
    cpdef object loaded(self)
    cpdef Py_ssize_t footprint(self) except -1
    cpdef bint drain(self, Py_ssize_t number) noexcept
    cpdef List copy(self)
