cimport cython

from alcove.engine.context cimport Context
from alcove.engine.engine cimport Engine
from alcove.engine.session cimport Session
from alcove.scripting.border cimport Border
from alcove.scripting.bridge cimport Bridge
from alcove.scripting.conversion cimport plain_reply, reply_of

cdef Py_ssize_t MEMORY_BYTES, MARGIN_BYTES, MOST_ARGUMENTS, ARGUMENT_BYTES
cdef int ANSWER_FLAT, ANSWER_TREE, ANSWER_ERROR

cpdef Runtime runtime_of(Engine engine)

cdef class Script:
    cdef readonly bytes sha, body
    cdef readonly object runner, rules

cdef class Runtime:
    cdef readonly Border border
    cdef readonly Session session
    cdef readonly Bridge bridge
    cdef readonly dict scripts
    cdef readonly bytes running
    cdef readonly object lua, host, sandbox
    cdef readonly long long started_us
    cdef public object functions
    cdef str verdict
    cdef long long deadline_us, next_us
    cdef dict _by_body
    cdef object _evaluated, _compile

    cpdef Script find(self, bytes sha)
    cpdef Script script_of(self, bytes body)
    @cython.locals(border=Border)
    cpdef bint fits(self, Py_ssize_t size) except -1
    cpdef make_room(self, Py_ssize_t size)
    @cython.locals(engine=Engine, bridge=Bridge, session=Session)
    cpdef object run(self, Context ctx, object runner, bytes name, object rules, bint read_only, Py_ssize_t keys,
                     tuple arguments)
    @cython.locals(count=Py_ssize_t, size=Py_ssize_t, argument=bytes)
    cdef object _enter(self, object runner, Py_ssize_t keys, tuple arguments)
    cdef object _checked(self, object answer)
    @cython.locals(bridge=Bridge)
    cdef object _reply(self, object answer, bytes name)
