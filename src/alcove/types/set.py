"""Sets of byte strings: sorted integers while there are only few of those, then a listpack, then a table.

The forms are named `intset`, `listpack` and `hashtable` as on the real server, and one follows the other at the same
sizes; what has grown stays so. In each form a member has a position, by which chance and cursors choose.
"""

from __future__ import annotations

from alcove.numeric import try_int
from alcove.types.container import Container
from alcove.types.dense_map import DenseSet
from alcove.types.intset import IntSet
from alcove.types.limits import Limits
from alcove.types.listpack import Listpack

_OBJECT_BYTES = 64

# Asking a listpack for more members than these costs more than making a table of it first.
_FEW = 4


class Set(Container):
    """A set; at most one of its three forms is not None, none while it is new."""

    type_name = b"set"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ints: IntSet | None = None
        self._pack: Listpack | None = None
        self._table: DenseSet | None = None

    def __len__(self) -> int:
        if self._table is not None:
            return len(self._table)
        if self._pack is not None:
            return len(self._pack)
        return 0 if self._ints is None else len(self._ints)

    @property
    def encoding(self) -> bytes:
        if self._table is not None:
            return b"hashtable"
        return b"intset" if self._pack is None else b"listpack"

    def add(self, member: bytes) -> bool:
        """Adds a member; whether it was absent."""
        if self._table is not None:
            return self._table.add(member)
        if self._pack is not None:
            return self._add_to_pack(member)
        return self._add_to_ints(member)

    def add_all(self, members: tuple[bytes, ...]) -> int:
        """Adds members; how many were absent. Like the real server it makes room before."""
        if len(members) > 1:
            self.expect(members[0], len(members))
        added = 0
        for member in members:
            added += self.add(member)
        return added

    def remove_all(self, members: tuple[bytes, ...]) -> int:
        """Removes members; how many were there."""
        removed = 0
        for member in members:
            removed += self.remove(member)
        return removed

    def remove(self, member: bytes) -> bool:
        """Removes a member; whether it was there."""
        if self._table is not None:
            return self._table.delete(member)
        if self._pack is not None:
            place = self._pack.find(member)
            if place >= 0:
                self._pack.delete(place)
            return place >= 0
        number = try_int(member)
        return number is not None and self._ints is not None and self._ints.delete(number)

    def contains(self, member: bytes) -> bool:
        if self._table is not None:
            return self._table.find(member) >= 0
        if self._pack is not None:
            return self._pack.find(member) >= 0
        number = try_int(member)
        return number is not None and self._ints is not None and self._ints.find(number) >= 0

    def sift(self, members: list[bytes], present: bool) -> list[bytes]:
        """Those of `members` that are in the set, or those that are not."""
        if self._pack is not None and len(members) > _FEW:
            return self._pack.sift(members, present)
        return [member for member in members if self.contains(member) == present]

    def member_at(self, position: int) -> bytes:
        """The member at a position from 0 to the length; positions hold until something is removed or added."""
        if self._table is not None:
            return self._table.key_at(position)
        if self._pack is not None:
            return self._pack.get(position)
        if self._ints is None:
            raise IndexError(position)
        return self._ints.text_at(position)

    def pop_at(self, position: int) -> bytes:
        """Removes and returns the member at a position."""
        member = self.member_at(position)
        if self._table is not None:
            self._table.delete_at(position)
        elif self._pack is not None:
            self._pack.delete(position)
        elif self._ints is not None:
            self._ints.delete_at(position)
        return member

    def members(self) -> list[bytes]:
        """All members, by position."""
        if self._table is not None:
            return self._table.keys()
        if self._pack is not None:
            return self._pack.items()
        return [] if self._ints is None else self._ints.texts()

    def members_between(self, start: int, stop: int) -> list[bytes]:
        """The members at the positions from `start` to `stop`, that one not included."""
        return [self.member_at(position) for position in range(start, stop)]

    def expect(self, first: bytes, number: int) -> None:
        """Says that `number` members come at once, of which `first` is the first.

        Like the real server, what will not fit a compact form does not begin in it: 200 words make a table, even
        if they turn out to be the same word.
        """
        limits = self._limits
        if self._pack is not None:
            if number > limits.set_max_listpack_entries:
                self._to_table()
        elif self._ints is not None:
            if number > limits.set_max_intset_entries:
                self._to_table()
        elif self._table is None and (number > limits.set_max_intset_entries or try_int(first) is None):
            if number > limits.set_max_listpack_entries:
                self._table = DenseSet()
            else:
                self._pack = Listpack()

    def compact(self) -> None:
        """Back to a listpack, if that takes the members that are left."""
        limits = self._limits
        if self._table is None or len(self._table) > limits.set_max_listpack_entries:
            return
        if max(map(len, self.members()), default=0) <= limits.set_max_listpack_value:
            self._to_pack()

    def packed(self) -> bytes | None:
        """A compact form as the real server writes it, which `encoding` names; None for a table."""
        if self._pack is not None:
            return self._pack.to_bytes()
        return None if self._ints is None else self._ints.to_bytes()

    def load_ints(self, ints: IntSet) -> None:
        """Fills a new set with saved numbers."""
        self._ints = ints
        if len(ints) > self._limits.set_max_intset_entries:
            self._to_table()

    def load_pack(self, pack: Listpack) -> None:
        """Fills a new set with saved members; `ValueError` if one comes twice."""
        if pack.has_duplicates():
            raise ValueError("malformed set: a member twice")
        limits = self._limits
        self._pack = pack
        if len(pack) > limits.set_max_listpack_entries or pack.longest() > limits.set_max_listpack_value:
            self._to_table()

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        size = _OBJECT_BYTES
        if self._table is not None:
            size += self._table.footprint()
        if self._pack is not None:
            size += self._pack.footprint()
        if self._ints is not None:
            size += self._ints.footprint()
        return size

    def drain(self, number: int) -> bool:
        """Frees up to `number` members of a set no longer in use; True when nothing is left."""
        self._pack = None
        self._ints = None
        return self._table is None or self._table.drain(number)

    def copy(self) -> Set:
        twin = Set(self._limits)
        if self._ints is not None:
            twin._ints = self._ints.copy()
        if self._pack is not None:
            twin._pack = self._pack.copy()
        if self._table is not None:
            twin._table = self._table.copy()
        return twin

    def _add_to_ints(self, member: bytes) -> bool:
        number = try_int(member)
        if number is not None:
            if self._ints is None:
                self._ints = IntSet()
            added = self._ints.add(number)
            if added and len(self._ints) > self._limits.set_max_intset_entries:
                self._to_table()
            return added
        if self._pack_takes_ints(member):
            self._to_pack()
            return self._add_to_pack(member)
        self._to_table()
        return self.add(member)

    def _pack_takes_ints(self, member: bytes) -> bool:
        """Whether the integers and `member` make a listpack; the longest integer is the first or the last."""
        limits = self._limits
        if len(self) >= limits.set_max_listpack_entries or len(member) > limits.set_max_listpack_value:
            return False
        return len(self) == 0 or (
            len(self.member_at(0)) <= limits.set_max_listpack_value
            and len(self.member_at(len(self) - 1)) <= limits.set_max_listpack_value
        )

    def _add_to_pack(self, member: bytes) -> bool:
        pack = self._pack
        assert pack is not None
        if pack.find(member) >= 0:
            return False
        limits = self._limits
        if len(pack) < limits.set_max_listpack_entries and len(member) <= limits.set_max_listpack_value:
            pack.append(member)
            return True
        self._to_table()
        return self.add(member)

    def _to_pack(self) -> None:
        pack = Listpack()
        for member in self.members():
            pack.append(member)
        self._pack = pack
        self._ints = None
        self._table = None

    def _to_table(self) -> None:
        table = DenseSet()
        for member in self.members():
            table.add(member)
        self._table = table
        self._pack = None
        self._ints = None

    def _check(self) -> None:
        """Asserts that there is one form, within its limits, and that each member is found."""
        assert [self._ints, self._pack, self._table].count(None) >= 2
        for form in (self._ints, self._pack, self._table):
            if form is not None:
                form._check()
        members = self.members()
        assert len(members) == len(self) == len(set(members))
        assert all(self.contains(member) for member in members)
        assert [self.member_at(position) for position in range(len(self))] == members


def common(sets: list[Set], limit: int = 0) -> list[bytes]:
    """The members that all sets have, or no more than `limit` of them: the smallest set's, asked for in the others."""
    by_size = sorted(sets, key=len)
    if limit:
        return _first_common(by_size, limit)
    found = by_size[0].members()
    for other in by_size[1:]:
        found = other.sift(found, True)
    return found


def _first_common(by_size: list[Set], limit: int) -> list[bytes]:
    """Goes no further than it has to."""
    found = []
    for member in by_size[0].members():
        if _all_have(by_size, member):
            found.append(member)
            if len(found) == limit:
                break
    return found


def union(sets: list[Set]) -> dict[bytes, None]:
    """The members of all sets."""
    found: dict[bytes, None] = {}
    for each in sets:
        for member in each.members():
            found[member] = None
    return found


def difference(first: Set, others: list[Set]) -> list[bytes]:
    """The members of the first set that none of the others has; the largest of those is asked first."""
    found = first.members()
    for other in sorted(others, key=len, reverse=True):
        found = other.sift(found, False)
    return found


def _all_have(sets: list[Set], member: bytes) -> bool:
    for each in sets:  # noqa: SIM110 (a typed loop, compiled to calls in C)
        if not each.contains(member):
            return False
    return True
