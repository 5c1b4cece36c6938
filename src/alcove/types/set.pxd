from alcove.types.container cimport Container
from alcove.types.dense_map cimport DenseSet
from alcove.types.intset cimport IntSet
from alcove.types.limits cimport Limits
from alcove.types.listpack cimport Listpack
cimport cython

cdef class Set(Container):
    cdef Limits _limits
    cdef IntSet _ints
    cdef Listpack _pack
    cdef DenseSet _table

    cpdef bint add(self, bytes member) except -1
    @cython.locals(added=Py_ssize_t, member=bytes)
    cpdef Py_ssize_t add_all(self, tuple members) except -1
    @cython.locals(removed=Py_ssize_t, member=bytes)
    cpdef Py_ssize_t remove_all(self, tuple members) except -1
    cpdef bint remove(self, bytes member) except -1
    cpdef bint contains(self, bytes member) except -1
    @cython.locals(member=bytes)
    cpdef list sift(self, list members, bint present)
    cpdef bytes member_at(self, Py_ssize_t position)
    cpdef bytes pop_at(self, Py_ssize_t position)
    cpdef list members(self)
    cpdef list members_between(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef expect(self, bytes first, Py_ssize_t number)
    cpdef compact(self)
    cpdef bytes packed(self)
    cpdef load_ints(self, IntSet ints)
    cpdef load_pack(self, Listpack pack)
    cpdef Py_ssize_t footprint(self) except -1
    cpdef bint drain(self, Py_ssize_t number) except -1
    cpdef Set copy(self)
    cdef bint _add_to_ints(self, bytes member) except -1
    cdef bint _add_to_pack(self, bytes member) except -1
    cdef bint _pack_takes_ints(self, bytes member) except -1
    cdef _to_pack(self)
    cdef _to_table(self)

@cython.locals(found=list, by_size=list, other=Set)
cpdef list common(list sets, Py_ssize_t limit=*)
@cython.locals(member=bytes, found=list)
cdef list _first_common(list by_size, Py_ssize_t limit)
@cython.locals(each=Set, member=bytes, found=dict)
cpdef dict union(list sets)
@cython.locals(found=list, other=Set)
cpdef list difference(Set first, list others)
@cython.locals(each=Set)
cdef bint _all_have(list sets, bytes member) except -1
