"""Sets against Python's, through all their forms."""

from __future__ import annotations

import gc
import random

import pytest

from alcove.types.limits import Limits
from alcove.types.set import Set, common, difference, union

POOLS = {
    "integers": [b"%d" % n for n in range(-30, 30)],
    "words": [b"word %d" % n for n in range(60)],
    "mixed": [b"%d" % n for n in range(30)] + [b"word %d" % n for n in range(30)],
    "long": [b"%d" % n for n in range(30)] + [b"x" * 30 + b"%d" % n for n in range(5)],
}


def limits() -> Limits:
    small = Limits()
    small.set_max_intset_entries = 16
    small.set_max_listpack_entries = 12
    small.set_max_listpack_value = 20
    return small


def filled(members: list[bytes], within: Limits) -> Set:
    found = Set(within)
    for member in members:
        found.add(member)
    return found


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("seed", range(12))
def test_random_operations(seed: int, pool: str) -> None:
    chance = random.Random(seed)
    found, model = Set(limits()), set()
    for _ in range(150):
        member = chance.choice(POOLS[pool])
        operation = chance.randrange(6)
        if operation < 3:
            assert found.add(member) == (member not in model)
            model.add(member)
        elif operation == 3:
            assert found.remove(member) == (member in model)
            model.discard(member)
        elif operation == 4 and model:
            model.remove(found.pop_at(chance.randrange(len(model))))
        elif operation == 5 and chance.random() < 0.2:
            found = found.copy()
        found._check()
        assert found.contains(member) == (member in model)
        assert len(found) == len(model)
    assert sorted(found.members()) == sorted(model)
    assert found.members_between(0, len(found)) == found.members()


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        ([], b"intset"),
        ([b"1", b"-5"], b"intset"),
        ([b"%d" % n for n in range(16)], b"intset"),
        ([b"%d" % n for n in range(17)], b"hashtable"),
        ([b"01"], b"listpack"),
        ([b"9223372036854775808"], b"listpack"),
        ([*(b"%d" % n for n in range(11)), b"a"], b"listpack"),
        ([*(b"%d" % n for n in range(12)), b"a"], b"hashtable"),
        ([b"a", *(b"%d" % n for n in range(11))], b"listpack"),
        ([b"a", *(b"%d" % n for n in range(12))], b"hashtable"),
        ([b"x" * 20], b"listpack"),
        ([b"x" * 21], b"hashtable"),
        ([b"1", b"x" * 21], b"hashtable"),
    ],
)
def test_forms(members: list[bytes], encoding: bytes) -> None:
    found = filled(members, limits())
    found._check()
    assert found.encoding == encoding


def test_an_integer_too_long_for_a_listpack() -> None:
    within = limits()
    within.set_max_listpack_value = 5
    assert filled([b"1", b"-12345", b"a"], within).encoding == b"hashtable"
    assert filled([b"1", b"12345", b"a"], within).encoding == b"listpack"


@pytest.mark.parametrize(
    ("present", "first", "number", "encoding"),
    [
        ([], b"1", 16, b"intset"),
        ([], b"1", 17, b"hashtable"),
        ([], b"a", 12, b"listpack"),
        ([], b"a", 13, b"hashtable"),
        ([b"1"], b"a", 16, b"intset"),
        ([b"1"], b"a", 17, b"hashtable"),
        ([b"a"], b"1", 12, b"listpack"),
        ([b"a"], b"1", 13, b"hashtable"),
    ],
)
def test_forms_by_what_is_expected(present: list[bytes], first: bytes, number: int, encoding: bytes) -> None:
    found = filled(present, limits())
    found.expect(first, number)
    found._check()
    assert found.encoding == encoding
    assert found.members() == present


def test_several_at_once() -> None:
    found = Set(limits())
    assert found.add_all((b"1", b"2", b"1")) == 2
    assert found.encoding == b"intset"
    assert found.add_all(tuple(b"1" for _ in range(17))) == 0
    assert found.encoding == b"hashtable"
    assert found.remove_all((b"2", b"x", b"2")) == 1
    found._check()
    assert found.members() == [b"1"]


def test_a_set_of_few_made_small_again() -> None:
    found = filled([b"word %d" % number for number in range(13)], limits())
    found.compact()
    assert found.encoding == b"hashtable"
    found.remove(b"word 0")
    found.compact()
    found._check()
    assert found.encoding == b"listpack"
    long = filled([b"x" * 30], limits())
    long.compact()
    assert long.encoding == b"hashtable"


def test_draining_in_slices() -> None:
    found = filled([b"word %d" % n for n in range(25)], limits())
    assert [found.drain(10) for _ in range(3)] == [False, False, True]
    assert filled([b"1"], limits()).drain(1)


def test_memory_grows_with_what_is_added() -> None:
    sizes = [filled([b"%d" % n * 4 for n in range(count)], Limits()).footprint() for count in (1, 10, 100, 1000)]
    assert sizes == sorted(sizes)
    assert 4000 < sizes[-1] < 250_000


def test_a_copy_is_a_set_of_its_own() -> None:
    for pool in POOLS.values():
        found = filled(pool, limits())
        twin = found.copy()
        twin.remove(pool[0])
        twin.add(b"another")
        twin._check()
        assert sorted(found.members()) == sorted(pool)


def test_positions_outside() -> None:
    for found in (Set(limits()), filled([b"1"], limits()), filled([b"a"], limits())):
        with pytest.raises(IndexError):
            found.member_at(len(found))
        with pytest.raises(IndexError):
            found.pop_at(len(found))


def test_the_collector_sees_no_member() -> None:
    found = filled([b"word %d" % n for n in range(100)], limits())
    assert not any(gc.is_tracked(member) for member in found.members())


@pytest.mark.parametrize("seed", range(20))
def test_combinations(seed: int) -> None:
    chance = random.Random(seed)
    pool = POOLS[chance.choice(list(POOLS))]
    models = [set(chance.sample(pool, chance.randint(1, len(pool)))) for _ in range(chance.randint(1, 4))]
    sets = [filled(list(model), limits()) for model in models]
    shared = set.intersection(*models)
    assert sorted(common(sets)) == sorted(shared)
    limit = chance.randint(1, 5)
    few = common(sets, limit)
    assert len(few) == min(limit, len(shared))
    assert set(few) <= shared
    assert set(union(sets)) == set.union(*models)
    assert sorted(difference(sets[0], sets[1:])) == sorted(models[0].difference(*models[1:]))
