"""A socket without a network: redis-py's own packing and parsing, and our reader and writer, over an engine."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from typing import Any

from redis.connection import Connection

from alcove.engine.blocking import PARKED
from alcove.engine.engine import Engine
from alcove.protocol.output import OutputBuffer
from alcove.protocol.reader import RequestReader
from alcove.protocol.writer import ReplyWriter


class MemorySocket:
    """What redis-py sends to it runs at once; the bytes of the replies wait to be received."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = RequestReader()
        self._out = OutputBuffer()
        self._writer = ReplyWriter(self._out)
        self._replies: SimpleQueue[bytes] = SimpleQueue()
        self._timeout: float | None = None
        self._rest = b""
        engine.enter()
        self._session = engine.connect("tcp", "memory:1")
        engine.leave()
        self._session.deliver = self._session.push = self._write
        self._session.close = lambda: self._replies.put(b"")

    def _write(self, value: Any) -> None:
        self._writer.protocol = self._session.protocol
        self._writer.write(value)
        data = self._out.take(len(self._out))
        # Of NO_REPLY nothing is to be seen; no bytes would be the connection's end.
        if data:
            self._replies.put(data)

    def sendall(self, data: bytes) -> None:
        self._reader.feed(bytes(data))
        self._engine.enter()
        try:
            while (argv := self._reader.next()) is not None:
                assert not self._session.blocked, "commands behind one that waits are for the other legs"
                reply = self._engine.call(self._session, argv)
                if reply is not PARKED:
                    self._write(reply)
                if self._session.closing:
                    self._replies.put(b"")
        finally:
            self._engine.leave()

    def recv(self, size: int) -> bytes:
        if not self._rest:
            try:
                self._rest = self._replies.get(block=self._timeout != 0, timeout=self._timeout or None)
            except Empty:
                raise (BlockingIOError(11, "") if self._timeout == 0 else socket.timeout) from None
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def shutdown(self, how: int) -> None:
        """`close` does it."""

    def close(self) -> None:
        if self._engine.closed is None:
            self._engine.depart(self._session)


class MemoryConnection(Connection):
    """redis-py's connection, unchanged, over such a socket."""

    def __init__(self, *, engine: Engine, **kwargs: Any) -> None:
        self._memory = engine
        super().__init__(**kwargs)

    def _connect(self) -> Any:
        return MemorySocket(self._memory)
