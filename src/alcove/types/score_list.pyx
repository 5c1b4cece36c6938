"""A short sorted list of (score, member): the native twin of score_list.py.

One malloc'd block holds three arrays: the scores, where each member's bytes end, and the bytes of all the members. A
member is found by comparing lengths first, a score by bisection, and any place is reached at once.
"""

from itertools import pairwise

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.string cimport memcmp, memcpy, memmove

cdef enum:
    FIRST_ROOM = 4
    FIRST_TEXT = 48
    # Spare room that deletions may leave before the block shrinks: so many times what is used.
    SLACK = 4
    MALLOC_BYTES = 8
    OBJECT_BYTES = 56
    # As much as the real server lets a listpack grow.
    LARGEST_TEXT = 1 << 30


cdef class ScoreList:
    """Places count from 0 in order; `start` and `stop`, which is excluded, must lie within the list."""

    def __dealloc__(self):
        PyMem_RawFree(self.scores)

    def __len__(self):
        return self.count

    cpdef int find(self, bytes member) noexcept:
        """The place of a member, or -1; looks at one after another."""
        cdef const char *data = PyBytes_AS_STRING(member)
        cdef size_t size = <size_t>PyBytes_GET_SIZE(member)
        cdef unsigned int start = 0, end
        cdef int place
        for place in range(self.count):
            end = self.ends[place]
            if end - start == size and memcmp(self.text + start, data, size) == 0:
                return place
            start = end
        return -1

    cpdef double score_at(self, int place) noexcept:
        return self.scores[place]

    cpdef bytes member_at(self, int place):
        cdef unsigned int start = self.ends[place - 1] if place > 0 else 0
        return PyBytes_FromStringAndSize(self.text + start, self.ends[place] - start)

    cpdef bint has_room(self, bytes member) noexcept:
        """Whether a further member fits below the bound of all members' bytes together."""
        return (self.ends[self.count - 1] if self.count else 0) + PyBytes_GET_SIZE(member) <= LARGEST_TEXT

    cpdef int insert(self, double score, bytes member) except -1:
        """Adds an element that is not there yet and for which there is room; `score` is not NaN."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member)
        cdef unsigned int used = self.ends[self.count - 1] if self.count else 0
        cdef unsigned int start
        cdef int place, low, at
        if self.count == self.room or used + size > self.text_room:
            self.resize(self.count + max(FIRST_ROOM, self.count >> 2) if self.count == self.room else self.room,
                        used + size + max(FIRST_TEXT, used >> 2))
        low = self.count_below(score, False)
        place = self.members_below(low, self.count_below(score, True), member, False)
        start = self.ends[place - 1] if place > 0 else 0
        memmove(self.text + start + size, self.text + start, used - start)
        memcpy(self.text + start, PyBytes_AS_STRING(member), size)
        memmove(self.scores + place + 1, self.scores + place, (self.count - place) * sizeof(double))
        # Minus zero becomes zero, as in the real server's listpacks.
        self.scores[place] = score + 0.0
        for at in range(self.count, place, -1):
            self.ends[at] = self.ends[at - 1] + <unsigned int>size
        self.ends[place] = start + <unsigned int>size
        self.count += 1
        return 0

    cpdef int delete_range(self, int start, int stop) except -1:
        """Removes the elements at these places."""
        if start >= stop:
            return 0
        cdef unsigned int used = self.ends[self.count - 1]
        cdef unsigned int first = self.ends[start - 1] if start > 0 else 0
        cdef unsigned int last = self.ends[stop - 1]
        cdef int at
        memmove(self.text + first, self.text + last, used - last)
        memmove(self.scores + start, self.scores + stop, (self.count - stop) * sizeof(double))
        for at in range(stop, self.count):
            self.ends[at - stop + start] = self.ends[at] - (last - first)
        self.count -= stop - start
        used -= last - first
        if self.room > SLACK * (self.count + FIRST_ROOM) or self.text_room > SLACK * (used + FIRST_TEXT):
            self.resize(self.count + FIRST_ROOM, used + FIRST_TEXT)
        return 0

    cpdef int count_below(self, double score, bint inclusive) noexcept:
        """How many elements have a score below this one, or not above it."""
        cdef int low = 0, high = self.count, middle
        while low < high:
            middle = (low + high) >> 1
            if self.scores[middle] < score or (inclusive and self.scores[middle] == score):
                low = middle + 1
            else:
                high = middle
        return low

    cpdef int count_before(self, bytes member, bint inclusive) noexcept:
        """How many elements have a member before this one, or not behind it, in a list where all scores are equal."""
        return self.members_below(0, self.count, member, inclusive)

    cpdef list members(self, int start, int stop):
        """The members at these places, in order."""
        cdef int place
        return [self.member_at(place) for place in range(start, stop)]

    cpdef list pairs(self, int start, int stop):
        """The members at these places with their scores, in order."""
        cdef int place
        return [(self.member_at(place), self.scores[place]) for place in range(start, stop)]

    cpdef ScoreList copy(self):
        cdef ScoreList twin = ScoreList()
        if self.count:
            twin.resize(self.count, self.ends[self.count - 1])
            twin.count = self.count
            memcpy(twin.scores, self.scores, self.count * sizeof(double))
            memcpy(twin.ends, self.ends, self.count * sizeof(unsigned int))
            memcpy(twin.text, self.text, self.ends[self.count - 1])
        return twin

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory, this object's own included."""
        if self.room == 0:
            return OBJECT_BYTES
        return OBJECT_BYTES + MALLOC_BYTES + self.room * <Py_ssize_t>(sizeof(double) + sizeof(unsigned int)) + self.text_room

    cdef int compare_at(self, int place, const char *data, Py_ssize_t size) noexcept:
        cdef unsigned int start = self.ends[place - 1] if place > 0 else 0
        cdef Py_ssize_t own = self.ends[place] - start
        cdef int order = memcmp(self.text + start, data, min(own, size))
        return order if order != 0 else (own > size) - (own < size)

    cdef int members_below(self, int low, int high, bytes member, bint inclusive) noexcept:
        """The place between `low` and `high` behind the members before this one, or not behind it."""
        cdef const char *data = PyBytes_AS_STRING(member)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member)
        cdef int middle
        while low < high:
            middle = (low + high) >> 1
            if self.compare_at(middle, data, size) < inclusive:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int resize(self, int room, Py_ssize_t text_room) except -1:
        """Moves to a block for so many elements and so many bytes of members."""
        cdef size_t head = room * (sizeof(double) + sizeof(unsigned int))
        cdef char *block = <char *>PyMem_RawMalloc(head + text_room)
        if block == NULL:
            raise MemoryError
        cdef double *scores = <double *>block
        cdef unsigned int *ends = <unsigned int *>(scores + room)
        if self.count:
            memcpy(scores, self.scores, self.count * sizeof(double))
            memcpy(ends, self.ends, self.count * sizeof(unsigned int))
            memcpy(block + head, self.text, self.ends[self.count - 1])
        PyMem_RawFree(self.scores)
        self.scores = scores
        self.ends = ends
        self.text = block + head
        self.room = room
        self.text_room = <unsigned int>text_room
        return 0

    def _check(self):
        """Asserts every invariant."""
        assert 0 <= self.count <= self.room
        assert self.count == 0 or self.ends[self.count - 1] <= self.text_room
        assert all(self.ends[place] <= self.ends[place + 1] for place in range(self.count - 1))
        elements = [(score, member) for member, score in self.pairs(0, self.count)]
        assert all(first < second for first, second in pairwise(elements))
