cimport cython

from alcove.protocol.output cimport OutputBuffer

cdef Py_ssize_t _CHUNK, _LONGEST_LINE, _MOST_DIGITS

cdef class RecordWriter:
    cdef readonly OutputBuffer out
    cdef public int database
    cdef long long _stamped_s

    @cython.locals(number=int, argv=list, whole=bint)
    cpdef add(self, list batch)
    cdef _select(self, int number)
    @cython.locals(out=OutputBuffer)
    cdef _write(self, list argv)

cdef class RecordReader:
    cdef object _file
    cdef bytes _data
    cdef const unsigned char *_view
    cdef Py_ssize_t _pos, _end, _wanted, _behind
    cdef long long _base

    cpdef list next(self)
    cdef bint _read_more(self) except -1
    @cython.locals(view="const unsigned char *", pos=Py_ssize_t, end=Py_ssize_t, count=Py_ssize_t, size=Py_ssize_t)
    cdef list _parse(self)
    @cython.locals(view="const unsigned char *", end=Py_ssize_t, number=Py_ssize_t, start=Py_ssize_t)
    cdef Py_ssize_t _number(self, int sign, Py_ssize_t pos) except -2
    cdef Py_ssize_t _behind_note(self, Py_ssize_t pos) except -2
