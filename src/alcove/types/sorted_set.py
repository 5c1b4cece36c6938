"""Sorted sets: members, each with a score, in order of score and member.

A small one is a score list. Beyond the limits it is a map from member to score beside a tree that orders the same
member objects and counts them, so that ranks cost no more than scores. Like the real server's two forms they are
named `listpack` and `skiplist`; what has grown stays so until it is made anew.

Every range is a range of ranks here: `count_below` and `count_before` turn bounds of scores and of members into ranks.
"""

from __future__ import annotations

from array import array
from typing import Final

from alcove.types.container import Container
from alcove.types.dense_map import ScoreMap
from alcove.types.limits import Limits
from alcove.types.score_list import ScoreList
from alcove.types.score_tree import ScoreTree

# What `put` did.
SAME: Final = 0
CHANGED: Final = 1
ADDED: Final = 2

_OBJECT_BYTES: Final = 48
_LARGE_BYTES: Final = 32

# What large sorted sets have for a list; it stays empty.
_NO_LIST: Final = ScoreList()


class Large:
    """The large form: a map from member to score, and a tree of the same member objects in order."""

    def __init__(self, scores: ScoreMap, tree: ScoreTree) -> None:
        self.scores = scores
        self.tree = tree


class SortedSet(Container):
    """Ranks count from 0 in ascending order; `start` and `stop`, which is excluded, must lie within the set.

    With `reverse`, they count from the other end, and so runs the order of what is returned.
    """

    type_name = b"zset"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._short = ScoreList()
        self._large: Large | None = None

    def __len__(self) -> int:
        return len(self._short) if self._large is None else len(self._large.tree)

    @property
    def encoding(self) -> bytes:
        return b"listpack" if self._large is None else b"skiplist"

    def expect(self, elements: int, longest: int) -> None:
        """Takes the form that the real server's has once it is told what it is about to receive."""
        limits = self._limits
        if self._large is None and (
            elements > limits.zset_max_listpack_entries or longest > limits.zset_max_listpack_value
        ):
            self._grow()

    def score(self, member: bytes) -> float | None:
        """The score of a member, or None when there is no such member."""
        if self._large is not None:
            return self._large.scores.get(member)
        place = self._short.find(member)
        return None if place < 0 else self._short.score_at(place)

    def put(self, member: bytes, score: float) -> int:
        """Adds a member or gives it a new score, which is not NaN; `SAME`, `CHANGED` or `ADDED`."""
        large = self._large
        if large is None:
            place = self._short.find(member)
            if place >= 0:
                if self._short.score_at(place) == score:
                    return SAME
                self._short.update(place, score, member)
                return CHANGED
            if self._stays_short(member):
                self._short.insert(score, member)
                return ADDED
            large = self._grow()
        position = large.scores.find(member)
        if position < 0:
            large.scores.set(member, score)
            large.tree.insert(score, member)
            return ADDED
        old = large.scores.value_at(position)
        if old == score:
            return SAME
        # The tree and the map share one object for a member, not the equal one that the caller has.
        member = large.scores.key_at(position)
        large.tree.delete(old, member)
        large.scores.set_at(position, score)
        large.tree.insert(score, member)
        return CHANGED

    def add(self, member: bytes, score: float) -> None:
        """Adds a member that is known to be absent; the score is not NaN."""
        large = self._large
        if large is None:
            if self._stays_short(member):
                self._short.insert(score, member)
                return
            large = self._grow()
        large.scores.set(member, score)
        large.tree.insert(score, member)

    def remove(self, member: bytes) -> bool:
        """Removes a member; False when there was none."""
        large = self._large
        if large is None:
            place = self._short.find(member)
            if place < 0:
                return False
            self._short.delete_range(place, place + 1)
            return True
        position = large.scores.find(member)
        if position < 0:
            return False
        large.tree.delete(large.scores.value_at(position), member)
        large.scores.delete_at(position)
        return True

    def rank(self, member: bytes) -> int:
        """How many members stand before this one, or -1 when there is no such member."""
        large = self._large
        if large is None:
            return self._short.find(member)
        position = large.scores.find(member)
        return -1 if position < 0 else large.tree.rank(large.scores.value_at(position), member)

    def count_below(self, score: float, inclusive: bool) -> int:
        """How many members have a score below this one, or not above it: the rank where a range of scores ends."""
        if self._large is not None:
            return self._large.tree.count_below(score, inclusive)
        return self._short.count_below(score, inclusive)

    def count_before(self, member: bytes, inclusive: bool) -> int:
        """How many members stand before this one, or not behind it, in a set where all scores are equal."""
        if self._large is not None:
            return self._large.tree.count_before(member, inclusive)
        return self._short.count_before(member, inclusive)

    def members(self, start: int, stop: int, reverse: bool = False) -> list[bytes]:
        """The members of these ranks, in order."""
        if reverse:
            start, stop = len(self) - stop, len(self) - start
        found = self._short.members(start, stop) if self._large is None else self._large.tree.members(start, stop)
        if reverse:
            found.reverse()
        return found

    def members_between(self, first: int, last: int) -> list[bytes]:
        """The members of the ranks from `first` to `last`, included; negative ones count from the end."""
        size = len(self)
        first = max(first + size, 0) if first < 0 else first
        last = last + size if last < 0 else min(last, size - 1)
        return self.members(first, last + 1) if first <= last else []

    def pairs(self, start: int, stop: int, reverse: bool = False) -> list[tuple[bytes, float]]:
        """The members of these ranks with their scores, in order."""
        if reverse:
            start, stop = len(self) - stop, len(self) - start
        found = self._short.pairs(start, stop) if self._large is None else self._large.tree.pairs(start, stop)
        if reverse:
            found.reverse()
        return found

    def scores(self, start: int, stop: int) -> bytes:
        """The scores of these ranks, in order, as the processor's doubles."""
        if self._large is not None:
            return self._large.tree.scores(start, stop)
        return array("d", [score for _, score in self._short.pairs(start, stop)]).tobytes()

    def pop(self, highest: bool) -> tuple[bytes, float]:
        """Removes and returns the first member and its score, or with `highest` the last; there must be one."""
        if self._large is not None:
            popped = self._large.tree.pop(highest)
            self._large.scores.delete(popped[0])
            return popped
        place = len(self._short) - 1 if highest else 0
        (popped,) = self._short.pairs(place, place + 1)
        self._short.delete_range(place, place + 1)
        return popped

    def delete_range(self, start: int, stop: int) -> None:
        """Removes the members of these ranks."""
        large = self._large
        if large is None:
            self._short.delete_range(start, stop)
            return
        for member in large.tree.delete_range(start, stop):
            large.scores.delete(member)

    def member_at(self, position: int) -> bytes:
        """The member at a position, for cursors and random choice: positions are dense, and in no useful order.

        A removal moves the last position's member to the place of the one removed, or shifts those behind it.
        """
        return self._short.member_at(position) if self._large is None else self._large.scores.key_at(position)

    def score_at(self, position: int) -> float:
        """The score of the member at a position."""
        return self._short.score_at(position) if self._large is None else self._large.scores.value_at(position)

    def packed(self) -> bytes | None:
        """Members and scores by turns as the real server writes its compact form; None for a large set."""
        return self._short.packed() if self._large is None else None

    def copy(self) -> SortedSet:
        twin = SortedSet(self._limits)
        if self._large is None:
            twin._short = self._short.copy()
        else:
            twin._short = _NO_LIST
            twin._large = Large(self._large.scores.copy(), self._large.tree.copy())
        return twin

    def drain(self, n: int) -> bool:
        """Frees up to `n` members, or all of a small set; True when none is left. The set is good for nothing else."""
        if self._large is None:
            self._short = _NO_LIST
            return True
        drained = self._large.tree.drain(n)
        return self._large.scores.drain(n) and drained

    def footprint(self) -> int:
        """Bytes of memory with all members, this object's own included."""
        if self._large is None:
            return _OBJECT_BYTES + self._short.footprint()
        return _OBJECT_BYTES + _LARGE_BYTES + self._large.scores.footprint() + self._large.tree.footprint()

    def _stays_short(self, member: bytes) -> bool:
        """Whether a further member leaves a small set within the limits."""
        return (
            len(self._short) < self._limits.zset_max_listpack_entries
            and len(member) <= self._limits.zset_max_listpack_value
            and self._short.has_room(member)
        )

    def _grow(self) -> Large:
        """From the small form to the large one."""
        large = Large(ScoreMap(), ScoreTree())
        for member, score in self._short.pairs(0, len(self._short)):
            large.scores.set(member, score)
            large.tree.insert(score, member)
        self._short = _NO_LIST
        self._large = large
        return large

    def _check(self) -> None:
        """Asserts every invariant."""
        self._short._check()
        large = self._large
        if large is None:
            return
        large.scores._check()
        large.tree._check()
        assert self._short is _NO_LIST
        assert len(self._short) == 0
        assert len(large.scores) == len(large.tree)
        members = {large.scores.key_at(position): position for position in range(len(large.scores))}
        for member, score in large.tree.pairs(0, len(large.tree)):
            position = members[member]
            assert large.scores.key_at(position) is member
            assert large.scores.value_at(position) == score
