"""The compact sequences of servers before Redis 7, which are still met in old files: ziplist and zipmap.

A ziplist is a header (u32 bytes, u32 offset of the last entry, u16 number of entries, 65535 for unknown), the
entries, and 0xFF. An entry is the size of the one before it (a byte, or 0xFE and u32), an encoding, and the data:

| first byte                 | what follows                                                |
|----------------------------|-------------------------------------------------------------|
| `00xxxxxx`                 | a string of that length                                     |
| `01xxxxxx`                 | a second byte: a string of that length, 14 bits             |
| `0x80`                     | u32 big endian and a string of that length                  |
| `0xC0`, `0xD0`, `0xE0`     | a signed number of 2, 4 or 8 bytes                          |
| `0xF0`, `0xFE`             | a signed number of 3 bytes, of 1                            |
| `0xF1` to `0xFD`           | nothing: the number is the lower four bits less one         |

A zipmap is a count (254 and above for unknown), fields and values by turns, and 0xFF. Each begins with its length (a
byte, or 0xFE and u32); a value has one byte more, which says how many unused ones follow it.

Numbers are little endian but for the one noted. Sources: `ziplist.c` and `zipmap.c` of Valkey. Nothing is written
in these forms.
"""

from __future__ import annotations

from typing import Final

from alcove.codec.primitives import Malformed

_ZIPLIST_HEADER: Final = 10
_END: Final = 0xFF
_LONG: Final = 0xFE
_COUNT_UNKNOWN: Final = 65535
_ZIPMAP_COUNT_UNKNOWN: Final = 254
_WIDTHS: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


def read_ziplist(data: bytes) -> list[bytes]:
    """The elements of a ziplist; `Malformed` if anything about it is wrong."""
    size = len(data)
    if size < _ZIPLIST_HEADER + 1 or int.from_bytes(data[:4], "little") != size or data[-1] != _END:
        raise Malformed("malformed ziplist: header or end")
    elements: list[bytes] = []
    at = last = _ZIPLIST_HEADER
    before = 0
    while at < size - 1:
        last = at
        at = _check_size_before(data, at, before)
        element, at = _ziplist_element(data, at)
        elements.append(element)
        before = at - last
    if at != size - 1 or int.from_bytes(data[4:8], "little") != last:
        raise Malformed("malformed ziplist: offset of the last entry")
    if int.from_bytes(data[8:10], "little") not in (_COUNT_UNKNOWN, len(elements)):
        raise Malformed("malformed ziplist: number of entries")
    return elements


def _check_size_before(data: bytes, at: int, before: int) -> int:
    """Where an entry's encoding stands, once what it says of the entry before is seen to be right."""
    width = 1 if data[at] < _LONG else 5
    said = data[at] if width == 1 else int.from_bytes(data[at + 1 : at + 5], "little")
    if said != before or data[at] == _END:
        raise Malformed("malformed ziplist: size of the entry before")
    return at + width


def _ziplist_element(data: bytes, at: int) -> tuple[bytes, int]:
    """The element whose encoding stands at `at`, and where the next entry begins."""
    kind = _byte(data, at)
    if kind < 0x40:
        return _cut(data, at + 1, kind)
    if kind < 0x80:
        return _cut(data, at + 2, (kind & 0x3F) << 8 | _byte(data, at + 1))
    if kind == 0x80:
        return _cut(data, at + 5, int.from_bytes(data[at + 1 : at + 5], "big"))
    if 0xF1 <= kind <= 0xFD:
        return b"%d" % ((kind & 0x0F) - 1), at + 1
    if kind not in _WIDTHS:
        raise Malformed("malformed ziplist: encoding")
    number, behind = _cut(data, at + 1, _WIDTHS[kind])
    return b"%d" % int.from_bytes(number, "little", signed=True), behind


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise Malformed("malformed compact sequence: cut off")
    return data[at]


def _cut(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """`size` bytes from `at` on, and where they end, which is before the end mark."""
    if at + size > len(data) - 1:
        raise Malformed("malformed compact sequence: cut off")
    return data[at : at + size], at + size


def read_zipmap(data: bytes) -> list[bytes]:
    """Fields and values of a zipmap by turns; `Malformed` if anything about it is wrong."""
    if len(data) < 2 or data[-1] != _END:
        raise Malformed("malformed zipmap: header or end")
    flat: list[bytes] = []
    at = 1
    while _byte(data, at) != _END:
        size, at = _zipmap_length(data, at)
        field, at = _cut(data, at, size)
        size, at = _zipmap_length(data, at)
        unused = _byte(data, at)
        value, at = _cut(data, at + 1, size)
        at += unused
        flat += (field, value)
    if at != len(data) - 1:
        raise Malformed("malformed zipmap: more behind the end")
    if data[0] < _ZIPMAP_COUNT_UNKNOWN and data[0] != len(flat) // 2:
        raise Malformed("malformed zipmap: number of fields")
    return flat


def _zipmap_length(data: bytes, at: int) -> tuple[int, int]:
    first = _byte(data, at)
    if first < _LONG:
        return first, at + 1
    if first == _LONG:
        return int.from_bytes(data[at + 1 : at + 5], "little"), at + 5
    raise Malformed("malformed zipmap: length")
