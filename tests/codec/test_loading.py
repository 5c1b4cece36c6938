"""What the types offer for loading: compact forms that are adopted as they are, and what is asked of them first."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.types.intset import IntSet
from alcove.types.limits import Limits
from alcove.types.list import List
from alcove.types.listpack import Listpack
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from tests.codec.samples import NUMBERS, SIZES

ELEMENTS = [*NUMBERS, *SIZES, b"12a", b"1" * 21]


def pack_of(elements: list[bytes]) -> Listpack:
    pack = Listpack()
    for element in elements:
        pack.append(element)
    return pack


@given(st.lists(st.sampled_from(ELEMENTS), max_size=40), st.integers(1, 3))
def test_longest_and_duplicates(elements: list[bytes], step: int) -> None:
    pack = pack_of(elements)
    assert pack.longest() == max(map(len, elements), default=0)
    asked = elements[::step]
    assert pack.has_duplicates(step) == (len(set(asked)) < len(asked))


@pytest.mark.parametrize("count", [1, 4, 5, 511, 512, 513, 2047, 2048, 2049, 5000])
def test_duplicates_among_many(count: int) -> None:
    elements = [b"element %d" % number for number in range(count)]
    random.Random(count).shuffle(elements)
    assert not pack_of(elements).has_duplicates()
    assert pack_of([*elements, elements[count // 2]]).has_duplicates()
    by_turns = [word for element in elements for word in (element, b"same")]
    assert not pack_of(by_turns).has_duplicates(2)
    assert pack_of(by_turns).has_duplicates(1) == (count > 1)


@given(st.lists(st.sampled_from(ELEMENTS), max_size=40))
def test_adopted_entries_are_those_written(elements: list[bytes]) -> None:
    data = pack_of(elements).to_bytes()
    pack = Listpack.from_bytes(data)
    pack._check()
    assert pack.items() == elements
    assert pack.to_bytes() == data
    pack.append(b"more")
    pack.prepend(b"77")
    pack._check()
    assert pack.items() == [b"77", *elements, b"more"]


def test_a_list_takes_nodes_as_they_are() -> None:
    values = List(Limits())
    values.load_pack(pack_of([b"a", b"b"]))
    values.load_pack(pack_of([]))
    values.load_plain(b"x" * 20_000)
    values.load_pack(pack_of([b"c"] * 10))
    values.loaded()
    values._check()
    assert values.node_count() == 3
    assert [values.plain(place) is None for place in range(3)] == [True, False, True]
    assert Listpack.from_bytes(values.packed(2)).items() == [b"c"] * 10
    values.push_left(b"first")
    values.push_right(b"last")
    values._check()
    assert values.range(0, 3) == [b"first", b"a", b"b"]
    assert values.pop_right() == b"last"
    with pytest.raises(IndexError):
        values.packed(3)
    assert values.encoding == b"quicklist"


def test_a_set_takes_what_is_small_enough() -> None:
    ints = IntSet()
    for number in range(513):
        ints.add(number)
    value = Set(Limits())
    value.load_ints(ints)
    value._check()
    assert (value.encoding, len(value)) == (b"hashtable", 513)
    with pytest.raises(ValueError, match="twice"):
        Set(Limits()).load_pack(pack_of([b"a", b"a"]))


def test_members_known_to_be_absent() -> None:
    value = SortedSet(Limits())
    for number in range(300):
        value.add(b"%d" % number, float(number % 7))
        assert value.score(b"%d" % number) == number % 7
    value._check()
    assert value.encoding == b"skiplist"
