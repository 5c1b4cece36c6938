"""The sorted set commands that work on ranges: by rank, by score or, where all scores are equal, by member.

Every range becomes one of ranks before anything else is done with it.
"""

from __future__ import annotations

import math
from typing import Final

from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    LIMIT_WITHOUT_BY,
    NOT_LEX_BOUNDS,
    NOT_SCORE_BOUNDS,
    SYNTAX,
    WITHSCORES_BY_LEX,
    CommandError,
)
from alcove.numeric import parse_int, strtod
from alcove.types.sorted_set import SortedSet
from alcove.values import Pairs

GROUP = "sorted-set"

# How bounds without an end are written; they are the most frequent of all.
INFINITIES: Final = {b"+inf": math.inf, b"-inf": -math.inf, b"inf": math.inf}

BY_RANK: Final = b""
BY_SCORE: Final = b"BYSCORE"
BY_LEX: Final = b"BYLEX"

LOG_AND_REMOVED: Final = (
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the "
    "operation."
)
LOG_AND_RETURNED: Final = (
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned."
)
LOG: Final = "O(log(N)) with N being the number of elements in the sorted set."


# Ranges


class Range:
    """What part of a sorted set is meant: all of it, or in the classes below what their bounds say."""

    def ranks(self, zset: SortedSet) -> tuple[int, int]:
        """The first rank, in ascending order, and the one behind the last; not below the first."""
        return 0, len(zset)


class RankRange(Range):
    """From one index to another, included; negative ones count from the end of the direction that is walked."""

    def __init__(self, start: bytes, stop: bytes, reverse: bool) -> None:
        self.start = parse_int(start)
        self.stop = parse_int(stop)
        self.reverse = reverse

    def ranks(self, zset: SortedSet) -> tuple[int, int]:
        size = len(zset)
        start = max(self.start + size, 0) if self.start < 0 else self.start
        stop = min((self.stop + size if self.stop < 0 else self.stop) + 1, size)
        if start >= stop:
            return 0, 0
        return (size - stop, size - start) if self.reverse else (start, stop)


class ScoreRange(Range):
    """From one score to another, each included unless written with `(`."""

    def __init__(self, low: bytes, high: bytes) -> None:
        self.low_excluded = low[:1] == b"("
        self.high_excluded = high[:1] == b"("
        self.low = score_bound(low[1:] if self.low_excluded else low)
        self.high = score_bound(high[1:] if self.high_excluded else high)

    def ranks(self, zset: SortedSet) -> tuple[int, int]:
        start = zset.count_below(self.low, self.low_excluded)
        return start, max(start, zset.count_below(self.high, not self.high_excluded))


class LexRange(Range):
    """From one member to another: `[` included, `(` excluded, `-` before and `+` behind everything."""

    def __init__(self, low: bytes, high: bytes) -> None:
        for bound in (low, high):
            if bound[:1] not in (b"(", b"[") and bound.partition(b"\0")[0] not in (b"-", b"+"):
                raise CommandError(NOT_LEX_BOUNDS)
        self.low = low
        self.high = high

    def ranks(self, zset: SortedSet) -> tuple[int, int]:
        start = lex_rank(zset, self.low, self.low[:1] == b"(")
        return start, max(start, lex_rank(zset, self.high, self.high[:1] == b"["))


def lex_rank(zset: SortedSet, bound: bytes, inclusive: bool) -> int:
    """How many members stand before a bound."""
    kind = bound[:1]
    if kind == b"-":
        return 0
    if kind == b"+":
        return len(zset)
    return zset.count_before(bound[1:], inclusive)


def score_bound(text: bytes) -> float:
    """A bound as C reads it, which is less strict than scores are read: to the first NUL, and nothing is zero."""
    number = INFINITIES.get(text)
    if number is None:
        number = strtod(text)
    if number is None:
        text = text.partition(b"\0")[0]
        number = strtod(text.lstrip(b" \t\n\v\f\r")) if text else 0.0
    if number is None:
        raise CommandError(NOT_SCORE_BOUNDS)
    return number


def range_between(by: bytes, first: bytes, last: bytes, reverse: bool) -> Range:
    """The range between two bounds, in the order in which it is walked."""
    if by == BY_RANK:
        return RankRange(first, last, reverse)
    if reverse:
        first, last = last, first
    return ScoreRange(first, last) if by == BY_SCORE else LexRange(first, last)


# Reading


class Selection:
    """What ZRANGE and its kin are asked for: the kind of range, its direction, and what part of it in what form."""

    def __init__(self, by: bytes, reverse: bool) -> None:
        self.by = by
        self.reverse = reverse
        self.offset = 0
        self.limit = -1
        self.with_scores = False

    def ranks(self, range_: Range, zset: SortedSet) -> tuple[int, int]:
        """The ranks of the range that LIMIT leaves, counted in the direction of the walk."""
        start, stop = range_.ranks(zset)
        if self.reverse:
            start, stop = len(zset) - stop, len(zset) - start
        if self.offset < 0 or self.offset >= stop - start:
            return 0, 0
        start += self.offset
        return start, stop if self.limit < 0 else min(stop, start + self.limit)


def parse_selection(
    words: tuple[bytes, ...], by: bytes | None = None, reverse: bool | None = None, storing: bool = False
) -> Selection:
    """The options behind the bounds; those for what the command's name has said already are errors."""
    selection = Selection(by or BY_RANK, bool(reverse))
    if not words:
        return selection
    arguments = Arguments(words)
    while arguments:
        word = arguments.word()
        if word == b"WITHSCORES" and not storing:
            selection.with_scores = True
        elif word == b"LIMIT" and len(arguments) >= 2:
            selection.offset = arguments.integer()
            selection.limit = arguments.integer()
        elif word == b"REV" and reverse is None:
            reverse = selection.reverse = True
        elif word in (BY_SCORE, BY_LEX) and by is None:
            by = selection.by = word
        else:
            raise CommandError(SYNTAX)
    if selection.by == BY_RANK:
        if selection.limit != -1:
            raise CommandError(LIMIT_WITHOUT_BY)
        # A limit of -1 is none, and its offset does not count.
        selection.offset = 0
    if selection.with_scores and selection.by == BY_LEX:
        raise CommandError(WITHSCORES_BY_LEX)
    return selection


def select(
    ctx: Context,
    key: bytes,
    first: bytes,
    last: bytes,
    words: tuple[bytes, ...],
    by: bytes | None = None,
    reverse: bool | None = None,
) -> object:
    """Answers a range, with or without scores."""
    selection: Selection = parse_selection(words, by, reverse)
    range_: Range = range_between(selection.by, first, last, selection.reverse)
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    if zset is None:
        return []
    start, stop = selection.ranks(range_, zset)
    if selection.with_scores:
        return Pairs(zset.pairs(start, stop, selection.reverse))
    return zset.members(start, stop, selection.reverse)


@command(
    "ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    flags="readonly",
    since="1.2.0",
    complexity=LOG_AND_RETURNED,
    history=(("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."),),
)
def zrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a range of indexes."""
    if options:
        return select(ctx, key, start, stop, options)
    first, last = parse_int(start), parse_int(stop)
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    return [] if zset is None else zset.members_between(first, last)


@command(
    "ZREVRANGE key start stop [WITHSCORES]",
    flags="readonly",
    since="1.2.0",
    complexity=LOG_AND_RETURNED,
    deprecated=("6.2.0", "`ZRANGE` with the `REV` argument"),
)
def zrevrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a range of indexes in reverse order."""
    return select(ctx, key, start, stop, options, BY_RANK, True)


@command(
    "ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]",
    flags="readonly",
    since="1.0.5",
    complexity=LOG_AND_RETURNED,
    deprecated=("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
    history=(("2.0.0", "Added the `WITHSCORES` modifier."),),
)
def zrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a range of scores."""
    return select(ctx, key, low, high, options, BY_SCORE, False)


@command(
    "ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]",
    flags="readonly",
    since="2.2.0",
    complexity=LOG_AND_RETURNED,
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
    history=(("2.1.6", "`min` and `max` can be exclusive."),),
)
def zrevrangebyscore(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a range of scores in reverse order."""
    return select(ctx, key, high, low, options, BY_SCORE, True)


@command(
    "ZRANGEBYLEX key min max [LIMIT offset count]",
    flags="readonly",
    since="2.8.9",
    complexity=LOG_AND_RETURNED,
    deprecated=("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
)
def zrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a lexicographical range."""
    return select(ctx, key, low, high, options, BY_LEX, False)


@command(
    "ZREVRANGEBYLEX key max min [LIMIT offset count]",
    flags="readonly",
    since="2.8.9",
    complexity=LOG_AND_RETURNED,
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
)
def zrevrangebylex(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> object:
    """Returns members in a sorted set within a lexicographical range in reverse order."""
    return select(ctx, key, high, low, options, BY_LEX, True)


@command("ZCOUNT key min max", flags="readonly fast", since="2.0.0", complexity=LOG)
def zcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Returns the count of members in a sorted set that have scores within a range."""
    return count_in(ctx, key, ScoreRange(low, high))


@command("ZLEXCOUNT key min max", flags="readonly fast", since="2.8.9", complexity=LOG)
def zlexcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Returns the number of members in a sorted set within a lexicographical range."""
    return count_in(ctx, key, LexRange(low, high))


def count_in(ctx: Context, key: bytes, range_: Range) -> int:
    zset: SortedSet | None = ctx.keys.read(key, SortedSet)
    if zset is None:
        return 0
    start, stop = range_.ranks(zset)
    return stop - start


# Writing


@command(
    "ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    flags="write denyoom",
    since="6.2.0",
    complexity="O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored "
    "into the destination key.",
)
def zrangestore(ctx: Context, dst: bytes, src: bytes, low: bytes, high: bytes, *options: bytes) -> int:
    """Stores a range of members from sorted set in a key."""
    selection: Selection = parse_selection(options, storing=True)
    range_: Range = range_between(selection.by, low, high, selection.reverse)
    zset: SortedSet | None = ctx.keys.read(src, SortedSet)
    if zset is None:
        return store(ctx, dst, [], b"zrangestore")
    start, stop = selection.ranks(range_, zset)
    return store(ctx, dst, zset.pairs(start, stop, selection.reverse), b"zrangestore")


def store(ctx: Context, key: bytes, pairs: list[tuple[bytes, float]], event: bytes) -> int:
    """Gives a key a sorted set of these members with these scores, or removes it if there are none; how many."""
    if not pairs:
        ctx.keys.remove(key)
        return 0
    zset = SortedSet(ctx.keys.space.limits)
    zset.expect(len(pairs), max(len(member) for member, _ in pairs))
    for member, score in pairs:
        zset.put(member, score)
    ctx.keys.put(key, zset, events.SORTED_SET, event)
    return len(zset)


@command("ZREMRANGEBYRANK key start stop", flags="write", keys="RW delete", since="2.0.0", complexity=LOG_AND_REMOVED)
def zremrangebyrank(ctx: Context, key: bytes, start: bytes, stop: bytes) -> int:
    """Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed."""
    return remove_range(ctx, key, RankRange(start, stop, False), b"zremrangebyrank")


@command("ZREMRANGEBYSCORE key min max", flags="write", keys="RW delete", since="1.2.0", complexity=LOG_AND_REMOVED)
def zremrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed."""
    return remove_range(ctx, key, ScoreRange(low, high), b"zremrangebyscore")


@command("ZREMRANGEBYLEX key min max", flags="write", keys="RW delete", since="2.8.9", complexity=LOG_AND_REMOVED)
def zremrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes) -> int:
    """Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were
    removed.
    """
    return remove_range(ctx, key, LexRange(low, high), b"zremrangebylex")


def remove_range(ctx: Context, key: bytes, range_: Range, event: bytes) -> int:
    zset: SortedSet | None = ctx.keys.edit(key, SortedSet)
    if zset is None:
        return 0
    start, stop = range_.ranks(zset)
    if start < stop:
        zset.delete_range(start, stop)
        ctx.keys.changed(key, events.SORTED_SET, event, stop - start)
    return stop - start
