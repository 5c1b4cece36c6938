"""Random geo commands: places near each other and far apart, at the poles and at the date line."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS, Known, equal
from tests.comparison.sorted_set import is_a_newer_encoding

MEMBERS = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"Palermo", b"Catania", b"z" * 65]
# A few middles, so that places and searches meet.
LONGITUDES = [b"13.361389", b"15.087269", b"15", b"0", b"-122.4", b"179.9", b"-179.9", b"180", b"-180", b"1e-7"]
LATITUDES = [b"38.115556", b"37.502669", b"37", b"0", b"37.77", b"85.05", b"-85.05", b"67", b"-81", b"-66.0001"]
BAD_LONGITUDES = [b"180.1", b"-181", b"x", b"nan", b"inf", b""]
BAD_LATITUDES = [b"85.06", b"-90", b"x", b"nan", b"-inf", b"1e400"]
LENGTHS = [b"0", b"1", b"10", b"100", b"200", b"1000", b"3000", b"0.5", b"1e7", b"20000", b"5000000", b"2e300"]
BAD_LENGTHS = [b"-1", b"x", b"nan", b"", b"-0.1", b"-inf", b"1e400"]
UNITS = [b"m", b"km", b"ft", b"mi", b"KM", b"Mi"]
BAD_UNITS = [b"x", b"", b"cm", b"kms"]
COUNTS = [b"1", b"2", b"3", b"100"]
BAD_COUNTS = [b"0", b"-1", b"x", b"", b"9223372036854775808"]


def says_polygon(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """The text names what Valkey 9 can search besides."""
    return (
        isinstance(theirs, CommandError)
        and isinstance(ours, CommandError)
        and theirs.text == ours.text.replace("BYRADIUS, BYBOX and BYPOLYGON", "BYRADIUS and BYBOX")
    )


def are_the_same_scores(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """In RESP2, that is: in RESP3 scores are numbers already."""
    if argv[0] != b"ZRANGE" or not all(type(word) is bytes for word in [*theirs, *ours]):
        return False
    return theirs[::2] == ours[::2] and [*map(float, theirs[1::2])] == [*map(float, ours[1::2])]


KNOWN = [
    Known("Redis 7.0 writes all 17 digits of a score, and Valkey does at times", are_the_same_scores),
    Known("there are polygons too", says_polygon),
    Known("newer than Redis 7.0", is_a_newer_encoding, ("redis",)),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(NAMES)
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS[:4])


def word(chance: random.Random, keyword: bytes) -> bytes:
    return chance.choice([keyword, keyword, keyword.lower()])


def rarely(chance: random.Random, usual: list[bytes], rare: list[bytes], part: float = 0.02) -> bytes:
    return chance.choice(rare if chance.random() < part else usual)


def degrees(chance: random.Random, usual: list[bytes], bad: list[bytes], bound: float) -> bytes:
    kind = chance.random()
    if kind < 0.01:
        return chance.choice(bad)
    if kind < 0.5:
        return chance.choice(usual)
    if kind < 0.85:
        near = float(chance.choice(usual)) + chance.uniform(-2, 2)
        return b"%.*f" % (chance.randint(2, 12), max(-bound, min(bound, near)))
    return b"%.6f" % chance.uniform(-bound, bound)


def place(chance: random.Random) -> list[bytes]:
    return [degrees(chance, LONGITUDES, BAD_LONGITUDES, 180), degrees(chance, LATITUDES, BAD_LATITUDES, 85.0511)]


def length(chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return b"%.3f" % (10 ** chance.uniform(-2, 6))
    return rarely(chance, LENGTHS, BAD_LENGTHS)


def unit(chance: random.Random) -> bytes:
    return rarely(chance, UNITS, BAD_UNITS)


def members(chance: random.Random) -> list[bytes]:
    return [chance.choice([*MEMBERS, b"missing"]) for _ in range(chance.choice([1, 1, 2, 4]))]


def geoadd(chance: random.Random) -> list[bytes]:
    options = [word(chance, chance.choice([b"NX", b"XX", b"CH", b"CH"])) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
    elements: list[bytes] = []
    for _ in range(chance.choice([1, 2, 4])):
        elements += [*place(chance), chance.choice(MEMBERS)]
    if chance.random() < 0.02:
        elements.append(b"odd")
    return [key(chance), *options, *elements]


def common(chance: random.Random, storing: bool) -> list[bytes]:
    words: list[bytes] = []
    for keyword in (b"WITHDIST", b"WITHHASH", b"WITHCOORD"):
        if chance.random() < (0.01 if storing else 0.3):
            words.append(word(chance, keyword))
    if chance.random() < 0.4:
        words += [word(chance, b"COUNT"), rarely(chance, COUNTS, BAD_COUNTS)]
        # Which of the members at the same distance a count leaves out is not said, so it is not stored.
        if storing or chance.random() < 0.3:
            words.append(b"ANY")
    if chance.random() < 0.6:
        words.append(word(chance, chance.choice([b"ASC", b"DESC"])))
    if chance.random() < 0.02:
        words.append(chance.choice([b"foo", b"ANY", b"COUNT", b"STORE", b"STOREDIST", b"BYBOX"]))
    return words


def georadius(chance: random.Random, middle: list[bytes], read_only: bool) -> list[bytes]:
    storing = chance.random() < (0.02 if read_only else 0.3)
    words = common(chance, storing)
    if storing:
        words += [word(chance, chance.choice([b"STORE", b"STOREDIST"])), chance.choice(KEYS)]
    return [key(chance), *middle, length(chance), unit(chance), *words]


def shapes(chance: random.Random) -> list[bytes]:
    parts = []
    if chance.random() < 0.97:
        by_member = [word(chance, b"FROMMEMBER"), chance.choice(MEMBERS)]
        parts.append(by_member if chance.random() < 0.5 else [word(chance, b"FROMLONLAT"), *place(chance)])
    if chance.random() < 0.97:
        circle = [word(chance, b"BYRADIUS"), length(chance), unit(chance)]
        box = [word(chance, b"BYBOX"), length(chance), length(chance), unit(chance)]
        parts.append(circle if chance.random() < 0.5 else box)
    if chance.random() < 0.02:
        parts.append([b"BYBOX", b"1", b"1", b"m"])
    chance.shuffle(parts)
    return [part for words in parts for part in words]


def geosearch(chance: random.Random) -> list[bytes]:
    parts = [shapes(chance), common(chance, False)]
    chance.shuffle(parts)
    return [key(chance), *parts[0], *parts[1]]


def geosearchstore(chance: random.Random) -> list[bytes]:
    target = [chance.choice(KEYS), key(chance)]
    distances = [word(chance, b"STOREDIST")] if chance.random() < 0.3 else []
    return [*target, *shapes(chance), *distances, *common(chance, True)]


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"GEOADD": geoadd,
    b"GEOPOS": lambda c: [key(c), *members(c)],
    b"GEOHASH": lambda c: [key(c), *members(c)],
    b"GEODIST": lambda c: [key(c), c.choice(MEMBERS), c.choice(MEMBERS), *c.choice([[], [unit(c)], [b"m", b"x"]])],
    b"GEOSEARCH": geosearch,
    b"GEOSEARCHSTORE": geosearchstore,
    b"GEORADIUS": lambda c: georadius(c, place(c), False),
    b"GEORADIUS_RO": lambda c: georadius(c, place(c), True),
    b"GEORADIUSBYMEMBER": lambda c: georadius(c, [c.choice(MEMBERS)], False),
    b"GEORADIUSBYMEMBER_RO": lambda c: georadius(c, [c.choice(MEMBERS)], True),
    b"ZADD": lambda c: [key(c), c.choice([b"1", b"-1", b"4503599627370497", b"2e9", b"inf", b"0.5"]), b"odd"],
    b"SET": lambda c: [key(c), b"text"],
    b"DEL": lambda c: [key(c)],
}
NAMES = [b"GEOADD"] * 10 + [name for name in GENERATORS if name != b"GEOADD" for _ in range(1 if len(name) < 5 else 3)]


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """With COUNT, any of the members at the same distance may come."""
    if b"COUNT" not in [word.upper() for word in argv] or not isinstance(theirs, list) or not isinstance(ours, list):
        return False
    return len(theirs) == len(ours) and all(map(at_same_distance, theirs, ours))


def at_same_distance(theirs: Any, ours: Any) -> bool:
    """Whether two members are as far away, if that is said."""
    if isinstance(theirs, list) and len(theirs) > 1 and isinstance(theirs[1], bytes):
        return equal(theirs[1], ours[1])
    return type(theirs) is type(ours)
