"""One value of each type in the RDB encoding, both ways: what stands in a file behind a key, and in a DUMP payload.

A value is written as the real server of the chosen version writes it, compact containers as the block of bytes that
they are, and read from any kind there has been since:

| kind       | what it is                                      | kind       | what it is                            |
|------------|-------------------------------------------------|------------|---------------------------------------|
| 0          | string                                          | 14, 18     | list: ziplists; listpacks or elements |
| 1, 2, 4    | list, set, hash: a count and strings            | 15, 19, 21 | streams (see streams.py)              |
| 3, 5       | sorted set with scores as text, as doubles      | 16, 17, 20 | listpack of a hash, sorted set, set   |
| 9, 13      | hash: zipmap, ziplist (see old.py)              | 22         | hash with deadlines, of Valkey        |
| 10, 11, 12 | list: ziplist; set: intset; sorted set: ziplist | 24, 25     | the same, of Redis: table, listpack   |

Before Redis 7.4 came out it wrote the last two as 22 and 23, without the earliest deadline ahead.

A hash whose fields have deadlines has no form that every server reads. It is written as Redis 7.4 and all later ones
do (24, 25), which most will read; under version 80, Valkey's own, as Valkey 9 does. Sources: `rdb.c` of Valkey,
librdb.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from alcove.codec.lzf import Expansion, compress_part
from alcove.codec.old import read_ziplist, read_zipmap
from alcove.codec.primitives import Decoder, Encoder, Gathering, Malformed
from alcove.codec.streams import decode_stream, encode_stream
from alcove.numeric import strtod, try_int
from alcove.types.hash import Hash
from alcove.types.intset import IntSet
from alcove.types.limits import Limits
from alcove.types.list import List
from alcove.types.listpack import Listpack
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from alcove.types.stream import Stream

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_3: Final = 21
# This number Valkey and an early Redis gave to different things: the version tells which.
HASH_2: Final = 22
HASH_LISTPACK_EX_EARLY: Final = 23
HASH_METADATA: Final = 24
HASH_LISTPACK_EX: Final = 25

# What a quicklist's node is.
_PLAIN: Final = 1
_PACKED: Final = 2

# The version that Redis 7.2 introduced, and the first of Valkey's own.
_VERSION_7_2: Final = 11
_VERSION_VALKEY: Final = 80

# What kind 22 is in files of the early Redis.
_HASH_EARLY: Final = -22

# How many elements of a large container are written or read between two rests, and nodes of a list read.
STEP: Final = 512
_NODES: Final = 16
# How much of a long string is compressed or written between two rests, and how much shows whether to compress it.
_PIECE: Final = 1 << 16
_TRIED: Final = 1 << 20
# No deadline of a field is later.
_LATEST_MS: Final = 1 << 62


def kind_of(value: Any, version: int) -> int:
    """The kind as which a value is written under an RDB version: 10, 11, 12 or 80."""
    if type(value) is bytes or type(value) is bytearray:
        return STRING
    if type(value) is Hash:
        if value.next_deadline == 0:
            return HASH if value.encoding == b"hashtable" else HASH_LISTPACK
        if version >= _VERSION_VALKEY:
            return HASH_2
        return HASH_METADATA if value.encoding == b"hashtable" else HASH_LISTPACK_EX
    if type(value) is Set:
        if value.encoding == b"intset":
            return SET_INTSET
        return SET_LISTPACK if value.encoding == b"listpack" and version >= _VERSION_7_2 else SET
    if type(value) is SortedSet:
        return ZSET_LISTPACK if value.encoding == b"listpack" else ZSET_2
    if type(value) is List:
        return LIST_QUICKLIST_2
    return STREAM_3 if version >= _VERSION_7_2 else STREAM_2


def encode(encoder: Encoder, kind: int, value: Any) -> None:
    """Writes a value as the kind that `kind_of` chose."""
    if kind == STRING:
        encoder.string(value)
    elif kind in (HASH_LISTPACK, SET_LISTPACK, SET_INTSET, ZSET_LISTPACK):
        encoder.string(value.packed())
    elif kind == HASH_LISTPACK_EX:
        encoder.int64(value.next_deadline)
        encoder.string(_packed_deadlines(value))
    else:
        for _ in encode_steps(encoder, kind, value):
            pass


def encode_steps(encoder: Encoder, kind: int, value: Any) -> Iterator[None]:
    """As `encode`, resting after every few hundred elements; meanwhile the value must not change."""
    if kind in (STREAM_2, STREAM_3):
        yield from encode_stream(encoder, value, kind == STREAM_3)
    elif kind == LIST_QUICKLIST_2:
        encoder.length(value.node_count())
        for place in range(value.node_count()):
            _put_node(encoder, value, place)
            yield
    elif kind in (SET, HASH, ZSET_2, HASH_METADATA, HASH_2):
        if kind == HASH_METADATA:
            encoder.int64(value.next_deadline)
        count = len(value)
        encoder.length(count)
        for start in range(0, count, STEP):
            _put_elements(encoder, kind, value, start, min(start + STEP, count))
            yield
    elif kind == STRING and len(value) > _PIECE:
        yield from _put_long_string(encoder, value)
    else:
        encode(encoder, kind, value)


def _put_long_string(encoder: Encoder, value: bytes | bytearray) -> Iterator[None]:
    """A string piece by piece, compressed unless the first megabyte shows that this saves nothing."""
    size = len(value)
    parts: list[bytes] = []
    compressed = 0
    if encoder.compress:
        for start in range(0, size, _PIECE):
            parts.append(compress_part(bytes(value[start : start + _PIECE])))
            compressed += len(parts[-1])
            yield
            if start == _TRIED and compressed > start:
                break
    if parts and compressed < size and len(parts) * _PIECE >= size:
        encoder.byte(0xC3)
        encoder.length(compressed)
        encoder.length(size)
        for part in parts:
            encoder.raw(part)
            yield
        return
    encoder.length(size)
    for start in range(0, size, _PIECE):
        encoder.raw(bytes(value[start : start + _PIECE]))
        yield


def _put_elements(encoder: Encoder, kind: int, value: Any, start: int, stop: int) -> None:
    """Some of the elements of a large container, by position."""
    if kind == SET:
        _put_members(encoder, value, start, stop)
    elif kind == ZSET_2:
        _put_scores(encoder, value, start, stop)
    else:
        _put_fields(encoder, kind, value, start, stop)


def _put_members(encoder: Encoder, value: Set, start: int, stop: int) -> None:
    for position in range(start, stop):
        encoder.string(value.member_at(position))


def _put_scores(encoder: Encoder, value: SortedSet, start: int, stop: int) -> None:
    """The highest ranks come first: so whoever reads them puts each before all others."""
    count = len(value)
    encoder.scored(value.members(count - stop, count - start), value.scores(count - stop, count - start))


def _put_fields(encoder: Encoder, kind: int, value: Hash, start: int, stop: int) -> None:
    first = value.next_deadline
    for position in range(start, stop):
        field = value.field_at(position)
        if kind == HASH_METADATA:
            deadline = value.deadline(field)
            encoder.length(deadline - first + 1 if deadline else 0)
        encoder.string(field)
        encoder.string(value.value_at(position))
        if kind == HASH_2:
            deadline = value.deadline(field)
            encoder.int64(deadline if deadline else -1)


def _put_node(encoder: Encoder, value: List, place: int) -> None:
    plain = value.plain(place)
    encoder.length(_PACKED if plain is None else _PLAIN)
    encoder.string(value.packed(place) if plain is None else plain)


def _packed_deadlines(value: Hash) -> bytes:
    """Field, value and deadline, 0 for none, by turns; the earliest come first, as they are looked for there."""
    pack = Listpack()
    for field, deadline in value.deadlines():
        held = value.get(field)
        assert held is not None
        pack.append(field)
        pack.append(held)
        pack.append(b"%d" % int(deadline))
    for field in value.fields():
        if not value.deadline(field):
            held = value.get(field)
            assert held is not None
            pack.append(field)
            pack.append(held)
            pack.append(b"0")
    return pack.to_bytes()


class Unfinished:
    """A value of which only the beginning was read; it is whole when `steps` have come to their end."""

    def __init__(self, value: Any, steps: Iterator[None]) -> None:
        self.value = value
        self.steps = steps


class UnfinishedString(Unfinished):
    """A long string, read and expanded piece by piece; `size` and `length` are those of `Decoder.beginning`."""

    def __init__(self, decoder: Decoder, size: int, length: int) -> None:
        super().__init__(b"", self._read(decoder, size, length))

    def _read(self, decoder: Decoder, size: int, length: int) -> Iterator[None]:
        gathering = Gathering(size)
        while size:
            gathering.add(decoder.raw(min(size, _PIECE)))
            size -= min(size, _PIECE)
            yield
        self.value = gathering.value
        if length >= 0:
            expansion = Expansion(self.value, length)
            while not expansion.step(_PIECE):
                yield
            self.value = expansion.value


def decode(decoder: Decoder, kind: int, limits: Limits, version: int) -> Any:
    """Reads a value of any kind from an RDB file or payload of this version.

    `ValueError` if it is malformed in any way. A container can be empty, which is for the caller to judge.
    """
    if kind == STRING:
        return decoder.string()
    value = begin_decoding(decoder, kind, limits, version)
    if not isinstance(value, Unfinished):
        return value
    for _ in value.steps:
        pass
    return value.value


def begin_decoding(decoder: Decoder, kind: int, limits: Limits, version: int) -> Any:
    """As `decode`, but a container of many elements is answered as `Unfinished`, and so is a long string."""
    if kind == STRING:
        text = decoder.beginning()
        return text if isinstance(text, bytes) else UnfinishedString(decoder, text[0], text[1])
    try:
        if kind == HASH_LISTPACK:
            return _hash_of_listpack(decoder, limits)
        if kind in (HASH, SET, ZSET_2, ZSET, HASH_METADATA, HASH_2):
            return _begin_counted(decoder, kind, limits, version)
        if kind in (LIST_QUICKLIST_2, LIST_QUICKLIST, LIST):
            return _begin_list(decoder, kind, limits)
        if kind in (SET_LISTPACK, SET_INTSET):
            return _decode_set(decoder, kind, limits)
        if kind in (ZSET_LISTPACK, ZSET_ZIPLIST):
            return _decode_zset(decoder, kind, limits)
        if kind in (STREAM, STREAM_2, STREAM_3):
            stream = Stream(limits)
            return Unfinished(stream, decode_stream(decoder, 1 if kind == STREAM else 2 + (kind == STREAM_3), stream))
        if kind in (HASH_LISTPACK_EX, HASH_LISTPACK_EX_EARLY):
            return _hash_of_triples(decoder, kind, limits)
        if kind in (HASH_ZIPLIST, HASH_ZIPMAP):
            flat = read_ziplist(decoder.string()) if kind == HASH_ZIPLIST else read_zipmap(decoder.string())
            return _hash_of(flat, limits)
        if kind == LIST_ZIPLIST:
            value = List(limits)
            value.push(read_ziplist(decoder.string()), False)
            return value
    except OverflowError as error:
        raise Malformed(str(error)) from error
    raise Malformed(f"unknown kind of value {kind}")


def _begin_counted(decoder: Decoder, kind: int, limits: Limits, version: int) -> Any:
    """What is a count and elements one by one."""
    first = decoder.int64() if kind == HASH_METADATA else 1
    if not 0 <= first <= _LATEST_MS:
        raise Malformed("malformed hash: impossible deadline")
    if kind == HASH_2 and version < _VERSION_VALKEY:
        kind = _HASH_EARLY
    count = decoder.count()
    value: Any
    if kind == SET:
        value = Set(limits)
    elif kind in (ZSET, ZSET_2):
        value = SortedSet(limits)
        value.expect(count, 0)
    else:
        value = Hash(limits)
        value.expect(count)
    if count > STEP:
        return Unfinished(value, _take_in_steps(decoder, kind, value, count, first))
    _take(decoder, kind, value, count, first)
    return value


def _take_in_steps(decoder: Decoder, kind: int, value: Any, count: int, first: int) -> Iterator[None]:
    while count:
        taken = min(count, STEP)
        try:
            _take(decoder, kind, value, count, first)
        except OverflowError as error:
            raise Malformed(str(error)) from error
        count -= taken
        yield


def _take(decoder: Decoder, kind: int, value: Any, left: int, first: int) -> None:
    """Reads the next elements of those that are left, of what was begun; with deadlines from `first` on."""
    if kind == HASH:
        _take_fields(decoder, value, left)
    elif kind == SET:
        _take_members(decoder, value, left)
    elif kind in (ZSET, ZSET_2):
        _take_scores(decoder, kind, value, left)
    else:
        _take_deadlines(decoder, kind, value, left, first)


def is_empty(value: Any) -> bool:
    """Whether a value that was read is a container without elements, which no key may hold; a stream may be empty."""
    return type(value) is not bytes and type(value) is not Stream and len(value) == 0


def _hash_of_listpack(decoder: Decoder, limits: Limits) -> Hash:
    value = Hash(limits)
    value.load_pack(Listpack.from_bytes(decoder.string()))
    return value


def _take_fields(decoder: Decoder, value: Hash, left: int) -> None:
    for _ in range(min(left, STEP)):
        field = decoder.string()
        if not value.set(field, decoder.string()):
            raise Malformed("malformed hash: a field twice")


def _hash_of(flat: list[bytes], limits: Limits) -> Hash:
    """The hash of fields and values by turns."""
    if len(flat) % 2:
        raise Malformed("malformed hash: a value is missing")
    value = Hash(limits)
    value.expect(len(flat) // 2)
    for place in range(0, len(flat), 2):
        if not value.set(flat[place], flat[place + 1]):
            raise Malformed("malformed hash: a field twice")
    return value


def _hash_of_triples(decoder: Decoder, kind: int, limits: Limits) -> Hash:
    """The earliest deadline, which is not needed here, and a listpack of field, value and deadline."""
    if kind == HASH_LISTPACK_EX:
        decoder.int64()
    flat = Listpack.from_bytes(decoder.string()).items()
    if len(flat) % 3:
        raise Malformed("malformed hash: a deadline is missing")
    value = Hash(limits)
    value.expect(len(flat) // 3)
    for place in range(0, len(flat), 3):
        deadline = try_int(flat[place + 2])
        if deadline is None:
            raise Malformed("malformed hash: no deadline where one should be")
        _set_field(value, flat[place], flat[place + 1], deadline)
    return value


def _take_deadlines(decoder: Decoder, kind: int, value: Hash, left: int, first: int) -> None:
    """Field, value and deadline of Valkey, or of Redis deadline, field and value.

    Valkey's deadline is 8 bytes, -1 for none. Redis's is a length, 0 for none; before it came out that was the time
    itself, then how much later than the earliest it is, plus one.
    """
    for _ in range(min(left, STEP)):
        if kind == HASH_2:
            field = decoder.string()
            content = decoder.string()
            deadline = decoder.int64()
            _set_field(value, field, content, 0 if deadline == -1 else max(deadline, 1) if deadline >= 0 else deadline)
        else:
            later = decoder.length()
            field = decoder.string()
            deadline = min(later, _LATEST_MS) + first - 1 if later else 0
            _set_field(value, field, decoder.string(), deadline)


def _set_field(value: Hash, field: bytes, content: bytes, deadline: int) -> None:
    """Adds a field to a hash that is read; a deadline of 0 is none."""
    if not 0 <= deadline <= _LATEST_MS:
        raise Malformed("malformed hash: impossible deadline")
    if not value.set(field, content):
        raise Malformed("malformed hash: a field twice")
    if deadline:
        value.set_deadline(field, deadline)


def _decode_set(decoder: Decoder, kind: int, limits: Limits) -> Set:
    value = Set(limits)
    if kind == SET_LISTPACK:
        value.load_pack(Listpack.from_bytes(decoder.string()))
    else:
        value.load_ints(IntSet.from_bytes(decoder.string()))
    return value


def _take_members(decoder: Decoder, value: Set, left: int) -> None:
    for _ in range(min(left, STEP)):
        member = decoder.string()
        if len(value) == 0:
            value.expect(member, left)
        if not value.add(member):
            raise Malformed("malformed set: a member twice")


def _decode_zset(decoder: Decoder, kind: int, limits: Limits) -> SortedSet:
    value = SortedSet(limits)
    if kind == ZSET_LISTPACK:
        pack = Listpack.from_bytes(decoder.string())
        if len(pack) % 2 or pack.has_duplicates(2):
            raise Malformed("malformed sorted set: a score is missing or a member comes twice")
        flat = pack.items()
        value.expect(len(flat) // 2, 0)
        for place in range(0, len(flat), 2):
            value.add(flat[place], _score(flat[place + 1]))
        return value
    flat = read_ziplist(decoder.string())
    if len(flat) % 2:
        raise Malformed("malformed sorted set: a score is missing")
    for place in range(0, len(flat), 2):
        _add_member(value, flat[place], _score(flat[place + 1]))
    return value


def _take_scores(decoder: Decoder, kind: int, value: SortedSet, left: int) -> None:
    for _ in range(min(left, STEP)):
        member = decoder.string()
        _add_member(value, member, decoder.double() if kind == ZSET_2 else decoder.double_text())


def _score(text: bytes) -> float:
    whole = try_int(text)
    score = strtod(text) if whole is None else float(whole)
    if score is None:
        raise Malformed("malformed sorted set: a score is no number")
    return score


def _add_member(value: SortedSet, member: bytes, score: float) -> None:
    if score != score:
        raise Malformed("malformed sorted set: a score is no number")
    if value.score(member) is not None:
        raise Malformed("malformed sorted set: a member twice")
    value.add(member, score)


def _begin_list(decoder: Decoder, kind: int, limits: Limits) -> Any:
    value = List(limits)
    count = decoder.count()
    if count > _NODES:
        return Unfinished(value, _take_nodes_in_steps(decoder, kind, value, count))
    _take_nodes(decoder, kind, value, count)
    return value


def _take_nodes_in_steps(decoder: Decoder, kind: int, value: List, count: int) -> Iterator[None]:
    while count:
        taken = min(count, _NODES)
        try:
            _take_nodes(decoder, kind, value, count)
        except OverflowError as error:
            raise Malformed(str(error)) from error
        count -= taken
        yield


def _take_nodes(decoder: Decoder, kind: int, value: List, left: int) -> None:
    """Reads the next nodes of a list, or elements, of those that are left."""
    for _ in range(min(left, _NODES)):
        if kind == LIST:
            value.push_right(decoder.string())
        elif kind == LIST_QUICKLIST:
            value.push(read_ziplist(decoder.string()), False)
        else:
            _load_node(decoder, value)
    if left <= _NODES and kind == LIST_QUICKLIST_2:
        value.loaded()


def _load_node(decoder: Decoder, value: List) -> None:
    container = decoder.length()
    if container == _PLAIN:
        value.load_plain(decoder.string())
    elif container == _PACKED:
        value.load_pack(Listpack.from_bytes(decoder.string()))
    else:
        raise Malformed("malformed list: unknown kind of node")
