cdef class Agenda:
    cdef public unsigned long long thread
    cdef public object wake
    cdef public list ready, unsent, leaving
    cdef public object mail
    cdef public long long now_us, least_limit, query_limit, max_bulk, input_bytes, output_bytes
    cdef public bint stopping
    cdef public object normal_limit, pubsub_limit
