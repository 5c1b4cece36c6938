from alcove.protocol.writer cimport ReplyWriter

cdef class Agenda:
    cdef public unsigned long long thread
    cdef public object wake
    cdef public list ready, unsent, leaving
    cdef public object mail, pushed
    cdef public long long now_us, least_limit, query_limit, max_bulk, large_request, long_reply, input_bytes, output_bytes
    cdef public bint stopping
    cdef public object normal_limit, pubsub_limit, monitor_limit
    cdef object _message
    cdef bytes _resp2, _resp3
    cdef ReplyWriter _writer

    cpdef bytes encoded(self, object message, int protocol)
    cdef bytes _encode(self, object message, int protocol)
    cpdef forget_message(self)
