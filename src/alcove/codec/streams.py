"""A stream in the RDB encoding, both ways.

| what                           | how                                                                              |
|--------------------------------|----------------------------------------------------------------------------------|
| nodes                          | count; for each its ID as a string of 16 bytes, and the listpack                 |
| counters                       | entries; last ID                                                                 |
| from the second form on        | first ID; highest deleted ID; entries ever added                                 |
| groups                         | count; for each: name, last delivered ID; from the second form on, entries read  |
| pending entries of a group     | count; for each 16 bytes of ID, time of delivery, number of deliveries           |
| consumers of a group           | count; for each: name, time last seen; from the third form on, time last active  |
| pending entries of a consumer  | count; for each 16 bytes of ID                                                   |

IDs among the counters are two lengths, milliseconds and sequence. Times are milliseconds in 8 bytes. Source:
`rdb.c` of Valkey.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alcove.codec.primitives import Decoder, Encoder, Malformed
from alcove.types.stream import Stream
from alcove.types.stream_group import UNKNOWN, Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id import ZERO, number, pack, successor
from alcove.types.stream_node import Node
from alcove.types.stream_records import SortedRecords, pending_record

_ID: Final = 16
_PENDING: Final = 40
# How many pending entries are written or read between two rests, and how many nodes read.
_PAGE: Final = 512
_NODES: Final = 16
_UINT64: Final = 1 << 64
_LATEST_MS: Final = 1 << 62


def encode_stream(encoder: Encoder, stream: Stream, third: bool) -> Iterator[None]:
    """Writes a stream in the third form, or the second, resting after every node and every few hundred records."""
    nodes = stream.nodes()
    encoder.length(len(nodes))
    for node in nodes:
        _put_node(encoder, node)
        yield
    _put_counters(encoder, stream)
    for group in stream.groups():
        yield from _encode_group(encoder, group, third)


def _put_node(encoder: Encoder, node: Node) -> None:
    encoder.string(node.first)
    encoder.string(node.pack())


def _put_counters(encoder: Encoder, stream: Stream) -> None:
    encoder.length(len(stream))
    _put_id(encoder, stream.last_id)
    _put_id(encoder, stream.first_id)
    _put_id(encoder, stream.max_deleted_id)
    encoder.length(stream.entries_added)
    encoder.length(stream.group_count())


def _encode_group(encoder: Encoder, group: Group, third: bool) -> Iterator[None]:
    encoder.string(group.name)
    _put_id(encoder, group.last_id)
    encoder.length(group.entries_read % _UINT64)
    encoder.length(len(group.pending))
    for page in _pages(group.pending):
        _put_pending(encoder, page)
        yield
    encoder.length(group.consumer_count())
    for consumer in group.consumers():
        encoder.string(consumer.name)
        encoder.int64(consumer.seen_ms)
        if third:
            encoder.int64(consumer.active_ms)
        encoder.length(len(consumer.pending))
        for page in _pages(consumer.pending):
            _put_ids(encoder, page)
            yield


def _put_pending(encoder: Encoder, page: list[bytes]) -> None:
    for record in page:
        encoder.raw(record[:_ID])
        encoder.int64(delivery_ms(record))
        encoder.length(delivery_count(record))


def _put_ids(encoder: Encoder, page: list[bytes]) -> None:
    for stream_id in page:
        encoder.raw(stream_id)


def _pages(records: SortedRecords) -> Iterator[list[bytes]]:
    """All records, some hundreds at a time."""
    start: bytes | None = ZERO
    while start is not None:
        page = records.page(start, _PAGE)
        if not page:
            return
        yield page
        start = successor(page[-1][:_ID])


def _put_id(encoder: Encoder, stream_id: bytes) -> None:
    encoder.length(number(stream_id, 0))
    encoder.length(number(stream_id, 8))


def decode_stream(decoder: Decoder, form: int, stream: Stream) -> Iterator[None]:
    """Reads an empty stream in form 1, 2 or 3, resting now and then; `ValueError` if it is malformed in any way."""
    try:
        for place in range(decoder.count()):
            if place % _NODES == _NODES - 1:
                yield
            _take_node(decoder, stream)
        _take_counters(decoder, form, stream)
        for _ in range(decoder.count()):
            yield from _decode_group(decoder, form, stream)
    except OverflowError as error:
        raise Malformed(str(error)) from error


def _take_node(decoder: Decoder, stream: Stream) -> None:
    first = decoder.string()
    if len(first) != _ID:
        raise Malformed("malformed stream: ID of a node")
    stream.load(first, decoder.string())


def _take_counters(decoder: Decoder, form: int, stream: Stream) -> None:
    length = decoder.length()
    stream.last_id = _take_id(decoder)
    stream.entries_added = length
    stream.renew_first()
    if form >= 2:
        _take_id(decoder)  # the first entry's, which was just found
        stream.max_deleted_id = _take_id(decoder)
        stream.entries_added = _take_count(decoder)
    if length != len(stream) or stream.entries_added < length:
        raise Malformed("malformed stream: number of entries")
    nodes = stream.nodes()
    if nodes and nodes[-1].last() > stream.last_id:
        raise Malformed("malformed stream: last ID")


def _take_id(decoder: Decoder) -> bytes:
    ms = decoder.length()
    return pack(ms, decoder.length())


def _take_count(decoder: Decoder) -> int:
    """A counter, not to be waited for."""
    count = decoder.length()
    if count > _LATEST_MS:
        raise Malformed("malformed stream: impossible count")
    return count


def _take_ms(decoder: Decoder) -> int:
    """A time, or -1 where there is none."""
    ms = decoder.int64()
    if not UNKNOWN <= ms <= _LATEST_MS:
        raise Malformed("malformed stream: impossible time")
    return ms


def _decode_group(decoder: Decoder, form: int, stream: Stream) -> Iterator[None]:
    name = decoder.string()
    if stream.group(name) is not None:
        raise Malformed("malformed stream: a group twice")
    group = stream.create_group(name, _take_id(decoder), UNKNOWN)
    if form >= 2:
        read = decoder.length()
        if _LATEST_MS < read < _UINT64 - 1:
            raise Malformed("malformed stream: impossible count")
        group.entries_read = UNKNOWN if read == _UINT64 - 1 else read
    # The pending entries, still without their owners.
    pending = SortedRecords(_ID, _PENDING)
    for place in range(decoder.count()):
        if place % _PAGE == _PAGE - 1:
            yield
        _take_pending(decoder, pending)
    for _ in range(decoder.count()):
        yield from _decode_consumer(decoder, form, group, pending)
    if len(group.pending) != len(pending):
        raise Malformed("malformed stream: a pending entry that is no consumer's")


def _take_pending(decoder: Decoder, pending: SortedRecords) -> None:
    stream_id = decoder.raw(_ID)
    time_ms = max(_take_ms(decoder), 0)
    if not pending.put(pending_record(stream_id, time_ms, decoder.length(), 0)):
        raise Malformed("malformed stream: a pending entry twice")


def _decode_consumer(decoder: Decoder, form: int, group: Group, pending: SortedRecords) -> Iterator[None]:
    name = decoder.string()
    if group.consumer(name) is not None:
        raise Malformed("malformed stream: a consumer twice")
    consumer = group.create_consumer(name, _take_ms(decoder))
    consumer.active_ms = _take_ms(decoder) if form >= 3 else consumer.seen_ms
    for place in range(decoder.count()):
        if place % _PAGE == _PAGE - 1:
            yield
        _take_owned(decoder, group, consumer, pending)


def _take_owned(decoder: Decoder, group: Group, consumer: Consumer, pending: SortedRecords) -> None:
    stream_id = decoder.raw(_ID)
    record = pending.get(stream_id)
    if record is None or group.pending.get(stream_id) is not None:
        raise Malformed("malformed stream: a consumer's entry is not pending, or another's")
    group.deliver(stream_id, consumer, delivery_ms(record), delivery_count(record))
