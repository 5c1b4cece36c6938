"""Random generic commands over strings, with transactions in between."""

from __future__ import annotations

import random
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS

VALUES = [b"", b"1", b"abc", b"x" * 50]
AMOUNTS = [
    b"1000",
    b"100000",
    b"0",
    b"-1",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775",
    b"x",
    b"1.5",
]
MOMENTS = [b"99999999999", b"9999999999999", b"0", b"-1", b"1", b"9223372036854775807", b"x"]
DATABASES = [b"0", b"1", b"9", b"15", b"16", b"-1", b"x", b"99999999999999999999"]
PATTERNS = [b"*", b"a*", b"[ab]", b"[^a]", b"?", b"{e}?", b"\\a", b"[", b"[a-c]*", b"", b"*a*", b"[c-a]"]

UNORDERED = {b"KEYS"}
NEWER = {b"DELMATCH"}


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def keys(chance: random.Random) -> list[bytes]:
    return [key(chance) for _ in range(chance.randint(1, 4))]


def conditions(chance: random.Random) -> list[bytes]:
    return [chance.choice([b"NX", b"XX", b"GT", b"LT", b"lt", b"foo"]) for _ in range(chance.choice([0, 0, 1, 1, 2]))]


def scan_options(chance: random.Random) -> list[bytes]:
    # COUNT is large, so that one call sees all keys and the order of the walk does not matter.
    options = [b"COUNT", b"1000"]
    for _ in range(chance.choice([0, 1, 2])):
        options += chance.choice(
            [
                [b"MATCH", chance.choice(PATTERNS)],
                [b"TYPE", chance.choice([b"string", b"list", b"STRING"])],
                [b"COUNT", b"0"],
                [chance.choice([b"x", b"MATCH"])],
            ]
        )
    return options


def copy_options(chance: random.Random) -> list[bytes]:
    return chance.choice([[], [b"REPLACE"], [b"DB", chance.choice(DATABASES)], [b"DB", b"1", b"REPLACE"], [b"foo"]])


GENERATORS: dict[bytes, Any] = {
    b"SET": lambda c: [key(c), c.choice(VALUES)],
    b"APPEND": lambda c: [key(c), c.choice(VALUES)],
    b"DEL": keys,
    b"UNLINK": keys,
    b"EXISTS": keys,
    b"TOUCH": keys,
    b"TYPE": lambda c: [key(c)],
    b"KEYS": lambda c: [c.choice(PATTERNS)],
    b"SCAN": lambda c: [c.choice([b"0", b"0", b"0", b"x", b"1x"]), *scan_options(c)],
    b"RANDOMKEY": lambda c: [],
    b"RENAME": lambda c: [key(c), key(c)],
    b"RENAMENX": lambda c: [key(c), key(c)],
    b"MOVE": lambda c: [key(c), c.choice(DATABASES)],
    b"COPY": lambda c: [key(c), key(c), *copy_options(c)],
    b"OBJECT": lambda c: [c.choice([b"ENCODING", b"REFCOUNT", b"FREQ", b"foo"]), key(c)],
    b"EXPIRE": lambda c: [key(c), c.choice(AMOUNTS), *conditions(c)],
    b"PEXPIRE": lambda c: [key(c), c.choice([b"100000", *AMOUNTS]).replace(b"1000", b"1000000"), *conditions(c)],
    b"EXPIREAT": lambda c: [key(c), c.choice(MOMENTS), *conditions(c)],
    b"PEXPIREAT": lambda c: [key(c), c.choice(MOMENTS), *conditions(c)],
    b"TTL": lambda c: [key(c)],
    b"PTTL": lambda c: [key(c)],
    b"EXPIRETIME": lambda c: [key(c)],
    b"PEXPIRETIME": lambda c: [key(c)],
    b"PERSIST": lambda c: [key(c)],
    b"MULTI": lambda c: [],
    b"EXEC": lambda c: [],
    b"DISCARD": lambda c: [],
    b"WATCH": keys,
    b"UNWATCH": lambda c: [],
    b"DBSIZE": lambda c: [],
    b"SELECT": lambda c: [c.choice([b"0", b"0", b"0", b"0", b"1", b"x", b"16"])],
    b"SWAPDB": lambda c: [c.choice([b"0", b"1", b"x", b"99"]), c.choice([b"0", b"1", b"x"])],
    b"FLUSHDB": lambda c: c.choice([[], [b"ASYNC"], [b"SYNC"], [b"foo"]]),
    b"FLUSHALL": lambda c: c.choice([[], [b"ASYNC"], [b"foo"]]),
    b"ECHO": lambda c: [c.choice(VALUES)],
    b"PING": lambda c: c.choice([[], [b"hi"], [b"a", b"b"]]),
    b"NOSUCH": keys,
    b"GET": lambda c: c.choice([[], [key(c)], [key(c), key(c)]]),
}


def refused_in_multi(argv: list[bytes], theirs: Any) -> bool:
    """Valkey 8 refuses MULTI and WATCH in a transaction and spoils it; Redis answers an error and goes on."""
    return (
        argv[0] in (b"MULTI", b"WATCH")
        and isinstance(theirs, CommandError)
        and theirs.text == "ERR Command not allowed inside a transaction"
    )


def mirror(argv: list[bytes], theirs: Any) -> list[bytes]:
    """What spoils the transaction here too."""
    return [b"NOSUCH"] if refused_in_multi(argv, theirs) else argv


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """RANDOMKEY answers by chance, SCAN without order, and inside EXEC both stand in a list."""
    if refused_in_multi(argv, theirs):
        return True
    if argv[:2] == [b"OBJECT", b"REFCOUNT"]:
        # Which small numbers are shared objects depends there on the command that made them, and says nothing here.
        return isinstance(theirs, int) and isinstance(ours, int)
    if argv[0] == b"RANDOMKEY":
        return (theirs is None) == (ours is None)
    if argv[0] == b"SCAN" and isinstance(theirs, list) and isinstance(ours, list):
        return theirs[0] == ours[0] and sorted(theirs[1]) == sorted(ours[1])
    if argv[0] == b"EXEC" and isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(alike, theirs, ours))
    return False


def alike(theirs: Any, ours: Any) -> bool:
    """Two replies of commands that EXEC ran: of the same kind, numbers that are times close, lists without order."""
    if isinstance(theirs, CommandError) or isinstance(ours, CommandError):
        return getattr(theirs, "text", theirs) == getattr(ours, "text", ours)
    if isinstance(theirs, int) and isinstance(ours, int) and min(theirs, ours) > 1:
        return abs(theirs - ours) <= 5000
    if (theirs, ours) == (2, 1):
        # OBJECT REFCOUNT: their queue still holds the argument that APPEND or SET made a value of.
        return True
    if isinstance(theirs, list) and isinstance(ours, list):
        return sorted(map(repr, theirs)) == sorted(map(repr, ours)) or (
            len(theirs) == 2 and isinstance(theirs[1], list) and sorted(theirs[1]) == sorted(ours[1])
        )
    return theirs == ours or (type(theirs) is bytes and type(ours) is bytes)
