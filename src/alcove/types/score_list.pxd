cdef class ScoreList:
    # One block: scores[room], ends[room], text[text_room]. A member's bytes end at its end and begin at the one before.
    cdef double *scores
    cdef unsigned int *ends
    cdef char *text
    cdef int count, room
    cdef unsigned int text_room

    cpdef int find(self, bytes member) noexcept
    cpdef double score_at(self, int place) noexcept
    cpdef bytes member_at(self, int place)
    cpdef bint has_room(self, bytes member) noexcept
    cpdef int insert(self, double score, bytes member) except -1
    cpdef int delete_range(self, int start, int stop) except -1
    cpdef int count_below(self, double score, bint inclusive) noexcept
    cpdef int count_before(self, bytes member, bint inclusive) noexcept
    cpdef list members(self, int start, int stop)
    cpdef list pairs(self, int start, int stop)
    cpdef ScoreList copy(self)
    cpdef Py_ssize_t footprint(self) noexcept

    cdef int compare_at(self, int place, const char *data, Py_ssize_t size) noexcept
    cdef int members_below(self, int low, int high, bytes member, bint inclusive) noexcept
    cdef int resize(self, int room, Py_ssize_t text_room) except -1
