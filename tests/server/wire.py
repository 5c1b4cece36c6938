"""What the tests of the server share: a plain client, commands made for tests, and waiting for what is to happen."""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import Any, Self

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine import events
from alcove.engine.blocking import NOT_READY
from alcove.engine.context import Context
from alcove.engine.declaration import REGISTRY, Registry
from alcove.errors import CommandError
from alcove.numeric import parse_int
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.server.server import Server
from alcove.values import NO_REPLY, NULL_ARRAY, OK
from tests.waiting import PATIENCE_S

FACTS: dict[str, Any] = {"since": "1.0.0", "complexity": "O(1)", "group": "generic"}


def request(*words: bytes | str | int) -> bytes:
    """A command on the wire."""
    out = OutputBuffer()
    ReplyWriter(out).write([word if isinstance(word, bytes) else str(word).encode() for word in words])
    return out.take(len(out))


class Client:
    """A connection; replies come as the values of values.py, errors as `CommandError`."""

    def __init__(self, server: Server | str | int) -> None:
        """`server` may also be the path of a Unix socket or a port."""
        if isinstance(server, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(server)
        else:
            port = server if isinstance(server, int) else server.port
            self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE_S)
        self._reader = ReplyReader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.socket.close()

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def send(self, *words: bytes | str | int) -> None:
        self.socket.sendall(request(*words))

    def reply(self) -> Any:
        """The next reply; EOFError when the server has closed the connection."""
        value = self._reader.next()
        while value is NO_REPLY:
            data = self.socket.recv(256 * 1024)
            if not data:
                raise EOFError
            self._reader.feed(data)
            value = self._reader.next()
        return value

    def call(self, *words: bytes | str | int) -> Any:
        self.send(*words)
        return self.reply()

    def error(self, *words: bytes | str | int) -> str:
        """The text of the error that a command fails with."""
        reply = self.call(*words)
        assert isinstance(reply, CommandError), reply
        return reply.text

    def is_closed(self) -> bool:
        """Whether the server closes the connection without a further reply."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def row(self, identity: int) -> dict[str, str]:
        """A client's line in CLIENT LIST."""
        line = self.call("CLIENT", "LIST", "ID", identity).decode().strip()
        return dict(field.split("=", 1) for field in line.split(" ")) if line else {}


def registry_with_test_commands() -> Registry:
    """All commands, and some that wait, work in slices, fail badly, answer much, or push to another session."""
    registry = REGISTRY.copy()

    @registry.command("TAKE key", flags="write blocking", **FACTS)
    def take(ctx: Context, key: bytes) -> Any:
        """Removes a key as soon as it is there, and answers its value."""

        def attempt() -> Any:
            value = ctx.keys.edit_string(key)
            if value is None:
                return NOT_READY
            ctx.keys.remove(key)
            return value

        found = attempt()
        return ctx.wait([key], 0, attempt, NULL_ARRAY) if found is NOT_READY else found

    @registry.command("COUNTDOWN key steps", flags="write", sliced=True, **FACTS)
    def countdown(ctx: Context, key: bytes, steps: bytes) -> Generator[None, None, int]:
        """Sets a key once a slice."""
        for step in range(parse_int(steps)):
            ctx.keys.put(key, b"%d" % step, events.STRING, b"set")
            yield
        return parse_int(steps)

    @registry.command("BREAK", **FACTS)
    def break_(ctx: Context) -> Any:
        """Fails as no command should."""
        raise ZeroDivisionError("made for a test")

    @registry.command("ODD", **FACTS)
    def odd(ctx: Context) -> Any:
        """Answers what has no form."""
        return [b"begun", object()]

    @registry.command("FILL size", **FACTS)
    def fill(ctx: Context, size: bytes) -> bytes:
        """Answers so many bytes."""
        return b"x" * parse_int(size)

    @registry.command("TELL client-id count size", **FACTS)
    def tell(ctx: Context, client_id: bytes, count: bytes, size: bytes) -> Any:
        """Pushes messages to another session."""
        for _ in range(parse_int(count)):
            ctx.engine.sessions[parse_int(client_id)].push(b"m" * parse_int(size))
        return OK

    return registry
