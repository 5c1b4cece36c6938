"""A disk that is slower than those who write: a snapshot's bytes do not pile up in memory, writers wait instead."""

from __future__ import annotations

import random

import pytest

from alcove.errors import CommandError
from alcove.persistence import background, saving
from tests.persistence.disk import SimulatedDisk
from tests.persistence.process import DATA, BusyClock, Hand, Process, by_hand

__all__ = ["by_hand"]

SIZE = 10_000
KEYS = 400
# In place of megabytes.
MOST_QUEUED = 10 * SIZE
MOST_HELD = 30 * SIZE


@pytest.fixture
def process(by_hand: None, monkeypatch: pytest.MonkeyPatch) -> Process:
    """A snapshot has begun, of keys that cannot be compressed, and nothing of it is written yet."""
    for module in (background, saving):
        monkeypatch.setattr(module, "MOST_QUEUED", MOST_QUEUED)
    monkeypatch.setattr(background, "MOST_HELD", MOST_HELD)
    process = Process(SimulatedDisk(DATA), BusyClock(), appendonly="no")
    chance = random.Random(0)
    for number in range(KEYS):
        process.run(b"SET", b"%d" % number, chance.randbytes(SIZE))
    process.run(b"BGSAVE")
    return process


def queued() -> int:
    """How many bytes wait for the disk."""
    return sum(len(argument) for _, _, arguments in Hand.line for argument in arguments if isinstance(argument, bytes))


def finish(process: Process) -> None:
    """The disk catches up, and the snapshot ends."""
    while process.durability.saving.running:
        Hand.work()
        process.tick()


def check(process: Process) -> None:
    """The snapshot is whole: it holds what there was."""
    finish(process)
    assert not process.durability.saving.failed
    process.run(b"FLUSHALL")
    with process.engine.lock:
        process.durability.load_now()
    values = [process.run(b"GET", b"%d" % number) for number in range(KEYS)]
    chance = random.Random(0)
    assert values == [chance.randbytes(SIZE) for _ in range(KEYS)]


def test_clients_of_a_server_are_put_off(process: Process) -> None:
    replies: list[object] = []
    client = process.engine.connect("tcp")
    client.deliver = replies.append
    number = 0
    while not client.blocked:
        process.tick()
        process.engine.execute(client, [b"SET", b"%d" % number, b"new"])
        number += 1
        assert number < KEYS
    assert queued() < MOST_HELD
    # What the snapshot has may change, and what it does not have to have; all may be read.
    other = process.engine.connect("tcp")
    assert process.engine.execute(other, [b"APPEND", b"0", b"er"]) == len(b"newer")
    assert process.engine.execute(other, [b"APPEND", b"unheard of", b"new"]) == len(b"new")
    assert process.engine.execute(other, [b"STRLEN", b"%d" % (KEYS // 2)]) == SIZE
    while client.blocked:
        Hand.work(1)
        process.tick()
    assert len(replies) == 1
    assert not isinstance(replies[0], CommandError)
    assert process.run(b"GET", b"%d" % (number - 1)) == b"new"
    check(process)


def test_in_the_process_who_writes_waits_for_the_disk(process: Process) -> None:
    most = 0
    for number in range(KEYS):
        process.run(b"SET", b"%d" % number, b"new")
        most = max(most, queued())
    assert MOST_QUEUED < most < MOST_HELD + 10 * SIZE
    check(process)


def test_what_waits_for_a_big_container_is_bounded(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed keys follow behind the container that is being saved, unless they become too many."""
    finish(process)
    process.run(b"SADD", b"big", *(b"%d member" % number for number in range(20_000)))
    monkeypatch.setattr("alcove.engine.snapshot.MOST_ASIDE", MOST_QUEUED)
    process.run(b"BGSAVE")
    snapshot = process.durability.saving.snapshot
    assert snapshot is not None
    process.tick()
    assert snapshot.stepped == 0
    for number in range(KEYS):
        process.run(b"SET", b"%d" % number, b"new")
    assert snapshot.stepped == 1
    check(process)
    assert process.run(b"SCARD", b"big") == 20_000


def test_nobody_waits_for_the_end_of_a_cancelled_snapshot(process: Process) -> None:
    """What was to be written is not, and a file that was begun goes."""
    Hand.work(1)
    while not queued():
        process.tick()
    files = process.disk.names(DATA)
    assert any(name.startswith("temp-rdb") for name in files)
    left = queued()
    process.run(b"BGSAVE", b"CANCEL")
    assert queued() == left
    assert process.disk.names(DATA) == files
    Hand.work()
    assert not any(name.startswith("temp-rdb") for name in process.disk.names(DATA))
    process.run(b"BGSAVE")
    check(process)
