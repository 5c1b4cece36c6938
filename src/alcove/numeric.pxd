cimport cython

@cython.locals(size=Py_ssize_t, at=Py_ssize_t, place=Py_ssize_t, digit=int, first=int,
               digits="const unsigned char *", magnitude="unsigned long long", number="long long")
cpdef object try_int(bytes data)

cpdef object parse_int(bytes data, str error=*)
cpdef object parse_bounded(bytes data, object low, object high, str error)
cpdef bytes format_double(double value)
