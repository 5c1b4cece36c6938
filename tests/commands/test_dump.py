"""DUMP and RESTORE: the commands around the payloads."""

from __future__ import annotations

import pytest
import redis

from alcove.codec.payload import dump, sealed
from tests.codec.samples import SAMPLES, content
from tests.commands.watched import Watched
from tests.conftest import TestClock

BAD_FRAME = "ERR DUMP payload version or checksum are wrong"


@pytest.fixture
def run() -> Watched:
    return Watched()


PAYLOAD = dump(b"value", 11)


def test_a_value_can_be_moved(r: redis.Redis) -> None:
    r.hset("from", mapping={"f": "v", "g": "1"})
    payload = r.dump("from")
    assert payload is not None
    r.restore("to", 0, payload)
    assert r.hgetall("to") == {b"f": b"v", b"g": b"1"}
    assert r.dump("none") is None
    with pytest.raises(redis.ResponseError, match="Target key name already exists"):
        r.restore("to", 0, payload)
    r.restore("from", 5000, payload, replace=True)
    assert 0 < r.pttl("from") <= 5000


def test_the_version_is_a_setting(run: Watched) -> None:
    run("SADD k a b")
    assert run("DUMP k")[0] == 20
    assert run("DUMP k")[-10:-8] == b"\x0b\0"
    run("CONFIG SET rdb-write-version 10")
    assert run("DUMP k")[0] == 2
    assert run("DUMP k")[-10:-8] == b"\x0a\0"


def test_replay_has_absolute_time(run: Watched) -> None:
    now_ms = run.clock.now_us() // 1000
    assert run("RESTORE", "k", 1500, PAYLOAD, "REPLACE") == b"OK"
    assert run.recorded == [[b"RESTORE", b"k", b"%d" % (now_ms + 1500), PAYLOAD, b"REPLACE", b"ABSTTL"]]
    assert run.events == ["new k", "restore k"]
    assert run.changes == 1
    assert run("PTTL k") == 1500
    run("RESTORE", "a", 0, PAYLOAD)
    assert run.recorded == [[b"RESTORE", b"a", b"0", PAYLOAD]]
    run("RESTORE", "b", now_ms + 9, PAYLOAD, "absttl")
    assert run.recorded == [[b"RESTORE", b"b", b"%d" % (now_ms + 9), PAYLOAD, b"absttl"]]


def test_what_is_over_is_not_restored(run: Watched) -> None:
    assert run("RESTORE", "k", 1, PAYLOAD, "ABSTTL") == b"OK"
    assert (run.recorded, run.events, run.changes) == ([], [], 0)
    run("SET k other")
    assert run("RESTORE", "k", 1, PAYLOAD, "ABSTTL", "REPLACE") == b"OK"
    assert (run.recorded, run.events, run.changes) == ([[b"DEL", b"k"]], ["del k"], 1)
    assert run("EXISTS k") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["0", PAYLOAD[:-1]], BAD_FRAME),
        (["0", b""], BAD_FRAME),
        (["0", sealed(b"\0\x05value", 13)], BAD_FRAME),
        (["0", sealed(b"\0\x06value", 11)], "ERR Bad data format"),
        (["0", sealed(b"\x02\0", 11)], "ERR Bad data format"),
        (["-1", PAYLOAD], "ERR Invalid TTL value, must be >= 0"),
        (["9223372036854775807", PAYLOAD], "ERR Invalid TTL value, must be >= 0"),
        (["x", PAYLOAD], "ERR value is not an integer or out of range"),
        (["0", PAYLOAD, "IDLETIME", "-1"], "ERR Invalid IDLETIME value, must be >= 0"),
        (["0", PAYLOAD, "FREQ", "256"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (["0", PAYLOAD, "FREQ", "1", "IDLETIME", "1"], "ERR syntax error"),
        (["0", PAYLOAD, "FREQ"], "ERR syntax error"),
        (["0", PAYLOAD, "REPLACED"], "ERR syntax error"),
    ],
)
def test_refusals(run: Watched, words: list[str | bytes], error: str) -> None:
    assert run("RESTORE", "k", *words) == error
    assert (run.recorded, run.events, run.changes) == ([], [], 0)


def test_a_key_that_is_there_comes_before_other_errors(run: Watched) -> None:
    run("SET k old")
    assert run("RESTORE", "k", "x", b"nonsense") == "BUSYKEY Target key name already exists."
    assert run("RESTORE", "k", "x", b"nonsense", "NONSENSE") == "ERR syntax error"
    assert run("RESTORE", "k", 0, b"nonsense", "REPLACE") == BAD_FRAME
    assert run("GET k") == b"old"


def test_idle_time_and_frequency(run: Watched) -> None:
    run("RESTORE", "k", 0, PAYLOAD, "IDLETIME", 1000)
    assert run("OBJECT IDLETIME k") == 1000
    run("RESTORE", "k", 0, PAYLOAD, "FREQ", 77, "REPLACE")
    assert run("OBJECT IDLETIME k") == 0
    run("CONFIG SET maxmemory-policy allkeys-lfu")
    run("RESTORE", "k", 0, PAYLOAD, "FREQ", 77, "REPLACE")
    assert run("OBJECT FREQ k") == 77


def test_deadlines_of_fields_travel(r: redis.Redis, clock: TestClock) -> None:
    r.hset("k", mapping={"f": "v", "g": "w"})
    r.hexpire("k", 10, "f")
    payload = r.dump("k")
    assert payload is not None
    r.restore("copy", 0, payload)
    assert r.httl("copy", "f", "g") == [10, -1]
    clock.advance(11)
    assert r.hgetall("copy") == {b"g": b"w"}
    r.restore("late", 0, payload)
    assert r.hgetall("late") == {b"g": b"w"}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_encoding(run: Watched, name: str) -> None:
    for command in SAMPLES[name]:
        run(*command)
    run("RESTORE", "copy", 0, run("DUMP k"))
    assert content(run.value("copy")) == content(run.value("k"))
    assert run("OBJECT ENCODING copy") == run("OBJECT ENCODING k") or name == "string_edited"


def test_who_watches_the_key_is_told(r: redis.Redis) -> None:
    r.rpush("from", "a")
    payload = r.dump("from")
    assert payload is not None
    with r.pipeline() as pipe:
        pipe.watch("list")  # type: ignore[no-untyped-call]
        r.restore("list", 0, payload)
        pipe.multi()
        pipe.get("from")
        with pytest.raises(redis.WatchError):
            pipe.execute()
