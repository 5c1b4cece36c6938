"""redis-py's connection without a socket: what it sends goes to a session of the engine, what it reads comes from it.

Everything redis-py does on a connection works on this one: the handshake, pipelines, transactions, blocking commands,
subscriptions and MONITOR, re-connecting, health checks, the client-side cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis._parsers import _RESP2Parser, _RESP3Parser
from redis._parsers.base import BaseParser
from redis._parsers.encoders import Encoder
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.utils import SENTINEL

from alcove.client.arguments import Arguments
from alcove.client.link import SyncLink
from alcove.engine.engine import Engine
from alcove.protocol.shape import decoder, shape
from alcove.values import Push

# What stands for the host in redis-py's messages.
HERE = "this process"


class Replies(BaseParser):
    """The part of redis-py's parsers that is ours: replies come as values. For the synchronous and the asynchronous."""

    encoder: Encoder | None

    def _prepare(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._decode = decoder(encoder.encoding, encoder.encoding_errors) if encoder.decode_responses else None

    def _shaped(self, value: Any, protocol: int, disable_decoding: bool) -> Any:
        """What redis-py's parser would have returned, or raised."""
        return shape(value, protocol, None if disable_decoding else self._decode, self.error_of)

    @classmethod
    def error_of(cls, text: str) -> Exception:
        """The exception of an error reply; one that means the connection's end is raised here and now."""
        error: Exception = cls.parse_error(text)  # type: ignore[no-untyped-call]
        if isinstance(error, RedisConnectionError):
            raise error
        return error


class SyncReplies(Replies):
    """The same for both protocols of the synchronous connection."""

    _link: SyncLink | None = None
    _timeout: float | None = None

    def on_connect(self, connection: EngineConnection) -> None:
        self._link = connection.link
        self._timeout = connection.socket_timeout
        self._prepare(connection.encoder)

    def on_disconnect(self) -> None:
        self._link = None
        self.encoder = None

    def can_read(self, timeout: float = 0) -> bool:
        return self._link is not None and self._link.has_reply(timeout)

    def _next(self, timeout: Any) -> tuple[Any, int]:
        """The next reply or message, and its protocol. `timeout` is SENTINEL for the connection's own."""
        link = self._link
        if link is None:
            raise RedisConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
        own = timeout is SENTINEL
        item = link.receive(self._timeout if own else timeout, give_up=own)
        if item is None:
            raise RedisTimeoutError("Timeout reading from socket")
        return item[:2]


class Resp2Replies(SyncReplies, _RESP2Parser):
    """Replies on RESP2, where messages are replies like others."""

    def read_response(self, disable_decoding: bool = False, timeout: Any = SENTINEL) -> Any:
        return self._shaped(*self._next(timeout), disable_decoding)


class Resp3Replies(SyncReplies, _RESP3Parser):
    """Replies on RESP3, where messages go to redis-py's handlers."""

    def read_response(self, disable_decoding: bool = False, push_request: bool = False, timeout: Any = SENTINEL) -> Any:
        while True:
            value, protocol = self._next(timeout)
            response = self._shaped(value, protocol, disable_decoding)
            if type(value) is not Push or protocol != 3:
                return response
            handled = self.handle_push_response(response)  # type: ignore[no-untyped-call]
            if push_request:
                return handled


class EngineConnection(UnixDomainSocketConnection):
    """A connection of redis-py to an engine in this process."""

    # What redis-py's client-side cache and its metrics ask of a connection.
    host = HERE
    port = 0

    def __init__(self, *, engine: Engine, **kwargs: Any) -> None:
        self.engine = engine
        kwargs.setdefault("parser_class", _RESP2Parser)
        super().__init__(path=HERE, **kwargs)  # type: ignore[no-untyped-call]

    def repr_pieces(self) -> list[tuple[str, Any]]:
        pieces = [("engine", self.engine), ("db", self.db)]
        if self.client_name:
            pieces.append(("client_name", self.client_name))
        return pieces

    @property
    def link(self) -> SyncLink | None:
        """What connects it to the engine, while it is connected."""
        return self._sock

    def set_parser(self, parser_class: type[Any]) -> None:
        ours = Resp3Replies if issubclass(parser_class, _RESP3Parser) else Resp2Replies
        self._parser = ours(socket_read_size=self._socket_read_size)

    def _construct_command_packer(self, packer: Any) -> Arguments:
        return Arguments(self.encoder)

    def pack_commands(self, commands: Iterable[tuple[Any, ...]]) -> list[list[bytes]]:
        packer: Arguments = self._command_packer
        return packer.pack_all(commands)

    def _connect(self) -> SyncLink:
        return SyncLink(self.engine)

    def _host_error(self) -> str:
        return HERE

    def extract_connection_details(self) -> str:
        return "not connected" if self.link is None else f"connected as client {self.link.session.id}"
