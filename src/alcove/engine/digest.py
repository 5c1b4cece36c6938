"""A digest of all that is in an engine: the same for the same keys, deadlines and values, however they are laid out."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from typing import Any

from alcove.engine.keyspace import Database
from alcove.engine.table import Entry
from alcove.types.hash import Hash
from alcove.types.list import List
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from alcove.types.stream import Stream
from alcove.types.stream_id import LAST, ZERO

SIZE = sha1().digest_size


def contents_digest(databases: Iterable[Database]) -> bytes:
    """The digest of whole databases, as 40 hexadecimal digits; zeros when there is nothing."""
    total = 0
    for database in databases:
        for position in range(len(database)):
            entry = database.table.at(position)
            place = sha1(repr((database.number, entry.key, entry.expire_ms)).encode() + value_digest(entry))
            # Of keys in any order the sum of bits is the same.
            total ^= int.from_bytes(place.digest(), "big")
    return b"%040x" % total


def value_digest(entry: Entry) -> bytes:
    """The digest of a key's value, whatever its encoding."""
    return sha1(repr(visible(entry.value)).encode()).digest()


def visible(value: Any) -> Any:
    """What there is to see of a value, in an order that does not depend on how it came to be."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if type(value) is List:
        return "list", value.range(0, len(value))
    if type(value) is Set:
        return "set", sorted(value.members())
    if type(value) is SortedSet:
        return "zset", value.pairs(0, len(value))
    if type(value) is Hash:
        fields = sorted(zip(value.fields(), value.values(), strict=True))
        return "hash", fields, sorted(value.deadlines())
    return "stream", *visible_stream(value)


def visible_stream(stream: Stream) -> tuple[Any, ...]:
    groups = []
    for group in stream.groups():
        consumers = []
        for consumer in group.consumers():
            ids = consumer.pending.page(ZERO, len(consumer.pending))
            consumers.append((consumer.name, [(id, bytes(group.pending.get(id) or b"")) for id in ids]))
        groups.append((group.name, group.last_id, group.entries_read, sorted(consumers)))
    counters = stream.last_id, stream.max_deleted_id, stream.entries_added
    return stream.range(ZERO, LAST), counters, sorted(groups)
