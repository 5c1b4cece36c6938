"""The stream commands on consumer groups: making them, acknowledging, and taking over what others left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.commands.stream import NOT_THERE, delete_unless_needed
from alcove.commands.stream_arguments import (
    parse_deletion,
    parse_end,
    parse_id,
    parse_ids,
    parse_start_of_range,
    parse_stop_of_range,
)
from alcove.commands.stream_delivery import (
    Deliveries,
    consumer_of,
    create_consumer,
    find_group,
    group_to_change,
    record_position,
    walk,
    wall_ms,
)
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.errors import (
    BAD_ENTRIES_READ,
    COUNT_NOT_POSITIVE,
    GROUP_EXISTS,
    STREAM_IS_MISSING,
    SYNTAX,
    CommandError,
    bad_claim_option,
    bad_min_idle,
    no_group,
    no_group_of_key,
    unknown_claim_option,
    wrong_subcommand,
)
from alcove.numeric import parse_bounded, parse_int
from alcove.types.stream import DROP_REFERENCES, Stream
from alcove.types.stream_group import UNKNOWN, Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id import ZERO, text
from alcove.values import NULL_ARRAY, OK

GROUP: Final = "stream"

# The bounds of XAUTOCLAIM's COUNT, of which so many times as many pending entries are looked at.
ATTEMPTS: Final = 10
MOST_CLAIMED: Final = (2**63 - 1) // 16
DEFAULT_CLAIMED: Final = 100

# XGROUP

container("XGROUP", since="5.0.0", group="stream", summary="A container for consumer groups commands.")


@command(
    "XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    flags="write denyoom",
    keys="RW insert",
    since="5.0.0",
    complexity="O(1)",
    history=(("7.0.0", "Added the `entries_read` named argument."),),
)
def xgroup_create(ctx: Context, key: bytes, name: bytes, last_id: bytes, *options: bytes) -> object:
    """Creates a consumer group."""
    make_stream, entries_read = parse_group_options("CREATE", options)
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None and not make_stream:
        raise CommandError(STREAM_IS_MISSING)
    if last_id != b"$":
        start = parse_id(last_id)
    else:
        start = ZERO if stream is None else stream.last_id
    if stream is None:
        stream = ctx.keys.edit_or_create(key, Stream)
        ctx.keys.signal(key)
    elif stream.group(name) is not None:
        raise CommandError(GROUP_EXISTS)
    stream.create_group(name, start, entries_read)
    ctx.keys.noted(key, events.STREAM, b"xgroup-create")
    return OK


def parse_group_options(subcommand: str, options: Sequence[bytes]) -> tuple[bool, int]:
    """`[MKSTREAM] [ENTRIESREAD n]`: whether there is the first, and the number or UNKNOWN."""
    make_stream = False
    entries_read = UNKNOWN
    words = Arguments(options)
    while words:
        word = words.word()
        if word == b"MKSTREAM" and subcommand == "CREATE":
            make_stream = True
        elif word == b"ENTRIESREAD" and words:
            entries_read = words.integer()
            if entries_read < UNKNOWN:
                raise CommandError(BAD_ENTRIES_READ)
        else:
            raise CommandError(wrong_subcommand("XGROUP", subcommand))
    return make_stream, entries_read


def group_to_edit(ctx: Context, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """The stream and the group that the other subcommands of XGROUP need."""
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        raise CommandError(STREAM_IS_MISSING)
    group = stream.group(name)
    if group is None:
        raise CommandError(no_group_of_key(key, name))
    return stream, group


@command(
    "XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]",
    flags="write",
    keys="RW update",
    since="5.0.0",
    complexity="O(1)",
    history=(("7.0.0", "Added the optional `entries_read` argument."),),
)
def xgroup_setid(ctx: Context, key: bytes, name: bytes, last_id: bytes, *options: bytes) -> object:
    """Sets the last-delivered ID of a consumer group."""
    entries_read = parse_group_options("SETID", options)[1]
    stream, group = group_to_edit(ctx, key, name)
    group.last_id = stream.last_id if last_id == b"$" else parse_end(last_id)
    group.entries_read = min(entries_read, stream.entries_added)
    ctx.keys.noted(key, events.STREAM, b"xgroup-setid")
    return OK


@command(
    "XGROUP DESTROY key group",
    flags="write",
    keys="RW delete",
    since="5.0.0",
    complexity="O(N) where N is the number of entries in the group's pending entries list (PEL).",
)
def xgroup_destroy(ctx: Context, key: bytes, name: bytes) -> int:
    """Destroys a consumer group."""
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        raise CommandError(STREAM_IS_MISSING)
    if not stream.destroy_group(name):
        return 0
    ctx.keys.noted(key, events.STREAM, b"xgroup-destroy")
    # Whoever waits to read for this group learns so that it is gone.
    ctx.keys.wake(key)
    return 1


@command(
    "XGROUP CREATECONSUMER key group consumer",
    flags="write denyoom",
    keys="RW insert",
    since="6.2.0",
    complexity="O(1)",
)
def xgroup_createconsumer(ctx: Context, key: bytes, name: bytes, consumer: bytes) -> int:
    """Creates a consumer in a consumer group."""
    group = group_to_edit(ctx, key, name)[1]
    if group.consumer(consumer) is not None:
        return 0
    create_consumer(ctx, key, group, consumer)
    return 1


@command(
    "XGROUP DELCONSUMER key group consumer",
    flags="write",
    keys="RW delete",
    since="5.0.0",
    complexity="O(1)",
)
def xgroup_delconsumer(ctx: Context, key: bytes, name: bytes, consumer: bytes) -> int:
    """Deletes a consumer from a consumer group."""
    group = group_to_edit(ctx, key, name)[1]
    if group.consumer(consumer) is None:
        return 0
    pending = group.delete_consumer(consumer)
    ctx.keys.noted(key, events.STREAM, b"xgroup-delconsumer")
    return pending


# Acknowledging


@command(
    "XACK key group id [id ...]",
    flags="write fast",
    keys="RW update",
    since="5.0.0",
    complexity="O(1) for each message ID processed.",
)
def xack(ctx: Context, key: bytes, name: bytes, *ids: bytes) -> int:
    """Returns the number of messages that were successfully acknowledged by the consumer group member of a stream."""
    group: Group | None = group_to_change(ctx, key, name)[1]
    if group is None:
        return 0
    acknowledged = 0
    for stream_id in parse_ids(ids):
        if group.acknowledge(stream_id):
            acknowledged += 1
    if acknowledged:
        ctx.keys.noted(key, 0, b"", acknowledged)
    return acknowledged


@command(
    "XACKDEL key group [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
    flags="write fast",
    keys="RW update delete",
    since="8.2.0",
    complexity="O(1) for each entry ID processed.",
)
def xackdel(ctx: Context, key: bytes, name: bytes, *arguments: bytes) -> list[int]:
    """Acknowledges and conditionally deletes one or multiple entries for a stream consumer group."""
    policy, ids = parse_deletion(arguments)
    stream, group = group_to_change(ctx, key, name)
    if stream is None or group is None:
        return [NOT_THERE] * len(ids)
    length = len(stream)
    acknowledged = 0
    fates = []
    for stream_id in ids:
        fate = NOT_THERE
        if group.acknowledge(stream_id):
            acknowledged += 1
            if policy == DROP_REFERENCES:
                stream.dereference(stream_id)
            # An entry that had been deleted before is so now, too.
            fate = abs(delete_unless_needed(stream, stream_id, policy))
        fates.append(fate)
    if len(stream) < length:
        ctx.keys.changed(key, events.STREAM, b"xdel", acknowledged)
    elif acknowledged:
        ctx.keys.noted(key, 0, b"", acknowledged)
    return fates


# Looking at what is pending


@command(
    "XPENDING key group [[IDLE min-idle-time] start end count [consumer]]",
    flags="readonly",
    since="5.0.0",
    complexity=(
        "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is "
        "O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command "
        "returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional "
        "O(N) time for iterating every consumer."
    ),
    tips="nondeterministic_output",
    history=(("6.2.0", "Added the `IDLE` option and exclusive range intervals."),),
)
def xpending(ctx: Context, key: bytes, name: bytes, *options: bytes) -> object:
    """Returns the information and entries from a stream consumer group's pending entries list."""
    if options and not 3 <= len(options) <= 6:
        raise CommandError(SYNTAX)
    min_idle_ms = count = 0
    start = stop = ZERO
    if options:
        if options[0].upper() == b"IDLE":
            min_idle_ms = parse_int(options[1])
            if len(options) < 5:
                raise CommandError(SYNTAX)
            options = options[2:]
        count = parse_int(options[2])
        start, stop = parse_start_of_range(options[0]), parse_stop_of_range(options[1])
    group = find_group(ctx, key, name)[1]
    if group is None:
        raise CommandError(no_group(key, name))
    if not options:
        return pending_summary(group)
    consumer = group.consumer(options[3]) if len(options) > 3 else None
    if consumer is None and len(options) > 3:
        return []
    return pending_entries(ctx, group, consumer, start, stop, count, min_idle_ms)


def pending_summary(group: Group) -> list[object]:
    """How many entries are pending, the lowest and the highest, and how many each consumer has."""
    first, last = group.pending.first(), group.pending.last()
    if first is None or last is None:
        return [0, None, None, NULL_ARRAY]
    each = [[consumer.name, b"%d" % len(consumer.pending)] for consumer in group.consumers() if len(consumer.pending)]
    return [len(group.pending), text(first[:16]), text(last[:16]), each]


def pending_entries(
    ctx: Context, group: Group, consumer: Consumer | None, start: bytes, stop: bytes, count: int, min_idle_ms: int
) -> list[object]:
    """ID, owner, idle time and deliveries of up to `count` entries that are pending in a range."""
    found: list[object] = []
    for item in walk(group.pending if consumer is None else consumer.pending, start):
        stream_id = item[:16]
        if len(found) >= count or stream_id > stop:
            break
        record = group.pending.get(stream_id)
        assert record is not None
        idle_ms = ctx.now_ms - delivery_ms(record)
        if min_idle_ms == 0 or idle_ms >= min_idle_ms:
            owner = group.owner(record)
            found.append([text(stream_id), owner.name, max(idle_ms, 0), delivery_count(record)])
    return found


# Taking over


class Claim:
    """The options of XCLAIM behind the IDs."""

    def __init__(self) -> None:
        self.delivered_ms = -1
        self.retry_count = -1
        self.force = False
        self.just_id = False
        self.last_id = ZERO

    def read(self, words: Arguments, now_ms: int) -> None:
        option = words.take()
        word = option.upper()
        if word == b"FORCE":
            self.force = True
        elif word == b"JUSTID":
            self.just_id = True
        elif word == b"IDLE" and words:
            self.delivered_ms = now_ms - words.integer(bad_claim_option("IDLE"))
        elif word == b"TIME" and words:
            self.delivered_ms = words.integer(bad_claim_option("TIME"))
        elif word == b"RETRYCOUNT" and words:
            self.retry_count = words.integer(bad_claim_option("RETRYCOUNT"))
        elif word == b"LASTID" and words:
            self.last_id = parse_id(words.take())
        else:
            raise CommandError(unknown_claim_option(option))

    def count_for(self, record: bytes | None, min_idle_ms: int, now_ms: int) -> int:
        """How often an entry counts as delivered once it is claimed, or -1 if it may not be."""
        if record is None:
            count = 1 if self.force else -1
        elif min_idle_ms and now_ms - delivery_ms(record) < min_idle_ms:
            count = -1
        else:
            count = delivery_count(record)
        if count >= 0 and self.retry_count >= 0:
            return self.retry_count
        return count if count < 0 or self.just_id else count + 1


@command(
    "XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] "
    "[FORCE] [JUSTID] [LASTID lastid]",
    flags="write fast",
    keys="RW update",
    since="5.0.0",
    complexity="O(log N) with N being the number of messages in the PEL of the consumer group.",
    tips="nondeterministic_output",
)
def xclaim(ctx: Context, key: bytes, name: bytes, consumer_name: bytes, min_idle: bytes, *arguments: bytes) -> object:
    """Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer
    group member."""
    ctx.record_nothing()
    stream, group = group_to_change(ctx, key, name)
    if stream is None or group is None:
        raise CommandError(no_group(key, name))
    min_idle_ms = max(parse_int(min_idle, bad_min_idle("XCLAIM")), 0)
    ids, claim = parse_claim(arguments, wall_ms(ctx))
    moved = claim.last_id > group.last_id
    if moved:
        group.last_id = claim.last_id
        record_position(ctx, key, group)
    consumer = consumer_of(ctx, key, group, consumer_name)
    deliveries = Deliveries(ctx, key, group, consumer)
    claimed: list[object] = []
    dropped = 0
    for stream_id in ids:
        reply = reply_for(stream, stream_id, claim.just_id)
        record = group.pending.get(stream_id)
        if reply is not None:
            count = claim.count_for(record, min_idle_ms, ctx.now_ms)
            if count >= 0:
                deliveries.give(stream_id, claim.delivered_ms, count)
                claimed.append(reply)
        elif record is not None:
            deliveries.drop(stream_id)
            dropped += 1
    finish(ctx, key, deliveries, consumer, len(claimed), len(claimed) + dropped or int(moved))
    if claim.delivered_ms < ctx.now_ms:
        # Who waits for idle entries may have to be asked sooner now.
        ctx.keys.wake(key)
    return claimed


def reply_for(stream: Stream, stream_id: bytes, just_id: bool) -> object:
    """What is answered for an entry that was claimed, or None if it is not there."""
    if just_id:
        return text(stream_id) if stream.has(stream_id) else None
    return stream.find(stream_id)


def parse_claim(arguments: Sequence[bytes], now_ms: int) -> tuple[list[bytes], Claim]:
    """The IDs, which end at the first argument that is none, and the options behind them."""
    ids = []
    claim = Claim()
    for argument in arguments:
        try:
            ids.append(parse_id(argument))
        except CommandError:
            break
    words = Arguments(arguments[len(ids) :])
    while words:
        claim.read(words, now_ms)
    if not 0 <= claim.delivered_ms <= now_ms:
        claim.delivered_ms = now_ms
    return ids, claim


def finish(ctx: Context, key: bytes, deliveries: Deliveries, consumer: Consumer, claimed: int, changes: int) -> None:
    """Records what XCLAIM or XAUTOCLAIM did."""
    if claimed:
        consumer.active_ms = wall_ms(ctx)
    deliveries.record()
    if changes:
        ctx.keys.noted(key, 0, b"", changes)


@command(
    "XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]",
    flags="write fast",
    keys="RW delete",
    since="6.2.0",
    complexity="O(1) if COUNT is small.",
    tips="nondeterministic_output",
    history=(
        ("7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL"),
    ),
)
def xautoclaim(
    ctx: Context, key: bytes, name: bytes, consumer_name: bytes, min_idle: bytes, start: bytes, *options: bytes
) -> object:
    """Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer
    group member."""
    ctx.record_nothing()
    # Looked at before the options are, as on the real server: a mistake in them counts as a hit or a miss, too.
    ctx.keys.look(key)
    min_idle_ms = max(parse_int(min_idle, bad_min_idle("XAUTOCLAIM")), 0)
    first = parse_start_of_range(start)
    count = DEFAULT_CLAIMED
    just_id = False
    words = Arguments(options)
    while words:
        word = words.word()
        if word == b"COUNT" and words:
            count = parse_bounded(words.take(), 1, MOST_CLAIMED, COUNT_NOT_POSITIVE)
        elif word == b"JUSTID":
            just_id = True
        else:
            raise CommandError(SYNTAX)
    stream: Stream | None = ctx.keys.edit(key, Stream)
    group = None if stream is None else stream.group(name)
    if stream is None or group is None:
        raise CommandError(no_group(key, name))
    consumer = consumer_of(ctx, key, group, consumer_name)
    deliveries = Deliveries(ctx, key, group, consumer)
    claimed: list[object] = []
    deleted: list[bytes] = []
    cursor = ZERO
    attempts = count * ATTEMPTS
    for record in walk(group.pending, first):
        stream_id = record[:16]
        if attempts == 0 or len(claimed) + len(deleted) == count:
            cursor = stream_id
            break
        attempts -= 1
        reply = reply_for(stream, stream_id, just_id)
        if reply is None:
            deliveries.drop(stream_id)
            deleted.append(text(stream_id))
        elif min_idle_ms == 0 or ctx.now_ms - delivery_ms(record) >= min_idle_ms:
            deliveries.give(stream_id, ctx.now_ms, delivery_count(record) + (0 if just_id else 1))
            claimed.append(reply)
    finish(ctx, key, deliveries, consumer, len(claimed), len(claimed) + len(deleted))
    return [text(cursor), claimed, deleted]
