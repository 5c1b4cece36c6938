"""redis-py's asynchronous client and pipeline over an engine in this process: see `clients`, their counterpart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import redis.asyncio
from redis.asyncio.client import Pipeline as AsyncRedisPipeline
from redis.asyncio.connection import ConnectionPool

from alcove.client.aio_connection import AsyncEngineConnection
from alcove.client.callbacks import OURS
from alcove.client.fast import NOT_OPEN, NOT_PLAIN, Fast, execute, short_way, transacted
from alcove.client.in_process import Collecting, InProcess
from alcove.client.link import cancel_later, place_to_await, safe_on_disk
from alcove.engine.services import Journal

# A task whose commands never wait lets others run after this many.
COMMANDS_IN_A_ROW = 64
# What commands answer, none of which has to be awaited. To ask each response whether it is awaitable takes longer.
NOT_AWAITABLE = frozenset((type(None), bool, int, float, bytes, str, list, dict, set, tuple))


async def open_session(fast: Fast, pool: ConnectionPool) -> None:
    """Opens a session for the short way, as redis-py makes a connection ready: authenticated, named, selected."""
    connection = pool.connection_class(**pool.connection_kwargs)
    await connection.connect()  # type: ignore[no-untyped-call]
    # Another task may have been faster.
    if fast.is_open():
        await connection.disconnect()
    else:
        fast.use(connection)


async def take_turns(fast: Fast) -> None:
    """Lets other tasks run. A cancellation that comes then must not lose the response that is there already."""
    fast.in_a_row = 0
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        cancel_later()


class Redis(InProcess, redis.asyncio.Redis):  # type: ignore[misc]
    """redis-py's asynchronous client over an engine in this process: `alcove.asyncio.open` makes one.

    Commands that need no connection of their own run at once, on a session that all tasks share; the others get a
    connection from the pool, and wait in the event loop. When a waiting task is cancelled, what it waited for is left
    to others; if it has been taken already, the task gets it, and is cancelled where it waits next.
    """

    def __init__(self, *, connection_pool: ConnectionPool, **options: Any) -> None:
        super().__init__(connection_pool=connection_pool, **options)
        self.response_callbacks.update(OURS)  # type: ignore[arg-type]
        if not self.single_connection_client:
            self._fast = short_way(connection_pool, AsyncEngineConnection)
            if self._fast is not None:
                self._fast.settles = False

    def __repr__(self) -> str:
        return f"<alcove.asyncio.Redis(db={self.connection_pool.connection_kwargs.get('db', 0)}) of {self.engine!r}>"

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Ends all connections; the data stays, as long as a client of the engine is left, and so does the client."""
        connection = self._fast and self._fast.drop()
        if connection:
            await connection.disconnect()
        await super().aclose(close_connection_pool)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        fast = self._fast
        if fast is not None:
            journal = fast.engine.journal
            begun = journal.position if journal is not None else 0
            while (response := execute(fast, args, options, self.response_callbacks)) is NOT_OPEN:
                await open_session(fast, self.connection_pool)
            if journal is not None:
                await safe_on_disk(fast.engine, place_to_await(journal, place_behind(journal, begun)))
            if type(response) in NOT_AWAITABLE:
                fast.in_a_row += 1
                if fast.in_a_row >= COMMANDS_IN_A_ROW:
                    await take_turns(fast)
                return response
            if response is not NOT_PLAIN:
                return await settled(response)
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return Pipeline(self._fast, self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Pipeline(Collecting, AsyncRedisPipeline):  # type: ignore[misc]
    """redis-py's asynchronous pipeline; one of plain commands, watching nothing, runs in one go."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        fast = self._fast
        commands: Any = self.command_stack
        if fast is None or self.watching or not commands:
            return await super().execute(raise_on_error)
        plans = fast.plans(commands)
        if plans is None:
            return await super().execute(raise_on_error)
        journal = fast.engine.journal
        begun = journal.position if journal is not None else 0
        try:
            if self.scripts:
                await self.load_scripts()  # type: ignore[no-untyped-call]
            if self.is_transaction or self.explicit_transaction:
                while (replies := fast.transaction(commands, plans)) is None:
                    await open_session(fast, self.connection_pool)
                await safe_on_disk(fast.engine, place_to_await(journal, place_behind(journal, begun)))
                responses = transacted(self, commands, plans, replies, raise_on_error)
                responses = [await settled(response) for response in responses]
            else:
                while (replies := fast.pipeline(commands, plans, self.response_callbacks)) is None:
                    await open_session(fast, self.connection_pool)
                await safe_on_disk(fast.engine, place_to_await(journal, place_behind(journal, begun)))
                responses = [await settled(response) for response in replies]
                if raise_on_error:
                    self.raise_first_error(commands, responses)
            await take_turns(fast)
            return responses
        finally:
            await self.reset()  # type: ignore[no-untyped-call]


def place_behind(journal: Journal | None, begun: int) -> int:
    """The place in the journal behind what was written since it was at `begun`; 0 if that is nothing."""
    return journal.position if journal is not None and journal.position > begun else 0


async def settled(response: Any) -> Any:
    """What a response callback returned, awaited if it is to be."""
    return await response if isinstance(response, Awaitable) else response
