"""Lists against Python's, with nodes so small that every way through them is taken."""

from __future__ import annotations

import random

import pytest

from alcove.types.limits import Limits
from alcove.types.list import List

VALUES = [b"", b"a", b"b", b"1", b"-70000", b"x" * 70, b"y" * 1500, b"z" * 5000]


def limits(fill: int) -> Limits:
    small = Limits()
    small.list_max_listpack_size = fill
    return small


def filled(values: list[bytes], fill: int = -2) -> List:
    found = List(limits(fill))
    found.push(values, False)
    return found


class Machine:
    """A list and its model, and random operations on both."""

    def __init__(self, seed: int, fill: int) -> None:
        self.chance = random.Random(seed)
        self.found = List(limits(fill))
        self.model: list[bytes] = []
        # Odd seeds push and insert more often, so that many nodes come to be.
        self.growing = seed % 2

    def value(self) -> bytes:
        return self.chance.choice(VALUES[: self.chance.choice([4, 6, 8])])

    def step(self) -> None:
        operations = [self.push, self.push, self.insert, self.replace, self.pop, self.read, self.find, self.copy]
        operations += [self.push, self.insert] if self.growing else [self.remove, self.trim]
        if self.chance.random() < 0.02:
            operations = [self.remove, self.trim]
        self.chance.choice(operations)()
        self.found._check()
        assert len(self.found) == len(self.model)
        assert self.found.range(0, len(self.model)) == self.model

    def push(self) -> None:
        values = [self.value() for _ in range(self.chance.choice([1, 1, 2, 7]))]
        if self.chance.random() < 0.5:
            self.found.push(values, True)
            self.model[:0] = values[::-1]
        else:
            self.found.push(values, False)
            self.model += values

    def insert(self) -> None:
        index, value = self.chance.randint(0, len(self.model)), self.value()
        self.found.insert(index, value)
        self.model.insert(index, value)

    def replace(self) -> None:
        if self.model:
            index, value = self.chance.randrange(len(self.model)), self.value()
            self.found.set(index, value)
            self.model[index] = value

    def pop(self) -> None:
        if self.model and self.chance.random() < 0.5:
            assert self.found.pop_left() == self.model.pop(0)
        elif self.model:
            assert self.found.pop_right() == self.model.pop()

    def read(self) -> None:
        start, stop = self.chance.randint(0, 40), self.chance.randint(0, 80)
        assert self.found.range(start, stop) == self.model[start:stop]
        for index in self.chance.choices(range(len(self.model)), k=3) if self.model else ():
            assert self.found.get(index) == self.model[index]

    def find(self) -> None:
        value = self.value()
        start, stop = self.chance.randint(0, 40), self.chance.randint(-1, 80)
        step = 1 if start < stop else -1
        matches = [at for at in range(start, stop, step) if at < len(self.model) and self.model[at] == value]
        expected = matches[0] if matches and start < len(self.model) else -1
        assert self.found.find(value, start, stop) == expected

    def remove(self) -> None:
        value, number = self.value(), self.chance.choice([0, 1, 2, 5, -1, -2, -5])
        places = [at for at, element in enumerate(self.model) if element == value]
        gone = places[number:] if number < 0 else places[: number or None]
        assert self.found.remove(value, number) == len(gone)
        self.model = [element for at, element in enumerate(self.model) if at not in gone]

    def trim(self) -> None:
        start = self.chance.choice([0, 0, 1, 3, self.chance.randint(0, 60)])
        stop = len(self.model) - self.chance.choice([0, 0, 1, 3, self.chance.randint(0, 60)])
        self.found.trim(start, stop)
        self.model = self.model[start : max(stop, start)]

    def copy(self) -> None:
        if self.chance.random() < 0.2:
            twin = self.found.copy()
            self.found.push([b"only in the first"], True)
            self.found = twin


@pytest.mark.parametrize("fill", [1, 2, 4, 7, -1, -2, 0])
@pytest.mark.parametrize("seed", range(12))
def test_random_operations(seed: int, fill: int) -> None:
    machine = Machine(seed, fill)
    for _ in range(150):
        machine.step()
    footprint = machine.found.footprint()
    machine.found.trim(0, 0)
    assert len(machine.found) == 0
    assert machine.found.footprint() <= footprint


@pytest.mark.parametrize(
    ("values", "fill", "encoding"),
    [
        ([], -2, b"listpack"),
        ([b"a"] * 5, 5, b"listpack"),
        ([b"a"] * 6, 5, b"quicklist"),
        ([b"x" * 4000], -1, b"listpack"),
        ([b"x" * 2044, b"x" * 2045], -1, b"listpack"),
        ([b"x" * 2045, b"x" * 2045], -1, b"quicklist"),
        ([b"x" * 9000], 5, b"quicklist"),
        ([b"x" * 9000], -3, b"listpack"),
        ([b"x" * 70000], -5, b"quicklist"),
        ([b"a"], 0, b"listpack"),
        ([b"a"] * 2, 0, b"quicklist"),
    ],
)
def test_forms(values: list[bytes], fill: int, encoding: bytes) -> None:
    assert filled(values, fill).encoding == encoding


def test_a_quicklist_becomes_a_listpack_when_half_empty() -> None:
    found = filled([b"a"] * 11, 10)
    for _ in range(5):
        found.pop_left()
        found._check()
        assert found.encoding == b"quicklist"
    found.pop_right()
    assert found.encoding == b"listpack"


def test_a_replacement_can_change_the_form() -> None:
    found = filled([b"a", b"b"], -1)
    found.set(0, b"x" * 5000)
    assert found.encoding == b"quicklist"
    found.pop_right()
    found.set(0, b"short")
    assert found.encoding == b"listpack"


def test_many_nodes() -> None:
    found, model = List(limits(8)), []
    for number in range(4000):
        value = b"%d" % number
        if number % 3:
            found.push_right(value)
            model.append(value)
        else:
            found.push_left(value)
            model.insert(0, value)
    chance = random.Random(5)
    for _ in range(500):
        index = chance.randrange(len(model))
        assert found.get(index) == model[index]
        found.insert(index, b"new")
        model.insert(index, b"new")
    found._check()
    assert found.remove(b"new", 0) == 500
    assert found.find(model[-1], 0, len(found)) == len(found) - 1
    found._check()
    assert found.range(0, len(found)) == [value for value in model if value != b"new"]


def test_a_queue_does_not_grow() -> None:
    found = filled([b"%d" % number for number in range(300)], 16)
    for number in range(300, 3000):
        found.push_right(b"%d" % number)
        assert found.pop_left() == b"%d" % (number - 300)
    found._check()
    assert found.footprint() < 2 * filled([b"%d" % number for number in range(2700, 3000)], 16).footprint()


def test_draining_in_slices() -> None:
    found = filled([b"a"] * 35, 10)
    assert [found.drain(10) for _ in range(3)] == [False, False, True]
    assert len(found) == 0
    assert List(limits(1)).drain(1)


def test_indices_outside() -> None:
    found = filled([b"a"])
    for bad in (
        lambda: found.get(1),
        lambda: found.get(-1),
        lambda: found.set(1, b"b"),
        lambda: found.insert(2, b"b"),
        lambda: List(limits(1)).pop_left(),
        lambda: List(limits(1)).pop_right(),
    ):
        with pytest.raises(IndexError):
            bad()
    assert found.find(b"a", 1, 5) == -1


@pytest.mark.parametrize("left", [False, True])
def test_full_nodes_have_no_room_to_spare(left: bool) -> None:
    found = List(limits(-2))
    for number in range(20_000):
        found.push((b"element:%08d" % number,), left)
    found._check()
    assert found.footprint() <= found.copy().footprint() * 1.02
