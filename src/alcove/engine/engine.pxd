cimport cython

from alcove.engine.channels cimport Channels
from alcove.engine.clock cimport Clock
from alcove.engine.context cimport Context
from alcove.engine.declaration cimport Command, Registry
from alcove.engine.eviction cimport Eviction
from alcove.engine.keyspace cimport Database, Keyspace
from alcove.engine.lock cimport EngineLock
from alcove.engine.notifications cimport Notifications
from alcove.engine.session cimport Session
from alcove.engine.tracking cimport Tracking
from alcove.engine.waits cimport Waits

cdef object _CommandError, _Push, _Replies, _Wait
cdef int IN_MULTI, MONITOR, MUTED, NO_TOUCH, SUBSCRIBER, UNAUTHENTICATED
cdef long long NEVER_MS, NEVER_US, LOOK_EVERY_US, SLICE_US, SYNC_MS
cdef int GATE_BUSY, GATE_LOADING, GATE_MAXMEMORY, GATE_MISCONF, GATE_STEPS
cdef unsigned long long ADMIN, ALLOW_BUSY, DENYOOM, FAST, LOADING, NO_AUTH, NO_MULTI, READONLY, SKIP_MONITOR, SKIP_SLOWLOG, WRITE

cdef class Engine:
    cdef readonly object config
    cdef readonly EngineLock lock
    cdef readonly Clock clock
    cdef readonly Registry registry
    cdef readonly Keyspace space
    cdef readonly Channels channels
    cdef readonly Notifications notifications
    cdef readonly Tracking tracking
    cdef readonly Waits waits
    cdef readonly object monitors, slowlog, latency
    cdef readonly Eviction eviction
    cdef readonly bint out_of_memory, reads_touch
    cdef readonly dict sessions
    cdef readonly list sinks
    cdef readonly dict info_sections
    cdef public object on_shutdown, on_sooner, on_busy, client_bytes, journal, persistence, scripting
    cdef readonly list chores, on_close
    cdef public str misconf
    cdef public int gate
    cdef readonly str run_id
    cdef public long long now_us, started_us
    cdef public long long next_session, connections_received, commands_processed, unexpected_errors, expire_lag_ms, peak_used
    cdef readonly object error_counts
    cdef public str closed
    cdef public bint active_expire
    cdef bint latency_tracking
    cdef long long notable_us
    cdef bint _unseen
    cdef long long _look_us, _due_us, _slice_ends_us
    cdef list _departed
    cdef object __weakref__

    cpdef object execute(self, Session session, list argv)
    cpdef enter(self)
    @cython.locals(position="long long", sooner=bint)
    cpdef object leave(self, bint settle=*)
    @cython.locals(space=Keyspace, now_us="long long", due_us="long long", idle_us="long long")
    cpdef long long tick(self) except -2
    cpdef bint _in_time(self) except -1
    cdef long long _keep_house(self, long long started_us) except -2
    @cython.locals(deadline_ms="long long", idle_us="long long", wait_us="long long")
    cdef long long _idle_us(self, long long now_us) except -2
    @cython.locals(command=Command, space=Keyspace, count=Py_ssize_t)
    cpdef object call(self, Session session, list argv)
    @cython.locals(space=Keyspace, context=Context, started_us="long long", dirty="long long", elapsed_us="long long")
    cpdef object run(self, Session session, Command command, list argv)
    @cython.locals(flags="unsigned long long", gate=int)
    cdef object _admit(self, Session session, Command command, list argv)

@cython.locals(count=Py_ssize_t)
cdef object invoke(object handler, Context context, list argv, int words)
