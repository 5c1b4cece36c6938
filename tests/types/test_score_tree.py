"""The score tree against a sorted list: every range, rank and count, with its invariants checked on the way."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right, insort

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.score_tree import ScoreTree

SCORES = st.sampled_from([-math.inf, -1e300, -1.5, -0.0, 0.0, 1.0, 1.5, 2.0, 1e300, math.inf])
MEMBERS = st.binary(max_size=3)


def filled(elements: list[tuple[float, bytes]]) -> ScoreTree:
    tree = ScoreTree()
    for score, member in elements:
        tree.insert(score, member)
    return tree


def agree(tree: ScoreTree, model: list[tuple[float, bytes]]) -> None:
    tree._check()
    assert len(tree) == len(model)
    assert tree.members(0, len(model)) == [member for _, member in model]
    assert tree.pairs(0, len(model)) == [(member, score) for score, member in model]


@given(st.lists(st.tuples(st.sampled_from("iiid"), SCORES, MEMBERS), max_size=300))
@settings(max_examples=150, deadline=None)
def test_insert_and_delete(steps: list[tuple[str, float, bytes]]) -> None:
    tree = ScoreTree()
    model: list[tuple[float, bytes]] = []
    for kind, score, member in steps:
        present = (score, member) in model
        if kind == "d":
            assert tree.delete(score, member) is present
            if present:
                model.remove((score, member))
        elif not present:
            tree.insert(score, member)
            insort(model, (score, member))
        assert tree.rank(score, member) == (model.index((score, member)) if (score, member) in model else -1)
    agree(tree, model)


def growth(order: str, size: int, rng: random.Random) -> list[tuple[float, bytes]]:
    elements = [(float(at // 3), b"%07d" % at) for at in range(size)]
    if order == "falling":
        elements.reverse()
    elif order == "random":
        rng.shuffle(elements)
    elif order == "equal":
        elements = [(7.0, member) for _, member in elements]
        rng.shuffle(elements)
    return elements


@pytest.mark.parametrize("order", ["rising", "falling", "random", "equal"])
def test_grows_and_shrinks(order: str) -> None:
    rng = random.Random(order)
    elements = growth(order, 9000, rng)
    tree = filled(elements)
    model = sorted(elements)
    agree(tree, model)
    for _ in range(200):
        start = rng.randrange(len(model))
        stop = rng.randint(start, min(len(model), start + 300))
        assert tree.members(start, stop) == [member for _, member in model[start:stop]]
        assert tree.rank(*model[start]) == start
    rng.shuffle(elements)
    for step, element in enumerate(elements):
        assert tree.delete(*element) is True
        assert tree.delete(*element) is False
        if step % 500 == 0:
            del model[:]
            model += sorted(elements[step + 1 :])
            agree(tree, model)
    agree(tree, [])


def test_mixed_load_keeps_the_invariants() -> None:
    rng = random.Random(1)
    tree = ScoreTree()
    model: list[tuple[float, bytes]] = []
    for step in range(30_000):
        growing = step // 5000 % 2 == 0
        if not model or rng.random() < (0.8 if growing else 0.2):
            element = (rng.choice([rng.random(), float(rng.randrange(5))]), b"%d" % rng.randrange(10**9))
            tree.insert(*element)
            insort(model, element)
        else:
            tree.delete(*model.pop(rng.randrange(len(model))))
        if step % 1000 == 0:
            agree(tree, model)
    agree(tree, model)


@given(st.lists(st.tuples(SCORES, MEMBERS), max_size=200, unique=True), SCORES, st.booleans())
@settings(deadline=None)
def test_count_below(elements: list[tuple[float, bytes]], score: float, inclusive: bool) -> None:
    scores = sorted(score for score, _ in elements)
    expected = bisect_right(scores, score) if inclusive else bisect_left(scores, score)
    assert filled(elements).count_below(score, inclusive) == expected


@given(st.sets(MEMBERS, max_size=200), MEMBERS, st.booleans())
@settings(deadline=None)
def test_count_before(members: set[bytes], member: bytes, inclusive: bool) -> None:
    tree = filled([(0.0, member) for member in members])
    order = sorted(members)
    expected = bisect_right(order, member) if inclusive else bisect_left(order, member)
    assert tree.count_before(member, inclusive) == expected


def test_counts_in_a_tree_of_many_levels() -> None:
    rng = random.Random(2)
    elements = [(float(rng.randrange(1000)), b"%d" % at) for at in range(20_000)]
    tree = filled(elements)
    scores = sorted(score for score, _ in elements)
    for score in [-1.0, 0.0, 0.5, 500.0, 999.0, 1000.0, math.inf, -math.inf]:
        assert tree.count_below(score, False) == bisect_left(scores, score)
        assert tree.count_below(score, True) == bisect_right(scores, score)
    lex = filled([(0.0, member) for _, member in elements])
    order = sorted(member for _, member in elements)
    for member in [b"", b"0", b"1", b"12345", b"12345x", b"9", b"99999999"]:
        assert lex.count_before(member, False) == bisect_left(order, member)
        assert lex.count_before(member, True) == bisect_right(order, member)


@pytest.mark.parametrize("size", [1, 64, 65, 3000, 20_000])
def test_delete_range(size: int) -> None:
    rng = random.Random(size)
    elements = [(rng.random(), b"%d" % at) for at in range(size)]
    tree = filled(elements)
    model = sorted(elements)
    while model:
        start = rng.randrange(len(model))
        stop = rng.randint(start, min(len(model), start + max(1, size // 7)))
        assert tree.delete_range(start, stop) == [member for _, member in model[start:stop]]
        del model[start:stop]
        agree(tree, model)
    tree.insert(1.0, b"again")
    agree(tree, [(1.0, b"again")])


@pytest.mark.parametrize("size", [1, 64, 65, 3000])
def test_pop(size: int) -> None:
    rng = random.Random(size)
    elements = [(float(rng.randrange(50)), b"%d" % at) for at in range(size)]
    tree = filled(elements)
    model = sorted(elements)
    while model:
        highest = rng.random() < 0.3
        score, member = model.pop(-1 if highest else 0)
        assert tree.pop(highest) == (member, score)
        if len(model) % 100 == 0:
            agree(tree, model)


def test_copies_are_independent() -> None:
    elements = [(float(at % 7), b"%d" % at) for at in range(1000)]
    tree = filled(elements)
    twin = tree.copy()
    agree(twin, sorted(elements))
    twin.delete_range(0, 500)
    twin.insert(3.0, b"new")
    agree(tree, sorted(elements))
    agree(ScoreTree().copy(), [])


def test_drain_frees_in_slices() -> None:
    tree = filled([(float(at), b"%d" % at) for at in range(1000)])
    full = tree.footprint()
    drained = [tree.drain(300), tree.drain(300), tree.drain(300)]
    assert drained == [False, False, False]
    assert len(tree) == 100
    assert tree.footprint() < full
    assert tree.drain(300) is True
    agree(tree, [])


def test_ends() -> None:
    tree = ScoreTree()
    agree(tree, [])
    assert tree.rank(0.0, b"") == -1
    assert tree.delete(0.0, b"") is False
    assert tree.count_below(0.0, True) == 0
    assert tree.delete_range(0, 0) == []
    assert tree.drain(10) is True
    tree.insert(-0.0, b"a")
    assert tree.rank(0.0, b"a") == 0
    assert math.copysign(1, tree.pairs(0, 1)[0][1]) == -1
