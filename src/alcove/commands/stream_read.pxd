from alcove.engine.context cimport Context
from alcove.numeric cimport parse_int
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id cimport successor, text


cdef class Reading:
    cdef public list keys, ids
    cdef public long long count, timeout_ms, min_idle_ms
    cdef public bytes group, consumer
    cdef public bint no_ack
