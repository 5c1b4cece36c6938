from alcove.engine.context cimport Context
from alcove.engine.table cimport Entry

cdef int _GENERIC, _STRING
