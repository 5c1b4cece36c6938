"""Hashes against dictionaries, with and without deadlines of fields."""

from __future__ import annotations

import random

import pytest

from alcove.types.hash import Hash
from alcove.types.limits import Limits

FIELDS = [b"field %d" % number for number in range(20)] + [b"%d" % number for number in range(10)] + [b"", b"f" * 40]
VALUES = [b"", b"1", b"-1", b"value", b"100000000000000", b"v" * 40]


def limits() -> Limits:
    small = Limits()
    small.hash_max_listpack_entries = 12
    small.hash_max_listpack_value = 30
    return small


def filled(number: int) -> Hash:
    found = Hash(limits())
    for place in range(number):
        found.set(b"%d" % place, b"value")
    return found


@pytest.mark.parametrize("seed", range(40))
def test_random_operations(seed: int) -> None:
    chance = random.Random(seed)
    fields = FIELDS[: [8, 29, 33][seed % 3]]
    found, model, deadlines = Hash(limits()), {}, {}
    for _ in range(200):
        field, value = chance.choice(fields), chance.choice(VALUES[: 5 + seed % 2])
        operation = chance.randrange(8)
        if operation < 3:
            keep = chance.random() < 0.3
            assert found.set(field, value, keep) == (field not in model)
            model[field] = value
            if not keep:
                deadlines.pop(field, None)
        elif operation == 3:
            assert found.remove(field) == (field in model)
            model.pop(field, None)
            deadlines.pop(field, None)
        elif operation in (4, 5) and field in model:
            deadline = chance.choice([0, *range(1, 40)])
            found.set_deadline(field, deadline)
            deadlines[field] = deadline
        elif operation == 6:
            now, limit = chance.randrange(20), chance.choice([1, 3, 100])
            due = [name for name, deadline in deadlines.items() if 0 < deadline <= now]
            gone = found.expire_fields(now, limit)
            assert len(gone) == min(len(due), limit)
            assert set(gone) <= set(due)
            for name in gone:
                del model[name], deadlines[name]
        elif operation == 7 and chance.random() < 0.2:
            found = found.copy()
        found._check()
        assert len(found) == len(model)
        assert found.get(field) == model.get(field)
        assert found.contains(field) == (field in model)
        assert found.deadline(field) == deadlines.get(field, 0)
        assert found.next_deadline == min(filter(None, deadlines.values()), default=0)
    assert dict(zip(found.fields(), found.values(), strict=True)) == model
    positions = range(len(found))
    assert [found.field_at(position) for position in positions] == found.fields() == found.items()[::2]
    assert [found.value_at(position) for position in positions] == found.values()


def test_forms() -> None:
    assert filled(0).encoding == b"listpack"
    assert filled(12).encoding == b"listpack"
    assert filled(13).encoding == b"hashtable"
    for field, value in ((b"f" * 31, b"v"), (b"f", b"v" * 31)):
        found = filled(2)
        found.set(field, value)
        found._check()
        assert found.encoding == b"hashtable"
    found = filled(3)
    found.expect(12)
    assert found.encoding == b"listpack"
    found.expect(13)
    found._check()
    assert found.encoding == b"hashtable"


def test_a_deadline_changes_the_name_of_the_form() -> None:
    found = filled(3)
    found.set_deadline(b"1", 1000)
    assert found.encoding == b"listpackex"
    found.set_deadline(b"1", 0)
    assert found.encoding == b"listpackex"
    found.set(b"f" * 31, b"value")
    assert found.encoding == b"hashtable"


def test_fields_expire_in_order_and_in_slices() -> None:
    found = filled(200)
    for place in range(0, 200, 2):
        found.set_deadline(b"%d" % place, 1000 + place)
    assert found.next_deadline == 1000
    assert found.expire_fields(999, 10) == []
    assert found.expire_fields(1010, 3) == [b"0", b"2", b"4"]
    assert found.next_deadline == 1006
    assert found.expire_fields(1010, 10) == [b"6", b"8", b"10"]
    assert len(found.expire_fields(5000, 1000)) == 94
    assert found.next_deadline == 0
    assert len(found) == 100
    found._check()


def test_draining_in_slices() -> None:
    found = filled(25)
    found.set_deadline(b"1", 1000)
    assert [found.drain(10) for _ in range(3)] == [False, False, True]
    assert filled(5).drain(1)


def test_memory_is_accounted() -> None:
    assert filled(5).footprint() < filled(12).footprint() < filled(100).footprint()
    found = filled(100)
    before = found.footprint()
    found.set_deadline(b"1", 1000)
    assert found.footprint() > before
    found.set_deadline(b"1", 0)
    assert found.footprint() == before
    found.set(b"1", b"x" * 1000)
    assert found.footprint() >= before + 900


def test_positions_outside() -> None:
    for found in (filled(3), filled(30)):
        with pytest.raises(IndexError):
            found.field_at(len(found))
        with pytest.raises(IndexError):
            found.value_at(len(found))


def test_several_at_once() -> None:
    found = Hash(limits())
    assert found.set_all((b"a", b"1", b"b", b"2", b"a", b"3")) == 2
    assert found.get_all((b"a", b"x", b"b")) == [b"3", None, b"2"]
    assert found.set_all(tuple(b"%d" % (number // 2) for number in range(26))) == 13
    assert found.encoding == b"hashtable"
    assert found.remove_all((b"a", b"x", b"b", b"a")) == 2
    found._check()
    assert len(found) == 13
