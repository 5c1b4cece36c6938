cimport cython
from libc.stdint cimport int64_t, uint64_t

from alcove.codec.primitives cimport Decoder, Encoder
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id cimport number, pack, successor
from alcove.types.stream_node cimport Node
from alcove.types.stream_records cimport SortedRecords, pending_record

cdef Py_ssize_t _ID, _NODES, _PAGE, _PENDING
cdef int64_t _LATEST_MS

cdef object _put_node(Encoder encoder, Node node)
cdef object _put_counters(Encoder encoder, Stream stream)
@cython.locals(record=bytes)
cdef object _put_pending(Encoder encoder, list page)
@cython.locals(stream_id=bytes)
cdef object _put_ids(Encoder encoder, list page)
cdef object _put_id(Encoder encoder, bytes stream_id)

@cython.locals(first=bytes)
cdef object _take_node(Decoder decoder, Stream stream)
@cython.locals(length=uint64_t, nodes=list)
cdef object _take_counters(Decoder decoder, int form, Stream stream)
@cython.locals(ms=uint64_t)
cdef bytes _take_id(Decoder decoder)
@cython.locals(count=uint64_t)
cdef int64_t _take_count(Decoder decoder) except? -1
@cython.locals(ms=int64_t)
cdef int64_t _take_ms(Decoder decoder) except? -1
@cython.locals(stream_id=bytes, time_ms=int64_t)
cdef object _take_pending(Decoder decoder, SortedRecords pending)
@cython.locals(stream_id=bytes, record=bytes)
cdef object _take_owned(Decoder decoder, Group group, Consumer consumer, SortedRecords pending)
