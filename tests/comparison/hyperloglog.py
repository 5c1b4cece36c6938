"""Random HyperLogLog commands. GET shows that the values have the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.comparison.machine import KEYS

# As strings: no HyperLogLog, a fresh one, a dense one too short, sparse ones whose runs are too long or too short.
HEADER = b"HYLL\x01" + bytes(10) + b"\x80"
VALUES = [
    b"",
    b"text",
    HEADER,
    HEADER + b"\x7f\xff",
    HEADER + b"\x7f\xff\x7f\xff",
    HEADER + b"\x7f\xf0",
    HEADER + b"\x00",
    b"HYLL\x00" + bytes(100),
    b"HYLL\x02" + bytes(100),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def keys(chance: random.Random, fewest: int) -> list[bytes]:
    return [chance.choice([*KEYS, b"missing"]) for _ in range(chance.choice([fewest, fewest, 1, 2, 3]))]


def elements(chance: random.Random) -> list[bytes]:
    """Now and then so many that the value turns dense."""
    universe = chance.choice([10, 1000, 1_000_000])
    size = chance.choice([0, 1, 1, 3, 30, 500])
    return [b"%d" % chance.randint(0, universe) + b"x" * chance.choice([0, 0, 7]) for _ in range(size)]


def debug(chance: random.Random) -> list[bytes]:
    word = chance.choice([b"ENCODING", b"DECODE", b"DECODE", b"GETREG", b"TODENSE", b"todense", b"FOO"])
    return [word, chance.choice([*KEYS, b"missing"])]


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"PFADD": lambda c: [key(c), *elements(c)],
    b"PFCOUNT": lambda c: keys(c, 1),
    b"PFMERGE": lambda c: [key(c), *keys(c, 0)],
    b"PFDEBUG": debug,
    b"GET": lambda c: [key(c)],
    b"SET": lambda c: [key(c), c.choice(VALUES)],
    b"SETRANGE": lambda c: [key(c), b"%d" % c.choice([0, 4, 8, 15]), c.choice([b"\x00", b"\x01", b"\x80", b"\xff"])],
    b"GETDEL": lambda c: [key(c)],
    b"EXPIRE": lambda c: [key(c), b"1000"],
}
