"""The stream commands on entries: adding, reading by range, deleting and trimming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.commands.stream_arguments import (
    NewId,
    parse_deletion,
    parse_id,
    parse_ids,
    parse_start_of_range,
    parse_stop_of_range,
    parse_trimming,
)
from alcove.engine import events
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    ABOVE_NEW_LAST_ID,
    BELOW_MAX_DELETED,
    BELOW_TOP,
    ENTRY_TOO_LARGE,
    FEWER_THAN_PRESENT,
    ID_IS_ZERO,
    ID_TOO_LOW,
    NEGATIVE_ENTRIES_ADDED,
    NO_ID_LEFT,
    NO_SUCH_KEY,
    SYNTAX,
    CommandError,
    wrong_arity,
)
from alcove.numeric import parse_int
from alcove.types.stream import ACKNOWLEDGED, DROP_REFERENCES, MAX_NODE_BYTES, Stream, total_size
from alcove.types.stream_id import LAST, ZERO, text
from alcove.values import NULL_ARRAY, OK

# Read by every write: a C integer in the compiled build.
_STREAM = events.STREAM

# What became of an entry, in the replies of XDELEX and XACKDEL.
NOT_THERE: Final = -1
DELETED: Final = 1
STILL_NEEDED: Final = 2


@command(
    "XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> "
    "field value [field value ...]",
    flags="write denyoom fast",
    keys="RW update",
    since="5.0.0",
    complexity="O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    tips="nondeterministic_output",
    history=(
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ),
)
def xadd(ctx: Context, key: bytes, first: bytes, *rest: bytes) -> bytes | None:
    """Appends a new message to a stream. Creates the key if it doesn't exist."""
    trimming = None
    pairs = list(rest)
    if first != b"*":
        trimming = parse_trimming(ctx, (first, *rest), True)
        del pairs[: trimming.size - 1]
    if not pairs or len(pairs) % 2:
        raise CommandError(wrong_arity("xadd"))
    if trimming is not None and trimming.new_id.stream_id == ZERO:
        raise CommandError(ID_IS_ZERO)
    if total_size(pairs) > MAX_NODE_BYTES:
        raise CommandError(ENTRY_TOO_LARGE)
    if trimming is not None and trimming.no_stream and ctx.keys.edit(key, Stream) is None:
        return None
    space = ctx.keys.space
    stream: Stream = ctx.keys.edit_or_create(key, Stream)
    stream_id = stream.next_id(space.now_ms) if trimming is None else new_id(stream, trimming.new_id, space.now_ms)
    if stream_id is None or stream_id <= stream.last_id:
        raise CommandError(NO_ID_LEFT if stream.last_id == LAST else ID_TOO_LOW)
    stream.add(stream_id, pairs)
    name = text(stream_id)
    again = [] if trimming is None else trimming.apply(stream)[1]
    if space.recording:
        ctx.record(b"XADD", key, *again, name, *pairs)
    ctx.keys.changed(key, _STREAM, b"xadd")
    if again:
        ctx.keys.notify(_STREAM, b"xtrim", key)
    return name


def new_id(stream: Stream, wanted: NewId, now_ms: int) -> bytes | None:
    """The ID that is wanted for an entry, or None if there is none left of that kind."""
    if wanted.stream_id is not None:
        return wanted.stream_id
    return stream.next_id(now_ms) if wanted.ms is None else stream.next_id_in(wanted.ms)


@command("XLEN key", flags="readonly fast", keys="RO", since="5.0.0", complexity="O(1)")
def xlen(ctx: Context, key: bytes) -> int:
    """Return the number of messages in a stream."""
    stream: Stream | None = ctx.keys.read(key, Stream)
    return 0 if stream is None else len(stream)


@command(
    "XRANGE key start end [COUNT count]",
    flags="readonly",
    since="5.0.0",
    complexity=(
        "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first "
        "10 elements with COUNT), you can consider it O(1)."
    ),
    history=(("6.2.0", "Added exclusive ranges."),),
)
def xrange(ctx: Context, key: bytes, start: bytes, end: bytes, *options: bytes) -> object:
    """Returns the messages from a stream within a range of IDs."""
    first, last = parse_start_of_range(start), parse_stop_of_range(end)
    return entries_in_range(ctx, key, first, last, options, False)


@command(
    "XREVRANGE key end start [COUNT count]",
    flags="readonly",
    since="5.0.0",
    complexity=(
        "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first "
        "10 elements with COUNT), you can consider it O(1)."
    ),
    history=(("6.2.0", "Added exclusive ranges."),),
)
def xrevrange(ctx: Context, key: bytes, end: bytes, start: bytes, *options: bytes) -> object:
    """Returns the messages from a stream within a range of IDs in reverse order."""
    first, last = parse_start_of_range(start), parse_stop_of_range(end)
    return entries_in_range(ctx, key, first, last, options, True)


def entries_in_range(
    ctx: Context, key: bytes, start: bytes, stop: bytes, options: Sequence[bytes], backwards: bool
) -> object:
    count = -1
    for at in range(0, len(options), 2):
        if options[at].upper() != b"COUNT" or at + 1 == len(options):
            raise CommandError(SYNTAX)
        count = max(parse_int(options[at + 1]), 0)
    stream: Stream | None = ctx.keys.read(key, Stream)
    if stream is None:
        return []
    return NULL_ARRAY if count == 0 else stream.range(start, stop, count, backwards)


@command(
    "XDEL key id [id ...]",
    flags="write fast",
    keys="RW delete",
    since="5.0.0",
    complexity="O(1) for each single item to delete in the stream, regardless of the stream size.",
)
def xdel(ctx: Context, key: bytes, *ids: bytes) -> int:
    """Returns the number of messages after removing them from a stream."""
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        return 0
    deleted = 0
    for stream_id in parse_ids(ids):
        if stream.delete(stream_id):
            deleted += 1
    if deleted:
        ctx.keys.changed(key, _STREAM, b"xdel", deleted)
    return deleted


@command(
    "XDELEX key [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
    flags="write fast",
    keys="RW delete",
    since="8.2.0",
    complexity="O(1) for each single item to delete in the stream, regardless of the stream size.",
)
def xdelex(ctx: Context, key: bytes, *arguments: bytes) -> list[int]:
    """Deletes one or multiple entries from the stream."""
    policy, ids = parse_deletion(arguments)
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        return [NOT_THERE] * len(ids)
    length = len(stream)
    dereferenced = 0
    fates = []
    for stream_id in ids:
        if policy == DROP_REFERENCES and stream.dereference(stream_id):
            dereferenced += 1
        fates.append(delete_unless_needed(stream, stream_id, policy))
    deleted = length - len(stream)
    if deleted:
        ctx.keys.changed(key, _STREAM, b"xdel", deleted)
    elif dereferenced:
        ctx.keys.changed(key, 0, b"", dereferenced)
    return fates


def delete_unless_needed(stream: Stream, stream_id: bytes, policy: int) -> int:
    """Deletes an entry, except that ACKED spares those that a group needs, and all where there is no group."""
    if policy == ACKNOWLEDGED and (stream.group_count() == 0 or stream.needed(stream_id)):
        return STILL_NEEDED if stream.has(stream_id) else NOT_THERE
    return DELETED if stream.delete(stream_id) else NOT_THERE


@command(
    "XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
    flags="write",
    keys="RW delete",
    since="5.0.0",
    complexity=(
        "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are "
        "organized in macro nodes containing multiple entries that can be released with a single deallocation."
    ),
    tips="nondeterministic_output",
    history=(
        ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ),
)
def xtrim(ctx: Context, key: bytes, *arguments: bytes) -> int:
    """Deletes messages from the beginning of a stream."""
    trimming = parse_trimming(ctx, arguments, False)
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        return 0
    deleted, again = trimming.apply(stream)
    if again:
        ctx.record(b"XTRIM", key, *again)
    if deleted:
        ctx.keys.changed(key, _STREAM, b"xtrim", deleted)
    elif again:
        ctx.keys.changed(key, 0, b"")
    return deleted


@command(
    "XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    flags="write denyoom fast",
    keys="RW update",
    since="5.0.0",
    complexity="O(1)",
    history=(("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments."),),
)
def xsetid(ctx: Context, key: bytes, last_id: bytes, *options: bytes) -> object:
    """An internal command for replicating stream values."""
    new_last = parse_id(last_id)
    entries_added = -1
    max_deleted = ZERO
    for at in range(0, len(options), 2):
        word = options[at].upper()
        if word not in (b"ENTRIESADDED", b"MAXDELETEDID") or at + 1 == len(options):
            raise CommandError(SYNTAX)
        if word == b"ENTRIESADDED":
            entries_added = parse_int(options[at + 1])
            if entries_added < 0:
                raise CommandError(NEGATIVE_ENTRIES_ADDED)
        else:
            max_deleted = parse_id(options[at + 1])
            if new_last < max_deleted:
                raise CommandError(ABOVE_NEW_LAST_ID)
    stream: Stream | None = ctx.keys.edit(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    check_counters(stream, new_last, entries_added)
    stream.last_id = new_last
    if entries_added != -1:
        stream.entries_added = entries_added
    if max_deleted != ZERO:
        stream.max_deleted_id = max_deleted
    ctx.keys.noted(key, _STREAM, b"xsetid")
    return OK


def check_counters(stream: Stream, last_id: bytes, entries_added: int) -> None:
    """Refuses what would contradict the entries that are there."""
    if last_id < stream.max_deleted_id:
        raise CommandError(BELOW_MAX_DELETED)
    if len(stream) == 0:
        return
    if last_id < stream.last_entry_id():
        raise CommandError(BELOW_TOP)
    if 0 <= entries_added < len(stream):
        raise CommandError(FEWER_THAN_PRESENT)
