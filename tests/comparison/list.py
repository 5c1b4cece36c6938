"""Random list commands, those that wait included: alone they time out at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import TIMEOUT_NEGATIVE, TIMEOUT_OUT_OF_RANGE
from tests.comparison.machine import KEYS, Known

ELEMENTS = [b"a", b"b", b"c", b"1", b"-1", b"007", b"", b"70000", b"\x00\xff"]
LONG = [b"x" * 100, b"y" * 3000, b"z" * 9000]
INDICES = [b"0", b"1", b"2", b"-1", b"-2", b"5", b"100", b"-100", b"x", b"1.5", b"", b"9223372036854775808"]
FAR = [b"9223372036854775807", b"-9223372036854775808"]
COUNTS = [b"0", b"1", b"2", b"-1", b"-2", b"10", b"1000", b"x", b"9223372036854775807", b"-9223372036854775807"]
TIMEOUTS = [
    b"0.001",
    b"0.001",
    b"0.001",
    b"-1",
    b"x",
    b"1e400",
    b"-1e400",
    b"9223372036854775807",
    b"inf",
    b"",
    b"1e-30",
]

KNOWN = [
    Known(
        "a timeout beyond 64 bits is told from a negative one since 7.2",
        lambda argv, theirs, ours: (text(theirs), text(ours)) == (TIMEOUT_NEGATIVE, TIMEOUT_OUT_OF_RANGE),
        ("redis",),
    ),
    Known(
        "a short list is a listpack since 7.2",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and (theirs, ours) == (b"quicklist", b"listpack"),
        ("redis",),
    ),
    Known(
        "a long list that has become short is a listpack again only when one node is left, which its history decides",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and {theirs, ours} == {b"quicklist", b"listpack"},
        ("valkey",),
    ),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def text(reply: Any) -> str:
    return getattr(reply, "text", "")


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def element(chance: random.Random) -> bytes:
    return chance.choice(LONG) if chance.random() < 0.05 else chance.choice(ELEMENTS)


def elements(chance: random.Random) -> list[bytes]:
    if chance.random() < 0.03:
        return [chance.choice([b"%d" % at, element(chance), b"many"]) for at in range(chance.choice([50, 700, 1500]))]
    return [element(chance) for _ in range(chance.choice([1, 1, 2, 4]))]


def index(chance: random.Random) -> bytes:
    return b"%d" % chance.randint(-6, 6) if chance.random() < 0.6 else chance.choice(INDICES)


def any_index(chance: random.Random) -> bytes:
    """Not for LSET, which cuts it to 32 bits on the real servers, so that the farthest index is the nearest."""
    return chance.choice(FAR) if chance.random() < 0.05 else index(chance)


def end(chance: random.Random) -> bytes:
    return chance.choice([b"LEFT", b"RIGHT", b"left", b"LEFT", b"RIGHT", b"x"])


def pop_count(chance: random.Random) -> list[bytes]:
    return chance.choice([[], [], [chance.choice(COUNTS)], [b"1", b"2"] if chance.random() < 0.2 else []])


def lpos_options(chance: random.Random) -> list[bytes]:
    options: list[bytes] = []
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        word = chance.choice([b"RANK", b"COUNT", b"MAXLEN", b"rank", b"count", b"maxlen"])
        options += [word, chance.choice([b"0", b"1", b"2", b"3", b"-1", b"-2", *COUNTS])]
    return [*options, b"x"] if chance.random() < 0.05 else options


def mpop(chance: random.Random) -> list[bytes]:
    keys = [key(chance) for _ in range(chance.randint(1, 3))]
    number = b"%d" % len(keys) if chance.random() < 0.9 else chance.choice([b"0", b"-1", b"x", b"5", b"99"])
    options = chance.choice([[], [], [b"COUNT", chance.choice(COUNTS)], [b"COUNT"], [b"x", b"1"]])
    repeated = [b"COUNT", b"2"] if chance.random() < 0.03 else []
    return [number, *keys, end(chance), *options, *repeated]


def timeout(chance: random.Random) -> bytes:
    """One that ends soon, or is refused."""
    return chance.choice(TIMEOUTS)


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"LPUSH": lambda c: [key(c), *elements(c)],
    b"RPUSH": lambda c: [key(c), *elements(c)],
    b"LPUSHX": lambda c: [key(c), *elements(c)],
    b"RPUSHX": lambda c: [key(c), *elements(c)],
    b"LINSERT": lambda c: [key(c), c.choice([b"BEFORE", b"after", b"x"]), element(c), element(c)],
    b"LSET": lambda c: [key(c), index(c), element(c)],
    b"LLEN": lambda c: [key(c)],
    b"LINDEX": lambda c: [key(c), any_index(c)],
    b"LRANGE": lambda c: [key(c), any_index(c), any_index(c)],
    b"LPOS": lambda c: [key(c), element(c), *lpos_options(c)],
    b"LPOP": lambda c: [key(c), *pop_count(c)],
    b"RPOP": lambda c: [key(c), *pop_count(c)],
    b"LREM": lambda c: [key(c), c.choice(COUNTS), element(c)],
    b"LTRIM": lambda c: [key(c), any_index(c), any_index(c)],
    b"LMOVE": lambda c: [key(c), key(c), end(c), end(c)],
    b"RPOPLPUSH": lambda c: [key(c), key(c)],
    b"LMPOP": mpop,
    b"BLPOP": lambda c: [*(key(c) for _ in range(c.randint(1, 3))), timeout(c)],
    b"BRPOP": lambda c: [*(key(c) for _ in range(c.randint(1, 3))), timeout(c)],
    b"BLMOVE": lambda c: [key(c), key(c), end(c), end(c), timeout(c)],
    b"BRPOPLPUSH": lambda c: [key(c), key(c), timeout(c)],
    b"BLMPOP": lambda c: [timeout(c), *mpop(c)],
    b"OBJECT": lambda c: [b"ENCODING", key(c)],
    b"SET": lambda c: [key(c), b"a string"],
    b"DEL": lambda c: [key(c)],
    b"EXPIRE": lambda c: [key(c), b"1000"],
    b"COPY": lambda c: [key(c), key(c), b"REPLACE"],
}
