cimport cython

@cython.final
cdef class OutputBuffer:
    cdef char *_base
    cdef Py_ssize_t _head, _tail, _size

    cpdef append(self, object data)
    cpdef bulk(self, object data)
    cpdef line(self, bytes sign, object text)
    cpdef integer(self, object number)
    cpdef header(self, bytes sign, Py_ssize_t count)
    cpdef truncate(self, Py_ssize_t length)
    cpdef bytes peek(self, Py_ssize_t limit)
    cpdef bytes take(self, Py_ssize_t limit)
    cpdef consume(self, Py_ssize_t count)
    cpdef Py_ssize_t send(self, object target) except? -1

    cdef _numbered(self, char sign, long long number)
    cdef char *_room(self, Py_ssize_t count) except NULL
    cdef char *_more_room(self, Py_ssize_t count) except NULL

cpdef recv(object source, Py_ssize_t limit)
