"""Reply values that plain Python types cannot express: the wrappers where RESP2 and RESP3 differ in shape.

A handler answers `bytes`, `int`, `float`, `bool`, `None`, `list`, `dict`, a `CommandError`, or one of these.
Only `protocol.writer` (wire) and `protocol.shape` (what redis-py's parser would have made of it) tell the
protocols apart; handlers never do.

| value          | RESP2                       | RESP3               |
|----------------|-----------------------------|---------------------|
| `bytes`        | bulk string                 | bulk string         |
| `Status`       | simple string               | simple string       |
| `Verbatim`     | bulk string                 | verbatim, txt       |
| `BigNumber`    | bulk string                 | big number          |
| `Decimal`      | bulk string                 | double              |
| `int`          | integer                     | integer             |
| `float`        | bulk string                 | double              |
| `bool`         | integer 1 or 0              | boolean             |
| `None`         | null bulk string            | null                |
| `NULL_ARRAY`   | null array                  | null                |
| `list`         | array                       | array               |
| `Members`      | array                       | set                 |
| `Pairs`        | array, flattened            | array of two-arrays |
| `dict`         | array, flattened            | map                 |
| `Mapped`       | array, flattened            | map                 |
| `Keyed`        | array of two-arrays         | map                 |
| `FlatMap`      | array                       | map                 |
| `Push`         | array                       | push                |
| `Replies`      | each by itself, in a row    | as RESP2            |
| `CommandError` | error                       | error               |
| `NO_REPLY`     | nothing                     | nothing             |
"""

from __future__ import annotations

from typing import Any, Final


class Status(bytes):
    """A simple string such as `+OK`; holds no CR or LF."""

    __slots__ = ()


class Verbatim(bytes):
    """Text meant for people to read, such as the reply of INFO."""

    __slots__ = ()


class BigNumber(bytes):
    """The decimal digits of an integer that may not fit 64 bits."""

    __slots__ = ()


class Decimal(bytes):
    """A number written with more digits than a double's shortest form has, such as a coordinate."""

    __slots__ = ()


class Members(list[Any]):
    """Elements without order or repetition; a list, so that nothing is hashed on the way out."""

    __slots__ = ()


class Pairs(list[Any]):
    """A list of two-element tuples, such as member and score."""

    __slots__ = ()


class Mapped(list[Any]):
    """A list of pairs that is a map in RESP3, whose keys need not be hashable: the map of a script."""

    __slots__ = ()


class Keyed(list[Any]):
    """A list of pairs, each a list or tuple: a key and what was found there. A key may come twice."""

    __slots__ = ()


class FlatMap(list[Any]):
    """A map as a list in which every value follows its key; a key may not come twice."""

    __slots__ = ()


class Push(list[Any]):
    """Out-of-band data: its first element names the kind of message."""

    __slots__ = ()


class Replies(list[Any]):
    """What answers one command with several replies, such as SUBSCRIBE's for each channel; also within EXEC's."""

    __slots__ = ()


class NullArray:
    """The type of `NULL_ARRAY`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL_ARRAY"


class NoReply:
    """The type of `NO_REPLY`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()

OK: Final = Status(b"OK")
PONG: Final = Status(b"PONG")
QUEUED: Final = Status(b"QUEUED")
