cimport cython

from alcove.engine.declaration cimport Command, Registry
from alcove.engine.engine cimport Engine
from alcove.engine.session cimport Session
from alcove.protocol.output cimport OutputBuffer
from alcove.protocol.reader cimport RequestReader
from alcove.protocol.writer cimport ReplyWriter
from alcove.server.agenda cimport Agenda

cdef object _CommandError, _PARKED, _Push
cdef int _READ, _WRITE, _UNAUTHENTICATED, _SUBSCRIBER, _MONITOR, _TALKATIVE, _TURN_COMMANDS, _AHEAD_COMMANDS, _AHEAD_KEYS
cdef Py_ssize_t _RECEIVE_BYTES, _BULK_RECEIVE_BYTES, _TURN_REPLY_BYTES, _QUERY_CHECK_BYTES
cdef Py_ssize_t _UNAUTHENTICATED_BYTES, _REPLY_BLOCK_BYTES, _PAUSE_BYTES

@cython.final
cdef class Connection:
    cdef readonly object socket, channel, poller
    cdef readonly int fd, interest
    cdef readonly Session session
    cdef readonly Agenda agenda
    cdef readonly RequestReader reader
    cdef readonly OutputBuffer out
    cdef readonly ReplyWriter writer
    cdef list ahead
    cdef Py_ssize_t ran
    cdef bint is_much
    cdef Py_ssize_t received_bytes, old_bytes
    cdef readonly Py_ssize_t mailed_bytes
    cdef readonly int replies
    cdef public bint ready, unsent, pushed
    cdef readonly bint left, parked, paused
    cdef bint answered, overrun
    cdef long long over_soft_us
    cdef object __weakref__

    @cython.locals(limit=Py_ssize_t, data=bytes)
    cpdef receive(self)
    @cython.locals(reader=RequestReader, out=OutputBuffer, argv=list, most_bytes=Py_ssize_t, unread=Py_ssize_t,
                   long_reply=Py_ssize_t, written=Py_ssize_t, commands=int)
    cpdef serve(self, Engine engine, long long until_us)
    @cython.locals(unread=Py_ssize_t, sent=Py_ssize_t)
    cpdef flush(self)
    @cython.locals(agenda=Agenda)
    cpdef push(self, value)
    cpdef retract(self, object error)
    cpdef check_soft_limit(self)
    cpdef be_ready(self)
    cpdef be_unsent(self)
    cpdef leave(self)
    cpdef give_up(self)
    cpdef bint is_idle_since(self, long long before_us)

    cdef _end_of_input(self)
    cdef _end_after_replies(self)
    cdef _check_query_size(self)
    @cython.locals(reader=RequestReader, keys=list)
    cdef bint _read_ahead(self, Engine engine) except -1
    cdef _run(self, Engine engine, list argv)
    cdef _write(self, object value)
    @cython.locals(agenda=Agenda)
    cdef _append(self, object message)
    cdef _refuse(self, object error)
    cdef _abort_http(self)
    cdef _await(self, int interest)
    cdef _limit(self)
    cdef bint _over_limit(self) except -1
    cpdef cut_off(self)

@cython.locals(keys=list, argv=list, command=Command, end=Py_ssize_t, place=Py_ssize_t)
cdef list keys_of(list commands, Registry registry)
