"""The compact sequence of small containers: a list of bytes that can be written and read in the real server's form.

Listpack, the format: a header (u32 total bytes, u16 number of elements, little endian, 65535 for "count them"), the
entries, an end mark of 0xFF. An entry is an encoding byte with data, and behind it its own length, so that the
sequence can be walked from either end. What looks like an integer is kept as one:

| first byte    | what follows                                      |
|---------------|---------------------------------------------------|
| `0xxxxxxx`    | nothing: a number up to 127                       |
| `10xxxxxx`    | a string of that length                           |
| `110xxxxx`    | a second byte: a signed number of 13 bits         |
| `1110xxxx`    | a second byte: a string of that length, 12 bits   |
| `0xF0`        | u32 length and a string                           |
| `0xF1`-`0xF4` | a signed number of 2, 3, 4 or 8 bytes             |

The native twin, listpack.pyx, keeps the entries in that form in memory; this one converts at the edges.
"""

from __future__ import annotations

from alcove.numeric import try_int

HEADER = 6
END = 0xFF
COUNT_UNKNOWN = 65535
# The widths of integers under the encoding bytes 0xF1 to 0xF4.
_WIDTHS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}


class Listpack:
    """A compact sequence of byte strings."""

    def __init__(self) -> None:
        self._elements: list[bytes] = []
        self._entry_bytes = 0

    def __len__(self) -> int:
        return len(self._elements)

    @property
    def byte_size(self) -> int:
        """Bytes of the serialised form, by which a list decides when a node is full."""
        return HEADER + self._entry_bytes + 1

    def get(self, index: int) -> bytes:
        """The element at `index`; negative counts from the end."""
        return self._elements[index]

    def find(self, value: bytes, start: int = 0, step: int = 1) -> int:
        """The first of the places `start`, `start + step`, ... that holds `value`, or -1; both may be negative."""
        if step == 0:
            raise ValueError("find by steps of 0")
        count = len(self._elements)
        if start < 0:
            start += count
        if not 0 <= start < count:
            return -1
        for index in range(start, count if step > 0 else -1, step):
            if self._elements[index] == value:
                return index
        return -1

    def append(self, value: bytes) -> None:
        """Adds `value` behind the last element."""
        self.insert(len(self._elements), value)

    def prepend(self, value: bytes) -> None:
        """Adds `value` before the first element."""
        self.insert(0, value)

    def insert(self, index: int, value: bytes) -> None:
        """Puts `value` before the element at `index`, which may be the length."""
        if not 0 <= index <= len(self._elements):
            raise IndexError(index)
        self._elements.insert(index, value)
        self._entry_bytes += _entry_size(value)

    def replace(self, index: int, value: bytes) -> None:
        """Puts `value` in the place of the element at `index`."""
        self._entry_bytes += _entry_size(value) - _entry_size(self._elements[index])
        self._elements[index] = value

    def delete(self, index: int, number: int = 1) -> None:
        """Removes `number` elements from `index` on, or as many as there are."""
        if index < 0:
            index += len(self._elements)
        if not 0 <= index < len(self._elements):
            raise IndexError(index)
        stop = index + max(number, 0)
        self._entry_bytes -= sum(_entry_size(value) for value in self._elements[index:stop])
        del self._elements[index:stop]

    def range(self, start: int, stop: int) -> list[bytes]:
        """The elements from `start` to `stop`, that one not included, cut to what is there."""
        return self._elements[max(start, 0) : max(stop, 0)]

    def items(self) -> list[bytes]:
        """All elements in order."""
        return self._elements[:]

    def longest(self) -> int:
        """The size of the largest element, 0 when there is none."""
        return max(map(len, self._elements), default=0)

    def has_duplicates(self, step: int = 1) -> bool:
        """Whether two of the elements at the places 0, `step`, ... are equal."""
        asked = self._elements[::step]
        return len(set(asked)) < len(asked)

    def sift(self, values: list[bytes], present: bool) -> list[bytes]:
        """Those of `values` that are among the elements, or those that are not."""
        mine = frozenset(self._elements)
        return [value for value in values if (value in mine) == present]

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        return 150 + 42 * len(self._elements) + self._entry_bytes

    def copy(self) -> Listpack:
        twin = Listpack()
        twin._elements = self._elements[:]
        twin._entry_bytes = self._entry_bytes
        return twin

    def to_bytes(self) -> bytes:
        """The listpack as the real server writes it: header, entries, end mark."""
        data = bytearray(self.byte_size.to_bytes(4, "little"))
        data += min(len(self._elements), COUNT_UNKNOWN).to_bytes(2, "little")
        for value in self._elements:
            entry = _encode(value)
            data += entry
            data += _back_length(len(entry))
        data.append(END)
        return bytes(data)

    @staticmethod
    def from_bytes(data: bytes) -> Listpack:
        """The listpack that `data` holds; `ValueError` if it is malformed in any way."""
        if len(data) < HEADER + 1 or int.from_bytes(data[:4], "little") != len(data) or data[-1] != END:
            raise ValueError("malformed listpack: header or end")
        listpack = Listpack()
        at = HEADER
        stop = len(data) - 1
        while at < stop:
            value, size = _decode(data, at, stop)
            back = _back_length(size)
            if data[at + size : min(at + size + len(back), stop)] != back:
                raise ValueError("malformed listpack: back-length")
            listpack.append(value)
            at += size + len(back)
        if int.from_bytes(data[4:6], "little") not in (COUNT_UNKNOWN, len(listpack)):
            raise ValueError("malformed listpack: number of elements")
        return listpack

    def _check(self) -> None:
        """Asserts that the size kept is the size of what is there."""
        assert self._entry_bytes == sum(map(_entry_size, self._elements))


def _entry_size(value: bytes) -> int:
    """How many bytes an entry for `value` takes."""
    size = len(value)
    if size <= 20:  # it may be an integer
        return len(_encode(value)) + 1
    size += 1 if size < 64 else 2 if size < 4096 else 5
    return size + len(_back_length(size))


def _encode(value: bytes) -> bytes:
    number = try_int(value)
    if number is not None:
        return _encode_integer(number)
    size = len(value)
    if size < 64:
        return bytes((0x80 | size,)) + value
    if size < 4096:
        return bytes((0xE0 | size >> 8, size & 0xFF)) + value
    return b"\xf0" + size.to_bytes(4, "little") + value


def _encode_integer(number: int) -> bytes:
    if 0 <= number <= 127:
        return bytes((number,))
    if -4096 <= number <= 4095:
        return bytes((0xC0 | number >> 8 & 0x1F, number & 0xFF))
    for kind, width in _WIDTHS.items():
        if -(1 << 8 * width - 1) <= number < 1 << 8 * width - 1:
            return bytes((kind,)) + number.to_bytes(width, "little", signed=True)
    raise OverflowError(number)


def _back_length(size: int) -> bytes:
    """Seven bits a byte, the lowest in the last byte; every byte but the first says that more stand before it.

    The odd bounds are the format's: 16383 would fit two bytes and takes three.
    """
    width = 1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5
    back = [size >> 7 * place & 127 | 128 for place in range(width - 1, -1, -1)]
    back[0] &= 127
    return bytes(back)


def _decode(data: bytes, at: int, stop: int) -> tuple[bytes, int]:
    """The value of the entry at `at` and the entry's size without its back-length; nothing beyond `stop` is read."""
    kind = data[at]
    if kind < 0x80:
        return b"%d" % kind, 1
    if kind in _WIDTHS:
        size = 1 + _WIDTHS[kind]
        _within(at + size, stop)
        return b"%d" % int.from_bytes(data[at + 1 : at + size], "little", signed=True), size
    if kind < 0xC0:
        opening, length = 1, kind & 0x3F
    elif kind < 0xE0:
        _within(at + 2, stop)
        number = (kind & 0x1F) << 8 | data[at + 1]
        return b"%d" % (number - 8192 if number >= 4096 else number), 2
    elif kind < 0xF0:
        _within(at + 2, stop)
        opening, length = 2, (kind & 0x0F) << 8 | data[at + 1]
    elif kind == 0xF0:
        _within(at + 5, stop)
        opening, length = 5, int.from_bytes(data[at + 1 : at + 5], "little")
    else:
        raise ValueError("malformed listpack: encoding")
    _within(at + opening + length, stop)
    return data[at + opening : at + opening + length], opening + length


def _within(end: int, stop: int) -> None:
    if end > stop:
        raise ValueError("malformed listpack: an element's size")
