"""A short sorted list of (score, member): the native twin of score_list.py.

One malloc'd block holds the members' bytes, in order and without anything between them, and at its other end two
arrays, the sizes of the members and the scores. All scores have one width: integers of 1, 2 or 4 bytes for as long as
that is what they are, else doubles. A size takes nothing while all are the same, as they often are, and a byte unless
a member of more than 255 bytes has come. A score is found by bisection, a member by its size and then its last byte,
and where one begins by adding up sizes, eight at a time.
"""

from itertools import pairwise

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset

from alcove.numeric import format_double
from alcove.types.listpack cimport (
    Pack, pack_append, pack_append_integer, pack_append_text, pack_clear, pack_reserve, pack_serialised
)

cdef enum:
    # The widths of scores and sizes that need the most.
    DOUBLE = 8
    WIDE = 4
    # The most bytes of a member whose size is no wide one.
    NARROW = 255
    # Room to spare in a block that grows, besides a part of 64.
    SPARE = 16
    # How much of a block deletions may leave unused before it shrinks: so many times what is used, and as many bytes.
    SLACK = 2
    SLACK_BYTES = 64
    MALLOC_BYTES = 8
    OBJECT_BYTES = 48
    # What an element takes in a listpack besides its bytes and its score's text, at most.
    ENTRY_OVERHEAD = 16
    # As much as the real server lets a listpack grow.
    LARGEST_TEXT = 1 << 30

# Up to here all doubles that are whole are those of one integer each.
cdef double MOST_WHOLE = 9007199254740992.0


cdef inline unsigned char _width_of(double score) noexcept:
    """How many bytes a score needs."""
    cdef int32_t whole
    if not -2147483648.0 <= score <= 2147483647.0:
        return DOUBLE
    whole = <int32_t>score
    if whole != score:
        return DOUBLE
    if -128 <= whole <= 127:
        return 1
    return 2 if -32768 <= whole <= 32767 else 4


cdef inline double _load(const unsigned char *at, unsigned char width) noexcept:
    cdef double score
    cdef int32_t word
    cdef int16_t half
    if width == 1:
        return (<const signed char *>at)[0]
    if width == 2:
        memcpy(&half, at, 2)
        return half
    if width == 4:
        memcpy(&word, at, 4)
        return word
    memcpy(&score, at, DOUBLE)
    return score


cdef inline void _store(unsigned char *at, unsigned char width, double score) noexcept:
    cdef int32_t word
    cdef int16_t half
    if width == 1:
        (<signed char *>at)[0] = <signed char>score
    elif width == 2:
        half = <int16_t>score
        memcpy(at, &half, 2)
    elif width == 4:
        word = <int32_t>score
        memcpy(at, &word, 4)
    else:
        memcpy(at, &score, DOUBLE)


cdef inline void _store_size(unsigned char *at, unsigned char width, uint32_t size) noexcept:
    if width == 1:
        at[0] = <unsigned char>size
    elif width == WIDE:
        memcpy(at, &size, WIDE)


cdef inline size_t _fitting(size_t size) noexcept:
    """The next capacity that fills what malloc hands out: multiples of 16 less its own 8 of bookkeeping."""
    return ((size + 7) & ~<size_t>15) + 8


@cython.final
cdef class ScoreList:
    """Places count from 0 in order; `start` and `stop`, which is excluded, must lie within the list."""

    def __cinit__(self):
        self.score_bytes = 1

    def __dealloc__(self):
        PyMem_RawFree(self.block)

    def __len__(self):
        return self.count

    cdef unsigned char *scores(self) noexcept:
        return self.block + self.capacity - <size_t>self.count * self.score_bytes

    cdef unsigned char *sizes(self) noexcept:
        return self.block + self.capacity - <size_t>self.count * (self.score_bytes + self.size_bytes)

    cdef unsigned int size_at(self, int place) noexcept:
        cdef uint32_t size
        if self.size_bytes == 0:
            return self.each
        if self.size_bytes == 1:
            return self.sizes()[place]
        memcpy(&size, self.sizes() + <size_t>place * WIDE, WIDE)
        return size

    cdef unsigned int bytes_between(self, int low, int high) noexcept:
        """How many bytes the members at these places have together: so many lie before the one at `high`."""
        cdef const unsigned char *sizes = self.sizes()
        cdef unsigned int total = 0
        cdef uint64_t word
        if self.size_bytes == 0:
            return <unsigned int>(high - low) * self.each
        if self.size_bytes == 1:
            while high - low >= 8:
                memcpy(&word, sizes + low, 8)
                # Bytes are added in pairs, and the four sums by a multiplication that brings them together at the top.
                word = (word & <uint64_t>0x00FF00FF00FF00FF) + ((word >> 8) & <uint64_t>0x00FF00FF00FF00FF)
                total += <unsigned int>((word * <uint64_t>0x0001000100010001) >> 48)
                low += 8
        while low < high:
            total += self.size_at(low)
            low += 1
        return total

    cpdef int find(self, bytes member) noexcept:
        """The place of a member, or -1; looks at one after another."""
        cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(member)
        cdef size_t size = <size_t>PyBytes_GET_SIZE(member)
        cdef const unsigned char *at = self.block
        cdef const unsigned char *sizes = self.sizes()
        cdef unsigned char last = data[size - 1] if size else 0
        cdef bint alike = self.size_bytes == 0, narrow = self.size_bytes == 1
        cdef size_t own = self.each
        cdef int place
        if alike and own != size:
            return -1
        for place in range(self.count):
            if not alike:
                own = sizes[place] if narrow else self.size_at(place)
            # Members often begin alike: their ends tell them apart without a call.
            if own == size and (size == 0 or (at[size - 1] == last and memcmp(at, data, size) == 0)):
                return place
            at += own
        return -1

    cpdef double score_at(self, int place) noexcept:
        return _load(self.scores() + <size_t>place * self.score_bytes, self.score_bytes)

    cpdef bytes member_at(self, int place):
        return PyBytes_FromStringAndSize(<char *>self.block + self.bytes_between(0, place), self.size_at(place))

    cpdef bint has_room(self, bytes member) noexcept:
        """Whether a further member fits below the bound of all members' bytes together."""
        return self.text + PyBytes_GET_SIZE(member) <= LARGEST_TEXT

    cpdef int insert(self, double score, bytes member) except -1:
        """Adds an element that is not there yet and for which there is room; `score` is not NaN."""
        cdef unsigned int size = <unsigned int>PyBytes_GET_SIZE(member)
        cdef unsigned char score_bytes, size_bytes
        cdef unsigned char *scores
        cdef unsigned char *sizes
        cdef unsigned int start
        cdef size_t used
        cdef int place
        if self.count == 0:
            self.score_bytes = 1
            self.size_bytes = 0
            self.each = <unsigned char>size
        score_bytes = max(self.score_bytes, _width_of(score))
        size_bytes = self.size_bytes
        if size > NARROW:
            size_bytes = WIDE
        elif size_bytes == 0 and size != self.each:
            size_bytes = 1
        used = self.text + size + (<size_t>self.count + 1) * (score_bytes + size_bytes)
        if used > self.capacity or score_bytes != self.score_bytes or size_bytes != self.size_bytes:
            self.relay(score_bytes, size_bytes, max(_fitting(used + (used >> 6) + SPARE), self.capacity))
        place = self.count_below(score, False)
        if place < self.count and self.score_at(place) == score:
            place = self.members_below(place, self.count_below(score, True), member, False)
        start = self.bytes_between(0, place)
        memmove(self.block + start + size, self.block + start, self.text - start)
        memcpy(self.block + start, PyBytes_AS_STRING(member), size)
        self.text += size
        # The arrays grow downwards: what stands before the new element moves to make room for it.
        scores, sizes = self.scores(), self.sizes()
        self.count += 1
        memmove(self.sizes(), sizes, <size_t>place * size_bytes)
        memmove(self.sizes() + (<size_t>place + 1) * size_bytes, sizes + <size_t>place * size_bytes,
                (<size_t>self.count - 1 - place) * size_bytes)
        memmove(self.scores(), scores, <size_t>place * score_bytes)
        _store_size(self.sizes() + <size_t>place * size_bytes, size_bytes, size)
        self.store(place, score)
        return 0

    cdef void store(self, int place, double score) noexcept:
        # Minus zero becomes zero, as in the real server's listpacks.
        _store(self.scores() + <size_t>place * self.score_bytes, self.score_bytes, score + 0.0)

    cpdef int update(self, int place, double score, bytes member) except -1:
        """Gives the member at `place`, which this is, another score, by which it may get another place."""
        if (
            _width_of(score) <= self.score_bytes
            and (place == 0 or self.score_at(place - 1) < score)
            and (place == self.count - 1 or score < self.score_at(place + 1))
        ):
            self.store(place, score)
            return 0
        self.delete_range(place, place + 1)
        return self.insert(score, member)

    cpdef int delete_range(self, int start, int stop) except -1:
        """Removes the elements at these places."""
        if start >= stop:
            return 0
        cdef unsigned int first = self.bytes_between(0, start)
        cdef unsigned int gone = self.bytes_between(start, stop)
        cdef unsigned char *scores = self.scores()
        cdef unsigned char *sizes = self.sizes()
        cdef size_t used
        memmove(self.block + first, self.block + first + gone, self.text - first - gone)
        self.text -= gone
        self.count -= stop - start
        memmove(self.scores(), scores, <size_t>start * self.score_bytes)
        memmove(self.sizes() + <size_t>start * self.size_bytes, sizes + <size_t>stop * self.size_bytes,
                (<size_t>self.count - start) * self.size_bytes)
        memmove(self.sizes(), sizes, <size_t>start * self.size_bytes)
        used = self.text + <size_t>self.count * (self.score_bytes + self.size_bytes)
        if self.capacity > SLACK * used + SLACK_BYTES:
            self.relay(self.score_bytes, self.size_bytes, _fitting(used + (used >> 6) + SPARE))
        return 0

    cpdef int count_below(self, double score, bint inclusive) noexcept:
        """How many elements have a score below this one, or not above it."""
        cdef const unsigned char *scores = self.scores()
        cdef unsigned char width = self.score_bytes
        cdef int low = 0, high = self.count, middle
        cdef double own
        while low < high:
            middle = (low + high) >> 1
            own = _load(scores + <size_t>middle * width, width)
            if own < score or (inclusive and own == score):
                low = middle + 1
            else:
                high = middle
        return low

    cpdef int count_before(self, bytes member, bint inclusive) noexcept:
        """How many elements have a member before this one, or not behind it, in a list where all scores are equal."""
        return self.members_below(0, self.count, member, inclusive)

    cpdef list members(self, int start, int stop):
        """The members at these places, in order."""
        return self.elements(start, stop, False)

    cpdef list pairs(self, int start, int stop):
        """The members at these places with their scores, in order."""
        return self.elements(start, stop, True)

    cdef list elements(self, int start, int stop, bint with_scores):
        cdef const char *at = <const char *>self.block + self.bytes_between(0, start)
        cdef list found = PyList_New(max(stop - start, 0))
        cdef unsigned int size
        cdef object element
        cdef int place
        for place in range(start, stop):
            size = self.size_at(place)
            element = PyBytes_FromStringAndSize(at, size)
            if with_scores:
                element = (element, self.score_at(place))
            Py_INCREF(element)
            PyList_SET_ITEM(found, place - start, element)
            at += size
        return found

    cpdef bytes packed(self):
        """The real server's listpack: members, and their scores as text, by turns."""
        cdef const unsigned char *at = self.block
        cdef unsigned int size
        cdef double score
        cdef int place
        cdef Pack pack
        memset(&pack, 0, sizeof(Pack))
        try:
            pack_reserve(&pack, <uint32_t>(self.text + <size_t>self.count * (ENTRY_OVERHEAD + self.score_bytes)))
            for place in range(self.count):
                size = self.size_at(place)
                pack_append_text(&pack, at, size)
                at += size
                score = self.score_at(place)
                if self.score_bytes < DOUBLE or (-MOST_WHOLE < score < MOST_WHOLE and <int64_t>score == score):
                    pack_append_integer(&pack, <int64_t>score)
                else:
                    pack_append(&pack, format_double(score))
            return pack_serialised(&pack)
        finally:
            pack_clear(&pack)

    cpdef ScoreList copy(self):
        cdef ScoreList twin = ScoreList()
        cdef size_t arrays = <size_t>self.count * (self.score_bytes + self.size_bytes)
        if self.count:
            twin.relay(self.score_bytes, self.size_bytes, _fitting(self.text + arrays))
            twin.each = self.each
            twin.text = self.text
            twin.count = self.count
            memcpy(twin.block, self.block, self.text)
            memcpy(twin.sizes(), self.sizes(), arrays)
        return twin

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory, this object's own included."""
        return OBJECT_BYTES + (MALLOC_BYTES + self.capacity if self.block != NULL else 0)

    cdef int members_below(self, int low, int high, bytes member, bint inclusive) noexcept:
        """The place between `low` and `high` behind the members before this one, or not behind it."""
        cdef const char *data = PyBytes_AS_STRING(member)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member), own
        cdef unsigned int start = self.bytes_between(0, low), at
        cdef int middle, order
        while low < high:
            middle = (low + high) >> 1
            at = start + self.bytes_between(low, middle)
            own = self.size_at(middle)
            order = memcmp(self.block + at, data, min(own, size))
            if order == 0:
                order = (own > size) - (own < size)
            if order < inclusive:
                low = middle + 1
                start = at + <unsigned int>own
            else:
                high = middle
        return low

    cdef int relay(self, unsigned char score_bytes, unsigned char size_bytes, size_t capacity) except -1:
        """Moves the elements to a block of `capacity`, in which scores and sizes have these widths, not narrower."""
        cdef unsigned char *block = <unsigned char *>PyMem_RawMalloc(capacity)
        cdef unsigned char *scores = block + capacity - <size_t>self.count * score_bytes
        cdef unsigned char *sizes = scores - <size_t>self.count * size_bytes
        cdef int place
        if block == NULL:
            raise MemoryError
        if self.count:
            memcpy(block, self.block, self.text)
            if score_bytes == self.score_bytes:
                memcpy(scores, self.scores(), <size_t>self.count * score_bytes)
            else:
                for place in range(self.count):
                    _store(scores + <size_t>place * score_bytes, score_bytes, self.score_at(place))
            if size_bytes == self.size_bytes:
                memcpy(sizes, self.sizes(), <size_t>self.count * size_bytes)
            else:
                for place in range(self.count):
                    _store_size(sizes + <size_t>place * size_bytes, size_bytes, self.size_at(place))
        PyMem_RawFree(self.block)
        self.block = block
        self.capacity = <unsigned int>capacity
        self.score_bytes = score_bytes
        self.size_bytes = size_bytes
        return 0

    def _check(self):
        """Asserts every invariant."""
        assert self.count >= 0
        assert self.text + <size_t>self.count * (self.score_bytes + self.size_bytes) <= self.capacity
        assert self.bytes_between(0, self.count) == self.text
        assert self.score_bytes in (1, 2, 4, 8) and self.size_bytes in (0, 1, 4)
        elements = [(score, member) for member, score in self.pairs(0, self.count)]
        assert all(first < second for first, second in pairwise(elements))
