"""Writes reply values as RESP2 or RESP3: the one place, with shape.py, that tells the two apart.

The table of values and their forms is in values.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from alcove.errors import CommandError
from alcove.numeric import format_double
from alcove.protocol.output import OutputBuffer
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

# C variables of the compiled build, which compares with them for every value.
_STATUS = Status


class ReplyWriter:
    """Appends replies to a buffer, in the protocol that the client has chosen."""

    __slots__ = ("out", "protocol")

    def __init__(self, out: OutputBuffer, protocol: int = 2) -> None:
        self.out = out
        self.protocol = protocol

    def write(self, value: Any) -> None:
        """Appends the answer to a command: the whole of it, or nothing and a `TypeError` when the value has no form."""
        if not self._plain(value) and not self._special(value) and value is not NO_REPLY:
            self._aggregate(value)

    def _plain(self, value: Any) -> bool:
        """Writes one of the kinds that most replies are; False for any other."""
        kind = type(value)
        if kind is bytes:
            self.out.bulk(value)
        elif kind is int:
            self.out.integer(value)
        elif value is None:
            self.out.append(b"_\r\n" if self.protocol == 3 else b"$-1\r\n")
        elif kind is _STATUS:
            self.out.line(b"+", value)
        else:
            return False
        return True

    def _special(self, value: Any) -> bool:
        """Writes one of the other kinds that have no elements; False for any other."""
        out = self.out
        resp3 = self.protocol == 3
        kind = type(value)
        if isinstance(value, list) or isinstance(value, tuple) or isinstance(value, dict):  # noqa: SIM101 (as C tests them)
            return False
        if kind is float:
            if resp3:
                out.line(b",", format_double(value))
            else:
                out.bulk(format_double(value))
        elif kind is bool:
            if resp3:
                out.append(b"#t\r\n" if value else b"#f\r\n")
            else:
                out.integer(1 if value else 0)
        elif value is NULL_ARRAY:
            out.append(b"_\r\n" if resp3 else b"*-1\r\n")
        elif kind is bytearray:
            out.bulk(value)
        elif kind is Verbatim:
            if resp3:
                out.header(b"=", len(value) + 4)
                out.append(b"txt:")
                out.append(value)
                out.append(b"\r\n")
            else:
                out.bulk(value)
        elif kind is BigNumber:
            if resp3:
                out.line(b"(", value)
            else:
                out.bulk(value)
        elif kind is Decimal:
            if resp3:
                out.line(b",", value)
            else:
                out.bulk(value)
        elif isinstance(value, CommandError):
            out.line(b"-", value.line)
        else:
            return False
        return True

    def _aggregate(self, value: Any) -> None:
        """Writes a value with elements, however deep they nest: the open ones wait in a list, not on the C stack."""
        begun = len(self.out)
        try:
            if type(value) is list:
                self.out.header(b"*", len(value))
                written = self._flat(value)
                if written == len(value):
                    return
                elements = iter(value[written:])
            else:
                elements = self._open(value)
            waiting: list[Iterator[Any]] = []
            while True:
                for element in elements:
                    if not self._plain(element) and not self._special(element):
                        waiting.append(elements)
                        elements = self._open(element)
                        break
                else:
                    if not waiting:
                        return
                    elements = waiting.pop()
        except BaseException:
            self.out.truncate(begun)
            raise

    def _flat(self, values: list[Any]) -> int:
        """Writes the elements of a list up to one that has elements itself; how many those were, mostly all."""
        written = 0
        for value in values:
            if not self._plain(value) and not self._special(value):
                break
            written += 1
        return written

    def _open(self, value: Any) -> Iterator[Any]:
        """Writes the header of a value with elements, if it has one, and gives the elements that follow."""
        kind = type(value)
        if kind is Replies:
            return iter(value)
        resp3 = self.protocol == 3
        elements: Iterator[Any]
        sign = b"*"
        count = len(value) if isinstance(value, (list, tuple, dict)) else -1
        if kind is list or kind is tuple or (kind is Pairs and resp3):
            elements = iter(value)
        elif kind is Mapped and resp3:
            sign = b"%"
            elements = chain.from_iterable(value)
        elif kind is Pairs or kind is Mapped:
            count *= 2
            elements = chain.from_iterable(value)
        elif kind is Keyed:
            if resp3:
                sign = b"%"
            elements = chain.from_iterable(value) if resp3 else iter(value)
        elif kind is dict:
            if resp3:
                sign = b"%"
            else:
                count *= 2
            elements = chain.from_iterable(value.items())
        elif kind is FlatMap:
            if resp3:
                sign = b"%"
                count //= 2
            elements = iter(value)
        elif kind is Members or kind is Push:
            if resp3:
                sign = b"~" if kind is Members else b">"
            elements = iter(value)
        else:
            raise TypeError(f"no reply can hold a {kind.__name__}")
        self.out.header(sign, count)
        return elements
