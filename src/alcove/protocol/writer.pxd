cimport cython

from alcove.protocol.output cimport OutputBuffer

cdef object _STATUS

@cython.final
cdef class ReplyWriter:
    cdef public OutputBuffer out
    cdef public int protocol

    cpdef write(self, value)
    cdef bint _plain(self, value) except -1
    @cython.locals(out=OutputBuffer, resp3=bint)
    cdef bint _special(self, value) except -1
    @cython.locals(written=Py_ssize_t)
    cdef Py_ssize_t _flat(self, list values) except -1
    @cython.locals(begun=Py_ssize_t, written=Py_ssize_t, waiting=list)
    cdef _aggregate(self, value)
    @cython.locals(resp3=bint, sign=bytes, count=Py_ssize_t)
    cdef _open(self, value)
