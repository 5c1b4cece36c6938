from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.engine.table cimport Entry
from alcove.types.list cimport List

cdef int _LIST
