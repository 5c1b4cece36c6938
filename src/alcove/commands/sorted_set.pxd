from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.engine.table cimport Entry
from alcove.types.sorted_set cimport SortedSet

cdef int _SORTED_SET
