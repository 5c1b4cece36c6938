"""The compression of strings in RDB files: LZF.

A compressed string is a row of runs. A control byte below 32 begins that many bytes and one as they are. Any other
is a copy of what came before: its upper three bits are the length less two, 7 for "add the next byte"; its lower
five bits and the next byte are the distance less one, at most 8191. Source: the format of LibLZF, which Valkey and
Redis contain. How well a string is compressed is the compressor's affair; this one is ours.
"""

from __future__ import annotations

from typing import Final

_LONGEST_LITERAL: Final = 32
_LONGEST_COPY: Final = 264
_FARTHEST: Final = 8192
# No three bytes of a compressed string stand for more than the longest copy.
_BEST_RATIO: Final = _LONGEST_COPY // 3
# What compression has to save at least, as on the real server.
_LEAST_SAVING: Final = 4


def compress(data: bytes) -> bytes | None:
    """The compressed form of `data`, or None when that would not save more than four bytes."""
    size = len(data)
    limit = size - _LEAST_SAVING
    out = bytearray()
    seen: dict[bytes, int] = {}
    at = literal = 0
    while at < size - 2 and len(out) < limit:
        key = data[at : at + 3]
        before = seen.get(key, -1)
        seen[key] = at
        if before < 0 or at - before > _FARTHEST:
            at += 1
            continue
        length = 3
        longest = min(size - at, _LONGEST_COPY)
        while length < longest and data[before + length] == data[at + length]:
            length += 1
        _put_literals(out, data, literal, at)
        distance = at - before - 1
        if length < 9:
            out += bytes((length - 2 << 5 | distance >> 8, distance & 0xFF))
        else:
            out += bytes((7 << 5 | distance >> 8, length - 9, distance & 0xFF))
        at += length
        literal = at
    _put_literals(out, data, literal, size)
    return bytes(out) if len(out) <= limit else None


def compress_part(data: bytes) -> bytes:
    """A form of a part of a string: those of all parts, one behind the other, are one of the whole."""
    out = compress(data)
    if out is not None:
        return out
    literals = bytearray()
    _put_literals(literals, data, 0, len(data))
    return bytes(literals)


def _put_literals(out: bytearray, data: bytes, start: int, stop: int) -> None:
    for at in range(start, stop, _LONGEST_LITERAL):
        run = data[at : min(at + _LONGEST_LITERAL, stop)]
        out.append(len(run) - 1)
        out += run


def decompress(data: bytes, size: int) -> bytes:
    """The `size` bytes that `data` stands for; `ValueError` if it is malformed or stands for more or fewer."""
    if not 0 <= size <= len(data) * _BEST_RATIO:
        raise ValueError("malformed LZF string: impossible size")
    out = bytearray()
    at = 0
    stop = len(data)
    while at < stop:
        control = data[at]
        at += 1
        if control < _LONGEST_LITERAL:
            if at + control + 1 > stop:
                raise ValueError("malformed LZF string: cut off")
            out += data[at : at + control + 1]
            at += control + 1
        else:
            at = _copy(out, data, at, control)
        if len(out) > size:
            raise ValueError("malformed LZF string: too long")
    if len(out) != size:
        raise ValueError("malformed LZF string: too short")
    return bytes(out)


def _copy(out: bytearray, data: bytes, at: int, control: int) -> int:
    """Carries out the copy of which `control` was read and answers where `data` goes on."""
    length = control >> 5
    needed = 2 if length == 7 else 1
    if at + needed > len(data):
        raise ValueError("malformed LZF string: cut off")
    if length == 7:
        length += data[at]
        at += 1
    distance = ((control & 31) << 8 | data[at]) + 1
    if distance > len(out):
        raise ValueError("malformed LZF string: a copy from before the beginning")
    length += 2
    start = len(out) - distance
    if distance >= length:
        out += out[start : start + length]
    else:  # the copy overlaps what it makes: a pattern is repeated
        pattern = bytes(out[start:])
        out += (pattern * (length // distance + 1))[:length]
    return at + 1


class Expansion:
    """The `size` bytes that `data` stands for, found step by step; they are `value` then."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size
        self.value = b""

    def step(self, count: int) -> bool:
        """Finds some `count` bytes more, or here all; True when `value` is whole. Raises as `decompress`."""
        self.value = decompress(self._data, self._size)
        return True
