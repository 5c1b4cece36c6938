"""`alcove dump`: writes the keys of a folder, a file or a server as lines of text (see text_form)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from alcove.numeric import try_int
from alcove.tools.conversation import Command, Conversation, Refused, Task, transaction
from alcove.tools.text_form import encode_line, score_text, text

# How many keys are read at a time, and how many fields' deadlines are asked for by one command.
TOGETHER: Final = 100
FIELDS: Final = 1000
# How often a key may become another while it is read.
_MOST_TRIES: Final = 20


def dump(conversation: Conversation, number: int | None, warn: Callable[[str], None]) -> Iterator[bytes]:
    """The lines of all keys, or of one database's, and of the libraries of functions.

    A key that is there all the time comes once, as it was at one moment; `warn` is told of one that cannot be read.
    """
    if number is None:
        yield from libraries(conversation)
    for each in databases(conversation) if number is None else [number]:
        conversation.select(each)
        keys = scan(conversation)
        while batch := list(islice(keys, TOGETHER)):
            for key, record in zip(batch, conversation.drive([read(conversation, key) for key in batch]), strict=True):
                if isinstance(record, Refused):
                    warn(f"database {each}, key {text(key)}: {record}")
                elif record is not None:
                    yield encode_line({"db": each, "key": text(key), **record})


def libraries(conversation: Conversation) -> Iterator[bytes]:
    if conversation.knows(b"FUNCTION"):
        for library in answer(conversation, b"FUNCTION", b"LIST", b"WITHCODE"):
            yield encode_line({"library": text(named(library)[b"library_code"])})


def databases(conversation: Conversation) -> list[int]:
    """The numbers of the databases that hold keys."""
    lines = answer(conversation, b"INFO", b"keyspace").split()
    found = [try_int(line[2:].partition(b":")[0]) for line in lines if line.startswith(b"db")]
    return [number for number in found if number is not None]


def scan(conversation: Conversation) -> Iterator[bytes]:
    """The keys of the database selected, each once."""
    cursor = b"0"
    seen: set[bytes] = set()
    while True:
        cursor, keys = answer(conversation, b"SCAN", cursor, b"COUNT", b"1000")
        # While a table changes its size a key may come again.
        yield from (key for key in dict.fromkeys(keys) if key not in seen)
        seen.update(keys)
        if cursor == b"0":
            return


def answer(conversation: Conversation, *command: bytes) -> Any:
    (reply,) = conversation.ask([command])
    if isinstance(reply, Exception):
        raise Refused(f"{command[0].decode()}: {reply}")
    return reply


# One key


def read(conversation: Conversation, key: bytes) -> Task[dict[str, Any] | None]:
    """Type, deadline and value of a key as they are at one moment; None if there is no such key."""
    fields: list[bytes] = []
    for _ in range(_MOST_TRIES):
        (kind,) = yield [(b"TYPE", key)]
        if isinstance(kind, Exception):
            raise Refused(str(kind))
        if kind == b"none":
            return None
        timed = kind == b"hash" and conversation.knows(b"HPEXPIRETIME")
        if timed and not fields:
            (found,) = yield [(b"HKEYS", key)]
            if not isinstance(found, list):
                continue
            fields = found
        asked = [(b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(part), *part) for part in parts(fields)] if timed else []
        value, *rest = yield from transaction([reading(kind, key), *asked, *deadline(conversation, key)])
        if isinstance(value, Exception) and not str(value).startswith(("WRONGTYPE", "no such key")):
            raise Refused(str(value))
        if isinstance(value, Exception) or value is None or value == []:
            # It went, or became another, meanwhile.
            continue
        if timed and value[::2] != fields:
            fields = value[::2]
            continue
        return {"type": kind.decode(), **expiry(rest[len(asked) :]), "value": shaped(kind, value, rest[: len(asked)])}
    raise Refused("it changes too fast to be read")


def reading(kind: bytes, key: bytes) -> Command:
    """The command that tells all of a value."""
    match kind:
        case b"string":
            return (b"GET", key)
        case b"list":
            return (b"LRANGE", key, b"0", b"-1")
        case b"set":
            return (b"SMEMBERS", key)
        case b"hash":
            return (b"HGETALL", key)
        case b"zset":
            return (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES")
        case b"stream":
            return (b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0")
        case _:
            return (b"DUMP", key)


def deadline(conversation: Conversation, key: bytes) -> list[Command]:
    """The commands that tell when a key expires. Servers before 7.0 only know how long that takes."""
    return [(b"PEXPIRETIME", key)] if conversation.knows(b"PEXPIRETIME") else [(b"PTTL", key), (b"TIME",)]


def expiry(replies: list[Any]) -> dict[str, int]:
    """What a record says of the deadline."""
    expire_ms = replies[0]
    if isinstance(expire_ms, Exception):
        raise Refused(str(expire_ms))
    if expire_ms < 0:
        return {}
    if len(replies) > 1:
        seconds, micros = map(try_int, replies[1])
        expire_ms += (seconds or 0) * 1000 + (micros or 0) // 1000
    return {"expire_at_ms": expire_ms}


def shaped(kind: bytes, value: Any, deadlines: list[Any]) -> Any:
    """A value as a record has it."""
    match kind:
        case b"string":
            return text(value)
        case b"list" | b"set":
            return [text(element) for element in value]
        case b"hash":
            rows = [[text(name), text(one)] for name, one in pairs(value)]
            for row, expire_ms in zip(rows, joined(deadlines), strict=False):
                if expire_ms > 0:
                    row.append(expire_ms)
            return rows
        case b"zset":
            return [[text(member), score_text(score)] for member, score in pairs(value)]
        case b"stream":
            return stream(named(value))
        case _:
            return {"dump": text(value)}


def joined(replies: list[Any]) -> list[int]:
    """The deadlines of all fields."""
    found: list[int] = []
    for reply in replies:
        if isinstance(reply, Exception):
            raise Refused(str(reply))
        found += reply
    return found


def stream(facts: dict[bytes, Any]) -> dict[str, Any]:
    deleted = facts.get(b"max-deleted-entry-id")
    return {
        "entries": [[text(entry), [list(map(text, pair)) for pair in pairs(row)]] for entry, row in facts[b"entries"]],
        "last_id": text(facts[b"last-generated-id"]),
        "max_deleted_id": None if deleted is None else text(deleted),
        "entries_added": facts.get(b"entries-added"),
        "groups": [group(named(each)) for each in facts[b"groups"]],
    }


def group(facts: dict[bytes, Any]) -> dict[str, Any]:
    return {
        "name": text(facts[b"name"]),
        "last_id": text(facts[b"last-delivered-id"]),
        "entries_read": facts.get(b"entries-read"),
        "consumers": [text(named(each)[b"name"]) for each in facts[b"consumers"]],
        "pending": [[text(entry), text(consumer), *rest] for entry, consumer, *rest in facts[b"pending"]],
    }


def pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def named(flat: list[Any]) -> dict[bytes, Any]:
    """A flat reply of names and values."""
    return dict(pairs(flat))


def parts(fields: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(fields), FIELDS):
        yield fields[start : start + FIELDS]
