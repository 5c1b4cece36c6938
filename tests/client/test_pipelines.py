"""Pipelines and transactions, on every way to an engine: what redis-py promises holds in the process as well."""

from __future__ import annotations

import threading

import pytest
import redis
from redis.exceptions import WatchError

import alcove
from alcove.engine.engine import Engine
from tests.client.compare import exact
from tests.client.engines import declare_inside


def test_results_in_order(r: redis.Redis) -> None:
    for transaction in (False, True):
        with r.pipeline(transaction=transaction) as pipe:
            pipe.set("a", 1).incr("a").get("a").zadd("z", {"m": 1})
            assert len(pipe) == 4
            assert pipe.execute()[:3] == [True, 2, b"2"]
            assert len(pipe) == 0
            assert pipe.execute() == []


def test_an_error_is_annotated_and_raised(r: redis.Redis) -> None:
    for transaction in (False, True):
        with r.pipeline(transaction=transaction) as pipe:
            pipe.set("a", "x").incr("a").set("b", 7)
            with pytest.raises(redis.ResponseError) as caught:
                pipe.execute()
        expected = "Command # 2 (INCRBY a 1) of pipeline caused error: value is not an integer or out of range"
        assert caught.value.args == (expected,)
        assert r.get("b") == b"7"
        r.delete("b")


def test_errors_among_the_results(r: redis.Redis) -> None:
    for transaction in (False, True):
        pipe = r.pipeline(transaction=transaction).set("a", "x").incr("a").get("a")
        first, error, last = pipe.execute(raise_on_error=False)
        assert (first, last) == (True, b"x")
        assert exact(error) == ("ResponseError", ("value is not an integer or out of range",))


def test_a_command_that_is_not_queued_spoils_the_transaction(r: redis.Redis) -> None:
    for raise_on_error in (True, False):
        pipe = r.pipeline().set("a", 1)
        pipe.execute_command("SET", "b")
        pipe.set("c", 1)
        expected = r"Command # 2 \(SET b\) of pipeline caused error: wrong number of arguments for 'set' command"
        with pytest.raises(redis.ResponseError, match=expected):
            pipe.execute(raise_on_error)
        assert r.exists("a", "c") == 0


def test_exec_without_a_reason_known_to_the_pipeline(r: redis.Redis) -> None:
    pipe = r.pipeline().get("a")
    pipe.execute_command("NONSENSE", "x")
    with pytest.raises(redis.ResponseError, match="unknown command 'NONSENSE'"):
        pipe.execute()
    with pytest.raises(redis.ResponseError, match="EXEC without MULTI"):
        r.execute_command("EXEC")


def test_responses_that_are_there_already(r: redis.Redis) -> None:
    pipe = r.pipeline().set("a", 1).mget([]).get("a")
    assert pipe.execute() == [True, [], b"1"]


def test_a_transaction_is_one_to_others(r: redis.Redis) -> None:
    """No reader sees one of two counters without the other."""
    r.mset({"a": 0, "b": 0})
    seen = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(r.mget("a", "b"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        r.pipeline().incr("a").incr("b").execute()
    stop.set()
    reader.join()
    assert all(a == b for a, b in seen)
    assert r.mget("a", "b") == [b"100", b"100"]


def test_a_long_pipeline(r: redis.Redis) -> None:
    pipe = r.pipeline(transaction=False)
    for number in range(2500):
        pipe.rpush("l", number)
    assert pipe.execute() == list(range(1, 2501))
    assert r.lrange("l", 0, -1) == [b"%d" % number for number in range(2500)]


def test_watching_and_commanding_at_once(r: redis.Redis) -> None:
    r.set("a", 1)
    with r.pipeline() as pipe:
        pipe.watch("a")
        assert pipe.get("a") == b"1"
        pipe.multi()
        assert pipe.set("a", 2) is pipe
        assert pipe.get("a") is pipe
        assert pipe.execute() == [True, b"2"]
        assert not pipe.watching


def test_a_watched_key_that_changes(r: redis.Redis) -> None:
    r.set("a", 1)
    with r.pipeline() as pipe:
        pipe.watch("a")
        r.set("a", 5)
        pipe.multi()
        pipe.set("a", 2)
        with pytest.raises(WatchError, match="Watched variable changed"):
            pipe.execute()
    assert r.get("a") == b"5"


def test_unwatching(r: redis.Redis) -> None:
    with r.pipeline() as pipe:
        pipe.watch("a", "b")
        r.set("a", 5)
        assert pipe.unwatch()
        assert pipe.set("a", 2).execute() == [True]
        pipe.watch("a")
        pipe.reset()
        r.set("a", 6)
        assert pipe.get("a").execute() == [b"6"]


def test_counting_by_optimism(r: redis.Redis) -> None:
    def count() -> None:
        for _ in range(25):
            with r.pipeline() as pipe:
                while True:
                    try:
                        pipe.watch("n")
                        value = int(pipe.get("n") or 0)
                        pipe.multi()
                        pipe.set("n", value + 1)
                        pipe.execute()
                        break
                    except WatchError:
                        continue

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert r.get("n") == b"100"


def test_transaction_with_a_function(r: redis.Redis) -> None:
    r.set("a", 1)
    tries = []

    def double(pipe: redis.client.Pipeline) -> str:
        value = int(pipe.get("a"))
        if not tries:
            r.set("a", 10)
        tries.append(value)
        pipe.multi()
        pipe.set("a", value * 2)
        return "doubled"

    assert r.transaction(double, "a") == [True]
    assert tries == [1, 10]
    assert r.transaction(double, "a", value_from_callable=True) == "doubled"
    assert r.get("a") == b"40"


def test_multi_without_watching(r: redis.Redis) -> None:
    with r.pipeline(transaction=False) as pipe:
        pipe.multi()
        pipe.set("a", 1)
        with pytest.raises(redis.RedisError, match="Cannot issue nested calls to MULTI"):
            pipe.multi()
        assert pipe.execute() == [True]


def test_a_transaction_stopped_on_its_way_leaves_the_session_clean() -> None:
    """The session is shared: another thread's next command must not be queued."""
    with alcove.open(engine=Engine()) as client:
        client.set("a", 1)
        engine = client.engine

        def stop() -> None:
            raise KeyboardInterrupt

        declare_inside(engine, stop)
        pipe = client.pipeline().set("a", 2)
        pipe.execute_command("INSIDE")
        with pytest.raises(KeyboardInterrupt):
            pipe.execute()
        assert client.get("a") in (b"1", b"2")
        assert not any(session.in_multi for session in engine.sessions.values())


def test_a_write_refused_for_memory_is_not_queued(r: redis.Redis) -> None:
    r.set("a", 0)
    r.config_set("maxmemory", 1)
    assert r.pipeline().get("a").execute() == [b"0"]
    with pytest.raises(redis.exceptions.OutOfMemoryError) as caught:
        r.pipeline().get("a").set("a", 1).execute()
    assert caught.value.args[0].startswith("Command # 2 (SET a 1) of pipeline caused error: ")
