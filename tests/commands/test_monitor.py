"""MONITOR: what is shown of which command, in what order, and what a monitor may not do."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.engine.session import Session
from alcove.engine.settings import DIRECTIVES
from alcove.errors import CommandError
from alcove.quoting import split_words
from alcove.values import NO_REPLY, OK, Replies
from tests.comparison.servers import RealServer
from tests.server.wire import Client

# A line without its time and its client's address.
LINE = re.compile(rb"\d+\.\d{6} \[(\d+) [^\]]+\] (.*)", re.DOTALL)


class Scene:
    """An engine with a client and a monitor, whose lines are `lines`."""

    def __init__(self) -> None:
        self.engine = Engine(clock=ManualClock())
        self.client = self.connect("tcp", "10.0.0.1:5")
        self.monitor = self.connect("tcp", "10.0.0.2:6")
        self.lines: list[bytes] = []
        self.monitor.push = self.lines.append
        assert self("MONITOR", session=self.monitor) == OK

    def connect(self, kind: str, address: str) -> Session:
        return self.engine.connect(kind, address)

    def __call__(self, *words: str | bytes, session: Session | None = None) -> Any:
        argv = [word if isinstance(word, bytes) else word.encode() for word in words]
        reply = self.engine.execute(session or self.client, argv)
        return reply.text if isinstance(reply, CommandError) else reply

    def shown(self) -> list[bytes]:
        """The lines so far, without time and address."""
        lines, self.lines[:] = list(self.lines), []
        return [shortened(line) for line in lines]


def shortened(line: bytes) -> bytes:
    found = LINE.fullmatch(line)
    assert found is not None, line
    return b"[%b] %b" % found.groups()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_line(scene: Scene) -> None:
    scene("SET", b'k\n\r\t\a\b"\\\x7f\xe4 ', "1")
    assert scene.lines == [rb'1700000000.000000 [0 10.0.0.1:5] "SET" "k\n\r\t\a\b\"\\\x7f\xe4 " "1"']


def test_clients_of_other_kinds(scene: Scene) -> None:
    script = scene.connect("script", "")
    local = scene.connect("embedded", "embedded:9")
    unix = scene.connect("unix", "/run/s:0")
    scene.engine.config.put(DIRECTIVES[b"unixsocket"], "/run/s")
    for session in (script, local, unix):
        scene("PING", session=session)
    assert [line.split(b" ", 1)[1] for line in scene.lines] == [
        b'[0 lua] "PING"',
        b'[0 embedded:9] "PING"',
        b'[0 unix:/run/s] "PING"',
    ]


def test_long_words_are_shown_whole(scene: Scene) -> None:
    word = random.Random(1).randbytes(200_000)
    scene("ECHO", word)
    (line,) = scene.lines
    assert split_words(line)[-2:] == [b"ECHO", word]
    assert all(32 <= byte < 127 for byte in line)


def test_what_is_not_shown(scene: Scene) -> None:
    for words in ("NOSUCH", "GET", "CONFIG GET x", "CLIENT LIST", "SLOWLOG LEN", "DEBUG SLEEP 0", "MONITOR"):
        scene(*words.split(), session=scene.connect("tcp", "x"))
    assert scene.lines == []


def test_commands_that_fail_are_shown(scene: Scene) -> None:
    scene("SET", "a", "1")
    scene("LPUSH", "a", "1")
    assert scene.shown() == [b'[0] "SET" "a" "1"', b'[0] "LPUSH" "a" "1"']


def test_passwords_are_not_shown(scene: Scene) -> None:
    scene("AUTH", "secret")
    scene("AUTH", "default", "secret")
    scene("HELLO", "2", "AUTH", "default", "secret", "SETNAME", "x")
    scene("HELLO", "2", "SETNAME", "auth", "AUTH", "default", "secret")
    assert scene.shown() == [
        b'[0] "AUTH" "(redacted)"',
        b'[0] "AUTH" "(redacted)" "(redacted)"',
        b'[0] "HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "x"',
        b'[0] "HELLO" "2" "SETNAME" "auth" "AUTH" "(redacted)" "(redacted)"',
    ]


def test_a_transaction_is_shown_when_it_runs(scene: Scene) -> None:
    scene("MULTI")
    scene("SET", "a", "1")
    scene("SELECT", "3")
    assert scene.shown() == [b'[0] "MULTI"']
    scene("EXEC")
    assert scene.shown() == [b'[0] "SET" "a" "1"', b'[3] "SELECT" "3"', b'[3] "EXEC"']


def test_what_a_monitor_may_do(scene: Scene) -> None:
    refusal = "ERR Replica can't interact with the keyspace"
    for words in ("GET a", "SET a 1", "DBSIZE", "PUBLISH a b", "PFCOUNT a", "FLUSHALL"):
        assert scene(*words.split(), session=scene.monitor) == refusal
    assert scene.lines == []
    reply = scene("ECHO", "x", session=scene.monitor)
    assert type(reply) is Replies
    assert [reply[0], shortened(reply[1])] == [b"x", b'[0] "ECHO" "x"']


def test_monitoring_twice(scene: Scene) -> None:
    assert scene("MONITOR", session=scene.monitor) is NO_REPLY
    scene("PING")
    assert len(scene.lines) == 1


def test_monitoring_in_a_transaction(scene: Scene) -> None:
    scene("MULTI")
    scene("MONITOR")
    (error,) = scene("EXEC")
    assert error.text == "ERR MONITOR isn't allowed for DENY BLOCKING client"
    assert len(scene.engine.monitors.sessions) == 1


def test_reset_ends_it(scene: Scene) -> None:
    assert scene("RESET", session=scene.monitor) == b"RESET"
    scene("PING")
    assert scene.lines == []
    assert scene("GET", "a", session=scene.monitor) is None


def test_disconnecting_ends_it(scene: Scene) -> None:
    scene.engine.disconnect(scene.monitor)
    scene("PING")
    assert scene.lines == []
    assert not scene.engine.monitors.sessions


def test_many_monitors_and_one_that_goes_while_they_are_told(scene: Scene) -> None:
    others = [scene.connect("tcp", f"m:{number}") for number in range(50)]
    told: list[Session] = []
    for session in others:
        scene("MONITOR", session=session)
        session.push = lambda line, session=session: told.append(session)
    others[20].push = lambda line: scene.engine.disconnect(others[20])
    scene("PING")
    scene("PING")
    assert told == [session for session in others if session is not others[20]] * 2
    assert len(scene.lines) == 2


def test_client_list_and_redis_py(r: redis.Redis) -> None:
    with r.monitor() as monitor:
        (row,) = [row for row in r.client_list() if row["cmd"] == "monitor"]
        assert row["flags"] == "O"
        r.select(0)
        r.set("a", 'b "c"')
        seen = []
        while not seen or seen[-1]["command"] != 'SET a b "c"':
            seen.append(monitor.next_command())
        assert seen[-1]["db"] == 0
        assert r.client_list(_type="normal")
    assert all(row["flags"] != "O" for row in r.client_list() if row["cmd"] != "monitor")


# Beside the real servers

CHOICES = (
    *("PING", "ECHO x", "SELECT 1", "SELECT 0", "SET a 1", "GET a", "LPUSH a x", "INCR a", "DEL a b", "MULTI", "EXEC"),
    *("DISCARD", "WATCH a", "UNWATCH", "SUBSCRIBE c", "PUBLISH c m", "CLIENT ID", "CLIENT SETNAME n"),
    *("HELLO 2", "HELLO 2 AUTH default x", "AUTH x", "AUTH default x", "RESET", "TIME", "COMMAND COUNT", "OBJECT HELP"),
    *("CONFIG GET maxmemory", "SLOWLOG LEN", "NOSUCH", "GET", "FLUSHALL", "EXPIRE a 100", "BLPOP q 0.01", "MONITOR x"),
    *("LATENCY LATEST", "ZADD z 1 m", "SETEX b 100 v", "GETDEL b", "MGET a b c", "SORT l BY nosort", "DBSIZE"),
)


def sequence(chance: random.Random, count: int) -> Iterator[list[str]]:
    """Commands without MULTI and WATCH in a transaction, which spoil it on Valkey and not on Redis."""
    is_open = False
    for _ in range(count):
        words = chance.choice(CHOICES).split()
        if is_open and words[0] in ("MULTI", "WATCH"):
            continue
        is_open = words[0] == "MULTI" or (is_open and words[0] not in ("EXEC", "DISCARD", "RESET"))
        yield words


def test_random_commands_are_shown_as_by_the_real_servers(real: RealServer, scene: Scene) -> None:
    commands = [*sequence(random.Random(5), 3000), ["RESET"], ["ECHO", "the end"]]
    theirs: list[bytes] = []
    with Client(str(real.path)) as wire, Client(str(real.path)) as watcher:
        assert watcher.call("MONITOR") == OK
        for words in commands:
            # Without reading the replies: SUBSCRIBE may answer more than once.
            wire.send(*words)
        while not theirs or b"the end" not in theirs[-1]:
            theirs.append(shortened(watcher.reply()))
    for words in commands:
        scene(*words)
        while scene.client.blocked:
            scene.engine.clock.advance(0.01)
            scene.engine.enter()
            scene.engine.tick()
            scene.engine.leave()
    assert scene.shown() == theirs
