"""redis-py's scripts and locks, in the process and on the server, and the chapter's release of a lock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio
from redis.exceptions import LockNotOwnedError, NoScriptError

import alcove
import alcove.asyncio

RELEASE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
else
    return 0
end
"""


@pytest.fixture(params=["embedded", "server"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "embedded":
        with alcove.open() as client:
            yield client
    else:
        with alcove.serve() as server, redis.Redis(port=server.port) as client:
            yield client


def test_the_chapters_release_of_a_lock(client: redis.Redis) -> None:
    assert client.set("lock:resource", "mine", nx=True, px=10_000) is True
    assert client.set("lock:resource", "other", nx=True, px=10_000) is None
    assert client.eval(RELEASE, 1, "lock:resource", "other") == 0
    assert client.eval(RELEASE, 1, "lock:resource", "mine") == 1
    assert client.exists("lock:resource") == 0


def test_a_registered_script_is_loaded_when_it_is_missing(client: redis.Redis) -> None:
    release = client.register_script(RELEASE)
    client.set("lock", "token")
    assert release(keys=["lock"], args=["token"]) == 1
    client.script_flush()
    with pytest.raises(NoScriptError):
        client.evalsha(release.sha, 1, "lock", "token")
    assert release(keys=["lock"], args=["token"]) == 0
    assert client.script_exists(release.sha) == [True]


def test_scripts_in_pipelines(client: redis.Redis) -> None:
    double = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)")
    for transaction in (False, True):
        client.delete("n")
        with client.pipeline(transaction=transaction) as pipe:
            pipe.set("n", 1)
            double(keys=["n"], args=[3], client=pipe)
            pipe.get("n")
            assert pipe.execute() == [True, 7, b"7"]


def test_locks_exclude_each_other(client: redis.Redis) -> None:
    counter = [0]

    def work() -> None:
        for _ in range(20):
            with client.lock("lock", timeout=10, sleep=0.001):
                before = counter[0]
                client.ping()
                counter[0] = before + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter == [80]


def test_a_lock_is_extended_and_lost(client: redis.Redis) -> None:
    lock = client.lock("lock", timeout=10)
    assert lock.acquire() is True
    assert lock.extend(10) is True
    assert 10_000 < client.pttl("lock") <= 20_000
    assert lock.reacquire() is True
    client.delete("lock")
    with pytest.raises(LockNotOwnedError):
        lock.release()


def test_in_asyncio() -> None:
    async def use(client: redis.asyncio.Redis) -> None:
        release = client.register_script(RELEASE)
        await client.set("lock", "token")
        assert await release(keys=["lock"], args=["token"]) == 1
        async with client.lock("lock", timeout=10):
            assert await client.exists("lock") == 1
        assert await client.exists("lock") == 0
        async with client.pipeline() as pipe:
            pipe.set("lock", "token")
            await release(keys=["lock"], args=["token"], client=pipe)
            assert await pipe.execute() == [True, 1]

    async def both() -> None:
        async with alcove.asyncio.open() as client:
            await use(client)
        with alcove.serve() as server:
            async with redis.asyncio.Redis(port=server.port) as client:
                await use(client)

    asyncio.run(both())
