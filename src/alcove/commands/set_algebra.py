"""The set commands that combine sets: intersections, unions and differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import SYNTAX, CommandError
from alcove.numeric import INT64_MAX, parse_bounded
from alcove.types.set import Set
from alcove.values import Members

GROUP = "set"

NUMKEYS_TOO_LOW: Final = "ERR numkeys should be greater than 0"
NUMKEYS_TOO_HIGH: Final = "ERR Number of keys can't be greater than number of args"
LIMIT_NEGATIVE: Final = "ERR LIMIT can't be negative"

INTERSECTION_COMPLEXITY: Final = (
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."
)
TOTAL_COMPLEXITY: Final = "O(N) where N is the total number of elements in all given sets."


@command(
    "SINTER key [key ...]",
    flags="readonly",
    since="1.0.0",
    complexity=INTERSECTION_COMPLEXITY,
    tips="nondeterministic_output_order",
)
def sinter(ctx: Context, *keys: bytes) -> Members:
    """Returns the intersect of multiple sets."""
    return Members(intersection(sets_of(ctx, keys)))


@command(
    "SINTERSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=INTERSECTION_COMPLEXITY,
)
def sinterstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the intersect of multiple sets in a key."""
    return store(ctx, destination, intersection(sets_of(ctx, keys)), b"sinterstore")


@command(
    "SINTERCARD numkeys key [key ...] [LIMIT limit]",
    flags="readonly",
    since="7.0.0",
    complexity=INTERSECTION_COMPLEXITY,
)
def sintercard(ctx: Context, numkeys: bytes, *rest: bytes) -> int:
    """Returns the number of members of the intersect of multiple sets."""
    number = parse_bounded(numkeys, 1, INT64_MAX, NUMKEYS_TOO_LOW)
    if number > len(rest):
        raise CommandError(NUMKEYS_TOO_HIGH)
    limit = 0
    arguments = Arguments(rest[number:])
    while arguments:
        if arguments.word() != b"LIMIT" or not arguments:
            raise CommandError(SYNTAX)
        limit = parse_bounded(arguments.take(), 0, INT64_MAX, LIMIT_NEGATIVE)
    count = 0
    for _ in intersection(sets_of(ctx, rest[:number])):
        count += 1
        if count == limit:
            break
    return count


@command(
    "SUNION key [key ...]",
    flags="readonly",
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
    tips="nondeterministic_output_order",
)
def sunion(ctx: Context, *keys: bytes) -> Members:
    """Returns the union of multiple sets."""
    return Members(dict.fromkeys(union(sets_of(ctx, keys))))


@command(
    "SUNIONSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
)
def sunionstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the union of multiple sets in a key."""
    return store(ctx, destination, union(sets_of(ctx, keys)), b"sunionstore")


@command(
    "SDIFF key [key ...]",
    flags="readonly",
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
    tips="nondeterministic_output_order",
)
def sdiff(ctx: Context, *keys: bytes) -> Members:
    """Returns the difference of multiple sets."""
    return Members(difference(sets_of(ctx, keys)))


@command(
    "SDIFFSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
)
def sdiffstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the difference of multiple sets in a key."""
    return store(ctx, destination, difference(sets_of(ctx, keys)), b"sdiffstore")


def sets_of(ctx: Context, keys: Sequence[bytes]) -> list[Set | None]:
    """The sets at the keys, None where there is no key; one of another type is an error, whatever the others are."""
    return [ctx.keys.read(key, Set) for key in keys]


def intersection(sets: list[Set | None]) -> Iterator[bytes]:
    """The members that all sets have: those of the smallest, asked for in the others, the next smallest first."""
    present = [value for value in sets if value is not None]
    if len(present) < len(sets):
        return
    present.sort(key=len)
    smallest, others = present[0], present[1:]
    for member in smallest.members():
        if has_all(others, member):
            yield member


def union(sets: list[Set | None]) -> Iterator[bytes]:
    """The members of all sets; some may come more than once."""
    for value in sets:
        if value is not None:
            yield from value.members()


def difference(sets: list[Set | None]) -> Iterator[bytes]:
    """The members of the first set that no other has; the largest of those is asked first."""
    first = sets[0]
    if first is None:
        return
    others = [value for value in sets[1:] if value is not None]
    others.sort(key=len, reverse=True)
    for member in first.members():
        if not has_any(others, member):
            yield member


def has_all(sets: list[Set], member: bytes) -> bool:
    """Whether a member is in every set."""
    value: Set
    for value in sets:  # noqa: SIM110 (a typed loop, compiled to calls in C)
        if not value.contains(member):
            return False
    return True


def has_any(sets: list[Set], member: bytes) -> bool:
    """Whether a member is in one of the sets."""
    value: Set
    for value in sets:  # noqa: SIM110 (a typed loop, compiled to calls in C)
        if value.contains(member):
            return True
    return False


def store(ctx: Context, destination: bytes, members: Iterator[bytes], event: bytes) -> int:
    """Makes a set of the members under a key, whatever that held; without members the key is removed."""
    value = Set(ctx.keys.space.limits)
    for member in members:
        value.add(member)
    if not len(value):
        ctx.keys.remove(destination)
        return 0
    ctx.keys.put(destination, value, events.SET, event)
    return len(value)
