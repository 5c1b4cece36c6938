"""SORT and SORT_RO: elements in another order, by weights and with values that other keys hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import NOT_A_WEIGHT, SYNTAX, WRONG_TYPE, CommandError
from alcove.numeric import try_float, try_int
from alcove.types.hash import Hash
from alcove.types.list import List
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet

GROUP = "generic"

BLANKS: Final = b" \t\n\v\f\r"
COMPLEXITY: Final = (
    "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned "
    "elements. When the elements are not sorted, complexity is O(N)."
)


class Lookup:
    """A pattern of BY or GET. Its first `*` stands for the element in the name of a key, which holds a string, or a
    hash if the pattern ends in `->field`. The pattern `#` is the element itself.
    """

    def __init__(self, pattern: bytes) -> None:
        self.is_element = pattern == b"#"
        self.is_constant = b"*" not in pattern
        self.prefix, _, rest = pattern.partition(b"*")
        name, _, hash_field = rest.partition(b"->")
        # An arrow that points at nothing belongs to the name.
        self.suffix = name if hash_field else rest
        self.hash_field = hash_field

    def value(self, ctx: Context, element: bytes) -> bytes | None:
        """What the pattern leads to for an element; a key of another type is as good as none."""
        if self.is_element:
            return element
        if self.is_constant:
            return None
        entry = ctx.keys.look(self.prefix + element + self.suffix)
        if entry is None:
            return None
        found = entry.value
        if self.hash_field:
            return live_value(found, self.hash_field, ctx.now_ms) if type(found) is Hash else None
        return bytes(found) if type(found) is bytes or type(found) is bytearray else None


def live_value(found: Hash, hash_field: bytes, now_ms: int) -> bytes | None:
    """The value of a field, unless its time has come and nobody has removed it yet."""
    if found.next_deadline and 0 < found.deadline(hash_field) <= now_ms:
        return None
    return found.get(hash_field)


@dataclass(slots=True)
class Order:
    """The options of SORT."""

    descending: bool = False
    alpha: bool = False
    by: Lookup | None = None
    is_none: bool = False
    gets: list[Lookup] = field(default_factory=list)
    offset: int = 0
    count: int = -1
    destination: bytes | None = None

    def window(self, length: int) -> tuple[int, int]:
        """The part of so many elements that LIMIT leaves, half open."""
        first = min(max(self.offset, 0), length)
        return first, length if self.count < 0 else min(first + self.count, length)


@command(
    "SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] "
    "[STORE destination]",
    flags="write denyoom",
    keys=("RO access", "unknown RO access", "unknown OW update"),
    acl="-keyspace +list +set +sortedset +dangerous",
    since="1.0.0",
    complexity=COMPLEXITY,
)
def sort(ctx: Context, key: bytes, *options: bytes) -> object:
    """Sorts the elements in a list, a set, or a sorted set, optionally storing the result."""
    order = parse(options, may_store=True)
    rows = rows_of(ctx, key, order)
    return rows if order.destination is None else store(ctx, order.destination, rows)


@command(
    "SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    flags="readonly",
    keys=("RO access", "unknown RO access"),
    acl="-keyspace +list +set +sortedset +dangerous",
    since="7.0.0",
    complexity=COMPLEXITY,
)
def sort_ro(ctx: Context, key: bytes, *options: bytes) -> list[bytes | None]:
    """Returns the sorted elements of a list, a set, or a sorted set."""
    return rows_of(ctx, key, parse(options, may_store=False))


def parse(options: Sequence[bytes], may_store: bool) -> Order:
    arguments = Arguments(options)
    order = Order()
    while arguments:
        word = arguments.word()
        if word in (b"ASC", b"DESC"):
            order.descending = word == b"DESC"
        elif word == b"ALPHA":
            order.alpha = True
        elif word == b"LIMIT" and len(arguments) >= 2:
            order.offset = arguments.integer()
            order.count = arguments.integer()
        elif word == b"BY":
            order.by = Lookup(arguments.take())
            # One pattern without `*` says not to sort at all, whatever other BY there is.
            order.is_none = order.is_none or order.by.is_constant
        elif word == b"GET":
            order.gets.append(Lookup(arguments.take()))
        elif word == b"STORE" and may_store:
            order.destination = arguments.take()
        else:
            raise CommandError(SYNTAX)
    return order


def rows_of(ctx: Context, key: bytes, order: Order) -> list[bytes | None]:
    """The reply: the elements that are wanted, or what the GET patterns make of each."""
    elements = elements_of(ctx, key, order)
    if not order.gets:
        return [*elements]
    return [pattern.value(ctx, element) for element in elements for pattern in order.gets]


def elements_of(ctx: Context, key: bytes, order: Order) -> list[bytes]:
    """The elements at a key, ordered and limited."""
    entry = ctx.keys.look(key)
    if entry is None:
        return []
    container = entry.value
    kind = type(container)
    if kind is not List and kind is not Set and kind is not SortedSet:
        raise CommandError(WRONG_TYPE)
    first, stop = order.window(len(container))
    if order.is_none and kind is not Set:
        return in_own_order(container, first, stop, order.descending)
    elements = container.members() if kind is Set else in_own_order(container, 0, len(container), False)
    if not order.is_none:
        arrange(ctx, elements, order)
    elif order.destination is not None or ctx.session.executing:
        # A set has no order of its own; what is stored or seen by a script gets one.
        elements.sort(reverse=order.descending)
    return elements[first:stop]


def in_own_order(container: List | SortedSet, first: int, stop: int, descending: bool) -> list[bytes]:
    """A slice of a list or sorted set as it stands, or as it stands from the end."""
    if isinstance(container, SortedSet):
        return container.members(first, stop, descending)
    if not descending:
        return container.range(first, stop)
    length = len(container)
    return container.range(length - stop, length - first)[::-1]


def arrange(ctx: Context, elements: list[bytes], order: Order) -> None:
    """Sorts in place, by the elements themselves or by the weights that BY leads to.

    Equal numbers are ordered by their elements' bytes; equal texts stay in the order in which they came.
    """
    by = order.by
    descending = order.descending
    if not order.alpha:
        elements.sort(reverse=descending)
        elements.sort(key=lambda element: number_of(by.value(ctx, element) if by else element), reverse=descending)
    elif by is None:
        elements.sort(reverse=descending)
    else:
        weights = {element: by.value(ctx, element) for element in elements}
        elements.sort(key=lambda element: (weights[element] is not None, weights[element] or b""), reverse=descending)


def number_of(weight: bytes | None) -> float:
    """A weight as C's strtod reads it: blanks may precede it, and it ends with the text or a zero byte."""
    if weight is None:
        return 0.0
    integer = try_int(weight)
    if integer is not None:
        return float(integer)
    text = weight.partition(b"\0")[0]
    if not text:
        return 0.0
    number = try_float(text.lstrip(BLANKS))
    if number is None:
        raise CommandError(NOT_A_WEIGHT)
    return number


def store(ctx: Context, destination: bytes, rows: list[bytes | None]) -> int:
    """Puts the reply into a list, an empty string for each value that was missing."""
    elements = [b"" if row is None else row for row in rows]
    if not elements:
        ctx.keys.remove(destination)
        return 0
    result = List(ctx.keys.space.limits)
    result.push(elements, False)
    ctx.keys.put(destination, result, events.LIST, b"sortstore")
    ctx.keys.space.dirty += len(elements) - 1
    # Recorded is the result: weights may have expired by the time it is replayed, and a set be in another order.
    ctx.record(b"DEL", destination)
    ctx.record(b"RPUSH", destination, *elements)
    return len(elements)
