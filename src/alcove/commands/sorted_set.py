"""The sorted set commands: members with scores, one by one, from the ends, and by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.commands.generic import parse_cursor, scan_options
from alcove.commands.set import one_position, scan_window, some_positions
from alcove.engine import events
from alcove.engine.arguments import Arguments, timeout_us
from alcove.engine.blocking import NOT_READY
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.glob import matches
from alcove.errors import (
    COUNT_RANGE,
    COUNT_TOO_LOW,
    GT_LT_AND_NX,
    INCR_TAKES_ONE,
    NEGATIVE,
    NUMKEYS_TOO_LOW,
    NX_AND_XX,
    OUT_OF_RANGE,
    SCORE_IS_NAN,
    SYNTAX,
    WRONG_TYPE,
    CommandError,
    wrong_arity,
)
from alcove.numeric import INT64_MAX, format_double, parse_bounded, parse_float, parse_int
from alcove.types.sorted_set import ADDED, CHANGED, SAME, SortedSet
from alcove.values import NULL_ARRAY, Pairs

# Read by every write: a C integer in the compiled build.
_SORTED_SET = events.SORTED_SET

# The options of ZADD, as bits.
NX: Final = 1
XX: Final = 2
GT: Final = 4
LT: Final = 8
CH: Final = 16
INCR: Final = 32
ADD_OPTIONS: Final = {b"NX": NX, b"XX": XX, b"GT": GT, b"LT": LT, b"CH": CH, b"INCR": INCR}
# Those that need to know the old score.
CONDITIONAL: Final = NX | XX | GT | LT | INCR

# Instead of a count: one member, in a flat reply.
FLAT: Final = 0


# Adding and removing


@command(
    "ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    flags="write denyoom fast",
    since="1.2.0",
    complexity="O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    history=(
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ),
)
def zadd(ctx: Context, key: bytes, *arguments: bytes) -> float | int | None:
    """Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist."""
    return add(ctx, key, arguments, 0)


@command(
    "ZINCRBY key increment member",
    flags="write denyoom fast",
    keys="RW access update",
    since="1.2.0",
    complexity="O(log(N)) where N is the number of elements in the sorted set.",
)
def zincrby(ctx: Context, key: bytes, increment: bytes, member: bytes) -> float | None:
    """Increments the score of a member in a sorted set."""
    if increment.upper() in ADD_OPTIONS:  # by the real server this is ZADD, so the error is another one
        raise CommandError(SYNTAX)
    amount = parse_float(increment)
    return add_to_score(ctx, key, ctx.keys.edit_or_create(key, SortedSet), member, amount, INCR)


def add(ctx: Context, key: bytes, arguments: tuple[bytes, ...], options: int) -> float | int | None:
    """ZADD and its kin: options, then scores and members in turn."""
    at = 0
    while at < len(arguments) and (option := ADD_OPTIONS.get(arguments[at].upper())) is not None:
        options |= option
        at += 1
    if not options and len(arguments) == 2:
        return put_one(ctx, key, arguments[1], parse_float(arguments[0]))
    check_add_options(options, len(arguments) - at)
    scores = [parse_float(score) for score in arguments[at::2]]
    members = arguments[at + 1 :: 2]
    if options & XX:
        zset: SortedSet | None = ctx.keys.edit(key, SortedSet)
        if zset is None:
            return None if options & INCR else 0
    else:
        zset = ctx.keys.edit_or_create(key, SortedSet)
    if len(members) > 1 or options & XX:
        zset.expect(len(members), max(map(len, members)))
    if options & INCR:
        return add_to_score(ctx, key, zset, members[0], scores[0], options)
    added = changed = 0
    for member, score in zip(members, scores, strict=True):
        if not options & CONDITIONAL or is_wanted(zset.score(member), score, options):
            outcome = zset.put(member, score)
            if outcome == ADDED:
                added += 1
            elif outcome == CHANGED:
                changed += 1
    if added or changed:
        ctx.keys.changed(key, _SORTED_SET, b"zadd", added + changed)
    return added + changed if options & CH else added


def put_one(ctx: Context, key: bytes, member: bytes, score: float) -> int:
    """What ZADD mostly is: one member, no options."""
    zset: SortedSet = ctx.keys.edit_or_create(key, SortedSet)
    outcome = zset.put(member, score)
    if outcome != SAME:
        ctx.keys.changed(key, _SORTED_SET, b"zadd")
    return 1 if outcome == ADDED else 0


def check_add_options(options: int, words: int) -> None:
    """Refuses options that contradict each other, or that do not go with so many words behind them."""
    if not words or words % 2:
        raise CommandError(SYNTAX)
    if options & NX and options & XX:
        raise CommandError(NX_AND_XX)
    if bool(options & GT) + bool(options & LT) + bool(options & NX) > 1:
        raise CommandError(GT_LT_AND_NX)
    if options & INCR and words > 2:
        raise CommandError(INCR_TAKES_ONE)


def is_wanted(old: float | None, score: float, options: int) -> bool:
    """Whether the conditions allow to give a member, whose old score is None if it is new, this score."""
    if old is None:
        return not options & XX
    if options & NX:
        return False
    return not (options & GT and score <= old) and not (options & LT and score >= old)


def add_to_score(ctx: Context, key: bytes, zset: SortedSet, member: bytes, amount: float, options: int) -> float | None:
    """Adds to the score of a member, which is 0 before it is there; the new score, or None if conditions forbid it."""
    old = zset.score(member)
    score = amount if old is None else old + amount
    if score != score and not options & NX:
        raise CommandError(SCORE_IS_NAN)
    if options != INCR and not is_wanted(old, score, options):
        return None
    if zset.put(member, score) != SAME:
        ctx.keys.changed(key, _SORTED_SET, b"zincr")
    return score


@command(
    "ZREM key member [member ...]",
    flags="write fast",
    keys="RW delete",
    since="1.2.0",
    complexity="O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be "
    "removed.",
    history=(("2.4.0", "Accepts multiple elements."),),
)
def zrem(ctx: Context, key: bytes, *members: bytes) -> int:
    """Removes one or more members from a sorted set. Deletes the sorted set if all members were removed."""
    zset: SortedSet | None = ctx.keys.edit(key, SortedSet)
    if zset is None:
        return 0
    removed = 0
    for member in members:
        removed += zset.remove(member)
    if removed:
        ctx.keys.changed(key, _SORTED_SET, b"zrem", removed)
    return removed


# Asking


@command("ZCARD key", flags="readonly fast", keys="RO", since="1.2.0", complexity="O(1)")
def zcard(ctx: Context, key: bytes) -> int:
    """Returns the number of members in a sorted set."""
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    return 0 if zset is None else len(zset)


@command("ZSCORE key member", flags="readonly fast", since="1.2.0", complexity="O(1)")
def zscore(ctx: Context, key: bytes, member: bytes) -> float | None:
    """Returns the score of a member in a sorted set."""
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    return None if zset is None else zset.score(member)


@command(
    "ZMSCORE key member [member ...]",
    flags="readonly fast",
    since="6.2.0",
    complexity="O(N) where N is the number of members being requested.",
)
def zmscore(ctx: Context, key: bytes, *members: bytes) -> list[float | None]:
    """Returns the score of one or more members in a sorted set."""
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    return [None if zset is None else zset.score(member) for member in members]


@command(
    "ZRANK key member [WITHSCORE]",
    flags="readonly fast",
    since="2.0.0",
    complexity="O(log(N))",
    history=(("7.2.0", "Added the optional `WITHSCORE` argument."),),
)
def zrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> object:
    """Returns the index of a member in a sorted set ordered by ascending scores."""
    return rank(ctx, key, member, options, reverse=False)


@command(
    "ZREVRANK key member [WITHSCORE]",
    flags="readonly fast",
    since="2.0.0",
    complexity="O(log(N))",
    history=(("7.2.0", "Added the optional `WITHSCORE` argument."),),
)
def zrevrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> object:
    """Returns the index of a member in a sorted set ordered by descending scores."""
    return rank(ctx, key, member, options, reverse=True)


def rank(ctx: Context, key: bytes, member: bytes, options: tuple[bytes, ...], reverse: bool) -> object:
    """A member's rank, with WITHSCORE together with its score."""
    if len(options) > 1:
        raise CommandError(wrong_arity("zrevrank" if reverse else "zrank"))
    if options and options[0].upper() != b"WITHSCORE":
        raise CommandError(SYNTAX)
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    place = -1 if zset is None else zset.rank(member)
    if zset is None or place < 0:
        return NULL_ARRAY if options else None
    if reverse:
        place = len(zset) - 1 - place
    return [place, zset.score(member)] if options else place


# Taking from the ends


@command(
    "ZPOPMIN key [count]",
    flags="write fast",
    keys="RW access delete",
    since="5.0.0",
    complexity="O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements "
    "popped.",
)
def zpopmin(ctx: Context, key: bytes, *count: bytes) -> object:
    """Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last
    member was popped.
    """
    return pop(ctx, key, count, highest=False)


@command(
    "ZPOPMAX key [count]",
    flags="write fast",
    keys="RW access delete",
    since="5.0.0",
    complexity="O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements "
    "popped.",
)
def zpopmax(ctx: Context, key: bytes, *count: bytes) -> object:
    """Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last
    member was popped.
    """
    return pop(ctx, key, count, highest=True)


def pop(ctx: Context, key: bytes, options: tuple[bytes, ...], highest: bool) -> object:
    """Pops some members with a count, or one without, which makes a flat reply."""
    if len(options) > 1:
        raise CommandError(SYNTAX)
    count = parse_bounded(options[0], 0, INT64_MAX, NEGATIVE) if options else 1
    zset: SortedSet | None = ctx.keys.edit(key, SortedSet)
    if zset is None or not count:
        return []
    if options:
        return Pairs(take(ctx, key, zset, count, highest))
    member, score = zset.pop(highest)
    ctx.keys.changed(key, _SORTED_SET, b"zpopmax" if highest else b"zpopmin")
    return [member, score]


def take(ctx: Context, key: bytes, zset: SortedSet, count: int, highest: bool) -> list[tuple[bytes, float]]:
    """Removes up to `count` members from one end and returns them with their scores, the outermost first."""
    size = len(zset)
    count = min(count, size)
    popped = zset.pairs(0, count, highest)
    if highest:
        zset.delete_range(size - count, size)
        ctx.keys.changed(key, _SORTED_SET, b"zpopmax", count)
    else:
        zset.delete_range(0, count)
        ctx.keys.changed(key, _SORTED_SET, b"zpopmin", count)
    return popped


@command(
    "ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]",
    flags="write",
    keys="RW access delete",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the "
    "sorted set, and M being the number of elements popped.",
)
def zmpop(ctx: Context, numkeys: bytes, *rest: bytes) -> object:
    """Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the
    sorted set if the last member was popped.
    """
    keys, count, highest = parse_mpop(numkeys, rest)
    popped = pop_first(ctx, keys, count, highest)
    return NULL_ARRAY if popped is NOT_READY else popped


@command(
    "BZPOPMIN key [key ...] timeout",
    flags="write blocking fast",
    keys="RW access delete",
    since="5.0.0",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    history=(("6.0.0", "`timeout` is interpreted as a double instead of an integer."),),
)
def bzpopmin(ctx: Context, *arguments: bytes) -> object:
    """Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is
    available otherwise. Deletes the sorted set if the last element was popped.
    """
    keys, timeout = list(arguments[: len(arguments) - 1]), arguments[len(arguments) - 1]
    return pop_or_wait(ctx, keys, timeout, FLAT, highest=False)


@command(
    "BZPOPMAX key [key ...] timeout",
    flags="write blocking fast",
    keys="RW access delete",
    since="5.0.0",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    history=(("6.0.0", "`timeout` is interpreted as a double instead of an integer."),),
)
def bzpopmax(ctx: Context, *arguments: bytes) -> object:
    """Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member is
    available otherwise. Deletes the sorted set if the last element was popped.
    """
    keys, timeout = list(arguments[: len(arguments) - 1]), arguments[len(arguments) - 1]
    return pop_or_wait(ctx, keys, timeout, FLAT, highest=True)


@command(
    "BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    flags="write blocking",
    keys="RW access delete",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the "
    "sorted set, and M being the number of elements popped.",
)
def bzmpop(ctx: Context, timeout: bytes, numkeys: bytes, *rest: bytes) -> object:
    """Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise.
    Deletes the sorted set if the last element was popped.
    """
    keys, count, highest = parse_mpop(numkeys, rest)
    return pop_or_wait(ctx, keys, timeout, count, highest)


def parse_mpop(numkeys: bytes, rest: tuple[bytes, ...]) -> tuple[list[bytes], int, bool]:
    """The keys, the count and whether it is MAX, of ZMPOP and BZMPOP."""
    number = parse_bounded(numkeys, 1, INT64_MAX, NUMKEYS_TOO_LOW)
    if number >= len(rest):
        raise CommandError(SYNTAX)
    arguments = Arguments(rest[number:])
    end = arguments.word()
    if end not in (b"MIN", b"MAX"):
        raise CommandError(SYNTAX)
    count = 1
    if arguments:
        if arguments.word() != b"COUNT" or not arguments:
            raise CommandError(SYNTAX)
        count = parse_bounded(arguments.take(), 1, INT64_MAX, COUNT_TOO_LOW)
        if arguments:
            raise CommandError(SYNTAX)
    return list(rest[:number]), count, end == b"MAX"


def pop_first(ctx: Context, keys: Sequence[bytes], count: int, highest: bool, skip_others: bool = False) -> object:
    """Pops from the first of the keys that holds a sorted set; `NOT_READY` if none does.

    A key of another type is an error, except to who is waiting and has been through this already.
    """
    for key in keys:
        entry = ctx.keys.find(key)
        if entry is None:
            continue
        if type(entry.value) is SortedSet:
            ctx.keys.preserve(entry)
            popped = take(ctx, key, entry.value, count or 1, highest)
            ctx.record(b"ZPOPMAX" if highest else b"ZPOPMIN", key, b"%d" % len(popped))
            if count == FLAT:
                return [key, *popped[0]]
            return [key, [list(pair) for pair in popped]]
        if not skip_others:
            raise CommandError(WRONG_TYPE)
    return NOT_READY


def pop_or_wait(ctx: Context, keys: list[bytes], timeout: bytes, count: int, highest: bool) -> object:
    """`pop_first`, or a wait for it."""
    longest_us = timeout_us(timeout, ctx.now_ms)
    popped = pop_first(ctx, keys, count, highest)
    if popped is not NOT_READY:
        return popped
    return ctx.wait(keys, longest_us, lambda: pop_first(ctx, keys, count, highest, True), NULL_ARRAY)


# By chance and by cursor


@command(
    "ZRANDMEMBER key [count [WITHSCORES]]",
    flags="readonly",
    since="6.2.0",
    complexity="O(N) where N is the number of members returned",
    tips="nondeterministic_output",
)
def zrandmember(ctx: Context, key: bytes, *options: bytes) -> object:
    """Returns one or more random members from a sorted set."""
    if not options:
        zset: SortedSet | None = ctx.keys.read(key, SortedSet)
        return None if zset is None else zset.member_at(one_position(len(zset)))
    count = parse_int(options[0])
    if count < -INT64_MAX:
        raise CommandError(COUNT_RANGE)
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHSCORES"):
        raise CommandError(SYNTAX)
    if len(options) == 2 and abs(count) > INT64_MAX // 2:
        raise CommandError(OUT_OF_RANGE)
    zset = ctx.keys.read(key, SortedSet)
    if zset is None or not count:
        return []
    places = some_positions(len(zset), count)
    if len(options) == 2:
        return Pairs([(zset.member_at(place), zset.score_at(place)) for place in places])
    return [zset.member_at(place) for place in places]


@command(
    "ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
    flags="readonly",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    tips="nondeterministic_output",
)
def zscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Iterates over members and scores of a sorted set."""
    start = parse_cursor(cursor)
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    if zset is None:
        return [b"0", []]
    pattern, count, names_alone = scan_options(Arguments(options), b"NOSCORES")
    left, begin = scan_window(len(zset), start, count, zset.encoding == b"listpack")
    found: list[bytes] = []
    for place in range(left, begin):
        member = zset.member_at(place)
        if pattern is None or matches(pattern, member):
            found.append(member)
            if not names_alone:
                found.append(format_double(zset.score_at(place)))
    return [b"%d" % left, found]
