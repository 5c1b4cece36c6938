cimport cython

@cython.final
cdef class Arguments:
    cdef object _encoder
    cdef bint _utf8

    @cython.locals(argv=list, position=Py_ssize_t)
    cpdef list behind(self, list words, tuple args)
    @cython.locals(text=str)
    cpdef bytes encode(self, value)
