"""Random set commands."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import CommandError
from alcove.values import Members
from tests.comparison.machine import KEYS, NAMES_ALONE, Known

MEMBERS = [b"a", b"b", b"c", b"d", b"1", b"2", b"3", b"-1", b"70000", b"9223372036854775807", b"9223372036854775808"]
MEMBERS += [b"", b"007", b"+1", b"\x00\xff", b"x" * 64]
LONG = [b"x" * 65]
COUNTS = [b"0", b"1", b"2", b"3", b"-3", b"4", b"100000", b"-1", b"x", b"-9223372036854775808", b"9223372036854775807"]
PATTERNS = [b"*", b"a*", b"[0-9]*", b"x", b"?", b""]

UNORDERED = {b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF"}
KNOWN = [
    NAMES_ALONE,
    Known(
        "a short set is a listpack since 7.2",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and (theirs, ours) == (b"hashtable", b"listpack"),
        ("redis",),
    ),
    Known(
        "a set that was made for more members than fit an intset is none, even if it gets fewer, since 7.2",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and (theirs, ours) == (b"intset", b"hashtable"),
        ("redis",),
    ),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def keys(chance: random.Random) -> list[bytes]:
    return [chance.choice([*KEYS, b"missing"]) for _ in range(chance.choice([1, 2, 2, 3, 4]))]


def member(chance: random.Random) -> bytes:
    return chance.choice(LONG) if chance.random() < 0.01 else chance.choice(MEMBERS)


def members(chance: random.Random) -> list[bytes]:
    """Mostly a few, at times so many that the set outgrows a listpack or an intset."""
    if chance.random() < 0.04:
        first, number = chance.choice([0, 100, 300]), chance.choice([20, 120, 129, 400, 513])
        form = chance.choice([b"%d", b"%d", b"many:%d"])
        return [form % (first + at) for at in range(number)]
    return [member(chance) for _ in range(chance.choice([1, 1, 2, 4]))]


def sintercard(chance: random.Random) -> list[bytes]:
    names = keys(chance)
    number = b"%d" % len(names) if chance.random() < 0.9 else chance.choice([b"0", b"-1", b"x", b"5", b"99"])
    options = chance.choice([[], [], [b"LIMIT", chance.choice(COUNTS)], [b"LIMIT"], [b"x", b"1"]])
    return [number, *names, *options, *([b"LIMIT", b"1"] if chance.random() < 0.05 else [])]


def scan_options(chance: random.Random) -> list[bytes]:
    # COUNT is large, so that one call sees all members and the order of the walk does not matter.
    options = [b"COUNT", b"100000"]
    for _ in range(chance.choice([0, 0, 1, 2])):
        options += chance.choice(
            [[b"MATCH", chance.choice(PATTERNS)], [b"COUNT", b"0"], [b"x"], [b"NOVALUES"], [b"noscores"]]
        )
    return options


def draw(chance: random.Random) -> list[bytes]:
    return chance.choice([[], [chance.choice(COUNTS)], [chance.choice(COUNTS)], [b"1", b"1"]])


def mirror(argv: list[bytes], theirs: Any) -> list[bytes]:
    """What SPOP took there is removed here."""
    if argv[0] != b"SPOP" or type(theirs) not in (bytes, list, Members) or theirs == []:
        return argv
    return [b"SREM", argv[1], *([theirs] if isinstance(theirs, bytes) else theirs)]


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Draws by chance have to be as many; SSCAN has no order."""
    if isinstance(theirs, CommandError) or isinstance(ours, CommandError):
        return False
    if argv[0] == b"SPOP" and isinstance(ours, int):
        return ours == (1 if isinstance(theirs, bytes) else len(theirs))
    if argv[0] == b"SRANDMEMBER":
        return type(theirs) is type(ours) and (not isinstance(theirs, list) or len(theirs) == len(ours))
    if argv[0] == b"SSCAN":
        return bool(theirs[0] == ours[0]) and sorted(theirs[1]) == sorted(ours[1])
    return False


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"SADD": lambda c: [key(c), *members(c)],
    b"SREM": lambda c: [key(c), *members(c)],
    b"SMOVE": lambda c: [key(c), key(c), member(c)],
    b"SISMEMBER": lambda c: [key(c), member(c)],
    b"SMISMEMBER": lambda c: [key(c), *members(c)],
    b"SCARD": lambda c: [key(c)],
    b"SMEMBERS": lambda c: [key(c)],
    b"SSCAN": lambda c: [key(c), c.choice([b"0", b"0", b"0", b"x", b"1x"]), *scan_options(c)],
    b"SRANDMEMBER": lambda c: [key(c), *draw(c)],
    b"SPOP": lambda c: [key(c), *draw(c)],
    b"SINTER": keys,
    b"SINTERSTORE": lambda c: [key(c), *keys(c)],
    b"SINTERCARD": sintercard,
    b"SUNION": keys,
    b"SUNIONSTORE": lambda c: [key(c), *keys(c)],
    b"SDIFF": keys,
    b"SDIFFSTORE": lambda c: [key(c), *keys(c)],
    b"OBJECT": lambda c: [b"ENCODING", key(c)],
    b"SET": lambda c: [key(c), b"a string"],
    b"DEL": lambda c: [key(c)],
    b"EXPIRE": lambda c: [key(c), b"1000"],
    b"COPY": lambda c: [key(c), key(c), b"REPLACE"],
}
