"""redis-py's asynchronous connection without a socket: see `connection`, whose counterpart it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis._parsers import _AsyncRESP2Parser, _AsyncRESP3Parser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from alcove.client.arguments import Arguments
from alcove.client.connection import HERE, Replies
from alcove.client.link import AsyncLink
from alcove.engine.engine import Engine
from alcove.values import Push


class AsyncReplies(Replies):
    """The part of redis-py's asynchronous parsers that is ours."""

    _link: AsyncLink | None = None

    def on_connect(self, connection: AsyncEngineConnection) -> None:
        self._link = connection.link
        self._prepare(connection.encoder)

    def on_disconnect(self) -> None:
        self._link = None

    async def can_read(self) -> bool:
        return self._link is not None and self._link.has_reply()

    async def _next(self) -> tuple[Any, int]:
        if self._link is None:
            raise RedisConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
        item = await self._link.receive()
        return item[:2]


class AsyncResp2Replies(AsyncReplies, _AsyncRESP2Parser):
    """Replies on RESP2, where messages are replies like others."""

    async def read_response(self, disable_decoding: bool = False) -> Any:
        return self._shaped(*await self._next(), disable_decoding)


class AsyncResp3Replies(AsyncReplies, _AsyncRESP3Parser):
    """Replies on RESP3, where messages go to redis-py's handlers."""

    async def read_response(self, disable_decoding: bool = False, push_request: bool = False) -> Any:
        while True:
            value, protocol = await self._next()
            response = self._shaped(value, protocol, disable_decoding)
            if type(value) is not Push or protocol != 3:
                return response
            handled = await self.handle_push_response(response)  # type: ignore[no-untyped-call]
            if push_request:
                return handled


class AsyncEngineConnection(AbstractConnection):
    """An asynchronous connection of redis-py to an engine in this process."""

    def __init__(self, *, engine: Engine, **kwargs: Any) -> None:
        self.engine = engine
        kwargs.setdefault("parser_class", _AsyncRESP2Parser)
        super().__init__(**kwargs)
        self._arguments = Arguments(self.encoder)

    def __del__(self) -> None:  # type: ignore[override]
        # Nothing of the operating system's is left open, so there is nothing to warn of.
        if self.link is not None:
            self.link.close()

    def repr_pieces(self) -> list[tuple[str, Any]]:
        pieces = [("engine", self.engine), ("db", self.db)]
        if self.client_name:
            pieces.append(("client_name", self.client_name))
        return pieces

    @property
    def link(self) -> AsyncLink | None:
        """What connects it to the engine, while it is connected."""
        return getattr(self, "_reader", None)

    def set_parser(self, parser_class: type[Any]) -> None:
        ours = AsyncResp3Replies if issubclass(parser_class, _AsyncRESP3Parser) else AsyncResp2Replies
        self._parser = ours(socket_read_size=self._socket_read_size)

    def pack_command(self, *args: Any) -> list[list[bytes]]:  # type: ignore[override]
        return self._arguments.pack(*args)

    def pack_commands(self, commands: Iterable[tuple[Any, ...]]) -> list[list[bytes]]:  # type: ignore[override]
        return self._arguments.pack_all(commands)

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Sends what `pack_command` made, or bytes of the protocol; it never has to wait for that."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        if isinstance(command, str):
            command = command.encode()
        link: Any = self._writer
        try:
            link.writelines([command] if isinstance(command, bytes) else command)
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error {error.errno} while writing to socket. {error.strerror}.") from error
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    async def _connect(self) -> None:
        self._reader = self._writer = AsyncLink(self.engine)  # type: ignore[assignment]

    def _host_error(self) -> str:
        return HERE

    def _socket_is_empty(self) -> bool:
        return self.link is None or not self.link.has_reply()
