"""The list commands that wait until there is something to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alcove.commands.list import is_left, move, mpop, mpop_options, pop
from alcove.engine.arguments import timeout_us
from alcove.engine.blocking import NOT_READY
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.types.list import List
from alcove.values import NULL_ARRAY

GROUP = "list"

# What is taken from a list once there is one: the reply.
Take = Callable[[bytes, List], object]


@command(
    "BLPOP key [key ...] timeout",
    flags="write blocking",
    keys="RW access delete",
    since="2.0.0",
    complexity="O(N) where N is the number of provided keys.",
    history=(("6.0.0", "`timeout` is interpreted as a double instead of an integer."),),
)
def blpop(ctx: Context, *arguments: bytes) -> object:
    """Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list
    if the last element was popped.
    """
    return pop_or_wait(ctx, arguments, True)


@command(
    "BRPOP key [key ...] timeout",
    flags="write blocking",
    keys="RW access delete",
    since="2.0.0",
    complexity="O(N) where N is the number of provided keys.",
    history=(("6.0.0", "`timeout` is interpreted as a double instead of an integer."),),
)
def brpop(ctx: Context, *arguments: bytes) -> object:
    """Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list
    if the last element was popped.
    """
    return pop_or_wait(ctx, arguments, False)


def pop_or_wait(ctx: Context, arguments: tuple[bytes, ...], left: bool) -> object:
    """BLPOP and BRPOP; replay pops from the list that was found."""
    keys, timeout = arguments[: len(arguments) - 1], arguments[len(arguments) - 1]

    def take(key: bytes, value: List) -> object:
        ctx.record(b"LPOP" if left else b"RPOP", key)
        return [key, pop(ctx, key, value, left)]

    return take_or_wait(ctx, keys, timeout_us(timeout, ctx.now_ms), take)


@command(
    "BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    flags="write blocking",
    keys="RW access delete",
    since="7.0.0",
    complexity="O(N+M) where N is the number of provided keys and M is the number of elements returned.",
)
def blmpop(ctx: Context, timeout: bytes, numkeys: bytes, *rest: bytes) -> object:
    """Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the
    list if the last element was popped.
    """
    keys, left, count = mpop_options(numkeys, rest)
    longest_us = timeout_us(timeout, ctx.now_ms)
    return take_or_wait(ctx, keys, longest_us, lambda key, value: mpop(ctx, key, value, count, left))


def take_or_wait(ctx: Context, keys: Sequence[bytes], longest_us: int, take: Take) -> object:
    """Takes from the first key that holds a list, or waits for one."""
    reply = take_first(ctx, keys, take)
    if reply is not NOT_READY:
        return reply
    return ctx.wait(list(keys), longest_us, lambda: take_when_ready(ctx, keys, take), NULL_ARRAY)


def take_first(ctx: Context, keys: Sequence[bytes], take: Take) -> object:
    for key in keys:
        value: List | None = ctx.keys.edit(key, List)
        if value is not None:
            return take(key, value)
    return NOT_READY


def take_when_ready(ctx: Context, keys: Sequence[bytes], take: Take) -> object:
    """As `take_first`, but values of other types do not end the wait as long as there is no list."""
    entries = [ctx.keys.find(key) for key in keys]
    if any(entry is not None and type(entry.value) is List for entry in entries):
        return take_first(ctx, keys, take)
    return NOT_READY


@command(
    "BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    flags="write denyoom blocking",
    keys=("RW access delete", "RW insert"),
    since="6.2.0",
    complexity="O(1)",
)
def blmove(ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes, timeout: bytes) -> object:
    """Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available
    otherwise. Deletes the list if the last element was moved.
    """
    from_left, to_left = is_left(wherefrom), is_left(whereto)
    return move_or_wait(ctx, source, destination, from_left, to_left, timeout)


@command(
    "BRPOPLPUSH source destination timeout",
    flags="write denyoom blocking",
    keys=("RW access delete", "RW insert"),
    since="2.2.0",
    complexity="O(1)",
    deprecated=("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
    history=(("6.0.0", "`timeout` is interpreted as a double instead of an integer."),),
)
def brpoplpush(ctx: Context, source: bytes, destination: bytes, timeout: bytes) -> object:
    """Pops an element from a list, pushes it to another list and returns it. Block until an element is available
    otherwise. Deletes the list if the last element was popped.
    """
    return move_or_wait(ctx, source, destination, False, True, timeout)


def move_or_wait(
    ctx: Context, source: bytes, destination: bytes, from_left: bool, to_left: bool, timeout: bytes
) -> object:
    """Moves an element, or waits for one at the source; replay moves it between the same ends."""
    longest_us = timeout_us(timeout, ctx.now_ms)

    def take() -> bytes | None:
        element = move(ctx, source, destination, from_left, to_left)
        if element is not None:
            ctx.record(b"LMOVE", source, destination, END_NAMES[from_left], END_NAMES[to_left])
        return element

    def take_when_ready() -> object:
        entry = ctx.keys.find(source)
        if entry is None or type(entry.value) is not List:
            return NOT_READY
        return take()

    element = take()
    if element is not None:
        return element
    waiting = ctx.wait([source], longest_us, take_when_ready, NULL_ARRAY)
    # Where blocking is not allowed the real server answers a null string; when time is up, a null array.
    return None if waiting is NULL_ARRAY else waiting


END_NAMES = (b"RIGHT", b"LEFT")
