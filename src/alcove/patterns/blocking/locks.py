# Derived from alcove/patterns/asyncio/locks.py by derive_blocking.py: change it there.
"""Locks across processes: for one holder at a time, for a number of them, and for readers and writers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from redis import Redis

from alcove.patterns.blocking.holding import Held, Leasing, OnLoss
from alcove.patterns.blocking.runtime import result_of
from alcove.patterns.core.keys import Id
from alcove.patterns.core.locks import MANY, MOST_PERMITS, ONE, Claim, new_claim, permit_count

T = TypeVar("T")

MANY_PERMITS = 1_000_000


class DistributedLock(Leasing):
    """Lets one holder at a time have a resource, on however many machines they run.

        >>> import alcove
        >>> lock = DistributedLock(alcove.open())
        >>> with lock.hold("product:123:inventory", wait=2) as held:
        ...     held.check()
        >>> lock_id = lock.acquire("report")
        >>> lock.release("report", lock_id), lock.release("report", lock_id)
        (True, False)

    A lock is held for `timeout` milliseconds, 10,000 if nothing is said, and never without an end. Where a block or a
    function runs under it, it is renewed beside that, three times within each `timeout`, so `timeout` is how long
    others wait when the holder dies, and not how long its work may take. `acquire` leaves renewing, by `extend`, to
    its caller.

    Who does not get it at once gets `LockNotAcquired`, or waits for `wait` seconds (None: as long as it takes). Who
    waits is woken, and gets it in the order of coming; he shows the server every two seconds that he is alive, and
    one who died keeps his place for `waiter_lease` seconds. A thread or task that asks for what it is within a `hold`
    of gets `AlreadyHeld`. A wait takes one of the client's connections.

    When a lease is lost (see below), `on_loss` is called with the `Held`: by the renewal, so in another thread, or
    task. With asyncio `on_loss="cancel"` cancels the block, which then ends by `LockLost`. A block that went on to its
    end ends by `LockLost` too.

    **What holds.** As long as the server keeps its data, no two hold at a time what has not been lost. A holder or a
    waiter that is killed delays others by its lease. A call that is sent again after a lost connection counts once.
    **What does not.** A lease is lost when its holder cannot reach the server for `timeout`, or stands still for that
    long (a paused machine, a blocked event loop): it hears of it when it runs again, and until then it may write what
    the next holder writes too. The same when the server loses what it had acknowledged: by a failover, since
    replication is asynchronous; by a restart without an append-only file; by eviction. When its clock jumps forward,
    leases end early; back, late. Therefore each grant has a **fence**, a number that only grows: it is the time in
    microseconds, or more than the fence before, which is remembered for `fence_ttl` seconds after each grant. So it
    shrinks only when the clock is set back by more than that, or by anything while the data are lost too. Storage that
    refuses a smaller fence than it has seen is safe: see `check_fence` for SQLAlchemy, and `FencedKeys`.
    """

    _kind_of_key = "lock"
    _kinds = ("lock",)
    _steps = ONE

    def acquire(self, resource: Id, timeout: float = 10_000, *, wait: float | None = 0) -> str:
        """Acquires a lock for `timeout` ms and returns its id, which whoever is to release it must know.

        The id begins with the fence: `fence_of` tells it. Raises `LockNotAcquired`. When it raises `OutcomeUnknown`,
        the lock may be taken for `timeout`.
        """
        return self._acquire(resource, new_claim("lock"), timeout, wait)

    def hold(
        self,
        resource: Id,
        timeout: float = 10_000,
        *,
        wait: float | None = 0,
        renew: bool = True,
        on_loss: OnLoss = None,
    ) -> AbstractContextManager[Held]:
        """Holds a lock while a block runs, and renews it unless that is not wanted.

        Raises `LockNotAcquired`, `AlreadyHeld`, and in the end `LockLost`; what the block raises goes before that.
        """
        return self._hold(resource, new_claim("lock"), timeout, wait, renew, on_loss)

    def with_lock(
        self,
        resource: Id,
        fn: Callable[[], T],
        timeout: float = 10_000,
        *,
        wait: float | None = 0,
        renew: bool = True,
        on_loss: OnLoss = None,
    ) -> T:
        """Calls a function while it holds a lock, as `hold` does for a block, and returns what that returns."""
        with self.hold(resource, timeout, wait=wait, renew=renew, on_loss=on_loss):
            return result_of(fn())


class DistributedSemaphore(Leasing):
    """Lets `limit` permits of a resource be held at a time, such as connections to a service that allows so many.

        >>> import alcove
        >>> semaphore = DistributedSemaphore(alcove.open(), limit=3)
        >>> with semaphore.hold("mail"), semaphore.hold("mail", permits=2):
        ...     (semaphore.status("mail")).holders
        3

    All is as with `DistributedLock`, but that a thread or task may hold more than once (and may so wait for itself).
    The order of coming holds whatever is asked for: who wants many permits is not passed by those who want few. Who
    gives another limit for the same resource is bound by his own.
    """

    _kind_of_key = "semaphore"
    _kinds = ("permits",)
    _steps = MANY
    _reentrant = True

    def __init__(
        self, client: Redis, *, limit: int, waiter_lease: float = 5.0, fence_ttl: float = 3600, namespace: str = ""
    ) -> None:
        super().__init__(client, waiter_lease=waiter_lease, fence_ttl=fence_ttl, namespace=namespace)
        self.limit = permit_count("limit", limit, MANY_PERMITS)

    def acquire(self, resource: Id, timeout: float = 10_000, *, permits: int = 1, wait: float | None = 0) -> str:
        """Acquires permits for `timeout` ms; they are released together, by the id that this returns."""
        return self._acquire(resource, self._claim(permits), timeout, wait)

    def hold(
        self,
        resource: Id,
        timeout: float = 10_000,
        *,
        permits: int = 1,
        wait: float | None = 0,
        renew: bool = True,
        on_loss: OnLoss = None,
    ) -> AbstractContextManager[Held]:
        """Holds permits while a block runs."""
        return self._hold(resource, self._claim(permits), timeout, wait, renew, on_loss)

    def _claim(self, permits: int) -> Claim:
        return new_claim("permits", permit_count("permits", permits, min(self.limit, MOST_PERMITS)), self.limit)


class ReadWriteLock(Leasing):
    """Lets many read a resource at a time, or one write it.

        >>> import alcove
        >>> lock = ReadWriteLock(alcove.open())
        >>> with lock.read("config"):
        ...     lock_id = lock.acquire_read("config")
        Traceback (most recent call last):
        alcove.patterns.core.locks.AlreadyHeld: this thread or task holds config already, and a lock is not reentrant
        >>> with lock.write("config") as held:
        ...     held.lost
        False

    All is as with `DistributedLock`. Readers and writers stand in one queue: who comes to read while a writer waits,
    reads after that, so that writers get their turn, and readers that stand behind each other read together.
    """

    _kind_of_key = "rwlock"
    _kinds = ("read", "write")
    _steps = MANY

    def acquire_read(self, resource: Id, timeout: float = 10_000, *, wait: float | None = 0) -> str:
        """Acquires a resource for reading, for `timeout` ms."""
        return self._acquire(resource, new_claim("read"), timeout, wait)

    def acquire_write(self, resource: Id, timeout: float = 10_000, *, wait: float | None = 0) -> str:
        """Acquires a resource for writing, for `timeout` ms."""
        return self._acquire(resource, new_claim("write"), timeout, wait)

    def read(
        self,
        resource: Id,
        timeout: float = 10_000,
        *,
        wait: float | None = 0,
        renew: bool = True,
        on_loss: OnLoss = None,
    ) -> AbstractContextManager[Held]:
        """Holds a resource for reading while a block runs."""
        return self._hold(resource, new_claim("read"), timeout, wait, renew, on_loss)

    def write(
        self,
        resource: Id,
        timeout: float = 10_000,
        *,
        wait: float | None = 0,
        renew: bool = True,
        on_loss: OnLoss = None,
    ) -> AbstractContextManager[Held]:
        """Holds a resource for writing while a block runs."""
        return self._hold(resource, new_claim("write"), timeout, wait, renew, on_loss)
