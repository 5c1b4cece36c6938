"""A short sorted list of (score, member): the compact form of small sorted sets; the plain twin of score_list.pyx.

The order is that of the score tree: by score and, where scores are equal, by the bytes of the member. The real server
keeps small sorted sets in a listpack, with scores as text to be read again at every step; this form has the same
purpose and takes less memory, but keeps the scores as numbers; it becomes a listpack when it is saved.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from alcove.numeric import format_double
from alcove.types.listpack import Listpack

# A list of 56 bytes for each of the two, and for each element a float, two pointers and a bytes object's head.
_OBJECT_BYTES = 160
_ELEMENT_BYTES = 24 + 16 + 33
# As much as the real server lets a listpack grow.
_LARGEST_TEXT = 1 << 30


class ScoreList:
    """Places count from 0 in order; `start` and `stop`, which is excluded, must lie within the list."""

    def __init__(self) -> None:
        self._scores: list[float] = []
        self._members: list[bytes] = []
        self._text_bytes = 0

    def __len__(self) -> int:
        return len(self._members)

    def find(self, member: bytes) -> int:
        """The place of a member, or -1; looks at one after another."""
        try:
            return self._members.index(member)
        except ValueError:
            return -1

    def score_at(self, place: int) -> float:
        return self._scores[place]

    def member_at(self, place: int) -> bytes:
        return self._members[place]

    def has_room(self, member: bytes) -> bool:
        """Whether a further member fits below the bound of all members' bytes together."""
        return self._text_bytes + len(member) <= _LARGEST_TEXT

    def insert(self, score: float, member: bytes) -> None:
        """Adds an element that is not there yet and for which there is room; `score` is not NaN."""
        low = bisect_left(self._scores, score)
        place = bisect_left(self._members, member, low, bisect_right(self._scores, score, low))
        # Minus zero becomes zero, as in the real server's listpacks.
        self._scores.insert(place, score + 0.0)
        self._members.insert(place, member)
        self._text_bytes += len(member)

    def update(self, place: int, score: float, member: bytes) -> None:
        """Gives the member at `place`, which this is, another score, by which it may get another place."""
        self.delete_range(place, place + 1)
        self.insert(score, member)

    def delete_range(self, start: int, stop: int) -> None:
        """Removes the elements at these places."""
        self._text_bytes -= sum(map(len, self._members[start:stop]))
        del self._scores[start:stop]
        del self._members[start:stop]

    def count_below(self, score: float, inclusive: bool) -> int:
        """How many elements have a score below this one, or not above it."""
        return (bisect_right if inclusive else bisect_left)(self._scores, score)

    def count_before(self, member: bytes, inclusive: bool) -> int:
        """How many elements have a member before this one, or not behind it, in a list where all scores are equal."""
        return (bisect_right if inclusive else bisect_left)(self._members, member)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members at these places, in order."""
        return self._members[start:stop]

    def pairs(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """The members at these places with their scores, in order."""
        return list(zip(self._members[start:stop], self._scores[start:stop], strict=True))

    def packed(self) -> bytes:
        """The real server's listpack: members, and their scores as text, by turns."""
        pack = Listpack()
        for member, score in zip(self._members, self._scores, strict=True):
            pack.append(member)
            pack.append(format_double(score))
        return pack.to_bytes()

    def copy(self) -> ScoreList:
        twin = ScoreList()
        twin._scores = self._scores[:]
        twin._members = self._members[:]
        twin._text_bytes = self._text_bytes
        return twin

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        return _OBJECT_BYTES + _ELEMENT_BYTES * len(self._members) + self._text_bytes

    def _check(self) -> None:
        """Asserts every invariant."""
        elements = list(zip(self._scores, self._members, strict=True))
        assert all(first < second for first, second in pairwise(elements))
        assert self._text_bytes == sum(map(len, self._members))
        assert all(type(score) is float and type(member) is bytes for score, member in elements)
