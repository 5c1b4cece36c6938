"""Streams against a plain list of entries: reading, deleting, trimming, and the counters of groups."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.limits import Limits
from alcove.types.stream import ACKNOWLEDGED, DROP_REFERENCES, KEEP_REFERENCES, Stream
from alcove.types.stream_group import UNKNOWN, Group
from alcove.types.stream_id import LAST, ZERO, pack, text

NOW = 1_700_000_000_000


def small_limits(entries: int = 4) -> Limits:
    limits = Limits()
    limits.stream_node_max_entries = entries
    return limits


def filled(count: int, entries: int = 4) -> Stream:
    stream = Stream(small_limits(entries))
    for ms in range(1, count + 1):
        stream.add(pack(ms, 0), [b"f", b"%d" % ms])
    return stream


def ids(stream: Stream) -> list[int]:
    return [int(str(entry[0], "ascii").split("-")[0]) for entry in stream.range(ZERO, LAST)]  # type: ignore[call-overload]


def add(stream: Stream, ms: int) -> None:
    stream.add(pack(ms, 0), [b"data", b"x"])


def read(stream: Stream, group: Group, count: int = -1) -> int:
    consumer = group.consumer(b"alice") or group.create_consumer(b"alice", NOW)
    return len(stream.read_group(group, consumer, count, NOW))


class Model:
    """A stream as a dict, and its groups as dicts of who has what."""

    def __init__(self) -> None:
        self.entries: dict[bytes, list[bytes]] = {}
        self.pending: dict[bytes, dict[bytes, bytes]] = {}
        self.read: dict[bytes, bytes] = {}

    def range(self, start: bytes, stop: bytes, count: int, backwards: bool) -> list[list[object]]:
        chosen = [stream_id for stream_id in sorted(self.entries) if start <= stream_id <= stop]
        chosen = chosen[::-1] if backwards else chosen
        return [[text(stream_id), self.entries[stream_id]] for stream_id in (chosen if count < 0 else chosen[:count])]

    def needed(self, stream_id: bytes) -> bool:
        return any(stream_id > self.read[group] or stream_id in pending for group, pending in self.pending.items())

    def trim(self, maxlen: int, minid: bytes, references: int) -> int:
        before = len(self.entries)
        for stream_id in sorted(self.entries):
            if (maxlen >= 0 and len(self.entries) <= maxlen) or (maxlen < 0 and stream_id >= minid):
                break
            if references == ACKNOWLEDGED and self.needed(stream_id):
                continue
            del self.entries[stream_id]
            if references == DROP_REFERENCES:
                for pending in self.pending.values():
                    pending.pop(stream_id, None)
        return before - len(self.entries)


class Machine:
    """One random operation after the other on a stream and on the model."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        limits = small_limits(chance.choice([0, 1, 3, 10, 100]))
        limits.stream_node_max_bytes = chance.choice([0, 60, 200, 4096])
        self.stream = Stream(limits)
        self.model = Model()
        self.given: list[bytes] = [pack(1, 1)]

    def step(self) -> None:
        chance = self.chance
        operations = [self.add] * 6 + [self.range] * 2 + [self.delete, self.trim, self.group]
        operations += [self.read_group, self.read_group, self.acknowledge, self.consumers, self.whole]
        chance.choice(operations)()
        self.stream._check()
        assert len(self.stream) == len(self.model.entries)

    def some_id(self) -> bytes:
        return self.chance.choice([*self.given[-30:], *self.given[:5], ZERO, LAST])

    def add(self) -> None:
        for _ in range(self.chance.choice([1, 1, 5])):
            stream_id = self.stream.next_id(self.chance.randint(1, 40))
            assert stream_id is not None
            pairs = [b"f", self.chance.randbytes(self.chance.choice([0, 1, 3, 30]))]
            if self.chance.random() < 0.3:
                pairs += [b"%d" % self.chance.randint(0, 3), b"%d" % self.chance.randint(-(2**40), 2**40)]
            self.stream.add(stream_id, pairs)
            self.model.entries[stream_id] = pairs
            self.given.append(stream_id)

    def range(self) -> None:
        start, stop = self.some_id(), self.some_id()
        count, backwards = self.chance.choice([-1, 0, 1, 7]), self.chance.random() < 0.5
        assert self.stream.range(start, stop, count, backwards) == self.model.range(start, stop, count, backwards)
        assert self.stream.has(start) == (start in self.model.entries)
        found = self.stream.find(stop)
        assert found == ([text(stop), self.model.entries[stop]] if stop in self.model.entries else None)
        assert self.stream.last_entry_id() == max(self.model.entries, default=ZERO)

    def delete(self) -> None:
        stream_id = self.some_id()
        assert self.stream.delete(stream_id) == (self.model.entries.pop(stream_id, None) is not None)

    def trim(self) -> None:
        references = self.chance.choice([KEEP_REFERENCES, DROP_REFERENCES, ACKNOWLEDGED])
        if not self.model.pending:
            references = KEEP_REFERENCES
        maxlen = self.chance.choice([-1, len(self.stream), len(self.stream) // 2, max(len(self.stream) - 1, 0)])
        minid = self.some_id()
        dangling = {stream_id for pending in self.model.pending.values() for stream_id in pending}
        dangling -= self.model.entries.keys()
        expected = self.model.trim(maxlen, minid, references)
        assert self.stream.trim(maxlen, minid, False, 0, references)[0] == expected
        if references == DROP_REFERENCES:
            # Entries that had been deleted before may have been forgotten on the way.
            for name, pending in self.model.pending.items():
                group = self.stream.group(name)
                assert group is not None
                for stream_id in dangling & pending.keys():
                    if group.pending.get(stream_id) is None:
                        del pending[stream_id]

    def group(self) -> None:
        name = self.chance.choice([b"g1", b"g2"])
        if name in self.model.pending:
            if self.chance.random() < 0.3:
                assert self.stream.destroy_group(name)
                del self.model.pending[name], self.model.read[name]
        else:
            assert not self.stream.destroy_group(name)
            start = self.some_id()
            self.stream.create_group(name, start, UNKNOWN)
            self.model.pending[name] = {}
            self.model.read[name] = start

    def some_group(self) -> Group | None:
        groups = self.stream.groups()
        return self.chance.choice(groups) if groups else None

    def read_group(self) -> None:
        group = self.some_group()
        if group is None:
            return
        name = self.chance.choice([b"alice", b"bob"])
        consumer = group.consumer(name) or group.create_consumer(name, NOW)
        count = self.chance.choice([-1, 1, 5])
        expected = self.model.range(self.model.read[group.name], LAST, -1, False)
        expected = [entry for entry in expected if entry[0] != text(self.model.read[group.name])]
        expected = expected if count < 0 else expected[:count]
        assert self.stream.read_group(group, consumer, count, NOW) == expected
        for stream_id in sorted(self.model.entries):
            if stream_id > self.model.read[group.name] and [text(stream_id), self.model.entries[stream_id]] in expected:
                self.model.pending[group.name][stream_id] = name
        self.model.read[group.name] = group.last_id
        assert group.last_id == max(self.model.read[group.name], *self.model.pending[group.name], ZERO) or not expected

    def acknowledge(self) -> None:
        group = self.some_group()
        if group is not None:
            stream_id = self.some_id()
            expected = self.model.pending[group.name].pop(stream_id, None) is not None
            assert group.acknowledge(stream_id) == expected

    def consumers(self) -> None:
        group = self.some_group()
        if group is None:
            return
        pending = self.model.pending[group.name]
        for consumer in group.consumers():
            owned = sorted(stream_id for stream_id, name in pending.items() if name == consumer.name)
            assert consumer.pending.page(ZERO, 1000) == owned
        assert [record[:16] for record in group.pending.page(ZERO, 1000)] == sorted(pending)
        if self.chance.random() < 0.2 and group.consumer(b"bob") is not None:
            gone = [stream_id for stream_id, name in pending.items() if name == b"bob"]
            assert group.delete_consumer(b"bob") == len(gone)
            for stream_id in gone:
                del pending[stream_id]

    def whole(self) -> None:
        """A copy, or one loaded from what would be saved, goes on in the place of the stream."""
        twin = self.stream.copy()
        if self.chance.random() < 0.5 and not self.model.pending:
            twin = Stream(self.stream.limits)
            for node in self.stream.nodes():
                twin.load(node.first, node.pack())
            twin.last_id, twin.first_id = self.stream.last_id, self.stream.first_id
            twin.max_deleted_id, twin.entries_added = self.stream.max_deleted_id, self.stream.entries_added
        assert twin.footprint() == self.stream.footprint()
        steps = 0
        while not self.stream.drain(5):
            steps += 1
            assert steps < 1000
        self.stream = twin


@settings(max_examples=80)
@given(st.randoms(use_true_random=False), st.integers(1, 120))
def test_random_operations(chance: random.Random, length: int) -> None:
    machine = Machine(chance)
    for _ in range(length):
        machine.step()


def test_ids_that_are_made() -> None:
    stream = Stream(Limits())
    assert stream.next_id(5) == pack(5, 0)
    assert stream.next_id_in(0) == pack(0, 1)
    stream.add(pack(7, 3), [b"f", b"v"])
    assert stream.next_id(5) == stream.next_id(7) == stream.next_id_in(7) == pack(7, 4)
    assert stream.next_id(8) == stream.next_id_in(8) == pack(8, 0)
    stream.last_id = pack(7, 2**64 - 1)
    assert (stream.next_id(7), stream.next_id_in(7)) == (pack(8, 0), None)
    stream.last_id = LAST
    assert stream.next_id(9) is None
    assert stream.next_id_in(2**64 - 1) is None


def test_nodes_are_closed_by_entries_and_by_bytes() -> None:
    stream = filled(10, entries=4)
    assert [node.live for node in stream.nodes()] == [4, 4, 2]
    stream.limits.stream_node_max_bytes = 1
    add(stream, 11)
    add(stream, 12)
    assert [node.live for node in stream.nodes()] == [4, 4, 2, 1, 1]
    stream.limits.stream_node_max_bytes = stream.limits.stream_node_max_entries = 0
    for ms in range(13, 300):
        add(stream, ms)
    assert [node.live for node in stream.nodes()] == [4, 4, 2, 1, 288]
    stream._check()


def test_exact_trimming_by_length_opens_a_node_and_approximate_does_not() -> None:
    stream = filled(12)
    assert stream.trim(7, ZERO, True, 0, KEEP_REFERENCES) == (4, pack(4, 0))
    assert stream.trim(7, ZERO, False, 0, KEEP_REFERENCES) == (1, pack(5, 0))
    assert ids(stream) == list(range(6, 13))
    assert stream.first_id == pack(6, 0)
    assert stream.max_deleted_id == ZERO
    stream._check()


def test_the_limit_counts_whole_nodes() -> None:
    stream = filled(20)
    assert stream.trim(0, ZERO, True, 7, KEEP_REFERENCES)[0] == 4
    assert stream.trim(-1, pack(99, 0), True, 8, KEEP_REFERENCES)[0] == 8
    assert stream.trim(0, ZERO, True, 3, KEEP_REFERENCES)[0] == 0
    assert len(stream) == 8


def test_trimming_by_id_may_leave_a_node_of_deleted_entries() -> None:
    stream = filled(3)
    stream.delete(pack(3, 0))
    assert stream.trim(-1, pack(3, 0), False, 0, KEEP_REFERENCES) == (2, pack(2, 0))
    assert (len(stream), stream.node_count(), stream.first_id) == (0, 1, ZERO)
    stream._check()
    add(stream, 4)
    assert (ids(stream), stream.first_id, stream.node_count()) == ([4], pack(4, 0), 1)
    stream._check()


def test_trimming_all_keeps_the_last_id() -> None:
    stream = filled(9)
    assert stream.trim(0, ZERO, False, 0, KEEP_REFERENCES)[0] == 9
    assert (len(stream), stream.node_count(), stream.last_id) == (0, 0, pack(9, 0))
    stream._check()
    add(stream, 10)
    assert ids(stream) == [10]


def test_a_long_queue_costs_no_memory_for_what_is_gone() -> None:
    stream = Stream(small_limits(2))
    for ms in range(1, 2000):
        add(stream, ms)
        stream.trim(10, ZERO, False, 0, KEEP_REFERENCES)
    stream._check()
    assert len(stream) == 10
    assert stream.footprint() < 4000


def test_acknowledged_trimming_spares_what_is_needed() -> None:
    stream = filled(12)
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    assert stream.trim(0, ZERO, False, 0, ACKNOWLEDGED)[0] == 0
    read(stream, group, 10)
    for ms in (1, 2, 3, 4, 6, 9):
        group.acknowledge(pack(ms, 0))
    assert stream.trim(9, ZERO, False, 0, ACKNOWLEDGED) == (3, pack(3, 0))
    assert stream.trim(0, ZERO, True, 0, ACKNOWLEDGED) == (3, pack(9, 0))
    assert ids(stream) == [5, 7, 8, 10, 11, 12]
    assert [node.live for node in stream.nodes()] == [3, 3]
    stream._check()


def test_trimming_with_references_forgets_deleted_entries_too() -> None:
    stream = filled(6)
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    read(stream, group)
    stream.delete(pack(2, 0))
    assert stream.trim(3, ZERO, False, 0, DROP_REFERENCES)[0] == 2
    assert [record[:16] for record in group.pending.page(ZERO, 9)] == [pack(4, 0), pack(5, 0), pack(6, 0)]
    stream._check()


def test_lag_is_known_while_nothing_was_deleted() -> None:
    stream = Stream(Limits())
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    assert (group.entries_read, stream.lag(group)) == (UNKNOWN, 0)
    for ms in range(1, 6):
        add(stream, ms)
    assert (group.entries_read, stream.lag(group)) == (UNKNOWN, 5)
    read(stream, group, 1)
    assert (group.entries_read, stream.lag(group)) == (1, 4)
    read(stream, group, 10)
    assert (group.entries_read, stream.lag(group)) == (5, 0)
    add(stream, 6)
    assert (group.entries_read, stream.lag(group)) == (5, 1)


def test_lag_with_a_hole_ahead_is_unknown_until_it_is_passed() -> None:
    stream = filled(5)
    stream.delete(pack(3, 0))
    group, other = stream.create_group(b"g1", ZERO, UNKNOWN), stream.create_group(b"g2", ZERO, UNKNOWN)
    for _ in range(3):
        assert (group.entries_read, stream.lag(group)) == (UNKNOWN, UNKNOWN)
        read(stream, group, 1)
    read(stream, group, 1)
    assert (group.entries_read, stream.lag(group)) == (5, 0)
    add(stream, 6)
    assert (group.entries_read, stream.lag(group)) == (5, 1)
    stream.trim(-1, pack(3, 0), False, 0, KEEP_REFERENCES)
    assert (other.entries_read, stream.lag(other), stream.lag(group)) == (UNKNOWN, 3, 1)
    stream.trim(-1, pack(5, 0), False, 0, KEEP_REFERENCES)
    assert (stream.lag(other), stream.lag(group)) == (2, 1)


def test_lag_when_all_before_the_hole_is_gone() -> None:
    stream = Stream(Limits())
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    add(stream, 1)
    read(stream, group)
    add(stream, 2)
    add(stream, 3)
    stream.delete(pack(2, 0))
    assert (group.entries_read, stream.lag(group)) == (1, UNKNOWN)
    stream.delete(pack(1, 0))
    assert (group.entries_read, stream.lag(group)) == (1, 1)
    read(stream, group)
    assert (group.entries_read, stream.lag(group)) == (3, 0)


def test_lag_of_a_trimmed_and_of_an_empty_stream() -> None:
    stream = Stream(Limits())
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    for ms in range(1, 6):
        add(stream, ms)
    read(stream, group, 1)
    stream.trim(1, ZERO, False, 0, KEEP_REFERENCES)
    assert (group.entries_read, stream.lag(group)) == (1, 1)
    read(stream, group)
    assert (group.entries_read, stream.lag(group)) == (5, 0)
    add(stream, 6)
    stream.trim(0, ZERO, False, 0, KEEP_REFERENCES)
    assert (group.entries_read, stream.lag(group)) == (5, 0)


def test_lag_is_never_negative() -> None:
    stream = filled(3)
    group = stream.create_group(b"g", LAST, UNKNOWN)
    group.entries_read = 5
    assert stream.lag(group) == 0


def test_entries_read_is_capped() -> None:
    assert filled(1).create_group(b"g", LAST, 9999).entries_read == 1


def test_reading_behind_the_last_possible_id() -> None:
    stream = filled(1)
    group = stream.create_group(b"g", LAST, UNKNOWN)
    assert read(stream, group) == 0


def test_nodes_that_are_loaded_must_be_in_order() -> None:
    stream = filled(8)
    first, second = stream.nodes()
    twin = Stream(Limits())
    twin.load(second.first, second.pack())
    with pytest.raises(ValueError, match="order of nodes"):
        twin.load(first.first, first.pack())


def test_memory_is_close_to_what_is_stored() -> None:
    stream = Stream(Limits())
    for ms in range(10_000):
        stream.add(pack(NOW + ms, 0), [b"field", b"value-%d" % ms])
    assert 20 < stream.footprint() / 10_000 < 30
    group = stream.create_group(b"g", ZERO, UNKNOWN)
    before = stream.footprint()
    read(stream, group)
    assert 80 < (stream.footprint() - before) / 10_000 < 120
    assert stream.destroy_group(b"g")
    stream._check()
