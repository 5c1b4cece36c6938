"""redis-py's client-side cache over CLIENT TRACKING: in the process, through redis-py's parser, and on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.cache import CacheConfig

import alcove
import alcove.asyncio
from alcove.engine.engine import Engine
from tests.conftest import LEGS, TestClock
from tests.memory_socket import MemoryConnection
from tests.waiting import eventually


@pytest.fixture(params=LEGS)
def cached(request: pytest.FixtureRequest, engine: Engine) -> Iterator[redis.Redis]:
    """A client with a cache of two entries."""
    options: dict[str, Any] = {"protocol": 3, "cache_config": CacheConfig(max_size=2)}
    if request.param == "embedded":
        with alcove.open(engine=engine, **options) as client:
            yield client
    elif request.param == "memory":
        pool = redis.ConnectionPool(MemoryConnection, engine=engine, **options)
        with redis.Redis.from_pool(pool) as client:
            yield client
    else:
        with alcove.serve(engine=engine) as server, redis.Redis(port=server.port, **options) as client:
            yield client


@pytest.fixture
def other(engine: Engine) -> Iterator[redis.Redis]:
    with alcove.open(engine=engine) as client:
        yield client


def reads(engine: Engine) -> int:
    """How many times a GET has reached the engine."""
    command = engine.registry.find(b"get")
    assert command is not None
    return command.calls


def test_what_was_read_is_not_asked_for_again(cached: redis.Redis, engine: Engine) -> None:
    cached.set("key", "value")
    assert [cached.get("key") for _ in range(3)] == [b"value"] * 3
    assert reads(engine) == 1
    assert len(cached.get_cache().collection) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.set("key", "new"),
        lambda client: client.delete("key"),
        lambda client: client.rename("key", "moved"),
        lambda client: client.append("key", "more"),
        lambda client: client.expire("key", 100),
        lambda client: client.expire("key", -1),
        lambda client: client.move("key", 1),
        lambda client: client.flushdb(),
        lambda client: client.flushall(),
        lambda client: client.pipeline().set("other", 1).set("key", "new").execute(),
    ],
)
def test_what_another_changes_is_asked_for_again(
    cached: redis.Redis, other: redis.Redis, engine: Engine, write: Any
) -> None:
    cached.set("key", "value")
    assert cached.get("key") == b"value"
    write(other)
    expected = other.get("key")
    # Another thread's messages take their time through a socket.
    eventually(lambda: cached.get("key") == expected)
    before = reads(engine)
    eventually(lambda: cached.get("key") == expected)
    assert reads(engine) > 1
    assert reads(engine) == before + (1 if expected is None else 0)


def test_a_client_sees_its_own_writes(cached: redis.Redis) -> None:
    for number in range(20):
        cached.set("key", number)
        assert cached.get("key") == b"%d" % number


def test_a_key_that_expires_leaves_the_cache(cached: redis.Redis, clock: TestClock) -> None:
    cached.set("key", "value", px=50)
    assert cached.get("key") == b"value"
    clock.advance(1)
    eventually(lambda: cached.get("key") is None)


def test_a_full_cache_forgets_what_was_not_used(cached: redis.Redis, engine: Engine) -> None:
    for key in ("a", "b", "c"):
        cached.set(key, key)
        cached.get(key)
    assert len(cached.get_cache().collection) == 2
    before = reads(engine)
    assert [cached.get(key) for key in ("c", "b", "a")] == [b"c", b"b", b"a"]
    assert reads(engine) == before + 1


def test_a_full_table_of_the_engine_takes_keys_out_of_the_cache(cached: redis.Redis, engine: Engine) -> None:
    cached.config_set("tracking-table-max-keys", 1)
    cached.mset({"a": 1, "b": 2})
    for _ in range(3):
        assert (cached.get("a"), cached.get("b")) == (b"1", b"2")
        assert len(engine.tracking.table) == 1


@pytest.mark.parametrize("leg", ["embedded", "tcp"])
def test_asyncio_clients_hear_of_changes(leg: str, engine: Engine) -> None:
    """redis-py has no cache for asyncio; who tracks hears of changes by the handler of the connection's parser."""

    async def hear(client: redis.asyncio.Redis, other: redis.asyncio.Redis) -> list[Any]:
        connection = await client.connection_pool.get_connection()
        handled: list[Any] = []

        async def handle(message: list[Any]) -> None:
            handled.append(message)

        async def call(*words: str) -> Any:
            await connection.send_command(*words)
            return await connection.read_response()

        connection._parser.set_invalidation_push_handler(handle)
        assert await call("CLIENT", "TRACKING", "ON") == b"OK"
        for value in (b"one", b"two"):
            await other.set("key", value)
            assert await call("GET", "key") == value
        await other.delete("key")
        # What a client hears of stands before the reply of the command after it.
        assert await call("PING") == b"PONG"
        assert await call("CLIENT", "TRACKING", "OFF") == b"OK"
        await other.set("key", "three")
        assert await call("GET", "key") == b"three"
        await connection.disconnect()
        return handled

    async def test() -> list[Any]:
        if leg == "embedded":
            async with alcove.asyncio.open(engine=engine, protocol=3) as client:
                return await hear(client, client)
        with alcove.serve(engine=engine) as server:
            async with redis.asyncio.Redis(port=server.port, protocol=3) as client:
                return await hear(client, client)

    assert asyncio.run(test()) == [[b"invalidate", [b"key"]]] * 2
