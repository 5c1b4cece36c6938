"""Semaphores, and locks of readers and writers: how many hold at a time, in which order, and what comes back."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from alcove.patterns import AlreadyHeld, InvalidArgument, LockLost, LockNotAcquired, ReadWriteLock, fence_of
from alcove.patterns.core.locks import MANY, MOST_PERMITS
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded
from tests.patterns.test_locks import Forgetful, together
from tests.waiting import PATIENCE_S, eventually


@pytest.fixture
def rwlock(toolkit: Toolkit) -> Any:
    return toolkit.make("ReadWriteLock")


@pytest.fixture
def live_rwlock(live_toolkit: Toolkit) -> Any:
    return live_toolkit.make("ReadWriteLock", waiter_lease=0.5)


def semaphore(toolkit: Toolkit, limit: int) -> Any:
    return toolkit.make("DistributedSemaphore", limit=limit, waiter_lease=0.5)


class Crowd:
    """Counts how many are in at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def enter(self, count: int = 1) -> None:
        with self._lock:
            self.inside += count
            self.most = max(self.most, self.inside)

    def leave(self, count: int = 1) -> None:
        with self._lock:
            self.inside -= count


def test_the_id_of_one_kind_is_nobodys_with_another(toolkit: Toolkit, rwlock: Any) -> None:
    lock, two = toolkit.make("DistributedLock"), semaphore(toolkit, 2)
    ids = {lock: lock.acquire("a"), two: two.acquire("a"), rwlock: rwlock.acquire_read("a")}
    for one in ids:
        for other, lock_id in ids.items():
            if one is not other:
                assert one.release("a", lock_id) is False
                assert one.extend("a", lock_id) is False
    assert [one.release("a", lock_id) for one, lock_id in ids.items()] == [True] * 3


# Semaphores


def test_permits_are_as_many_as_there_are(toolkit: Toolkit) -> None:
    three = semaphore(toolkit, 3)
    ids = [three.acquire("a"), three.acquire("a", permits=2)]
    assert three.status("a").holders == 3
    with pytest.raises(LockNotAcquired):
        three.acquire("a")
    assert three.release("a", ids[1]) is True
    assert three.release("a", ids[1]) is False
    assert three.status("a").holders == 1
    ids.append(three.acquire("a", permits=2))
    assert fence_of(ids[0]) < fence_of(ids[1]) < fence_of(ids[2])
    assert three.acquire("b", permits=3)


def test_permits_come_back_when_their_leases_end(toolkit: Toolkit) -> None:
    three = semaphore(toolkit, 3)
    lost = three.acquire("a", 3 * toolkit.unit * 1000, permits=2)
    kept = three.acquire("a", 100 * toolkit.unit * 1000)
    toolkit.pass_time(2)
    with pytest.raises(LockNotAcquired):
        three.acquire("a")
    toolkit.pass_time(1.1)
    assert three.status("a").holders == 1
    assert three.extend("a", lost) is False
    three.acquire("a", permits=2)
    assert three.release("a", lost) is False
    assert three.status("a").holders == 3
    assert three.extend("a", kept, 200 * toolkit.unit * 1000) is True
    assert three.status("a").expires_in > 100 * toolkit.unit


@pytest.mark.parametrize("seed", range(3))
def test_a_model_agrees(toolkit: Toolkit, seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.randint(2, 6)
    pool = semaphore(toolkit, limit)
    held: dict[str, tuple[int, float]] = {}
    now = 0.0
    for _ in range(40 if toolkit.unit == 1.0 else 15):
        held = {lock_id: entry for lock_id, entry in held.items() if entry[1] > now}
        free = limit - sum(permits for permits, _ in held.values())
        act = chance.random()
        if act < 0.6:
            permits, units = chance.randint(1, limit), chance.choice([2.5, 6.5])
            if permits <= free:
                held[pool.acquire("a", units * toolkit.unit * 1000, permits=permits)] = permits, now + units
            else:
                with pytest.raises(LockNotAcquired):
                    pool.acquire("a", permits=permits)
        elif act < 0.8 and held:
            lock_id = chance.choice(list(held))
            assert pool.release("a", lock_id) is True
            del held[lock_id]
        elif toolkit.unit == 1.0:
            toolkit.pass_time(1)
            now += 1
    assert pool.status("a").holders == sum(permits for permits, ends in held.values() if ends > now)


def test_a_semaphore_may_be_held_twice(toolkit: Toolkit) -> None:
    two = semaphore(toolkit, 2)
    with two.hold("a"), two.hold("a") as held:
        assert two.status("a").holders == 2
        held.check()
    assert two.status("a").holders == 0


def test_never_more_than_the_limit_and_all_get_in(live_toolkit: Toolkit) -> None:
    three, crowd = semaphore(live_toolkit, 3), Crowd()

    def visit(permits: int) -> None:
        for _ in range(4):
            with three.hold("a", permits=permits, wait=None):
                crowd.enter(permits)
                time.sleep(0.002)
                crowd.leave(permits)

    together(*[lambda permits=1 + number % 3: visit(permits) for number in range(9)])
    assert 1 < crowd.most <= 3
    assert three.status("a").holders == three.status("a").waiting == 0


def test_who_wants_much_is_not_passed_by_those_who_want_little(live_toolkit: Toolkit) -> None:
    three = semaphore(live_toolkit, 3)
    small = three.acquire("a", 60_000)
    order: list[str] = []

    def take(name: str, permits: int) -> None:
        lock_id = three.acquire("a", 60_000, permits=permits, wait=None)
        order.append(name)
        three.release("a", lock_id)

    large = threading.Thread(target=take, args=("large", 3))
    large.start()
    eventually(lambda: three.status("a").waiting == 1)
    little = threading.Thread(target=take, args=("little", 1))
    little.start()
    eventually(lambda: three.status("a").waiting == 2)
    # There would be room for a little one, but it is not its turn.
    with pytest.raises(LockNotAcquired):
        three.acquire("a")
    assert not order
    three.release("a", small)
    large.join(PATIENCE_S)
    little.join(PATIENCE_S)
    assert order == ["large", "little"]


def test_a_permit_that_is_lost_is_told(live_toolkit: Toolkit) -> None:
    two = semaphore(live_toolkit, 2)
    told: list[Any] = []

    def work() -> None:
        with two.hold("a", 90, permits=2, on_loss=told.append):
            live_toolkit.client.delete("semaphore:{a}")
            eventually(lambda: told)

    with pytest.raises(LockLost):
        work()


def test_many_permits_are_held_for_long(live_toolkit: Toolkit) -> None:
    pool = semaphore(live_toolkit, MOST_PERMITS)
    with pool.hold("a", 1500, permits=MOST_PERMITS) as held:
        time.sleep(2)
        held.check()
        assert pool.status("a").holders == MOST_PERMITS
    assert pool.status("a").holders == 0


def test_permits_that_make_no_sense(toolkit: Toolkit) -> None:
    for limit in (0, -1, 1.5, True, None):
        with pytest.raises(InvalidArgument):
            toolkit.make("DistributedSemaphore", limit=limit)
    two = semaphore(toolkit, 2)
    for permits in (0, -1, 3, 1.0, True):
        with pytest.raises(InvalidArgument):
            two.acquire("a", permits=permits)
        with pytest.raises(InvalidArgument):
            two.hold("a", permits=permits)
    assert two.release("a", "5-p3.") is False
    assert list(toolkit.client.scan_iter()) == []


# Readers and writers


def test_readers_read_together_and_a_writer_is_alone(rwlock: Any) -> None:
    readers = [rwlock.acquire_read("a") for _ in range(3)]
    assert rwlock.status("a").holders == 3
    with pytest.raises(LockNotAcquired):
        rwlock.acquire_write("a")
    for reader in readers:
        assert rwlock.release("a", reader) is True
    writer = rwlock.acquire_write("a")
    for acquire in (rwlock.acquire_read, rwlock.acquire_write):
        with pytest.raises(LockNotAcquired):
            acquire("a")
    assert rwlock.release("a", readers[0]) is False
    assert rwlock.release("a", writer) is True


def test_leases_of_readers_end_each_by_itself(toolkit: Toolkit, rwlock: Any) -> None:
    rwlock.acquire_read("a", toolkit.unit * 1000)
    longer = rwlock.acquire_read("a", 3 * toolkit.unit * 1000)
    toolkit.pass_time(1.1)
    assert rwlock.status("a").holders == 1
    with pytest.raises(LockNotAcquired):
        rwlock.acquire_write("a")
    assert rwlock.extend("a", longer, 4 * toolkit.unit * 1000) is True
    toolkit.pass_time(4.1)
    assert rwlock.acquire_write("a")


def test_writers_get_their_turn(live_toolkit: Toolkit, live_rwlock: Any) -> None:
    reader = live_rwlock.acquire_read("a", 60_000)
    order: list[str] = []

    def take(name: str) -> None:
        acquire = live_rwlock.acquire_write if name == "writer" else live_rwlock.acquire_read
        lock_id = acquire("a", 60_000, wait=None)
        order.append(name)
        if name != "writer":
            eventually(lambda: order.count("reader") == 2)
        live_rwlock.release("a", lock_id)

    threads = []
    for number, name in enumerate(["writer", "reader", "reader", "writer"]):
        threads.append(threading.Thread(target=take, args=(name,)))
        threads[-1].start()
        eventually(lambda number=number: live_rwlock.status("a").waiting == number + 1)
    # A reader is there, and yet no other is let in before the writer.
    with pytest.raises(LockNotAcquired):
        live_rwlock.acquire_read("a")
    live_rwlock.release("a", reader)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["writer", "reader", "reader", "writer"]
    assert live_rwlock.status("a").holders == live_rwlock.status("a").waiting == 0


def test_readers_see_whole_writes(live_toolkit: Toolkit, live_rwlock: Any) -> None:
    client, crowd = live_toolkit.client, Crowd()
    client.mset({"{pair}1": 0, "{pair}2": 0})

    def write() -> None:
        for _ in range(5):
            with live_rwlock.write("pair", wait=None):
                value = int(client.get("{pair}1")) + 1
                client.set("{pair}1", value)
                client.set("{pair}2", value)

    def read() -> None:
        for _ in range(5):
            with live_rwlock.read("pair", wait=None):
                crowd.enter()
                first = client.get("{pair}1")
                time.sleep(0.001)
                assert client.get("{pair}2") == first
                crowd.leave()

    together(write, read, read, write, read, read)
    assert int(client.get("{pair}1")) == 10


def test_who_reads_cannot_come_to_write() -> None:
    with Embedded().client() as client:
        lock = ReadWriteLock(client)
        with lock.read("a"):
            for call in (lock.acquire_read, lock.acquire_write):
                with pytest.raises(AlreadyHeld):
                    call("a", wait=None)
        with lock.write("a"), pytest.raises(AlreadyHeld):
            lock.acquire_read("a", wait=None)


def test_calls_that_are_sent_twice_count_once() -> None:
    with Embedded().client() as client:
        for script in (MANY.acquire, MANY.release):
            client.script_load(script.text)
        lock = ReadWriteLock(Forgetful(client))  # type: ignore[arg-type]
        with lock.read("a") as held:
            assert lock.status("a").holders == 1
            assert lock.status("a").fence == held.fence
        with lock.write("a"):
            assert lock.status("a").holders == 1
        assert lock.status("a").holders == 0


def test_a_reader_who_gives_up_lets_the_next_one_in(live_toolkit: Toolkit, live_rwlock: Any) -> None:
    reader = live_rwlock.acquire_read("a", 60_000)
    got: list[str] = []

    def give_up() -> None:
        with pytest.raises(LockNotAcquired):
            live_rwlock.acquire_write("a", wait=0.15)

    writer = threading.Thread(target=give_up)
    writer.start()
    eventually(lambda: live_rwlock.status("a").waiting == 1)
    second = threading.Thread(target=lambda: got.append(live_rwlock.acquire_read("a", wait=None)))
    second.start()
    eventually(lambda: live_rwlock.status("a").waiting == 2)
    writer.join(PATIENCE_S)
    second.join(PATIENCE_S)
    assert len(got) == 1
    assert live_rwlock.release("a", reader) is True


# All of them, by chance


@pytest.mark.parametrize("name", ["DistributedLock", "DistributedSemaphore", "ReadWriteLock"])
def test_whoever_waits_or_gives_up_never_too_many_are_in(live_toolkit: Toolkit, name: str) -> None:
    limit = {"limit": 4} if name == "DistributedSemaphore" else {}
    lock, crowd = live_toolkit.make(name, waiter_lease=0.5, **limit), Crowd()
    most = {"DistributedLock": 1, "DistributedSemaphore": 4, "ReadWriteLock": 100}[name]

    def chosen(chance: random.Random) -> tuple[Any, dict[str, int], int]:
        """What to hold, how, and how much of the room that takes."""
        if name == "ReadWriteLock":
            return (lock.write, {}, most) if chance.random() < 0.3 else (lock.read, {}, 1)
        permits = chance.randint(1, most)
        return lock.hold, {"permits": permits} if limit else {}, permits

    def visit(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            hold, options, room = chosen(chance)
            with suppress(LockNotAcquired), hold("a", wait=chance.choice([0, 0.001, 0.02, None]), **options):
                crowd.enter(room)
                time.sleep(chance.random() * 0.002)
                crowd.leave(room)

    together(*[lambda seed=seed: visit(seed) for seed in range(8)])
    assert 1 <= crowd.most <= most
    assert lock.status("a").holders == lock.status("a").waiting == 0
