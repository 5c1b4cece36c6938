cdef class Container:
    cpdef Py_ssize_t footprint(self) except -1
