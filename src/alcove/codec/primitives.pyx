# cython: boundscheck=False
"""What RDB files are made of: lengths, strings, numbers; the native twin of primitives.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memmove

from alcove.codec.crc64 cimport crc64_of
from alcove.codec.lzf cimport compress_into, decompressed
from alcove.numeric import strtod
from alcove.types.listpack_entry cimport decimal

CHUNK = 1 << 18
LONGEST_AT_ONCE = 1 << 20

cdef enum:
    LARGEST_CHUNK = 1 << 24
    LONGEST_INTEGER = 11
    SHORTEST_COMPRESSED = 20
    LEAST_SAVING = 4
    FIRST_ROOM = 256
    # What an emptied encoder keeps.
    KEPT_ROOM = 1 << 18

cdef uint64_t LARGEST_COUNT = <uint64_t>1 << 62
cdef Py_ssize_t LARGEST_COMPRESSED = 0xFFFFFFFE


class Malformed(ValueError):
    """Bytes that are not what they should be."""


class Truncated(Malformed):
    """Bytes that end too soon."""


cdef inline int _integer_width(const unsigned char *text, Py_ssize_t size, int64_t *number) noexcept:
    """In how many bytes the canonical integer that `text` is can be written, or 0."""
    cdef int64_t value = 0
    cdef Py_ssize_t at = 0
    cdef unsigned char digit
    cdef bint negative = size > 1 and text[0] == 45
    if negative:
        at = 1
    if size == 0 or text[at] - 48 > 9 or (text[at] == 48 and size > 1):
        return 0
    while at < size:
        digit = text[at] - 48
        if digit > 9:
            return 0
        value = value * 10 + digit
        at += 1
    if negative:
        value = -value
    number[0] = value
    if -128 <= value <= 127:
        return 1
    if -32768 <= value <= 32767:
        return 2
    return 4 if -2147483648 <= value <= 2147483647 else 0


cdef inline void _put_big(unsigned char *to, uint64_t number, int width) noexcept:
    while width:
        width -= 1
        to[width] = <unsigned char>number
        number >>= 8


cdef inline void _put_little(unsigned char *to, uint64_t number, int width) noexcept:
    cdef int place
    for place in range(width):
        to[place] = <unsigned char>(number >> (8 * place))


cdef inline int _length_width(uint64_t number) noexcept:
    return 1 if number < 1 << 6 else 2 if number < 1 << 14 else 5 if number <= 0xFFFFFFFF else 9


cdef inline void _put_length(unsigned char *to, uint64_t number, int width) noexcept:
    if width == 1:
        to[0] = <unsigned char>number
    elif width == 2:
        to[0] = <unsigned char>(0x40 | (number >> 8))
        to[1] = <unsigned char>number
    else:
        to[0] = 0x80 if width == 5 else 0x81
        _put_big(to + 1, number, width - 1)


cdef class Encoder:
    """A growing buffer; `take` empties it."""

    def __init__(self, compress=True):
        self.compress = compress

    def __dealloc__(self):
        PyMem_RawFree(self.block)

    def __len__(self):
        return self.used

    cdef unsigned char *reserve(self, Py_ssize_t size) except NULL:
        """Room for `size` more bytes, at its beginning."""
        cdef Py_ssize_t room
        cdef unsigned char *block
        if self.room - self.used < size:
            room = max(self.used + size + (self.used >> 1), <Py_ssize_t>FIRST_ROOM)
            block = <unsigned char *>PyMem_RawRealloc(self.block, room)
            if block == NULL:
                raise MemoryError()
            self.block = block
            self.room = room
        return self.block + self.used

    cpdef bytes take(self):
        """What was written since the last time."""
        cdef bytes data = PyBytes_FromStringAndSize(<const char *>self.block, self.used) if self.used else b""
        cdef unsigned char *block
        self.used = 0
        if self.room > KEPT_ROOM:
            block = <unsigned char *>PyMem_RawRealloc(self.block, KEPT_ROOM)
            if block != NULL:
                self.block = block
                self.room = KEPT_ROOM
        return data

    cpdef int byte(self, unsigned char value) except -1:
        self.reserve(1)[0] = value
        self.used += 1
        return 0

    cpdef int raw(self, bytes data) except -1:
        """Bytes as they are, without a length."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        memcpy(self.reserve(size), PyBytes_AS_STRING(data), size)
        self.used += size
        return 0

    cdef int put_length(self, uint64_t number) except -1:
        cdef int width = _length_width(number)
        _put_length(self.reserve(width), number, width)
        self.used += width
        return 0

    cpdef int length(self, uint64_t number) except -1:
        """A length or count, up to 64 bits."""
        return self.put_length(number)

    cpdef int string(self, object value) except -1:
        """A string in the shortest of its forms; compressed only if `compress` is set."""
        if type(value) is bytearray:
            return self.put_string(<const unsigned char *>PyByteArray_AS_STRING(value), PyByteArray_GET_SIZE(value))
        if type(value) is not bytes:
            raise TypeError("a string is bytes or a bytearray")
        return self.put_string(<const unsigned char *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cdef int put_string(self, const unsigned char *text, Py_ssize_t size) except -1:
        cdef int64_t number
        cdef int width
        cdef unsigned char *to
        if size <= LONGEST_INTEGER:
            width = _integer_width(text, size, &number)
            if width:
                to = self.reserve(1 + width)
                to[0] = <unsigned char>(0xC0 | (width >> 1))
                _put_little(to + 1, <uint64_t>number, width)
                self.used += 1 + width
                return 0
        elif self.compress and SHORTEST_COMPRESSED < size <= LARGEST_COMPRESSED and self.put_compressed(text, size):
            return 0
        width = _length_width(<uint64_t>size)
        to = self.reserve(width + size)
        _put_length(to, <uint64_t>size, width)
        memcpy(to + width, text, size)
        self.used += width + size
        return 0

    cdef int put_compressed(self, const unsigned char *text, Py_ssize_t size) except -1:
        """Writes a string compressed, 1, unless that saves too little, 0."""
        cdef int width = _length_width(<uint64_t>size), own_width
        cdef unsigned char *to = self.reserve(1 + 2 * width + size)
        cdef Py_ssize_t written = compress_into(to + 1 + 2 * width, size - LEAST_SAVING, text, size)
        if written < 0:
            return 0
        own_width = _length_width(<uint64_t>written)
        if own_width < width:
            memmove(to + 1 + own_width + width, to + 1 + 2 * width, written)
        to[0] = 0xC3
        _put_length(to + 1, <uint64_t>written, own_width)
        _put_length(to + 1 + own_width, <uint64_t>size, width)
        self.used += 1 + own_width + width + written
        return 1

    cpdef int scored(self, list members, bytes scores) except -1:
        """Strings, the last first, each before the double that stands at its place in `scores`."""
        cdef const char *packed = PyBytes_AS_STRING(scores)
        cdef Py_ssize_t place = len(members)
        cdef bytes member
        cdef double score
        if PyBytes_GET_SIZE(scores) != 8 * place:
            raise ValueError("as many scores as members are needed")
        while place:
            place -= 1
            member = <bytes>members[place]
            self.put_string(<const unsigned char *>PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
            memcpy(&score, packed + 8 * place, 8)
            self.double(score)
        return 0

    cpdef int double(self, double value) except -1:
        cdef uint64_t bits
        memcpy(&bits, &value, 8)
        _put_little(self.reserve(8), bits, 8)
        self.used += 8
        return 0

    cpdef int int64(self, int64_t number) except -1:
        """A signed number of 8 bytes, little endian: times in milliseconds."""
        _put_little(self.reserve(8), <uint64_t>number, 8)
        self.used += 8
        return 0


cdef class Gathering:
    """A string of which the parts come one by one."""

    def __init__(self, Py_ssize_t size):
        # What is not written to takes no memory.
        self.value = PyBytes_FromStringAndSize(NULL, size)

    cpdef int add(self, bytes part) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
        if size > PyBytes_GET_SIZE(self.value) - self.at:
            raise ValueError("more than the whole")
        memcpy(PyBytes_AS_STRING(self.value) + self.at, PyBytes_AS_STRING(part), size)
        self.at += size
        return 0


cdef class Decoder:
    """Reads `data`, and then what `read(n)` answers, which is up to `n` bytes and empty at the end.

    `total` is how many bytes there are in all, if that is known: then no claimed size beyond it is waited for.
    Whatever sizes are claimed, no more memory is taken than bytes came. With `summing` it knows the checksum.
    """

    def __init__(self, bytes data not None, read=None, total=-1, summing=False):
        self.data = data
        self.view = <const unsigned char *>PyBytes_AS_STRING(data)
        self.stop = PyBytes_GET_SIZE(data)
        self.read = read
        self.total = self.stop if read is None else total
        self.summing = summing

    @property
    def position(self):
        """How many bytes were consumed."""
        return self.base + self.at

    cpdef uint64_t checksum(self) except? 0xFFFFFFFFFFFFFFFF:
        """The checksum of all that was consumed."""
        if self.summing:
            self.crc = crc64_of(self.view + self.summed, self.at - self.summed, self.crc)
            self.summed = self.at
        return self.crc

    cdef int fill(self, Py_ssize_t size) except -1:
        """Gets `size` more bytes at hand."""
        cdef Py_ssize_t have = self.stop - self.at
        cdef list pieces
        cdef bytes piece
        if self.read is None or 0 <= self.total < self.base + self.at + size:
            raise Truncated("unexpected end")
        self.checksum()
        pieces = [PyBytes_FromStringAndSize(<const char *>self.view + self.at, have)]
        while have < size:
            piece = self.read(max(<Py_ssize_t>CHUNK, min(size - have, <Py_ssize_t>LARGEST_CHUNK)))
            if not piece:
                raise Truncated("unexpected end")
            pieces.append(piece)
            have += len(piece)
        self.base += self.at
        self.data = b"".join(pieces)
        self.view = <const unsigned char *>PyBytes_AS_STRING(self.data)
        self.stop = have
        self.at = self.summed = 0
        return 0

    cpdef int byte(self) except -1:
        self.need(1)
        self.at += 1
        return self.view[self.at - 1]

    cpdef bytes raw(self, Py_ssize_t size):
        """The next `size` bytes as they are."""
        self.need(size)
        self.at += size
        return PyBytes_FromStringAndSize(<const char *>self.view + self.at - size, size)

    cpdef uint64_t length(self) except? 0xFFFFFFFFFFFFFFFF:
        """A length, up to 64 bits."""
        return self.length_from(<unsigned char>self.byte())

    cdef uint64_t length_from(self, unsigned char first) except? 0xFFFFFFFFFFFFFFFF:
        cdef uint64_t number = 0
        cdef int width, place
        if first < 0x40:
            return first
        if first < 0x80:
            return (<uint64_t>(first & 0x3F) << 8) | <uint64_t>self.byte()
        if first > 0x81:
            raise Malformed("no length where one should be")
        width = 4 if first == 0x80 else 8
        self.need(width)
        for place in range(width):
            number = (number << 8) | self.view[self.at + place]
        self.at += width
        return number

    cpdef Py_ssize_t count(self) except -1:
        """A length that says how many elements, of a byte at least, or bytes follow: no more than there are."""
        return self.bounded(self.length())

    cdef Py_ssize_t bounded(self, uint64_t number) except -1:
        if number > LARGEST_COUNT or 0 <= self.total < self.base + self.at + <Py_ssize_t>number:
            raise Truncated("more is claimed than there is")
        return <Py_ssize_t>number

    cpdef object beginning(self):
        """A string, or of a long one the bytes that follow, and how many they stand for, -1 if not compressed."""
        cdef Py_ssize_t size, length = -1
        cdef unsigned char first
        self.need(1)
        first = self.view[self.at]
        if first != 0x80 and first != 0x81 and first != 0xC3:
            return self.string()
        self.at += 1
        if first == 0xC3:
            size = self.count()
            length = <Py_ssize_t>min(self.length(), LARGEST_COUNT)
        else:
            size = self.bounded(self.length_from(first))
        if max(size, length) > LONGEST_AT_ONCE and self.total >= 0:
            return size, length
        self.need(size)
        self.at += size
        if length < 0:
            return PyBytes_FromStringAndSize(<const char *>self.view + self.at - size, size)
        return decompressed(self.view + self.at - size, size, length)

    cpdef bytes string(self):
        """A string in any of its forms."""
        cdef unsigned char first = <unsigned char>self.byte()
        cdef Py_ssize_t size
        if first < 0xC0:
            size = first if first < 0x40 else self.bounded(self.length_from(first))
            self.need(size)
            self.at += size
            return PyBytes_FromStringAndSize(<const char *>self.view + self.at - size, size)
        if first <= 0xC2:
            return decimal(self.little(1 << (first & 3)))
        if first != 0xC3:
            raise Malformed("unknown form of a string")
        return self.compressed()

    cdef bytes compressed(self):
        cdef Py_ssize_t size = self.count()
        cdef uint64_t length = min(self.length(), LARGEST_COUNT)
        self.need(size)
        self.at += size
        return decompressed(self.view + self.at - size, size, <Py_ssize_t>length)

    cdef int64_t little(self, int width) except? -1:
        """A signed number, little endian."""
        cdef uint64_t number = 0
        cdef int place
        self.need(width)
        for place in range(width):
            number |= <uint64_t>self.view[self.at + place] << (8 * place)
        self.at += width
        if width < 8 and number >> (8 * width - 1):
            number |= ~<uint64_t>0 << (8 * width)
        return <int64_t>number

    cpdef double double(self) except? -1:
        """A double of 8 bytes."""
        cdef int64_t bits = self.little(8)
        cdef double value
        memcpy(&value, &bits, 8)
        return value

    cpdef double double_text(self) except? -1:
        """A double as old files have it: a length byte and text."""
        cdef int size = self.byte()
        if size >= 253:
            return NAN if size == 253 else INFINITY if size == 254 else -INFINITY
        value = strtod(self.raw(size))
        if value is None:
            raise Malformed("no number where one should be")
        return value

    cpdef int64_t int64(self) except? -1:
        """A signed number of 8 bytes, little endian."""
        return self.little(8)
