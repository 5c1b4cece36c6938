"""What is recorded of random commands, replayed into an empty engine, gives the same contents: for every family."""

from __future__ import annotations

import importlib
import random
from typing import Any

import pytest

from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.engine.session import Session
from tests.comparison.machine import READERS
from tests.comparison.test_comparison import FAMILIES


class Journal:
    """Keeps every batch, as the append-only file would."""

    def __init__(self) -> None:
        self.records: list[tuple[int, list[bytes]]] = []

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        assert batch
        for number, argv in batch:
            assert all(type(word) is bytes for word in argv), argv
            self.records.append((number, list(argv)))


def settle(engine: Engine) -> None:
    engine.enter()
    engine.tick()
    engine.leave()


def contents(engine: Engine, session: Session) -> dict[tuple[int, bytes], Any]:
    """Type, deadline and value of every key."""
    found = {}
    for database in engine.space.databases:
        engine.execute(session, [b"SELECT", b"%d" % database.number])
        for key in engine.execute(session, [b"KEYS", b"*"]):
            kind = engine.execute(session, [b"TYPE", key])
            words, ordered = READERS[bytes(kind)]
            value = engine.execute(session, [words[0], key, *words[1:]])
            if isinstance(value, list) and not ordered:
                value = sorted(value)
            found[database.number, key] = (kind, engine.execute(session, [b"PEXPIRETIME", key]), value)
    return found


def replayed(journal: Journal, clock: ManualClock) -> Engine:
    engine = Engine(clock=clock)
    session = engine.connect("embedded")
    for number, argv in journal.records:
        engine.execute(session, [b"SELECT", b"%d" % number])
        engine.execute(session, argv)
    return engine


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_replay_gives_the_same_contents(family: str, seed: int) -> None:
    module = importlib.import_module(f"tests.comparison.{family}")
    chance = random.Random(seed)
    clock = ManualClock()
    engine, journal = Engine(clock=clock), Journal()
    engine.attach(journal)
    session = engine.connect("embedded")
    for _ in range(800):
        engine.execute(session, module.generate(chance))
        if session.blocked:
            engine.enter()
            engine.waits.unblock(session, with_error=False)
            engine.leave()
        if chance.random() < 0.05:
            clock.advance(chance.random())
            settle(engine)
    engine.execute(session, [b"DISCARD"])
    copy = replayed(journal, clock)
    assert contents(copy, copy.connect("embedded")) == contents(engine, session)
