"""The sorted set commands that combine several sorted sets, or sets, whose members count as scored 1."""

from __future__ import annotations

from typing import Final, TypeAlias

from alcove.commands.sorted_set_range import store
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    LIMIT_NEGATIVE,
    SYNTAX,
    WEIGHT_NOT_A_FLOAT,
    WRONG_TYPE,
    CommandError,
    no_input_key,
)
from alcove.numeric import INT64_MAX, parse_bounded, parse_float, parse_int
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from alcove.values import Pairs

GROUP = "sorted-set"

SUM: Final = b"SUM"
MIN: Final = b"MIN"
MAX: Final = b"MAX"

Scores: TypeAlias = dict[bytes, float]
ScoredPairs: TypeAlias = list[tuple[bytes, float]]


# Inputs


class Source:
    """One input: a sorted set, a set, or nothing, with the weight of its scores."""

    def __init__(self, value: SortedSet | Set | None) -> None:
        self.sorted = value if isinstance(value, SortedSet) else None
        self.plain = value if isinstance(value, Set) else None
        self.weight = 1.0

    def __len__(self) -> int:
        if self.sorted is not None:
            return len(self.sorted)
        return 0 if self.plain is None else len(self.plain)

    def pairs(self) -> ScoredPairs:
        """Every member with its score as it is, in order of both if it is a sorted set."""
        if self.sorted is not None:
            return self.sorted.pairs(0, len(self.sorted))
        return [] if self.plain is None else [(member, 1.0) for member in self.plain.members()]

    def score(self, member: bytes) -> float | None:
        """The score of a member as it is, or None."""
        if self.sorted is not None:
            return self.sorted.score(member)
        return 1.0 if self.plain is not None and self.plain.contains(member) else None


class Request:
    """The inputs and options of one command."""

    def __init__(self, ctx: Context, name: str, numkeys: bytes, rest: tuple[bytes, ...]) -> None:
        number = parse_int(numkeys)
        if number < 1:
            raise CommandError(no_input_key(name))
        if number > len(rest):
            raise CommandError(SYNTAX)
        self.sources = [Source(source_value(ctx, key)) for key in rest[:number]]
        self.options = Arguments(rest[number:])
        self.aggregate = SUM
        self.with_scores = False

    def parse(self, weighted: bool, storing: bool) -> Request:
        """Reads the options: WEIGHTS and AGGREGATE unless it is a difference, WITHSCORES unless it is stored."""
        options = self.options
        while options:
            word = options.word()
            if word == b"WEIGHTS" and weighted and len(options) >= len(self.sources):
                for source in self.sources:
                    source.weight = parse_float(options.take(), WEIGHT_NOT_A_FLOAT)
            elif word == b"AGGREGATE" and weighted and options:
                self.aggregate = options.word()
                if self.aggregate not in (SUM, MIN, MAX):
                    raise CommandError(SYNTAX)
            elif word == b"WITHSCORES" and not storing:
                self.with_scores = True
            else:
                raise CommandError(SYNTAX)
        return self

    def answer(self, scores: Scores) -> object:
        pairs = in_order(scores)
        return Pairs(pairs) if self.with_scores else [member for member, _ in pairs]


def source_value(ctx: Context, key: bytes) -> SortedSet | Set | None:
    entry = ctx.keys.look(key)
    if entry is None:
        return None
    value = entry.value
    if not isinstance(value, (SortedSet, Set)):
        raise CommandError(WRONG_TYPE)
    return value


def in_order(scores: Scores) -> ScoredPairs:
    return sorted(scores.items(), key=lambda pair: (pair[1], pair[0]))


# Combining


def weighed(score: float, weight: float) -> float:
    """A score times its weight; infinity times zero is zero."""
    product = score * weight
    return product if product == product else 0.0


def aggregated(aggregate: bytes, first: float, second: float) -> float:
    """What two scores of a member become; infinities of both signs add up to zero."""
    if aggregate == SUM:
        total = first + second
        return total if total == total else 0.0
    if aggregate == MIN:
        return second if second < first else first
    return second if second > first else first


def union(request: Request) -> Scores:
    """Every member of any input. The smallest come first: the order of additions shows in the last digit."""
    scores: Scores = {}
    for source in sorted(request.sources, key=len):
        for member, score in source.pairs():
            value = weighed(score, source.weight)
            known = scores.get(member)
            scores[member] = value if known is None else aggregated(request.aggregate, known, value)
    return scores


def intersection(request: Request) -> Scores:
    """The members that all inputs have."""
    smallest, *others = sorted(request.sources, key=len)
    scores: Scores = {}
    for member, score in smallest.pairs():
        value = weighed(score, smallest.weight)
        for other in others:
            found = other.score(member)
            if found is None:
                break
            # Not weighed as above: on the real server infinity times zero makes the sum zero here.
            value = aggregated(request.aggregate, value, found * other.weight)
        else:
            scores[member] = value
    return scores


def difference(request: Request) -> Scores:
    """The members of the first input that no other has."""
    first, *others = request.sources
    return {
        member: score for member, score in first.pairs() if not any(other.score(member) is not None for other in others)
    }


# Commands


@command(
    "ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    flags="readonly",
    since="6.2.0",
    complexity="O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of "
    "elements in the resulting sorted set.",
)
def zunion(ctx: Context, numkeys: bytes, *rest: bytes) -> object:
    """Returns the union of multiple sorted sets."""
    request = Request(ctx, "zunion", numkeys, rest).parse(weighted=True, storing=False)
    return request.answer(union(request))


@command(
    "ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    flags="readonly",
    since="6.2.0",
    complexity="O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input "
    "sorted sets and M being the number of elements in the resulting sorted set.",
)
def zinter(ctx: Context, numkeys: bytes, *rest: bytes) -> object:
    """Returns the intersect of multiple sorted sets."""
    request = Request(ctx, "zinter", numkeys, rest).parse(weighted=True, storing=False)
    return request.answer(intersection(request))


@command(
    "ZDIFF numkeys key [key ...] [WITHSCORES]",
    flags="readonly",
    since="6.2.0",
    complexity="O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size "
    "of the first set, and K is the size of the result set.",
)
def zdiff(ctx: Context, numkeys: bytes, *rest: bytes) -> object:
    """Returns the difference between multiple sorted sets."""
    request = Request(ctx, "zdiff", numkeys, rest).parse(weighted=False, storing=False)
    return request.answer(difference(request))


@command(
    "ZINTERCARD numkeys key [key ...] [LIMIT limit]",
    flags="readonly",
    since="7.0.0",
    complexity="O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
)
def zintercard(ctx: Context, numkeys: bytes, *rest: bytes) -> int:
    """Returns the number of members of the intersect of multiple sorted sets."""
    request = Request(ctx, "zintercard", numkeys, rest)
    limit = 0
    while request.options:
        if request.options.word() != b"LIMIT" or not request.options:
            raise CommandError(SYNTAX)
        limit = parse_bounded(request.options.take(), 0, INT64_MAX, LIMIT_NEGATIVE)
    smallest, *others = sorted(request.sources, key=len)
    count = 0
    for member, _ in smallest.pairs():
        if all(other.score(member) is not None for other in others):
            count += 1
            if count == limit:
                break
    return count


@command(
    "ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    flags="write denyoom",
    since="2.0.0",
    complexity="O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of "
    "elements in the resulting sorted set.",
)
def zunionstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> int:
    """Stores the union of multiple sorted sets in a key."""
    request = Request(ctx, "zunionstore", numkeys, rest).parse(weighted=True, storing=True)
    return store(ctx, destination, in_order(union(request)), b"zunionstore")


@command(
    "ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    flags="write denyoom",
    since="2.0.0",
    complexity="O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input "
    "sorted sets and M being the number of elements in the resulting sorted set.",
)
def zinterstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> int:
    """Stores the intersect of multiple sorted sets in a key."""
    request = Request(ctx, "zinterstore", numkeys, rest).parse(weighted=True, storing=True)
    return store(ctx, destination, in_order(intersection(request)), b"zinterstore")


@command(
    "ZDIFFSTORE destination numkeys key [key ...]",
    flags="write denyoom",
    since="6.2.0",
    complexity="O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size "
    "of the first set, and K is the size of the result set.",
)
def zdiffstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> int:
    """Stores the difference of multiple sorted sets in a key."""
    request = Request(ctx, "zdiffstore", numkeys, rest).parse(weighted=False, storing=True)
    return store(ctx, destination, in_order(difference(request)), b"zdiffstore")
