from alcove.engine.context cimport Context
from alcove.integers cimport try_int
from alcove.numeric cimport parse_int
from alcove.types.stream cimport Stream
from alcove.types.stream_id cimport pack, predecessor, successor, text


cdef class References:
    cdef public int policy
    cdef bint _given


cdef class Trimming:
    cdef public bint no_stream, approximate
    cdef public bytes strategy, minid
    cdef public long long maxlen, limit
    cdef public References references
    cdef public object new_id
    cdef public Py_ssize_t size
