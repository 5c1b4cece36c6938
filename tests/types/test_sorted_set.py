"""Sorted sets in both forms against a dictionary sorted by score and member."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.limits import Limits
from alcove.types.sorted_set import ADDED, CHANGED, SAME, SortedSet

SCORES = st.sampled_from([-math.inf, -2.5, -0.0, 0.0, 1.0, 1e-300, 3.0, math.inf]) | st.floats(allow_nan=False)
MEMBERS = st.sampled_from([b"%c" % letter for letter in range(97, 117)]) | st.binary(max_size=70)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), MEMBERS, SCORES),
        st.tuples(st.just("put"), MEMBERS, SCORES),
        st.tuples(st.just("remove"), MEMBERS, SCORES),
        st.tuples(st.just("range"), MEMBERS, SCORES),
    ),
    max_size=60,
)


def limits(entries: int, value: int = 64) -> Limits:
    bounds = Limits()
    bounds.zset_max_listpack_entries = entries
    bounds.zset_max_listpack_value = value
    return bounds


def ordered(model: dict[bytes, float]) -> list[tuple[bytes, float]]:
    return sorted(model.items(), key=lambda item: (item[1], item[0]))


def agree(zset: SortedSet, model: dict[bytes, float]) -> None:
    zset._check()
    pairs = ordered(model)
    assert len(zset) == len(model)
    assert zset.pairs(0, len(model)) == pairs
    assert zset.members(0, len(model), True) == [member for member, _ in reversed(pairs)]
    dense = [(zset.member_at(position), zset.score_at(position)) for position in range(len(model))]
    assert sorted(dense) == sorted(model.items())
    for rank, (member, score) in enumerate(pairs):
        assert zset.rank(member) == rank
        assert zset.score(member) == score


@pytest.mark.parametrize("entries", [0, 5, 128])
@given(steps=STEPS, rng=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_steps(entries: int, steps: list[tuple[str, bytes, float]], rng: random.Random) -> None:
    zset = SortedSet(limits(entries))
    model: dict[bytes, float] = {}
    largest = longest = 0
    for kind, member, score in steps:
        if kind == "put":
            expected = ADDED if member not in model else SAME if model[member] == score else CHANGED
            assert zset.put(member, score) == expected
            if expected != SAME:
                model[member] = score
        elif kind == "remove":
            assert zset.remove(member) is (model.pop(member, None) is not None)
            assert zset.score(member) is None
            assert zset.rank(member) == -1
        else:
            start = rng.randint(0, len(model))
            stop = rng.randint(start, len(model))
            for gone, _ in ordered(model)[start:stop]:
                del model[gone]
            zset.delete_range(start, stop)
        largest = max(largest, len(model))
        longest = max([longest, *map(len, model)])
        agree(zset, model)
        assert zset.encoding == (b"skiplist" if largest > entries or longest > 64 else b"listpack")
    agree(zset.copy(), model)


@pytest.mark.parametrize("size", [100, 129, 5000])
def test_ranges(size: int) -> None:
    rng = random.Random(size)
    zset = SortedSet(Limits())
    model = {b"m%d" % at: float(rng.randrange(size // 3)) for at in range(size)}
    for member, score in model.items():
        assert zset.put(member, score) == ADDED
    agree(zset, model)
    pairs = ordered(model)
    for _ in range(100):
        start = rng.randrange(size)
        stop = rng.randint(start, size)
        assert zset.pairs(start, stop) == pairs[start:stop]
        assert zset.scores(start, stop) == array("d", [score for _, score in pairs[start:stop]]).tobytes()
        assert zset.pairs(start, stop, True) == pairs[::-1][start:stop]
        assert zset.members(start, stop, True) == [member for member, _ in pairs[::-1][start:stop]]
        if start < stop:
            members = [member for member, _ in pairs[start:stop]]
            assert zset.members_between(start, stop - 1) == members
            assert zset.members_between(start - size, stop - 1 - size) == members
        score = rng.choice([-1.0, 0.5, float(rng.randrange(size))])
        assert zset.count_below(score, False) == sum(own < score for own in model.values())
        assert zset.count_below(score, True) == sum(own <= score for own in model.values())


@pytest.mark.parametrize("size", [100, 129])
def test_popping(size: int) -> None:
    zset = SortedSet(Limits())
    model = {b"m%d" % at: float(at // 2) for at in range(size)}
    for member, score in model.items():
        zset.put(member, score)
    while model:
        highest = len(model) % 3 == 0
        expected = ordered(model)[-1 if highest else 0]
        assert zset.pop(highest) == expected
        del model[expected[0]]
        agree(zset, model)


@pytest.mark.parametrize("size", [100, 1000])
def test_members_of_one_score(size: int) -> None:
    zset = SortedSet(Limits())
    names = [b"%x" % (at * 7919) for at in range(size)]
    for name in names:
        zset.put(name, 1.5)
    names.sort()
    for name in [b"", b"5", *names[::50], b"zzz"]:
        assert zset.count_before(name, False) == sum(own < name for own in names)
        assert zset.count_before(name, True) == sum(own <= name for own in names)


def test_form_follows_what_is_expected() -> None:
    zset = SortedSet(limits(4, 8))
    zset.expect(4, 8)
    assert zset.encoding == b"listpack"
    zset.expect(5, 8)
    assert zset.encoding == b"skiplist"
    long = SortedSet(limits(4, 8))
    long.expect(1, 9)
    assert long.encoding == b"skiplist"
    agree(long, {})


@pytest.mark.parametrize("size", [10, 1000])
def test_drain(size: int) -> None:
    zset = SortedSet(Limits())
    for at in range(size):
        zset.put(b"%d" % at, float(at))
    before = zset.footprint()
    slices = 1
    while not zset.drain(300):
        slices += 1
    assert slices == (1 if size == 10 else 4)
    assert zset.footprint() < before


def test_footprint_counts_the_members() -> None:
    small = SortedSet(Limits())
    large = SortedSet(Limits())
    for at in range(1000):
        small.put(b"%d" % at, float(at))
        large.put(b"%d" % at + bytes(1000), float(at))
    assert large.footprint() - small.footprint() > 900_000
