# cython: boundscheck=False
"""Small sets of integers, sorted in one array of 2, 4 or 8 bytes each: the native twin of intset.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from alcove.types.listpack_entry cimport decimal

cdef enum:
    # The header of the serialised form: u32 width, u32 number of elements.
    HEADER = 8


cdef inline uint32_t _width(int64_t number) noexcept:
    if -32768 <= number <= 32767:
        return 2
    if -2147483648 <= number <= 2147483647:
        return 4
    return 8


cdef class IntSet:
    """A sorted set of 64-bit integers."""

    def __cinit__(self):
        self.width = 2

    def __dealloc__(self):
        PyMem_RawFree(self.data)

    def __len__(self):
        return self.count

    cdef uint32_t place_of(self, int64_t number) noexcept:
        """How many elements are smaller than `number`."""
        cdef uint32_t low = 0, high = self.count, middle
        if high and self.value(high - 1) < number:
            return high
        while low < high:
            middle = (low + high) >> 1
            if self.value(middle) < number:
                low = middle + 1
            else:
                high = middle
        return low

    cdef void store(self, uint32_t position, int64_t number) noexcept:
        if self.width == 2:
            (<short *>self.data)[position] = <short>number
        elif self.width == 4:
            (<int *>self.data)[position] = <int>number
        else:
            (<int64_t *>self.data)[position] = number

    cdef int resize(self, uint32_t capacity) except -1:
        cdef unsigned char *data = <unsigned char *>PyMem_RawRealloc(self.data, <size_t>capacity * self.width)
        if data == NULL:
            raise MemoryError()
        self.data = data
        self.capacity = capacity
        return 0

    cdef int widen(self, uint32_t width) except -1:
        """Rewrites the elements with more bytes each, from the last on, so that none is overwritten unread."""
        cdef uint32_t position = self.count, old_width = self.width
        cdef int64_t number
        self.width = width
        try:
            self.resize(self.count + 1)
        except MemoryError:
            self.width = old_width
            raise
        while position > 0:
            position -= 1
            self.width = old_width
            number = self.value(position)
            self.width = width
            self.store(position, number)
        return 0

    cpdef Py_ssize_t find(self, int64_t number) noexcept:
        """The position of `number`, or -1."""
        cdef uint32_t place = self.place_of(number)
        return place if place < self.count and self.value(place) == number else -1

    cpdef int64_t at(self, Py_ssize_t position) except? -1:
        """The number at `position`, in ascending order."""
        if not 0 <= position < self.count:
            raise IndexError(position)
        return self.value(<uint32_t>position)

    cpdef bytes text_at(self, Py_ssize_t position):
        """The number at `position` as it is written."""
        return decimal(self.at(position))

    cpdef bint add(self, int64_t number) except -1:
        """Adds `number`; whether it was absent."""
        cdef uint32_t place = self.place_of(number)
        if place < self.count and self.value(place) == number:
            return False
        if _width(number) > self.width:
            self.widen(_width(number))
        if self.count == self.capacity:
            self.resize(self.count + (self.count >> 2) + 4)
        memmove(self.data + <size_t>(place + 1) * self.width, self.data + <size_t>place * self.width,
                <size_t>(self.count - place) * self.width)
        self.store(place, number)
        self.count += 1
        return True

    cpdef bint delete(self, int64_t number) except -1:
        """Removes `number`; whether it was there."""
        cdef Py_ssize_t place = self.find(number)
        if place < 0:
            return False
        self.delete_at(place)
        return True

    cpdef object delete_at(self, Py_ssize_t position):
        """Removes the number at `position`."""
        if not 0 <= position < self.count:
            raise IndexError(position)
        self.count -= 1
        memmove(self.data + <size_t>position * self.width, self.data + <size_t>(position + 1) * self.width,
                <size_t>(self.count - position) * self.width)
        if self.capacity > 2 * self.count + 8:
            self.resize(self.count + (self.count >> 2) + 4)

    cpdef list texts(self):
        """All numbers in ascending order, as they are written."""
        cdef uint32_t position
        return [decimal(self.value(position)) for position in range(self.count)]

    cpdef Py_ssize_t footprint(self) noexcept:
        """Bytes of memory, this object's own included."""
        return 48 + self.capacity * self.width + 8

    cpdef IntSet copy(self):
        cdef IntSet twin = IntSet.__new__(IntSet)
        twin.width = self.width
        if self.count:
            twin.resize(self.count)
            memcpy(twin.data, self.data, <size_t>self.count * self.width)
            twin.count = self.count
        return twin

    cpdef bytes to_bytes(self):
        """The set as the real server writes it: width, count, sorted numbers, all little endian."""
        cdef bytes data = PyBytes_FromStringAndSize(NULL, HEADER + <Py_ssize_t>self.count * self.width)
        cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(data)
        cdef uint32_t place, byte
        cdef uint64_t number
        for place in range(4):
            to[place] = <unsigned char>(self.width >> (8 * place))
            to[4 + place] = <unsigned char>(self.count >> (8 * place))
        to += HEADER
        for place in range(self.count):
            number = <uint64_t>self.value(place)
            for byte in range(self.width):
                to[byte] = <unsigned char>(number >> (8 * byte))
            to += self.width
        return data

    @staticmethod
    def from_bytes(bytes data):
        """The set that `data` holds; `ValueError` if it is malformed in any way."""
        cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef IntSet found = IntSet.__new__(IntSet)
        cdef int64_t number, last = 0
        cdef uint32_t width, count, place
        if size < HEADER:
            raise ValueError("malformed intset: header")
        width = <uint32_t>_little(source, 4)
        count = <uint32_t>_little(source + 4, 4)
        if width not in (2, 4, 8) or <Py_ssize_t>count * width + HEADER != size:
            raise ValueError("malformed intset: header")
        for place in range(count):
            number = _little(source + HEADER + place * width, width)
            if place and number <= last:
                raise ValueError("malformed intset: order")
            found.add(number)
            last = number
        return found

    def _check(self):
        """Asserts that the numbers ascend."""
        cdef uint32_t place
        assert self.count <= self.capacity
        for place in range(1, self.count):
            assert self.value(place - 1) < self.value(place)


cdef int64_t _little(const unsigned char *source, uint32_t width) noexcept:
    """A signed little-endian number."""
    cdef uint64_t number = 0
    cdef uint32_t byte
    for byte in range(width):
        number |= <uint64_t>source[byte] << (8 * byte)
    if width < 8 and number >> (8 * width - 1):
        number |= ~<uint64_t>0 << (8 * width)
    return <int64_t>number
