cimport cython

cdef Py_ssize_t _MAX_DEPTH
cdef object _STATUS, _DECODE_UTF8

cpdef shape(value, int protocol, decode, parse_error)
cdef _shape(value, bint resp3, decode, parse_error, Py_ssize_t depth)
cdef _text(bytes data, decode)

@cython.locals(shaped=list)
cdef list _elements(values, bint resp3, decode, parse_error, Py_ssize_t depth)

@cython.locals(shaped=dict)
cdef dict _map(pairs, decode, parse_error, Py_ssize_t depth)

@cython.locals(shaped=dict, place=Py_ssize_t)
cdef dict _flat_map(list elements, decode, parse_error, Py_ssize_t depth)

cdef _check_depth(Py_ssize_t depth)
