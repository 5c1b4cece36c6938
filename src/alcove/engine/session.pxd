from alcove.engine.keyspace cimport Database

cdef class Session:
    cdef public long long id, created_us, active_us, commands
    cdef public Database database
    cdef public str kind, address, local_address, user, last_command
    cdef public Session caller
    cdef public object context
    cdef public int protocol, gate, muted_commands
    cdef public bytes name, lib_name, lib_version
    cdef public bint no_evict, queue_refused, executing, watch_broken, closing, running
    cdef public list queue, watched, late
    cdef public object tracker, wait, slices
    cdef public object deliver, push, close, buffers
    cdef object __weakref__

    cpdef send(self, message)
    cpdef with_late(self, reply)
