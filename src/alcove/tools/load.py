"""`alcove load`: puts the keys that stand in lines of text (see text_form) into a folder or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from alcove.commands.stream_arguments import parse_id
from alcove.errors import CommandError
from alcove.numeric import try_int
from alcove.tools.conversation import Command, Conversation, Refused, Task, transaction
from alcove.tools.text_form import BadLine, data, decode_line, items, member, score, whole
from alcove.types.stream_id import text as shown

# How many keys are written at a time, and how many elements one command has.
TOGETHER: Final = 100
ELEMENTS: Final = 500

# What a key's task returns if the key was there already.
_LEFT_ALONE: Final = False

Words = Iterable[tuple[bytes, ...]]


@dataclass
class Outcome:
    """How many keys and libraries were loaded, were there and left alone, and could not be loaded."""

    loaded: int = 0
    there: int = 0
    failed: int = 0


def load(conversation: Conversation, lines: Iterable[bytes], replace: bool, warn: Callable[[str], None]) -> Outcome:
    """Loads every line; `warn` is told of each that cannot be. Keys that are there are replaced, or else left alone.

    A key is written at once: whoever looks sees all of it or nothing.
    """
    outcome = Outcome()
    batch: dict[int, tuple[int, Task[bool]]] = {}
    names: set[tuple[int, bytes]] = set()

    def finish() -> None:
        write(conversation, batch, outcome, warn)
        batch.clear()
        names.clear()

    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            number, key, task = parse(decode_line(line), replace)
        except BadLine as error:
            warn(f"line {place}: {error}")
            outcome.failed += 1
            continue
        # Of two lines with one key the second has to see what the first has done.
        if (number, key) in names or len(batch) >= TOGETHER:
            finish()
        batch[place] = (number, task)
        names.add((number, key))
    finish()
    return outcome


def write(
    conversation: Conversation,
    batch: dict[int, tuple[int, Task[bool]]],
    outcome: Outcome,
    warn: Callable[[str], None],
) -> None:
    """Has the tasks of some lines done, those of each database together."""
    for number in sorted({number for number, _ in batch.values()}):
        mine = {place: task for place, (database, task) in batch.items() if database == number}
        results: list[bool | Refused]
        try:
            conversation.select(number)
        except Refused as refused:
            results = [refused] * len(mine)
        else:
            results = conversation.drive(list(mine.values()))
        for place, result in zip(mine, results, strict=True):
            if isinstance(result, Refused):
                warn(f"line {place}: {result}")
                outcome.failed += 1
            elif result is _LEFT_ALONE:
                outcome.there += 1
            else:
                outcome.loaded += 1


def parse(record: dict[str, Any], replace: bool) -> tuple[int, bytes, Task[bool]]:
    """The database and key of a record, and what is to be done with it. Raises `BadLine`."""
    if "library" in record:
        return 0, b"", function(data(record["library"]), replace)
    number = try_int(whole(record.get("db", 0)))
    if number is None:
        raise BadLine("no number of a database")
    key = data(member(record, "key"))
    commands = list(building(key, member(record, "type"), member(record, "value")))
    if "expire_at_ms" in record:
        commands.append((b"PEXPIREAT", key, whole(record["expire_at_ms"])))
    return number, key, put(key, commands, replace)


def function(code: bytes, replace: bool) -> Task[bool]:
    (reply,) = yield [(b"FUNCTION", b"LOAD", *((b"REPLACE",) if replace else ()), code)]
    if isinstance(reply, Exception):
        if "already exists" in str(reply):
            return _LEFT_ALONE
        raise Refused(str(reply))
    return True


def put(key: bytes, commands: list[Command], replace: bool) -> Task[bool]:
    """Makes a key by commands, in one transaction."""
    if not replace:
        (there,) = yield [(b"EXISTS", key)]
        if there:
            return _LEFT_ALONE
    for reply in (yield from transaction([(b"DEL", key), *commands])):
        if isinstance(reply, Exception):
            # What of it is there is not what it should be.
            yield [(b"DEL", key)]
            raise Refused(str(reply))
    return True


# The commands that make a value


def building(key: bytes, kind: str, value: Any) -> Iterator[Command]:
    match kind:
        case "string":
            yield (b"SET", key, data(value))
        case "list":
            yield from in_parts((b"RPUSH", key), [(data(element),) for element in items(value)])
        case "set":
            yield from in_parts((b"SADD", key), [(data(element),) for element in items(value)])
        case "hash":
            rows = items(value, 2, 3)
            yield from in_parts((b"HSET", key), [(data(row[0]), data(row[1])) for row in rows])
            yield from deadlines(key, rows)
        case "zset":
            yield from in_parts((b"ZADD", key), [(score(row[1]), data(row[0])) for row in items(value, 2)])
        case "stream":
            yield from stream(key, value)
        case _:
            yield (b"RESTORE", key, b"0", data(member(value, "dump")))


def deadlines(key: bytes, rows: list[Any]) -> Iterator[Command]:
    """The commands that give fields of a hash their deadlines: fields with the same one share them."""
    found: dict[bytes, list[bytes]] = {}
    for row in rows:
        if len(row) == 3:
            found.setdefault(whole(row[2]), []).append(data(row[0]))
    for expire_ms, fields in found.items():
        for start in range(0, len(fields), ELEMENTS):
            some = fields[start : start + ELEMENTS]
            yield (b"HPEXPIREAT", key, expire_ms, b"FIELDS", b"%d" % len(some), *some)


def in_parts(command: tuple[bytes, ...], words: list[tuple[bytes, ...]]) -> Iterator[Command]:
    """A command for every few hundred elements."""
    if not words:
        raise BadLine("a key without elements")
    for start in range(0, len(words), ELEMENTS):
        yield (*command, *(word for element in words[start : start + ELEMENTS] for word in element))


def stream(key: bytes, value: Any) -> Iterator[Command]:
    """The commands that make a stream with its groups.

    What was delivered and then deleted is pending still. A server lets nobody claim what is not there, so such
    entries are put in and taken out again behind the claims.
    """
    rows = items(member(value, "entries"), 2)
    entries = {stream_id(row[0]): [data(word) for pair in items(row[1], 2) for word in pair] for row in rows}
    groups = items(member(value, "groups"))
    pending = {stream_id(row[0]) for each in groups for row in items(member(each, "pending"), 4)}
    gone = pending - entries.keys()
    for entry in sorted(entries.keys() | gone):
        yield (b"XADD", key, shown(entry), *entries.get(entry, (b"deleted", b"")))
    if not entries and not gone:
        yield (b"XADD", key, b"MAXLEN", b"0", b"0-1", b"deleted", b"")
    for each in groups:
        yield from group(key, each)
    # Trimming leaves no trace, deleting does; so it must be the former wherever it can.
    first = min(entries, default=None)
    deleted = [shown(entry) for entry in gone if first is not None and entry > first]
    if deleted:
        yield (b"XDEL", key, *deleted)
    if len(deleted) < len(gone):
        yield (b"XTRIM", key, b"MAXLEN", b"%d" % len(entries))
    yield (b"XSETID", key, data(member(value, "last_id")), *counts(value))


def counts(value: Any) -> tuple[bytes, ...]:
    """What servers since 7.0 know of a stream besides its last ID."""
    if member(value, "entries_added") is None or member(value, "max_deleted_id") is None:
        return ()
    return (b"ENTRIESADDED", whole(value["entries_added"]), b"MAXDELETEDID", data(value["max_deleted_id"]))


def group(key: bytes, value: Any) -> Iterator[Command]:
    name = data(member(value, "name"))
    read = value.get("entries_read")
    known = () if read is None else (b"ENTRIESREAD", whole(read))
    yield (b"XGROUP", b"CREATE", key, name, data(member(value, "last_id")), *known)
    for consumer in items(member(value, "consumers")):
        yield (b"XGROUP", b"CREATECONSUMER", key, name, data(consumer))
    for entry, consumer, delivered_ms, deliveries in items(member(value, "pending"), 4):
        how = (b"TIME", whole(delivered_ms), b"RETRYCOUNT", whole(deliveries), b"FORCE", b"JUSTID")
        yield (b"XCLAIM", key, name, data(consumer), b"0", data(entry), *how)


def stream_id(value: Any) -> bytes:
    """An entry's ID in the form that sorts."""
    try:
        return parse_id(data(value))
    except CommandError as error:
        raise BadLine(error.text) from None
