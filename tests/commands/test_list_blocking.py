"""Waiting for lists: who is served, with what, in which order, and what ends a wait."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.engine.blocking import PARKED
from alcove.errors import CommandError
from alcove.values import NULL_ARRAY
from tests.commands.watched import Watched


class Waiting:
    """A further session that can wait while others go on."""

    def __init__(self, run: Watched) -> None:
        self.engine = run.engine
        self.session = run.engine.connect("embedded")
        self.replies: list[Any] = []
        self.session.deliver = self.deliver

    def deliver(self, reply: Any) -> None:
        self.replies.append(reply.text if isinstance(reply, CommandError) else reply)

    def __call__(self, command: str) -> Any:
        """What a command answers at once; a wait has its answer in `replies` later."""
        reply = self.engine.execute(self.session, command.encode().split())
        return reply.text if isinstance(reply, CommandError) else reply


@pytest.fixture
def run() -> Watched:
    return Watched()


def parked(run: Watched, command: str) -> Waiting:
    waiting = Waiting(run)
    assert waiting(command) is PARKED
    return waiting


def pass_time(run: Watched, seconds: float) -> None:
    run.clock.advance(seconds)
    run.engine.enter()
    run.engine.tick()
    run.engine.leave()


@pytest.mark.parametrize(
    ("command", "reply", "recorded"),
    [
        ("BLPOP none l 1", [b"l", b"a"], b"LPOP l"),
        ("BRPOP none l 1", [b"l", b"c"], b"RPOP l"),
        ("BLMPOP 1 2 none l LEFT COUNT 2", [b"l", [b"a", b"b"]], b"LPOP l 2"),
        ("BLMPOP 1 2 none l RIGHT", [b"l", [b"c"]], b"RPOP l 1"),
        ("BLMOVE l dst LEFT RIGHT 1", b"a", b"LMOVE l dst LEFT RIGHT"),
        ("BRPOPLPUSH l dst 1", b"c", b"LMOVE l dst RIGHT LEFT"),
    ],
)
def test_at_once_and_after_a_wait(run: Watched, command: str, reply: object, recorded: bytes) -> None:
    run("RPUSH l a b c")
    assert run(command) == reply
    assert run.recorded == [recorded.split()]
    run("DEL l dst")
    waiting = parked(run, command)
    assert run("RPUSH l a b c") == 3
    assert waiting.replies == [reply]
    assert run.recorded == [b"RPUSH l a b c".split(), recorded.split()]
    left = 3 - len(reply[1]) if isinstance(reply, list) and isinstance(reply[1], list) else 2
    assert run("LLEN l") == left


@pytest.mark.parametrize(
    "command",
    [
        "BLPOP a b 0.25",
        "BRPOP a 0.25",
        "BLMPOP 0.25 1 a LEFT",
        "BLMOVE a b LEFT LEFT 0.25",
        "BRPOPLPUSH a b 0.25",
    ],
)
def test_time_is_up(run: Watched, command: str) -> None:
    waiting = parked(run, command)
    pass_time(run, 0.249)
    assert waiting.replies == []
    pass_time(run, 0.002)
    assert waiting.replies == [NULL_ARRAY]
    assert run("RPUSH a x") == 1
    assert run("LLEN a") == 1


@pytest.mark.parametrize("command", ["BLPOP a 0", "BLMPOP 0 1 a LEFT", "BLMOVE a b LEFT LEFT 0"])
def test_in_a_transaction_nobody_waits(run: Watched, command: str) -> None:
    run("MULTI")
    run(command)
    assert run("EXEC") == [None if "MOVE" in command else NULL_ARRAY]


def test_first_come_first_served(run: Watched) -> None:
    first, second, third = (parked(run, "BLPOP l 0") for _ in range(3))
    run("RPUSH l a b")
    assert (first.replies, second.replies, third.replies) == ([[b"l", b"a"]], [[b"l", b"b"]], [])
    assert run("EXISTS l") == 0
    run("RPUSH l c")
    assert third.replies == [[b"l", b"c"]]


def test_the_first_key_that_holds_a_list_is_taken_from(run: Watched) -> None:
    waiting = parked(run, "BLPOP a b c 0")
    run("MULTI")
    run("RPUSH c 3")
    run("RPUSH b 2")
    run("EXEC")
    assert waiting.replies == [[b"b", b"2"]]
    assert run("LRANGE c 0 -1") == [b"3"]


def test_what_is_gone_again_is_not_missed(run: Watched) -> None:
    waiting = parked(run, "BLPOP l 0")
    run("MULTI")
    run("RPUSH l a")
    run("DEL l")
    run("EXEC")
    assert waiting.replies == []
    run("RPUSH l b")
    assert waiting.replies == [[b"l", b"b"]]


def test_moves_wake_who_waits_for_the_destination(run: Watched) -> None:
    last = parked(run, "BLPOP third 0")
    parked(run, "BLMOVE second third LEFT LEFT 0")
    parked(run, "BRPOPLPUSH first second 0")
    run("LPUSH first x")
    assert last.replies == [[b"third", b"x"]]
    assert run("EXISTS first second third") == 0


def test_another_type_does_not_end_a_wait(run: Watched) -> None:
    waiting = parked(run, "BLPOP a b 0")
    run("SET b x")
    assert waiting.replies == []
    run("DEL b")
    run("RPUSH b 1")
    assert waiting.replies == [[b"b", b"1"]]
    behind = parked(run, "BLPOP a b 0")
    run("SET a x")
    run("RPUSH b 2")
    assert behind.replies == ["WRONGTYPE Operation against a key holding the wrong kind of value"]
    assert run("LRANGE b 0 -1") == [b"2"]


def test_a_destination_of_another_type_ends_the_wait(run: Watched) -> None:
    run("SET dst x")
    waiting = parked(run, "BLMOVE src dst LEFT LEFT 0")
    run("RPUSH src a")
    assert waiting.replies == ["WRONGTYPE Operation against a key holding the wrong kind of value"]
    assert run("LRANGE src 0 -1") == [b"a"]


def test_renamed_and_restored_lists_end_waits(run: Watched) -> None:
    run("RPUSH other a b")
    first = parked(run, "BLPOP l 0")
    run("RENAME other l")
    assert first.replies == [[b"l", b"a"]]
    second = parked(run, "BLPOP copy 0")
    run("COPY l copy")
    assert second.replies == [[b"copy", b"b"]]


def test_client_unblock(run: Watched) -> None:
    waiting = parked(run, "BLPOP l 0")
    assert run(f"CLIENT UNBLOCK {waiting.session.id}") == 1
    assert waiting.replies == [NULL_ARRAY]
    again = parked(run, "BLMOVE l l LEFT LEFT 0")
    assert run(f"CLIENT UNBLOCK {again.session.id} ERROR") == 1
    assert again.replies == ["UNBLOCKED client unblocked via CLIENT UNBLOCK"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("BLPOP a -1", "ERR timeout is negative"),
        ("BLPOP a x", "ERR timeout is not a float or out of range"),
        ("BLPOP a 1e20", "ERR timeout is out of range"),
        ("BLMPOP x 1 a LEFT", "ERR timeout is not a float or out of range"),
        ("BLMPOP 0 0 a LEFT", "ERR numkeys should be greater than 0"),
        ("BLMPOP 0 1 a LEFT COUNT 0", "ERR count should be greater than 0"),
        ("BLMPOP 0 1 a MIDDLE", "ERR syntax error"),
        ("BLMPOP 0 1 a LEFT COUNT 1 COUNT 1", "ERR syntax error"),
        ("BLMPOP 0 2 a LEFT", "ERR syntax error"),
        ("BLMOVE a b LEFT UP 0", "ERR syntax error"),
        ("BLMOVE a b LEFT LEFT -1", "ERR timeout is negative"),
    ],
)
def test_errors(run: Watched, command: str, error: str) -> None:
    assert Waiting(run)(command) == error
