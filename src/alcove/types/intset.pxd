from libc.stdint cimport int64_t, uint32_t

cdef class IntSet:
    cdef unsigned char *data
    cdef uint32_t count, capacity
    cdef uint32_t width

    cdef inline int64_t value(self, uint32_t position) noexcept:
        if self.width == 2:
            return (<short *>self.data)[position]
        if self.width == 4:
            return (<int *>self.data)[position]
        return (<int64_t *>self.data)[position]

    cdef uint32_t place_of(self, int64_t number) noexcept
    cdef void store(self, uint32_t position, int64_t number) noexcept
    cdef int widen(self, uint32_t width) except -1
    cdef int resize(self, uint32_t capacity) except -1

    cpdef Py_ssize_t find(self, int64_t number) noexcept
    cpdef int64_t at(self, Py_ssize_t position) except? -1
    cpdef bytes text_at(self, Py_ssize_t position)
    cpdef bint add(self, int64_t number) except -1
    cpdef bint delete(self, int64_t number) except -1
    cpdef object delete_at(self, Py_ssize_t position)
    cpdef list texts(self)
    cpdef Py_ssize_t footprint(self) noexcept
    cpdef IntSet copy(self)
    cpdef bytes to_bytes(self)
