"""Consumer groups: owners, delivery times and counts."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.stream_group import UNKNOWN, Group, Tally, delivery_count, delivery_ms
from alcove.types.stream_id import ZERO, pack


def group_of(*names: bytes) -> Group:
    group = Group(Tally(), b"g", ZERO, UNKNOWN)
    for name in names:
        group.create_consumer(name, 1)
    return group


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_random_operations(chance: random.Random) -> None:
    names = [b"alice", b"bob", b"carol"]
    group, model = group_of(*names), {}
    for _ in range(150):
        stream_id = pack(chance.randrange(40), 0)
        operation = chance.randrange(6)
        if operation < 3:
            name, time_ms, count = chance.choice(names), chance.randrange(5), chance.randrange(9)
            consumer = group.consumer(name) or group.create_consumer(name, 1)
            group.deliver(stream_id, consumer, time_ms, count)
            model[stream_id] = (time_ms, count, name)
        elif operation == 3:
            assert group.acknowledge(stream_id) == (model.pop(stream_id, None) is not None)
        elif operation == 4 and chance.random() < 0.2:
            name = chance.choice(names)
            if group.consumer(name) is not None:
                gone = [key for key, (_, _, owner) in model.items() if owner == name]
                assert group.delete_consumer(name) == len(gone)
                for key in gone:
                    del model[key]
        else:
            limit = chance.randrange(5)
            idle = sorted((time_ms, key) for key, (time_ms, _, _) in model.items() if time_ms <= limit)
            assert all_idle(group, limit) == [key for _, key in idle]
        group._check()
        assert group.oldest_ms() == min((time_ms for time_ms, _, _ in model.values()), default=UNKNOWN)
    for stream_id, (time_ms, count, name) in model.items():
        record = group.pending.get(stream_id)
        assert record is not None
        assert (delivery_ms(record), delivery_count(record), group.owner(record).name) == (time_ms, count, name)
    twin = group.copy(Tally())
    twin._check()
    assert twin.footprint() == group.footprint() == twin.tally.size


def all_idle(group: Group, limit: int) -> list[bytes]:
    """Page by page."""
    found: list[bytes] = []
    page = group.idle_since(limit, b"", 3)
    while page:
        found += page
        page = group.idle_since(limit, page[-1], 3)
    return found


def test_numbers_of_deleted_consumers_are_given_again() -> None:
    group = group_of(b"a", b"b", b"c")
    group.delete_consumer(b"b")
    assert group.create_consumer(b"d", 1).slot == 1
    assert group.create_consumer(b"e", 1).slot == 3
    assert [consumer.name for consumer in group.consumers()] == [b"a", b"c", b"d", b"e"]
    group._check()


def test_the_tally_follows() -> None:
    group = group_of(b"alice")
    consumer = group.consumer(b"alice")
    assert consumer is not None
    for ms in range(100):
        group.deliver(pack(ms, 0), consumer, 1, 1)
        assert group.tally.size == group.footprint()
    group.acknowledge(pack(3, 0))
    assert group.tally.size == group.footprint()
    assert group.delete_consumer(b"alice") == 99
    assert group.tally.size == group.footprint()
    assert group.consumer_count() == 0


def test_draining_goes_in_steps() -> None:
    group = group_of(b"alice", b"bob")
    for ms in range(1000):
        consumer = group.consumer((b"alice", b"bob")[ms % 2])
        assert consumer is not None
        group.deliver(pack(ms, 0), consumer, 1, 1)
    steps = 1
    while not group.drain(100):
        steps += 1
    assert steps > 10
