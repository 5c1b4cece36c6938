# cython: boundscheck=False
"""Stream IDs: two unsigned 64-bit numbers, milliseconds and sequence, as 16 big-endian bytes; the native twin.

In this form IDs compare, hash and sort as they stand, are what an RDB file holds, and cost no object that the
garbage collector would have to visit.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t

ZERO = bytes(16)
LAST = b"\xff" * 16

cdef enum:
    DIGITS = 20  # of the largest number


cdef inline const unsigned char *_checked(bytes stream_id) except NULL:
    if stream_id is None or PyBytes_GET_SIZE(stream_id) != 16:
        raise ValueError("a stream ID has 16 bytes")
    return <const unsigned char *>PyBytes_AS_STRING(stream_id)


cpdef bytes pack(uint64_t ms, uint64_t seq):
    """The ID of two numbers; any two unsigned 64-bit numbers travel this way."""
    cdef bytes stream_id = PyBytes_FromStringAndSize(NULL, 16)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(stream_id)
    write_number(to, ms)
    write_number(to + 8, seq)
    return stream_id


cpdef uint64_t number(bytes data, Py_ssize_t at) except? 0xFFFFFFFFFFFFFFFF:
    """The unsigned 64-bit number that stands at `at`: 0 for the milliseconds of an ID, 8 for its sequence."""
    if data is None or at < 0 or at + 8 > PyBytes_GET_SIZE(data):
        raise ValueError("no number stands there")
    return read_number(<const unsigned char *>PyBytes_AS_STRING(data) + at)


cdef inline int _spell(char *buffer, int at, uint64_t value) noexcept:
    """Writes the digits of `value` in front of `at` and answers where they begin."""
    while True:
        at -= 1
        buffer[at] = <char>(48 + value % 10)
        value //= 10
        if value == 0:
            return at


cpdef bytes text(bytes stream_id):
    """The ID as users see it: `1526919030474-55`."""
    cdef const unsigned char *data = _checked(stream_id)
    cdef char[2 * DIGITS + 1] buffer
    cdef int at = _spell(buffer, sizeof(buffer), read_number(data + 8)) - 1
    buffer[at] = 45  # -
    at = _spell(buffer, at, read_number(data))
    return PyBytes_FromStringAndSize(buffer + at, sizeof(buffer) - at)


cpdef bytes successor(bytes stream_id):
    """The next ID, or None behind the last one."""
    cdef const unsigned char *data = _checked(stream_id)
    cdef uint64_t ms = read_number(data), seq = read_number(data + 8) + 1
    if seq == 0:
        ms += 1
        if ms == 0:
            return None
    return pack(ms, seq)


cpdef bytes predecessor(bytes stream_id):
    """The ID before, or None before the first one."""
    cdef const unsigned char *data = _checked(stream_id)
    cdef uint64_t ms = read_number(data), seq = read_number(data + 8)
    if seq == 0:
        if ms == 0:
            return None
        ms -= 1
    return pack(ms, seq - 1)
