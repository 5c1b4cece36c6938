from alcove.engine.context cimport Context

cdef class FieldStep:
    cdef readonly bytes word, overflow
    cdef readonly bint signed
    cdef readonly int width
    cdef readonly long long offset
    # A Python integer, since sums with it may leave 64 bits.
    cdef readonly object operand
