cimport cython

cdef double _WHOLE_LIMIT

cpdef object parse_int(bytes data, str error=*)
cpdef object parse_bounded(bytes data, object low, object high, str error)
@cython.locals(size=Py_ssize_t, start=Py_ssize_t, place=Py_ssize_t, digit=int, points=int,
               digits="const unsigned char *")
cdef bint _is_plain_decimal(bytes data)
cpdef object try_float(bytes data)
cpdef double parse_float(bytes data, str error=*) except? -1
@cython.locals(whole="long long")
cpdef bytes format_double(double value)
