from alcove.engine.context cimport Context
from alcove.engine.table cimport Entry

cdef class Lookup:
    cdef readonly bint is_element, is_constant
    cdef readonly bytes prefix, suffix, hash_field

    cpdef bytes value(self, Context ctx, bytes element)
