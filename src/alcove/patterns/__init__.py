"""The toolkit: what applications build on Redis, made safe, for any redis-py client.

    board = alcove.patterns.Leaderboard(client)
    board.update_score("chess", "ann", 1500)

The client may be one of `alcove.open()`, or redis-py's to an Alcove server, a Redis, a Valkey or a cluster of them.
Here are the blocking classes; `alcove.patterns.asyncio` has the same ones with `await`. What stands here is imported
when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alcove.patterns import asyncio as asyncio
    from alcove.patterns.blocking.broadcast import Broadcaster as Broadcaster
    from alcove.patterns.blocking.broadcast import Listener as Listener
    from alcove.patterns.blocking.cache import Cache as Cache
    from alcove.patterns.blocking.cart import ShoppingCart as ShoppingCart
    from alcove.patterns.blocking.changes import PostgresChanges as PostgresChanges
    from alcove.patterns.blocking.changes import invalidate_from as invalidate_from
    from alcove.patterns.blocking.changes import invalidate_on_commit as invalidate_on_commit
    from alcove.patterns.blocking.chat import ChatRoom as ChatRoom
    from alcove.patterns.blocking.feeds import Feeds as Feeds
    from alcove.patterns.blocking.fenced import FencedKeys as FencedKeys
    from alcove.patterns.blocking.holding import Held as Held
    from alcove.patterns.blocking.leaderboard import Leaderboard as Leaderboard
    from alcove.patterns.blocking.limits import RateLimiter as RateLimiter
    from alcove.patterns.blocking.locks import DistributedLock as DistributedLock
    from alcove.patterns.blocking.locks import DistributedSemaphore as DistributedSemaphore
    from alcove.patterns.blocking.locks import ReadWriteLock as ReadWriteLock
    from alcove.patterns.blocking.notifications import NotificationService as NotificationService
    from alcove.patterns.blocking.products import ProductCache as ProductCache
    from alcove.patterns.blocking.queue import JobQueue as JobQueue
    from alcove.patterns.blocking.sessions import SessionStore as SessionStore
    from alcove.patterns.blocking.stock import Stock as Stock
    from alcove.patterns.blocking.tables import SqlProducts as SqlProducts
    from alcove.patterns.blocking.tables import SqlTable as SqlTable
    from alcove.patterns.blocking.worker import Worker as Worker
    from alcove.patterns.blocking.writes import WriteBehind as WriteBehind
    from alcove.patterns.core.cart import Cart as Cart
    from alcove.patterns.core.cart import CartChanged as CartChanged
    from alcove.patterns.core.cart import CartError as CartError
    from alcove.patterns.core.cart import CartIsEmpty as CartIsEmpty
    from alcove.patterns.core.cart import CartLimitExceeded as CartLimitExceeded
    from alcove.patterns.core.cart import ItemNotInCart as ItemNotInCart
    from alcove.patterns.core.cart import Line as Line
    from alcove.patterns.core.cart import Merged as Merged
    from alcove.patterns.core.cart import Order as Order
    from alcove.patterns.core.changes import Change as Change
    from alcove.patterns.core.chat import ChatMessage as ChatMessage
    from alcove.patterns.core.codecs import JSON as JSON
    from alcove.patterns.core.codecs import MSGPACK as MSGPACK
    from alcove.patterns.core.codecs import Codec as Codec
    from alcove.patterns.core.codecs import Compressed as Compressed
    from alcove.patterns.core.codecs import Json as Json
    from alcove.patterns.core.codecs import MessagePack as MessagePack
    from alcove.patterns.core.cron import Cron as Cron
    from alcove.patterns.core.cron import Schedule as Schedule
    from alcove.patterns.core.errors import CannotDecode as CannotDecode
    from alcove.patterns.core.errors import CannotEncode as CannotEncode
    from alcove.patterns.core.errors import InvalidArgument as InvalidArgument
    from alcove.patterns.core.errors import OutcomeUnknown as OutcomeUnknown
    from alcove.patterns.core.errors import PatternError as PatternError
    from alcove.patterns.core.feeds import Closed as Closed
    from alcove.patterns.core.feeds import Entry as Entry
    from alcove.patterns.core.feeds import SlowListener as SlowListener
    from alcove.patterns.core.fencing import check_fence as check_fence
    from alcove.patterns.core.keys import Keys as Keys
    from alcove.patterns.core.leaderboard import Page as Page
    from alcove.patterns.core.leaderboard import Row as Row
    from alcove.patterns.core.leaderboard import ScoreOutOfRange as ScoreOutOfRange
    from alcove.patterns.core.leaderboard import Submission as Submission
    from alcove.patterns.core.limits import Decision as Decision
    from alcove.patterns.core.limits import NeverAllowed as NeverAllowed
    from alcove.patterns.core.limits import RateLimitExceeded as RateLimitExceeded
    from alcove.patterns.core.limits import Rule as Rule
    from alcove.patterns.core.limits import RulesApart as RulesApart
    from alcove.patterns.core.limits import Verdict as Verdict
    from alcove.patterns.core.locks import AlreadyHeld as AlreadyHeld
    from alcove.patterns.core.locks import LockLost as LockLost
    from alcove.patterns.core.locks import LockNotAcquired as LockNotAcquired
    from alcove.patterns.core.locks import LockStatus as LockStatus
    from alcove.patterns.core.locks import StaleFence as StaleFence
    from alcove.patterns.core.locks import fence_of as fence_of
    from alcove.patterns.core.notifications import Notification as Notification
    from alcove.patterns.core.products import ProductStore as ProductStore
    from alcove.patterns.core.queue import Backoff as Backoff
    from alcove.patterns.core.queue import Counts as Counts
    from alcove.patterns.core.queue import DeadLetter as DeadLetter
    from alcove.patterns.core.queue import Job as Job
    from alcove.patterns.core.queue import JobFailed as JobFailed
    from alcove.patterns.core.queue import JobNotFound as JobNotFound
    from alcove.patterns.core.queue import JobStatus as JobStatus
    from alcove.patterns.core.queue import LeaseLost as LeaseLost
    from alcove.patterns.core.queue import QueueFull as QueueFull
    from alcove.patterns.core.queue import RejectJob as RejectJob
    from alcove.patterns.core.queue import ResultTimeout as ResultTimeout
    from alcove.patterns.core.queue import RetryJob as RetryJob
    from alcove.patterns.core.sessions import Session as Session
    from alcove.patterns.core.sessions import SessionConflict as SessionConflict
    from alcove.patterns.core.sessions import SessionGone as SessionGone
    from alcove.patterns.core.stock import OutOfStock as OutOfStock
    from alcove.patterns.core.stock import ReservationGone as ReservationGone
    from alcove.patterns.core.writes import DeadUpdate as DeadUpdate
    from alcove.patterns.core.writes import Lag as Lag
    from alcove.patterns.core.writes import TooMuchPending as TooMuchPending
    from alcove.patterns.core.writes import Update as Update

# The classes that there are twice: written in this module of `alcove.patterns.asyncio`, derived in `blocking`.
HOMES = {
    "Broadcaster": "broadcast",
    "Cache": "cache",
    "ChatRoom": "chat",
    "DistributedLock": "locks",
    "DistributedSemaphore": "locks",
    "Feeds": "feeds",
    "FencedKeys": "fenced",
    "Held": "holding",
    "JobQueue": "queue",
    "Leaderboard": "leaderboard",
    "Listener": "broadcast",
    "NotificationService": "notifications",
    "PostgresChanges": "changes",
    "ProductCache": "products",
    "RateLimiter": "limits",
    "ReadWriteLock": "locks",
    "SessionStore": "sessions",
    "ShoppingCart": "cart",
    "SqlProducts": "tables",
    "SqlTable": "tables",
    "Stock": "stock",
    "Worker": "worker",
    "WriteBehind": "writes",
    "invalidate_from": "changes",
    "invalidate_on_commit": "changes",
}
# What both share, by its module in `alcove.patterns.core`.
SHARED = {
    "AlreadyHeld": "locks",
    "Backoff": "queue",
    "CannotDecode": "errors",
    "CannotEncode": "errors",
    "Cart": "cart",
    "CartChanged": "cart",
    "CartError": "cart",
    "CartIsEmpty": "cart",
    "CartLimitExceeded": "cart",
    "Change": "changes",
    "ChatMessage": "chat",
    "Closed": "feeds",
    "Codec": "codecs",
    "Compressed": "codecs",
    "Counts": "queue",
    "Cron": "cron",
    "DeadLetter": "queue",
    "DeadUpdate": "writes",
    "Decision": "limits",
    "Entry": "feeds",
    "InvalidArgument": "errors",
    "ItemNotInCart": "cart",
    "JSON": "codecs",
    "Job": "queue",
    "JobFailed": "queue",
    "JobNotFound": "queue",
    "JobStatus": "queue",
    "Json": "codecs",
    "Keys": "keys",
    "Lag": "writes",
    "LeaseLost": "queue",
    "Line": "cart",
    "LockLost": "locks",
    "LockNotAcquired": "locks",
    "LockStatus": "locks",
    "MSGPACK": "codecs",
    "Merged": "cart",
    "MessagePack": "codecs",
    "NeverAllowed": "limits",
    "Notification": "notifications",
    "Order": "cart",
    "OutOfStock": "stock",
    "OutcomeUnknown": "errors",
    "Page": "leaderboard",
    "PatternError": "errors",
    "ProductStore": "products",
    "QueueFull": "queue",
    "RateLimitExceeded": "limits",
    "RejectJob": "queue",
    "ReservationGone": "stock",
    "ResultTimeout": "queue",
    "RetryJob": "queue",
    "Row": "leaderboard",
    "Rule": "limits",
    "RulesApart": "limits",
    "Schedule": "cron",
    "ScoreOutOfRange": "leaderboard",
    "Session": "sessions",
    "SessionConflict": "sessions",
    "SessionGone": "sessions",
    "SlowListener": "feeds",
    "StaleFence": "locks",
    "Submission": "leaderboard",
    "TooMuchPending": "writes",
    "Update": "writes",
    "Verdict": "limits",
    "check_fence": "fencing",
    "fence_of": "locks",
}


def __getattr__(name: str) -> Any:
    if name == "asyncio":
        return importlib.import_module("alcove.patterns.asyncio")
    if name in HOMES:
        home = f"alcove.patterns.blocking.{HOMES[name]}"
    elif name in SHARED:
        home = f"alcove.patterns.core.{SHARED[name]}"
    else:
        raise AttributeError(f"module 'alcove.patterns' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*HOMES, *SHARED, "asyncio"})
