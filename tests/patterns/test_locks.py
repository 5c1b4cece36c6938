"""Locks: the chapter's class, leases, fences, the order of waiting, and what holders are told."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

import alcove.asyncio
from alcove.patterns import (
    AlreadyHeld,
    DistributedLock,
    InvalidArgument,
    LockLost,
    LockNotAcquired,
    OutcomeUnknown,
    StaleFence,
)
from alcove.patterns import asyncio as asynchronous
from alcove.patterns.core.locks import DROP, LONGEST_MS, ONE, fence_of, new_claim
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded
from tests.waiting import PATIENCE_S, eventually


def together(*functions: Callable[[], Any]) -> None:
    """Runs functions in threads, and raises what they raise."""
    errors: list[BaseException] = []

    def run(function: Callable[[], Any]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.fixture
def lock(toolkit: Toolkit) -> Any:
    return toolkit.make("DistributedLock")


@pytest.fixture
def live_lock(live_toolkit: Toolkit) -> Any:
    return live_toolkit.make("DistributedLock", waiter_lease=0.5)


def ask_as(toolkit: Toolkit, token: str, resource: str, lease_ms: int, waiting_ms: int) -> Any:
    """Asks once for a lock, as a holder or waiter does who is never heard of again."""
    base = f"lock:{{{resource}}}"
    keys = [base, *(f"{base}:{tail}" for tail in ("queue", "leases", f"left:{token}", "fence", "freed"))]
    return toolkit.client.execute_command(*ONE.acquire.by_text(keys, [token, lease_ms, waiting_ms, 1000]))


# Acquiring and releasing


def test_the_chapters_example(toolkit: Toolkit, lock: Any) -> None:
    lock_id = lock.acquire("product:123:inventory")
    with pytest.raises(LockNotAcquired):
        lock.acquire("product:123:inventory")
    assert lock.acquire("product:124:inventory")
    assert lock.release("product:123:inventory", lock_id) is True
    assert lock.release("product:123:inventory", lock_id) is False
    assert lock.with_lock("product:123:inventory", lambda: "done") == "done"
    assert lock.acquire("product:123:inventory")


def test_only_the_holder_releases(lock: Any) -> None:
    lock_id = lock.acquire("a")
    elsewhere = lock.acquire("b")
    for other in (elsewhere, "", "5", "9-lxyz", f"{lock_id}x", lock_id.swapcase()):
        assert lock.release("a", other) is False
        assert lock.extend("a", other) is False
    assert lock.status("a").holders == 1
    assert lock.release("a", lock_id) is True


def test_a_lock_ends_by_itself(toolkit: Toolkit, lock: Any) -> None:
    lease = 4 * toolkit.unit * 1000
    lock_id = lock.acquire("a", lease)
    toolkit.pass_time(2)
    with pytest.raises(LockNotAcquired):
        lock.acquire("a")
    assert 0 < lock.status("a").expires_in <= 2 * toolkit.unit
    toolkit.pass_time(2.1)
    assert lock.status("a").holders == 0
    assert lock.extend("a", lock_id) is False
    later = lock.acquire("a", lease)
    assert fence_of(later) > fence_of(lock_id)
    assert lock.release("a", lock_id) is False
    assert lock.release("a", later) is True


def test_a_lease_is_extended_and_never_shortened(toolkit: Toolkit, lock: Any) -> None:
    lease = 4 * toolkit.unit * 1000
    lock_id = lock.acquire("a", lease)
    toolkit.pass_time(3)
    assert lock.extend("a", lock_id, lease) is True
    toolkit.pass_time(3)
    assert lock.extend("a", lock_id, 1) is True
    assert lock.status("a").expires_in > 0
    assert lock.release("a", lock_id) is True


def test_what_is_left_behind_ends_too(toolkit: Toolkit, lock: Any) -> None:
    lock.release("a", lock.acquire("a"))
    lock.acquire("a", 1000 * toolkit.unit)
    for token in ("lfirst", "lsecond"):
        ask_as(toolkit, token, "a", 1000, 1000)
    ask_as(toolkit, "lfirst", "a", 1000, 0)
    keys = list(toolkit.client.scan_iter())
    assert len(keys) >= 6
    assert [key for key in keys if toolkit.client.pttl(key) == -1] == []


def test_a_lock_is_seen_from_outside(toolkit: Toolkit, lock: Any) -> None:
    assert lock.status("a") == lock.status("b")
    lock_id = lock.acquire("a", 5000)
    status = lock.status("a")
    assert (status.holders, status.waiting, status.fence) == (1, 0, fence_of(lock_id))
    assert toolkit.client.get("lock:{a}").decode() in lock_id


# Fences


def test_fences_only_grow(toolkit: Toolkit, lock: Any) -> None:
    fences = []
    for number in range(50):
        lock_id = lock.acquire("a", 1000 * toolkit.unit)
        fences.append(fence_of(lock_id))
        if number % 10 == 3:
            toolkit.pass_time(1.1)
        elif number % 10 == 6:
            toolkit.client.delete("lock:{a}")
        else:
            lock.release("a", lock_id)
    assert fences == sorted(set(fences))


def test_fences_grow_although_the_server_lost_everything(toolkit: Toolkit, lock: Any) -> None:
    before = fence_of(lock.acquire("a"))
    toolkit.pass_time(0.1)
    toolkit.client.flushall()
    assert fence_of(lock.acquire("a")) > before


def test_fences_grow_although_the_server_lost_the_last_grants(toolkit: Toolkit, lock: Any) -> None:
    before = [fence_of(lock.acquire("a"))]
    kept = toolkit.client.get("lock:{a}:fence")
    for _ in range(3):
        toolkit.client.delete("lock:{a}")
        before.append(fence_of(lock.acquire("a")))
    # A replica that took over, or a file without its last second.
    toolkit.client.delete("lock:{a}")
    toolkit.client.set("lock:{a}:fence", kept)
    toolkit.pass_time(0.1)
    assert fence_of(lock.acquire("a")) > max(before)


def test_a_fence_is_remembered_for_a_time(toolkit: Toolkit) -> None:
    lock = toolkit.make("DistributedLock", fence_ttl=1)
    lock.release("a", lock.acquire("a"))
    assert 0 < toolkit.client.pttl("lock:{a}:fence") <= 1000


def test_fences_grow_although_the_clock_was_set_back(toolkit: Toolkit, lock: Any) -> None:
    fences = [fence_of(lock.acquire("a"))]
    in_a_year = fences[0] + 365 * 86_400 * 1_000_000
    toolkit.client.set("lock:{a}:fence", in_a_year)
    for _ in range(3):
        toolkit.client.delete("lock:{a}")
        fences.append(fence_of(lock.acquire("a")))
    assert fences[1:] == [in_a_year + 1, in_a_year + 2, in_a_year + 3]


# Blocks


def test_a_block_holds_and_releases(lock: Any) -> None:
    with lock.hold("a") as held:
        assert held.fence == fence_of(held.token)
        assert not held.lost
        held.check()
        held.extend()
        with pytest.raises(LockNotAcquired):
            lock.acquire("a")
    assert not held.lost
    assert lock.status("a").holders == 0
    with pytest.raises(LockLost):
        held.check()
    assert not held.lost


def test_what_a_block_raises_is_raised_and_the_lock_released(lock: Any) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold("a"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        lock.with_lock("a", lambda: 1 / 0)
    assert lock.status("a").holders == 0


def test_a_block_that_outlives_its_timeout_is_renewed(live_toolkit: Toolkit, live_lock: Any) -> None:
    with live_lock.hold("a", 1500) as held:
        for _ in range(2):
            time.sleep(1)
            assert not held.lost
            with pytest.raises(LockNotAcquired):
                live_lock.acquire("a")
    assert live_lock.status("a").holders == 0


def test_a_block_that_is_not_renewed_loses_its_lock(live_lock: Any) -> None:
    others: list[str] = []

    def work() -> None:
        with live_lock.hold("a", 60, renew=False) as held:
            eventually(lambda: held.lost)
            together(lambda: others.append(live_lock.acquire("a", wait=None)))

    with pytest.raises(LockLost) as caught:
        work()
    assert caught.value.fence < fence_of(others[0])
    assert live_lock.release("a", others[0]) is True


def test_a_function_may_be_a_coroutine() -> None:
    async def run() -> int:
        lock = asynchronous.DistributedLock(alcove.asyncio.open())

        async def work() -> int:
            await asyncio.sleep(0)
            return (await lock.status("a")).holders

        return await lock.with_lock("a", work)

    assert asyncio.run(run()) == 1


# Losses


def test_a_holder_is_told_of_a_loss(live_toolkit: Toolkit, live_lock: Any) -> None:
    told: list[Any] = []

    def work() -> None:
        with live_lock.hold("a", 150, on_loss=told.append) as held:
            live_toolkit.client.delete("lock:{a}")
            eventually(lambda: told)
            assert held.lost
            with pytest.raises(LockLost):
                held.check()

    with pytest.raises(LockLost) as caught:
        work()
    time.sleep(0.1)
    assert [one.fence for one in told] == [caught.value.fence]


def test_a_loss_is_told_when_nothing_renews(live_lock: Any) -> None:
    told: list[Any] = []

    def work() -> None:
        with live_lock.hold("a", 50, renew=False, on_loss=told.append):
            eventually(lambda: told)

    with pytest.raises(LockLost):
        work()


def test_a_failing_callback_is_logged(live_toolkit: Toolkit, live_lock: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail(held: Any) -> None:
        raise ZeroDivisionError

    def work() -> None:
        with live_lock.hold("a", 60, on_loss=fail):
            live_toolkit.client.delete("lock:{a}")
            eventually(lambda: "on_loss of a failed" in caplog.text)

    with pytest.raises(LockLost):
        work()


def test_a_callback_is_not_cut_short_by_the_end_of_the_block() -> None:
    place = Embedded()
    done = []

    async def run() -> None:
        lock = asynchronous.DistributedLock(place.async_client())
        told = asyncio.Event()

        async def tell(held: Any) -> None:
            told.set()
            await asyncio.sleep(0.05)
            done.append(held.fence)

        async def work() -> None:
            async with lock.hold("a", 60, on_loss=tell):
                with place.client() as client:
                    client.delete("lock:{a}")
                await told.wait()

        with pytest.raises(LockLost) as caught:
            await work()
        while not done:
            await asyncio.sleep(0.005)
        assert done == [caught.value.fence]

    asyncio.run(run())


def test_what_a_block_raises_matters_more_than_a_loss(toolkit: Toolkit, lock: Any) -> None:
    def lose() -> None:
        with lock.hold("a"):
            toolkit.client.delete("lock:{a}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose()


def test_a_loss_cancels_the_block() -> None:
    place = Embedded()
    reached = []

    async def run() -> None:
        lock = asynchronous.DistributedLock(place.async_client())

        async def work() -> None:
            async with lock.hold("a", 90, on_loss="cancel"):
                with place.client() as client:
                    client.delete("lock:{a}")
                await asyncio.sleep(PATIENCE_S)
                reached.append("the end of the block")

        with pytest.raises(LockLost):
            await work()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(run())
    assert not reached


def test_a_cancellation_of_ones_own_is_not_taken_for_a_loss() -> None:
    place = Embedded()

    async def run() -> None:
        lock = asynchronous.DistributedLock(place.async_client())

        async def work() -> None:
            async with lock.hold("a", on_loss="cancel"):
                await asyncio.sleep(PATIENCE_S)

        task = asyncio.create_task(work())
        while not (await lock.status("a")).holders:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await lock.status("a")).holders == 0

    asyncio.run(run())


def test_a_thread_cannot_be_cancelled() -> None:
    with Embedded().client() as client:
        hold = DistributedLock(client).hold("a", on_loss="cancel")
        with pytest.raises(InvalidArgument, match="thread"):
            hold.__enter__()


class Severed:
    """A client whose connection can be cut, until it is mended."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.is_cut = False

    def execute_command(self, *words: Any, **options: Any) -> Any:
        if self.is_cut:
            raise redis.ConnectionError("cut")
        return self._client.execute_command(*words, **options)


def test_a_short_interruption_loses_nothing() -> None:
    with Embedded().client() as client:
        severed = Severed(client)
        told: list[Any] = []
        with DistributedLock(severed).hold("a", 2000, on_loss=told.append) as held:  # type: ignore[arg-type]
            severed.is_cut = True
            time.sleep(0.8)
            severed.is_cut = False
            time.sleep(1.4)
            held.check()
            assert not held.lost
        assert not told


def test_who_cannot_reach_the_server_for_a_whole_lease_has_lost() -> None:
    with Embedded().client() as client:
        severed = Severed(client)
        told: list[Any] = []

        def work() -> None:
            with DistributedLock(severed).hold("a", 100, on_loss=told.append):  # type: ignore[arg-type]
                severed.is_cut = True
                eventually(lambda: told)
                severed.is_cut = False

        with pytest.raises(LockLost):
            work()


def test_a_block_that_cannot_release_says_so() -> None:
    with Embedded().client() as client:
        severed = Severed(client)
        with pytest.raises(OutcomeUnknown), DistributedLock(severed).hold("a"):  # type: ignore[arg-type]
            severed.is_cut = True
        severed.is_cut = False

        def fail() -> None:
            with DistributedLock(severed).hold("b"):  # type: ignore[arg-type]
                severed.is_cut = True
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            fail()
        assert "could not be released" in caught.value.__notes__[0]


class Forgetful:
    """A client that loses each answer once and asks again, as redis-py does when a connection times out."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def execute_command(self, *words: Any, **options: Any) -> Any:
        self._client.execute_command(*words, **options)
        return self._client.execute_command(*words, **options)


def test_calls_that_are_sent_twice_count_once() -> None:
    with Embedded().client() as client:
        client.script_load(ONE.acquire.text)
        client.script_load(ONE.release.text)
        lock = DistributedLock(Forgetful(client))  # type: ignore[arg-type]
        with lock.hold("a") as held:
            assert lock.status("a").fence == held.fence
        assert lock.status("a").holders == 0
        assert lock.release("a", lock.acquire("a")) is True


def test_what_is_remembered_of_calls_is_bounded() -> None:
    with Embedded().client() as client:
        for number in range(1100):
            client.set("lock:{a}", "token")
            keys = ["lock:{a}", "lock:{a}:queue", "lock:{a}:dropped"]
            assert client.execute_command(*DROP.by_text(keys, ["token", f"lane{number}", 1])) == 1
        assert client.hlen("lock:{a}:dropped") == 1000
        assert 0 < client.pttl("lock:{a}:dropped") <= 600_000


def test_what_is_released_is_had_by_who_waits(live_lock: Any, live_toolkit: Toolkit) -> None:
    lock_id = live_lock.acquire("a", 60_000)
    waiter = threading.Thread(target=lambda: live_lock.release("a", live_lock.acquire("a", 60_000, wait=None)))
    waiter.start()
    eventually(lambda: live_lock.status("a").waiting == 1)
    assert live_lock.release("a", lock_id) is True
    assert live_lock.release("a", lock_id) is False
    waiter.join(PATIENCE_S)
    assert not waiter.is_alive()


# Nobody holds twice


def test_a_thread_that_would_wait_for_itself_is_told() -> None:
    with Embedded().client() as client:
        lock, other = DistributedLock(client), DistributedLock(client)
        with lock.hold("a"), lock.hold("b"):
            for call in (lambda: lock.acquire("a", wait=None), lambda: other.with_lock("a", print, wait=None)):
                with pytest.raises(AlreadyHeld, match="not reentrant"):
                    call()
            with pytest.raises(LockNotAcquired):
                together(lambda: lock.acquire("a"))
        with lock.hold("a"):
            assert lock.status("a").holders == 1


def test_a_task_that_would_wait_for_itself_is_told() -> None:
    async def run() -> None:
        lock = asynchronous.DistributedLock(alcove.asyncio.open())
        async with lock.hold("a"):
            with pytest.raises(AlreadyHeld):
                await lock.acquire("a", wait=None)
            other = asyncio.create_task(lock.acquire("a", wait=PATIENCE_S))
            while (await lock.status("a")).waiting == 0:
                await asyncio.sleep(0)
        assert await lock.release("a", await other)

    asyncio.run(run())


# Waiting


def test_who_waits_gets_it_in_the_order_of_coming(live_toolkit: Toolkit, live_lock: Any) -> None:
    order: list[int] = []
    lock_id = live_lock.acquire("a", 60_000)

    def wait(number: int) -> None:
        mine = live_lock.acquire("a", 60_000, wait=None)
        order.append(number)
        live_lock.release("a", mine)

    threads = []
    for number in range(6):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        eventually(lambda number=number: live_lock.status("a").waiting == number + 1)
    # Nobody comes before them.
    with pytest.raises(LockNotAcquired):
        live_lock.acquire("a")
    live_lock.release("a", lock_id)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == list(range(6))
    assert (live_lock.status("a").holders, live_lock.status("a").waiting) == (0, 0)


def test_who_waits_is_woken_and_does_not_ask_again_and_again(live_toolkit: Toolkit) -> None:
    # Without a wake-up he would ask again after half a minute.
    lock = live_toolkit.make("DistributedLock", client_options={"socket_timeout": None}, waiter_lease=3600)
    lock_id = lock.acquire("a", 3_600_000)
    waiter = threading.Thread(target=lambda: lock.acquire("a", wait=None))
    waiter.start()
    eventually(lambda: lock.status("a").waiting == 1)
    lease = live_toolkit.client.zscore("lock:{a}:leases", live_toolkit.client.zrange("lock:{a}:queue", 0, 0)[0])
    time.sleep(0.2)
    assert live_toolkit.client.zrange("lock:{a}:leases", 0, 0, withscores=True)[0][1] == lease
    lock.release("a", lock_id)
    waiter.join(PATIENCE_S)
    assert not waiter.is_alive()


def test_who_waits_for_long_keeps_his_place(live_toolkit: Toolkit) -> None:
    lock = live_toolkit.make("DistributedLock", waiter_lease=0.5)
    lock_id = lock.acquire("a", 60_000)
    waiter = threading.Thread(target=lambda: lock.acquire("a", wait=None))
    waiter.start()
    eventually(lambda: lock.status("a").waiting == 1)
    begun = live_toolkit.client.zrange("lock:{a}:leases", 0, 0, withscores=True)
    eventually(lambda: live_toolkit.client.zrange("lock:{a}:leases", 0, 0, withscores=True)[0][1] > begun[0][1])
    assert live_toolkit.client.zrange("lock:{a}:queue", 0, 0) == [begun[0][0]]
    lock.release("a", lock_id)
    waiter.join(PATIENCE_S)
    assert not waiter.is_alive()


def test_who_gives_up_makes_room(live_toolkit: Toolkit, live_lock: Any) -> None:
    lock_id = live_lock.acquire("a", 60_000)
    got: list[str] = []

    def give_up() -> None:
        with pytest.raises(LockNotAcquired):
            live_lock.acquire("a", wait=0.15)

    first = threading.Thread(target=give_up)
    first.start()
    eventually(lambda: live_lock.status("a").waiting == 1)
    second = threading.Thread(target=lambda: got.append(live_lock.acquire("a", wait=None)))
    second.start()
    eventually(lambda: live_lock.status("a").waiting == 2)
    first.join(PATIENCE_S)
    assert live_lock.status("a").waiting == 1
    live_lock.release("a", lock_id)
    second.join(PATIENCE_S)
    assert len(got) == 1


def test_who_died_waiting_holds_nobody_up(live_toolkit: Toolkit, live_lock: Any) -> None:
    lock_id = live_lock.acquire("a", 60_000)
    for number in range(3):
        assert ask_as(live_toolkit, f"ldead{number}", "a", 60_000, 200)[0] == 0
    got: list[str] = []
    waiter = threading.Thread(target=lambda: got.append(live_lock.acquire("a", wait=None)))
    waiter.start()
    eventually(lambda: live_lock.status("a").waiting == 4)
    live_lock.release("a", lock_id)
    waiter.join(PATIENCE_S)
    assert len(got) == 1
    assert live_lock.status("a").waiting == 0


def test_a_holder_who_died_holds_nobody_up_for_longer_than_his_lease(live_toolkit: Toolkit, live_lock: Any) -> None:
    dead = ask_as(live_toolkit, "ldead", "a", 200, 0)
    lock_id = live_lock.acquire("a", wait=None)
    assert fence_of(lock_id) > int(dead[1])


def test_a_wake_up_that_is_lost_does_no_harm(live_toolkit: Toolkit, live_lock: Any) -> None:
    live_lock.acquire("a", 60_000)
    got: list[str] = []
    waiter = threading.Thread(target=lambda: got.append(live_lock.acquire("a", wait=None)))
    waiter.start()
    eventually(lambda: live_lock.status("a").waiting == 1)
    # Nobody says so.
    live_toolkit.client.delete("lock:{a}")
    waiter.join(PATIENCE_S)
    assert len(got) == 1


def test_thousands_of_dead_waiters_are_removed(toolkit: Toolkit, lock: Any) -> None:
    lock_id = lock.acquire("a", 1_000_000)
    many = {f"ldead{number}": number for number in range(3500)}
    toolkit.client.zadd("lock:{a}:queue", many)
    toolkit.client.zadd("lock:{a}:leases", dict.fromkeys(many, 1))
    lock.release("a", lock_id)
    for _ in range(3):
        with pytest.raises(LockNotAcquired):
            lock.acquire("a")
    assert lock.acquire("a")


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    async def run() -> None:
        lock = asynchronous.DistributedLock(alcove.asyncio.open())
        lock_id = await lock.acquire("a")
        waiting = [asyncio.create_task(lock.acquire("a", wait=None)) for _ in range(2)]
        while (await lock.status("a")).waiting < 2:
            await asyncio.sleep(0)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        assert (await lock.status("a")).waiting == 1
        await lock.release("a", lock_id)
        assert await lock.release("a", await waiting[1])

    asyncio.run(run())


# Many at a time


def test_a_counter_under_the_lock_is_exact(live_toolkit: Toolkit, live_lock: Any) -> None:
    client = live_toolkit.client
    client.set("counter", 0)
    fences: list[int] = []

    def count() -> None:
        for _ in range(8):
            with live_lock.hold("counter", wait=None) as held:
                fences.append(held.fence)
                seen = int(client.get("counter"))
                time.sleep(0.0005)
                client.set("counter", seen + 1)

    together(*[count] * 8)
    assert int(client.get("counter")) == 64
    assert fences == sorted(set(fences))


def test_tasks_count_exactly() -> None:
    async def run() -> int:
        client = alcove.asyncio.open()
        lock = asynchronous.DistributedLock(client)
        await client.set("counter", 0)

        async def count() -> None:
            for _ in range(4):
                async with lock.hold("counter", wait=None):
                    seen = int(await client.get("counter"))
                    await asyncio.sleep(0)
                    await client.set("counter", seen + 1)

        await asyncio.gather(*(count() for _ in range(40)))
        return int(await client.get("counter"))

    assert asyncio.run(run()) == 160


# Bad input


@pytest.mark.parametrize("timeout", [0, -1, 0.5, None, "10", True, float("nan"), float("inf"), LONGEST_MS + 1])
def test_there_is_no_lock_without_an_end(toolkit: Toolkit, lock: Any, timeout: Any) -> None:
    for call in (
        lambda: lock.acquire("a", timeout),
        lambda: lock.with_lock("a", print, timeout),
        lambda: lock.hold("a", timeout).__enter__(),
        lambda: lock.extend("a", "5-l", timeout),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []


def test_arguments_that_make_no_sense(toolkit: Toolkit, lock: Any) -> None:
    for wrong in ({"waiter_lease": 0}, {"waiter_lease": float("nan")}, {"fence_ttl": 0}, {"namespace": "a b"}):
        with pytest.raises(InvalidArgument):
            toolkit.make("DistributedLock", **wrong)
    for call in (
        lambda: lock.acquire(""),
        lambda: lock.acquire("a", wait=-1),
        lambda: lock.acquire("a", wait=float("nan")),
        lambda: lock.acquire("a", wait="5"),
        lambda: lock.with_lock("a", print, on_loss="end"),
        lambda: lock.release("a", None),
        lambda: fence_of("5"),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []


def test_resources_may_be_anything(toolkit: Toolkit, lock: Any) -> None:
    names = ["a:b", "{a}", "a b", "ü", 5, "%7B"]
    ids = [lock.acquire(name) for name in names]
    assert [lock.release(name, lock_id) for name, lock_id in zip(names, ids, strict=True)] == [True] * len(names)


def test_a_lock_goes_by_its_namespace(toolkit: Toolkit) -> None:
    for name in ("ours", "theirs"):
        toolkit.make("DistributedLock", namespace=name).acquire("a")
        assert toolkit.client.exists(f"{name}:lock:{{a}}")


def test_clients_of_all_kinds_are_understood(live_toolkit: Toolkit) -> None:
    for options in ({"decode_responses": True}, {"protocol": 3}, {"protocol": 2}, {"socket_timeout": 2.0}):
        lock = live_toolkit.make("DistributedLock", client_options=options)
        with lock.hold("a") as held:
            assert lock.status("a").fence == held.fence
            with pytest.raises(LockNotAcquired):
                together(lambda lock=lock: lock.acquire("a", wait=0.05))
        assert lock.status("a").holders == 0


def test_errors_travel_between_processes() -> None:
    for error in (LockNotAcquired("a", 2.5), AlreadyHeld("a"), LockLost("a", 17), StaleFence(17, 18)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_claims_differ() -> None:
    assert len({new_claim("lock").token for _ in range(1000)}) == 1000
