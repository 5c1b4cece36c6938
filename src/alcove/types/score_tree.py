"""An ordered set of (score, member) that knows every element's rank; the plain twin of score_tree.pyx.

Elements are ordered by score and, where scores are equal, by the bytes of the member. Every range of a sorted set,
whether of ranks, of scores or of members, is a range of ranks here: `count_below` and `count_before` turn bounds
into ranks, `members` and `pairs` read a range of them, `delete_range` removes one.

This twin keeps sorted blocks of tuples and finds the block, then the place in it, by bisection.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import pairwise

Element = tuple[float, bytes]

# A block of twice this size is split, one of an eighth of it is joined to its neighbour.
_BLOCK = 512
_POINTER_BYTES = 8
# A tuple of two and its float.
_ELEMENT_BYTES = 56 + 24 + _POINTER_BYTES


class ScoreTree:
    """`start` and `stop` are ranks from 0, `stop` excluded, and must lie within the tree."""

    def __init__(self) -> None:
        self._blocks: list[list[Element]] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def insert(self, score: float, member: bytes) -> None:
        """Adds an element that is not there yet; `score` is not NaN."""
        element = (score, member)
        self._size += 1
        if not self._blocks:
            self._blocks.append([element])
            return
        at = min(self._block_of(element), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, element)
        if len(block) >= 2 * _BLOCK:
            self._blocks[at : at + 1] = [block[:_BLOCK], block[_BLOCK:]]

    def delete(self, score: float, member: bytes) -> bool:
        """Removes this element; False when it is not there."""
        element = (score, member)
        at = self._block_of(element)
        if at == len(self._blocks):
            return False
        block = self._blocks[at]
        place = bisect_left(block, element)
        if place == len(block) or block[place] != element:
            return False
        del block[place]
        self._size -= 1
        self._join(at)
        return True

    def rank(self, score: float, member: bytes) -> int:
        """How many elements stand before this one, or -1 when it is not there."""
        element = (score, member)
        at = self._block_of(element)
        if at == len(self._blocks):
            return -1
        block = self._blocks[at]
        place = bisect_left(block, element)
        if place == len(block) or block[place] != element:
            return -1
        return self._offset(at) + place

    def count_below(self, score: float, inclusive: bool) -> int:
        """How many elements have a score below this one, or not above it."""
        bisect = bisect_right if inclusive else bisect_left
        at = bisect(self._blocks, score, key=_last_score)
        if at == len(self._blocks):
            return self._size
        return self._offset(at) + bisect(self._blocks[at], score, key=_score)

    def count_before(self, member: bytes, inclusive: bool) -> int:
        """How many elements have a member before this one, or not behind it, in a tree where all scores are equal."""
        bisect = bisect_right if inclusive else bisect_left
        at = bisect(self._blocks, member, key=_last_member)
        if at == len(self._blocks):
            return self._size
        return self._offset(at) + bisect(self._blocks[at], member, key=_member)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members of these ranks, in order."""
        return [member for _, member in self._elements(start, stop)]

    def pairs(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """The members of these ranks with their scores, in order."""
        return [(member, score) for score, member in self._elements(start, stop)]

    def scores(self, start: int, stop: int) -> bytes:
        """The scores of these ranks, in order, as the processor's doubles."""
        return array("d", [score for score, _ in self._elements(start, stop)]).tobytes()

    def delete_range(self, start: int, stop: int) -> list[bytes]:
        """Removes the elements of these ranks and returns their members."""
        taken: list[bytes] = []
        while len(taken) < stop - start:
            at, place = self._locate(start)
            block = self._blocks[at]
            end = min(len(block), place + stop - start - len(taken))
            taken += [member for _, member in block[place:end]]
            del block[place:end]
            self._size -= end - place
            self._join(at)
        return taken

    def pop(self, highest: bool) -> tuple[bytes, float]:
        """Removes and returns the first member and its score, or with `highest` the last; there must be one."""
        rank = self._size - 1 if highest else 0
        (popped,) = self.pairs(rank, rank + 1)
        self.delete_range(rank, rank + 1)
        return popped

    def drain(self, n: int) -> bool:
        """Frees up to `n` elements; True when none is left."""
        self.delete_range(max(0, self._size - n), self._size)
        return self._size == 0

    def copy(self) -> ScoreTree:
        """A tree of the same elements."""
        twin = ScoreTree()
        twin._blocks = [block[:] for block in self._blocks]
        twin._size = self._size
        return twin

    def footprint(self) -> int:
        """Bytes of memory, without the members, which the owner shares with its index."""
        return self._size * _ELEMENT_BYTES

    def _block_of(self, element: Element) -> int:
        return bisect_left(self._blocks, element, key=_last)

    def _offset(self, at: int) -> int:
        return sum(map(len, self._blocks[:at]))

    def _locate(self, rank: int) -> tuple[int, int]:
        """The block and the place in it of an existing rank, looked for from the nearer end."""
        if 2 * rank < self._size:
            for at, block in enumerate(self._blocks):
                if rank < len(block):
                    return at, rank
                rank -= len(block)
        rank -= self._size
        for at in range(len(self._blocks) - 1, -1, -1):
            rank += len(self._blocks[at])
            if rank >= 0:
                return at, rank
        raise IndexError(rank)

    def _elements(self, start: int, stop: int) -> Iterator[Element]:
        wanted = stop - start
        if wanted <= 0:
            return
        at, place = self._locate(start)
        while wanted > 0:
            part = self._blocks[at][place : place + wanted]
            yield from part
            wanted -= len(part)
            at, place = at + 1, 0

    def _join(self, at: int) -> None:
        """Keeps blocks from becoming many and small when elements go."""
        block = self._blocks[at]
        if len(block) > _BLOCK // 8:
            return
        if len(self._blocks) == 1 or not block:
            if not block:
                del self._blocks[at]
            return
        left = max(0, at - 1)
        joined = self._blocks[left] + self._blocks[left + 1]
        half = len(joined) // 2
        self._blocks[left : left + 2] = [joined] if len(joined) < 2 * _BLOCK else [joined[:half], joined[half:]]

    def _check(self) -> None:
        """Asserts every invariant."""
        elements = [element for block in self._blocks for element in block]
        assert len(elements) == self._size
        assert all(first < second for first, second in pairwise(elements))
        assert all(0 < len(block) < 2 * _BLOCK for block in self._blocks)
        assert all(type(score) is float and type(member) is bytes for score, member in elements)


def _last(block: list[Element]) -> Element:
    return block[-1]


def _last_score(block: list[Element]) -> float:
    return block[-1][0]


def _last_member(block: list[Element]) -> bytes:
    return block[-1][1]


def _score(element: Element) -> float:
    return element[0]


def _member(element: Element) -> bytes:
    return element[1]
