"""Random string commands."""

from __future__ import annotations

import random
from typing import Any

from tests.comparison.machine import KEYS, Known

VALUES = [b"", b"0", b"1", b"-1", b"10", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808"]
VALUES += [
    b"abc",
    b"hello world",
    b"3.25",
    b"-0.5",
    b"1e3",
    b" 1",
    b"1 ",
    b"01",
    b"+1",
    b"x" * 60,
    b"\x00\xff",
    b"nan",
    b"inf",
]
NUMBERS = [
    b"0",
    b"1",
    b"-1",
    b"5",
    b"100",
    b"-100",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"abc",
    b"",
    b"1.5",
]
DEADLINES = [b"100", b"1000", b"0", b"-1", b"abc", b"9223372036854775807", b"9223372036854775"]
PAST_OR_FAR = [b"1", b"1000", b"99999999999", b"99999999999999", b"0", b"-5", b"x"]

KNOWN = [
    Known(
        "a whole number that INCRBYFLOAT left is an int here; the real server calls it so only after a restart",
        lambda argv, theirs, ours: argv[0] == b"OBJECT" and (theirs, ours) == (b"embstr", b"int"),
    ),
]
NEWER = {b"MSETEX", b"DELEX", b"DELIFEQ", b"DIGEST"}


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def value(chance: random.Random) -> bytes:
    return chance.choice(VALUES)


def number(chance: random.Random) -> bytes:
    return chance.choice(NUMBERS)


def deadline(chance: random.Random) -> list[bytes]:
    word = chance.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
    if word in (b"EXAT", b"PXAT"):
        return [word, chance.choice([b"99999999999" if word == b"EXAT" else b"99999999999999", b"0", b"-5", b"x"])]
    return [
        word,
        chance.choice(DEADLINES if word == b"EX" else [b"100000", b"0", b"-1", b"zz", b"9223372036854775807"]),
    ]


def set_options(chance: random.Random) -> list[bytes]:
    options: list[bytes] = []
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        options += chance.choice(
            [[b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"PERSIST"], deadline(chance), [b"nx"], [b"bogus"], [b"EX"]]
        )
    return options


def pairs(chance: random.Random) -> list[bytes]:
    items = [word for _ in range(chance.randint(1, 3)) for word in (key(chance), value(chance))]
    return items[: -1 if chance.random() < 0.1 else None]


def lcs_options(chance: random.Random) -> list[bytes]:
    options: list[bytes] = []
    for _ in range(chance.choice([0, 1, 2])):
        options += chance.choice([[b"LEN"], [b"IDX"], [b"WITHMATCHLEN"], [b"MINMATCHLEN", number(chance)], [b"x"]])
    return options


GENERATORS: dict[bytes, Any] = {
    b"SET": lambda c: [key(c), value(c), *set_options(c)],
    b"GET": lambda c: [key(c)],
    b"GETSET": lambda c: [key(c), value(c)],
    b"GETDEL": lambda c: [key(c)],
    b"GETEX": lambda c: [key(c), *c.choice([[], deadline(c), [b"PERSIST"], [b"KEEPTTL"], [*deadline(c), b"PERSIST"]])],
    b"SETNX": lambda c: [key(c), value(c)],
    b"SETEX": lambda c: [key(c), c.choice(DEADLINES), value(c)],
    b"PSETEX": lambda c: [key(c), c.choice([b"100000", b"0", b"-1", b"q"]), value(c)],
    b"MGET": lambda c: [key(c) for _ in range(c.randint(1, 4))],
    b"MSET": pairs,
    b"MSETNX": pairs,
    b"STRLEN": lambda c: [key(c)],
    b"APPEND": lambda c: [key(c), value(c)],
    b"SETRANGE": lambda c: [key(c), c.choice([b"0", b"1", b"5", b"70", b"-1", b"536870912", b"x"]), value(c)],
    b"GETRANGE": lambda c: [key(c), number(c), number(c)],
    b"SUBSTR": lambda c: [key(c), number(c), number(c)],
    b"INCR": lambda c: [key(c)],
    b"DECR": lambda c: [key(c)],
    b"INCRBY": lambda c: [key(c), number(c)],
    b"DECRBY": lambda c: [key(c), number(c)],
    b"INCRBYFLOAT": lambda c: [key(c), c.choice([*VALUES, b"0.1", b"1e-3", b"-2.5", b"1e400"])],
    b"LCS": lambda c: [key(c), key(c), *lcs_options(c)],
    b"DEL": lambda c: [key(c)],
    b"PERSIST": lambda c: [key(c)],
    b"TTL": lambda c: [key(c)],
}
