"""A big container that is being saved in steps: who would change it waits for that, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.clock import ManualClock
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.services import GATE_STEPS
from alcove.engine.session import Session
from alcove.engine.snapshot import STEPPED
from alcove.errors import UNBLOCKED, CommandError
from alcove.persistence.durability import Durability

MEMBERS = 20 * STEPPED


class BusyClock(ManualClock):
    """Whoever looks at it has worked for longer than a slice of housekeeping."""

    def monotonic_us(self) -> int:
        self.advance(0.002)
        return super().monotonic_us()


class Scene:
    """An engine with a big sorted set, in the midst of saving it."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        load_options(config, {"dir": str(folder), "save": ""})
        self.engine = Engine(config, clock=BusyClock())
        self.durability = Durability(self.engine)
        self.replies: dict[Session, list[Any]] = {}
        self.client, self.other = self.connect(), self.connect()
        for start in range(0, MEMBERS, 1000):
            numbers = range(start, start + 1000)
            self.run(self.client, b"ZADD", b"big", *(word for n in numbers for word in (b"%d" % n, b"m%d" % n)))
        self.run(self.client, b"BGSAVE")
        self.tick()

    def connect(self, kind: str = "tcp") -> Session:
        session = self.engine.connect(kind)
        self.replies[session] = []
        session.deliver = self.replies[session].append
        return session

    def run(self, session: Session, *argv: bytes) -> Any:
        return self.engine.execute(session, list(argv))

    def tick(self) -> None:
        self.engine.enter()
        self.engine.tick()
        self.engine.leave()

    def saved(self) -> int:
        """How many members the snapshot has that is being written."""
        while self.durability.saving.running:
            self.tick()
        self.run(self.other, b"FLUSHALL")
        self.durability.load_now()
        count: int = self.run(self.other, b"ZCARD", b"big")
        return count


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    assert scene.engine.gate & GATE_STEPS
    yield scene
    scene.engine.close()


def test_who_writes_to_it_waits_until_it_is_saved(scene: Scene) -> None:
    scene.run(scene.client, b"ZADD", b"big", b"1", b"new")
    assert scene.replies[scene.client] == []
    assert scene.client.blocked
    # Others may read it, and write elsewhere.
    assert scene.run(scene.other, b"ZCARD", b"big") == MEMBERS
    assert scene.run(scene.other, b"INCR", b"counter") == 1
    assert scene.saved() == MEMBERS
    assert scene.replies[scene.client] == [1]
    assert not scene.engine.gate & GATE_STEPS


def test_a_transaction_waits_as_a_whole(scene: Scene) -> None:
    for argv in ([b"MULTI"], [b"INCR", b"counter"], [b"ZREM", b"big", b"m1"]):
        scene.run(scene.client, *argv)
    scene.run(scene.client, b"EXEC")
    assert scene.run(scene.other, b"GET", b"counter") is None
    assert scene.saved() == MEMBERS
    assert scene.replies[scene.client] == [[1, 1]]


def test_a_blocking_command_waits_twice(scene: Scene) -> None:
    scene.run(scene.client, b"BZMPOP", b"0", b"2", b"nothing", b"big", b"MIN")
    assert scene.saved() == MEMBERS
    assert scene.replies[scene.client] == [[b"big", [[b"m0", 0.0]]]]


def test_who_goes_or_is_unblocked_has_changed_nothing(scene: Scene) -> None:
    third = scene.connect()
    for session in (scene.client, third):
        scene.run(session, b"ZADD", b"big", b"1", b"new")
    assert scene.run(scene.other, b"CLIENT", b"UNBLOCK", b"%d" % scene.client.id) == 1
    (reply,) = scene.replies[scene.client]
    assert isinstance(reply, CommandError)
    assert reply.text == UNBLOCKED
    scene.engine.depart(third)
    while scene.durability.saving.running:
        scene.tick()
    assert scene.run(scene.other, b"ZSCORE", b"big", b"new") is None


def test_in_the_process_the_rest_is_saved_at_once(scene: Scene) -> None:
    here = scene.connect("embedded")
    assert scene.run(here, b"ZADD", b"big", b"1", b"new") == 1
    assert scene.run(here, b"ZCARD", b"big") == MEMBERS + 1
    assert scene.saved() == MEMBERS


def test_what_is_removed_is_still_saved(scene: Scene) -> None:
    here = scene.connect("embedded")
    assert scene.run(here, b"DEL", b"big") == 1
    # Its name is free.
    assert scene.run(scene.client, b"ZADD", b"big", b"1", b"new") == 1
    assert scene.durability.saving.snapshot is not None
    assert scene.saved() == MEMBERS
