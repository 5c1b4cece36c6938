# cython: boundscheck=False
"""The checksum of RDB files and DUMP payloads, eight bytes a step: the native twin of crc64.py.

Slicing by eight: table k holds what a byte adds to the checksum when k bytes follow it, so that eight look-ups that
do not wait for one another take the place of eight that do.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t

cdef uint64_t _tables[8][256]


cdef void _fill() noexcept:
    cdef uint64_t crc
    cdef int byte, bit, table
    for byte in range(256):
        crc = byte
        for bit in range(8):
            crc = (crc >> 1) ^ (<uint64_t>0x95AC9329AC4BC9B5 if crc & 1 else 0)
        _tables[0][byte] = crc
    for byte in range(256):
        crc = _tables[0][byte]
        for table in range(1, 8):
            crc = (crc >> 8) ^ _tables[0][crc & 0xFF]
            _tables[table][byte] = crc


_fill()


cdef inline uint64_t _eight(const unsigned char *at) noexcept nogil:
    return (
        at[0] | (<uint64_t>at[1] << 8) | (<uint64_t>at[2] << 16) | (<uint64_t>at[3] << 24)
        | (<uint64_t>at[4] << 32) | (<uint64_t>at[5] << 40) | (<uint64_t>at[6] << 48) | (<uint64_t>at[7] << 56)
    )


cdef uint64_t crc64_of(const unsigned char *at, size_t size, uint64_t crc) noexcept nogil:
    """The checksum of `size` bytes behind what `crc` is the checksum of."""
    while size >= 8:
        crc ^= _eight(at)
        crc = (
            _tables[7][crc & 0xFF]
            ^ _tables[6][(crc >> 8) & 0xFF]
            ^ _tables[5][(crc >> 16) & 0xFF]
            ^ _tables[4][(crc >> 24) & 0xFF]
            ^ _tables[3][(crc >> 32) & 0xFF]
            ^ _tables[2][(crc >> 40) & 0xFF]
            ^ _tables[1][(crc >> 48) & 0xFF]
            ^ _tables[0][crc >> 56]
        )
        at += 8
        size -= 8
    while size:
        crc = (crc >> 8) ^ _tables[0][(crc ^ at[0]) & 0xFF]
        at += 1
        size -= 1
    return crc


cpdef uint64_t crc64(object data, uint64_t crc=0) except? 0xFFFFFFFFFFFFFFFF:
    """The checksum of `data`, an unsigned 64-bit number; `crc` is that of what stood before it."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    crc = crc64_of(<const unsigned char *>view.buf, <size_t>view.len, crc)
    PyBuffer_Release(&view)
    return crc
