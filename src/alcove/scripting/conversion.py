"""Values between the engine and Lua: what a script's call is answered, and what a script's own result replies.

Only strings, numbers and booleans cross the border. What has elements crosses as tokens, a kind and a payload each,
in portions: `tokens_of` makes them of a reply for `grown` in lua/prelude.lua, and `reply_of` makes a reply of those
that `put_value` there has sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from alcove.errors import CommandError
from alcove.integers import format_int
from alcove.numeric import INT64_MIN, format_double
from alcove.values import (
    NO_REPLY,
    NULL_ARRAY,
    BigNumber,
    Decimal,
    FlatMap,
    Keyed,
    Mapped,
    Members,
    Pairs,
    Push,
    Replies,
    Status,
    Verbatim,
)

# The kinds of tokens, which lua/prelude.lua knows by the same names.
NIL: Final = 0
PLAIN: Final = 1
STATUS: Final = 2
ARRAY: Final = 3
MAP: Final = 4
SET: Final = 5
DOUBLE: Final = 6
BIG: Final = 7
VERBATIM: Final = 8
ERROR: Final = 9
CONTAINERS: Final = (ARRAY, MAP, SET)

# Lua has doubles only: integers up to here are exact.
_EXACT: Final = float(2**53)
# What a token takes in Lua's memory at most, besides its bytes: there are two for a value, which is a string and has
# places on the stack and in two tables as they grow.
TOKEN_BYTES: Final = 128

# C variables of the compiled build.
_STATUS = Status
_CommandError = CommandError


def argument_of(word: Any) -> bytes | None:
    """An argument of `redis.call` as the command gets it; None for what is neither a string nor a number."""
    if type(word) is bytes:
        return word
    if type(word) is int:
        number = float(word)
        return format_int(word) if -_EXACT < number < _EXACT else format_double(number)
    if type(word) is float:
        if word != word and math.copysign(1.0, word) < 0:
            return b"-nan"
        return format_double(word)
    return None


def scalar_of(value: Any, resp3: bool) -> Any:
    """What Lua gets of a reply that is one plain value; None for any other."""
    kind = type(value)
    if kind is bytes or kind is int:
        return value
    if value is None or value is NULL_ARRAY:
        return None if resp3 else False
    if kind is bool:
        return value if resp3 else int(value)
    if resp3 or kind is _STATUS:
        return None
    if kind is float:
        return format_double(value)
    if kind is Verbatim or kind is BigNumber or kind is Decimal or kind is bytearray:
        return bytes(value[:])
    return None


def flat_of(reply: Any, resp3: bool) -> list[Any] | None:
    """What Lua gets of the elements of a reply that is a list for it, if all are plain values; None if it is not."""
    flat = []
    elements: Iterable[Any] = reply
    kind = type(reply)
    if kind is not list:
        if resp3:
            return None
        if kind is dict:
            elements = _flattened(reply.items())
        elif kind is not Members and kind is not FlatMap:
            return None
    for value in elements:
        if type(value) is not bytes:
            value = scalar_of(value, resp3)
            if value is None:
                return None
        flat.append(value)
    return flat


def tokens_of(reply: Any, resp3: bool) -> list[Any]:
    """A reply as tokens."""
    tokens: list[Any] = []
    _add_tokens(tokens, reply, resp3)
    return tokens


def _add_tokens(tokens: list[Any], value: Any, resp3: bool) -> None:
    plain = scalar_of(value, resp3)
    kind = type(value)
    if plain is not None:
        tokens += (PLAIN, plain)
    elif value is None or value is NULL_ARRAY or value is NO_REPLY:
        tokens += (NIL, False)
    elif kind is _STATUS:
        tokens += (STATUS, bytes(value[:]))
    elif isinstance(value, CommandError):
        tokens += (ERROR, value.line)
    elif kind is float:
        tokens += (DOUBLE, value)
    elif kind is Decimal:
        tokens += (DOUBLE, float(value))
    elif kind is BigNumber:
        tokens += (BIG, bytes(value[:]))
    elif kind is Verbatim:
        tokens += (VERBATIM, bytes(value[:]))
    elif kind is bytearray:
        tokens += (PLAIN, bytes(value))
    else:
        _add_elements(tokens, value, kind, resp3)


def _add_elements(tokens: list[Any], value: Any, kind: type, resp3: bool) -> None:
    elements: Iterable[Any] = value
    count = len(value)
    sign = ARRAY
    if kind is dict or (kind is Keyed and resp3):
        elements = _flattened(value.items() if kind is dict else value)
        if resp3:
            sign = MAP
        else:
            count *= 2
    elif kind is Pairs and not resp3:
        elements = _flattened(value)
        count *= 2
    elif kind is FlatMap and resp3:
        sign = MAP
        count //= 2
    elif kind is Members and resp3:
        sign = SET
    elif kind not in (list, tuple, Members, FlatMap, Pairs, Keyed, Push, Replies):
        raise TypeError(f"no script can hold a {kind.__name__}")
    tokens += (sign, count)
    for element in elements:
        _add_tokens(tokens, element, resp3)


def _flattened(pairs: Iterable[Any]) -> list[Any]:
    return [one for pair in pairs for one in pair]


def size_of(tokens: list[Any]) -> int:
    """How many bytes of Lua's memory tokens take at most."""
    size = TOKEN_BYTES * len(tokens)
    for token in tokens:
        if type(token) is bytes:
            size += len(token)
    return size


def integer_of(number: Any) -> int:
    """A number of Lua as the integer that a reply makes of it: cut off; what does not fit is the least."""
    if type(number) is int:
        return number if -(2**63) <= number < 2**63 else INT64_MIN
    return int(number) if -(2.0**63) <= number < 2.0**63 else INT64_MIN


def plain_reply(value: Any, resp3: bool) -> Any:
    """The reply that a string, number, boolean or nil of Lua is."""
    kind = type(value)
    if kind is bytes:
        return value
    if kind is bool:
        return value if resp3 else (1 if value else None)
    return None if value is None else integer_of(value)


def reply_of(tokens: list[Any], resp3: bool) -> Any:
    """The reply that tokens of Lua are, however deep they nest: the open containers wait in a list."""
    waiting: list[tuple[int, int, list[Any]]] = []
    place = 0
    while True:
        kind = tokens[place]
        payload = tokens[place + 1]
        place += 2
        if kind in CONTAINERS:
            size = 2 * payload if kind == MAP else payload
            if size:
                waiting.append((kind, size, []))
                continue
            value = closed(kind, [])
        else:
            value = leaf_of(kind, payload, resp3)
        while waiting:
            kind, size, elements = waiting[len(waiting) - 1]
            elements.append(value)
            if len(elements) < size:
                break
            waiting.pop()
            value = closed(kind, elements)
        else:
            return value


def leaf_of(kind: int, payload: Any, resp3: bool) -> Any:
    """The reply that one token without elements is. Lines end at a NUL, as where they are strings of C."""
    if kind == PLAIN:
        return plain_reply(payload, resp3)
    if kind == NIL:
        return None
    if kind == STATUS:
        return Status(on_one_line(payload.partition(b"\0")[0]))
    if kind == ERROR:
        return CommandError(payload.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
    if kind == DOUBLE:
        return float(payload)
    if kind == BIG:
        return BigNumber(on_one_line(payload))
    return Verbatim(payload)


def closed(kind: int, elements: list[Any]) -> Any:
    """The container that these elements fill."""
    if kind == ARRAY:
        return elements
    if kind == SET:
        return Members(elements)
    pairs = list(zip(elements[::2], elements[1::2], strict=True))
    for key, _ in pairs:
        if type(key) is not bytes:
            return Mapped(pairs)
    return dict(pairs)


def on_one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b" ").replace(b"\n", b" ")
