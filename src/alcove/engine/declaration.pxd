cimport cython

from alcove.engine.histogram cimport Histogram

cdef class Command:
    cdef public object facts, handler
    cdef public str name
    cdef bytes called
    cdef public int id, words, arity, least, most, first_key, last_key, step
    cdef public unsigned long long flags, categories
    cdef public bint sliced
    cdef public Command container
    cdef public dict subcommands
    cdef public long long calls, usec, rejected, failed
    cdef readonly Histogram latency

    cpdef Command find(self, bytes name)

cdef class Registry:
    cdef public list commands
    cdef public int size
    cdef public dict table
    cdef Command _last

    @cython.locals(last=Command, found=Command)
    cpdef Command find(self, bytes name)
