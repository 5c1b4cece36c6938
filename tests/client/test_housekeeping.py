"""The housekeeping thread: it comes when it is wanted and only then, ends with its engine, and forks lose it."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import redis

import alcove
from alcove.client.housekeeping import Housekeeper, keep_house
from alcove.engine.engine import Engine
from tests.waiting import PATIENCE_S, eventually


def housekeepers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "alcove-housekeeping"}


class Counted(Engine):
    """An engine that counts its housekeeping."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0
        self.ticked = threading.Condition()

    def tick(self) -> int:
        with self.ticked:
            self.ticks += 1
            self.ticked.notify_all()
        return super().tick()


@pytest.fixture
def client() -> alcove.Redis:
    return alcove.open(engine=Counted())


def test_no_thread_before_there_is_something_to_do(client: alcove.Redis) -> None:
    before = housekeepers()
    client.set("a", 1)
    client.rpush("l", *range(100))
    assert housekeepers() == before
    client.expire("a", 1000)
    eventually(lambda: housekeepers() - before)


def test_no_turn_without_a_reason(client: alcove.Redis) -> None:
    client.set("a", 1, px=20)
    eventually(lambda: client.engine.space.expired)
    client.set("b", 1, ex=1000)
    eventually(lambda: client.engine.space.wake_ms < 2**62)
    turns = client.engine.ticks
    for number in range(100):
        client.set("c", number, ex=2000)
        client.get("c")
    assert client.engine.ticks == turns


def test_keys_expire_though_nobody_looks(client: alcove.Redis) -> None:
    client.set("later", 1, ex=1000)
    client.set("soon", 1, px=20)
    eventually(lambda: client.engine.space.expired == 1)
    assert client.dbsize() == 1


def test_deadlines_that_come_in_other_ways(client: alcove.Redis) -> None:
    for make in (
        lambda: client.set("a", 1, px=10),
        lambda: client.pexpire("a", 10),
        lambda: client.getex("a", px=10),
    ):
        client.set("a", 1)
        expired = client.engine.space.expired
        make()
        eventually(lambda expired=expired: client.engine.space.expired == expired + 1)
    client.set("a", 1, px=10)
    client.rename("a", "b")
    eventually(lambda: client.engine.space.databases[0].table.get(b"b") is None)
    client.hset("h", mapping={"f": 1, "g": 2})
    client.hpexpire("h", 10, "f")
    eventually(lambda: client.hlen("h") == 1)


def test_big_values_are_freed(client: alcove.Redis) -> None:
    client.rpush("l", *(b"x" * 20 for _ in range(20_000)))
    client.sadd("s", *range(5_000))
    client.delete("l", "s")
    eventually(lambda: not client.engine.space.graveyard)


def test_failures_are_logged_and_it_goes_on(
    client: alcove.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("alcove.client.housekeeping._AFTER_FAILURE_US", 0)
    engine = client.engine
    failed = threading.Event()

    class Once(dict[Any, Any]):
        def drain(self, count: int) -> bool:
            if not failed.is_set():
                failed.set()
                raise ZeroDivisionError("made for a test")
            return True

    with caplog.at_level(logging.ERROR):
        engine.enter()
        engine.space.dispose(Once.fromkeys(range(100)))
        engine.leave()
        eventually(lambda: failed.is_set() and not engine.space.graveyard)
    assert "Housekeeping failed in an unexpected way" in caplog.text
    assert engine.unexpected_errors == 1


def test_one_for_each_engine() -> None:
    before = housekeepers()
    engine = Engine()
    for _ in range(3):
        alcove.open(engine=engine).set("a", 1, ex=1000)
        keep_house(engine)
    eventually(lambda: len(housekeepers() - before) == 1)


def test_it_ends_with_its_engine() -> None:
    engine = Engine()
    keeper = Housekeeper(engine)
    keeper.wake()
    eventually(lambda: keeper._thread is not None)
    thread = keeper._thread
    assert thread is not None
    gone = weakref.ref(engine)
    del engine
    gc.collect()
    assert gone() is None
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_it_ends_when_its_engine_is_closed() -> None:
    engine = Engine()
    keeper = Housekeeper(engine)
    keeper.wake()
    eventually(lambda: keeper._thread is not None)
    engine.close()
    keeper.wake()
    assert keeper._thread is not None
    keeper._thread.join(PATIENCE_S)
    assert not keeper._thread.is_alive()


def test_an_engine_that_was_used_before_it_was_opened() -> None:
    engine = Engine()
    session = engine.connect("embedded")
    engine.execute(session, [b"SET", b"a", b"1", b"PX", b"10"])
    client = alcove.open(engine=engine)
    eventually(lambda: client.engine.space.expired == 1)


def test_beside_a_server() -> None:
    """The server does the housekeeping too, while it runs; afterwards it goes on."""
    engine = Engine()
    with alcove.serve(engine=engine) as server, redis.Redis(port=server.port) as remote:
        client = alcove.open(engine=engine)
        remote.set("a", 1, px=10)
        eventually(lambda: engine.space.expired == 1)
        client.set("a", 1, px=10)
        eventually(lambda: engine.space.expired == 2)
        assert remote.blpop("q", 0.01) is None
        assert client.blpop("q", 0.01) is None


def in_child(function: Callable[[], Any]) -> Any:
    """What a function returns or raises in a process forked from this one."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        try:
            theirs.send(("returned", function()))
        except Exception as error:
            theirs.send(("raised", type(error), str(error)))
        os._exit(0)

    process = context.Process(target=run)
    process.start()
    assert ours.poll(PATIENCE_S)
    answer = ours.recv()
    process.join(PATIENCE_S)
    return answer


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks() -> None:
    client = alcove.open()
    client.set("a", 1, ex=1000)
    client.client_id()
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        client.engine.enter()
        held.set()
        release.wait()
        client.engine.leave()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        for call in (lambda: client.get("a"), client.client_id, client.pipeline().get("a").execute):
            kind, error, text = in_child(call)
            assert (kind, error) == ("raised", redis.ConnectionError)
            assert text == "this engine was opened before fork(); open it again in the child"
        assert in_child(client.close) == ("returned", None)
        assert in_child(client.engine.close) == ("returned", None)
        assert in_child(lambda: alcove.open().set("a", 2, ex=1000)) == ("returned", True)
    finally:
        release.set()
        holder.join()
    assert client.get("a") == b"1"
