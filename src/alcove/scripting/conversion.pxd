cimport cython

from alcove.integers cimport format_int
from alcove.numeric cimport format_double

cdef object _STATUS
cdef double _EXACT
cdef int NIL, PLAIN, STATUS, ARRAY, MAP, SET, DOUBLE, BIG, VERBATIM, ERROR, TOKEN_BYTES

@cython.locals(number=double)
cpdef bytes argument_of(object word)
cpdef object scalar_of(object value, bint resp3)
@cython.locals(flat=list)
cpdef list flat_of(object values, bint resp3)
cpdef list tokens_of(object reply, bint resp3)
cdef _add_tokens(list tokens, object value, bint resp3)
cdef _add_elements(list tokens, object value, object kind, bint resp3)
@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t size_of(list tokens) except -1
cpdef object integer_of(object number)
cpdef object plain_reply(object value, bint resp3)
@cython.locals(waiting=list, place=Py_ssize_t, kind=int, size=Py_ssize_t, elements=list)
cpdef object reply_of(list tokens, bint resp3)
cdef object leaf_of(int kind, object payload, bint resp3)
cdef object closed(int kind, list elements)
