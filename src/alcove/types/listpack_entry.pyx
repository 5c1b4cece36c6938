# cython: boundscheck=False
"""How one entry of a listpack is encoded.

An entry is an encoding byte, which says the kind and holds what it can of the value, then the rest of the value, and
the length of all that, written so that it can be read from behind. What looks like an integer is kept as one. An
encoding is canonical, so two values are equal exactly when their encoded bytes are. The format is the real server's,
as Valkey's listpack.c has it.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef bytes decimal(int64_t number):
    """An integer as it is written."""
    cdef char text[20]
    cdef int at = 20
    cdef uint64_t magnitude = <uint64_t>number
    if number < 0:
        magnitude = 0 - magnitude
    while True:
        at -= 1
        text[at] = <char>(48 + magnitude % 10)
        magnitude //= 10
        if magnitude == 0:
            break
    if number < 0:
        at -= 1
        text[at] = 45
    return PyBytes_FromStringAndSize(text + at, 20 - at)


cdef bint is_canonical(const unsigned char *entry, uint32_t left) noexcept:
    """Whether `encode` would have written this entry; not to be relied on if it reaches beyond the `left` bytes."""
    cdef unsigned char kind = entry[0]
    cdef int64_t number
    cdef uint32_t size
    if kind < 0x80:
        return True
    if kind < 0xC0:
        size = kind & 0x3F
        return size < left and not parse_integer(entry + 1, size, &number)
    if left < 2:
        return False
    if kind < 0xE0:
        return not 0 <= integer_at(entry) <= 127
    if kind < 0xF0:
        return size_at(entry) - 2 >= 64
    if kind == 0xF0:
        return left >= 5 and length32(entry + 1) >= 4096
    if kind > 0xF4 or size_at(entry) > left:
        return False
    number = integer_at(entry)
    if kind == 0xF1:
        return not -4096 <= number <= 4095
    if kind == 0xF2:
        return not -32768 <= number <= 32767
    if kind == 0xF3:
        return not -8388608 <= number <= 8388607
    return not -2147483648 <= number <= 2147483647


cdef Py_ssize_t text_size(const unsigned char *entry) noexcept:
    """The size of an entry's value."""
    cdef unsigned char kind = entry[0]
    cdef int64_t number
    cdef uint64_t magnitude
    cdef Py_ssize_t size = 1
    if 0x80 <= kind < 0xC0:
        return kind & 0x3F
    if 0xE0 <= kind <= 0xF0:
        return size_at(entry) - (5 if kind == 0xF0 else 2)
    number = integer_at(entry)
    magnitude = <uint64_t>number if number >= 0 else 0 - <uint64_t>number
    while magnitude > 9:
        magnitude //= 10
        size += 1
    return size + (number < 0)


cdef uint32_t validated_next(const unsigned char *block, uint32_t at, uint32_t stop) except 0:
    """As `next_entry`, over bytes from elsewhere: no entry, length or back-length may reach beyond `stop`."""
    cdef uint64_t size
    cdef uint32_t width, place
    cdef unsigned char back[5]
    cdef unsigned char kind = block[at]
    if kind > 0xF4 or (kind >= 0xE0 and at + (5 if kind == 0xF0 else 2) > stop):
        raise ValueError("malformed listpack: encoding")
    size = size_at(block + at) if kind != 0xF0 else 5 + <uint64_t>length32(block + at + 1)
    if at + size > stop:
        raise ValueError("malformed listpack: an element's size")
    width = back_size(<uint32_t>size)
    if at + size + width > stop:
        raise ValueError("malformed listpack: back-length")
    write_back(back, <uint32_t>size)
    for place in range(width):
        if block[at + size + place] != back[place]:
            raise ValueError("malformed listpack: back-length")
    return at + <uint32_t>size + width
