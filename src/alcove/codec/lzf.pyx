# cython: boundscheck=False
"""The compression of strings in RDB files, LZF: the native twin of lzf.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

cdef enum:
    LONGEST_LITERAL = 32
    LONGEST_COPY = 264
    FARTHEST = 8192
    BEST_RATIO = 88  # LONGEST_COPY by the three bytes that it takes
    LEAST_SAVING = 4
    # Places where three bytes were last seen, by a hash of them: fewer for short strings, as they have to be cleared.
    FEWEST_BITS = 6
    MOST_BITS = 13


cdef inline uint32_t _hash(const unsigned char *at, int bits) noexcept:
    cdef uint32_t three = (<uint32_t>at[0] << 16) | (<uint32_t>at[1] << 8) | at[2]
    return (three * <uint32_t>2654435761) >> (32 - bits)


cdef Py_ssize_t _put_literals(
    unsigned char *to, Py_ssize_t out, Py_ssize_t room, const unsigned char *data, Py_ssize_t start, Py_ssize_t stop
) noexcept:
    """Writes bytes as they are and answers where the output goes on, or -1 when there is no room."""
    cdef Py_ssize_t run
    while start < stop:
        run = min(stop - start, <Py_ssize_t>LONGEST_LITERAL)
        if out + run + 1 > room:
            return -1
        to[out] = <unsigned char>(run - 1)
        memcpy(to + out + 1, data + start, run)
        out += run + 1
        start += run
    return out


cdef Py_ssize_t compress_into(
    unsigned char *to, Py_ssize_t room, const unsigned char *data, Py_ssize_t size
) noexcept:
    """Compresses `size` bytes, fewer than 2**32, into at most `room`; the bytes written, or -1 when they do not fit."""
    cdef uint32_t seen[1 << MOST_BITS]
    cdef Py_ssize_t at = 0, literal = 0, out = 0, before, length, longest, distance
    cdef uint32_t place
    cdef int bits = FEWEST_BITS
    while bits < MOST_BITS and <Py_ssize_t>1 << bits < size:
        bits += 1
    memset(seen, 0, sizeof(uint32_t) << bits)
    while at < size - 2:
        place = _hash(data + at, bits)
        before = <Py_ssize_t>seen[place] - 1
        seen[place] = <uint32_t>at + 1
        if (
            before < 0 or at - before > FARTHEST
            or data[before] != data[at] or data[before + 1] != data[at + 1] or data[before + 2] != data[at + 2]
        ):
            at += 1
            continue
        length = 3
        longest = min(size - at, <Py_ssize_t>LONGEST_COPY)
        while length < longest and data[before + length] == data[at + length]:
            length += 1
        out = _put_literals(to, out, room, data, literal, at)
        if out < 0 or out + 3 > room:
            return -1
        distance = at - before - 1
        if length < 9:
            to[out] = <unsigned char>(((length - 2) << 5) | (distance >> 8))
            out += 1
        else:
            to[out] = <unsigned char>((7 << 5) | (distance >> 8))
            to[out + 1] = <unsigned char>(length - 9)
            out += 2
        to[out] = <unsigned char>(distance & 0xFF)
        out += 1
        at += length
        literal = at
    return _put_literals(to, out, room, data, literal, size)


cpdef bytes compress(bytes data):
    """The compressed form of `data`, or None when that would not save more than four bytes."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), room = size - LEAST_SAVING, written
    if room <= 0 or size > 0xFFFFFFFE:
        return None
    cdef bytes out = PyBytes_FromStringAndSize(NULL, room)
    written = compress_into(
        <unsigned char *>PyBytes_AS_STRING(out), room, <const unsigned char *>PyBytes_AS_STRING(data), size
    )
    return None if written < 0 else PyBytes_FromStringAndSize(PyBytes_AS_STRING(out), written)


cpdef bytes compress_part(bytes data):
    """A form of a part of a string: those of all parts, one behind the other, are one of the whole."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), room = size + size // LONGEST_LITERAL + 1
    cdef bytes out = compress(data)
    if out is not None:
        return out
    out = PyBytes_FromStringAndSize(NULL, room)
    room = _put_literals(
        <unsigned char *>PyBytes_AS_STRING(out), 0, room, <const unsigned char *>PyBytes_AS_STRING(data), 0, size
    )
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(out), room)


cpdef bytes decompress(bytes data, Py_ssize_t size):
    """The `size` bytes that `data` stands for; `ValueError` if it is malformed or stands for more or fewer."""
    return decompressed(<const unsigned char *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), size)


cdef bytes decompressed(const unsigned char *data, Py_ssize_t stop, Py_ssize_t size):
    """As `decompress`, of `stop` bytes at `data`."""
    cdef Py_ssize_t at = 0, out = 0
    cdef bytes made = _room(stop, size)
    _expand(data, stop, <unsigned char *>PyBytes_AS_STRING(made), size, &at, &out, size)
    _check_end(out, size)
    return made


cdef class Expansion:
    """The `size` bytes that `data` stands for, found step by step; they are `value` then."""

    def __init__(self, bytes data not None, Py_ssize_t size):
        self.data = data
        self.value = _room(PyBytes_GET_SIZE(data), size)

    cpdef bint step(self, Py_ssize_t count) except -1:
        """Finds some `count` bytes more; True when `value` is whole. Raises as `decompress`."""
        cdef Py_ssize_t stop = PyBytes_GET_SIZE(self.data), size = PyBytes_GET_SIZE(self.value)
        _expand(
            <const unsigned char *>PyBytes_AS_STRING(self.data), stop,
            <unsigned char *>PyBytes_AS_STRING(self.value), size, &self.at, &self.out, self.out + count
        )
        if self.at < stop:
            return False
        _check_end(self.out, size)
        return True


cdef bytes _room(Py_ssize_t stop, Py_ssize_t size):
    """For what `stop` bytes are said to stand for."""
    if not 0 <= size <= stop * BEST_RATIO:
        raise ValueError("malformed LZF string: impossible size")
    return PyBytes_FromStringAndSize(NULL, size)


cdef int _check_end(Py_ssize_t out, Py_ssize_t size) except -1:
    if out != size:
        raise ValueError("malformed LZF string: too short")
    return 0


cdef int _expand(
    const unsigned char *data, Py_ssize_t stop, unsigned char *to, Py_ssize_t size,
    Py_ssize_t *place, Py_ssize_t *made, Py_ssize_t enough
) except -1:
    """Goes on from a place in `data`, with so much made, until that is `enough`, or `data` ends."""
    cdef Py_ssize_t at = place[0], out = made[0], run, distance
    while at < stop and out <= enough:
        run = data[at]
        at += 1
        if run < LONGEST_LITERAL:
            run += 1
            if at + run > stop:
                raise ValueError("malformed LZF string: cut off")
            if out + run > size:
                raise ValueError("malformed LZF string: too long")
            memcpy(to + out, data + at, run)
            at += run
        else:
            distance = (run & 31) << 8
            run >>= 5
            if at + (2 if run == 7 else 1) > stop:
                raise ValueError("malformed LZF string: cut off")
            if run == 7:
                run += data[at]
                at += 1
            distance += data[at] + 1
            at += 1
            run += 2
            if distance > out:
                raise ValueError("malformed LZF string: a copy from before the beginning")
            if out + run > size:
                raise ValueError("malformed LZF string: too long")
            _repeat(to + out, distance, run)
        out += run
    place[0] = at
    made[0] = out
    return 0


cdef inline void _repeat(unsigned char *to, Py_ssize_t distance, Py_ssize_t length) noexcept:
    """Copies what stands `distance` before; what overlaps is a pattern that is repeated."""
    cdef Py_ssize_t place
    if distance >= length:
        memcpy(to, to - distance, length)
    else:
        for place in range(length):
            to[place] = to[place - distance]
