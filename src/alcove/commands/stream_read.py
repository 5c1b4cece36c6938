"""XREAD and XREADGROUP: reading several streams at once, alone or as a consumer of a group, and waiting for entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from alcove.commands.stream_arguments import parse_id
from alcove.commands.stream_delivery import (
    PAGE,
    Deliveries,
    consumer_of,
    preserve_stream,
    record_claim,
    record_position,
)
from alcove.engine.blocking import NOT_READY
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    GROUP_IS_MISSING,
    MIN_IDLE_NEGATIVE,
    MIN_IDLE_NOT_INTEGER,
    NEW_WITHOUT_GROUP,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_INTEGER,
    TIMEOUT_OUT_OF_RANGE,
    CommandError,
    meaningless_id,
    no_group_to_read,
    only_xreadgroup,
    unbalanced_streams,
)
from alcove.numeric import INT64_MAX, parse_int
from alcove.types.stream import Stream
from alcove.types.stream_group import Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id import LAST, ZERO, successor, text
from alcove.values import NULL_ARRAY, Keyed

GROUP: Final = "stream"

# The options of XREADGROUP alone, and how many arguments they take.
GROUP_OPTIONS: Final = {b"GROUP": 2, b"NOACK": 0, b"CLAIM": 1}
# Instead of a timeout and of an idle time: not to wait, and not to claim.
NEVER: Final = -1
# No deadline is farther away, in milliseconds.
LONGEST_WAIT_MS: Final = 2**50

# Arguments


class Reading:
    """The arguments of one call of XREAD or XREADGROUP."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.ids: list[bytes] = []
        # The most entries from each stream, -1 for all.
        self.count = -1
        self.timeout_ms = NEVER
        self.group: bytes | None = None
        self.consumer = b""
        self.no_ack = False
        self.min_idle_ms = NEVER


def parse_reading(ctx: Context, arguments: Sequence[bytes], for_group: bool) -> Reading:
    reading = Reading()
    at = 0
    while not reading.keys:
        word = arguments[at].upper() if at < len(arguments) else b""
        more = len(arguments) - at - 1
        if word == b"STREAMS" and more > 0:
            if more % 2:
                raise CommandError(unbalanced(for_group))
            reading.keys = list(arguments[at + 1 : at + 1 + more // 2])
            reading.ids = list(arguments[at + 1 + more // 2 :])
        elif word == b"COUNT" and more > 0:
            count = parse_int(arguments[at + 1])
            reading.count = count if count > 0 else -1
            at += 2
        elif word == b"BLOCK" and more > 0:
            reading.timeout_ms = timeout_ms(ctx, arguments[at + 1])
            at += 2
        elif word in GROUP_OPTIONS and more >= GROUP_OPTIONS[word]:
            if not for_group:
                raise CommandError(only_xreadgroup(word.decode()))
            read_group_option(reading, word, arguments, at + 1)
            at += 1 + GROUP_OPTIONS[word]
        else:
            raise CommandError(SYNTAX)
    if for_group and reading.group is None:
        raise CommandError(GROUP_IS_MISSING)
    return reading


def read_group_option(reading: Reading, word: bytes, arguments: Sequence[bytes], at: int) -> None:
    if word == b"GROUP":
        reading.group = arguments[at]
        reading.consumer = arguments[at + 1]
    elif word == b"NOACK":
        reading.no_ack = True
    else:
        reading.min_idle_ms = parse_int(arguments[at], MIN_IDLE_NOT_INTEGER)
        if reading.min_idle_ms < 0:
            raise CommandError(MIN_IDLE_NEGATIVE)


def unbalanced(for_group: bool) -> str:
    return (
        unbalanced_streams("xreadgroup", "ID or '>'") if for_group else unbalanced_streams("xread", "ID, '+', or '$'")
    )


def timeout_ms(ctx: Context, argument: bytes) -> int:
    amount = parse_int(argument, TIMEOUT_NOT_INTEGER)
    if amount < 0:
        raise CommandError(TIMEOUT_NEGATIVE)
    if amount > INT64_MAX - ctx.now_ms:
        raise CommandError(TIMEOUT_OUT_OF_RANGE)
    return min(amount, LONGEST_WAIT_MS)


# Answering


def answer(
    ctx: Context,
    reading: Reading,
    attempt: Callable[[bool], list[list[Any]]],
    wake_us: Callable[[], int] | None = None,
) -> object:
    """The reply of the first attempt that finds something. An attempt is told whether it is a later one, by a wait."""

    def retry() -> object:
        found = attempt(True)
        if not found:
            return NOT_READY
        if reading.group is None:
            ctx.engine.tracking.served(reading.keys)
        return Keyed(found)

    found = attempt(False)
    if found:
        return Keyed(found)
    if reading.timeout_ms == NEVER:
        return NULL_ARRAY
    return ctx.wait(reading.keys, reading.timeout_ms * 1000, retry, NULL_ARRAY, reading.group is not None, wake_us)


# XREAD


@command(
    "XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    flags="readonly blocking",
    keys="RO access",
    since="5.0.0",
    complexity=(
        "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always "
        "asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREAD blocks, "
        "XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data."
    ),
    history=(("7.4.0", "Added the special ID `+`, for the last entry."),),
)
def xread(ctx: Context, *arguments: bytes) -> object:
    """Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is
    available otherwise."""
    reading = parse_reading(ctx, arguments, False)
    behind = [id_to_read_behind(ctx, key, argument) for key, argument in zip(reading.keys, reading.ids, strict=True)]

    def attempt(waiting: bool) -> list[list[Any]]:
        found: list[list[Any]] = []
        for key, stream_id in zip(reading.keys, behind, strict=True):
            entries = entries_behind(stream_to_read(ctx, key, waiting), stream_id, reading.count)
            if entries:
                found.append([key, entries])
        if waiting and found:
            # What ends a wait is answered as if it had been asked now.
            for key in reading.keys:
                ctx.keys.read(key, Stream)
        return found

    return answer(ctx, reading, attempt)


def id_to_read_behind(ctx: Context, key: bytes, argument: bytes) -> bytes | None:
    """The ID behind which XREAD reads; None for `+`, the last entry there is."""
    stream: Stream | None = ctx.keys.read(key, Stream)
    if argument == b"$":
        return ZERO if stream is None else stream.last_id
    if argument == b"+":
        return None
    if argument == b">":
        raise CommandError(NEW_WITHOUT_GROUP)
    return parse_id(argument)


def stream_to_read(ctx: Context, key: bytes, waiting: bool) -> Stream | None:
    """The stream at a key; to who waits for one, a value of another type is just not it."""
    if not waiting:
        return ctx.keys.read(key, Stream)  # type: ignore[no-any-return]
    entry = ctx.keys.find(key)
    return entry.value if entry is not None and type(entry.value) is Stream else None


def entries_behind(stream: Stream | None, stream_id: bytes | None, count: int) -> list[list[Any]]:
    if stream is None or len(stream) == 0:
        return []
    if stream_id is None:
        return stream.range(ZERO, LAST, 1, True)
    start = successor(stream_id)
    if start is None or start > stream.last_id:
        return []
    return stream.range(start, LAST, count)


# XREADGROUP


@command(
    "XREADGROUP <GROUP group consumer> [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] "
    "STREAMS key [key ...] id [id ...]",
    flags="write blocking",
    keys="RO access",
    since="5.0.0",
    complexity=(
        "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always "
        "asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP "
        "blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data."
    ),
    history=(("8.4.0", "Added the `CLAIM` option."),),
)
def xreadgroup(ctx: Context, *arguments: bytes) -> object:
    """Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available
    otherwise."""
    ctx.record_nothing()
    reading = parse_reading(ctx, arguments, True)
    wake_us = None if reading.min_idle_ms == NEVER else lambda: next_claim_us(ctx, reading)
    return answer(ctx, reading, lambda waiting: read_for_group(ctx, reading), wake_us)


def read_for_group(ctx: Context, reading: Reading) -> list[list[Any]]:
    """One attempt: it fails before it changes anything, or creates the consumer where that is new."""
    targets = []
    for key, argument in zip(reading.keys, reading.ids, strict=True):
        stream, group = stream_with_group(ctx, key, reading)
        targets.append((key, stream, group, id_of_history(argument)))
    found: list[list[Any]] = []
    for key, stream, group, stream_id in targets:
        consumer = consumer_of(ctx, key, group, reading.consumer)
        if stream_id != LAST:
            entries = history(ctx, key, stream, group, consumer, stream_id, reading.count)
        else:
            entries = claim_and_read(ctx, key, stream, group, consumer, reading)
            if not entries:
                continue
        ctx.keys.noted(key, 0, b"")
        found.append([key, entries])
    return found


def stream_with_group(ctx: Context, key: bytes, reading: Reading) -> tuple[Stream, Group]:
    assert reading.group is not None
    stream: Stream | None = ctx.keys.read(key, Stream)
    group = None if stream is None else stream.group(reading.group)
    if stream is None or group is None:
        raise CommandError(no_group_to_read(key, reading.group))
    preserve_stream(ctx, key)
    return stream, group


def id_of_history(argument: bytes) -> bytes:
    """The ID behind which a consumer wants its own entries again; `LAST` for `>`, which wants new ones."""
    if argument == b">":
        return LAST
    if argument in (b"$", b"+"):
        raise CommandError(meaningless_id(argument.decode()))
    return parse_id(argument)


def history(
    ctx: Context, key: bytes, stream: Stream, group: Group, consumer: Consumer, behind: bytes, count: int
) -> list[list[Any]]:
    """Delivers again what is pending for a consumer; of an entry that is deleted there is only the ID."""
    deliveries = Deliveries(ctx, key, group, consumer)
    entries: list[list[Any]] = []
    start = successor(behind)
    assert start is not None
    for stream_id in consumer.pending.page(start, count if count >= 0 else len(consumer.pending)):
        entry = stream.find(stream_id)
        record = group.pending.get(stream_id)
        assert record is not None
        if entry is None:
            entry = [text(stream_id), NULL_ARRAY]
        else:
            deliveries.give(stream_id, ctx.now_ms, delivery_count(record) + 1)
        entries.append(entry)
    deliveries.record()
    return entries


def claim_and_read(
    ctx: Context, key: bytes, stream: Stream, group: Group, consumer: Consumer, reading: Reading
) -> list[list[Any]]:
    """What others have left idle, if CLAIM asks for it, and new entries up to the count."""
    now_ms = ctx.keys.space.now_ms
    recording = ctx.keys.space.recording
    claiming = reading.min_idle_ms != NEVER
    count = reading.count
    entries: list[list[Any]] = []
    if claiming:
        entries = claim_idle(ctx, key, stream, group, consumer, now_ms - reading.min_idle_ms, count)
        if count > 0:
            count -= len(entries)
    new = stream.read_group(group, None if reading.no_ack else consumer, count, now_ms)
    if entries or (new and not reading.no_ack):
        consumer.active_ms = now_ms
    if new and recording:
        if not reading.no_ack:
            record_claim(ctx, key, group, consumer, [entry[0] for entry in new], now_ms, 1)
        record_position(ctx, key, group)
    # With CLAIM every entry says how long it was idle, and how often it had been delivered.
    return entries + ([[*entry, 0, 0] for entry in new] if claiming else new)


def next_claim_us(ctx: Context, reading: Reading) -> int:
    """When, on the monotonic clock, the first pending entry will have been idle long enough; 0 if there is none."""
    first_ms = NEVER
    for key in reading.keys:
        entry = ctx.keys.find(key)
        stream = entry.value if entry is not None and type(entry.value) is Stream else None
        group = None if stream is None else stream.group(reading.group or b"")
        if stream is not None and group is not None:
            oldest_ms = longest_idle_since(stream, group)
            if oldest_ms != NEVER and (first_ms == NEVER or oldest_ms < first_ms):
                first_ms = oldest_ms
    if first_ms == NEVER:
        return 0
    ahead_ms = min(max(first_ms + reading.min_idle_ms - ctx.now_ms, 1), LONGEST_WAIT_MS)
    monotonic_us: int = ctx.engine.clock.monotonic_us()
    return monotonic_us + ahead_ms * 1000


def longest_idle_since(stream: Stream, group: Group) -> int:
    """When the longest idle pending entry that is still there was delivered."""
    page = group.idle_since(INT64_MAX, b"", PAGE)
    while page:
        for stream_id in page:
            record = group.pending.get(stream_id)
            if record is not None and stream.has(stream_id):
                return delivery_ms(record)
        page = group.idle_since(INT64_MAX, page[len(page) - 1], PAGE)
    return NEVER


def claim_idle(
    ctx: Context, key: bytes, stream: Stream, group: Group, consumer: Consumer, until_ms: int, count: int
) -> list[list[Any]]:
    """Takes over up to `count` entries, -1 for all, not delivered since `until_ms`, the longest idle first."""
    taken: list[tuple[bytes, list[Any]]] = []
    if until_ms >= 0:
        page = group.idle_since(until_ms, b"", PAGE)
        while page and len(taken) != count:
            for stream_id in page:
                entry = stream.find(stream_id)
                if entry is not None and len(taken) != count:
                    taken.append((stream_id, entry))
            page = group.idle_since(until_ms, page[len(page) - 1], PAGE)
    deliveries = Deliveries(ctx, key, group, consumer)
    for stream_id, entry in taken:
        record = group.pending.get(stream_id)
        assert record is not None
        times = delivery_count(record)
        entry += (ctx.now_ms - delivery_ms(record), times)
        deliveries.give(stream_id, ctx.now_ms, times + 1)
    deliveries.record()
    return [entry for _, entry in taken]
