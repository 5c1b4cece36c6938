"""Random sorted set commands, with sets and strings among the keys.

Members that share a score are ordered by their bytes, and ranges of members mean something only where all scores are
equal: those commands have a key of their own, which gets no other score.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS, NAMES_ALONE, Known

LEX = b"lex"
MEMBERS = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"aa", b"b\xff", b"", b"1", b"2", b"-7", b"0.5", b"z" * 65]
# Small fractions of two: Redis 7.0 writes all 17 digits of a double, and among shortest forms there are ties.
SCORES = [b"0", b"1", b"2", b"-1", b"3", b"1.5", b"0.25", b"-0.5", b"inf", b"-inf", b"+inf", b"100", b"-100"]
ODD_SCORES = [b"0x10", b".5", b"5.", b"+2", b"123456789", b"1e9", b"1e2", b"-.25E1", b"0x1.8p3"]
BAD_SCORES = [b"", b"x", b"nan", b"1_0", b" 1", b"1 ", b"1e400", b"(1", b"--1", b"0x", b"infinit", b"1,5", b"e5"]
WEIGHTS = [b"0", b"1", b"2", b"-1", b"0.5", b"inf", b"-inf", b"1.5"]
INDEXES = [b"0", b"1", b"2", b"3", b"5", b"-1", b"-2", b"-3", b"-100", b"100", b"9223372036854775807"]
LOWEST = b"-9223372036854775808"
BAD_INDEXES = [b"x", b"1.5", b"", b"9223372036854775808"]
BOUNDS = [b"0", b"1", b"(1", b"2", b"(2", b"-inf", b"+inf", b"inf", b"(inf", b"(-inf", b"-1", b"(0", b"1.5", b"1e300"]
ODD_BOUNDS = [b"", b"(", b" 1", b"1\x002", b"( 2"]
BAD_BOUNDS = [b"x", b"((1", b"nan", b"(nan", b"1 ", b" ", b"[1", b"1e"]
LEX_BOUNDS = [b"-", b"+", b"[a", b"(a", b"[b", b"(b", b"[c", b"(f", b"[", b"(", b"[aa", b"[b\xff", b"(zz", b"-\x00x"]
BAD_LEX_BOUNDS = [b"", b"a", b"+a", b"-a", b"*", b"{a"]
COUNTS = [b"0", b"1", b"2", b"3", b"10", b"-1", b"x", b"9223372036854775807", b"9223372036854775808"]
TIMEOUTS = [b"0.001", b"0.002", b"0.0001", b"-1", b"x", b"-0.5", b"1e300", b"1e400", b"inf", b"-inf", b"1e5000"]


def has_a_score(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return argv[0] in (b"ZRANK", b"ZREVRANK") and len(argv) == 4


def is_a_newer_encoding(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Small sets are listpacks since 7.2, and ZADD goes by what it is given even if it adds nothing of it."""
    return argv[0] == b"OBJECT" and (theirs, ours) in ((b"hashtable", b"listpack"), (b"listpack", b"skiplist"))


def is_an_infinite_timeout(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return isinstance(ours, CommandError) and ours.text == "ERR timeout is out of range"


KNOWN = [
    NAMES_ALONE,
    Known("ZRANK takes WITHSCORE since 7.2", has_a_score, ("redis",)),
    Known("newer than Redis 7.0", is_a_newer_encoding, ("redis",)),
    Known("infinity overflowed to a negative timeout", is_an_infinite_timeout, ("redis",)),
]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(NAMES)
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS) if chance.random() < 0.95 else LEX


def keys(chance: random.Random) -> list[bytes]:
    return [chance.choice([*KEYS, LEX]) for _ in range(chance.choice([1, 1, 2, 2, 3, 4]))]


def destination(chance: random.Random) -> bytes:
    return chance.choice(KEYS)


def word(chance: random.Random, keyword: bytes) -> bytes:
    return chance.choice([keyword, keyword, keyword.lower()])


def rarely(chance: random.Random, usual: list[bytes], rare: list[bytes], part: float = 0.04) -> bytes:
    return chance.choice(rare if chance.random() < part else usual)


def member(chance: random.Random) -> bytes:
    return rarely(chance, MEMBERS[:10], MEMBERS[10:], 0.2)


def members(chance: random.Random) -> list[bytes]:
    return [member(chance) for _ in range(chance.choice([1, 1, 2, 3, 6]))]


def score(chance: random.Random) -> bytes:
    return rarely(chance, SCORES if chance.random() < 0.7 else ODD_SCORES, BAD_SCORES, 0.02)


def index(chance: random.Random) -> bytes:
    return rarely(chance, [*INDEXES, LOWEST], BAD_INDEXES)


def bound(chance: random.Random) -> bytes:
    return rarely(chance, BOUNDS if chance.random() < 0.9 else ODD_BOUNDS, BAD_BOUNDS)


def lex_bound(chance: random.Random) -> bytes:
    return rarely(chance, LEX_BOUNDS, BAD_LEX_BOUNDS)


def noise(chance: random.Random) -> list[bytes]:
    return [chance.choice([b"foo", b"1", b"LIMIT", b"WITHSCORES"])] if chance.random() < 0.02 else []


def zadd(chance: random.Random) -> list[bytes]:
    where = key(chance)
    options = [
        word(chance, chance.choice([b"NX", b"XX", b"GT", b"LT", b"CH", b"CH", b"INCR"]))
        for _ in range(chance.choice([0, 0, 0, 1, 1, 2]))
    ]
    if where == LEX:
        return [LEX, *[option for option in options if option.upper() != b"INCR"], *lex_elements(chance)]
    elements: list[bytes] = []
    size = 1 if b"INCR" in options else chance.choice([1, 1, 2, 4])
    for _ in range(140 if chance.random() < 0.01 else size):
        elements += [score(chance), member(chance) if size < 140 else b"m%d" % chance.randrange(1000)]
    if chance.random() < 0.02:
        elements.append(b"odd")
    return [where, *options, *elements]


def lex_elements(chance: random.Random) -> list[bytes]:
    return [part for one in members(chance) for part in (b"0", one)]


def limit(chance: random.Random) -> list[bytes]:
    if chance.random() < 0.6:
        return []
    # The servers disagree about negative offsets: with Valkey's larger form they find something.
    return [word(chance, b"LIMIT"), index(chance).lstrip(b"-"), index(chance)]


def by_score(chance: random.Random) -> list[bytes]:
    scores = [word(chance, b"WITHSCORES")] if chance.random() < 0.5 else []
    return [key(chance), bound(chance), bound(chance), *scores, *limit(chance), *noise(chance)]


def by_rank(chance: random.Random) -> list[bytes]:
    scores = [word(chance, b"WITHSCORES")] if chance.random() < 0.5 else []
    return [key(chance), index(chance), index(chance), *scores, *noise(chance)]


def by_lex(chance: random.Random) -> list[bytes]:
    return [LEX, lex_bound(chance), lex_bound(chance), *limit(chance), *noise(chance)]


def zrange(chance: random.Random) -> list[bytes]:
    kind = chance.choice([b"", b"BYSCORE", b"BYLEX"])
    reverse = [word(chance, b"REV")] if chance.random() < 0.4 else []
    scores = [b"WITHSCORES"] if chance.random() < (0.1 if kind == b"BYLEX" else 0.5) else []
    words = limit(chance) if kind or chance.random() < 0.05 else []
    if kind == b"BYLEX":
        return [LEX, lex_bound(chance), lex_bound(chance), kind, *reverse, *words, *scores, *noise(chance)]
    if kind:
        return [key(chance), bound(chance), bound(chance), *reverse, *words, *scores, kind, *noise(chance)]
    return [key(chance), index(chance), index(chance), *reverse, *words, *scores, *noise(chance)]


def zrangestore(chance: random.Random) -> list[bytes]:
    words = zrange(chance)
    return [destination(chance), *[one for one in words if one != b"WITHSCORES" or chance.random() < 0.05]]


def numkeys(chance: random.Random, names: list[bytes]) -> bytes:
    if chance.random() < 0.04:
        return chance.choice([b"0", b"-1", b"x", b"100", b"", b"1.0", b"9223372036854775807"])
    return b"%d" % len(names)


def combined(chance: random.Random, storing: bool, weighted: bool) -> list[bytes]:
    names = keys(chance)
    words = [numkeys(chance, names), *names]
    if chance.random() < (0.4 if weighted else 0.02):
        number = len(names) + (chance.random() < 0.03)
        words += [word(chance, b"WEIGHTS"), *[rarely(chance, WEIGHTS, BAD_SCORES) for _ in range(number)]]
    if chance.random() < (0.4 if weighted else 0.02):
        words += [word(chance, b"AGGREGATE"), word(chance, rarely(chance, [b"SUM", b"MIN", b"MAX"], [b"AVG"]))]
    if chance.random() < (0.02 if storing else 0.5):
        words.append(word(chance, b"WITHSCORES"))
    return words + noise(chance)


def zintercard(chance: random.Random) -> list[bytes]:
    names = keys(chance)
    words = [b"LIMIT", chance.choice([b"0", b"1", b"2", b"5", b"-1", b"x"])] if chance.random() < 0.5 else []
    return [numkeys(chance, names), *names, *words, *noise(chance)]


def zmpop(chance: random.Random) -> list[bytes]:
    names = keys(chance)
    words = [word(chance, b"COUNT"), rarely(chance, [b"1", b"2", b"5"], COUNTS, 0.1)] if chance.random() < 0.4 else []
    end = rarely(chance, [b"MIN", b"MAX", b"min"], [b"MID", b"COUNT"])
    # No more keys than there are: the servers' own sums overflow.
    number = numkeys(chance, names).replace(b"9223372036854775807", b"999")
    return [number, *names, end, *words, *noise(chance)]


def zscan(chance: random.Random) -> list[bytes]:
    # COUNT is large, so that one call sees all members and the order of the walk does not matter.
    words = [b"COUNT", b"10000"]
    if chance.random() < 0.3:
        words += [word(chance, b"MATCH"), chance.choice([b"*", b"a*", b"[a-c]", b"m*1", b"", b"NOSCORES"])]
    if chance.random() < 0.1:
        words += chance.choice([[b"COUNT", b"0"], [b"COUNT", b"x"], [b"foo"], [b"NOSCORES"], [b"NOVALUES"], [b"MATCH"]])
    return [key(chance), rarely(chance, [b"0"], [b"x", b"1x", b"18446744073709551616"]), *words]


def zrandmember(chance: random.Random) -> list[bytes]:
    count = chance.choice([b"0", b"1", b"3", b"100", b"-3", b"-10", b"x", b"9223372036854775807", b"5", LOWEST])
    words = chance.choice([[], [count], [count, b"WITHSCORES"], [count, b"foo"], [count, b"WITHSCORES", b"x"]])
    return [key(chance), *words]


GENERATORS: dict[bytes, Callable[[random.Random], list[bytes]]] = {
    b"ZADD": zadd,
    b"ZINCRBY": lambda c: [c.choice(KEYS), rarely(c, [score(c)], [b"NX", b"incr"]), member(c)],
    b"ZREM": lambda c: [key(c), *members(c)],
    b"ZCARD": lambda c: [key(c)],
    b"ZSCORE": lambda c: [key(c), member(c)],
    b"ZMSCORE": lambda c: [key(c), *members(c)],
    b"ZRANK": lambda c: [key(c), member(c), *c.choice([[], [], [b"WITHSCORE"], [b"x"], [b"WITHSCORE", b"x"]])],
    b"ZREVRANK": lambda c: [key(c), member(c), *c.choice([[], [], [b"withscore"], [b"WITHSCORES"]])],
    b"ZCOUNT": lambda c: [key(c), bound(c), bound(c)],
    b"ZLEXCOUNT": lambda c: [LEX, lex_bound(c), lex_bound(c)],
    b"ZRANGE": zrange,
    b"ZREVRANGE": by_rank,
    b"ZRANGEBYSCORE": by_score,
    b"ZREVRANGEBYSCORE": by_score,
    b"ZRANGEBYLEX": by_lex,
    b"ZREVRANGEBYLEX": by_lex,
    b"ZRANGESTORE": zrangestore,
    b"ZREMRANGEBYRANK": lambda c: [key(c), index(c), index(c)],
    b"ZREMRANGEBYSCORE": lambda c: [key(c), bound(c), bound(c)],
    b"ZREMRANGEBYLEX": lambda c: [LEX, lex_bound(c), lex_bound(c)],
    b"ZPOPMIN": lambda c: [key(c), *c.choice([[], [c.choice(COUNTS)], [b"1", b"x"]])],
    b"ZPOPMAX": lambda c: [key(c), *c.choice([[], [c.choice(COUNTS)]])],
    b"ZMPOP": zmpop,
    b"BZPOPMIN": lambda c: [*keys(c), rarely(c, TIMEOUTS[:3], TIMEOUTS)],
    b"BZPOPMAX": lambda c: [*keys(c), rarely(c, TIMEOUTS[:3], TIMEOUTS)],
    b"BZMPOP": lambda c: [rarely(c, TIMEOUTS[:3], TIMEOUTS), *zmpop(c)],
    b"ZUNION": lambda c: combined(c, False, True),
    b"ZINTER": lambda c: combined(c, False, True),
    b"ZDIFF": lambda c: combined(c, False, False),
    b"ZINTERCARD": zintercard,
    b"ZUNIONSTORE": lambda c: [destination(c), *combined(c, True, True)],
    b"ZINTERSTORE": lambda c: [destination(c), *combined(c, True, True)],
    b"ZDIFFSTORE": lambda c: [destination(c), *combined(c, True, False)],
    b"ZRANDMEMBER": zrandmember,
    b"ZSCAN": zscan,
    b"SADD": lambda c: [destination(c), *members(c)],
    b"SET": lambda c: [destination(c), b"text"],
    b"DEL": lambda c: [c.choice([*KEYS, LEX])],
    b"EXPIRE": lambda c: [key(c), b"1000"],
}
RARE = {b"SET", b"DEL", b"SADD", b"EXPIRE", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP", b"ZREMRANGEBYRANK", b"ZRANDMEMBER"}
NAMES = [b"ZADD"] * 25 + [name for name in GENERATORS for _ in range(1 if name in RARE else 2)]


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """ZSCAN has no order and wrote 17 digits once; ZRANDMEMBER answers by chance."""
    if not isinstance(theirs, list) or not isinstance(ours, list):
        return argv[0] == b"ZRANDMEMBER" and isinstance(theirs, bytes) and isinstance(ours, bytes)
    if argv[0] == b"ZRANDMEMBER":
        return len(theirs) == len(ours)
    if argv[0] == b"ZSCAN":
        read = sorted if b"NOSCORES" in argv else scored
        return bool(theirs[0] == ours[0] and read(theirs[1]) == read(ours[1]))
    return False


def scored(flat: list[bytes]) -> list[tuple[bytes, float]]:
    return sorted((flat[at], float(flat[at + 1])) for at in range(0, len(flat), 2))
