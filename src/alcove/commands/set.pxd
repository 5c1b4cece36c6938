from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.types.set cimport Set

cdef int _SET
