from cpython.object cimport PyObject

cdef struct Timer:
    long long when
    PyObject *who

cdef struct Slot:
    Py_hash_t hash
    PyObject *entry

# What every look-up reads comes first, then what every write does: the less of it lies in a second line of the cache.
cdef class Entry:
    cdef readonly bytes key
    cdef public object value
    cdef readonly unsigned int timer
    cdef public unsigned int access
    cdef public Py_ssize_t size
    cdef readonly long long expire_ms, field_ms
    cdef readonly unsigned int position
    cdef public unsigned int saved

cdef class Table:
    cdef Slot *slots
    cdef Py_ssize_t mask
    cdef PyObject **entries
    cdef Py_ssize_t used, room
    cdef Timer *timers
    cdef Py_ssize_t timers_used, timers_room

    cpdef Entry get(self, bytes key)
    cpdef fetch(self, list keys)
    cpdef Entry at(self, Py_ssize_t position)
    cpdef Entry add(self, bytes key, object value)
    cpdef int remove(self, Entry entry) except -1
    cpdef int set_deadline(self, Entry entry, long long expire_ms) except -1
    cpdef int set_field_deadline(self, Entry entry, long long field_ms) except -1
    cpdef long long next_deadline(self) noexcept
    cpdef Entry timed(self, Py_ssize_t place)
    cpdef Entry soonest(self)
    cpdef Entry due(self, long long now_ms)
    cpdef bint drain(self, Py_ssize_t count) except -1
    cdef int enter(self, Entry entry) except -1
    cdef int grow(self) except -1
    cdef int leave(self, Entry entry) except -1
    cdef int arm(self, Entry entry) except -1
    cdef int add_timer(self, Entry entry, long long when) except -1
    cdef void drop_timer(self, Entry entry) noexcept
    cdef void place(self, Py_ssize_t place, Timer timer) noexcept
    cdef void sift_up(self, Py_ssize_t place) noexcept
    cdef void sift_down(self, Py_ssize_t place) noexcept
