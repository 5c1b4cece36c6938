"""Sets and maps with positions against dictionaries."""

from __future__ import annotations

import gc
import random

import pytest

from alcove.types import dense_map
from alcove.types.dense_map import ByteMap, DenseSet, ScoreMap

KEYS = [b"", b"key", *(b"key:%d" % n for n in range(60)), b"x" * 200]
# Values up to the first of these are copied in the compiled build, larger ones kept as objects.
LARGE = [256, 257, 3000]


@pytest.mark.parametrize("seed", range(40))
def test_set_of_keys(seed: int) -> None:
    chance = random.Random(seed)
    found, model = DenseSet(), set()
    for _ in range(200):
        key = chance.choice(KEYS)
        if chance.random() < 0.6:
            assert found.add(key) == (key not in model)
            model.add(key)
        else:
            assert found.delete(key) == (key in model)
            model.discard(key)
        found._check()
        assert len(found) == len(model)
        assert (key in found) == (key in model)
    assert sorted(found.keys()) == sorted(model)
    assert found.keys() == [found.key_at(position) for position in range(len(found))]
    assert all(found.find(key) == position for position, key in enumerate(found.keys()))


@pytest.mark.parametrize("seed", range(40))
def test_map_of_bytes(seed: int) -> None:
    chance = random.Random(seed)
    found, model = ByteMap(), {}
    for _ in range(200):
        key, value = chance.choice(KEYS), chance.randbytes(chance.choice([*range(40), *LARGE]))
        operation = chance.randrange(5)
        if operation < 3:
            assert found.set(key, value) == (key not in model)
            model[key] = value
        elif operation == 3:
            assert found.delete(key) == (key in model)
            model.pop(key, None)
        elif model:
            position = chance.randrange(len(model))
            model.pop(found.key_at(position))
            found.delete_at(position)
        if chance.random() < 0.05:
            found = found.copy()
        found._check()
        assert found.get(key) == model.get(key)
    assert dict(zip(found.keys(), found.values(), strict=True)) == model
    assert [found.value_at(found.find(key)) for key in model] == list(model.values())
    items = found.items()
    assert (items[::2], items[1::2]) == (found.keys(), found.values())


@pytest.mark.parametrize("seed", range(40))
def test_map_of_scores(seed: int) -> None:
    chance = random.Random(seed)
    found, model = ScoreMap(), {}
    for _ in range(200):
        key, score = chance.choice(KEYS), chance.choice([0.0, -1.0, 1.5, float("inf"), chance.random()])
        if chance.random() < 0.7:
            assert found.set(key, score) == (key not in model)
            model[key] = score
        else:
            assert found.delete(key) == (key in model)
            model.pop(key, None)
        found._check()
        assert found.get(key) == model.get(key)
    for key, score in model.items():
        position = found.find(key)
        assert found.value_at(position) == score
        found.set_at(position, -score)
        assert found.get(key) == -score
    assert found.copy().keys() == found.keys()


def test_growing_and_shrinking() -> None:
    found = ByteMap()
    for n in range(5000):
        found.set(b"%d" % n, b"value %d" % n)
    found._check()
    full = found.footprint()
    order = list(range(5000))
    random.Random(7).shuffle(order)
    for n in order[:4990]:
        assert found.delete(b"%d" % n)
    found._check()
    assert found.footprint() < full / 50
    assert sorted(found.keys()) == sorted(b"%d" % n for n in order[4990:])
    for n in range(5000):
        found.set(b"%d" % n, b"again")
    found._check()
    assert len(found) == 5000


def test_a_cursor_that_walks_down_misses_nothing() -> None:
    chance = random.Random(3)
    found = DenseSet()
    kept = [b"kept %d" % n for n in range(200)]
    for n, key in enumerate(kept):
        found.add(key)
        found.add(b"passing %d" % n)
    cursor, seen = len(found), set()
    while cursor:
        cursor = min(cursor, len(found)) - 1
        seen.add(found.key_at(cursor))
        found.delete(b"passing %d" % chance.randrange(200))
        found.add(b"new %d" % cursor)
    assert seen.issuperset(kept)


@pytest.mark.parametrize("make", [DenseSet, ByteMap, ScoreMap])
def test_draining_in_slices(make: type[DenseSet]) -> None:
    found = make()
    for n in range(25):
        if isinstance(found, ByteMap):
            found.set(b"%d" % n, b"value")
        elif isinstance(found, ScoreMap):
            found.set(b"%d" % n, 1.0)
        else:
            found.add(b"%d" % n)
    assert [found.drain(10) for _ in range(3)] == [False, False, True]
    assert len(found) == 0
    assert make().drain(1)


def test_positions_outside() -> None:
    found = ByteMap()
    found.set(b"a", b"1")
    for position in (-1, 1):
        for method in (found.key_at, found.value_at, found.delete_at):
            with pytest.raises(IndexError):
                method(position)
        with pytest.raises(IndexError):
            found.set_at(position, b"2")
    with pytest.raises(TypeError):
        found.add(b"b")


def test_the_kept_key_is_the_object_added() -> None:
    scores, member = ScoreMap(), bytes(bytearray(b"member"))
    scores.set(member, 1.0)
    scores.set(bytes(bytearray(b"member")), 2.0)
    assert scores.key_at(0) is member


def test_a_large_value_is_the_object_that_was_set() -> None:
    found, value = ByteMap(), bytes(257)
    found.set(b"key", b"small")
    found.set(b"key", value)
    assert found.get(b"key") is value
    assert found.copy().get(b"key") is value


def test_a_short_field_costs_little() -> None:
    compiled = not str(dense_map.__file__).endswith(".py")
    found = ByteMap()
    empty = found.footprint()
    for n in range(4096):
        found.set(b"field:%010d" % n, b"value:%010d" % n)
    assert ((found.footprint() - empty) / 4096 < 16 + 4 + 48 + 1) == compiled


def test_the_collector_sees_no_element() -> None:
    found = ByteMap()
    found.set(b"key", b"value")
    assert not any(gc.is_tracked(element) for element in (*found.keys(), *found.values()))
