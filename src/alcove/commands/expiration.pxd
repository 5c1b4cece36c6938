from alcove.engine.arguments cimport absolute_ms
from alcove.engine.context cimport Context
from alcove.engine.keyspace cimport Database
from alcove.engine.table cimport Entry

cdef int _GENERIC
