"""Random bitmap commands. DIFF, DIFF1, ANDOR and ONE are newer than the servers: tests/commands/test_bitmap.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS, Known

BAD_NUMBERS = [b"x", b"1.5", b"", b"+1", b"01", b" 1"]
EXTREMES = [b"0", b"-1", b"1", b"7", b"8", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808"]
BAD_OFFSETS = [b"-1", b"4294967296", b"#1", b"#-1", b"x", b"", b"9223372036854775807"]
# Too far for fields of any width: with a narrow one, `#536870912` would make a value of up to 512 MB.
BAD_FIELD_OFFSETS = [*BAD_OFFSETS, b"#4294967296", b"#9223372036854775807", b"#", b"##1"]
BAD_TYPES = [b"u64", b"i0", b"i65", b"U8", b"x", b"", b"i", b"u08", b"i-1", b"16"]
BAD_STEPS = [[b"FOO"], [b"OVERFLOW"], [b"OVERFLOW", b"x"], [b"GET"], [b"GET", b"u8"], [b"SET", b"u8", b"0"]]


def checks_before_it_looks(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return argv[0] in (b"BITCOUNT", b"BITPOS") and isinstance(ours, CommandError)


def takes_a_start_alone(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return argv[0] == b"BITCOUNT" and len(argv) == 3


KNOWN = [
    Known("arguments are checked although the key is missing, or holds no string", checks_before_it_looks, ("redis",)),
    Known("BITCOUNT takes a start without an end", takes_a_start_alone, ("redis",)),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def word(chance: random.Random, keyword: bytes) -> bytes:
    return chance.choice([keyword, keyword, keyword.lower()])


def number(chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return chance.choice(BAD_NUMBERS)
    return chance.choice([b"%d" % chance.randint(-20, 20), b"%d" % chance.randint(-300, 300), chance.choice(EXTREMES)])


def operand(chance: random.Random) -> bytes:
    """A number for SET. At the lowest of all, SAT makes the servers' own sums overflow: they store the highest."""
    return number(chance).replace(b"-9223372036854775808", b"-4611686018427387904")


def offset(chance: random.Random) -> bytes:
    if chance.random() < 0.07:
        return chance.choice(BAD_OFFSETS)
    return b"%d" % chance.choice([chance.randint(0, 63), chance.randint(0, 500), chance.randint(0, 5000)])


def field_offset(chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return chance.choice(BAD_FIELD_OFFSETS)
    return b"#%d" % chance.randint(0, 40) if chance.random() < 0.3 else b"%d" % chance.randint(0, 500)


def field_type(chance: random.Random) -> bytes:
    if chance.random() < 0.04:
        return chance.choice(BAD_TYPES)
    return chance.choice([b"i", b"u"]) + b"%d" % chance.choice([1, 2, 5, 8, 16, 31, 32, 33, 63])


def bounds(chance: random.Random) -> list[bytes]:
    some = [number(chance) for _ in range(chance.choice([0, 1, 2, 2, 2, 2]))]
    if len(some) == 2 and chance.random() < 0.6:
        some.append(word(chance, chance.choice([b"BYTE", b"BIT", b"BIT", b"FOO"])))
    return some + [b"x"] * (chance.random() < 0.02)


def steps(chance: random.Random, changing: float) -> list[bytes]:
    """Steps of BITFIELD, of which about the given part are no GET."""
    some: list[bytes] = []
    for _ in range(chance.randint(0, 4)):
        if chance.random() < 0.03:
            some += chance.choice(BAD_STEPS)
        elif chance.random() < 0.25:
            some += [word(chance, b"OVERFLOW"), word(chance, chance.choice([b"WRAP", b"SAT", b"FAIL"]))]
        elif chance.random() >= changing:
            some += [word(chance, b"GET"), field_type(chance), field_offset(chance)]
        elif chance.random() < 0.5:
            some += [word(chance, b"SET"), field_type(chance), field_offset(chance), operand(chance)]
        else:
            some += [word(chance, b"INCRBY"), field_type(chance), field_offset(chance), number(chance)]
    return some


def text(chance: random.Random) -> bytes:
    size = chance.randint(0, 30)
    return chance.choice([b"", b"\xff" * size, bytes(size), chance.randbytes(size), b"123"])


def sources(chance: random.Random) -> list[bytes]:
    return [chance.choice([*KEYS, b"missing"]) for _ in range(chance.choice([1, 1, 2, 3]))]


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"SETBIT": lambda c: [key(c), offset(c), c.choice([b"0", b"1", b"0", b"1", b"1", b"2", b"x"])],
    b"GETBIT": lambda c: [key(c), offset(c)],
    b"BITCOUNT": lambda c: [key(c), *bounds(c)],
    b"BITPOS": lambda c: [key(c), c.choice([b"0", b"1", b"0", b"1", b"2", b"x"]), *bounds(c)],
    b"BITOP": lambda c: [word(c, c.choice([b"AND", b"OR", b"XOR", b"NOT", b"FOO"])), key(c), *sources(c)],
    b"BITFIELD": lambda c: [key(c), *steps(c, 0.7)],
    b"BITFIELD_RO": lambda c: [key(c), *steps(c, 0.05)],
    b"SET": lambda c: [key(c), text(c)],
    b"GET": lambda c: [key(c)],
    b"APPEND": lambda c: [key(c), text(c)],
    b"SETRANGE": lambda c: [key(c), b"%d" % c.randint(0, 40), text(c)],
    b"EXPIRE": lambda c: [key(c), b"1000"],
    b"DEL": lambda c: [key(c)],
}
