from alcove.engine.table cimport Entry, Table
from alcove.types.limits cimport Limits

cdef class Keyspace:
    cdef public Limits limits
    cdef public long long now_ms, dirty, hits, misses, expired, used, wake_ms
    cdef public bint recording, touching, lfu, sooner
    cdef public list records
    cdef public int event_mask
    cdef public object listener
    cdef public list ready
    cdef public object graveyard
    cdef public list databases

    cpdef dispose(self, object value)
    cpdef wake_by(self, long long when_ms)

cdef class Database:
    cdef readonly Keyspace space
    cdef readonly int number
    cdef public Table table
    cdef readonly dict watchers, waiting

    cpdef Entry find(self, bytes key)
    cpdef Entry look(self, bytes key, bint touch=*)
    cpdef object read(self, bytes key, type kind)
    cpdef object read_string(self, bytes key)
    cpdef object edit(self, bytes key, type kind)
    cpdef object edit_string(self, bytes key)
    cpdef object edit_or_create(self, bytes key, type kind)
    cpdef touch(self, Entry entry)
    cpdef Entry add(self, bytes key, object value)
    cpdef Entry put(self, bytes key, object value, int event_class, bytes event, bint keep_ttl=*)
    cpdef replace(self, bytes key, object value, int event_class, bytes event)
    cpdef changed(self, bytes key, int event_class, bytes event, long long count=*)
    cpdef written(self, Entry entry, int event_class, bytes event, long long count)
    cpdef signal(self, bytes key)
    cpdef notify(self, int event_class, bytes event, bytes key)
    cpdef bint remove(self, bytes key, bytes event=*) except -1
    cpdef Entry take(self, bytes key)
    cpdef detach(self, Entry entry)
    cpdef unlink(self, Entry entry)
    cpdef expire(self, Entry entry)
    cpdef set_deadline(self, Entry entry, long long expire_ms)

cpdef object string_of(Entry entry)
