"""Integers as bytes and back: the native twin of integers.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


cpdef object try_int(bytes data):
    """The 64-bit integer that `data` spells in its one canonical form, or None."""
    cdef const unsigned char *digits = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t at = 0
    cdef unsigned long long magnitude = 0
    cdef unsigned int digit
    if size == 0 or size > 20:
        return None
    if digits[0] == c"-":
        at = 1
        if size == 1:
            return None
    if digits[at] == c"0":  # a leading zero is only zero itself
        return 0 if size == 1 else None
    if size - at > 19:
        return None
    cdef bint negative = at
    while at < size:
        digit = digits[at] - c"0"
        if digit > 9:
            return None
        magnitude = magnitude * 10 + digit
        at += 1
    if negative:
        if magnitude > 9223372036854775808ULL:
            return None
        return <long long>(0 - magnitude)
    return <long long>magnitude if magnitude <= 9223372036854775807ULL else None


cpdef bytes format_int(object number):
    """The digits of a 64-bit integer; `OverflowError` for a larger one."""
    cdef long long value = number
    cdef unsigned long long magnitude = value if value >= 0 else 0 - <unsigned long long>value
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = c"0" + <char>(magnitude % 10)
        magnitude //= 10
        if magnitude == 0:
            break
    if value < 0:
        at -= 1
        digits[at] = c"-"
    return PyBytes_FromStringAndSize(digits + at, 20 - at)
