"""One node of a stream: a run of entries packed in the real server's node format, and the cursor that walks them.

A node is a listpack (see listpack.py for how its elements are written). First comes the master entry, whose field
names the others need not repeat, then the entries; IDs are written as differences from the ID of the node:

    count | deleted | fields | field 1 ... field n | 0
    flags | ms | sequence | [fields | field 1] value 1 ... value n | elements in this entry

The bracket is left out under the flag SAME_FIELDS. The number at the end of an entry leads from the entry behind it
back to its flags. Deleting sets the flag DELETED. A node in memory is a listpack without its header, its end mark
and the two counts, which are kept as numbers and put before the rest by `Node.pack`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from alcove.integers import try_int
from alcove.types.stream_id import number, pack, text

View: TypeAlias = bytes | bytearray

_DELETED = 1
_SAME_FIELDS = 2

_HEADER_BYTES = 6
_END = 0xFF
_COUNT_UNKNOWN = 65535


# Elements: writing


def _put_integer(out: bytearray, value: int) -> None:
    """Appends a number of 64 bits, signed, in its shortest form."""
    if 0 <= value <= 127:
        out.append(value)
        out.append(1)
    elif -4096 <= value <= 4095:
        out.append(0xC0 | value >> 8 & 0x1F)
        out.append(value & 0xFF)
        out.append(2)
    else:
        if -32768 <= value <= 32767:
            out.append(0xF1)
            width = 2
        elif -8388608 <= value <= 8388607:
            out.append(0xF2)
            width = 3
        elif -2147483648 <= value <= 2147483647:
            out.append(0xF3)
            width = 4
        else:
            out.append(0xF4)
            width = 8
        for place in range(width):
            out.append(value >> 8 * place & 0xFF)
        out.append(width + 1)


def _put_string(out: bytearray, value: bytes) -> None:
    """Appends bytes; what looks like an integer is written as one."""
    size = len(value)
    if size <= 20:
        as_number = try_int(value)
        if as_number is not None:
            _put_integer(out, as_number)
            return
    if size < 64:
        out.append(0x80 | size)
        out += value
        out.append(size + 1)
        return
    if size < 4096:
        out.append(0xE0 | size >> 8)
        out.append(size & 0xFF)
        opening = 2
    else:
        out.append(0xF0)
        for place in range(4):
            out.append(size >> 8 * place & 0xFF)
        opening = 5
    out += value
    _put_back_length(out, opening + size)


def _put_back_length(out: bytearray, size: int) -> None:
    """Seven bits a byte, the lowest in the last; every byte but the first says that more stand before it."""
    width = _back_width(size)
    for place in range(width - 1, -1, -1):
        out.append(size >> 7 * place & 127 | (0 if place == width - 1 else 128))


# Elements: reading


def _back_width(size: int) -> int:
    """How many bytes a back-length takes; the odd bounds are the format's."""
    return 1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5


def _size(view: View, at: int) -> int:
    """The size of an element without its back-length."""
    kind = view[at]
    if kind < 0x80:
        return 1
    if kind < 0xC0:
        return 1 + (kind & 0x3F)
    if kind < 0xE0:
        return 2
    if kind < 0xF0:
        return 2 + ((kind & 0x0F) << 8 | view[at + 1])
    if kind == 0xF0:
        size = view[at + 4]
        size = size << 8 | view[at + 3]
        size = size << 8 | view[at + 2]
        return 5 + (size << 8 | view[at + 1])
    return 3 if kind == 0xF1 else 4 if kind == 0xF2 else 5 if kind == 0xF3 else 9


def _skip(view: View, at: int) -> int:
    """Where the element behind the one at `at` begins."""
    size = _size(view, at)
    return at + size + _back_width(size)


def _before(view: View, at: int) -> int:
    """Where the element begins that ends before `at`."""
    place = at - 1
    size = view[place] & 127
    shift = 7
    while view[place] >= 128:
        place -= 1
        size |= (view[place] & 127) << shift
        shift += 7
    return place - size


def _is_integer(kind: int) -> bool:
    return kind < 0x80 or 0xC0 <= kind < 0xE0 or 0xF1 <= kind <= 0xF4


def _integer(view: View, at: int) -> int:
    """The number in an integer element."""
    kind = view[at]
    if kind < 0x80:
        return kind
    if kind < 0xE0:
        value = (kind & 0x1F) << 8 | view[at + 1]
        return value - 8192 if value >= 4096 else value
    size = _size(view, at)
    value = view[at + size - 1]
    if value >= 128:
        value -= 256
    for place in range(at + size - 2, at, -1):
        value = value * 256 + view[place]
    return value


def _string(view: View, at: int) -> bytes:
    """The bytes of any element."""
    kind = view[at]
    if 0x80 <= kind < 0xC0:
        return bytes(view[at + 1 : at + 1 + (kind & 0x3F)])
    if _is_integer(kind):
        return b"%d" % _integer(view, at)
    return bytes(view[at + (2 if kind < 0xF0 else 5) : at + _size(view, at)])


def _checked_skip(view: View, at: int, stop: int) -> int:
    """As `_skip`, over bytes from elsewhere: `ValueError` when the element is malformed or reaches beyond `stop`."""
    if at >= stop:
        raise ValueError("malformed stream node: elements are missing")
    kind = view[at]
    if kind > 0xF4 or (kind >= 0xE0 and at + (5 if kind == 0xF0 else 2) > stop):
        raise ValueError("malformed stream node: encoding")
    size = _size(view, at)
    width = _back_width(size)
    if at + size + width > stop:
        raise ValueError("malformed stream node: an element's size")
    back = size
    for place in range(at + size + width - 1, at + size - 1, -1):
        if view[place] != (back & 127 | (0 if place == at + size else 128)):
            raise ValueError("malformed stream node: back-length")
        back >>= 7
    return at + size + width


# IDs


def _difference(value: int, base: int) -> int:
    """`value - base` as the signed number of 64 bits that leads back by `_advance`."""
    mask = 0xFFFFFFFFFFFFFFFF
    half = 0x8000000000000000
    gap = (value - base) & mask
    return gap if gap < half else gap - half - half


def _advance(base: int, difference: int) -> int:
    mask = 0xFFFFFFFFFFFFFFFF
    return (base + difference) & mask


class Node:
    """Entries with ascending IDs, the first of which gives the node its own."""

    def __init__(self, first: bytes, pairs: list[bytes] | None) -> None:
        """A node without entries whose master entry has the field names of `pairs`."""
        self.first = first
        self.ms = number(first, 0)
        self.seq = number(first, 8)
        self.live = 0
        self.deleted = 0
        self.data = bytearray()
        self.elements = 0
        # Where the entries begin.
        self.begin = 0
        if pairs is not None:
            self._open(pairs)

    def _open(self, pairs: list[bytes]) -> None:
        _put_integer(self.data, len(pairs) // 2)
        for index in range(0, len(pairs), 2):
            _put_string(self.data, pairs[index])
        _put_integer(self.data, 0)
        self.elements = len(pairs) // 2 + 2
        self.begin = len(self.data)

    def byte_size(self) -> int:
        """Bytes of the whole listpack, by which it is decided whether the node is full."""
        return _HEADER_BYTES + _count_size(self.live) + _count_size(self.deleted) + len(self.data) + 1

    def append(self, stream_id: bytes, pairs: list[bytes]) -> None:
        """Adds an entry; its ID must be above all others, and `pairs` are field, value, field, value and so on."""
        data = self.data
        count = len(pairs)
        same = self._has_fields_of(pairs)
        _put_integer(data, _SAME_FIELDS if same else 0)
        _put_integer(data, _difference(number(stream_id, 0), self.ms))
        _put_integer(data, _difference(number(stream_id, 8), self.seq))
        if same:
            for index in range(1, count, 2):
                _put_string(data, pairs[index])
            elements = 3 + count // 2
        else:
            _put_integer(data, count // 2)
            for index in range(count):
                _put_string(data, pairs[index])
            elements = 4 + count
        _put_integer(data, elements)
        self.elements += elements + 1
        self.live += 1

    def _has_fields_of(self, pairs: list[bytes]) -> bool:
        """Whether an entry of these pairs has the field names of the master entry."""
        view = self.data
        if _integer(view, 0) * 2 != len(pairs):
            return False
        at = _skip(view, 0)
        for index in range(0, len(pairs), 2):
            if _string(view, at) != pairs[index]:
                return False
            at = _skip(view, at)
        return True

    def delete(self, at: int) -> None:
        """Marks the entry whose flags stand at `at`."""
        self.data[at] |= _DELETED
        self.live -= 1
        self.deleted += 1

    def last(self) -> bytes:
        """The ID of the last entry, deleted or not."""
        view = self.data
        at = _before(view, len(self.data))
        for _ in range(_integer(view, at)):
            at = _before(view, at)
        at = _skip(view, at)
        ms = _advance(self.ms, _integer(view, at))
        return pack(ms, _advance(self.seq, _integer(view, _skip(view, at))))

    def seal(self) -> None:
        """Gives back the spare room: nothing will be appended."""
        self.data = self.data[:]

    def copy(self) -> Node:
        twin = Node(self.first, None)
        twin.live = self.live
        twin.deleted = self.deleted
        twin.data = self.data[:]
        twin.elements = self.elements
        twin.begin = self.begin
        return twin

    def pack(self) -> bytes:
        """The node as the real server keeps it: a whole listpack."""
        elements = min(self.elements + 2, _COUNT_UNKNOWN)
        out = bytearray(self.byte_size().to_bytes(4, "little"))
        out += elements.to_bytes(2, "little")
        _put_integer(out, self.live)
        _put_integer(out, self.deleted)
        out += self.data
        out.append(_END)
        return bytes(out)

    def _check(self) -> None:
        """Asserts that the bytes are a valid node with the entries that the numbers say."""
        loaded = load_node(self.first, self.pack())
        assert loaded.data == self.data
        assert loaded.begin == self.begin
        assert loaded.elements == self.elements


def _count_size(count: int) -> int:
    """The bytes of the element for one of the two counts."""
    if count <= 32767:
        return 2 if count <= 127 else 3 if count <= 4095 else 4
    return 5 if count <= 8388607 else 6


def load_node(first: bytes, listpack: bytes) -> Node:
    """The node that `Node.pack` or the real server wrote; `ValueError` if it is malformed in any way."""
    size = len(listpack)
    if size < _HEADER_BYTES + 1 or int.from_bytes(listpack[:4], "little") != size or listpack[size - 1] != _END:
        raise ValueError("malformed stream node: header or end")
    stop = size - 1
    at = _HEADER_BYTES
    live = _checked_integer(listpack, at, stop)
    at = _checked_skip(listpack, at, stop)
    deleted = _checked_integer(listpack, at, stop)
    at = _checked_skip(listpack, at, stop)
    node = Node(first, None)
    node.data += listpack[at:stop]
    _measure(node)
    if node.live != live or node.deleted != deleted:
        raise ValueError("malformed stream node: number of entries")
    if int.from_bytes(listpack[4:6], "little") not in (_COUNT_UNKNOWN, node.elements + 2):
        raise ValueError("malformed stream node: number of elements")
    return node


def _checked_integer(view: View, at: int, stop: int) -> int:
    """The number in an element of bytes from elsewhere."""
    _checked_skip(view, at, stop)
    if not _is_integer(view[at]):
        raise ValueError("malformed stream node: a number is missing")
    return _integer(view, at)


def _measure(node: Node) -> None:
    """Walks the bytes of a node from elsewhere, every one of which may be wrong, and sets its numbers."""
    data = bytes(node.data)
    stop = len(data)
    fields = _checked_integer(data, 0, stop)
    if not 0 <= fields <= stop:
        raise ValueError("malformed stream node: number of fields")
    at = _checked_skip(data, 0, stop)
    for _ in range(fields):
        at = _checked_skip(data, at, stop)
    if _checked_integer(data, at, stop) != 0:
        raise ValueError("malformed stream node: master entry")
    at = _checked_skip(data, at, stop)
    node.begin = at
    node.elements = fields + 2
    if at == stop:
        raise ValueError("malformed stream node: no entries")
    last = None
    while at < stop:
        flags = data[at]
        if flags > _DELETED | _SAME_FIELDS:
            raise ValueError("malformed stream node: flags")
        at = _checked_skip(data, at, stop)
        ms = _advance(node.ms, _checked_integer(data, at, stop))
        at = _checked_skip(data, at, stop)
        stream_id = pack(ms, _advance(node.seq, _checked_integer(data, at, stop)))
        at = _checked_skip(data, at, stop)
        if stream_id < node.first or (last is not None and stream_id <= last):
            raise ValueError("malformed stream node: order of entries")
        last = stream_id
        elements = 3 + fields
        if not flags & _SAME_FIELDS:
            pairs = _checked_integer(data, at, stop)
            if not 0 <= pairs <= stop:
                raise ValueError("malformed stream node: number of fields")
            elements = 4 + 2 * pairs
            at = _checked_skip(data, at, stop)
        for _ in range(elements - (3 if flags & _SAME_FIELDS else 4)):
            at = _checked_skip(data, at, stop)
        if _checked_integer(data, at, stop) != elements:
            raise ValueError("malformed stream node: size of an entry")
        at = _checked_skip(data, at, stop)
        node.elements += elements + 1
        if flags & _DELETED:
            node.deleted += 1
        else:
            node.live += 1


class Cursor:
    """Walks entries with IDs from `start` to `stop`, both included, through the nodes of a stream.

    Behind each `step` that answers True it stands on an entry. `nodes[index]` is where the walk begins; it ends with
    the list or at a None in it. Deleting the entry it stands on is all that may happen to the nodes meanwhile.
    """

    def __init__(
        self,
        nodes: list[Node | None],
        index: int,
        start: bytes,
        stop: bytes,
        backwards: bool = False,
        with_deleted: bool = False,
    ) -> None:
        self._nodes = nodes
        self.index = index
        self._start_ms = number(start, 0)
        self._start_seq = number(start, 8)
        self._stop_ms = number(stop, 0)
        self._stop_seq = number(stop, 8)
        self._backwards = backwards
        self._with_deleted = with_deleted
        self.node: Node | None = None
        self._names: list[bytes] | None = None
        # The entry the cursor stands on: where its flags are, what they say, its ID, pairs, and the first of these.
        self.at = 0
        self.flags = 0
        self.ms = 0
        self.seq = 0
        self._pairs = 0
        self._values_at = 0
        # Where the next entry begins; -1 until it has been looked for.
        self._behind = 0
        self._enter()

    def _enter(self) -> None:
        """Begins with the node at `index`, or with None if the walk is over."""
        self.node = self._nodes[self.index] if 0 <= self.index < len(self._nodes) else None
        self._names = None
        if self.node is not None:
            self.at = len(self.node.data)
            self._behind = self.node.begin

    def step(self) -> bool:
        """Moves to the next entry of the walk; False when there is none."""
        while self.node is not None:
            if not (self._move_back() if self._backwards else self._move_on()):
                self.index += -1 if self._backwards else 1
                self._enter()
                continue
            if self._is_before_start():
                if self._backwards:
                    break
            elif self._is_behind_stop():
                if not self._backwards:
                    break
            elif self._with_deleted or not self.flags & _DELETED:
                return True
        self.node = None
        return False

    def _move_on(self) -> bool:
        if self._behind < 0:
            self._behind = self._end_of_entry()
        if self._behind == len(self.node.data):  # type: ignore[union-attr]
            return False
        self._read(self._behind)
        return True

    def _move_back(self) -> bool:
        view = self.node.data  # type: ignore[union-attr]
        at = _before(view, self.at)
        elements = _integer(view, at)
        if elements == 0:
            return False
        for _ in range(elements):
            at = _before(view, at)
        self._read(at)
        return True

    def _read(self, at: int) -> None:
        """Stands on the entry whose flags are at `at`."""
        node = self.node
        assert node is not None
        view = node.data
        self.at = at
        self.flags = view[at]
        at += 2
        self.ms = _advance(node.ms, _integer(view, at))
        at = _skip(view, at)
        self.seq = _advance(node.seq, _integer(view, at))
        at = _skip(view, at)
        if self.flags & _SAME_FIELDS:
            self._pairs = _integer(view, 0)
        else:
            self._pairs = _integer(view, at)
            at = _skip(view, at)
        self._values_at = at
        self._behind = -1

    def _end_of_entry(self) -> int:
        view = self.node.data  # type: ignore[union-attr]
        at = self._values_at
        for _ in range(self._pairs if self.flags & _SAME_FIELDS else 2 * self._pairs):
            at = _skip(view, at)
        return _skip(view, at)

    def _is_before_start(self) -> bool:
        return self.ms < self._start_ms or (self.ms == self._start_ms and self.seq < self._start_seq)

    def _is_behind_stop(self) -> bool:
        return self.ms > self._stop_ms or (self.ms == self._stop_ms and self.seq > self._stop_seq)

    def is_deleted(self) -> bool:
        return bool(self.flags & _DELETED)

    def id(self) -> bytes:
        """The ID of the entry."""
        return pack(self.ms, self.seq)

    def entry(self) -> list[Any]:
        """The entry as replies show it: the ID's text and the list of its fields and values."""
        return [text(self.id()), self.fields()]

    def fields(self) -> list[bytes]:
        """Field, value, field, value and so on."""
        view = self.node.data  # type: ignore[union-attr]
        at = self._values_at
        found: list[bytes] = []
        if self.flags & _SAME_FIELDS:
            if self._names is None:
                self._names = self._master_fields()
            for name in self._names:
                found.append(name)
                found.append(_string(view, at))
                at = _skip(view, at)
        else:
            for _ in range(2 * self._pairs):
                found.append(_string(view, at))
                at = _skip(view, at)
        self._behind = _skip(view, at)
        return found

    def _master_fields(self) -> list[bytes]:
        view = self.node.data  # type: ignore[union-attr]
        at = 0
        found = []
        for _ in range(_integer(view, 0)):
            at = _skip(view, at)
            found.append(_string(view, at))
        return found
