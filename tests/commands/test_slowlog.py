"""SLOWLOG: what is logged, in what form, how much of it, and beside the real servers."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from alcove.engine.context import Context
from alcove.engine.engine import Engine
from alcove.numeric import parse_int
from alcove.values import OK
from tests.commands.watched import Watched
from tests.comparison.servers import RealServer
from tests.server.wire import Client


class Slow(Watched):
    """An engine with a command that takes as many microseconds as it is told."""

    def __init__(self) -> None:
        super().__init__()
        clock = self.clock

        @self.engine.registry.command("TAKE microseconds", since="1.0.0", complexity="O(1)", group="generic")
        def take(ctx: Context, microseconds: bytes) -> object:
            """Lets time pass."""
            clock.advance(parse_int(microseconds) / 1_000_000)
            return OK


@pytest.fixture
def run() -> Slow:
    return Slow()


def test_what_takes_long_is_logged(run: Slow) -> None:
    run.session.address, run.session.name = "10.0.0.1:5", b"me"
    run("TAKE 9999")
    assert run("SLOWLOG LEN") == 0
    run("TAKE 10000")
    run("TAKE 2000000")
    assert run("SLOWLOG GET") == [
        [1, 1_700_000_002, 2_000_000, [b"TAKE", b"2000000"], b"10.0.0.1:5", b"me"],
        [0, 1_700_000_000, 10_000, [b"TAKE", b"10000"], b"10.0.0.1:5", b"me"],
    ]


def test_the_threshold(run: Slow) -> None:
    run("CONFIG SET slowlog-log-slower-than 500")
    run("TAKE 499")
    run("TAKE 500")
    run("CONFIG SET slowlog-log-slower-than -1")
    run("TAKE 10000000")
    run("CONFIG SET slowlog-log-slower-than 0")
    run("PING")
    run("CONFIG SET slowlog-log-slower-than 1")
    run("PING")
    assert [b" ".join(entry[3]) for entry in run("SLOWLOG GET")] == [
        b"PING",
        b"CONFIG SET slowlog-log-slower-than 0",
        b"TAKE 500",
    ]


def test_how_many_are_kept(run: Slow) -> None:
    run("CONFIG SET slowlog-max-len 3 slowlog-log-slower-than 1000")
    for _ in range(5):
        run("TAKE 1000")
    assert [entry[0] for entry in run("SLOWLOG GET -1")] == [4, 3, 2]
    run("CONFIG SET slowlog-max-len 0")
    run("TAKE 1000")
    assert run("SLOWLOG LEN") == 3
    assert run("SLOWLOG RESET") == OK
    assert run("SLOWLOG LEN") == 0
    run("CONFIG SET slowlog-max-len 100")
    for _ in range(20):
        run("TAKE 1000")
    assert len(run("SLOWLOG GET")) == 10
    assert run("SLOWLOG GET 2")[0][0] == 24
    assert len(run("SLOWLOG GET 1000000")) == len(run("SLOWLOG GET -1")) == 20
    assert run("SLOWLOG GET 0") == []


@pytest.mark.parametrize("count", ["-2", "x", "1.0", "99999999999999999999"])
def test_bad_counts(run: Slow, count: str) -> None:
    assert run(f"SLOWLOG GET {count}") == "ERR count should be greater than or equal to -1"


def test_a_clock_that_is_set_back(run: Slow) -> None:
    run("CONFIG SET slowlog-log-slower-than 0")
    run("SLOWLOG RESET")

    @run.engine.registry.command("BACK", since="1.0.0", complexity="O(1)", group="generic")
    def back(ctx: Context) -> object:
        """Sets the clock back."""
        run.clock.jump(-3600)
        return OK

    run("BACK")
    assert run("SLOWLOG GET")[0][2] == 0


def test_a_script_is_logged_under_its_caller(run: Slow) -> None:
    script = run.engine.connect("script")
    script.caller = run.session
    run.session.address, run.session.name = "10.0.0.1:5", b"me"
    run.engine.execute(script, [b"TAKE", b"10000"])
    assert run("SLOWLOG GET")[0][4:] == [b"10.0.0.1:5", b"me"]


def test_passwords_are_not_logged(run: Slow) -> None:
    run("CONFIG SET slowlog-log-slower-than 0")
    run("SLOWLOG RESET")
    run("AUTH default secret")
    run("CONFIG", "SET", "requirepass", "secret", "maxmemory", "0", "masterauth", "secret")
    run("AUTH secret")
    run("HELLO 3 AUTH default secret")
    run("CONFIG", "SET", "requirepass", "")
    assert all(b"secret" not in entry[3] for entry in run("SLOWLOG GET"))
    assert [b"CONFIG", b"SET", b"requirepass", b"(redacted)", b"maxmemory", b"0", b"masterauth", b"(redacted)"] in [
        entry[3] for entry in run("SLOWLOG GET")
    ]


def test_redis_py(r: redis.Redis, engine: Engine) -> None:
    r.config_set("slowlog-log-slower-than", 0)
    r.slowlog_reset()
    r.set("a", "1")
    r.config_set("slowlog-log-slower-than", -1)
    assert r.slowlog_len() >= 2
    entry = next(entry for entry in r.slowlog_get() if entry["command"] == b"SET a 1")
    assert abs(entry["start_time"] - time.time()) < 3600
    assert set(entry) == {"id", "start_time", "duration", "command", "client_address", "client_name"}
    assert r.slowlog_reset()


# Beside the real servers

SEQUENCE = [
    ["SET", "k" * 128, "v" * 129],
    ["SET", "k" * 300, "1"],
    ["MSET", *["a"] * 31],
    ["MSET", *["a"] * 32],
    ["SADD", "s", *["a"] * 30],
    ["SADD", "s", *["a"] * 31],
    ["SADD", "s", *["x" * 200] * 500],
    ["GET"],
    ["NOSUCH"],
    ["LPUSH", "s", "1"],
    ["MULTI"],
    ["SET", "a", "1"],
    ["LPUSH", "a", "1"],
    ["EXEC"],
    ["AUTH", "default", "secret"],
    ["HELLO", "2", "AUTH", "default", "secret", "SETNAME", "me"],
    ["CONFIG", "SET", "masterauth", "", "maxmemory", "0"],
    ["CLIENT", "SETNAME", "you"],
    ["SLOWLOG", "GET", "x"],
    ["SLOWLOG", "GET", "1", "2"],
    ["SLOWLOG", "LEN", "1"],
    ["SLOWLOG", "FOO"],
    ["SLOWLOG"],
    ["SLOWLOG", "LEN"],
    ["INFO", "server"],
    ["RESET"],
    ["PING"],
]


def logged(call: Any) -> list[Any]:
    """The words and the client's name of what a server has logged of the sequence, and its replies of SLOWLOG."""
    call("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000")
    call("SLOWLOG", "RESET")
    replies = [call(*words) for words in SEQUENCE]
    replies = [str(reply) for words, reply in zip(SEQUENCE, replies, strict=True) if words[0] == "SLOWLOG"]
    entries = call("SLOWLOG", "GET", "-1")
    assert [entry[0] for entry in entries] == list(range(entries[0][0], entries[0][0] - len(entries), -1))
    call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    return [[[entry[3], entry[5]] for entry in entries], replies]


def test_the_same_is_logged_as_by_the_real_servers(real: RealServer) -> None:
    run = Watched()
    run.session.kind = "tcp"
    engine, session = run.engine, run.session
    with Client(str(real.path)) as client:
        theirs = logged(client.call)
    ours = logged(lambda *words: engine.execute(session, [word.encode() for word in words]))
    assert ours == theirs
