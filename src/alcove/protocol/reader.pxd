cimport cython

cdef Py_ssize_t _MAX_LINE, _MAX_COUNT_UNAUTHENTICATED, _MAX_BULK_UNAUTHENTICATED, _SMALL_PIECE, _AHEAD_BYTES, _LONGEST_NAME, _QUICK_DIGITS

@cython.final
cdef class RequestReader:
    cdef public Py_ssize_t max_bulk, max_multibulk
    cdef public bint authenticated
    cdef bytes _data, _name
    cdef const unsigned char *_view
    cdef Py_ssize_t _pos, _end, _missing, _bulk, _start, _held, _gathered
    cdef bytearray _later, _tail, _small
    cdef list _args, _chunks
    cdef str _failure

    cpdef wants(self)
    cpdef feed(self, bytes data)
    cpdef list next(self)
    @cython.locals(args=list, commands=list, size=Py_ssize_t)
    cpdef list read_ahead(self, Py_ssize_t most)

    @cython.locals(first=int)
    cdef bint _begin(self) except -1
    @cython.locals(count=Py_ssize_t)
    cdef bint _read_count(self) except -1
    @cython.locals(args=list, pos=Py_ssize_t, bulk=Py_ssize_t)
    cdef bint _collect(self) except -1
    cdef bytes _name_at(self, Py_ssize_t pos, Py_ssize_t size)
    @cython.locals(length=Py_ssize_t)
    cdef bint _read_length(self) except -1
    @cython.locals(view="const unsigned char *", end=Py_ssize_t, start=Py_ssize_t, pos=Py_ssize_t,
                   number=Py_ssize_t, digit=int)
    cdef Py_ssize_t _quick_number(self) noexcept
    @cython.locals(found=Py_ssize_t, tail=bytearray)
    cdef bytes _line(self, bytes terminator, str too_big)
    @cython.locals(taken=Py_ssize_t, wanted=Py_ssize_t)
    cdef bint _gather(self) except -1
    cdef _keep(self, bytes piece)
    cdef _drop_pieces(self)
    cdef bint _refill(self) except -1
    cdef _turn_to(self, bytes data)
    cdef _fail(self, str text)
