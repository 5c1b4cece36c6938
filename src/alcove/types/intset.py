"""Small sets of integers, kept sorted and found by bisection.

The serialised form is the real server's: u32 width (2, 4 or 8 bytes, the least that fits all), u32 number of
elements, then the numbers in ascending order, all little endian. The native twin, intset.pyx, is such an array in
memory; this one is a sorted list.
"""

from __future__ import annotations

from bisect import bisect_left

HEADER = 8


class IntSet:
    """A sorted set of 64-bit integers."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, number: int) -> int:
        """The position of `number`, or -1."""
        place = bisect_left(self._numbers, number)
        return place if place < len(self._numbers) and self._numbers[place] == number else -1

    def at(self, position: int) -> int:
        """The number at `position`, in ascending order."""
        if position < 0:
            raise IndexError(position)
        return self._numbers[position]

    def text_at(self, position: int) -> bytes:
        """The number at `position` as it is written."""
        return b"%d" % self.at(position)

    def add(self, number: int) -> bool:
        """Adds `number`; whether it was absent."""
        place = bisect_left(self._numbers, number)
        if place < len(self._numbers) and self._numbers[place] == number:
            return False
        self._numbers.insert(place, number)
        return True

    def delete(self, number: int) -> bool:
        """Removes `number`; whether it was there."""
        place = self.find(number)
        if place < 0:
            return False
        del self._numbers[place]
        return True

    def delete_at(self, position: int) -> None:
        """Removes the number at `position`."""
        if position < 0:
            raise IndexError(position)
        del self._numbers[position]

    def texts(self) -> list[bytes]:
        """All numbers in ascending order, as they are written."""
        return [b"%d" % number for number in self._numbers]

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        return 112 + 40 * len(self._numbers)

    def copy(self) -> IntSet:
        twin = IntSet()
        twin._numbers = self._numbers[:]
        return twin

    def to_bytes(self) -> bytes:
        """The set as the real server writes it: width, count, sorted numbers, all little endian."""
        width = 2
        for bound in self._numbers[:1] + self._numbers[-1:]:
            width = max(width, 2 if -(2**15) <= bound < 2**15 else 4 if -(2**31) <= bound < 2**31 else 8)
        header = width.to_bytes(4, "little") + len(self._numbers).to_bytes(4, "little")
        return header + b"".join(number.to_bytes(width, "little", signed=True) for number in self._numbers)

    @staticmethod
    def from_bytes(data: bytes) -> IntSet:
        """The set that `data` holds; `ValueError` if it is malformed in any way."""
        width = int.from_bytes(data[:4], "little")
        count = int.from_bytes(data[4:HEADER], "little")
        if len(data) < HEADER or width not in (2, 4, 8) or HEADER + width * count != len(data):
            raise ValueError("malformed intset: header")
        found = IntSet()
        for at in range(HEADER, len(data), width):
            number = int.from_bytes(data[at : at + width], "little", signed=True)
            if found._numbers and number <= found._numbers[-1]:
                raise ValueError("malformed intset: order")
            found._numbers.append(number)
        return found

    def _check(self) -> None:
        """Asserts that the numbers ascend."""
        assert self._numbers == sorted(set(self._numbers))
