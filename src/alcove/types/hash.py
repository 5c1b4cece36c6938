"""Hashes: fields with values, in a listpack while they are few and short, then in a table.

The forms are named `listpack`, `listpackex` (once a field had a deadline) and `hashtable`, as on the real server, and
one follows the other at the same sizes; what has grown stays so.

The deadlines of fields are a sorted set of the fields by Unix time in milliseconds, so that the next one is known and
those due are found without a search. A hash without deadlines has no such set and pays nothing.
"""

from __future__ import annotations

from alcove.types.container import Container
from alcove.types.dense_map import ByteMap
from alcove.types.limits import Limits
from alcove.types.listpack import Listpack
from alcove.types.sorted_set import SortedSet

_OBJECT_BYTES = 80


class Hash(Container):
    """A hash; `_pack` holds fields and values by turns until there is a `_table`.

    `next_deadline` is when the first field expires, in Unix milliseconds; 0 when none does.
    """

    type_name = b"hash"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pack = Listpack()
        self._table: ByteMap | None = None
        self._deadlines: SortedSet | None = None
        self.next_deadline = 0
        self._extended = False

    def __len__(self) -> int:
        return len(self._pack) // 2 if self._table is None else len(self._table)

    @property
    def encoding(self) -> bytes:
        if self._table is not None:
            return b"hashtable"
        return b"listpackex" if self._extended else b"listpack"

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None."""
        if self._table is not None:
            return self._table.get(field)
        place = self._pack.find(field, 0, 2)
        return None if place < 0 else self._pack.get(place + 1)

    def get_all(self, fields: tuple[bytes, ...]) -> list[bytes | None]:
        """The value of each field, or None."""
        return [self.get(field) for field in fields]

    def contains(self, field: bytes) -> bool:
        if self._table is not None:
            return self._table.find(field) >= 0
        return self._pack.find(field, 0, 2) >= 0

    def set(self, field: bytes, value: bytes, keep_deadline: bool = False) -> bool:
        """Gives a field a value; whether the field was absent. Its deadline goes unless `keep_deadline`."""
        if self._table is not None:
            created = self._table.set(field, value)
        else:
            created = self._set_in_pack(field, value)
        if self._deadlines is not None and not keep_deadline and not created:
            self._forget_deadline(field)
        return created

    def set_all(self, pairs: tuple[bytes, ...]) -> int:
        """Gives fields the values behind them; how many were absent. Like the real server it makes room before."""
        if len(pairs) > 2:
            self.expect(len(pairs) // 2)
        created = 0
        for place in range(0, len(pairs), 2):
            created += self.set(pairs[place], pairs[place + 1])
        return created

    def remove(self, field: bytes) -> bool:
        """Removes a field; whether it was there."""
        if not self._remove(field):
            return False
        if self._deadlines is not None:
            self._forget_deadline(field)
        return True

    def remove_all(self, fields: tuple[bytes, ...]) -> int:
        """Removes fields; how many were there."""
        removed = 0
        for field in fields:
            removed += self.remove(field)
        return removed

    def field_at(self, position: int) -> bytes:
        """The field at a position from 0 to the length; positions hold until a field is removed or added."""
        return self._pack.get(2 * position) if self._table is None else self._table.key_at(position)

    def value_at(self, position: int) -> bytes:
        """The value at a position."""
        return self._pack.get(2 * position + 1) if self._table is None else self._table.value_at(position)

    def fields(self) -> list[bytes]:
        """All fields, by position."""
        return self._pack.items()[::2] if self._table is None else self._table.keys()

    def values(self) -> list[bytes]:
        """All values, by position."""
        return self._pack.items()[1::2] if self._table is None else self._table.values()

    def items(self) -> list[bytes]:
        """All fields, each before its value, by position."""
        return self._pack.items() if self._table is None else self._table.items()

    def expect(self, number: int) -> None:
        """Says that `number` fields come at once; as on the real server too many of them make a table beforehand."""
        if self._table is None and number > self._limits.hash_max_listpack_entries:
            self._to_table()

    def deadline(self, field: bytes) -> int:
        """When a field expires, in Unix milliseconds; 0 when it does not, or is not there."""
        if self._deadlines is None:
            return 0
        found = self._deadlines.score(field)
        return 0 if found is None else int(found)

    def set_deadline(self, field: bytes, deadline_ms: int) -> None:
        """Sets when a field that is there expires; 0 for never."""
        if deadline_ms == 0:
            if self._deadlines is not None:
                self._forget_deadline(field)
            return
        if self._deadlines is None:
            self._deadlines = SortedSet(self._limits)
        self._extended = True
        self._deadlines.put(field, float(deadline_ms))
        self._deadlines_changed()

    def expire_fields(self, now_ms: int, limit: int) -> list[bytes]:
        """Removes up to `limit` fields whose time has come, the earliest first, and returns them."""
        if self._deadlines is None:
            return []
        due = min(self._deadlines.count_below(float(now_ms), True), limit)
        fields = self._deadlines.members(0, due)
        self._deadlines.delete_range(0, due)
        self._deadlines_changed()
        for field in fields:
            self._remove(field)
        return fields

    def deadlines(self) -> list[tuple[bytes, float]]:
        """The fields that expire, the earliest first, with their deadlines in Unix milliseconds."""
        return [] if self._deadlines is None else self._deadlines.pairs(0, len(self._deadlines))

    def packed(self) -> bytes | None:
        """Fields and values by turns as the real server writes them, without deadlines; None for a table."""
        return self._pack.to_bytes() if self._table is None else None

    def load_pack(self, pack: Listpack) -> None:
        """Fills a new hash with saved fields and values; `ValueError` if one is missing or a field comes twice."""
        if len(pack) % 2 or pack.has_duplicates(2):
            raise ValueError("malformed hash: a value is missing or a field comes twice")
        limits = self._limits
        self._pack = pack
        if len(pack) > 2 * limits.hash_max_listpack_entries or pack.longest() > limits.hash_max_listpack_value:
            self._to_table()

    def footprint(self) -> int:
        """Bytes of memory, this object's own included."""
        size = _OBJECT_BYTES + (self._pack.footprint() if self._table is None else self._table.footprint())
        return size if self._deadlines is None else size + self._deadlines.footprint()

    def drain(self, number: int) -> bool:
        """Frees up to `number` fields of a hash no longer in use; True when nothing is left."""
        if self._deadlines is not None:
            if not self._deadlines.drain(number):
                return False
            self._deadlines = None
            self.next_deadline = 0
        if self._table is not None:
            return self._table.drain(number)
        self._pack = Listpack()
        return True

    def copy(self) -> Hash:
        twin = Hash(self._limits)
        if self._table is None:
            twin._pack = self._pack.copy()
        else:
            twin._pack = _NO_PACK
            twin._table = self._table.copy()
        if self._deadlines is not None:
            twin._deadlines = self._deadlines.copy()
        twin.next_deadline = self.next_deadline
        twin._extended = self._extended
        return twin

    def _set_in_pack(self, field: bytes, value: bytes) -> bool:
        limits = self._limits
        if len(field) > limits.hash_max_listpack_value or len(value) > limits.hash_max_listpack_value:
            return self._to_table().set(field, value)
        pack = self._pack
        place = pack.find(field, 0, 2)
        if place >= 0:
            pack.replace(place + 1, value)
            return False
        pack.append(field)
        pack.append(value)
        if len(pack) > 2 * limits.hash_max_listpack_entries:
            self._to_table()
        return True

    def _remove(self, field: bytes) -> bool:
        if self._table is not None:
            return self._table.delete(field)
        place = self._pack.find(field, 0, 2)
        if place >= 0:
            self._pack.delete(place, 2)
        return place >= 0

    def _forget_deadline(self, field: bytes) -> None:
        if self._deadlines is not None and self._deadlines.remove(field):
            self._deadlines_changed()

    def _deadlines_changed(self) -> None:
        if self._deadlines is not None and len(self._deadlines):
            self.next_deadline = int(self._deadlines.pairs(0, 1)[0][1])
        else:
            self._deadlines = None
            self.next_deadline = 0

    def _to_table(self) -> ByteMap:
        flat = self._pack.items()
        table = self._table = ByteMap()
        for place in range(0, len(flat), 2):
            table.set(flat[place], flat[place + 1])
        self._pack = _NO_PACK
        return table

    def _check(self) -> None:
        """Asserts that every field is found, once, and that the deadlines are those of fields that are there."""
        if self._table is not None:
            self._table._check()
            assert self._pack is _NO_PACK
        self._pack._check()
        assert len(self._pack) % 2 == 0
        fields, values, items = self.fields(), self.values(), self.items()
        assert len(fields) == len(values) == len(self) == len(set(fields))
        assert fields == items[::2]
        assert values == items[1::2]
        assert all(self.get(field) == value for field, value in zip(fields, values, strict=True))
        if self._deadlines is None:
            assert self.next_deadline == 0
            return
        self._deadlines._check()
        pairs = self._deadlines.pairs(0, len(self._deadlines))
        assert self.next_deadline == min(int(deadline) for _, deadline in pairs)
        assert all(self.contains(field) and self.deadline(field) == deadline for field, deadline in pairs)


# What the hashes with a table have for a listpack; it stays empty.
_NO_PACK = Listpack()
