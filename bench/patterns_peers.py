"""The toolkit's peers, each as it is used by its own documents: what makes one of its operations, on redis-server.

Peers are imported when they are asked for: none of them needs to be installed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import redis
import redis.asyncio

Operation = Callable[[], Any]

VALUE = {"id": 1, "name": "Ann", "city": "Rome", "visits": 17}
USERS = 1000
# Hits in an hour: more than are made.
LIMIT = 100_000


def load() -> dict[str, Any]:
    return VALUE


async def load_async() -> dict[str, Any]:
    return VALUE


def users() -> Callable[[], str]:
    """The next user's name, again and again."""
    names = itertools.cycle([f"user:{number}" for number in range(USERS)])
    return lambda: next(names)


def url_of(client: Any) -> str:
    known = client.connection_pool.connection_kwargs
    return f"redis://{known['host']}:{known['port']}"


# Caches: a lock across processes and a time limit for it, as alcove.patterns.Cache has


def dogpile_region(client: redis.Redis) -> Any:
    from dogpile.cache import make_region

    lock = {"distributed_lock": True, "lock_timeout": 10, "thread_local_lock": False}
    arguments = {"connection_pool": client.connection_pool, **lock}
    return make_region().configure("dogpile.cache.redis", expiration_time=3600, arguments=arguments)


def dogpile_hit(client: redis.Redis) -> Operation:
    region = dogpile_region(client)
    return lambda: region.get_or_create("user:1", load)


def dogpile_miss(client: redis.Redis) -> Operation:
    region, numbers = dogpile_region(client), itertools.count()
    return lambda: region.get_or_create(f"user:{next(numbers)}", load)


async def cashews_hit(client: redis.asyncio.Redis) -> Operation:
    # With its lock a hit would take three trips.
    cached = cashews_function(client, lock=False)
    return lambda: cached(1)


async def cashews_miss(client: redis.asyncio.Redis) -> Operation:
    cached, numbers = cashews_function(client, lock=True), itertools.count()
    return lambda: cached(next(numbers))


def cashews_function(client: redis.asyncio.Redis, *, lock: bool) -> Callable[[int], Awaitable[dict[str, Any]]]:
    from cashews import Cache

    cache = Cache()
    cache.setup(url_of(client), suppress=False)

    @cache(ttl=3600, key="user:{number}", lock=lock)
    async def cached(number: int) -> dict[str, Any]:
        return await load_async()

    return cached


# Rate limits


def limits_hit(strategy: str, *, with_stats: bool = True) -> Callable[[redis.Redis], Operation]:
    def made(client: redis.Redis) -> Operation:
        limiter, item = limits_limiter(client, strategy)
        name = users()

        def hit() -> Any:
            user = name()
            return limiter.hit(item, user), with_stats and limiter.get_window_stats(item, user)

        return hit

    return made


def limits_limiter(client: redis.Redis, strategy: str) -> tuple[Any, Any]:
    from limits import RateLimitItemPerHour, strategies
    from limits.storage import RedisStorage

    storage = RedisStorage(url_of(client), connection_pool=client.connection_pool)
    return getattr(strategies, strategy)(storage), RateLimitItemPerHour(LIMIT)


# Locks


def redis_lock(client: redis.Redis) -> Operation:
    def hold() -> None:
        with client.lock("resource", timeout=10):
            pass

    return hold


# Job queues


def deliver(address: str) -> str:
    return address


def rq_enqueue(client: redis.Redis) -> Operation:
    from rq import Queue

    queue = Queue("email", connection=client)
    return lambda: queue.enqueue(deliver, "ann@example.com")


def rq_work(client: redis.Redis) -> Operation:
    """A job put, taken and worked off, by the worker that neither forks nor waits."""
    from rq import Queue, SimpleWorker

    queue = Queue("email", connection=client)
    worker = SimpleWorker([queue], connection=client)
    worker.register_birth()
    # Else each job costs three lines of a log.
    worker.log.setLevel("WARNING")

    def work() -> None:
        queue.enqueue(deliver, "ann@example.com")
        job, taken_from = Queue.dequeue_any([queue], None, connection=client)
        worker.execute_job(job, taken_from)

    return work


# Sessions


async def starsessions_read(client: redis.asyncio.Redis) -> Operation:
    store, session_id = await starsessions_store(client)

    async def read() -> Any:
        return json.loads(await store.read(session_id, 1800))

    return read


async def starsessions_rolling(client: redis.asyncio.Redis) -> Operation:
    """A session's end is moved as the middleware does it: what was read is written."""
    store, session_id = await starsessions_store(client)

    async def read() -> Any:
        data = json.loads(await store.read(session_id, 1800))
        return await store.write(session_id, json.dumps(data).encode(), 1800, 1800)

    return read


async def starsessions_update(client: redis.asyncio.Redis) -> Operation:
    """A field is changed as the middleware does it: all are read, and all are written."""
    store, session_id = await starsessions_store(client)
    numbers = itertools.count()

    async def update() -> Any:
        data = json.loads(await store.read(session_id, 1800))
        data["visits"] = next(numbers)
        return await store.write(session_id, json.dumps(data).encode(), 1800, 1800)

    return update


async def starsessions_store(client: redis.asyncio.Redis) -> tuple[Any, str]:
    from starsessions.stores.redis import RedisStore

    store = RedisStore(connection=client)
    await store.write("session", json.dumps(VALUE).encode(), 1800, 1800)
    return store, "session"
