cimport cython

from alcove.client.arguments cimport Arguments
from alcove.engine.engine cimport Engine
from alcove.engine.session cimport Session
from alcove.protocol.shape cimport shape

cdef object _CommandError

cdef class Plan:
    cdef readonly list words
    cdef readonly object callback
    cdef readonly bint plain

@cython.final
cdef class Fast:
    cdef readonly Engine engine
    cdef readonly object connection, opening
    cdef public int in_a_row
    cdef public bint settles
    cdef Arguments _arguments
    cdef object _decode, _error
    cdef dict _plans
    cdef Session _session

    cpdef bint is_open(self)
    cpdef Plan plan(self, name)

    @cython.locals(plan=Plan, session=Session, engine=Engine, argv=list)
    cpdef execute(self, tuple args, dict options, callbacks)

    cdef int _enter(self) except -1
    cdef _response(self, int protocol, reply, Plan plan, dict options, callbacks)

    @cython.locals(session=Session)
    cpdef list pipeline(self, list commands, list plans, callbacks)

    @cython.locals(session=Session)
    cpdef list transaction(self, list commands, list plans)

    @cython.locals(engine=Engine, argv=list, before=Py_ssize_t)
    cdef int _run(self, Session session, list argvs, list replies) except -1

cpdef execute(Fast fast, tuple args, dict options, callbacks)
cdef called_back(response, Plan plan, dict options, callbacks)
