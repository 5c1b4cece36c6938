"""What the stream commands record replays to the same streams, groups and pending entries."""

from __future__ import annotations

import random
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.types.stream import Stream
from alcove.types.stream_group import delivery_count, delivery_ms
from alcove.types.stream_id import LAST, ZERO
from tests.comparison.stream import GENERATORS, NAMES, deletion, trimming, xadd, xreadgroup


class Recorder:
    """An engine with a clock of its own, and what it recorded."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.engine = Engine(clock=self.clock)
        self.engine.space.limits.stream_node_max_entries = 4
        self.engine.space.recording = True
        self.engine.sinks.append(self)
        self.session = self.engine.connect("embedded")
        self.recorded: list[list[bytes]] = []

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        self.recorded += [list(argv) for _, argv in batch]

    def run(self, argv: list[bytes]) -> Any:
        reply = self.engine.execute(self.session, argv)
        while self.session.blocked:
            self.clock.advance(0.002)
            self.engine.enter()
            self.engine.tick()
            self.engine.leave()
        return reply

    def contents(self) -> dict[bytes, Any]:
        """Everything about every stream but when consumers were last seen."""
        found = {}
        for entry in self.session.database.entries():
            if isinstance(entry.value, Stream):
                stream = entry.value
                stream._check()
                groups = {group.name: self.group(stream, group.name) for group in stream.groups()}
                counters = (stream.last_id, stream.first_id, stream.max_deleted_id, stream.entries_added)
                found[entry.key] = (stream.range(ZERO, LAST), counters, groups)
        return found

    def group(self, stream: Stream, name: bytes) -> Any:
        group = stream.group(name)
        assert group is not None
        pending = [
            (record[:16], group.owner(record).name, delivery_ms(record), delivery_count(record))
            for record in group.pending.page(ZERO, 10_000)
        ]
        return group.last_id, group.entries_read, [consumer.name for consumer in group.consumers()], pending


def generate(chance: random.Random) -> list[bytes]:
    """As for the comparison, with the options that the real servers here do not know."""
    references = [chance.choice([b"DELREF", b"ACKED", b"KEEPREF"])]
    roll = chance.random()
    key = chance.choice([b"a", b"b"])
    if roll < 0.08:
        return [b"XTRIM", key, *trimming(chance), *references]
    if roll < 0.14:
        words = xadd(chance)
        return [b"XADD", words[0], *references, *trimming(chance), *words[-3:]]
    if roll < 0.22:
        return [b"XREADGROUP", b"CLAIM", chance.choice([b"0", b"5", b"1000"]), *xreadgroup(chance)]
    if roll < 0.28:
        return [b"XDELEX", key, *deletion(chance)]
    if roll < 0.34:
        return [b"XACKDEL", key, b"g", *deletion(chance)]
    name = chance.choice(NAMES)
    return [name, *GENERATORS[name](chance)]


@pytest.mark.parametrize("seed", range(12))
def test_random_commands(seed: int) -> None:
    chance = random.Random(seed)
    original = Recorder(ManualClock())
    for _ in range(700):
        original.clock.advance(chance.choice([0, 0.001, 0.02]))
        argv = generate(chance)
        before = len(original.recorded)
        contents = original.contents() if chance.random() < 0.1 else None
        original.run(argv)
        if contents is not None and len(original.recorded) == before:
            assert original.contents() == contents, argv
    # As on a restart, later: a delivery time in the future would be taken for now.
    replayed = Recorder(original.clock)
    for argv in original.recorded:
        reply = replayed.engine.execute(replayed.session, argv)
        assert not isinstance(reply, CommandError), (argv, reply)
    assert replayed.contents() == original.contents()
    assert original.recorded
