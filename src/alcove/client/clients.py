"""redis-py's client and pipeline over an engine in this process."""

from __future__ import annotations

from typing import Any

import redis
from redis.client import Pipeline as RedisPipeline
from redis.connection import ConnectionPool

from alcove.client.callbacks import OURS
from alcove.client.connection import EngineConnection
from alcove.client.fast import NOT_OPEN, NOT_PLAIN, Fast, execute, short_way, transacted
from alcove.client.in_process import Collecting, InProcess


def open_session(fast: Fast, pool: ConnectionPool) -> None:
    """Opens a session for the short way, as redis-py makes a connection ready: authenticated, named, selected."""
    with fast.opening:
        if not fast.is_open():
            connection = pool.connection_class(**pool.connection_kwargs)
            connection.connect()
            fast.use(connection)


class Redis(InProcess, redis.Redis):
    """redis-py's client over an engine in this process: `alcove.open` makes one.

    Commands that need no connection of their own share one session, whatever the thread; blocking commands,
    transactions with WATCH, subscriptions and MONITOR get a connection from the pool, as over a network. So does what
    changes the state of a connection: after a raw SELECT or CLIENT REPLY, use `Redis.client()`, whose commands all
    run on one connection.
    """

    def __init__(self, *, connection_pool: ConnectionPool, **options: Any) -> None:
        super().__init__(connection_pool=connection_pool, **options)
        self.response_callbacks.update(OURS)  # type: ignore[no-untyped-call]
        if not self._single_connection_client:
            self._fast = short_way(connection_pool, EngineConnection)

    def __repr__(self) -> str:
        return f"<alcove.Redis(db={self.connection_pool.connection_kwargs.get('db', 0)}) of {self.engine!r}>"

    def close(self) -> None:
        """Ends all connections; the data stays, as long as a client of the engine is left, and so does the client."""
        connection = self._fast and self._fast.drop()
        if connection:
            connection.disconnect()
        super().close()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        fast = self._fast
        if fast is not None:
            while (response := execute(fast, args, options, self.response_callbacks)) is NOT_OPEN:
                open_session(fast, self.connection_pool)
            if response is not NOT_PLAIN:
                return response
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self._fast, self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Pipeline(Collecting, RedisPipeline):
    """redis-py's pipeline; one of plain commands, watching nothing, runs in one go."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        fast = self._fast
        commands = self.command_stack
        if fast is None or self.watching or not commands:
            return super().execute(raise_on_error)
        plans = fast.plans(commands)
        if plans is None:
            return super().execute(raise_on_error)
        try:
            if self.scripts:
                self.load_scripts()  # type: ignore[no-untyped-call]
            if self.transaction or self.explicit_transaction:  # type: ignore[truthy-function]
                while (replies := fast.transaction(commands, plans)) is None:
                    open_session(fast, self.connection_pool)
                return transacted(self, commands, plans, replies, raise_on_error)
            while (responses := fast.pipeline(commands, plans, self.response_callbacks)) is None:
                open_session(fast, self.connection_pool)
            if raise_on_error:
                self.raise_first_error(commands, responses)
            return responses
        finally:
            self.reset()
