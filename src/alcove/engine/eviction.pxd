cimport cython

from alcove.engine.clock cimport Clock
from alcove.engine.keyspace cimport Database, Keyspace
from alcove.engine.table cimport Entry, Table

cdef object _chance
cdef int _POOL_SIZE, _STRETCH, TRIES
cdef int RECENCY, FREQUENCY, DEADLINE, CHANCE

cdef class Eviction:
    cdef readonly Keyspace space
    cdef readonly Clock clock
    cdef readonly object config, latency
    cdef public long long evicted, exceeded_us
    cdef readonly long long exceeded_since_us, limit, time_us
    cdef readonly list pool
    cdef readonly int turn, criterion, samples
    cdef readonly bint only_volatile

    cpdef bint fits(self) except -1
    cpdef bint make_room(self) except -1
    @cython.locals(count=int)
    cdef bint evict(self, long long deadline_us) except -1
    cdef bint evict_one(self) except -1
    @cython.locals(database=Database, entry=Entry)
    cdef tuple by_chance(self)
    @cython.locals(database=Database, entry=Entry, pool=list, score="long long", key=bytes)
    cdef tuple best(self)
    @cython.locals(table=Table, pool=list, entry=Entry, number=int, samples=int, score="long long", place=Py_ssize_t)
    cdef take_samples(self, Database database)
    @cython.locals(count=Py_ssize_t, place=Py_ssize_t, entry=Entry, tries=int)
    cdef Entry sample(self, Table table, int number, int samples)
    cdef long long score(self, Entry entry) except? -1
