"""The list commands but for those that wait: these stand in list_blocking.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.commands.set import parse_count
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    COUNT_NEGATIVE,
    COUNT_TOO_LOW,
    INDEX_OUT_OF_RANGE,
    MAXLEN_NEGATIVE,
    NEGATIVE,
    NO_SUCH_KEY,
    NUMKEYS_TOO_LOW,
    RANK_ZERO,
    SYNTAX,
    CommandError,
    wrong_arity,
)
from alcove.numeric import INT64_MAX, parse_bounded, parse_int
from alcove.types.list import List
from alcove.values import NULL_ARRAY, OK

PUSH_COMPLEXITY: Final = (
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."
)
MULTIPLE_ELEMENTS: Final = "Accepts multiple `element` arguments."
POP_COUNT: Final = "Added the `count` argument."


# Read by every write: a C integer in the compiled build.
_LIST = events.LIST

# Pushing


@command(
    "LPUSH key element [element ...]",
    flags="write denyoom fast",
    keys="RW insert",
    since="1.0.0",
    complexity=PUSH_COMPLEXITY,
    history=(("2.4.0", MULTIPLE_ELEMENTS),),
)
def lpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Prepends one or more elements to a list. Creates the key if it doesn't exist."""
    value: List = ctx.keys.edit_or_create(key, List)
    value.push(elements, True)
    ctx.keys.changed(key, _LIST, b"lpush", len(elements))
    return len(value)


@command(
    "RPUSH key element [element ...]",
    flags="write denyoom fast",
    keys="RW insert",
    since="1.0.0",
    complexity=PUSH_COMPLEXITY,
    history=(("2.4.0", MULTIPLE_ELEMENTS),),
)
def rpush(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Appends one or more elements to a list. Creates the key if it doesn't exist."""
    value: List = ctx.keys.edit_or_create(key, List)
    value.push(elements, False)
    ctx.keys.changed(key, _LIST, b"rpush", len(elements))
    return len(value)


@command(
    "LPUSHX key element [element ...]",
    flags="write denyoom fast",
    keys="RW insert",
    since="2.2.0",
    complexity=PUSH_COMPLEXITY,
    history=(("4.0.0", MULTIPLE_ELEMENTS),),
)
def lpushx(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Prepends one or more elements to a list only when the list exists."""
    return 0 if ctx.keys.find(key) is None else lpush(ctx, key, *elements)


@command(
    "RPUSHX key element [element ...]",
    flags="write denyoom fast",
    keys="RW insert",
    since="2.2.0",
    complexity=PUSH_COMPLEXITY,
    history=(("4.0.0", MULTIPLE_ELEMENTS),),
)
def rpushx(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Appends an element to a list only when the list exists."""
    return 0 if ctx.keys.find(key) is None else rpush(ctx, key, *elements)


@command(
    "LINSERT key <BEFORE | AFTER> pivot element",
    flags="write denyoom",
    keys="RW insert",
    since="2.2.0",
    complexity="O(N) where N is the number of elements to traverse before seeing the value pivot. This means that "
    "inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the "
    "right end (tail) is O(N).",
)
def linsert(ctx: Context, key: bytes, where: bytes, pivot: bytes, element: bytes) -> int:
    """Inserts an element before or after another element in a list."""
    place = where.upper()
    if place not in (b"BEFORE", b"AFTER"):
        raise CommandError(SYNTAX)
    value: List | None = ctx.keys.edit(key, List)
    if value is None:
        return 0
    value.expect((element,))
    index = value.find(pivot, 0, len(value))
    if index < 0:
        return -1
    value.insert(index + (place == b"AFTER"), element)
    ctx.keys.changed(key, _LIST, b"linsert")
    return len(value)


@command(
    "LSET key index element",
    flags="write denyoom",
    since="1.0.0",
    complexity="O(N) where N is the length of the list. Setting either the first or the last element of the list is "
    "O(1).",
)
def lset(ctx: Context, key: bytes, index: bytes, element: bytes) -> object:
    """Sets the value of an element in a list by its index."""
    value: List | None = ctx.keys.edit(key, List)
    if value is None:
        raise CommandError(NO_SUCH_KEY)
    place = parse_int(index)
    value.expect((element,))
    place = place + len(value) if place < 0 else place
    if not 0 <= place < len(value):
        raise CommandError(INDEX_OUT_OF_RANGE)
    value.set(place, element)
    ctx.keys.changed(key, _LIST, b"lset")
    return OK


# Reading


@command("LLEN key", flags="readonly fast", keys="RO", since="1.0.0", complexity="O(1)")
def llen(ctx: Context, key: bytes) -> int:
    """Returns the length of a list."""
    value: List | None = ctx.keys.read(key, List)
    return 0 if value is None else len(value)


@command(
    "LINDEX key index",
    flags="readonly",
    since="1.0.0",
    complexity="O(N) where N is the number of elements to traverse to get to the element at index. This makes asking "
    "for the first or the last element of the list O(1).",
)
def lindex(ctx: Context, key: bytes, index: bytes) -> bytes | None:
    """Returns an element from a list by its index."""
    value: List | None = ctx.keys.read(key, List)
    if value is None:
        return None
    place = parse_int(index)
    place = place + len(value) if place < 0 else place
    return value.get(place) if 0 <= place < len(value) else None


@command(
    "LRANGE key start stop",
    flags="readonly",
    since="1.0.0",
    complexity="O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or "
    "TAIL) for large lists; and N is the number of elements in the specified range.",
)
def lrange(ctx: Context, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
    """Returns a range of elements from a list."""
    first, last = parse_int(start), parse_int(stop)
    value: List | None = ctx.keys.read(key, List)
    if value is None:
        return []
    first, behind = bounds(first, last, len(value))
    return value.range(first, behind)


def bounds(first: int, last: int, length: int) -> tuple[int, int]:
    """Two indices as users give them, the second included, as a half-open range within a list of that length."""
    first = max(first + length, 0) if first < 0 else min(first, length)
    behind = last + length + 1 if last < 0 else min(last, length - 1) + 1
    return first, max(behind, first)


@command(
    "LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    flags="readonly",
    since="6.0.6",
    complexity="O(N) where N is the number of elements in the list, for the average case. When searching for elements "
    "near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant "
    "time.",
)
def lpos(ctx: Context, key: bytes, element: bytes, *options: bytes) -> object:
    """Returns the index of matching elements in a list."""
    rank, count, longest = lpos_options(Arguments(options))
    value: List | None = ctx.keys.read(key, List)
    if value is None:
        return None if count < 0 else []
    found = matches_of(value, element, rank, abs(count), longest)
    if count >= 0:
        return found
    return found[0] if found else None


def lpos_options(arguments: Arguments) -> tuple[int, int, int]:
    """Rank, count (-1 for one match alone, 0 for all of them) and the number of comparisons, 0 for no limit."""
    rank, count, longest = 1, -1, 0
    while arguments:
        word = arguments.word()
        if word == b"RANK" and arguments:
            rank = parse_count(arguments.take())
            if rank == 0:
                raise CommandError(RANK_ZERO)
        elif word == b"COUNT" and arguments:
            count = parse_bounded(arguments.take(), 0, INT64_MAX, COUNT_NEGATIVE)
        elif word == b"MAXLEN" and arguments:
            longest = parse_bounded(arguments.take(), 0, INT64_MAX, MAXLEN_NEGATIVE)
        else:
            raise CommandError(SYNTAX)
    return rank, count, longest


def matches_of(value: List, element: bytes, rank: int, count: int, longest: int) -> list[int]:
    """The indices of up to `count` matches (0 for all) from the one of that rank on, from the end if it is negative."""
    length = len(value)
    compared = min(longest, length) if longest else length
    if rank > 0:
        at, stop, step = 0, compared, 1
    else:
        at, stop, step = length - 1, length - compared - 1, -1
    skipped = abs(rank) - 1
    found: list[int] = []
    while (at := value.find(element, at, stop)) >= 0:
        if skipped:
            skipped -= 1
        else:
            found.append(at)
            if len(found) == count:
                break
        at += step
        if at == stop:
            break
    return found


# Removing


@command(
    "LPOP key [count]",
    flags="write fast",
    keys="RW access delete",
    since="1.0.0",
    complexity="O(N) where N is the number of elements returned",
    history=(("6.2.0", POP_COUNT),),
)
def lpop(ctx: Context, key: bytes, *count: bytes) -> object:
    """Returns the first elements in a list after removing it. Deletes the list if the last element was popped."""
    return pop_command(ctx, key, count, True)


@command(
    "RPOP key [count]",
    flags="write fast",
    keys="RW access delete",
    since="1.0.0",
    complexity="O(N) where N is the number of elements returned",
    history=(("6.2.0", POP_COUNT),),
)
def rpop(ctx: Context, key: bytes, *count: bytes) -> object:
    """Returns and removes the last elements of a list. Deletes the list if the last element was popped."""
    return pop_command(ctx, key, count, False)


def pop_command(ctx: Context, key: bytes, options: tuple[bytes, ...], left: bool) -> object:
    """LPOP and RPOP: one element, or with a count a list of them."""
    if len(options) > 1:
        raise CommandError(wrong_arity("lpop" if left else "rpop"))
    count = parse_bounded(options[0], 0, INT64_MAX, NEGATIVE) if options else 1
    value: List | None = ctx.keys.edit(key, List)
    if value is None:
        return NULL_ARRAY if options else None
    if options:
        return popped(ctx, key, value, count, left)
    return pop(ctx, key, value, left)


def pop(ctx: Context, key: bytes, value: List, left: bool) -> bytes:
    """Takes an element from one end."""
    element = value.pop_left() if left else value.pop_right()
    ctx.keys.changed(key, _LIST, b"lpop" if left else b"rpop")
    return element


def popped(ctx: Context, key: bytes, value: List, count: int, left: bool) -> list[bytes]:
    """Takes up to `count` elements from one end, the outermost first."""
    if count == 0:
        return []
    length = len(value)
    count = min(count, length)
    if left:
        elements = value.range(0, count)
        value.trim(count, length)
    else:
        elements = value.range(length - count, length)
        elements.reverse()
        value.trim(0, length - count)
    ctx.keys.changed(key, _LIST, b"lpop" if left else b"rpop", count)
    return elements


@command(
    "LREM key count element",
    flags="write",
    keys="RW delete",
    since="1.0.0",
    complexity="O(N+M) where N is the length of the list and M is the number of elements removed.",
)
def lrem(ctx: Context, key: bytes, count: bytes, element: bytes) -> int:
    """Removes elements from a list. Deletes the list if the last element was removed."""
    number = parse_count(count)
    value: List | None = ctx.keys.edit(key, List)
    if value is None:
        return 0
    removed = value.remove(element, number)
    if removed:
        ctx.keys.changed(key, _LIST, b"lrem", removed)
    return removed


@command(
    "LTRIM key start stop",
    flags="write",
    keys="RW delete",
    since="1.0.0",
    complexity="O(N) where N is the number of elements to be removed by the operation.",
)
def ltrim(ctx: Context, key: bytes, start: bytes, stop: bytes) -> object:
    """Removes elements from both ends a list. Deletes the list if all elements were trimmed."""
    first, last = parse_int(start), parse_int(stop)
    value: List | None = ctx.keys.edit(key, List)
    if value is None:
        return OK
    length = len(value)
    first, behind = bounds(first, last, length)
    value.trim(first, behind)
    ctx.keys.changed(key, _LIST, b"ltrim", length - len(value))
    return OK


# Moving, and taking from the first of several lists


@command(
    "LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    flags="write denyoom",
    keys=("RW access delete", "RW insert"),
    since="6.2.0",
    complexity="O(1)",
)
def lmove(ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes) -> bytes | None:
    """Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element
    was moved.
    """
    return move(ctx, source, destination, is_left(wherefrom), is_left(whereto))


@command(
    "RPOPLPUSH source destination",
    flags="write denyoom",
    keys=("RW access delete", "RW insert"),
    since="1.2.0",
    complexity="O(1)",
    deprecated=("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
)
def rpoplpush(ctx: Context, source: bytes, destination: bytes) -> bytes | None:
    """Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last
    element was popped.
    """
    return move(ctx, source, destination, False, True)


def is_left(word: bytes) -> bool:
    """Which end of a list a word names."""
    end = word.upper()
    if end not in (b"LEFT", b"RIGHT"):
        raise CommandError(SYNTAX)
    return end == b"LEFT"


def move(ctx: Context, source: bytes, destination: bytes, from_left: bool, to_left: bool) -> bytes | None:
    """Takes an element from one end of a list and puts it at one end of another, or of the same; None without one."""
    giver: List | None = ctx.keys.edit(source, List)
    if giver is None:
        return None
    ctx.keys.edit(destination, List)
    element = giver.pop_left() if from_left else giver.pop_right()
    taker: List = ctx.keys.edit_or_create(destination, List)
    if to_left:
        taker.push_left(element)
    else:
        taker.push_right(element)
    ctx.keys.changed(destination, _LIST, b"lpush" if to_left else b"rpush", 0)
    ctx.keys.changed(source, _LIST, b"lpop" if from_left else b"rpop")
    return element


@command(
    "LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    flags="write",
    keys="RW access delete",
    since="7.0.0",
    complexity="O(N+M) where N is the number of provided keys and M is the number of elements returned.",
)
def lmpop(ctx: Context, numkeys: bytes, *rest: bytes) -> object:
    """Returns multiple elements from a list after removing them. Deletes the list if the last element was popped."""
    keys, left, count = mpop_options(numkeys, rest)
    for key in keys:
        value: List | None = ctx.keys.edit(key, List)
        if value is not None:
            return mpop(ctx, key, value, count, left)
    return NULL_ARRAY


def mpop_options(numkeys: bytes, rest: tuple[bytes, ...]) -> tuple[Sequence[bytes], bool, int]:
    """The keys, whether it is LEFT, and the count, of LMPOP and BLMPOP."""
    number = parse_bounded(numkeys, 1, INT64_MAX, NUMKEYS_TOO_LOW)
    if number >= len(rest):
        raise CommandError(SYNTAX)
    left = is_left(rest[number])
    count = 0
    arguments = Arguments(rest[number + 1 :])
    while arguments:
        if arguments.word() != b"COUNT" or count or not arguments:
            raise CommandError(SYNTAX)
        count = parse_bounded(arguments.take(), 1, INT64_MAX, COUNT_TOO_LOW)
    return rest[:number], left, max(count, 1)


def mpop(ctx: Context, key: bytes, value: List, count: int, left: bool) -> list[object]:
    """Takes elements from the list that was found; replay takes as many from the same one."""
    elements = popped(ctx, key, value, count, left)
    ctx.record(b"LPOP" if left else b"RPOP", key, b"%d" % len(elements))
    return [key, elements]
