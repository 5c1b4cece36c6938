"""The journal by itself: what it writes when, what it takes back, who waits for whom."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import alcove
import alcove.asyncio
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.persistence.disk import File
from alcove.persistence.durability import Durability
from alcove.persistence.journal import Journal
from tests.persistence.disk import SimulatedDisk
from tests.waiting import PATIENCE_S

PATH = "/data/first"
NEXT = "/data/second"
# How long something is watched that is not to happen.
WATCH_S = 0.1
SET = [(0, [b"SET", b"key", b"value"])]
SELECT = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
WRITTEN = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"


class Bench:
    """A journal on a disk of its own."""

    def __init__(self, always: bool = False) -> None:
        self.disk = SimulatedDisk("/data")
        self.journal = Journal(self.disk.create(PATH), always)

    @property
    def content(self) -> bytes:
        return self.disk.files()[PATH]

    @property
    def following(self) -> bytes:
        return self.disk.files()[NEXT]

    def fail(self, *names: str) -> None:
        """Operations of these names fail; none if none is named."""

        def fault(place: int, name: str, path: str) -> OSError | None:
            return OSError(errno.EIO, os.strerror(errno.EIO)) if name in names else None

        self.disk.fault = fault


def test_effects_are_appended_at_the_end_of_a_turn() -> None:
    bench = Bench()
    journal = bench.journal
    assert not journal.pending
    journal.commit(SET)
    assert journal.pending
    assert (bench.content, journal.appended, journal.position) == (b"", 0, len(SELECT + WRITTEN))
    assert journal.flush() is None
    assert not journal.pending
    assert bench.content == SELECT + WRITTEN
    assert (journal.appended, journal.synced) == (journal.position, 0)
    journal.sync()
    assert journal.synced == journal.appended


def test_the_time_is_noted_once_a_second() -> None:
    bench = Bench()
    times = iter([5, 5, 6])
    bench.journal.now_s = lambda: next(times)
    for _ in range(3):
        bench.journal.commit(SET)
    bench.journal.flush()
    assert bench.content == b"#TS:5\r\n" + SELECT + WRITTEN * 2 + b"#TS:6\r\n" + WRITTEN


def test_a_short_write_is_taken_back_and_tried_again() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    journal.flush()
    good = bench.content
    journal.commit(SET)
    bench.fail("write")
    error = journal.flush()
    assert error is not None
    assert error.text == "MISCONF Errors writing to the AOF file: Input/output error"
    assert bench.content == good
    # Cutting fails too: there is half a command until the disk does better.
    bench.fail("write", "truncate")
    assert journal.flush() is not None
    assert len(bench.content) > len(good)
    assert journal.flush() is not None
    bench.fail("write")
    assert journal.flush() is not None
    assert bench.content == good
    bench.fail()
    journal.commit(SET)
    assert journal.flush() is None
    assert journal.trouble is None
    assert bench.content == good + WRITTEN * 2


def test_much_is_written_in_pieces_and_ends_where_it_failed() -> None:
    bench = Bench()
    journal = bench.journal
    value = b"x" * 2_500_000
    journal.commit([(0, [b"SET", b"key", value])])
    writes = iter([None, OSError(errno.ENOSPC, "full")])
    bench.disk.fault = lambda place, name, path: next(writes, None) if name == "write" else None
    assert journal.flush() is not None
    assert journal.appended == len(bench.content) == 1 << 20
    assert journal.flush() is None
    assert bench.content.endswith(value + b"\r\n")
    assert journal.appended == journal.position == len(bench.content)


def test_an_increment_gets_nothing_before_the_one_in_front_is_on_the_disk() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    position = journal.switch(bench.disk.create(NEXT))
    assert position == len(SELECT + WRITTEN)
    assert journal.held
    journal.commit(SET)
    assert journal.flush() is None
    assert bench.following == b""
    assert journal.position > journal.appended
    assert journal.settle(journal.appended) is None
    assert not journal.held
    assert journal.flush() is None
    # It begins with everything that whoever reads it must know.
    assert bench.following == SELECT + WRITTEN
    assert bench.content == SELECT + WRITTEN


def test_a_synced_one_is_followed_at_once() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    journal.flush()
    journal.sync()
    journal.switch(bench.disk.create(NEXT))
    assert not journal.held
    journal.commit(SET)
    journal.flush()
    assert bench.following == SELECT + WRITTEN


def test_a_torn_increment_is_not_followed() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    bench.fail("write", "truncate")
    with pytest.raises(OSError, match="Input/output error"):
        journal.switch(bench.disk.create(NEXT))
    assert journal.path == PATH
    bench.fail()
    assert journal.flush() is None
    assert bench.content == SELECT + WRITTEN
    assert bench.following == b""


def test_after_a_failed_sync_nothing_counts_until_there_is_a_new_base() -> None:
    bench = Bench(always=True)
    journal = bench.journal
    journal.commit(SET)
    journal.flush()
    bench.fail("sync")
    error = journal.settle(journal.appended)
    assert error is not None
    assert error.text == "MISCONF Errors writing to the AOF file: Input/output error"
    bench.fail()
    journal.sync()
    assert journal.synced == 0
    journal.commit(SET)
    assert journal.flush() is not None
    assert journal.settle(journal.appended) is not None
    position = journal.switch(bench.disk.create(NEXT))
    # What follows stays in memory: the file in front of it may be torn.
    journal.commit(SET)
    assert journal.flush() is not None
    assert journal.settle(journal.position) is not None
    assert bench.following == b""
    journal.renewed(position)
    assert journal.flush() is None
    assert bench.following == SELECT + WRITTEN
    assert journal.settle(journal.position) is None
    assert journal.synced == journal.position


def test_what_a_second_attempt_has_in_its_base_is_not_repeated() -> None:
    """A rewrite failed after the journal had gone on; the next one keeps the empty increment."""
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    journal.flush()
    bench.fail("sync")
    journal.sync()
    bench.fail()
    journal.switch(bench.disk.create(NEXT))
    journal.commit([(0, [b"INCR", b"in the base"])])
    journal.flush()
    position = journal.switch(None)
    journal.commit(SET)
    journal.flush()
    journal.renewed(position)
    assert journal.flush() is None
    assert bench.following == SELECT + WRITTEN
    journal.sync()
    assert journal.synced == journal.position == journal.appended


def test_a_failure_of_the_new_increment_is_not_made_up_for() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    journal.flush()
    journal.sync()
    position = journal.switch(bench.disk.create(NEXT))
    journal.commit(SET)
    journal.flush()
    bench.fail("sync")
    journal.sync()
    bench.fail()
    journal.renewed(position)
    assert journal.trouble is not None
    assert journal.settle(journal.position) is not None


def test_closing_keeps_what_was_held() -> None:
    bench = Bench()
    journal = bench.journal
    journal.commit(SET)
    journal.switch(bench.disk.create(NEXT))
    journal.commit(SET)
    journal.close()
    left = bench.disk.after_power_cut(1)
    assert left.files() == {} or set(left.files().values()) == {SELECT + WRITTEN}
    assert bench.content == bench.following == SELECT + WRITTEN
    Bench().journal.close()


# Threads


class SlowDisk(SimulatedDisk):
    """Syncs of increments wait for whoever holds them up."""

    def __init__(self) -> None:
        super().__init__("/data")
        self.free = threading.Event()
        self.free.set()
        self.reached = threading.Event()
        self.syncs = 0

    def create(self, path: str) -> File:
        file = super().create(path)
        sync = file.sync

        def wait() -> None:
            if path.endswith("incr.aof") or path == PATH:
                self.syncs += 1
                self.reached.set()
                assert self.free.wait(PATIENCE_S)
            sync()

        file.sync = wait  # type: ignore[method-assign]
        return file

    def hold(self) -> None:
        self.reached.clear()
        self.free.clear()


def test_one_syncs_for_all_who_wait() -> None:
    disk = SlowDisk()
    journal = Journal(disk.create(PATH), True)
    lock = threading.Lock()
    errors: list[object] = []

    def write() -> None:
        with lock:
            journal.commit(SET)
            journal.flush()
            position = journal.appended
        errors.append(journal.settle(position))
        errors.append(None if journal.synced >= position else "not synced")

    disk.hold()
    first = threading.Thread(target=write)
    first.start()
    assert disk.reached.wait(PATIENCE_S)
    others = [threading.Thread(target=write) for _ in range(20)]
    for thread in others:
        thread.start()
    while journal.appended < 20 * len(WRITTEN):
        lock.acquire()
        lock.release()
    disk.free.set()
    for thread in (first, *others):
        thread.join(PATIENCE_S)
    assert errors == [None] * 42
    assert disk.syncs <= 3
    assert journal.synced == journal.appended


@pytest.fixture
def kept() -> Iterator[tuple[alcove.Redis, SlowDisk]]:
    """A client of an engine that answers when the disk has it, and the disk."""
    disk = SlowDisk()
    settings = Config()
    settings.put(Settings.save, ())
    settings.put(Settings.appendonly, True)
    settings.put(Settings.dir, "/data")
    load_options(settings, {"appendfsync": "always"})
    engine = Engine(settings)
    durability = Durability(engine, disk)
    with engine.lock:
        durability.load_now()
    client = alcove.open(engine=engine, decode_responses=True)
    yield client, disk
    disk.free.set()
    engine.close()


class Doer(threading.Thread):
    """Does one thing, and keeps what came of it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        super().__init__(daemon=True)
        self._call = function, arguments
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        function, arguments = self._call
        try:
            self.outcome = function(*arguments)
        except redis.RedisError as error:
            self.outcome = error

    def waits(self) -> bool:
        """Whether it is not done, although it had the time."""
        self.join(WATCH_S)
        return self.is_alive()

    def result(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self.outcome


def fail_syncs(disk: SlowDisk) -> None:
    disk.fault = lambda place, name, path: OSError(errno.EIO, "broken") if name == "sync" else None


def test_who_reads_waits_for_who_writes(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    disk.hold()
    writer = Doer(client.set, "key", "value")
    assert disk.reached.wait(PATIENCE_S)
    reader = Doer(client.get, "key")
    assert reader.waits()
    assert writer.waits()
    disk.free.set()
    assert reader.result() == "value"
    assert writer.result() is True


def test_who_has_read_what_is_lost_is_told(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    disk.hold()
    writer = Doer(client.set, "key", "value")
    assert disk.reached.wait(PATIENCE_S)
    reader = Doer(client.get, "key")
    assert reader.waits()
    fail_syncs(disk)
    disk.free.set()
    for doer in (reader, writer):
        assert "MISCONF" in str(doer.result())
    # From now on it is known; what there is can be read.
    assert client.get("key") == "value"
    assert asyncio.run(read_asynchronously(client.engine)) == "value"


async def read_asynchronously(engine: Engine) -> Any:
    return await alcove.asyncio.open(engine=engine, decode_responses=True).get("key")


def test_a_message_is_not_read_before_what_it_tells_of_is_safe(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    assert listener.get_message(timeout=PATIENCE_S) is None

    def publish() -> list[Any]:
        return client.pipeline().set("key", "value").publish("news", "it is there").execute()

    disk.hold()
    writer = Doer(publish)
    assert disk.reached.wait(PATIENCE_S)
    reader = Doer(listener.get_message, True, PATIENCE_S)
    assert reader.waits()
    disk.free.set()
    assert reader.result()["data"] == "it is there"
    assert writer.result() == [True, 1]


def test_what_another_thread_hands_over_is_safe_first(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    taker = Doer(client.blpop, "queue", PATIENCE_S)
    while not client.info("clients")["blocked_clients"]:
        assert taker.waits()
    disk.hold()
    giver = Doer(client.rpush, "queue", "element")
    assert disk.reached.wait(PATIENCE_S)
    assert taker.waits()
    disk.free.set()
    assert taker.result() == ("queue", "element")
    assert giver.result() == 1


def test_what_another_thread_hands_over_and_loses_is_not_taken(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    taker = Doer(client.blpop, "queue", PATIENCE_S)
    while not client.info("clients")["blocked_clients"]:
        assert taker.waits()
    disk.hold()
    giver = Doer(client.rpush, "queue", "element")
    assert disk.reached.wait(PATIENCE_S)
    fail_syncs(disk)
    disk.free.set()
    assert "MISCONF" in str(taker.result())
    assert "MISCONF" in str(giver.result())


def test_a_server_sends_what_another_thread_hands_over_when_it_is_safe(kept: tuple[alcove.Redis, SlowDisk]) -> None:
    client, disk = kept
    with alcove.serve(engine=client.engine) as server, redis.Redis(port=server.port, decode_responses=True) as remote:
        taker = Doer(remote.blpop, "queue", PATIENCE_S)
        while not client.info("clients")["blocked_clients"]:
            assert taker.waits()
        disk.hold()
        giver = Doer(client.rpush, "queue", "element")
        assert disk.reached.wait(PATIENCE_S)
        assert taker.waits()
        disk.free.set()
        assert taker.result() == ("queue", "element")
        assert giver.result() == 1
