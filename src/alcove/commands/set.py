"""The set commands: members without order, what sets have in common, and draws by chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from alcove.commands.generic import parse_cursor, scan_options
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.glob import matches
from alcove.errors import COUNT_RANGE, NEGATIVE, OUT_OF_RANGE, SYNTAX, CommandError
from alcove.numeric import INT64_MAX, parse_bounded, parse_int
from alcove.types.set import Set
from alcove.values import Members

# A reply of more repeated draws than this would not fit any memory: the real server runs out of it.
MOST_DRAWS: Final = 2**26
# SPOP of so many times more members than it leaves makes a large set small again.
MANY_TIMES: Final = 5

# Read by every write: a C integer in the compiled build.
_SET = events.SET

# What the commands of lists and hashes use too


def parse_count(text: bytes) -> int:
    """A number of which the sign has a meaning; it must have an opposite."""
    count = parse_int(text)
    if count < -INT64_MAX:
        raise CommandError(COUNT_RANGE)
    return count


def one_position(size: int) -> int:
    """A position below `size` by chance."""
    return int(random.random() * size)


def some_positions(size: int, count: int) -> Sequence[int]:
    """`count` different positions below `size`, or all; if negative as many as that, which may repeat."""
    if count >= size:
        return range(size)
    if count >= 0:
        return random.sample(range(size), count)
    if -count > MOST_DRAWS:
        raise CommandError(OUT_OF_RANGE)
    return [one_position(size) for _ in range(-count)]


def scan_window(size: int, cursor: int, count: int, is_small: bool) -> tuple[int, int]:
    """The positions that one call of SSCAN or HSCAN visits: from the first, which is the next cursor, to the second.

    A cursor says how many positions are still to be visited, from there downwards: what a removal moves into a gap
    comes from where the walk has been. Small forms are visited at once.
    """
    begin = size if cursor == 0 or cursor > size else cursor
    return (0, size) if is_small else (max(begin - count, 0), begin)


# Members


@command(
    "SADD key member [member ...]",
    flags="write denyoom fast",
    keys="RW insert",
    since="1.0.0",
    complexity="O(1) for each element added, so O(N) to add N elements when the command is called with multiple "
    "arguments.",
    history=(("2.4.0", "Accepts multiple `member` arguments."),),
)
def sadd(ctx: Context, key: bytes, *members: bytes) -> int:
    """Adds one or more members to a set. Creates the key if it doesn't exist."""
    value: Set = ctx.keys.edit_or_create(key, Set)
    added = value.add_all(members)
    if added:
        ctx.keys.changed(key, _SET, b"sadd", added)
    return added


@command(
    "SREM key member [member ...]",
    flags="write fast",
    keys="RW delete",
    since="1.0.0",
    complexity="O(N) where N is the number of members to be removed.",
    history=(("2.4.0", "Accepts multiple `member` arguments."),),
)
def srem(ctx: Context, key: bytes, *members: bytes) -> int:
    """Removes one or more members from a set. Deletes the set if the last member was removed."""
    value: Set | None = ctx.keys.edit(key, Set)
    if value is None:
        return 0
    removed = value.remove_all(members)
    if removed:
        ctx.keys.changed(key, _SET, b"srem", removed)
    return removed


@command(
    "SMOVE source destination member",
    flags="write fast",
    keys=("RW access delete", "RW insert"),
    since="1.0.0",
    complexity="O(1)",
)
def smove(ctx: Context, source: bytes, destination: bytes, member: bytes) -> int:
    """Moves a member from one set to another."""
    giver: Set | None = ctx.keys.edit(source, Set)
    if giver is None:
        return 0
    taker: Set | None = ctx.keys.edit(destination, Set)
    if giver is taker:
        return int(giver.contains(member))
    if not giver.remove(member):
        return 0
    ctx.keys.changed(source, _SET, b"srem")
    taker = ctx.keys.edit_or_create(destination, Set)
    if taker.add(member):
        ctx.keys.changed(destination, _SET, b"sadd")
    return 1


@command("SISMEMBER key member", flags="readonly fast", keys="RO", since="1.0.0", complexity="O(1)")
def sismember(ctx: Context, key: bytes, member: bytes) -> int:
    """Determines whether a member belongs to a set."""
    value: Set | None = ctx.keys.read(key, Set)
    return int(value is not None and value.contains(member))


@command(
    "SMISMEMBER key member [member ...]",
    flags="readonly fast",
    since="6.2.0",
    complexity="O(N) where N is the number of elements being checked for membership",
)
def smismember(ctx: Context, key: bytes, *members: bytes) -> list[int]:
    """Determines whether multiple members belong to a set."""
    value: Set | None = ctx.keys.read(key, Set)
    return [int(value is not None and value.contains(member)) for member in members]


@command("SCARD key", flags="readonly fast", keys="RO", since="1.0.0", complexity="O(1)")
def scard(ctx: Context, key: bytes) -> int:
    """Returns the number of members in a set."""
    value: Set | None = ctx.keys.read(key, Set)
    return 0 if value is None else len(value)


@command(
    "SMEMBERS key",
    flags="readonly",
    since="1.0.0",
    complexity="O(N) where N is the set cardinality.",
    tips="nondeterministic_output_order",
)
def smembers(ctx: Context, key: bytes) -> Members:
    """Returns all members of a set."""
    value: Set | None = ctx.keys.read(key, Set)
    return Members() if value is None else Members(value.members())


@command(
    "SSCAN key cursor [MATCH pattern] [COUNT count]",
    flags="readonly",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    tips="nondeterministic_output",
)
def sscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Iterates over members of a set."""
    start = parse_cursor(cursor)
    value: Set | None = ctx.keys.read(key, Set)
    if value is None:
        return [b"0", []]
    pattern, count, _ = scan_options(Arguments(options))
    left, begin = scan_window(len(value), start, count, value.encoding != b"hashtable")
    members = value.members_between(left, begin)
    if pattern is not None:
        members = [member for member in members if matches(pattern, member)]
    return [b"%d" % left, members]


# By chance


@command(
    "SRANDMEMBER key [count]",
    flags="readonly",
    since="1.0.0",
    complexity="Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    history=(("2.6.0", "Added the optional `count` argument."),),
    tips="nondeterministic_output",
)
def srandmember(ctx: Context, key: bytes, *options: bytes) -> object:
    """Get one or multiple random members from a set"""
    if len(options) > 1:
        raise CommandError(SYNTAX)
    count = parse_count(options[0]) if options else 1
    value: Set | None = ctx.keys.read(key, Set)
    if not options:
        return None if value is None else value.member_at(one_position(len(value)))
    if value is None:
        return []
    return [value.member_at(position) for position in some_positions(len(value), count)]


@command(
    "SPOP key [count]",
    flags="write fast",
    keys="RW access delete",
    since="1.0.0",
    complexity="Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    history=(("3.2.0", "Added the `count` argument."),),
    tips="nondeterministic_output",
)
def spop(ctx: Context, key: bytes, *options: bytes) -> object:
    """Returns one or more random members from a set after removing them. Deletes the set if the last member was
    popped.
    """
    if len(options) > 1:
        raise CommandError(SYNTAX)
    count = parse_bounded(options[0], 0, INT64_MAX, NEGATIVE) if options else 1
    value: Set | None = ctx.keys.edit(key, Set)
    if value is None:
        return Members() if options else None
    if options:
        return Members(drawn(ctx, key, value, count)) if count else Members()
    member = value.pop_at(one_position(len(value)))
    ctx.record(b"SREM", key, member)
    ctx.keys.changed(key, _SET, b"spop")
    return member


def drawn(ctx: Context, key: bytes, value: Set, count: int) -> list[bytes]:
    """Takes up to `count` members out by chance; replay removes the same ones."""
    size = len(value)
    if count >= size:
        popped = value.members()
        ctx.keys.notify(_SET, b"spop", key)
        ctx.keys.remove(key)
        ctx.record(b"DEL", key)
        return popped
    popped = [value.pop_at(one_position(size - done)) for done in range(count)]
    if (size - count) * MANY_TIMES <= count:
        value.compact()
    ctx.keys.changed(key, _SET, b"spop", count)
    ctx.record(b"SREM", key, *popped)
    return popped
