cimport cython

from alcove.engine.keyspace cimport Keyspace
from alcove.engine.table cimport Entry, Table

cdef Py_ssize_t BETWEEN_LOOKS

cdef class Snapshot:
    cdef Keyspace _space
    cdef object _recorder
    cdef unsigned int _number
    cdef list _tables, _kept
    cdef dict _numbers
    cdef Py_ssize_t _left
    cdef Entry _stepped
    cdef object _steps
    cdef bint _orphaned
    cdef readonly Py_ssize_t keys, saved

    cpdef bint work(self, object in_time) except -1
    @cython.locals(table=Table, entry=Entry, left=Py_ssize_t, number=int)
    cdef bint _walk(self) except -1
    cdef _step(self)
    cdef _finish_steps(self)
    cdef _let_go(self)
    cpdef save(self, Table table, Entry entry)
