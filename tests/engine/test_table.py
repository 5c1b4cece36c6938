"""The table against a dict and a sorted list of deadlines, with its invariants checked as it goes."""

from __future__ import annotations

import gc
import random

import pytest

from alcove.engine import table as table_module
from alcove.engine.table import Table


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_against_a_model(seed: int) -> None:
    chance = random.Random(seed)
    table = Table()
    model: dict[bytes, list[int]] = {}
    now = 0
    for step in range(3000):
        key = b"k%d" % chance.randrange(60)
        entry = table.get(key)
        assert (entry is None) == (key not in model)
        act = chance.random()
        if entry is None:
            table.add(key, key)
            model[key] = [0, 0]
        elif act < 0.25:
            table.remove(entry)
            del model[key]
        elif act < 0.6:
            deadline = chance.choice([0, now + chance.randrange(1, 100)])
            table.set_deadline(entry, deadline)
            model[key][0] = deadline
        elif act < 0.8:
            deadline = chance.choice([0, now + chance.randrange(1, 100)])
            table.set_field_deadline(entry, deadline)
            model[key][1] = deadline
        else:
            now += chance.randrange(10)
            while (entry := table.due(now)) is not None:
                assert min(filter(None, model[entry.key])) <= now
                table.remove(entry)
                del model[entry.key]
            assert all(min(filter(None, times), default=now + 1) > now for times in model.values())
        assert len(table) == len(model)
        if step % 50 == 0:
            table._check()
    table._check()
    assert {table.at(place).key for place in range(len(table))} == set(model)


@pytest.mark.parametrize("present", [0, 1, 100, 5000])
def test_fetching_changes_nothing(present: int) -> None:
    table = Table()
    for number in range(present):
        table.add(b"k%d" % number, b"value")
    table.fetch([b"k%d" % number for number in range(200)])
    table.fetch([])
    table._check()
    assert len(table) == present


def test_a_later_deadline_keeps_its_one_node() -> None:
    table = Table()
    entry = table.add(b"session", b"")
    for deadline in range(10, 1000):
        table.set_deadline(entry, deadline)
    assert table.volatile == 1
    assert table.next_deadline() == 10
    assert table.due(500) is None
    assert table.next_deadline() == 999
    assert table.due(999) is entry


def test_drain_frees_everything_in_steps() -> None:
    table = Table()
    for number in range(100):
        table.set_deadline(table.add(b"%d" % number, b""), number + 1)
    steps = 1
    while not table.drain(30):
        steps += 1
    assert steps == 4
    assert len(table) == 0


def test_only_the_plain_twin_shows_entries_to_the_collector() -> None:
    plain = table_module.__file__.endswith(".py")
    assert gc.is_tracked(Table().add(b"key", b"value")) == plain
