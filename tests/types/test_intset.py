"""Small sets of integers against Python's sets."""

from __future__ import annotations

import random

import pytest

from alcove.types.intset import IntSet

EDGES = [sign * (2**bits + delta) for bits in (0, 15, 31, 63) for delta in (-1, 0, 1) for sign in (1, -1)]
NUMBERS = [number for number in EDGES if -(2**63) <= number < 2**63] + list(range(-20, 20))


@pytest.mark.parametrize("seed", range(30))
def test_random_operations(seed: int) -> None:
    chance = random.Random(seed)
    numbers = NUMBERS if seed % 2 else list(range(-50, 50))
    found, model = IntSet(), set()
    for _ in range(300):
        number = chance.choice(numbers)
        operation = chance.randrange(5)
        if operation < 2:
            assert found.add(number) == (number not in model)
            model.add(number)
        elif operation == 2:
            assert found.delete(number) == (number in model)
            model.discard(number)
        elif operation == 3 and model:
            position = chance.randrange(len(model))
            model.remove(found.at(position))
            found.delete_at(position)
        elif operation == 4 and chance.random() < 0.1:
            found = found.copy()
        found._check()
        assert len(found) == len(model)
        assert (found.find(number) >= 0) == (number in model)
    assert found.texts() == [b"%d" % number for number in sorted(model)]
    assert [found.find(number) for number in sorted(model)] == list(range(len(model)))
    assert IntSet.from_bytes(found.to_bytes()).texts() == found.texts()


def test_the_bytes_are_the_real_ones() -> None:
    found = IntSet()
    found.add(-2)
    found.add(1)
    assert found.to_bytes().hex() == "0200000002000000feff0100"
    found.add(70000)
    assert found.to_bytes().hex() == "0400000003000000feffffff0100000070110100"
    found.add(2**40)
    assert found.to_bytes()[:8].hex() == "0800000004000000"


@pytest.mark.parametrize(
    "damaged",
    ["", "02000000", "0300000001000000000000", "02000000020000000100", "020000000100000001000200",
     "020000000200000002000100", "020000000200000002000200"],
)  # fmt: skip
def test_damaged_bytes_are_refused(damaged: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        IntSet.from_bytes(bytes.fromhex(damaged))


def test_positions_outside() -> None:
    found = IntSet()
    found.add(1)
    for position in (-1, 1):
        with pytest.raises(IndexError):
            found.at(position)
        with pytest.raises(IndexError):
            found.delete_at(position)
