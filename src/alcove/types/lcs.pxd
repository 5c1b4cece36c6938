cimport cython

cdef class Lcs:
    cdef bytes _first, _second
    cdef Py_ssize_t _width
    cdef object _cells

    @cython.locals(cells="unsigned int[:]", first="const unsigned char *", second="const unsigned char *",
                   width=Py_ssize_t, rows=Py_ssize_t, row=Py_ssize_t, column=Py_ssize_t, here=Py_ssize_t,
                   above=Py_ssize_t, byte=int)
    cdef _fill(self)
