cdef class Arguments:
    cdef object _items
    cdef Py_ssize_t _at

    cpdef bytes word(self)
    cpdef bytes take(self)
    cpdef bytes peek(self)
    cpdef bint skip_if(self, bytes keyword) except -1
    cpdef object integer(self, str error=*)
    cpdef object rest(self)

cdef class Deadline:
    cdef frozenset _allowed
    cdef readonly bytes word
    cdef bytes _amount

    cpdef bint read(self, bytes word, Arguments arguments) except -1
    cpdef object resolve(self, object now_ms, str command)

cpdef object deadline_ms(bytes word, bytes amount, object now_ms, str command)
cpdef object absolute_ms(object number, bint in_seconds, bint is_absolute, object now_ms, str command)
