"""Random hash commands. Deadlines of fields are newer than the servers: tests/commands/test_hash_expiration.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS, NAMES_ALONE, Known

FIELDS = [b"f1", b"f2", b"f3", b"1", b"-1", b"007", b"", b"x" * 64, b"x" * 65, b"\x00\xff"]
VALUES = [b"", b"0", b"1", b"-1", b"10", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808"]
VALUES += [b"abc", b"1.5", b"-0.25", b"3.0e3", b"1e400", b" 1", b"01", b"y" * 64, b"y" * 65, b"nan", b"inf", b"0x10"]
INCREMENTS = [b"1", b"-1", b"5", b"0", b"9223372036854775807", b"-9223372036854775808", b"x", b"1.5", b"", b" 1"]
FLOATS = [
    b"0.1",
    b"-2.5",
    b"1e-3",
    b"5",
    b"1e400",
    b"inf",
    b"-Infinity",
    b"nan",
    b"x",
    b"",
    b"1e4000",
    b"3e5000",
    b"0x1p3",
]
COUNTS = [b"0", b"1", b"2", b"-3", b"100", b"-1", b"x", b"-9223372036854775808", b"9223372036854775807", b"1.5"]
PATTERNS = [b"*", b"f*", b"[0-9]*", b"x", b"?1", b""]

UNORDERED = {b"HGETALL", b"HKEYS", b"HVALS"}
KNOWN = [
    NAMES_ALONE,
    Known(
        "more fields in one command than a listpack takes make a table beforehand, even if they are the same field",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and (theirs, ours) == (b"listpack", b"hashtable"),
        ("redis",),
    ),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def field(chance: random.Random) -> bytes:
    return chance.choice(FIELDS)


def fields(chance: random.Random) -> list[bytes]:
    return [field(chance) for _ in range(chance.choice([1, 1, 2, 4]))]


def pairs(chance: random.Random) -> list[bytes]:
    """Mostly a few, at times so many that the hash outgrows a listpack, and at times one word too many."""
    if chance.random() < 0.02:
        first, number = chance.choice([0, 300]), chance.choice([100, 300, 513])
        return [word for at in range(number) for word in (b"many:%d" % (first + at), b"%d" % at)]
    words = [word for _ in range(chance.choice([1, 1, 2, 4])) for word in (field(chance), chance.choice(VALUES))]
    return [*words, b"odd"] if chance.random() < 0.04 else words


def scan_options(chance: random.Random) -> list[bytes]:
    # COUNT is large, so that one call sees all fields and the order of the walk does not matter.
    options = [b"COUNT", b"100000"]
    for _ in range(chance.choice([0, 0, 1, 2])):
        options += chance.choice(
            [[b"MATCH", chance.choice(PATTERNS)], [b"COUNT", b"0"], [b"x"], [b"MATCH"], [b"NOVALUES"], [b"NOSCORES"]]
        )
    return options


def draw(chance: random.Random) -> list[bytes]:
    options = chance.choice([[], [chance.choice(COUNTS)], [chance.choice(COUNTS), b"WITHVALUES"]])
    return [*options, b"x"] if chance.random() < 0.05 else options


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """HRANDFIELD draws by chance, so as many are enough; HSCAN has no order."""
    if isinstance(theirs, CommandError) or isinstance(ours, CommandError):
        return False
    if argv[0] == b"HRANDFIELD":
        return type(theirs) is type(ours) and (not isinstance(theirs, list) or len(theirs) == len(ours))
    if argv[0] == b"HSCAN":
        in_order = sorted if b"NOVALUES" in argv else in_pairs
        return bool(theirs[0] == ours[0]) and in_order(theirs[1]) == in_order(ours[1])
    return False


def in_pairs(words: list[bytes]) -> list[tuple[bytes, bytes]]:
    return sorted(zip(words[::2], words[1::2], strict=True))


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"HSET": lambda c: [key(c), *pairs(c)],
    b"HMSET": lambda c: [key(c), *pairs(c)],
    b"HSETNX": lambda c: [key(c), field(c), c.choice(VALUES)],
    b"HGET": lambda c: [key(c), field(c)],
    b"HMGET": lambda c: [key(c), *fields(c)],
    b"HGETALL": lambda c: [key(c)],
    b"HKEYS": lambda c: [key(c)],
    b"HVALS": lambda c: [key(c)],
    b"HLEN": lambda c: [key(c)],
    b"HEXISTS": lambda c: [key(c), field(c)],
    b"HSTRLEN": lambda c: [key(c), field(c)],
    b"HDEL": lambda c: [key(c), *fields(c)],
    b"HINCRBY": lambda c: [key(c), field(c), c.choice(INCREMENTS)],
    b"HINCRBYFLOAT": lambda c: [key(c), field(c), c.choice(FLOATS)],
    b"HRANDFIELD": lambda c: [key(c), *draw(c)],
    b"HSCAN": lambda c: [key(c), c.choice([b"0", b"0", b"0", b"x", b"-0", b"1x"]), *scan_options(c)],
    b"OBJECT": lambda c: [b"ENCODING", key(c)],
    b"SET": lambda c: [key(c), b"a string"],
    b"DEL": lambda c: [key(c)],
    b"EXPIRE": lambda c: [key(c), b"1000"],
    b"RENAME": lambda c: [key(c), key(c)],
    b"COPY": lambda c: [key(c), key(c), b"REPLACE"],
}
