from alcove.types.container cimport Container
from alcove.types.dense_map cimport ScoreMap
from alcove.types.limits cimport Limits
from alcove.types.score_list cimport ScoreList
from alcove.types.score_tree cimport ScoreTree
cimport cython

cdef class Large:
    cdef ScoreMap scores
    cdef ScoreTree tree

cdef class SortedSet(Container):
    cdef Limits _limits
    cdef ScoreList _short
    cdef Large _large

    cpdef object expect(self, Py_ssize_t elements, Py_ssize_t longest)
    cpdef object score(self, bytes member)
    @cython.locals(large=Large, place=int, position=Py_ssize_t, old=double)
    cpdef int put(self, bytes member, double score) except -1
    @cython.locals(large=Large)
    cpdef object add(self, bytes member, double score)
    @cython.locals(large=Large, place=int, position=Py_ssize_t)
    cpdef bint remove(self, bytes member) except -1
    @cython.locals(large=Large, position=Py_ssize_t)
    cpdef Py_ssize_t rank(self, bytes member) except -2
    cpdef Py_ssize_t count_below(self, double score, bint inclusive) except -1
    cpdef Py_ssize_t count_before(self, bytes member, bint inclusive) except -1
    cpdef list members(self, Py_ssize_t start, Py_ssize_t stop, bint reverse=*)
    @cython.locals(size=Py_ssize_t)
    cpdef list members_between(self, long long first, long long last)
    cpdef list pairs(self, Py_ssize_t start, Py_ssize_t stop, bint reverse=*)
    cpdef bytes scores(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(place=Py_ssize_t)
    cpdef tuple pop(self, bint highest)
    @cython.locals(large=Large)
    cpdef object delete_range(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes member_at(self, Py_ssize_t position)
    cpdef double score_at(self, Py_ssize_t position) except? -1
    cpdef bytes packed(self)
    cpdef SortedSet copy(self)
    cpdef bint drain(self, Py_ssize_t n) except -1
    cpdef Py_ssize_t footprint(self) except -1
    cpdef bint _stays_short(self, bytes member) except -1
    @cython.locals(large=Large)
    cpdef Large _grow(self)
