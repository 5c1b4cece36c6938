"""Bits of a string value: counting, finding, combining, integer fields; the plain twin of bits.pyx.

A value is `bytes` or `bytearray`. Bit 0 is the most significant bit of the first byte, as in SETBIT, and
ranges are half open. Without a compiler a loop over bytes is slow, so each operation here hands the whole
value to something that is one pass in C: a big integer, a regular expression, a translation table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

OPERATIONS: Final = (b"AND", b"OR", b"XOR", b"NOT", b"DIFF", b"DIFF1", b"ANDOR", b"ONE")

_INVERTED: Final = bytes(range(255, -1, -1))
_NOT_ALL_ZEROS: Final = re.compile(rb"[^\x00]")
_NOT_ALL_ONES: Final = re.compile(rb"[^\xff]")


def count(data: bytes | bytearray, first: int, stop: int) -> int:
    """The number of ones among the bits from `first` to before `stop`; the range lies within the value."""
    if first >= stop:
        return 0
    window = data[first >> 3 : (stop + 7) >> 3]
    ones = int.from_bytes(window, "big").bit_count()
    before = window[0] >> (8 - (first & 7))
    after = window[-1] & ((1 << (-stop & 7)) - 1)
    return ones - before.bit_count() - after.bit_count()


def position(data: bytes | bytearray, bit: int, first: int, stop: int) -> int:
    """Where the first `bit` (0 or 1) from `first` to before `stop` is, or -1; the range lies inside."""
    if first >= stop:
        return -1
    flip = 0 if bit else 0xFF
    index = first >> 3
    candidates = (data[index] ^ flip) & (0xFF >> (first & 7))
    if not candidates:
        pattern = _NOT_ALL_ZEROS if bit else _NOT_ALL_ONES
        found = pattern.search(data, index + 1, (stop + 7) >> 3)
        if found is None:
            return -1
        index = found.start()
        candidates = data[index] ^ flip
    where = index * 8 + 8 - candidates.bit_length()
    return where if where < stop else -1


def combine(operation: bytes, operands: list[bytes | bytearray]) -> bytearray:
    """One of OPERATIONS over values of any length: as long as the longest, shorter ones continued by zeros.

    DIFF, DIFF1 and ANDOR weigh the first operand against all others together: bits of the first that no other
    has, bits of others that the first lacks, bits of the first that another has. ONE keeps what exactly one
    operand has.
    """
    if operation == b"NOT":
        return bytearray(operands[0].translate(_INVERTED))
    size = max(map(len, operands))
    numbers = (int.from_bytes(operand, "little") for operand in operands)
    return bytearray(_combined(operation, next(numbers), numbers).to_bytes(size, "little"))


def _combined(operation: bytes, first: int, others: Iterable[int]) -> int:
    result = first
    if operation == b"AND":
        for other in others:
            result &= other
    elif operation == b"OR":
        for other in others:
            result |= other
    elif operation == b"XOR":
        for other in others:
            result ^= other
    elif operation == b"ONE":
        repeated = 0
        for other in others:
            repeated |= result & other
            result = (result ^ other) & ~repeated
    else:
        union = _combined(b"OR", 0, others)
        if operation == b"DIFF":
            result = first & ~union
        elif operation == b"DIFF1":
            result = union & ~first
        else:
            result = first & union
    return result


def grow(data: bytearray, size: int) -> None:
    """Continues the value with zeros until it has `size` bytes; a longer one stays as it is."""
    data.extend(bytes(max(0, size - len(data))))


def read_field(data: bytes | bytearray, offset: int, width: int, signed: bool) -> int:
    """The integer in the `width` (1 to 64) bits from `offset` on, highest first; zeros beyond the end."""
    start = offset >> 3
    stop = (offset + width + 7) >> 3
    window = int.from_bytes(data[start:stop], "big") << (8 * max(0, stop - max(start, len(data))))
    value = (window >> (-(offset + width) & 7)) & ((1 << width) - 1)
    if signed and value >> (width - 1):
        value -= 1 << width
    return value


def write_field(data: bytearray, offset: int, width: int, value: int) -> None:
    """Puts the lowest `width` (1 to 64) bits of an integer at `offset`; the value is long enough."""
    start = offset >> 3
    stop = (offset + width + 7) >> 3
    mask = (1 << width) - 1
    shift = -(offset + width) & 7
    window = int.from_bytes(data[start:stop], "big")
    window = (window & ~(mask << shift)) | ((value & mask) << shift)
    data[start:stop] = window.to_bytes(stop - start, "big")
