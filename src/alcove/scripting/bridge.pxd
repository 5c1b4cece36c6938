cimport cython

from alcove.engine.declaration cimport Command
from alcove.engine.engine cimport Engine
from alcove.engine.keyspace cimport Keyspace
from alcove.engine.session cimport Session
from alcove.scripting.conversion cimport argument_of, flat_of, scalar_of, size_of, tokens_of

cdef unsigned long long DENYOOM, NOSCRIPT, WRITE
cdef int REPL_ALL
cdef Py_ssize_t MOST_AT_ONCE, UNCHECKED_BYTES, MOST_TOKENS
cdef object _OK, _STATUS, _CommandError

cdef class Bridge:
    cdef public Engine engine
    cdef public Session session
    cdef public bint resp3, read_only, allow_oom, wrote, out_of_memory
    cdef public int replicates
    cdef public object failure, runtime
    cdef public list outgoing, incoming
    cdef public Py_ssize_t sent

    cpdef begin(self, Engine engine, Session session, object runtime)
    cpdef end(self)
    cdef bint _fits(self, Py_ssize_t size) except -1
    @cython.locals(engine=Engine, session=Session, command=Command, count=Py_ssize_t, space=Keyspace)
    cdef object _reply(self, list argv)
    @cython.locals(argv=list)
    cdef object _argv(self, tuple words)
    @cython.locals(flags="unsigned long long")
    cdef str _refusal(self, Command command)
    cdef object _refused(self, str text, Command command=*)
    cdef object _failed(self, str text)
    cpdef object answered(self, object argv)
    @cython.locals(resp3=bint, flat=list)
    cdef object _for_lua(self, object reply)
    @cython.locals(tokens=list)
    cdef object _in_portions(self, object reply)
