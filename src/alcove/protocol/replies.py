"""Finds whole replies in the bytes received, RESP2 and RESP3, and makes the values of values.py of them.

For the project's own clients: the command line, replication, tests. What the wire does not tell apart comes as the
simpler kind: an array of pairs is a `list`, and on RESP2 so are maps, sets and pushes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from alcove.errors import BULK_TOO_LONG, NESTED_TOO_DEEP, CommandError, not_a_reply
from alcove.numeric import try_float, try_int
from alcove.protocol.reader import ProtocolError
from alcove.values import NO_REPLY, NULL_ARRAY, BigNumber, Members, Pairs, Push, Status, Verbatim

# Deeper nesting is a peer gone wrong: no server answers so.
_MAX_DEPTH: Final = 1000

_NULLS: Final = {b"_": None, b"$-1": None, b"*-1": NULL_ARRAY}
_NOT_FINITE: Final = {b"inf": math.inf, b"-inf": -math.inf, b"nan": math.nan, b"-nan": math.nan}


class _Aggregate:
    """An aggregate, some of whose elements are still to come."""

    __slots__ = ("elements", "missing", "sign")

    def __init__(self, sign: bytes, missing: int) -> None:
        self.sign = sign
        self.missing = missing
        self.elements: list[Any] = []

    def value(self) -> Any:
        if self.sign == b"*":
            return self.elements
        if self.sign == b"~":
            return Members(self.elements)
        if self.sign == b">":
            return Push(self.elements)
        pairs = list(zip(self.elements[::2], self.elements[1::2], strict=True))
        try:
            return dict(pairs)
        except TypeError:  # a key that is an aggregate itself
            return Pairs(pairs)


class ReplyReader:
    """Bytes in by `feed`, replies out by `next`; the cost is linear in the size."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._pos = 0
        # The line that starts at `_pos` does not end before here.
        self._searched = 0
        self._open: list[_Aggregate] = []

    def feed(self, data: bytes) -> None:
        """Takes bytes as they were received."""
        del self._data[: self._pos]
        self._searched = max(self._searched - self._pos, 0)
        self._pos = 0
        self._data += data

    def next(self) -> Any:
        """The next reply; `NO_REPLY` when more bytes are needed, `ProtocolError` when they are no replies.

        Attributes, which say something about the reply behind them, are left out.
        """
        value: Any = NO_REPLY
        while value is NO_REPLY:
            line = self._line()
            if line is None:
                break
            sign = line[:1]
            if line in _NULLS:
                value = self._complete(len(line) + 2, _NULLS[line])
            elif sign in _AGGREGATES:
                value = self._begin(sign, line)
            elif sign in _BULKS:
                size = _length(line)
                end = self._pos + len(line) + 2 + size
                if len(self._data) < end + 2:
                    break
                if self._data[end : end + 2] != b"\r\n":
                    raise ProtocolError(BULK_TOO_LONG)
                content = bytes(self._data[end - size : end])
                value = self._complete(end + 2 - self._pos, _BULKS[sign](content))
            elif sign in _LINES:
                value = self._complete(len(line) + 2, _LINES[sign](line[1:]))
            else:
                raise _malformed(line)
        return value

    def _line(self) -> bytes | None:
        """The line that starts at the place read next, without its end; None when it is not whole yet."""
        found = self._data.find(b"\r\n", max(self._searched, self._pos))
        if found < 0:
            self._searched = max(len(self._data) - 1, self._pos)
            return None
        return bytes(self._data[self._pos : found])

    def _begin(self, sign: bytes, line: bytes) -> Any:
        """Opens an aggregate, which is complete at once when it is empty."""
        count = _length(line) * _AGGREGATES[sign]
        if len(self._open) == _MAX_DEPTH:
            raise ProtocolError(NESTED_TOO_DEEP)
        aggregate = _Aggregate(sign, count)
        if count == 0 and sign != b"|":
            return self._complete(len(line) + 2, aggregate.value())
        self._pos += len(line) + 2
        if count > 0:
            self._open.append(aggregate)
        return NO_REPLY

    def _complete(self, size: int, value: Any) -> Any:
        """Steps over the `size` bytes of a value. The reply it completes, or `NO_REPLY` while others are open."""
        self._pos += size
        while self._open:
            aggregate = self._open[-1]
            aggregate.elements.append(value)
            aggregate.missing -= 1
            if aggregate.missing > 0:
                return NO_REPLY
            self._open.pop()
            if aggregate.sign == b"|":
                return NO_REPLY
            value = aggregate.value()
        return value


def _length(line: bytes) -> int:
    number = try_int(line[1:])
    if number is None or number < 0:
        raise _malformed(line)
    return number


def _malformed(line: bytes) -> ProtocolError:
    shown = line[:64].decode("utf-8", "surrogateescape")
    return ProtocolError(not_a_reply(shown))


def _error(text: bytes) -> CommandError:
    return CommandError(text.decode("utf-8", "surrogateescape"))


def _integer(text: bytes) -> int:
    number = try_int(text)
    if number is None:
        raise _malformed(b":" + text)
    return number


def _double(text: bytes) -> float:
    number = _NOT_FINITE.get(text)
    if number is None:
        number = try_float(text)
    if number is None:
        raise _malformed(b"," + text)
    return number


def _boolean(text: bytes) -> bool:
    if text not in (b"t", b"f"):
        raise _malformed(b"#" + text)
    return text == b"t"


def _verbatim(content: bytes) -> Verbatim:
    """The text behind its three letters of format and a colon."""
    if content[3:4] != b":":
        raise _malformed(b"=" + content)
    return Verbatim(content[4:])


# How many elements each unit of the announced count means.
_AGGREGATES: Final = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
_BULKS: Final[dict[bytes, Callable[[bytes], Any]]] = {b"$": bytes, b"!": _error, b"=": _verbatim}
_LINES: Final[dict[bytes, Callable[[bytes], Any]]] = {
    b"+": Status,
    b"-": _error,
    b":": _integer,
    b",": _double,
    b"#": _boolean,
    b"(": BigNumber,
}
