cimport cython

from alcove.engine.clock cimport Clock
from alcove.engine.engine cimport Engine
from alcove.server.agenda cimport Agenda
from alcove.server.connection cimport Connection

cdef int _READ, _WRITE
cdef long long _TURN_US, _FAN_OUT_US, _REST_US, _ROUND_US, _EVICTION_ROUND_US, _ACCEPT_REST_US, _FAREWELL_US

@cython.final
cdef class Loop:
    cdef readonly Engine engine
    cdef readonly Agenda agenda
    cdef readonly object poller
    cdef readonly dict connections, listeners
    cdef readonly long long rejected, evicted
    cdef Clock clock
    cdef list _arrivals, _waiting
    cdef Connection _serving
    cdef long long _rest_us, _next_round_us, _accept_again_us
    cdef object _alarm, _bell, _alarm_lock
    cdef int _bell_fd
    cdef bint _ringing
    cdef object __weakref__

    @cython.locals(agenda=Agenda, engine=Engine)
    cpdef bint turn(self) except -1
    @cython.locals(agenda=Agenda, engine=Engine, serving=Connection)
    cpdef bint turn_while_busy(self) except -1

    @cython.locals(agenda=Agenda, events=list, connection=Connection, happened=int)
    cdef _receive_all(self, int patience_ms)
    cdef _ring(self)
    @cython.locals(agenda=Agenda)
    cdef int _patience_ms(self)
    cdef _not_a_client(self, int fd)
    @cython.locals(agenda=Agenda, now_us="long long")
    cdef _work(self)
    cdef _read_mail(self)
    @cython.locals(rest_us="long long")
    cdef _keep_house(self)
    @cython.locals(engine=Engine, agenda=Agenda, until_us="long long", waiting=list, connection=Connection)
    cdef _serve_ready(self)
    @cython.locals(connection=Connection)
    cdef _retract_replies(self, object error)
    @cython.locals(agenda=Agenda, unsent=list, connection=Connection)
    cdef _send_replies(self)
    @cython.locals(agenda=Agenda, connection=Connection, until_us="long long")
    cdef _send_messages(self)
    cdef _accept_all(self)
    cdef _accept(self, object listener)
    cdef _admit(self, object sock, object listener, object peer)
    cdef _reject(self, object sock, str why)
    cdef _rest_from_accepting(self)
    cdef _accept_again(self)
    cdef _round(self, long long now_us)
    cdef _evict_clients(self, limit)
    cdef _take_leave(self)
    cdef _say_farewell(self)
