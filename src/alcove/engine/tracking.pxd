cimport cython

from alcove.engine.declaration cimport Command
from alcove.engine.keyspace cimport Keyspace
from alcove.engine.session cimport Session
from alcove.types.dense_map cimport ByteMap

cdef unsigned long long MOVABLEKEYS
cdef int SUBSCRIBER
cdef Py_ssize_t TOKEN_BYTES

cdef class Tracker:
    cdef readonly bytes token
    cdef public bint broadcast, opt_in, opt_out, no_loop, redirect_broken, caching
    cdef public long long redirect
    cdef public list prefixes

    cpdef bint remembers(self) except -1
    cpdef ended(self, Command command, bint in_multi)

cdef class Prefix:
    cdef public dict listeners, changed

cdef class Tracking:
    cdef Keyspace _space
    cdef dict _sessions, _by_token
    cdef readonly dict trackers, prefixes
    cdef readonly ByteMap table
    cdef readonly long long items
    cdef public long long most_keys
    cdef readonly bint pending
    cdef public Session client
    cdef list _own

    @cython.locals(client=Session, tracker=Tracker, first=int, last=Py_ssize_t, place=Py_ssize_t)
    cpdef ran(self, Command command, list argv)
    @cython.locals(client=Session, tracker=Tracker)
    cpdef done(self, Command command)
    @cython.locals(tokens=bytes, place=Py_ssize_t)
    cdef _remember(self, bytes key, bytes token)
    @cython.locals(heard=Prefix, prefix=bytes, tokens=bytes)
    cpdef changed(self, bytes key)
    @cython.locals(place=Py_ssize_t, token=bytes, session=Session, tracker=Tracker)
    cdef _invalidate(self, bytes key, bytes tokens)
    @cython.locals(heard=Prefix, session=Session, tracker=Tracker)
    cpdef broadcast(self)
    @cython.locals(target=Session, redirect="long long")
    cdef _tell(self, Session session, Tracker tracker, message)

@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, start=Py_ssize_t)
cdef Py_ssize_t place_of(bytes token, bytes tokens) except -1
