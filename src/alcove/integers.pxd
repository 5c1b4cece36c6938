cpdef object try_int(bytes data)
cpdef bytes format_int(object number)
