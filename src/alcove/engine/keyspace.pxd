cimport cython

from alcove.engine.table cimport (
    Entry,
    Table,
    container_in,
    key_of,
    replace,
    string_in,
    value_of,
    weigh,
    weight_of,
)
from alcove.types.container cimport Container
from alcove.types.limits cimport Limits

cdef int EVICTED, EXPIRED, GENERIC, HASH, MISS, NEW, OVERWRITTEN, TYPE_CHANGED
cdef Py_ssize_t TIMER_BYTES, DRAINED_AT_ONCE

@cython.final
cdef class Keyspace:
    cdef public Limits limits
    cdef public long long now_ms, dirty, hits, misses, expired, freed, used, wake_ms
    cdef public bint recording, touching, lfu, sooner
    cdef public int lfu_log_factor, lfu_decay_time
    cdef public list records
    cdef public int event_mask
    cdef public object listener, on_change
    cdef public list ready
    cdef public object graveyard
    cdef public unsigned int saving, snapshots
    cdef public object snapshot
    cdef public list databases

    cpdef dispose(self, object value)
    cpdef wake_by(self, long long when_ms)
    cpdef unsigned int lfu_access(self, int counter) noexcept
    @cython.locals(counter=int)
    cpdef int lfu_counter(self, unsigned int access) except -1
    @cython.locals(counter=int, above="long long")
    cpdef unsigned int lfu_touched(self, unsigned int access) except? 0
    @cython.locals(first="long long", deadline="long long", database=Database)
    cpdef long long next_deadline(self)

@cython.final
cdef class Database:
    cdef readonly Keyspace space
    cdef readonly int number
    cdef public Table table
    cdef public long long used
    cdef readonly dict watchers, waiting

    @cython.locals(entry=Entry)
    cpdef Entry find(self, bytes key)
    @cython.locals(now_ms="long long", field_ms="long long")
    cdef bint is_due(self, Entry entry) except -1
    @cython.locals(space=Keyspace, entry=Entry)
    cpdef Entry look(self, bytes key, bint touch=*)
    @cython.locals(entry=Entry, value=Container)
    cpdef object read(self, bytes key, type kind)
    @cython.locals(entry=Entry)
    cpdef object read_string(self, bytes key)
    @cython.locals(entry=Entry, value=Container)
    cpdef object edit(self, bytes key, type kind)
    @cython.locals(entry=Entry)
    cpdef object edit_string(self, bytes key)
    @cython.locals(entry=Entry)
    cpdef object edit_or_create(self, bytes key, type kind)
    @cython.locals(space=Keyspace)
    cdef preserve(self, Entry entry)
    cpdef touch(self, Entry entry)
    @cython.locals(entry=Entry)
    cpdef Entry add(self, bytes key, object value)
    @cython.locals(entry=Entry, container=Container)
    cpdef Entry put(self, bytes key, object value, int event_class, bytes event, bint keep_ttl=*)
    cpdef replace(self, Entry entry, object value)
    @cython.locals(entry=Entry, value=Container)
    cpdef changed(self, bytes key, int event_class, bytes event, long long count=*)
    cpdef written(self, Entry entry, int event_class, bytes event, long long count)
    @cython.locals(entry=Entry)
    cpdef noted(self, bytes key, int event_class, bytes event, long long count=*)
    @cython.locals(space=Keyspace)
    cdef settle(self, Entry entry, int event_class, bytes event, long long count)
    cdef account(self, long long size)
    cpdef signal(self, bytes key)
    cpdef wake(self, bytes key)
    @cython.locals(space=Keyspace)
    cpdef notify(self, int event_class, bytes event, bytes key)
    @cython.locals(entry=Entry)
    cpdef bint remove(self, bytes key, bytes event=*) except -1
    cpdef Entry take(self, bytes key)
    @cython.locals(space=Keyspace, value=Container)
    cpdef detach(self, Entry entry)
    cpdef unlink(self, Entry entry)
    cpdef expire(self, Entry entry)
    cpdef evict(self, Entry entry)
    @cython.locals(timed=bint)
    cdef arm(self, Entry entry, long long expire_ms, long long field_ms)
    cpdef set_deadline(self, Entry entry, long long expire_ms)

@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t footprint_of(Entry entry)
cpdef object string_of(Entry entry)
