"""Random stream commands. IDs that a server makes up are given to us; times are equal within seconds."""

from __future__ import annotations

import random
from typing import Any

from alcove.errors import CommandError
from tests.comparison.machine import KEYS, Known

NEWER = {b"XDELEX", b"XACKDEL"}

GROUPS = [b"g", b"g", b"h", b"missing"]
CONSUMERS = [b"alice", b"bob", b"carol"]
FIELDS = [[b"f"], [b"f"], [b"f", b"g"], [b"g"], [b"1"], [b""]]
VALUES = [b"", b"v", b"0", b"127", b"-300", b"123456789012", b"007", b"x" * 70, b"y" * 300]
ODD_IDS = [
    b"-",
    b"+",
    b"0",
    b"0-0",
    b"5-",
    b"-5",
    b"x",
    b"1-x",
    b"",
    b"1 -1",
    b"01-1",
    b"+1-1",
    b"7--1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"3-18446744073709551615",
]
# Idle times that milliseconds spent on the way cannot make true or false.
IDLE = [b"0", b"0", b"0", b"5000000", b"-1", b"x"]
NUMBERS = [b"0", b"1", b"2", b"5", b"100", b"-1", b"x"]

# The facts of XINFO that are moments or spans of time, and those that say how the server stores the stream.
TIMES = {b"idle", b"inactive", b"seen-time", b"active-time"}
STORAGE = {b"radix-tree-nodes"}


def is_error(reply: Any, beginning: str) -> bool:
    return isinstance(reply, CommandError) and reply.text.startswith(beginning)


KNOWN = [
    Known(
        "Redis 8 names the command and the ID `+` as well",
        lambda argv, theirs, ours: is_error(ours, "ERR Unbalanced") and is_error(theirs, "ERR Unbalanced"),
    ),
    Known(
        "Redis 7.0 has no ID `+`, and Valkey 8.0 takes the last ID given for that of the last entry",
        lambda argv, theirs, ours: argv[0] in (b"XREAD", b"XREADGROUP") and b"+" in argv,
    ),
    Known(
        "before 7.2 XSETID did not look at the highest deleted ID",
        lambda argv, theirs, ours: (
            argv[0] == b"XSETID" and is_error(ours, "ERR The ID specified in XSETID is smaller than c")
        ),
        ("redis",),
    ),
    Known(
        "before 7.2 who claimed nothing did not become a consumer",
        lambda argv, theirs, ours: (
            (argv[0] == b"XINFO" and not isinstance(theirs, CommandError))
            or (argv[:2] == [b"XGROUP", b"CREATECONSUMER"] and (theirs, ours) == (1, 0))
        ),
        ("redis",),
    ),
]


def mirror(argv: list[bytes], theirs: Any) -> list[bytes]:
    """An ID that the server made up is an explicit one for us."""
    if argv[0] != b"XADD" or type(theirs) is not bytes:
        return argv
    return [theirs if word == b"*" or word.endswith(b"-*") else word for word in argv]


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Replies with times in them."""
    if argv[0] == b"XPENDING":
        return without_idle(theirs) is not None and without_idle(theirs) == without_idle(ours)
    if argv[0] == b"XINFO":
        return facts_alike(theirs, ours)
    return False


def without_idle(reply: Any) -> Any:
    """The long form of XPENDING without the column of idle times, but for whether XCLAIM made them long."""
    if not isinstance(reply, list) or not all(isinstance(item, list) and len(item) == 4 for item in reply):
        return None
    return [(item[0], item[1], item[2] > 1_000_000, item[3]) for item in reply]


def facts_alike(theirs: Any, ours: Any) -> bool:
    """Maps are flat in RESP2. A server that knows fewer facts is compared on those."""
    if is_map(theirs) and is_map(ours):
        known, mine = as_map(theirs), as_map(ours)
        return known.keys() <= mine.keys() and all(
            name in STORAGE
            # Redis knows since 7.4 that nobody lags behind what was trimmed, and counts it as read.
            or (name == b"lag" and lags_less(known[name], mine[name]))
            or (name == b"entries-read" and None not in (mine[name], known[name]) and mine[name] > known[name])
            or (name in TIMES and abs(known[name] - mine[name]) < 5000)
            or (name not in TIMES and facts_alike(known[name], mine[name]))
            for name in known
        )
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(facts_alike, theirs, ours))
    if isinstance(theirs, int) and isinstance(ours, int):
        return abs(theirs - ours) < 5000 if theirs > 10**12 else theirs == ours
    return type(theirs) is type(ours) and theirs == ours


def lags_less(theirs: int | None, ours: int | None) -> bool:
    return ours is not None and (theirs is None or theirs < 0 or ours <= theirs)


def is_map(reply: Any) -> bool:
    return isinstance(reply, dict) or (isinstance(reply, list) and reply[:1] in ([b"name"], [b"length"]))


def as_map(reply: Any) -> dict[bytes, Any]:
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choice(NAMES)
    return [name, *GENERATORS[name](chance)]


def key(chance: random.Random) -> bytes:
    return chance.choice(KEYS[:3] if chance.random() < 0.95 else KEYS)


def group(chance: random.Random) -> bytes:
    return chance.choice(GROUPS)


def consumer(chance: random.Random) -> bytes:
    return chance.choice(CONSUMERS)


def some_id(chance: random.Random) -> bytes:
    if chance.random() < 0.04:
        return chance.choice(ODD_IDS)
    ms = chance.randint(1, 40)
    return b"%d" % ms if chance.random() < 0.1 else b"%d-%d" % (ms, chance.choice([0, 0, 0, 1, 2]))


def ids(chance: random.Random) -> list[bytes]:
    return [some_id(chance) for _ in range(chance.choice([1, 1, 2, 5, 12]))]


def new_id(chance: random.Random) -> bytes:
    ms = b"%d" % chance.choice([*range(1, 41), *range(41, 60, 3), 0])
    return chance.choice([ms + b"-*", ms + b"-*", ms + b"-0", ms, ms + b"-1", some_id(chance)])


def end(chance: random.Random, whole: bytes) -> bytes:
    return chance.choice([whole, whole, some_id(chance), b"(" + some_id(chance), b"(" + chance.choice(ODD_IDS)])


def count(chance: random.Random) -> list[bytes]:
    return chance.choice([[], [], [b"COUNT", chance.choice(NUMBERS)], [b"count", b"3"], [b"COUNT"]])


def trimming(chance: random.Random) -> list[bytes]:
    sign = chance.choice([[], [b"="], [b"~"], [b"~"]])
    what = chance.choice([[b"MAXLEN", *sign, chance.choice(NUMBERS)], [b"MINID", *sign, some_id(chance)]])
    limit = [b"LIMIT", chance.choice(NUMBERS)] if chance.random() < (0.4 if sign == [b"~"] else 0.03) else []
    return what + limit


def xadd(chance: random.Random) -> list[bytes]:
    options = chance.choice([[], [], [], [], [b"NOMKSTREAM"], trimming(chance), [b"nomkstream", *trimming(chance)]])
    pairs = [word for field in chance.choice(FIELDS) for word in (field, chance.choice(VALUES))]
    if chance.random() < 0.02:
        pairs = pairs[:-1]
    return [key(chance), *options, new_id(chance), *pairs]


def xtrim(chance: random.Random) -> list[bytes]:
    return [key(chance), *chance.choice([trimming(chance), trimming(chance), trimming(chance), [b"LIMIT", b"1"]])]


def streams(chance: random.Random, words: list[bytes]) -> list[bytes]:
    """Some keys, and for each an ID: mostly one of `words`."""
    names = [key(chance) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    wanted = [chance.choice([*words, *words, b"0", some_id(chance)]) for _ in names]
    return [b"STREAMS", *names, *wanted[: -1 if chance.random() < 0.01 else None]]


def xread(chance: random.Random) -> list[bytes]:
    block = [b"BLOCK", chance.choice([b"1", b"1", b"-1", b"x"])] if chance.random() < 0.04 else []
    odd = chance.choice([[b"NOACK"], [b"GROUP", b"g", b"alice"], [b"x"], [b"GROUP"]]) if chance.random() < 0.02 else []
    return [*count(chance), *block, *odd, *streams(chance, [b"0", b"$", b"+", b"-", b">"])]


def xreadgroup(chance: random.Random) -> list[bytes]:
    who = [b"GROUP", group(chance), consumer(chance)]
    block = [b"BLOCK", b"1"] if chance.random() < 0.03 else []
    no_ack = [b"NOACK"] if chance.random() < 0.1 else []
    parts = [who, count(chance), block, no_ack]
    if chance.random() < 0.1:
        chance.shuffle(parts)
    return [word for part in parts for word in part] + streams(chance, [b">"] * 5 + [b"0", b"$", b"+"])


def xgroup(chance: random.Random) -> list[bytes]:
    where = [key(chance), group(chance)]
    entries_read = [b"ENTRIESREAD", chance.choice([b"-1", b"-2", b"x"])] if chance.random() < 0.2 else []
    start = chance.choice([b"$", b"0", b"0", some_id(chance)])
    return chance.choice(
        [
            [b"CREATE", *where, start, *chance.choice([[], [b"MKSTREAM"]]), *entries_read],
            [b"CREATE", *where, b"0", b"MKSTREAM"],
            [b"CREATE", *where, start],
            [b"SETID", *where, start, *entries_read],
            [b"SETID", *where, start, b"MKSTREAM"],
            [b"CREATECONSUMER", *where, consumer(chance)],
            [b"DELCONSUMER", *where, consumer(chance)],
            [b"DESTROY", *where] if chance.random() < 0.3 else [b"CREATE", *where, b"0"],
            [chance.choice([b"FOO", b"CREATE", b"DESTROY"])],
        ]
    )


def xpending(chance: random.Random) -> list[bytes]:
    span = [end(chance, b"-"), end(chance, b"+"), chance.choice([b"100", b"10", *NUMBERS])]
    idle = [b"IDLE", chance.choice(IDLE)] if chance.random() < 0.3 else []
    whose = [consumer(chance)] if chance.random() < 0.4 else []
    where = [key(chance), group(chance)]
    return chance.choice([where, where + idle + span + whose, where + idle + span, where + idle + span[:2]])


def claim_options(chance: random.Random) -> list[bytes]:
    options: list[bytes] = []
    for _ in range(chance.choice([0, 0, 1, 2, 3])):
        options += chance.choice(
            [
                [b"FORCE"],
                [b"FORCE"],
                [b"JUSTID"],
                [b"IDLE", chance.choice([b"0", b"9000000", b"-5", b"x"])],
                [b"TIME", chance.choice([b"1000", b"99999999999999", b"-7"])],
                [b"RETRYCOUNT", chance.choice([b"0", b"7", b"-1"])],
                [b"LASTID", some_id(chance)],
                [chance.choice([b"bogus", b"IDLE"])] if chance.random() < 0.1 else [],
            ]
        )
    return options


def xclaim(chance: random.Random) -> list[bytes]:
    return [key(chance), group(chance), consumer(chance), chance.choice(IDLE), *ids(chance), *claim_options(chance)]


def xautoclaim(chance: random.Random) -> list[bytes]:
    options = count(chance) + ([b"JUSTID"] if chance.random() < 0.3 else [])
    start = end(chance, b"-") if chance.random() < 0.5 else b"0"
    return [key(chance), group(chance), consumer(chance), chance.choice(IDLE), start, *options]


def xinfo(chance: random.Random) -> list[bytes]:
    where = key(chance)
    return chance.choice(
        [
            [b"STREAM", where],
            [b"STREAM", where, b"FULL", *count(chance)],
            [b"GROUPS", where],
            [b"CONSUMERS", where, group(chance)],
            [b"STREAM", where, b"bogus"],
        ]
    )


def xsetid(chance: random.Random) -> list[bytes]:
    options = chance.choice(
        [
            [],
            [b"ENTRIESADDED", chance.choice([b"1000", *NUMBERS])],
            [b"MAXDELETEDID", chance.choice([b"3-3", b"50"])],
            [b"x"],
        ]
    )
    # Redis 7.0 does not compare with the highest deleted ID, so the new one is mostly above it.
    return [key(chance), b"%d" % chance.randint(41, 44), *options]


def deletion(chance: random.Random) -> list[bytes]:
    which = ids(chance)
    number = b"%d" % len(which) if chance.random() < 0.95 else chance.choice(NUMBERS)
    return [*chance.choice([[], [b"KEEPREF"], [b"DELREF"], [b"ACKED"]]), b"IDS", number, *which]


GENERATORS: dict[bytes, Any] = {
    b"XADD": xadd,
    b"XLEN": lambda c: [key(c)],
    b"XRANGE": lambda c: [key(c), end(c, b"-"), end(c, b"+"), *count(c)],
    b"XREVRANGE": lambda c: [key(c), end(c, b"+"), end(c, b"-"), *count(c)],
    b"XDEL": lambda c: [key(c), *ids(c)],
    b"XDELEX": lambda c: [key(c), *deletion(c)],
    b"XACKDEL": lambda c: [key(c), group(c), *deletion(c)],
    b"XTRIM": xtrim,
    b"XREAD": xread,
    b"XREADGROUP": xreadgroup,
    b"XGROUP": xgroup,
    b"XACK": lambda c: [key(c), group(c), *ids(c)],
    b"XPENDING": xpending,
    b"XCLAIM": xclaim,
    b"XAUTOCLAIM": xautoclaim,
    b"XINFO": xinfo,
    b"XSETID": xsetid,
    b"DEL": lambda c: [key(c)],
    b"SET": lambda c: [c.choice([*KEYS[3:], key(c)]), b"text"],
    b"COPY": lambda c: [key(c), key(c), b"REPLACE"],
}
WEIGHTS = {b"XADD": 14, b"XREADGROUP": 8, b"XGROUP": 5, b"XDELEX": 1, b"XACKDEL": 1, b"SET": 1, b"DEL": 1, b"XTRIM": 2}
NAMES = [name for name in GENERATORS for _ in range(WEIGHTS.get(name, 3))]
