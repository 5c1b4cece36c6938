cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from alcove.types.stream_id cimport number
from alcove.types.stream_records cimport SortedRecords, pending_record, time_key

cdef Py_ssize_t _ID, _TIME_KEY, _PENDING, _PENDING_BYTES, _GROUP_BYTES, _CONSUMER_BYTES


cdef class Tally:
    cdef public int64_t size


@cython.final
cdef class Consumer:
    cdef readonly bytes name
    cdef readonly uint32_t slot
    cdef public int64_t seen_ms, active_ms
    cdef public SortedRecords pending


cpdef uint64_t delivery_ms(bytes record) except? 0xFFFFFFFFFFFFFFFF
cpdef uint64_t delivery_count(bytes record) except? 0xFFFFFFFFFFFFFFFF


@cython.final
cdef class Group:
    cdef readonly Tally tally
    cdef readonly bytes name
    cdef public bytes last_id
    cdef public int64_t entries_read
    cdef readonly SortedRecords pending
    cdef SortedRecords _by_time
    cdef dict _consumers
    cdef list _slots

    cpdef Consumer consumer(self, bytes name)
    cpdef list consumers(self)
    cpdef Py_ssize_t consumer_count(self) except -1
    @cython.locals(slot=Py_ssize_t, consumer=Consumer)
    cpdef Consumer create_consumer(self, bytes name, int64_t now_ms)
    @cython.locals(consumer=Consumer, count=Py_ssize_t, page=list, stream_id=bytes, record=bytes)
    cpdef Py_ssize_t delete_consumer(self, bytes name) except -1
    @cython.locals(consumer=Consumer)
    cpdef Consumer owner(self, bytes record)
    @cython.locals(record=bytes, owner=Consumer)
    cpdef object deliver(self, bytes stream_id, Consumer consumer, uint64_t time_ms, uint64_t count)
    @cython.locals(record=bytes)
    cpdef bint acknowledge(self, bytes stream_id) except -1
    cpdef bint needs(self, bytes stream_id) except -1
    @cython.locals(start=bytes, record=bytes, key=bytes, found=list)
    cpdef list idle_since(self, uint64_t time_ms, bytes after, Py_ssize_t count)
    @cython.locals(key=bytes)
    cpdef int64_t oldest_ms(self) except? -1
    cpdef Py_ssize_t footprint(self) except -1
    @cython.locals(size=Py_ssize_t, consumer=Consumer)
    cpdef bint drain(self, Py_ssize_t count) except -1
    @cython.locals(twin=Group, consumer=Consumer, other=Consumer)
    cpdef Group copy(self, Tally tally)
