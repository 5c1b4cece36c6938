from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.engine.table cimport Entry
from alcove.types.hash cimport Hash

cdef int _HASH
