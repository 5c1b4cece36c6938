"""The least client that can drive a server hard: whole requests out, whole replies in, hardly anything in between."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

# Follows every request: its reply is the last one.
PING = b"*1\r\n$4\r\nPING\r\n"
PONG = b"+PONG\r\n"
LOADING = b"-LOADING"

RECEIVE_BYTES = 1024 * 1024
# How much is sent at once of many small requests.
PORTION_BYTES = 16 * 1024
# An error is looked for this far into the replies: in a big value it would cost time that is not the server's.
LOOKED_AT = 64 * 1024


class ErrorReply(Exception):
    """The server refused what was to be measured."""


def encode(*words: bytes) -> bytes:
    """A command as the protocol has it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Wire:
    """A connection to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, requests: bytes | bytearray) -> bytearray:
        """Sends commands and takes all their replies. Raises `ErrorReply` if there is an error among the first.

        The requests must be few enough that their replies fit into the kernel's buffers.
        """
        self._socket.sendall(requests + PING)
        replies = bytearray()
        while not replies.endswith(PONG):
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the server has closed the connection")
            replies += data
            if replies.startswith(LOADING):
                # So is the answer to PING.
                raise ErrorReply("LOADING")
        head = b"\n" + replies[:LOOKED_AT]
        at = head.find(b"\n-")
        if at >= 0:
            raise ErrorReply(head[at + 2 :].partition(b"\r\n")[0].decode())
        return replies[: -len(PONG)]

    def ask(self, request: bytes) -> bytes:
        """Sends one command with a reply of one line, and takes that, whatever it is."""
        self._socket.sendall(request)
        reply = b""
        while not reply.endswith(b"\r\n"):
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the server has closed the connection")
            reply += data
        return reply

    def send_all(self, requests: Iterable[bytes]) -> None:
        """Exchanges them in portions. The replies do not matter, as long as they are no errors."""
        portion = bytearray()
        for request in requests:
            portion += request
            if len(portion) >= PORTION_BYTES:
                self.exchange(portion)
                portion = bytearray()
        self.exchange(portion)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._socket.close()


def filling(head: str, item: str, count: int, each: int = 100) -> Iterator[bytes]:
    """Requests that add `count` numbered items to what `head` names, many to a command.

    `item` is for `str.format` with the number: `"{0:012}"` is as long as redis-benchmark's random numbers.
    """
    words = head.encode().split()
    for start in range(0, count, each):
        numbers = range(start, min(start + each, count))
        yield encode(*words, *" ".join(map(item.format, numbers)).encode().split())
