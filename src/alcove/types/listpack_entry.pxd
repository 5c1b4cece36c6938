from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

# What is asked of every entry on a walk stands here, to become part of the loops.

# A value on its way into a pack: `opening` is the encoding byte with what belongs to it (all of an integer,
# the length of a string).
cdef struct Encoded:
    unsigned char opening[12]
    uint32_t opening_size
    uint32_t string_size
    const unsigned char *string
    uint32_t size

# Beyond this a block's offsets would no longer fit 32 bits.
cdef inline int64_t most_bytes() noexcept:
    return 0xFFFF0000

cdef inline bint parse_integer(const unsigned char *text, Py_ssize_t size, int64_t *number) noexcept:
    """Whether `text` is an integer in its one canonical form: no leading zero, no plus sign, 64 bits."""
    cdef uint64_t magnitude = 0
    cdef Py_ssize_t at = 0
    cdef unsigned char digit
    if size == 0 or size > 20:
        return False
    if text[0] == 45:  # -
        at = 1
        if size == 1 or text[1] == 48:
            return False
    if size - at > 19 or (text[at] == 48 and size > 1):
        return False
    while at < size:
        digit = text[at] - 48
        if digit > 9:
            return False
        magnitude = magnitude * 10 + digit
        at += 1
    if text[0] == 45:
        if magnitude > <uint64_t>1 << 63:
            return False
        number[0] = <int64_t>(0 - magnitude)
    else:
        if magnitude >= <uint64_t>1 << 63:
            return False
        number[0] = <int64_t>magnitude
    return True

cdef inline uint32_t encode_integer(unsigned char *to, int64_t number) noexcept:
    """Writes the shortest integer encoding and answers its size."""
    cdef uint32_t width, place
    if 0 <= number <= 127:
        to[0] = <unsigned char>number
        return 1
    if -4096 <= number <= 4095:
        to[0] = <unsigned char>(0xC0 | ((number >> 8) & 0x1F))
        to[1] = <unsigned char>(number & 0xFF)
        return 2
    if -32768 <= number <= 32767:
        to[0], width = 0xF1, 2
    elif -8388608 <= number <= 8388607:
        to[0], width = 0xF2, 3
    elif -2147483648 <= number <= 2147483647:
        to[0], width = 0xF3, 4
    else:
        to[0], width = 0xF4, 8
    for place in range(width):
        to[1 + place] = <unsigned char>(<uint64_t>number >> (8 * place))
    return 1 + width

cdef inline int encode(Encoded *to, bytes value) except -1:
    if value is None:
        raise TypeError("an element must be bytes")
    return encode_text(to, <const unsigned char *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

cdef inline int encode_text(Encoded *to, const unsigned char *text, Py_ssize_t size) except -1:
    cdef int64_t number
    if parse_integer(text, size, &number):
        to.opening_size = to.size = encode_integer(to.opening, number)
        to.string_size = 0
        return 0
    if size < 64:
        to.opening[0] = <unsigned char>(0x80 | size)
        to.opening_size = 1
    elif size < 4096:
        to.opening[0] = <unsigned char>(0xE0 | (size >> 8))
        to.opening[1] = <unsigned char>(size & 0xFF)
        to.opening_size = 2
    elif size < most_bytes():
        to.opening[0] = 0xF0
        to.opening[1] = <unsigned char>(size & 0xFF)
        to.opening[2] = <unsigned char>((size >> 8) & 0xFF)
        to.opening[3] = <unsigned char>((size >> 16) & 0xFF)
        to.opening[4] = <unsigned char>(size >> 24)
        to.opening_size = 5
    else:
        raise OverflowError("an element is too large")
    to.string = text
    to.string_size = <uint32_t>size
    to.size = to.opening_size + to.string_size
    return 0

cdef inline uint32_t size_at(const unsigned char *entry) noexcept:
    """The size of an entry without its back-length."""
    cdef unsigned char kind = entry[0]
    if kind < 0x80:
        return 1
    if kind < 0xC0:
        return 1 + (kind & 0x3F)
    if kind < 0xE0:
        return 2
    if kind < 0xF0:
        return 2 + ((<uint32_t>(kind & 0x0F) << 8) | entry[1])
    if kind == 0xF0:
        return 5 + length32(entry + 1)
    if kind == 0xF1:
        return 3
    if kind == 0xF2:
        return 4
    if kind == 0xF3:
        return 5
    return 9

cdef inline uint32_t length32(const unsigned char *at) noexcept:
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)

cdef inline uint32_t back_size(uint32_t size) noexcept:
    """How many bytes the back-length takes; the odd bounds are the format's."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    if size < 268435455:
        return 4
    return 5

cdef inline void write_back(unsigned char *to, uint32_t size) noexcept:
    """Seven bits a byte, the lowest in the last byte; every byte but the first says that more stand before it."""
    cdef uint32_t width = back_size(size), place = width
    while place > 1:
        place -= 1
        to[place] = <unsigned char>((size & 127) | 128)
        size >>= 7
    to[0] = <unsigned char>size

cdef inline uint32_t previous_entry(const unsigned char *block, uint32_t at) noexcept:
    """Where the entry begins that ends before `at`."""
    cdef uint32_t size = 0, shift = 0, place = at - 1
    while True:
        size |= <uint32_t>(block[place] & 127) << shift
        if block[place] < 128:
            return place - size
        shift += 7
        place -= 1

cdef inline uint32_t next_entry(const unsigned char *block, uint32_t at) noexcept:
    """Where the entry behind the one at `at` begins. Numbers of 7 bits and short strings, mostly met, come first."""
    cdef unsigned char kind = block[at]
    cdef uint32_t size
    if kind < 0x80:
        return at + 2
    if kind < 0xC0:
        return at + 2 + (kind & 0x3F)
    size = size_at(block + at)
    return at + size + back_size(size)

cdef inline bint is_value(const unsigned char *entry, const Encoded *value) noexcept:
    cdef uint32_t size = value.string_size
    if entry[0] != value.opening[0]:
        return False
    if value.opening_size > 1 and memcmp(entry, value.opening, value.opening_size) != 0:
        return False
    if size == 0:
        return True
    entry += value.opening_size
    # Values of one kind often begin alike: their ends tell them apart without a call.
    return entry[size - 1] == value.string[size - 1] and memcmp(entry, value.string, size) == 0

cdef inline int64_t integer_at(const unsigned char *entry) noexcept:
    """The number of an integer entry."""
    cdef uint32_t width = size_at(entry) - 1, place
    cdef uint64_t number = 0
    if entry[0] < 0x80:
        return entry[0]
    if entry[0] < 0xE0:
        number = (<uint64_t>(entry[0] & 0x1F) << 8) | entry[1]
        return <int64_t>number - 8192 if number >= 4096 else <int64_t>number
    for place in range(width):
        number |= <uint64_t>entry[1 + place] << (8 * place)
    if width < 8 and number >> (8 * width - 1):
        number |= ~<uint64_t>0 << (8 * width)
    return <int64_t>number

cdef bytes decimal(int64_t number)
cdef bint is_canonical(const unsigned char *entry, uint32_t left) noexcept
cdef Py_ssize_t text_size(const unsigned char *entry) noexcept
cdef uint32_t validated_next(const unsigned char *block, uint32_t at, uint32_t stop) except 0

cdef inline bytes value_at(const unsigned char *entry):
    cdef unsigned char kind = entry[0]
    cdef uint32_t opening
    if 0x80 <= kind < 0xC0:
        return PyBytes_FromStringAndSize(<const char *>entry + 1, kind & 0x3F)
    if kind < 0xE0 or kind > 0xF0:
        return decimal(integer_at(entry))
    opening = 5 if kind == 0xF0 else 2
    return PyBytes_FromStringAndSize(<const char *>entry + opening, size_at(entry) - opening)

cdef inline uint32_t hash_text(const unsigned char *data, uint32_t size) noexcept:
    """A hash of bytes, eight at a time; the last eight may overlap those before them."""
    cdef uint64_t hash = size, word = 0
    cdef uint32_t place
    if size < 8:
        memcpy(&word, data, size)
    else:
        for place in range(0, size - 7, 8):
            memcpy(&word, data + place, 8)
            hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
            hash ^= hash >> 32
        memcpy(&word, data + size - 8, 8)
    hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
    # Last bytes that differ have moved only the highest bits so far.
    hash = (hash ^ (hash >> 32)) * <uint64_t>0x9E3779B97F4A7C15
    return <uint32_t>(hash >> 32)

cdef inline uint32_t hash_at(const unsigned char *entry) noexcept:
    """The hash of an entry: of the string alone, or of all of an integer or an empty string."""
    cdef unsigned char kind = entry[0]
    if 0x80 < kind < 0xC0:
        return hash_text(entry + 1, kind & 0x3F)
    if 0xE0 <= kind < 0xF0:
        return hash_text(entry + 2, size_at(entry) - 2)
    if kind == 0xF0:
        return hash_text(entry + 5, length32(entry + 1))
    return hash_text(entry, size_at(entry))
