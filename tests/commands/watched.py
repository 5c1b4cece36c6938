"""An engine that shows what a command causes besides its reply: what is recorded, the events, the changes counted."""

from __future__ import annotations

from typing import Any

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine import events
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.errors import CommandError


class Watched:
    """One session of an engine of its own. The lists hold what the last command caused."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = Engine(clock=self.clock)
        self.session = self.engine.connect("embedded")
        self._late: list[Any] = []
        self.session.deliver = self._late.append
        self.engine.sinks.append(self)
        space = self.engine.space
        space.recording = True
        space.event_mask = events.ALL | events.NEW | events.MISS
        space.listener = lambda _database, _class, event, key: self.events.append(f"{event.decode()} {key.decode()}")
        self.recorded: list[list[bytes]] = []
        self.events: list[str] = []
        self.changes = 0

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        self.recorded += [argv for _, argv in batch]

    def __call__(self, *words: str | bytes | int) -> Any:
        """Runs one command, given as one string to be split at blanks or as its words; an error is its text."""
        if len(words) == 1 and isinstance(words[0], str):
            words = tuple(words[0].split())
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.recorded, self.events = [], []
        before = self.engine.space.dirty
        reply = self.engine.execute(self.session, argv)
        while self.session.blocked:
            self.engine.enter()
            self.engine.tick()
            self.engine.leave()
        if self._late:
            reply = self._late.pop()
        self.changes = self.engine.space.dirty - before
        return reply.text if isinstance(reply, CommandError) else reply

    def value(self, key: str) -> Any:
        """What the keyspace holds."""
        entry = self.session.database.find(key.encode())
        return None if entry is None else entry.value
