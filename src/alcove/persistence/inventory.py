"""What keys there are: how many of which type, how much room they take, and which are the biggest."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

# How many of the biggest keys are told.
BIGGEST: Final = 10


@dataclass
class Tally:
    """Keys of one type. `volatile` are those with a deadline of their own; `size` is in bytes as written."""

    keys: int = 0
    volatile: int = 0
    elements: int = 0
    size: int = 0


class BigKey(NamedTuple):
    """One of the biggest keys: its bytes as written, its database, name and type, and how many elements it has."""

    size: int
    number: int
    key: bytes
    kind: str
    elements: int


@dataclass
class Inventory:
    """All keys of a file."""

    # By type, and the number of keys by database.
    kinds: dict[str, Tally] = field(default_factory=dict)
    databases: dict[int, int] = field(default_factory=dict)
    # Keys whose time had come when they were counted.
    expired: int = 0
    _biggest: list[BigKey] = field(default_factory=list)

    @property
    def keys(self) -> int:
        return sum(self.databases.values())

    @property
    def volatile(self) -> int:
        return sum(tally.volatile for tally in self.kinds.values())

    def add(self, number: int, key: bytes, value: Any, expire_ms: int, size: int) -> None:
        """Counts a key of the database `number` that takes `size` bytes."""
        is_string = isinstance(value, bytes | bytearray)
        kind = "string" if is_string else value.type_name.decode()
        elements = 1 if is_string else len(value)
        tally = self.kinds.setdefault(kind, Tally())
        tally.keys += 1
        tally.volatile += expire_ms > 0
        tally.elements += elements
        tally.size += size
        self.databases[number] = self.databases.get(number, 0) + 1
        if len(self._biggest) < BIGGEST:
            heapq.heappush(self._biggest, BigKey(size, number, key, kind, elements))
        elif size > self._biggest[0].size:
            heapq.heapreplace(self._biggest, BigKey(size, number, key, kind, elements))

    def biggest(self) -> list[BigKey]:
        """The biggest keys, the biggest first."""
        return sorted(self._biggest, reverse=True)
