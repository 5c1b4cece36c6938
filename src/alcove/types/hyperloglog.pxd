cimport cython

@cython.locals(total=double, number=double, rank=int, having=list)
cpdef object estimate(bytearray registers)

@cython.locals(scale=double, result=double, before=double)
cdef double _tau(double x) except? -1

@cython.locals(scale=double, result=double, before=double)
cdef double _sigma(double x) except? -1
