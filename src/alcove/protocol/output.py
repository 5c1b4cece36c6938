"""The bytes on their way to a client: a buffer that grows at its end and drains from its front; and receiving.

The plain twin of output.pyx, over a `bytearray`.
"""

from __future__ import annotations

import os
import socket
from typing import Final

# The most one call hands to the kernel, so that one connection cannot keep the others waiting.
_SEND_LIMIT: Final = 1024 * 1024


class OutputBuffer:
    """Replies, appended whole and sent as far as the peer takes them."""

    __slots__ = ("_data", "_head")

    def __init__(self) -> None:
        self._data = bytearray()
        self._head = 0

    def __len__(self) -> int:
        return len(self._data) - self._head

    def append(self, data: bytes | bytearray) -> None:
        """The bytes as they are."""
        self._data += data

    def bulk(self, data: bytes | bytearray) -> None:
        """`$<length>`, the bytes, and their end of line."""
        self._data += b"".join((b"$%d\r\n" % len(data), data, b"\r\n"))

    def line(self, sign: bytes, text: bytes) -> None:
        """One line: the type's sign, a text without CR or LF, the end of line."""
        self._data += b"%b%b\r\n" % (sign, text)

    def integer(self, number: int) -> None:
        """`:<number>`."""
        self._data += b":%d\r\n" % number

    def header(self, sign: bytes, count: int) -> None:
        """The start of an array `*`, a map `%`, a set `~` or a push `>`: how many elements or pairs follow."""
        self._data += b"%b%d\r\n" % (sign, count)

    def truncate(self, length: int) -> None:
        """Takes back what was appended after the first `length` bytes."""
        del self._data[self._head + length :]

    def peek(self, limit: int) -> bytes:
        """The first bytes, at most `limit`; they stay."""
        return bytes(self._data[self._head : self._head + limit])

    def take(self, limit: int) -> bytes:
        """The first bytes, at most `limit`; they are gone."""
        taken = self.peek(limit)
        self.consume(len(taken))
        return taken

    def consume(self, count: int) -> None:
        """Drops the first `count` bytes, which were sent."""
        if not 0 <= count <= len(self):
            raise ValueError("more bytes consumed than there are")
        self._head += count
        if self._head == len(self._data):
            self._data = bytearray()
            self._head = 0
        elif self._head > len(self._data) // 2:
            del self._data[: self._head]
            self._head = 0

    def send(self, target: int | socket.socket) -> int:
        """Sends what the descriptor or socket takes now, at most about a megabyte: the bytes sent, or -1 for none.

        An integer descriptor is for POSIX and a socket in the clear; a socket object sends by its own means.
        """
        if len(self) == 0:
            return 0
        with memoryview(self._data) as whole, whole[self._head : self._head + _SEND_LIMIT] as part:
            try:
                sent = os.write(target, part) if isinstance(target, int) else target.send(part)
            except BlockingIOError:
                return -1
        self.consume(sent)
        return sent


def recv(source: int | socket.socket, limit: int) -> bytes | None:
    """What has come, at most `limit` bytes: `b""` when the peer has closed, None when there is nothing yet."""
    try:
        return os.read(source, limit) if isinstance(source, int) else source.recv(limit)
    except BlockingIOError:
        return None
