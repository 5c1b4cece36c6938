# Derived from alcove/patterns/asyncio/holding.py by derive_blocking.py: change it there.
"""What is held for a time: leases in fair order, renewed beside their holder, who is told when one is lost."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import ClassVar, Literal

from redis import Redis
from redis.exceptions import RedisError

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import Interruption, Lock, Task, monotonic, result_of, sleep, spawn, within
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.locks import (
    DROP,
    GRAB,
    LONGEST_MS,
    ONE,
    AlreadyHeld,
    Claim,
    Kind,
    LockLost,
    LockNotAcquired,
    LockStatus,
    Steps,
    claim_of,
    lease_ms,
    lock_id_of,
    patience,
)
from alcove.patterns.core.scripts import Word

OnLoss = Callable[["Held"], object] | Literal["cancel"] | None

log = logging.getLogger("alcove.patterns")

# Renewed so often within a lease that two renewals may fail before it ends.
RENEWALS = 3
# How often within a lease a renewal that failed is tried again.
TRIES = 20
# A waiter shows so often within its own lease that it is alive.
SIGNS_OF_LIFE = 2.5
# The shortest wait on the server, in seconds: 0 would be for ever.
SHORTEST_S = 0.01


class Leasing(Pattern):
    """What locks, semaphores, and locks of readers and writers have in common.

    A waiter that dies keeps its place for `waiter_lease` seconds: so long, at most, it holds others up. The last fence
    of a resource is remembered for `fence_ttl` seconds: against clocks that are set back by no more than that.
    """

    # What their keys begin with, what is claimed of them, and the scripts.
    _kind_of_key: ClassVar[str]
    _kinds: ClassVar[tuple[Kind, ...]]
    _steps: ClassVar[Steps]
    # Whether a thread or task may hold a resource twice.
    _reentrant: ClassVar[bool] = False

    def __init__(
        self, client: Redis, *, waiter_lease: float = 5.0, fence_ttl: float = 3600, namespace: str = ""
    ) -> None:
        super().__init__(client, namespace=namespace)
        if not 0.1 <= waiter_lease <= 3600:
            raise InvalidArgument(f"waiter_lease is between 0.1 and 3600 seconds, not {waiter_lease!r}")
        if not 1 <= fence_ttl <= LONGEST_MS / 1000:
            raise InvalidArgument(f"fence_ttl is between 1 and {LONGEST_MS // 1000} seconds, not {fence_ttl!r}")
        self._waiter_lease = waiter_lease
        self._fence_ms = int(fence_ttl * 1000)
        self._prefix = self.keys(self._kind_of_key)

    def release(self, resource: Id, lock_id: str) -> bool:
        """Gives back what a lock id holds, wherever it was acquired, and wakes who is next.

        False when it held nothing any more: the lease was over, or it was released before. When this raises
        `OutcomeUnknown` it may be called again; else the lease ends by itself.
        """
        claim = self._own_claim(lock_id)
        return claim is not None and self._give_back(resource, claim)

    def extend(self, resource: Id, lock_id: str, timeout: float = 10_000) -> bool:
        """Makes a lease end `timeout` ms from now, unless it ends later already. False when it is over."""
        lease = lease_ms(timeout)
        claim = self._own_claim(lock_id)
        return claim is not None and self._remaining(resource, claim, lease) > 0

    def status(self, resource: Id) -> LockStatus:
        """How a resource stands: how much is held and for how long, how many wait, and the last fence."""
        held, ends_ms, waiting, fence = self._run(
            self._steps.status, self._keys(self._base(resource), ""), ["", "", 0, 0]
        )
        return LockStatus(held, ends_ms / 1000, waiting, None if fence is None else int(fence))

    # Claims

    def _own_claim(self, lock_id: str) -> Claim | None:
        """The claim of a lock id; None for what is nobody's, or of something that is held otherwise."""
        found = claim_of(lock_id)
        return found[0] if found is not None and found[0].kind in self._kinds else None

    def _acquire(self, resource: Id, claim: Claim, timeout: float, wait: float | None) -> str:
        """The id of a claim that is granted."""
        lease, patient, base = lease_ms(timeout), patience(wait), self._base(resource)
        if not self._reentrant and (id(self.client), base) in within():
            raise AlreadyHeld(resource)
        fence, _ = self._granted(resource, base, claim, lease, patient)
        return lock_id_of(claim, fence)

    def _granted(self, resource: Id, base: str, claim: Claim, lease: int, patient: float) -> tuple[int, float]:
        """The fence of a claim, and when it was asked for, by our own clock: before its lease began."""
        asked = monotonic()
        try:
            if self._steps is ONE:
                words: list[Word] = [claim.token, lease, self._fence_ms]
                answer = self._run(GRAB, [base, f"{base}:queue", f"{base}:fence"], words)
                if isinstance(answer, int):
                    return answer, asked
                if answer == b"held" and patient == 0:
                    raise LockNotAcquired(resource)
            return self._granted_in_line(resource, base, claim, lease, patient)
        except (LockNotAcquired, RedisError):
            raise
        except BaseException as error:
            # Cancelled while it waited: it makes room at once.
            self._abandon(resource, claim, error)
            raise

    def _granted_in_line(self, resource: Id, base: str, claim: Claim, lease: int, patient: float) -> tuple[int, float]:
        keys = self._keys(base, claim.token)
        give_up = monotonic() + patient
        while True:
            asked = monotonic()
            waits = patient > 0 and asked < give_up
            waiting_ms = int(self._waiter_lease * 1000) if waits else 0
            words = [claim.token, lease, waiting_ms, self._fence_ms, *claim.words]
            answer = self._run(self._steps.acquire, keys, words)
            if answer[0]:
                return int(answer[1]), asked
            if not waits:
                raise LockNotAcquired(resource, patient)
            _, lease_ends_ms, before = answer
            wakes = f"{base}:left:{before.decode()}" if before else f"{base}:freed"
            self._woken(wakes, lease_ends_ms / 1000, give_up)

    def _woken(self, list_to_wait_on: str, lease_ends: float, give_up: float) -> None:
        """Waits until somebody before us has done, or may be gone, or our own lease is to be renewed."""
        seconds = min(
            lease_ends if lease_ends >= 0 else math.inf,
            give_up - monotonic(),
            self._waiter_lease / SIGNS_OF_LIFE,
            self._longest_wait(),
        )
        self._command("BLPOP", list_to_wait_on, max(SHORTEST_S, round(seconds, 3)))

    def _give_back(self, resource: Id, claim: Claim) -> bool:
        base = self._base(resource)
        if self._steps is ONE:
            lane = self._lanes.take()
            answer = self._run(DROP, [base, f"{base}:queue", f"{base}:dropped"], [claim.token, *lane.words])
            self._lanes.give_back(lane)
            if isinstance(answer, int):
                return answer == 1
        keys = [*self._keys(base, claim.token), f"{base}:calls"]
        released: bytes = self._run(self._steps.release, keys, [claim.token, *claim.words])
        return released == b"held"

    def _abandon(self, resource: Id, claim: Claim, error: BaseException) -> None:
        """Gives back, or leaves the queue, because of an error, which matters more than that this fails too."""
        try:
            self._give_back(resource, claim)
        except RedisError as failed:
            error.add_note(f"{resource} could not be released either, its lease ends by itself: {failed!r}")

    def _remaining(self, resource: Id, claim: Claim, lease: int) -> int:
        """How many ms a claim still has, renewed for `lease` ms unless that is 0."""
        left: int = self._run(self._steps.extend, [self._base(resource)], [claim.token, lease, *claim.words])
        return left

    def _base(self, resource: Id) -> str:
        """The key of who holds a resource."""
        return f"{self._prefix}:{{{id_text(resource)}}}"

    def _keys(self, base: str, token: str) -> list[str]:
        """The keys of a resource, as lua/locks/queue.lua wants them."""
        return [base, f"{base}:queue", f"{base}:leases", f"{base}:left:{token}", f"{base}:fence", f"{base}:freed"]

    def _hold(
        self,
        resource: Id,
        claim: Claim,
        timeout: float,
        wait: float | None,
        renew: bool,
        on_loss: OnLoss,
    ) -> Holding:
        """Holds a claim while a block runs."""
        if not (on_loss is None or on_loss == "cancel" or callable(on_loss)):
            raise InvalidArgument(f"on_loss is a function or 'cancel', not {on_loss!r}")
        return Holding(self, resource, claim, lease_ms(timeout), patience(wait), renew, on_loss)


class Holding:
    """A block under which a claim is held."""

    __slots__ = ("_claim", "_held", "_lease", "_leasing", "_on_loss", "_patient", "_place", "_renew", "_resource")

    def __init__(
        self,
        leasing: Leasing,
        resource: Id,
        claim: Claim,
        lease: int,
        patient: float,
        renew: bool,
        on_loss: OnLoss,
    ) -> None:
        self._leasing = leasing
        self._resource = resource
        self._claim = claim
        self._lease = lease
        self._patient = patient
        self._renew = renew
        self._on_loss = on_loss

    def __enter__(self) -> Held:
        leasing, resource, claim, on_loss = self._leasing, self._resource, self._claim, self._on_loss
        base = leasing._base(resource)
        self._place = place = (id(leasing.client), base)
        held_here = within()
        if place in held_here and not leasing._reentrant:
            raise AlreadyHeld(resource)
        interruption = Interruption() if on_loss == "cancel" else None
        fence, asked = leasing._granted(resource, base, claim, self._lease, self._patient)
        told = None if interruption else on_loss
        self._held = held = Held(leasing, resource, claim, fence, self._lease, asked, interruption, told)
        try:
            held._watch(self._renew)
        except BaseException as error:
            leasing._abandon(resource, claim, error)
            raise
        held_here.add(place)
        return held

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        held, interruption, cause = self._held, self._held._interrupts, error
        try:
            if error is not None:
                held._stop()
                self._leasing._abandon(self._resource, self._claim, error)
            elif not held._end():
                raise LockLost(self._resource, held.fence)
        except BaseException as raised:
            cause = raised
        finally:
            within().discard(self._place)
        if interruption is not None and interruption.caused(cause):
            raise LockLost(self._resource, held.fence) from cause
        if cause is not None and cause is not error:
            raise cause


class Held:
    """What a `hold` gives its block: who holds, and whether it still does.

    `token` is the lock id, `fence` the number to give to whatever is written to meanwhile (see `check_fence`).
    """

    def __init__(
        self,
        leasing: Leasing,
        resource: Id,
        claim: Claim,
        fence: int,
        lease: int,
        asked: float,
        interruption: Interruption | None,
        on_loss: OnLoss,
    ) -> None:
        self.resource = resource
        self.token = lock_id_of(claim, fence)
        self.fence = fence
        self._leasing = leasing
        self._claim = claim
        self._lease = lease
        # By our own clock, and not later than the lease ends by the server's.
        self._deadline = asked + lease / 1000
        # What ends the block, which asks about it in the end, until it was sent.
        self._interrupts = self._interruption = interruption
        self._on_loss = on_loss
        self._telling = Lock()
        self._watching: Task | None = None
        self._told: Task | None = None
        self._ended = False
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether it is known to be lost, or its lease may be over. Asks nobody."""
        return self._lost or (not self._ended and monotonic() >= self._deadline)

    def check(self) -> None:
        """Asks the server whether it is still held. Raises `LockLost` if not."""
        self._renewed(0)

    def extend(self, timeout: float | None = None) -> None:
        """Renews the lease now, for `timeout` ms or as long as it was. Raises `LockLost` when it is over."""
        self._renewed(self._lease if timeout is None else lease_ms(timeout))

    def _renewed(self, lease: int) -> None:
        asked = monotonic()
        left = 0 if self._lost else self._leasing._remaining(self.resource, self._claim, lease)
        if left == 0:
            self._lost = self._lost or not self._ended
            raise LockLost(self.resource, self.fence)
        self._deadline = asked + left / 1000

    # The watch beside the holder

    def _watch(self, renew: bool) -> None:
        seconds = self._lease / 1000
        if renew:
            self._watching = spawn(f"renewal of {self.resource}", self._renewing, after=seconds / RENEWALS)
        elif self._on_loss is not None or self._interruption is not None:
            self._watching = spawn(f"end of {self.resource}", self._at_the_end, after=seconds)

    def _renewing(self) -> None:
        seconds = self._lease / 1000
        while not self._ended:
            # The holder hears of a lost lease in time, however long the renewal waits for an answer.
            guard = spawn(
                f"end of {self.resource}", self._at_the_end, after=max(SHORTEST_S, self._deadline - monotonic())
            )
            try:
                self._renew_once(seconds / TRIES)
            except LockLost:
                self._tell()
                return
            finally:
                guard.cancel()
            sleep(seconds / RENEWALS)

    def _renew_once(self, pause: float) -> None:
        """Renews, and tries again when the server cannot be reached or cannot now."""
        while not self._ended:
            try:
                return self.extend()
            except RedisError as error:
                log.warning("%s could not be renewed: %r", self.resource, error)
                if monotonic() >= self._deadline:
                    raise LockLost(self.resource, self.fence) from error
            sleep(pause)

    def _at_the_end(self) -> None:
        while not self._ended and (left := self._deadline - monotonic()) > 0:
            sleep(left)
        self._tell()

    def _tell(self) -> None:
        """Tells the holder, once, that it has lost what it held."""
        with self._telling:
            if self._ended:
                return
            self._lost = True
            interruption, self._interruption = self._interruption, None
            on_loss, self._on_loss = self._on_loss, None
        if interruption is not None:
            interruption.send()
        elif callable(on_loss):
            # By itself: the watch is stopped when the block ends, and that may be because of it.
            self._told = spawn(f"loss of {self.resource}", self._call, on_loss)

    def _call(self, on_loss: Callable[[Held], object]) -> None:
        try:
            result_of(on_loss(self))
        except Exception:
            log.exception("on_loss of %s failed", self.resource)

    def _stop(self) -> None:
        self._ended = True
        if self._watching is not None:
            self._watching.cancel()

    def _end(self) -> bool:
        """Gives back. False when it had been lost."""
        lost = self._lost
        self._stop()
        return self._leasing._give_back(self.resource, self._claim) and not lost
