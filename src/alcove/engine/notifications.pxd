from alcove.engine.channels cimport Channels
from alcove.engine.keyspace cimport Keyspace

cdef class Notifications:
    cdef readonly Channels channels
    cdef Keyspace _space
    cdef bint _by_key, _by_event

    cpdef choose(self, int classes)
    cpdef publish(self, int database, int event_class, bytes event, bytes key)
