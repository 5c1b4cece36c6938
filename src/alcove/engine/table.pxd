from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from alcove.types.blocks cimport Blocks, Heads, blocks_at, heads_at, heads_for
from alcove.types.container cimport Container

cdef struct Timer:
    long long when, field_ms
    PyObject *who

# One block of memory: this, the key's bytes from the last field on, and room for a value. What a look-up reads comes
# first.
cdef class Entry:
    cdef PyObject *next
    cdef uint32_t hash, key_size
    cdef readonly unsigned int timer
    cdef unsigned char value_size, room, has_field_deadline
    cdef public unsigned int access
    cdef readonly unsigned int position
    cdef readonly long long expire_ms
    cdef public unsigned int saved
    cdef uint32_t key_begins

cpdef bytes key_of(Entry entry)
cpdef object value_of(Entry entry)
cpdef object string_in(Entry entry)
cpdef Container container_in(Entry entry)
cpdef Py_ssize_t replace(Entry entry, object value) except -1
cpdef Py_ssize_t weigh(Entry entry) except? -1
cpdef Py_ssize_t weight_of(Entry entry) noexcept

cdef class Table:
    cdef Heads heads
    cdef Blocks entries, timers
    cdef Py_ssize_t used, timers_used, expected

    cdef inline PyObject **place(self, Py_ssize_t position) noexcept:
        return <PyObject **>blocks_at(&self.entries, position)

    cdef inline PyObject **head(self, uint32_t head) noexcept:
        return <PyObject **>heads_at(&self.heads, head)

    cdef inline PyObject **head_of(self, uint32_t hash) noexcept:
        return <PyObject **>heads_for(&self.heads, hash)

    cdef inline Timer *node(self, Py_ssize_t place) noexcept:
        return <Timer *>blocks_at(&self.timers, place)

    cpdef Entry get(self, bytes key)
    cpdef fetch(self, list keys)
    cpdef Entry at(self, Py_ssize_t position)
    cpdef Entry add(self, bytes key, object value)
    cpdef expect(self, Py_ssize_t count)
    cpdef int remove(self, Entry entry) except -1
    cpdef long long field_deadline(self, Entry entry) noexcept
    cpdef int set_deadline(self, Entry entry, long long expire_ms) except -1
    cpdef int set_field_deadline(self, Entry entry, long long field_ms) except -1
    cpdef long long next_deadline(self) noexcept
    cpdef Entry timed(self, Py_ssize_t place)
    cpdef Entry soonest(self)
    cpdef Entry due(self, long long now_ms)
    cpdef bint drain(self, Py_ssize_t count) noexcept
    cpdef foresee(self, Py_ssize_t position)
    cdef int split(self) except -1
    cdef int split_ahead(self) except -1
    cdef void join(self) noexcept
    cdef long long deadline(self, Entry entry) noexcept
    cdef int arm(self, Entry entry, long long field_ms) except -1
    cdef int add_timer(self, Entry entry, long long when, long long field_ms) except -1
    cdef void drop_timer(self, Entry entry) noexcept
    cdef void settle(self, Py_ssize_t place, Timer timer) noexcept
    cdef void sift_up(self, Py_ssize_t place) noexcept
    cdef void sift_down(self, Py_ssize_t place) noexcept
