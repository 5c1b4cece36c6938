from alcove.engine.keyspace cimport Keyspace
from alcove.engine.session cimport Session

cdef object _Wait

cdef class Waits:
    cdef object _engine
    cdef Keyspace _space
    cdef list _deadlines
    cdef long long _deadline_number
    cdef object _sliced

    cpdef object park(self, Session session, object wait)
    cpdef serve_ready(self)
    cpdef resume(self, Session session, object reply)
    cpdef end_due(self, long long now_us)
    cpdef long long next_us(self) except -1
    cpdef object first_slice(self, Session session, object slices)
    cpdef bint go_on(self, object in_time) except -1
