"""The set commands that combine sets: intersections, unions and differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import LIMIT_NEGATIVE, NUMKEYS_TOO_HIGH, NUMKEYS_TOO_LOW, SYNTAX, CommandError
from alcove.numeric import INT64_MAX, parse_bounded
from alcove.types.set import Set, common, union
from alcove.types.set import difference as without
from alcove.values import Members

GROUP = "set"


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
    return Members(intersection(ctx, keys))


@command(
    "SINTERSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=INTERSECTION_COMPLEXITY,
)
def sinterstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the intersect of multiple sets in a key."""
    return store(ctx, destination, intersection(ctx, keys), b"sinterstore")


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
    return len(intersection(ctx, rest[:number], limit))


@command(
    "SUNION key [key ...]",
    flags="readonly",
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
    tips="nondeterministic_output_order",
)
def sunion(ctx: Context, *keys: bytes) -> Members:
    """Returns the union of multiple sets."""
    return Members(union(present(ctx, keys)))


@command(
    "SUNIONSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
)
def sunionstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the union of multiple sets in a key."""
    return store(ctx, destination, union(present(ctx, keys)), b"sunionstore")


@command(
    "SDIFF key [key ...]",
    flags="readonly",
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
    tips="nondeterministic_output_order",
)
def sdiff(ctx: Context, *keys: bytes) -> Members:
    """Returns the difference of multiple sets."""
    return Members(difference(ctx, keys))


@command(
    "SDIFFSTORE destination key [key ...]",
    flags="write denyoom",
    keys=("OW update", "RO access"),
    since="1.0.0",
    complexity=TOTAL_COMPLEXITY,
)
def sdiffstore(ctx: Context, destination: bytes, *keys: bytes) -> int:
    """Stores the difference of multiple sets in a key."""
    return store(ctx, destination, difference(ctx, keys), b"sdiffstore")


def sets_of(ctx: Context, keys: Sequence[bytes]) -> list[Set | None]:
    """The sets at the keys, None where there is no key; one of another type is an error, whatever the others are."""
    return [ctx.keys.read(key, Set) for key in keys]


def present(ctx: Context, keys: Sequence[bytes]) -> list[Set]:
    """The sets at those keys that exist."""
    return [value for value in sets_of(ctx, keys) if value is not None]


def intersection(ctx: Context, keys: Sequence[bytes], limit: int = 0) -> list[bytes]:
    """The members that the sets at all keys have, or no more than `limit` of them."""
    sets = present(ctx, keys)
    return common(sets, limit) if len(sets) == len(keys) else []


def difference(ctx: Context, keys: Sequence[bytes]) -> list[bytes]:
    """The members of the set at the first key that those at the others lack."""
    first, *others = sets_of(ctx, keys)
    return [] if first is None else without(first, [value for value in others if value is not None])


def store(ctx: Context, destination: bytes, members: Iterable[bytes], event: bytes) -> int:
    """Makes a set of the members under a key, whatever that held; without members the key is removed."""
    value = Set(ctx.keys.space.limits)
    for member in members:
        value.add(member)
    if not len(value):
        ctx.keys.remove(destination)
        return 0
    ctx.keys.put(destination, value, events.SET, event)
    return len(value)
