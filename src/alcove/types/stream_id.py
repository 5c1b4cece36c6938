"""Stream IDs: two unsigned 64-bit numbers, milliseconds and sequence, as 16 big-endian bytes; the plain twin.

In this form IDs compare, hash and sort as they stand, are what an RDB file holds, and cost no object that the
garbage collector would have to visit.
"""

from __future__ import annotations

import struct

_PAIR = struct.Struct(">QQ")
_ONE = struct.Struct(">Q")
_TOP = 2**128 - 1

ZERO = bytes(16)
LAST = b"\xff" * 16


def pack(ms: int, seq: int) -> bytes:
    """The ID of two numbers; any two unsigned 64-bit numbers travel this way."""
    return _PAIR.pack(ms, seq)


def number(data: bytes, at: int) -> int:
    """The unsigned 64-bit number that stands at `at`: 0 for the milliseconds of an ID, 8 for its sequence."""
    value: int = _ONE.unpack_from(data, at)[0]
    return value


def text(stream_id: bytes) -> bytes:
    """The ID as users see it: `1526919030474-55`."""
    return b"%d-%d" % _PAIR.unpack(stream_id)


def successor(stream_id: bytes) -> bytes | None:
    """The next ID, or None behind the last one."""
    value = int.from_bytes(stream_id, "big")
    return None if value == _TOP else (value + 1).to_bytes(16, "big")


def predecessor(stream_id: bytes) -> bytes | None:
    """The ID before, or None before the first one."""
    value = int.from_bytes(stream_id, "big")
    return None if value == 0 else (value - 1).to_bytes(16, "big")
