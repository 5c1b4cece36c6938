cimport cython

from alcove.persistence.records cimport RecordWriter
from alcove.protocol.output cimport OutputBuffer

cdef Py_ssize_t _PIECE

cdef class Journal:
    cdef object _file, _lock, _turn, _failed
    cdef int _waiting
    cdef RecordWriter _records
    cdef public bint always, everysec, pending, held
    cdef public object now_s, on_synced
    cdef public long long appended, synced
    cdef public object write_error, sync_error
    cdef long long _cut_to
    cdef list _syncing, _replaced

    cpdef bint is_quiet(self, bint syncing) except -1
    cpdef commit(self, list batch)
    @cython.locals(out=OutputBuffer, piece=bytes)
    cpdef object flush(self)
    cdef _mend(self)
    cpdef object settle(self, long long position)
    cdef _wait(self)
    @cython.locals(target="long long", files=list, synced=Py_ssize_t)
    cdef _sync(self)
    cdef _look(self)
    cdef _write_failed(self, object error, long long good)
