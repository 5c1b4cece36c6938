cimport cython

@cython.final
cdef class ScoreList:
    # One block: the members' bytes from its beginning, and up to its end the size of each, then the score of each.
    cdef unsigned char *block
    cdef unsigned int capacity, text
    cdef int count
    # How many bytes a score takes, 8 being doubles and fewer integers, and a size: 1, 4, or 0 while all are `each`.
    cdef unsigned char score_bytes, size_bytes, each

    cpdef int find(self, bytes member) noexcept
    cpdef double score_at(self, int place) noexcept
    cpdef bytes member_at(self, int place)
    cpdef bint has_room(self, bytes member) noexcept
    cpdef int insert(self, double score, bytes member) except -1
    cpdef int update(self, int place, double score, bytes member) except -1
    cpdef int delete_range(self, int start, int stop) except -1
    cpdef int count_below(self, double score, bint inclusive) noexcept
    cpdef int count_before(self, bytes member, bint inclusive) noexcept
    cpdef list members(self, int start, int stop)
    cpdef list pairs(self, int start, int stop)
    cpdef bytes packed(self)
    cpdef ScoreList copy(self)
    cpdef Py_ssize_t footprint(self) noexcept

    cdef list elements(self, int start, int stop, bint with_scores)
    cdef unsigned char *scores(self) noexcept
    cdef unsigned char *sizes(self) noexcept
    cdef unsigned int size_at(self, int place) noexcept
    cdef unsigned int bytes_between(self, int low, int high) noexcept
    cdef void store(self, int place, double score) noexcept
    cdef int members_below(self, int low, int high, bytes member, bint inclusive) noexcept
    cdef int relay(self, unsigned char score_bytes, unsigned char size_bytes, size_t capacity) except -1
