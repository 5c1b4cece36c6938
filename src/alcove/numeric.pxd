cpdef object parse_int(bytes data, str error=*)
cpdef object parse_bounded(bytes data, object low, object high, str error)
cpdef bytes format_double(double value)
