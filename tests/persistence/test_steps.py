"""Long values are saved in steps: who would change one waits for that, and nobody else does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.services import GATE_STEPS
from alcove.engine.session import Session
from alcove.engine.snapshot import STEPPED
from alcove.errors import UNBLOCKED, CommandError
from alcove.persistence.durability import Durability
from tests.persistence.process import BusyClock

MEMBERS = 20 * STEPPED
# A string of which half can be compressed.
TEXT = bytes(300_000) + random.Random(1).randbytes(300_000)


class Scene:
    """An engine with a big sorted set, in the midst of saving it; a smaller one and a long string come later."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        load_options(config, {"dir": str(folder), "save": ""})
        self.engine = Engine(config, clock=BusyClock())
        self.durability = Durability(self.engine)
        self.replies: dict[Session, list[Any]] = {}
        self.client, self.other = self.connect(), self.connect()
        self.run(self.client, b"SET", b"text", TEXT)
        self.add(b"second", 2 * STEPPED)
        self.add(b"big", MEMBERS)
        self.run(self.client, b"BGSAVE")
        self.tick()

    def add(self, key: bytes, members: int) -> None:
        for start in range(0, members, 1000):
            numbers = range(start, start + 1000)
            self.run(self.client, b"ZADD", key, *(word for n in numbers for word in (b"%d" % n, b"m%d" % n)))

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


@pytest.mark.parametrize("write", [b"SET text new", b"APPEND text new", b"DEL text", b"RENAME second text"])
def test_who_writes_to_a_long_string_waits_until_it_is_saved(scene: Scene, write: bytes) -> None:
    scene.run(scene.client, *write.split())
    assert scene.replies[scene.client] == []
    assert scene.run(scene.other, b"STRLEN", b"text") == len(TEXT)
    scene.saved()
    assert len(scene.replies[scene.client]) == 1
    assert scene.run(scene.other, b"GET", b"text") == TEXT


def test_what_somebody_waits_for_comes_next(scene: Scene) -> None:
    """The string would come last."""
    scene.run(scene.client, b"APPEND", b"text", b"new")
    while not scene.replies[scene.client]:
        scene.tick()
    assert scene.replies[scene.client] == [len(TEXT) + 3]
    third = scene.connect()
    scene.run(third, b"ZADD", b"second", b"1", b"new")
    assert scene.replies[third] == []
    assert scene.saved() == MEMBERS
    assert scene.replies[third] == [1]
    assert scene.run(scene.other, b"ZCARD", b"second") == 2 * STEPPED
    assert scene.run(scene.other, b"GET", b"text") == TEXT


def test_in_the_process_long_values_are_saved_at_once(scene: Scene) -> None:
    here = scene.connect("embedded")
    assert scene.run(here, b"APPEND", b"text", b"new") == len(TEXT) + 3
    assert scene.run(here, b"ZADD", b"second", b"1", b"new") == 1
    assert scene.saved() == MEMBERS
    assert scene.run(here, b"GET", b"text") == TEXT
    assert scene.run(here, b"ZCARD", b"second") == 2 * STEPPED


def test_who_is_put_off_when_the_snapshot_ends_runs_then(scene: Scene) -> None:
    scene.run(scene.client, b"APPEND", b"text", b"new")
    assert scene.run(scene.other, b"BGSAVE", b"CANCEL") is not None
    scene.tick()
    assert scene.replies[scene.client] == [len(TEXT) + 3]
    assert not scene.engine.gate & GATE_STEPS
