"""What commands that give entries to a consumer have in common, and what is recorded of it.

Replay must bring about what reading and claiming did without their conditions, so it is recorded who has what:
XGROUP CREATECONSUMER, XCLAIM for the entries that have the same time and count, XACK, and XGROUP SETID.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alcove.engine import events
from alcove.engine.context import Context
from alcove.types.stream import Stream
from alcove.types.stream_group import Consumer, Group
from alcove.types.stream_id import successor, text
from alcove.types.stream_records import SortedRecords

# How many IDs one recorded command takes.
BATCH: Final = 1000
# How many pending entries are looked at in one go.
PAGE: Final = 100


def find_group(ctx: Context, key: bytes, name: bytes) -> tuple[Stream | None, Group | None]:
    """The stream at a key and its group of this name, or None for what is not there."""
    stream: Stream | None = ctx.keys.read(key, Stream)
    return stream, None if stream is None else stream.group(name)


def group_to_change(ctx: Context, key: bytes, name: bytes) -> tuple[Stream | None, Group | None]:
    """The same for who is about to change the group; the real server, too, counts that as reading."""
    found = find_group(ctx, key, name)
    preserve_stream(ctx, key)
    return found


def preserve_stream(ctx: Context, key: bytes) -> None:
    """Has a snapshot in progress save a stream that was found by reading, before its groups change."""
    if ctx.keys.space.saving:
        entry = ctx.keys.find(key)
        if entry is not None:
            ctx.keys.preserve(entry)


def wall_ms(ctx: Context) -> int:
    """The time, also while data is loaded, when `now_ms` stands at 0 so that nothing expires."""
    return ctx.now_ms or ctx.engine.now_us // 1000


def consumer_of(ctx: Context, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer that speaks, created if it is new."""
    consumer = group.consumer(name)
    if consumer is None:
        consumer = create_consumer(ctx, key, group, name)
    consumer.seen_ms = wall_ms(ctx)
    return consumer


def create_consumer(ctx: Context, key: bytes, group: Group, name: bytes) -> Consumer:
    consumer = group.create_consumer(name, wall_ms(ctx))
    ctx.record(b"XGROUP", b"CREATECONSUMER", key, group.name, name)
    ctx.keys.noted(key, events.STREAM, b"xgroup-createconsumer")
    return consumer


def walk(records: SortedRecords, start: bytes) -> Iterator[bytes]:
    """The records from `start` on; those that were passed may be removed meanwhile."""
    behind: bytes | None = start
    while behind is not None:
        page = records.page(behind, PAGE)
        yield from page
        behind = successor(page[len(page) - 1][:16]) if page else None


def record_position(ctx: Context, key: bytes, group: Group) -> None:
    """Records how far a group has read."""
    entries_read = b"%d" % group.entries_read
    ctx.record(b"XGROUP", b"SETID", key, group.name, text(group.last_id), b"ENTRIESREAD", entries_read)


def record_claim(
    ctx: Context, key: bytes, group: Group, consumer: Consumer, ids: list[bytes], time_ms: int, count: int
) -> None:
    """Records that entries, whose IDs are given as texts, were delivered to a consumer."""
    facts = (b"TIME", b"%d" % time_ms, b"RETRYCOUNT", b"%d" % count, b"FORCE", b"JUSTID")
    for at in range(0, len(ids), BATCH):
        ctx.record(b"XCLAIM", key, group.name, consumer.name, b"0", *ids[at : at + BATCH], *facts)


class Deliveries:
    """What one command gives to one consumer, or takes from all; `record` says it to the sinks."""

    def __init__(self, ctx: Context, key: bytes, group: Group, consumer: Consumer) -> None:
        self._ctx = ctx
        self._key = key
        self._group = group
        self._consumer = consumer
        # The texts of IDs by time and number of their delivery.
        self._given: dict[tuple[int, int], list[bytes]] = {}
        self._dropped: list[bytes] = []

    def give(self, stream_id: bytes, time_ms: int, count: int) -> None:
        """Makes an entry pending for the consumer."""
        self._group.deliver(stream_id, self._consumer, time_ms, count)
        if self._ctx.keys.space.recording:
            self._given.setdefault((time_ms, count), []).append(text(stream_id))

    def drop(self, stream_id: bytes) -> None:
        """An entry that is no more is pending for no one."""
        self._group.acknowledge(stream_id)
        self._dropped.append(text(stream_id))

    def record(self) -> None:
        for (time_ms, count), ids in self._given.items():
            record_claim(self._ctx, self._key, self._group, self._consumer, ids, time_ms, count)
        for at in range(0, len(self._dropped), BATCH):
            self._ctx.record(b"XACK", self._key, self._group.name, *self._dropped[at : at + BATCH])
