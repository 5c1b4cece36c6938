"""The toolkit for asyncio: the classes of `alcove.patterns` with `await`, over redis-py's asynchronous clients.

This is where they are written; `make blocking` derives `alcove.patterns.blocking` from it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import alcove.patterns
from alcove.patterns import HOMES, SHARED

if TYPE_CHECKING:
    from alcove.patterns.asyncio.broadcast import Broadcaster as Broadcaster
    from alcove.patterns.asyncio.broadcast import Listener as Listener
    from alcove.patterns.asyncio.cache import Cache as Cache
    from alcove.patterns.asyncio.cart import ShoppingCart as ShoppingCart
    from alcove.patterns.asyncio.changes import PostgresChanges as PostgresChanges
    from alcove.patterns.asyncio.changes import invalidate_from as invalidate_from
    from alcove.patterns.asyncio.changes import invalidate_on_commit as invalidate_on_commit
    from alcove.patterns.asyncio.chat import ChatRoom as ChatRoom
    from alcove.patterns.asyncio.feeds import Feeds as Feeds
    from alcove.patterns.asyncio.fenced import FencedKeys as FencedKeys
    from alcove.patterns.asyncio.holding import Held as Held
    from alcove.patterns.asyncio.leaderboard import Leaderboard as Leaderboard
    from alcove.patterns.asyncio.limits import RateLimiter as RateLimiter
    from alcove.patterns.asyncio.locks import DistributedLock as DistributedLock
    from alcove.patterns.asyncio.locks import DistributedSemaphore as DistributedSemaphore
    from alcove.patterns.asyncio.locks import ReadWriteLock as ReadWriteLock
    from alcove.patterns.asyncio.notifications import NotificationService as NotificationService
    from alcove.patterns.asyncio.products import ProductCache as ProductCache
    from alcove.patterns.asyncio.queue import JobQueue as JobQueue
    from alcove.patterns.asyncio.sessions import SessionStore as SessionStore
    from alcove.patterns.asyncio.stock import Stock as Stock
    from alcove.patterns.asyncio.tables import SqlProducts as SqlProducts
    from alcove.patterns.asyncio.tables import SqlTable as SqlTable
    from alcove.patterns.asyncio.worker import Worker as Worker
    from alcove.patterns.asyncio.writes import WriteBehind as WriteBehind


def __getattr__(name: str) -> Any:
    if name in HOMES:
        value = getattr(importlib.import_module(f"alcove.patterns.asyncio.{HOMES[name]}"), name)
    elif name in SHARED:
        value = getattr(alcove.patterns, name)
    else:
        raise AttributeError(f"module 'alcove.patterns.asyncio' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*HOMES, *SHARED})
