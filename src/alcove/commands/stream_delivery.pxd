from alcove.engine.context cimport Context
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group
from alcove.types.stream_id cimport successor, text
from alcove.types.stream_records cimport SortedRecords


cdef class Deliveries:
    cdef Context _ctx
    cdef bytes _key
    cdef Group _group
    cdef Consumer _consumer
    cdef dict _given
    cdef list _dropped
