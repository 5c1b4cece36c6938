cimport cython

from alcove.engine.glob cimport matches
from alcove.engine.session cimport Session

cdef int SUBSCRIBER

cdef class Audience:
    cdef readonly dict listeners
    cdef dict _names

    cpdef add(self, Session session, bytes name)
    cpdef remove(self, Session session, bytes name)
    cpdef Py_ssize_t subscriptions(self, Session session) except -1

cdef class Channels:
    cdef readonly Audience channels, patterns, shards

    @cython.locals(listeners=dict, pattern=bytes, receivers=Py_ssize_t)
    cpdef Py_ssize_t publish(self, bytes channel, bytes message) except -1
    @cython.locals(listeners=dict)
    cpdef Py_ssize_t publish_sharded(self, bytes channel, bytes message) except -1

@cython.locals(session=Session)
cdef Py_ssize_t fan_out(dict listeners, message) except -1
