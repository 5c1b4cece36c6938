"""What RDB files are made of: lengths, strings, numbers; written to a growing buffer and read from one that refills.

A length begins with two bits that say how it goes on: `00` it is the other six; `01` these and the next byte, 14 bits;
`10` it stands in the next four bytes (0x80) or eight (0x81), big endian; `11` it is no length, but a string of one of
the forms below. A string is a length and so many bytes, or, under the bits `11`:

| byte   | what follows                                                   |
|--------|----------------------------------------------------------------|
| `0xC0` | a signed number of 1 byte, of which the string is the text     |
| `0xC1` | the same of 2 bytes, little endian                             |
| `0xC2` | the same of 4 bytes, little endian                             |
| `0xC3` | the compressed length, the true length, LZF (see lzf.py)       |

Doubles are 8 bytes, little endian, or in old files a length byte and text (253 NaN, 254 and 255 the infinities).
Source: `rdb.c` of Valkey. The native twin is primitives.pyx.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable
from typing import Final

from alcove.codec.crc64 import crc64
from alcove.codec.lzf import compress, decompress
from alcove.numeric import strtod, try_int

# How much is read at a time, unless a string needs more; and the most that is then asked for at once.
CHUNK: Final = 1 << 18
_LARGEST_CHUNK: Final = 1 << 24
# Strings up to this length are read in one go.
LONGEST_AT_ONCE: Final = 1 << 20

# Strings up to this length are tried as integers, longer ones than that other compressed.
_LONGEST_INTEGER: Final = 11
_SHORTEST_COMPRESSED: Final = 20
# No file holds more elements or bytes than this.
_LARGEST_COUNT: Final = 1 << 62

_DOUBLE: Final = struct.Struct("<d")
_INT64: Final = struct.Struct("<q")
_SPECIAL_DOUBLES: Final = {253: math.nan, 254: math.inf, 255: -math.inf}


class Malformed(ValueError):
    """Bytes that are not what they should be."""


class Truncated(Malformed):
    """Bytes that end too soon."""


class Encoder:
    """A growing buffer; `take` empties it."""

    def __init__(self, compress: bool = True) -> None:
        self.compress = compress
        self._out = bytearray()

    def __len__(self) -> int:
        return len(self._out)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def byte(self, value: int) -> None:
        self._out.append(value)

    def raw(self, data: bytes) -> None:
        """Bytes as they are, without a length."""
        self._out += data

    def length(self, number: int) -> None:
        """A length or count, up to 64 bits."""
        if number < 1 << 6:
            self._out.append(number)
        elif number < 1 << 14:
            self._out += bytes((0x40 | number >> 8, number & 0xFF))
        elif number < 1 << 32:
            self._out += b"\x80" + number.to_bytes(4, "big")
        else:
            self._out += b"\x81" + number.to_bytes(8, "big")

    def string(self, value: bytes | bytearray) -> None:
        """A string in the shortest of its forms; compressed only if `compress` is set."""
        size = len(value)
        if size <= _LONGEST_INTEGER:
            number = try_int(bytes(value))
            if number is not None and -(1 << 31) <= number < 1 << 31:
                width = 1 if -128 <= number <= 127 else 2 if -32768 <= number <= 32767 else 4
                self._out.append(0xC0 | width >> 1)
                self._out += number.to_bytes(width, "little", signed=True)
                return
        elif self.compress and size > _SHORTEST_COMPRESSED:
            compressed = compress(bytes(value))
            if compressed is not None:
                self._out.append(0xC3)
                self.length(len(compressed))
                self.length(size)
                self._out += compressed
                return
        self.length(size)
        self._out += value

    def scored(self, members: list[bytes], scores: bytes) -> None:
        """Strings, the last first, each before the double that stands at its place in `scores`."""
        for member, score in zip(reversed(members), reversed(array("d", scores)), strict=True):
            self.string(member)
            self.double(score)

    def double(self, value: float) -> None:
        self._out += _DOUBLE.pack(value)

    def int64(self, number: int) -> None:
        """A signed number of 8 bytes, little endian: times in milliseconds."""
        self._out += _INT64.pack(number)


class Gathering:
    """A string of which the parts come one by one."""

    def __init__(self, size: int) -> None:
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self._parts.append(part)

    @property
    def value(self) -> bytes:
        """The string, once there is all of it."""
        return b"".join(self._parts)


class Decoder:
    """Reads `data`, and then what `read(n)` answers, which is up to `n` bytes and empty at the end.

    `total` is how many bytes there are in all, if that is known: then no claimed size beyond it is waited for.
    Whatever sizes are claimed, no more memory is taken than bytes came. With `summing` it knows the checksum.
    """

    def __init__(
        self,
        data: bytes,
        read: Callable[[int], bytes] | None = None,
        total: int = -1,
        summing: bool = False,
    ) -> None:
        self._data = data
        self._at = 0
        self._read = read
        self._total = len(data) if read is None else total
        self._summing = summing
        # The checksum of what comes before `_summed`, and where `_data` begins in the whole.
        self._crc = 0
        self._summed = 0
        self._base = 0

    @property
    def position(self) -> int:
        """How many bytes were consumed."""
        return self._base + self._at

    def checksum(self) -> int:
        """The checksum of all that was consumed."""
        if self._summing:
            self._crc = crc64(memoryview(self._data)[self._summed : self._at], self._crc)
            self._summed = self._at
        return self._crc

    def _need(self, size: int) -> None:
        """Makes sure that `size` more bytes are at hand."""
        have = len(self._data) - self._at
        if have >= size:
            return
        if self._read is None or 0 <= self._total < self.position + size:
            raise Truncated("unexpected end")
        self.checksum()
        pieces = [self._data[self._at :]]
        while have < size:
            piece = self._read(max(CHUNK, min(size - have, _LARGEST_CHUNK)))
            if not piece:
                raise Truncated("unexpected end")
            pieces.append(piece)
            have += len(piece)
        self._base += self._at
        self._data = b"".join(pieces)
        self._at = self._summed = 0

    def byte(self) -> int:
        self._need(1)
        self._at += 1
        return self._data[self._at - 1]

    def raw(self, size: int) -> bytes:
        """The next `size` bytes as they are."""
        self._need(size)
        self._at += size
        return self._data[self._at - size : self._at]

    def length(self) -> int:
        """A length, up to 64 bits."""
        return self._length(self.byte())

    def _length(self, first: int) -> int:
        kind = first >> 6
        if kind == 0:
            return first
        if kind == 1:
            return (first & 0x3F) << 8 | self.byte()
        if first == 0x80:
            return int.from_bytes(self.raw(4), "big")
        if first == 0x81:
            return int.from_bytes(self.raw(8), "big")
        raise Malformed("no length where one should be")

    def count(self) -> int:
        """A length that says how many elements, of a byte at least, or bytes follow: no more than there are."""
        return self._bounded(self.length())

    def _bounded(self, number: int) -> int:
        if number > _LARGEST_COUNT or (0 <= self._total < self.position + number):
            raise Truncated("more is claimed than there is")
        return number

    def beginning(self) -> bytes | tuple[int, int]:
        """A string, or of a long one the bytes that follow, and how many they stand for, -1 if not compressed."""
        self._need(1)
        first = self._data[self._at]
        if first not in (0x80, 0x81, 0xC3):
            return self.string()
        self._at += 1
        size = self.count() if first == 0xC3 else self._bounded(self._length(first))
        length = min(self.length(), _LARGEST_COUNT) if first == 0xC3 else -1
        if max(size, length) > LONGEST_AT_ONCE and self._total >= 0:
            return size, length
        data = self.raw(size)
        return data if length < 0 else decompress(data, length)

    def string(self) -> bytes:
        """A string in any of its forms."""
        first = self.byte()
        if first < 0xC0:
            return self.raw(self._bounded(self._length(first)))
        if first <= 0xC2:
            return b"%d" % int.from_bytes(self.raw(1 << (first & 3)), "little", signed=True)
        if first != 0xC3:
            raise Malformed("unknown form of a string")
        size = self.count()
        length = min(self.length(), _LARGEST_COUNT)
        return decompress(self.raw(size), length)

    def double(self) -> float:
        """A double of 8 bytes."""
        value: float = _DOUBLE.unpack(self.raw(8))[0]
        return value

    def double_text(self) -> float:
        """A double as old files have it: a length byte and text."""
        size = self.byte()
        if size in _SPECIAL_DOUBLES:
            return _SPECIAL_DOUBLES[size]
        value = strtod(self.raw(size))
        if value is None:
            raise Malformed("no number where one should be")
        return value

    def int64(self) -> int:
        """A signed number of 8 bytes, little endian."""
        number: int = _INT64.unpack(self.raw(8))[0]
        return number
