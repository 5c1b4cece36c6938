"""Alcove for asyncio: `open` and `from_url` as in `alcove`, but with redis-py's asynchronous clients."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import redis.asyncio
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from alcove.client.aio_clients import Redis
from alcove.client.aio_connection import AsyncEngineConnection
from alcove.client.local import chosen_engine, parse_place, split_options
from alcove.engine.clock import Clock

__all__ = ["Redis", "from_url", "open"]


def open(
    path: str | PathLike[str] | None = None,
    *,
    fsync: str | None = None,
    engine: Any = None,
    config: Mapping[str, object] | None = None,
    clock: Clock | None = None,
    **redis_options: Any,
) -> Redis:
    """An asynchronous redis-py client over an engine in this process: see `alcove.open`.

    Clients of both kinds can share an engine: `alcove.asyncio.open(engine=client)`.
    """
    engine = chosen_engine(path, fsync, engine, config, clock)
    for_pool, for_client = split_options(redis_options)
    for_pool.setdefault("retry", Retry(NoBackoff(), 1))
    client = Redis(connection_pool=ConnectionPool(AsyncEngineConnection, engine=engine, **for_pool), **for_client)
    client.auto_close_connection_pool = True
    return client


def from_url(url: str | None = None, **redis_options: Any) -> redis.asyncio.Redis:
    """The asynchronous client that a URL means: see `alcove.from_url`."""
    place = parse_place(url)
    if place.cluster:
        from redis.asyncio.cluster import RedisCluster

        # Not a redis.asyncio.Redis by its class, but by all that can be asked of it.
        return RedisCluster.from_url(place.url, **redis_options)  # type: ignore[return-value]
    if place.url:
        return redis.asyncio.Redis.from_url(place.url, **redis_options)
    return open(**place.arguments(redis_options))
