"""Sets and maps of byte strings whose elements stand at positions 0, 1, 2, ...: what large containers are made of.

Positions make a uniform random choice and a cursor possible: a deletion moves the last entry into the hole, so a
cursor that walks downwards meets everything that is present throughout. The native twin, dense_map.pyx, is a hash
table of its own, with no Python object but bytes; this one is dictionaries and lists.
"""

from __future__ import annotations

from typing import Generic, Self, TypeVar

Word = TypeVar("Word")


class DenseSet:
    """A set of byte strings, each at a position."""

    def __init__(self) -> None:
        self._positions: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self._object_bytes = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: bytes) -> bool:
        return key in self._positions

    def find(self, key: bytes) -> int:
        """The position of `key`, or -1. It holds until the next deletion."""
        return self._positions.get(key, -1)

    def key_at(self, position: int) -> bytes:
        """The key at `position`: the very object that was added, but in a map to bytes."""
        return self._keys[self._within(position)]

    def add(self, key: bytes) -> bool:
        """Adds `key`; whether it was absent."""
        if key in self._positions:
            return False
        self._positions[key] = len(self._keys)
        self._keys.append(key)
        self._object_bytes += _weight(key)
        return True

    def delete(self, key: bytes) -> bool:
        """Removes `key`; whether it was there."""
        position = self.find(key)
        if position < 0:
            return False
        self.delete_at(position)
        return True

    def delete_at(self, position: int) -> None:
        """Removes what stands at `position`; the last entry takes its place."""
        key = self._keys[self._within(position)]
        last = self._keys.pop()
        if position < len(self._keys):
            self._keys[position] = last
            self._positions[last] = position
        del self._positions[key]
        self._object_bytes -= _weight(key)

    def keys(self) -> list[bytes]:
        """All keys, by position."""
        return self._keys[:]

    def footprint(self) -> int:
        """Bytes of memory with all keys and values, this object's own included."""
        return 300 + 120 * len(self._keys) + self._object_bytes

    def drain(self, number: int) -> bool:
        """Frees up to `number` entries; True when nothing is left. From then on nothing can be found or added."""
        self._positions = {}
        del self._keys[max(len(self._keys) - number, 0) :]
        return not self._keys

    def copy(self) -> Self:
        twin = type(self)()
        twin._positions = self._positions.copy()
        twin._keys = self._keys[:]
        twin._object_bytes = self._object_bytes
        return twin

    def _within(self, position: int) -> int:
        if not 0 <= position < len(self._keys):
            raise IndexError(position)
        return position

    def _check(self) -> None:
        """Asserts that every key is found where it stands."""
        assert len(self._positions) == len(self._keys)
        assert all(self._positions[key] == position for position, key in enumerate(self._keys))


class _Map(DenseSet, Generic[Word]):
    """What the maps have in common: a list of values beside the keys."""

    def __init__(self) -> None:
        super().__init__()
        self._values: list[Word] = []

    def add(self, key: bytes) -> bool:
        raise TypeError("a map has no keys without values")

    def get(self, key: bytes) -> Word | None:
        """The value of `key`, or None."""
        position = self._positions.get(key)
        return None if position is None else self._values[position]

    def value_at(self, position: int) -> Word:
        return self._values[self._within(position)]

    def set(self, key: bytes, value: Word) -> bool:
        """Gives `key` the value; whether the key was absent."""
        position = self._positions.get(key)
        if position is not None:
            self.set_at(position, value)
            return False
        super().add(key)
        self._values.append(value)
        return True

    def set_at(self, position: int, value: Word) -> None:
        """Replaces the value at `position`."""
        self._values[self._within(position)] = value

    def delete_at(self, position: int) -> None:
        super().delete_at(position)
        last = self._values.pop()
        if position < len(self._values):
            self._values[position] = last

    def drain(self, number: int) -> bool:
        del self._values[max(len(self._values) - number, 0) :]
        return super().drain(number)

    def copy(self) -> Self:
        twin = super().copy()
        twin._values = self._values[:]
        return twin

    def _check(self) -> None:
        super()._check()
        assert len(self._values) == len(self._keys)


class ByteMap(_Map[bytes]):
    """A map of byte strings to byte strings."""

    def set(self, key: bytes, value: bytes) -> bool:
        created = super().set(key, value)
        if created:
            self._object_bytes += _weight(value)
        return created

    def set_at(self, position: int, value: bytes) -> None:
        self._object_bytes += _weight(value) - _weight(self.value_at(position))
        super().set_at(position, value)

    def delete_at(self, position: int) -> None:
        self._object_bytes -= _weight(self.value_at(position))
        super().delete_at(position)

    def values(self) -> list[bytes]:
        """All values, by position."""
        return self._values[:]

    def items(self) -> list[bytes]:
        """All keys, each before its value, by position."""
        return [each for pair in zip(self._keys, self._values, strict=True) for each in pair]

    def _check(self) -> None:
        super()._check()
        assert self._object_bytes == sum(map(_weight, self._keys)) + sum(map(_weight, self._values))


class ScoreMap(_Map[float]):
    """A map of byte strings to doubles."""


def _weight(value: bytes) -> int:
    """What the allocator gives for a bytes object: its header of 33 bytes and its data, in steps of 16."""
    return len(value) + 33 + 15 & ~15
