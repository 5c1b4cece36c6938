"""Random SORT and SORT_RO over lists, sets and sorted sets, with weights in strings and hashes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.comparison.machine import Known

# The key says what it holds, so that `accept` knows which replies have an order of their own.
LISTS = [b"list1", b"list2"]
SETS = [b"set1", b"set2"]
SORTED_SETS = [b"zset1", b"zset2"]
SOURCES = [*LISTS, *SETS, *SORTED_SETS, b"missing", b"text"]
DESTINATIONS = [b"stored", b"list2", b"text", b"set2"]

NUMBERS = [b"0", b"1", b"2", b"3", b"10", b"-1", b"-7", b"1.5", b"-0.5", b"1e3", b"9007199254740993"]
# No number out of range: the real servers leave its errno standing and refuse the next weights as well.
TEXTS = [
    b"a",
    b"b",
    b"B",
    b"ab",
    b"abc",
    b"",
    b"x y",
    b"\xff",
    b"inf",
    b"-inf",
    b" 4",
    b"nan",
    b"4 ",
    b"0x10",
]
PATTERNS = [b"w_*", b"w_*", b"h_*->f", b"h_*->f", b"h_*->", b"*", b"w_*->f", b"missing_*", b"h_*->f->g", b"*_w"]
CONSTANTS = [b"nosort", b"#", b"w_1", b"h_1->f"]


def sorting_converts(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return argv[:2] == [b"OBJECT", b"ENCODING"] and (theirs, ours) == (b"skiplist", b"listpack")


def short(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return argv[:2] == [b"OBJECT", b"ENCODING"] and theirs in (b"quicklist", b"hashtable") and ours == b"listpack"


KNOWN = [
    Known("the real server's SORT leaves a small sorted set converted, ours only reads it", sorting_converts),
    Known("since 7.2 a short list or set is a listpack", short, ("redis",)),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(list(GENERATORS))
    return [name, *GENERATORS[name](chance)]


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """What the real server leaves to chance: the order of a set, and of equal texts once it sorts only a part."""
    words = [word.upper() for word in argv]
    if words[0] not in (b"SORT", b"SORT_RO") or not isinstance(theirs, list) or not isinstance(ours, list):
        return False
    patterns = [pattern for word, pattern in pairwise(words) if word == b"BY"]
    if not patterns:
        return False
    sorts = all(b"*" in pattern for pattern in patterns)
    if b"ALPHA" not in words if sorts else argv[1] not in SETS:
        return False
    return len(theirs) == len(ours) and (b"LIMIT" in words or Counter(theirs) == Counter(ours))


def element(chance: random.Random) -> bytes:
    return chance.choice(NUMBERS if chance.random() < 0.97 else TEXTS)


def elements(chance: random.Random) -> list[bytes]:
    return [element(chance) for _ in range(chance.choice([1, 2, 5, 40]))]


def case(chance: random.Random, word: bytes) -> bytes:
    return chance.choice([word, word, word.lower()])


def limit(chance: random.Random) -> list[bytes]:
    bounds = [
        chance.choice([b"0", b"1", b"3", b"-2", b"9223372036854775807", b"-9223372036854775808"]) for _ in range(2)
    ]
    if chance.random() < 0.04:
        bounds[chance.randrange(2)] = chance.choice([b"x", b"", b"1.0"])
    return [case(chance, b"LIMIT"), *bounds]


def options(chance: random.Random, may_store: bool) -> list[bytes]:
    some: list[list[bytes]] = []
    alpha = chance.random() < 0.4
    by = chance.random() < 0.5
    if alpha:
        some.append([case(chance, b"ALPHA")])
    if by:
        some.append([b"BY", chance.choice(PATTERNS if chance.random() < 0.8 else CONSTANTS)])
    if chance.random() < 0.5:
        some.append([case(chance, chance.choice([b"ASC", b"DESC"]))])
    if chance.random() < 0.3:
        some.append(limit(chance))
    for _ in range(chance.choice([0, 0, 1, 2])):
        some.append([b"GET", chance.choice([*PATTERNS, *CONSTANTS])])
    # Equal texts keep the order in which they came, and a set's is by chance: not to be stored.
    may_store = may_store and not (alpha and by)
    if may_store and chance.random() < 0.3:
        some.append([b"STORE", chance.choice(DESTINATIONS)])
    if chance.random() < 0.02:
        some.append(chance.choice([[b"FOO"], [b"LIMIT"], [b"LIMIT", b"1"], [b"GET"], [b"BY"], [b"STORE"] * may_store]))
    chance.shuffle(some)
    return [word for option in some for word in option]


def weight_key(chance: random.Random, prefix: bytes) -> bytes:
    return prefix + element(chance)


def scored(chance: random.Random) -> list[bytes]:
    return [word for member in elements(chance) for word in (b"%d" % chance.randint(-5, 5), member)]


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"SORT": lambda c: [c.choice(SOURCES), *options(c, True)],
    b"SORT_RO": lambda c: [c.choice(SOURCES), *options(c, c.random() < 0.1)],
    b"RPUSH": lambda c: [c.choice(LISTS), *elements(c)],
    b"SADD": lambda c: [c.choice(SETS), *elements(c)],
    b"ZADD": lambda c: [c.choice(SORTED_SETS), *scored(c)],
    b"SET": lambda c: [weight_key(c, b"w_"), element(c)],
    b"HSET": lambda c: [weight_key(c, b"h_"), c.choice([b"f", b"f->g", b"g"]), element(c)],
    b"SETRANGE": lambda c: [weight_key(c, b"w_"), b"0", b"5"],
    b"DEL": lambda c: [c.choice([*SOURCES, weight_key(c, b"w_"), weight_key(c, b"h_")])],
    b"APPEND": lambda c: [b"text", b"x"],
    b"LRANGE": lambda c: [c.choice([b"stored", b"list1"]), b"0", b"-1"],
    b"OBJECT": lambda c: [b"ENCODING", b"stored"],
}
