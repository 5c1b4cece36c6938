"""XINFO: what a stream, its groups and their consumers are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.errors import (
    NO_SUCH_KEY,
    CommandError,
    no_group_of_key,
    wrong_subcommand,
)
from alcove.numeric import parse_int
from alcove.types.stream import Stream
from alcove.types.stream_group import UNKNOWN, Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id import LAST, ZERO, text

GROUP: Final = "stream"

# How many entries, and pending ones of each group and consumer, the full form shows; 0 shows all.
DEFAULT_COUNT: Final = 10

container("XINFO", since="5.0.0", group="stream", summary="A container for stream introspection commands.")


def stream_of(ctx: Context, key: bytes) -> Stream:
    stream: Stream | None = ctx.keys.read(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    return stream


def or_none(number: int) -> int | None:
    return None if number == UNKNOWN else number


@command(
    "XINFO CONSUMERS key group",
    flags="readonly",
    since="5.0.0",
    complexity="O(1)",
    tips="nondeterministic_output",
    history=(("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`."),),
)
def xinfo_consumers(ctx: Context, key: bytes, name: bytes) -> list[object]:
    """Returns a list of the consumers in a consumer group."""
    group = stream_of(ctx, key).group(name)
    if group is None:
        raise CommandError(no_group_of_key(key, name))
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.pending),
            b"idle": max(ctx.now_ms - consumer.seen_ms, 0),
            b"inactive": UNKNOWN if consumer.active_ms == UNKNOWN else ctx.now_ms - consumer.active_ms,
        }
        for consumer in group.consumers()
    ]


@command(
    "XINFO GROUPS key",
    flags="readonly",
    since="5.0.0",
    complexity="O(1)",
    history=(("7.0.0", "Added the `entries-read` and `lag` fields"),),
)
def xinfo_groups(ctx: Context, key: bytes) -> list[object]:
    """Returns a list of the consumer groups of a stream."""
    stream = stream_of(ctx, key)
    return [
        {
            b"name": group.name,
            b"consumers": group.consumer_count(),
            b"pending": len(group.pending),
            b"last-delivered-id": text(group.last_id),
            b"entries-read": or_none(group.entries_read),
            b"lag": or_none(stream.lag(group)),
        }
        for group in stream.groups()
    ]


@command(
    "XINFO STREAM key [FULL [COUNT count]]",
    flags="readonly",
    since="5.0.0",
    complexity="O(1)",
    history=(
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and "
            "`lag` fields",
        ),
        ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
    ),
)
def xinfo_stream(ctx: Context, key: bytes, *options: bytes) -> object:
    """Returns information about a stream."""
    stream = stream_of(ctx, key)
    count = parse_full(options) if options else 0
    facts: dict[bytes, object] = {
        b"length": len(stream),
        b"radix-tree-keys": stream.node_count(),
        # There is no radix tree here: every node hangs on the one list.
        b"radix-tree-nodes": stream.node_count() + 1,
        b"last-generated-id": text(stream.last_id),
        b"max-deleted-entry-id": text(stream.max_deleted_id),
        b"entries-added": stream.entries_added,
        b"recorded-first-entry-id": text(stream.first_id),
    }
    if options:
        facts[b"entries"] = stream.range(ZERO, LAST, count or -1)
        facts[b"groups"] = [group_in_full(stream, group, count) for group in stream.groups()]
    else:
        facts[b"groups"] = stream.group_count()
        facts[b"first-entry"] = next(iter(stream.range(ZERO, LAST, 1)), None)
        facts[b"last-entry"] = next(iter(stream.range(ZERO, LAST, 1, True)), None)
    return facts


def parse_full(options: Sequence[bytes]) -> int:
    """`FULL [COUNT count]`: the count, 0 for all."""
    if options[0].upper() != b"FULL" or len(options) not in (1, 3):
        raise CommandError(wrong_subcommand("XINFO", "STREAM"))
    if len(options) == 1:
        return DEFAULT_COUNT
    if options[1].upper() != b"COUNT":
        raise CommandError(wrong_subcommand("XINFO", "STREAM"))
    count = parse_int(options[2])
    return count if count >= 0 else DEFAULT_COUNT


def group_in_full(stream: Stream, group: Group, count: int) -> dict[bytes, object]:
    return {
        b"name": group.name,
        b"last-delivered-id": text(group.last_id),
        b"entries-read": or_none(group.entries_read),
        b"lag": or_none(stream.lag(group)),
        b"pel-count": len(group.pending),
        b"pending": [
            [text(record[:16]), group.owner(record).name, delivery_ms(record), delivery_count(record)]
            for record in group.pending.page(ZERO, count or len(group.pending))
        ],
        b"consumers": [consumer_in_full(group, consumer, count) for consumer in group.consumers()],
    }


def consumer_in_full(group: Group, consumer: Consumer, count: int) -> dict[bytes, object]:
    pending = []
    for stream_id in consumer.pending.page(ZERO, count or len(consumer.pending)):
        record = group.pending.get(stream_id)
        assert record is not None
        pending.append([text(stream_id), delivery_ms(record), delivery_count(record)])
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_ms,
        b"active-time": consumer.active_ms,
        b"pel-count": len(consumer.pending),
        b"pending": pending,
    }
