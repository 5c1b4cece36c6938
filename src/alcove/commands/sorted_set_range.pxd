from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.types.sorted_set cimport SortedSet

cdef class Range:
    pass

cdef class RankRange(Range):
    cdef object start, stop
    cdef bint reverse

cdef class ScoreRange(Range):
    cdef double low, high
    cdef bint low_excluded, high_excluded

cdef class LexRange(Range):
    cdef bytes low, high

cdef class Selection:
    cdef bytes by
    cdef bint reverse, with_scores
    cdef object offset, limit
