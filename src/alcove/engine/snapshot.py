"""A walk over all keys as they were at one moment, in slices, while commands go on changing them.

Nothing is copied beforehand. The walk goes down the dense array of each table and marks the entries it has been at
with the snapshot's number; the keyspace asks for the mark before it changes an entry, and has one that lacks it saved
there and then (`Database.preserve`). What is added meanwhile bears the mark from its birth. A removal moves the last
entry into the gap, which lies below the walk only if that entry was not visited either, so that none is missed and
none comes twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from alcove.engine.keyspace import Keyspace
from alcove.engine.table import Entry, Table, container_in, value_of

# Containers with more elements than this are saved in steps, and strings with more bytes than that.
STEPPED: Final = 1000
LONG_STRING: Final = 1 << 18
# How many small entries are saved between two looks at the clock, and how many bytes and elements of theirs.
BETWEEN_LOOKS: Final = 16
WEIGHT_BETWEEN_LOOKS: Final = 1 << 12
# How many bytes of changed entries may wait for the container in work: then the rest of it is saved at once.
MOST_ASIDE: Final = 64 << 20


class Recorder(Protocol):
    """Who keeps what a snapshot finds."""

    @property
    def aside(self) -> int:
        """How many bytes wait until the container in work is saved."""

    def entry(self, number: int, entry: Entry) -> None:
        """A key of the database `number`, whole."""

    def steps(self, number: int, entry: Entry) -> Iterator[None]:
        """A key with a big container, saved while this is iterated; other entries may come in between."""

    def end(self) -> None:
        """There are no more keys."""


class Snapshot:
    """All keys as they are when it is made. There is one at a time."""

    def __init__(self, space: Keyspace, recorder: Recorder) -> None:
        space.snapshots += 1
        self._space = space
        self._recorder = recorder
        self._number = space.snapshots
        # The tables to be walked, the last one first, with the numbers of their databases at the beginning.
        self._tables = [(database.number, database.table) for database in space.databases if len(database)]
        self._numbers: dict[Table, int] = {table: number for number, table in self._tables}
        # How many places of the table in work are still to be visited.
        self._left = len(self._tables[-1][1]) if self._tables else 0
        # The container in work, and whether its key is gone, so that this disposes of it.
        self._stepped: Entry | None = None
        self._orphaned = False
        self._steps: Iterator[None] | None = None
        # Long values that somebody waits for, with their databases' numbers; they come first.
        self._wanted: deque[tuple[int, Entry]] = deque()
        # Whether who keeps what is found has more than it can write: then changes wait whose values it would get.
        self.is_ahead = False
        # Tables that no database has any more.
        self._kept: list[Table] = []
        # How many long values are saved, keys there are to save, and keys saved.
        self.stepped = 0
        self.keys = sum(len(table) for _, table in self._tables)
        self.saved = 0
        space.saving = self._number
        space.snapshot = self

    def work(self, in_time: Callable[[], bool]) -> bool:
        """Saves keys for as long as `in_time` answers True, a few at least; True when all are saved."""
        while self._tables:
            if self._steps is not None:
                self._step()
            elif self._wanted:
                self._take_wanted()
            elif not self._walk():
                self._tables.pop()
                self._left = len(self._tables[-1][1]) if self._tables else 0
            if not in_time():
                break
        return not self._tables

    def _walk(self) -> bool:
        """Visits the next few entries of the table in work; False when there are none left."""
        number, table = self._tables[-1]
        recorder = self._recorder
        left = min(self._left, len(table))
        weight = 0
        for _ in range(BETWEEN_LOOKS):
            if left == 0 or weight > WEIGHT_BETWEEN_LOOKS:
                break
            left -= 1
            entry = table.at(left)
            if entry.saved == self._number:
                continue
            value = value_of(entry)
            if is_long(value):
                self._begin_steps(number, entry)
                break
            entry.saved = self._number
            self.saved += 1
            weight += len(value)
            recorder.entry(number, entry)
        self._left = left
        return left > 0 or self._steps is not None

    def _begin_steps(self, number: int, entry: Entry) -> None:
        self._stepped = entry
        self._steps = iter(self._recorder.steps(number, entry))

    def _take_wanted(self) -> None:
        """Begins with the next value that somebody waits for."""
        number, entry = self._wanted.popleft()
        if entry.saved != self._number:
            self._begin_steps(number, entry)

    def _step(self) -> None:
        if self._steps is not None and next(self._steps, self) is self:
            self._finish_steps()

    def _finish_steps(self) -> None:
        entry = self._stepped
        if entry is not None:
            entry.saved = self._number
            self.saved += 1
        self._let_go()

    def _let_go(self) -> None:
        entry = self._stepped
        orphaned, self._orphaned = self._orphaned, False
        self._stepped = self._steps = None
        self.stepped += 1
        container = None if entry is None or not orphaned else container_in(entry)
        if container is not None:
            self._space.dispose(container)

    def comes_first(self, table: Table, key: bytes) -> bool:
        """Whether who would change a key has to wait for the snapshot, so that nobody else has to wait for him.

        That is so for long values, which are saved as soon as they can be, and for all when there is more than can be
        written.
        """
        entry = table.get(key)
        if entry is None or entry.saved == self._number:
            return False
        if entry is not self._stepped:
            if not is_long(entry.value):
                return self.is_ahead
            self._wanted.append((self._numbers[table], entry))
        return True

    def keeps_value(self, entry: Entry) -> bool:
        """Whether the value of an entry that is removed is still needed; then this disposes of it when it is saved."""
        if entry is not self._stepped:
            return False
        self._orphaned = True
        # Nobody else has the value any more: it need not be saved at once.
        entry.saved = self._number
        return True

    def save(self, table: Table, entry: Entry) -> None:
        """Saves an entry that is about to change."""
        if entry is self._stepped or (self._steps is not None and self._recorder.aside > MOST_ASIDE):
            for _ in self._steps or ():
                pass
            self._finish_steps()
        if entry.saved == self._number:
            return
        entry.saved = self._number
        self.saved += 1
        self._recorder.entry(self._numbers[table], entry)

    def keeps(self, table: Table) -> bool:
        """Whether a table that its database has let go of is still needed; then this disposes of it at the end."""
        if any(table is waiting for _, waiting in self._tables):
            self._kept.append(table)
            return True
        return False

    def end(self) -> None:
        """The keyspace goes on without it, whether all is saved or not."""
        self._tables = []
        self._wanted.clear()
        self._space.saving = 0
        self._space.snapshot = None
        self._let_go()
        for table in self._kept:
            self._space.dispose(table)
        self._kept = []


def is_long(value: Any) -> bool:
    """Whether a value is saved in steps."""
    if type(value) is bytes or type(value) is bytearray:
        return len(value) > LONG_STRING
    return len(value) > STEPPED
