"""The compact sequence against a plain list, and its serialised form against the real server's."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcove.types.listpack import Listpack

INTEGERS = [
    number + delta
    for bound in (0, 128, 4096, 2**15, 2**23, 2**31, 2**62, 10**18)
    for number in (bound, -bound)
    for delta in (-2, -1, 0, 1)
] + [2**63 - 1, -(2**63), 2**63, -(2**63) - 1]
NEARLY_INTEGERS = [b"", b"-", b"-0", b"00", b"01", b"+1", b" 1", b"1 ", b"1_0", b"0x1", b"9" * 20, b"9" * 21, b"-01"]
SIZES = [1, 20, 21, 62, 63, 64, 65, 125, 126, 127, 128, 4095, 4096, 16376, 16378, 16400]
STRINGS = [bytes([65 + size % 26]) * size for size in SIZES]
VALUES = [b"%d" % number for number in INTEGERS] + NEARLY_INTEGERS + STRINGS

integers = st.integers(-(2**64), 2**64).map(lambda number: b"%d" % number)
values = st.one_of(st.sampled_from(VALUES), st.binary(max_size=30), integers)


def filled(elements: list[bytes]) -> Listpack:
    listpack = Listpack()
    for element in elements:
        listpack.append(element)
    return listpack


def test_every_kind_of_value_comes_back() -> None:
    listpack = filled(VALUES)
    listpack._check()
    assert listpack.items() == VALUES
    assert [listpack.get(index) for index in range(len(VALUES))] == VALUES
    assert [listpack.get(-1 - index) for index in range(len(VALUES))] == VALUES[::-1]
    assert Listpack.from_bytes(listpack.to_bytes()).items() == VALUES


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), st.lists(values, max_size=40))
def test_random_operations(chance: random.Random, pool: list[bytes]) -> None:
    pool = [*pool, b"1", b"a"]
    listpack, model = Listpack(), []
    for _ in range(120):
        operation = chance.randrange(10)
        value = chance.choice(pool)
        if operation == 0:
            listpack.append(value)
            model.append(value)
        elif operation == 1:
            listpack.prepend(value)
            model.insert(0, value)
        elif operation in (2, 3):
            at = chance.randint(0, len(model))
            listpack.insert(at, value)
            model.insert(at, value)
        elif operation == 4 and model:
            at = chance.randrange(-len(model), len(model))
            listpack.replace(at, value)
            model[at] = value
        elif operation == 5 and model:
            at, number = chance.randrange(len(model)), chance.choice([0, 1, 1, 2, 5])
            listpack.delete(at, number)
            del model[at : at + number]
        elif operation == 6:
            start, step = chance.randint(-50, 50), chance.choice([1, 2, 3, -1, -2])
            assert listpack.find(value, start, step) == model_find(model, value, start, step)
        elif operation == 7:
            start, stop = chance.randint(0, 50), chance.randint(0, 50)
            assert listpack.range(start, stop) == model[start:stop]
        elif operation == 8 and model:
            at = chance.randrange(-len(model), len(model))
            assert listpack.get(at) == model[at]
        elif operation == 9 and chance.random() < 0.1:
            listpack = listpack.copy()
        listpack._check()
        assert len(listpack) == len(model)
    assert listpack.items() == model
    assert len(listpack.to_bytes()) == listpack.byte_size
    assert Listpack.from_bytes(listpack.to_bytes()).items() == model


def model_find(model: list[bytes], value: bytes, start: int, step: int) -> int:
    at = start + len(model) if start < 0 else start
    while 0 <= at < len(model):
        if model[at] == value:
            return at
        at += step
    return -1


@given(st.lists(values, max_size=200), st.lists(values, max_size=60))
def test_sifting(elements: list[bytes], asked: list[bytes]) -> None:
    asked += elements[::3]
    listpack = filled(elements)
    assert listpack.sift(asked, True) == [value for value in asked if value in elements]
    assert listpack.sift(asked, False) == [value for value in asked if value not in elements]


def test_sifting_by_many_elements() -> None:
    elements = [b"%d" % number for number in range(0, 9000, 3)]
    asked = [b"%d" % number for number in range(9000)]
    assert filled(elements).sift(asked, True) == elements


def test_a_queue_does_not_grow() -> None:
    listpack = filled([b"element %d" % n for n in range(50)])
    before = listpack.footprint()
    for n in range(5000):
        assert listpack.get(0) == b"element %d" % n
        listpack.delete(0)
        listpack.append(b"element %d" % (n + 50))
    listpack._check()
    assert listpack.footprint() <= before * 2


def test_the_bytes_are_the_real_ones() -> None:
    listpack = filled([b"hello", b"5", b"-5", b"1000", b"100000", b"-8388608", b"2147483647", b"9223372036854775807"])
    assert listpack.to_bytes() == bytes.fromhex(
        "30000000" "0800"
        "8568656c6c6f06" "0501" "dffb02" "c3e802" "f2a0860104" "f200008004" "f3ffffff7f05" "f4ffffffffffffff7f09"
        "ff"
    )  # fmt: skip


def test_outside_indices() -> None:
    listpack = filled([b"a"])
    for bad in (
        lambda: listpack.get(1),
        lambda: listpack.get(-2),
        lambda: listpack.replace(1, b"x"),
        lambda: listpack.delete(1),
        lambda: listpack.insert(2, b"x"),
        lambda: listpack.insert(-1, b"x"),
    ):
        with pytest.raises(IndexError):
            bad()
    assert listpack.find(b"a", 1) == -1
    assert Listpack().find(b"a") == -1
    with pytest.raises(ValueError, match="steps of 0"):
        listpack.find(b"a", 0, 0)


@pytest.mark.parametrize("cut", range(40))
def test_damaged_bytes_are_refused(cut: int) -> None:
    whole = filled([b"hello", b"5", b"-5", b"x" * 70, b"100000"]).to_bytes()
    with pytest.raises(ValueError, match="malformed"):
        Listpack.from_bytes(whole[: len(whole) * cut // 40])


@given(st.lists(values, max_size=12), st.data())
def test_flipped_bits_never_do_worse_than_valueerror(elements: list[bytes], data: st.DataObject) -> None:
    damaged = bytearray(filled(elements).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        listpack = Listpack.from_bytes(bytes(damaged))
    except ValueError:
        return
    listpack._check()


def test_many_elements_have_no_count() -> None:
    listpack = filled([b"%d" % (n % 100) for n in range(70000)])
    data = listpack.to_bytes()
    assert data[4:6] == b"\xff\xff"
    assert len(Listpack.from_bytes(data)) == 70000
    assert listpack.find(b"42", -1, -1) == 69942


def test_foreign_integers_become_canonical() -> None:
    """Another writer may have kept "12" as a string: it must still be found."""
    data = bytes.fromhex("0b000000010082313203ff")
    assert Listpack.from_bytes(data).find(b"12") == 0
