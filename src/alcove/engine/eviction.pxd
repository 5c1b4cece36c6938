cimport cython

from alcove.engine.clock cimport Clock
from alcove.engine.keyspace cimport Database, Keyspace
from alcove.engine.table cimport Entry, Table

cdef unsigned long long _ALL_BITS
cdef int _POOL_SIZE, _STRETCH, TRIES
cdef int RECENCY, FREQUENCY, DEADLINE, CHANCE

@cython.final
@cython.freelist(16)
cdef class Candidate:
    cdef readonly long long score
    cdef readonly Database database
    cdef readonly Py_ssize_t position

cdef class Eviction:
    cdef readonly Keyspace space
    cdef readonly Clock clock
    cdef readonly object config, latency
    cdef public long long evicted, exceeded_us
    cdef readonly long long exceeded_since_us, limit, time_us
    cdef readonly list pool
    cdef readonly int turn, criterion, samples
    cdef readonly bint only_volatile, timed
    cdef unsigned long long seed
    cdef long long least

    cpdef bint fits(self) except -1
    cpdef bint make_room(self) except -1
    cpdef bint go_on(self, long long time_us) except -1
    @cython.locals(count=int, now_us="long long", deadline_us="long long")
    cdef bint evict(self, long long time_us) except -1
    cdef bint evict_one(self) except -1
    @cython.locals(database=Database, entry=Entry)
    cdef tuple by_chance(self)
    @cython.locals(database=Database, table=Table, entry=Entry, pool=list, candidate=Candidate)
    cdef tuple best(self)
    @cython.locals(table=Table, entry=Entry, number=int, samples=int, count=Py_ssize_t, score="long long")
    cdef take_samples(self, Database database)
    @cython.locals(pool=list, place=Py_ssize_t, other=Candidate)
    cdef enter(self, Candidate candidate)
    cdef Py_ssize_t eligible(self, Table table) except -1
    @cython.locals(place=Py_ssize_t, entry=Entry, tries=int)
    cdef Entry sample(self, Table table, Py_ssize_t count, int number, int samples)
    @cython.locals(seed="unsigned long long", number=int)
    cdef foresee(self, Table table, Py_ssize_t count, int samples)
    @cython.locals(start=Py_ssize_t)
    cdef Py_ssize_t place(self, Py_ssize_t count, int number, int samples) except -1
    @cython.locals(seed="unsigned long long")
    cdef Py_ssize_t below(self, Py_ssize_t count) except -1
    cdef long long score(self, Entry entry) except? -1
