cimport cython

cpdef bint matches(bytes pattern, bytes text, bint nocase=*) except -1

@cython.locals(p=Py_ssize_t, t=Py_ssize_t, star=Py_ssize_t, resume=Py_ssize_t, sign=int, verdict=Py_ssize_t)
cdef bint _match(const unsigned char *pattern, Py_ssize_t plen, const unsigned char *text, Py_ssize_t tlen) except -1

@cython.locals(p=Py_ssize_t, negated=bint, found=bint, low=int, high=int, behind=Py_ssize_t)
cdef Py_ssize_t _class(
    const unsigned char *pattern, Py_ssize_t plen, Py_ssize_t start, int byte
) except? -1
