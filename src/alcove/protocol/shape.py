"""What redis-py's own parser would return for a reply value, without the trip over bytes: for the embedded client.

Held to it by a property: parser(writer(value)) == shape(value), on both protocols, decoding or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, TypeAlias

from alcove.errors import CommandError
from alcove.numeric import format_double
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

# How deep replies may nest: about what redis-py's parser manages before Python's own limit stops it.
_MAX_DEPTH: Final = 400

Decode: TypeAlias = "Callable[[bytes], Any] | None"
ParseError: TypeAlias = "Callable[[str], Exception]"


def decode_utf8(data: bytes) -> str:
    """What `decoder` gives for redis-py's defaults; the compiled build then decodes without calling it."""
    return data.decode("utf-8")


def decoder(encoding: str, errors: str) -> Callable[[bytes], str]:
    """The `decode` that `shape` wants for a redis-py connection with `decode_responses`."""
    if errors == "strict" and encoding.lower() in ("utf-8", "utf8"):
        return decode_utf8
    return lambda data: data.decode(encoding, errors)


# C variables of the compiled build, which compares with them for most values.
_STATUS = Status
_DECODE_UTF8 = decode_utf8


def shape(value: Any, protocol: int, decode: Decode, parse_error: ParseError) -> Any:
    """The Python value of a reply on RESP2 or RESP3.

    `decode` makes of every string what the user sees (None: bytes). `parse_error` makes the exception of an error's
    text, which stands in the result as an element does; where the parser would raise at once, it raises itself.
    `NO_REPLY`, for which a parser would wait, stays what it is. `Replies` are several replies and have no shape as one;
    those of a command in a transaction stand one by one among EXEC's.
    """
    if value is NO_REPLY:
        return value
    return _shape(value, protocol == 3, decode, parse_error, 0)


def _shape(value: Any, resp3: bool, decode: Decode, parse_error: ParseError, depth: int) -> Any:
    kind = type(value)
    if kind is bytes:
        return value if decode is None else _text(value, decode)
    if kind is int or value is None:
        return value
    if kind is _STATUS or kind is Verbatim:
        return _text(value[:], decode)  # the slice of a subclass of bytes is plain bytes
    if kind is list or kind is tuple or kind is Members or kind is Push:
        return _elements(value, resp3, decode, parse_error, depth)
    if kind is dict:
        if resp3:
            return _map(value.items(), decode, parse_error, depth)
        return _elements(chain.from_iterable(value.items()), resp3, decode, parse_error, depth)
    if kind is Pairs:
        return _elements(value if resp3 else chain.from_iterable(value), resp3, decode, parse_error, depth)
    if kind is Mapped and not resp3:
        return _elements(chain.from_iterable(value), resp3, decode, parse_error, depth)
    if kind is Keyed or kind is Mapped:
        if resp3:
            return _map(value, decode, parse_error, depth)
        return _elements(value, resp3, decode, parse_error, depth)
    if kind is FlatMap:
        if resp3:
            return _flat_map(value[:], decode, parse_error, depth)  # a plain list, which C indexes
        return _elements(value, resp3, decode, parse_error, depth)
    if kind is float:
        return value if resp3 else _text(format_double(value), decode)
    if kind is bool:
        return value if resp3 else (1 if value else 0)
    if kind is bytearray:
        return _text(bytes(value), decode)
    if kind is BigNumber:
        # The parser's own `int`, so that both read the same digits alike.
        return int(value) if resp3 else _text(value[:], decode)
    if kind is Decimal:
        return float(value) if resp3 else _text(value[:], decode)
    if value is NULL_ARRAY:
        return None
    if isinstance(value, CommandError):
        return parse_error(value.line.decode("utf-8", "replace"))
    raise TypeError(f"no reply can hold a {kind.__name__}")


def _text(data: bytes, decode: Decode) -> Any:
    if decode is None:
        return data
    if decode is _DECODE_UTF8:
        return data.decode("utf-8")
    return decode(data)


def _elements(values: Iterable[Any], resp3: bool, decode: Decode, parse_error: ParseError, depth: int) -> list[Any]:
    _check_depth(depth)
    shaped = []
    for value in values:
        if decode is None and type(value) is bytes:
            shaped.append(value)
        elif type(value) is Replies:
            shaped.extend(_elements(value, resp3, decode, parse_error, depth))
        else:
            shaped.append(_shape(value, resp3, decode, parse_error, depth + 1))
    return shaped


def _map(pairs: Iterable[Any], decode: Decode, parse_error: ParseError, depth: int) -> dict[Any, Any]:
    """A map of RESP3, of its keys and values."""
    _check_depth(depth)
    shaped = {}
    for key, value in pairs:
        shaped_key = _shape(key, True, decode, parse_error, depth + 1)
        shaped[shaped_key] = _shape(value, True, decode, parse_error, depth + 1)
    return shaped


def _flat_map(elements: list[Any], decode: Decode, parse_error: ParseError, depth: int) -> dict[Any, Any]:
    """The same of keys and values by turns."""
    _check_depth(depth)
    shaped = {}
    for place in range(0, len(elements), 2):
        shaped_key = _shape(elements[place], True, decode, parse_error, depth + 1)
        shaped[shaped_key] = _shape(elements[place + 1], True, decode, parse_error, depth + 1)
    return shaped


def _check_depth(depth: int) -> None:
    if depth >= _MAX_DEPTH:
        raise RecursionError("the reply nests too deep")
