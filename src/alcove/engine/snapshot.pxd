cimport cython

from alcove.engine.keyspace cimport Keyspace
from alcove.engine.table cimport Entry, Table, container_in, value_of

cdef Py_ssize_t BETWEEN_LOOKS, LONG_STRING, WEIGHT_BETWEEN_LOOKS

cpdef bint is_long(object value) except -1

cdef class Snapshot:
    cdef Keyspace _space
    cdef object _recorder
    cdef unsigned int _number
    cdef list _tables, _kept
    cdef dict _numbers
    cdef Py_ssize_t _left
    cdef Entry _stepped
    cdef object _steps, _wanted
    cdef bint _orphaned
    cdef public bint is_ahead
    cdef readonly Py_ssize_t keys, saved, stepped

    cpdef bint work(self, object in_time) except -1
    @cython.locals(table=Table, entry=Entry, left=Py_ssize_t, number=int, weight=Py_ssize_t)
    cdef bint _walk(self) except -1
    cdef _begin_steps(self, Py_ssize_t number, Entry entry)
    @cython.locals(entry=Entry)
    cdef _take_wanted(self)
    @cython.locals(entry=Entry)
    cpdef bint comes_first(self, Table table, bytes key) except -1
    cdef _step(self)
    cdef _finish_steps(self)
    cdef _let_go(self)
    cpdef save(self, Table table, Entry entry)
