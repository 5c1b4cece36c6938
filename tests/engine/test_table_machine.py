"""A table and a database against models, by chance: values cross the border of their entries, the index grows and
shrinks, and walks, deadlines and snapshots go on meanwhile."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alcove.engine.events import HASH, STRING
from alcove.engine.keyspace import Database, Keyspace, footprint_of
from alcove.engine.snapshot import Snapshot
from alcove.engine.table import Entry, Table, container_in, replace, string_in, value_of, weigh
from alcove.types.hash import Hash

KEYS = st.integers(0, 40).map(lambda number: b"k" * (number % 7 * 9) + b"%d" % number)
# Some lie within an entry, some fit there only after others, and some never do.
STRINGS = st.one_of(st.integers(0, 40), st.integers(100, 300)).map(lambda size: bytes(range(256))[:size] * 1)
BUFFERS = STRINGS.map(bytearray)
NUMBERS = st.integers(0, 1_000_000)


def new_hash(*fields: bytes) -> Hash:
    value = Hash(Keyspace().limits)
    for field in fields:
        value.set(field, b"value")
    return value


VALUES = st.one_of(STRINGS, BUFFERS, st.sets(STRINGS, min_size=1).map(lambda fields: new_hash(*fields)))


class TableMachine(RuleBasedStateMachine):
    """A table, beside a dict of what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.values: dict[bytes, Any] = {}
        self.deadlines: dict[bytes, tuple[int, int]] = {}
        # How many places a walk has still to visit, which keys were there all the time, and which it has met.
        self.left = 0
        self.stayed: set[bytes] = set()
        self.met: set[bytes] = set()

    def entry(self, key: bytes) -> Entry:
        """The entry of a key, which is added if need be."""
        entry = self.table.get(key)
        assert (entry is None) == (key not in self.values)
        if entry is None:
            entry = self.table.add(key, b"")
            self.values[key] = b""
            self.deadlines[key] = (0, 0)
        return entry

    def gone(self, key: bytes) -> None:
        del self.values[key], self.deadlines[key]
        self.stayed.discard(key)

    @rule(key=KEYS, value=VALUES)
    def add_anew(self, key: bytes, value: Any) -> None:
        entry = self.table.get(key)
        if entry is not None:
            self.table.remove(entry)
            self.gone(key)
        added = self.table.add(key, value)
        self.values[key] = value
        self.deadlines[key] = (0, 0)
        assert added is self.table.get(key)
        assert added is not entry

    @rule(key=KEYS, value=VALUES)
    def replace(self, key: bytes, value: Any) -> None:
        entry = self.entry(key)
        accounted = entry.size
        assert replace(entry, value) == accounted
        assert entry.size == 0
        assert weigh(entry) == entry.size
        assert weigh(entry) == 0
        self.values[key] = value

    @rule(key=KEYS, expire_ms=NUMBERS)
    def set_deadline(self, key: bytes, expire_ms: int) -> None:
        self.table.set_deadline(self.entry(key), expire_ms)
        self.deadlines[key] = (expire_ms, self.deadlines[key][1])

    @rule(key=KEYS, field_ms=NUMBERS)
    def set_field_deadline(self, key: bytes, field_ms: int) -> None:
        self.table.set_field_deadline(self.entry(key), field_ms)
        self.deadlines[key] = (self.deadlines[key][0], field_ms)

    @rule(now_ms=NUMBERS)
    def remove_what_is_due(self, now_ms: int) -> None:
        while (entry := self.table.due(now_ms)) is not None:
            assert min(filter(None, self.deadlines[entry.key])) <= now_ms
            self.table.remove(entry)
            self.gone(entry.key)
        assert all(min(filter(None, times), default=now_ms + 1) > now_ms for times in self.deadlines.values())

    @rule(start=st.integers(0, 3), count=st.sampled_from([5, 50, 500]))
    def add_many(self, start: int, count: int) -> None:
        for number in range(start * 100, start * 100 + count):
            self.entry(b"many:%d" % number)

    @rule(count=st.sampled_from([0, 10, 1000, 2**62]))
    def expect(self, count: int) -> None:
        self.table.expect(count)

    @rule(start=st.integers(0, 3), count=st.sampled_from([5, 50, 500]))
    def remove_many(self, start: int, count: int) -> None:
        for number in range(start * 100, start * 100 + count):
            entry = self.table.get(b"many:%d" % number)
            if entry is not None:
                self.table.remove(entry)
                self.gone(entry.key)

    @precondition(lambda self: self.left == 0)
    @rule()
    def begin_walk(self) -> None:
        assert self.stayed <= self.met
        self.left = len(self.table)
        self.stayed = set(self.values)
        self.met = set()

    @rule(count=st.integers(1, 100))
    def walk(self, count: int) -> None:
        self.left = min(self.left, len(self.table))
        for _ in range(min(count, self.left)):
            self.left -= 1
            self.met.add(self.table.at(self.left).key)

    @invariant()
    def holds_what_it_should(self) -> None:
        self.table._check()
        assert len(self.table) == len(self.values)
        assert self.table.volatile == sum(any(times) for times in self.deadlines.values())
        self.table.fetch(list(self.values))
        for key, value in self.values.items():
            entry = self.table.get(key)
            assert entry is not None
            assert entry.key == key
            assert (entry.expire_ms, self.table.field_deadline(entry)) == self.deadlines[key]
            if type(value) is bytes:
                assert entry.value == value_of(entry) == string_in(entry) == value
                assert container_in(entry) is None
                continue
            # What can change is always the same object.
            assert entry.value is value_of(entry) is value
            assert (string_in(entry) is value) == (type(value) is bytearray)
            assert (container_in(entry) is value) == (type(value) is Hash)

    def teardown(self) -> None:
        while not self.table.drain(7):
            pass
        assert len(self.table) == 0


class Kept:
    """What a snapshot has recorded; containers of more than a thousand fields in steps."""

    # Nothing waits for a container that is being saved.
    aside = 0

    def __init__(self) -> None:
        self.found: dict[bytes, Any] = {}

    def entry(self, number: int, entry: Entry) -> None:
        assert entry.key not in self.found
        self.found[entry.key] = image(entry.value)

    def steps(self, number: int, entry: Entry) -> Iterator[None]:
        before = image(entry.value)
        yield
        assert image(entry.value) == before
        self.entry(number, entry)

    def end(self) -> None:
        pass


def image(value: Any) -> Any:
    return dict(zip(value.fields(), value.values(), strict=True)) if type(value) is Hash else bytes(value)


class DatabaseMachine(RuleBasedStateMachine):
    """A database with a snapshot now and then, beside a dict of what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.space = Keyspace(1)
        self.database: Database = self.space.databases[0]
        self.model: dict[bytes, Any] = {}
        self.snapshot: Snapshot | None = None
        self.kept = Kept()
        self.expected: dict[bytes, Any] = {}

    @rule(key=KEYS, value=STRINGS, keep_ttl=st.booleans())
    def put(self, key: bytes, value: bytes, keep_ttl: bool) -> None:
        self.database.put(key, value, STRING, b"set", keep_ttl)
        self.model[key] = value

    @rule(key=KEYS, more=STRINGS)
    def append(self, key: bytes, more: bytes) -> None:
        if type(self.model.get(key)) is bytes:
            old = self.database.edit_string(key)
            entry = self.database.find(key)
            assert entry is not None
            if type(old) is bytes:
                old = bytearray(old)
                self.database.replace(entry, old)
            old += more
            self.database.changed(key, STRING, b"append")
            self.model[key] += more

    @rule(key=KEYS, field=STRINGS, count=st.sampled_from([1, 1, 1, 1200]))
    def set_fields(self, key: bytes, field: bytes, count: int) -> None:
        if type(self.model.get(key)) is bytes:
            return
        value = self.database.edit_or_create(key, Hash)
        model = self.model.setdefault(key, {})
        for number in range(count):
            value.set(field + b"%d" % number, field)
            model[field + b"%d" % number] = field
        self.database.changed(key, HASH, b"hset")

    @rule(key=KEYS, expire_ms=NUMBERS)
    def set_deadline(self, key: bytes, expire_ms: int) -> None:
        entry = self.database.find(key)
        if entry is not None:
            self.database.set_deadline(entry, expire_ms)

    @rule(key=KEYS)
    def remove(self, key: bytes) -> None:
        assert self.database.remove(key) == (self.model.pop(key, None) is not None)

    @rule(key=KEYS, other=KEYS)
    def rename(self, key: bytes, other: bytes) -> None:
        if key != other and (entry := self.database.take(key)) is not None:
            self.database.adopt(other, entry.value, entry.expire_ms)
            self.model[other] = self.model.pop(key)

    @rule()
    def flush(self) -> None:
        self.database.flush()
        self.model.clear()

    @precondition(lambda self: self.snapshot is None)
    @rule()
    def begin_snapshot(self) -> None:
        self.kept = Kept()
        self.snapshot = Snapshot(self.space, self.kept)
        self.expected = {key: dict(value) if type(value) is dict else value for key, value in self.model.items()}

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def work(self) -> None:
        assert self.snapshot is not None
        if self.snapshot.work(lambda: False):
            self.snapshot.end()
            self.snapshot = None
            assert self.kept.found == self.expected

    @rule()
    def bury(self) -> None:
        self.space.bury(lambda: False)

    @invariant()
    def holds_and_accounts_what_it_should(self) -> None:
        self.database.table._check()
        entries = [self.database.table.at(place) for place in range(len(self.database))]
        assert {entry.key: image(entry.value) for entry in entries} == self.model
        assert self.database.used == self.space.used == sum(map(footprint_of, entries))


TableMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
DatabaseMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestTable = TableMachine.TestCase
TestDatabase = DatabaseMachine.TestCase


# Memory


def change_values(table: Table, values: list[Any]) -> None:
    """Adds three keys for each value, which in the end is theirs."""
    for number, value in enumerate(values * 3):
        entry = table.add(b"%d" % number, value)
        for other in (*values, b"small", *values, b"", value):
            replace(entry, other)
            assert value_of(entry) == other


def test_every_object_is_let_go_of() -> None:
    values = [bytes(200), bytearray(b"buffer"), new_hash(b"field")]
    before = [sys.getrefcount(value) for value in values]
    table = Table()
    change_values(table, values)
    assert [sys.getrefcount(value) for value in values] == [count + 3 for count in before]
    for number in range(4):
        entry = table.get(b"%d" % number)
        assert entry is not None
        table.remove(entry)
    del entry
    table.drain(2)
    del table
    assert [sys.getrefcount(value) for value in values] == before


def test_a_million_keys_leave_no_memory_behind() -> None:
    def round_of_keys() -> None:
        table = Table()
        for number in range(50_000):
            entry = table.add(b"key:%d" % number, b"value")
            replace(entry, bytes(number % 300))
            table.set_deadline(entry, number)
            if number % 3:
                table.remove(entry)
        while not table.drain(512):
            pass

    round_of_keys()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(20):
        round_of_keys()
    gc.collect()
    assert sys.getallocatedblocks() < before + 1000
