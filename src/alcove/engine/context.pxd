from alcove.engine.keyspace cimport Database
from alcove.engine.session cimport Session

cdef class Context:
    cdef readonly object engine
    cdef readonly Session session
    cdef public Database keys
    cdef public bint recorded
