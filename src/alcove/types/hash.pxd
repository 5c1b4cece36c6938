from alcove.types.container cimport Container
from alcove.types.dense_map cimport ByteMap
from alcove.types.limits cimport Limits
from alcove.types.listpack cimport Listpack
from alcove.types.sorted_set cimport SortedSet
cimport cython

cdef class Hash(Container):
    cdef Limits _limits
    cdef Listpack _pack
    cdef ByteMap _table
    cdef SortedSet _deadlines
    cdef readonly long long next_deadline
    cdef bint _extended

    @cython.locals(place=Py_ssize_t)
    cpdef bytes get(self, bytes field)
    cpdef bint contains(self, bytes field) except -1
    @cython.locals(created=bint)
    cpdef bint set(self, bytes field, bytes value, bint keep_deadline=*) except -1
    @cython.locals(place=Py_ssize_t, created=Py_ssize_t)
    cpdef Py_ssize_t set_all(self, tuple pairs) except -1
    @cython.locals(removed=Py_ssize_t, field=bytes)
    cpdef Py_ssize_t remove_all(self, tuple fields) except -1
    @cython.locals(field=bytes)
    cpdef list get_all(self, tuple fields)
    @cython.locals(place=Py_ssize_t)
    cpdef bint remove(self, bytes field) except -1
    cpdef bytes field_at(self, Py_ssize_t position)
    cpdef bytes value_at(self, Py_ssize_t position)
    cpdef list fields(self)
    cpdef list values(self)
    cpdef list items(self)
    cpdef expect(self, Py_ssize_t number)
    cpdef long long deadline(self, bytes field) except -1
    cpdef list deadlines(self)
    cpdef bytes packed(self)
    cpdef load_pack(self, Listpack pack)
    cpdef set_deadline(self, bytes field, long long deadline_ms)
    @cython.locals(due=Py_ssize_t, fields=list)
    cpdef list expire_fields(self, long long now_ms, Py_ssize_t limit)
    cpdef Py_ssize_t footprint(self) except -1
    cpdef bint drain(self, Py_ssize_t number) except -1
    cpdef Hash copy(self)
    @cython.locals(place=Py_ssize_t)
    cdef bint _set_in_pack(self, bytes field, bytes value) except -1
    @cython.locals(place=Py_ssize_t)
    cdef bint _remove(self, bytes field) except -1
    cdef _forget_deadline(self, bytes field)
    cdef _deadlines_changed(self)
    @cython.locals(place=Py_ssize_t, flat=list)
    cdef ByteMap _to_table(self)
