"""The compact form of sorted sets against a sorted list, with its invariants checked at each step."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right, insort

from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.numeric import format_double
from alcove.types import score_list
from alcove.types.listpack import Listpack
from alcove.types.score_list import ScoreList

# Scores are kept in one, two, four or eight bytes each, sizes in none, one or four: both sides of every border.
BORDERS = [float(sign * (1 << bits) + off) for bits in (7, 15, 31, 53) for sign in (-1, 1) for off in (-1, 0, 1)]
SCORES = st.sampled_from([-0.0, 0.0, 1.0, 2.0]) | st.sampled_from(
    [-math.inf, -1e300, -0.0, 0.0, 1.0, 1.5, math.inf, *BORDERS]
)
MEMBERS = st.binary(max_size=80) | st.sampled_from([bytes(255), bytes(256), b"x" * 255, b"x" * 300, b"12", b"-7"])
ALIKE = st.binary(min_size=2, max_size=2)


def elements_of(members: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[tuple[float, bytes]]]:
    return st.lists(st.tuples(SCORES, members), max_size=40, unique_by=lambda element: element[1])


ELEMENTS = elements_of(MEMBERS) | elements_of(ALIKE) | elements_of(st.one_of(ALIKE, ALIKE, ALIKE, MEMBERS))


def filled(elements: list[tuple[float, bytes]]) -> ScoreList:
    short = ScoreList()
    for score, member in elements:
        short.insert(score, member)
    return short


def agree(short: ScoreList, model: list[tuple[float, bytes]]) -> None:
    short._check()
    assert len(short) == len(model)
    assert short.pairs(0, len(model)) == [(member, score) for score, member in model]
    assert short.members(0, len(model)) == [member for _, member in model]


def listpack(model: list[tuple[float, bytes]]) -> bytes:
    pack = Listpack()
    for score, member in model:
        pack.append(member)
        pack.append(format_double(score + 0.0))
    return pack.to_bytes()


@given(ELEMENTS, st.data())
@settings(deadline=None)
def test_insert_find_and_delete(elements: list[tuple[float, bytes]], data: st.DataObject) -> None:
    short = ScoreList()
    model: list[tuple[float, bytes]] = []
    for score, member in elements:
        assert short.find(member) == -1
        short.insert(score, member)
        insort(model, (score, member))
        agree(short, model)
    for place, (score, member) in enumerate(model):
        assert short.find(member) == place
        assert short.score_at(place) == score
        assert short.member_at(place) == member
    agree(short.copy(), model)
    assert short.packed() == listpack(model)
    while model:
        start = data.draw(st.integers(0, len(model)))
        stop = data.draw(st.integers(start, len(model)))
        assert short.members(start, stop) == [member for _, member in model[start:stop]]
        short.delete_range(start, stop)
        del model[start:stop]
        agree(short, model)
        if start == stop == 0:
            break


@given(ELEMENTS, st.data())
@settings(deadline=None)
def test_other_scores(elements: list[tuple[float, bytes]], data: st.DataObject) -> None:
    short = filled(elements)
    model = sorted(elements)
    for score, member in elements:
        other = data.draw(SCORES)
        short.update(model.index((score, member)), other, member)
        model.remove((score, member))
        insort(model, (other, member))
        agree(short, model)
    assert short.packed() == listpack(model)


@given(ELEMENTS, SCORES, MEMBERS, st.booleans())
@settings(deadline=None)
def test_counts(elements: list[tuple[float, bytes]], score: float, member: bytes, inclusive: bool) -> None:
    bisect = bisect_right if inclusive else bisect_left
    assert filled(elements).count_below(score, inclusive) == bisect(sorted(score for score, _ in elements), score)
    lex = filled([(0.0, member) for _, member in elements])
    assert lex.count_before(member, inclusive) == bisect(sorted(member for _, member in elements), member)


def test_memory_follows_the_content() -> None:
    rng = random.Random(3)
    short = ScoreList()
    empty = short.footprint()
    for at in range(1000):
        short.insert(rng.random(), b"member:%d" % at)
    full = short.footprint()
    assert 1000 * (8 + 8) < full - empty < 1000 * 150
    assert short.copy().footprint() <= full
    short.delete_range(1, 1000)
    short._check()
    assert short.footprint() < full // 10
    assert len(short.members(0, 1)) == 1


def test_what_is_alike_takes_little() -> None:
    compiled = not str(score_list.__file__).endswith(".py")
    whole = filled([(float(at), b"member:%09d" % at) for at in range(100)])
    halved = filled([(at / 2, b"member:%09d" % at) for at in range(100)])
    unlike = filled([(float(at), b"member:%0*d" % (8 + at % 3, at)) for at in range(100)])
    assert (whole.footprint() < 100 * (16 + 1) * 1.05 + 100) == compiled
    assert (halved.footprint() - whole.footprint() > 100 * 6) == compiled
    assert (80 < unlike.footprint() - whole.footprint() < 140) == compiled


def test_room_is_bounded() -> None:
    short = ScoreList()
    assert short.has_room(b"member")
    assert short.has_room(bytes(1 << 30))
    short.insert(1.0, b"m")
    assert not short.has_room(bytes(1 << 30))
