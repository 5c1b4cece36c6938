"""The keyspace: the databases, and all that happens around a key whoever touches it.

Looking up (an expired key is gone the moment it is looked at), writing, removing, expiring, WATCH, keyspace events,
memory accounting and the waking of blocked sessions stand here once. Handlers say what they do to a key with the
verbs of `Database`; none of them sees how entries are stored, which is the table's business.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alcove.engine.events import EVICTED, EXPIRED, GENERIC, HASH, MISS, NEW, OVERWRITTEN, TYPE_CHANGED
from alcove.engine.table import (
    Entry,
    Table,
    container_in,
    key_of,
    replace,
    string_in,
    value_of,
    weigh,
    weight_of,
)
from alcove.errors import WRONG_TYPE, CommandError
from alcove.types.limits import Limits

if TYPE_CHECKING:
    from alcove.engine.blocking import Wait
    from alcove.engine.session import Session

# What a key with a deadline costs more: its node in the heap. `bench/eviction.py` compares what is accounted with what
# the process takes.
TIMER_BYTES = 24
# Values with more elements than this are freed in slices, not at once.
DRAINED_AT_ONCE = 64
# When housekeeping comes if nothing needs it.
NEVER_MS = 2**62
# The counter of a new key under LFU, which gives it time to be used before it is evicted; and the highest.
LFU_INITIAL = 5
LFU_HIGHEST = 255
# Events of a new value in the place of the old that stand for an edit: nothing is overwritten.
EDITS = frozenset((b"incrby", b"incrbyfloat"))
# How many elements the graveyard frees between two looks at the clock.
DRAIN_STEP = 512


class Keyspace:
    """All databases of one engine, and what they share: the time, the counters and the hooks."""

    def __init__(self, databases: int = 16) -> None:
        self.limits = Limits()
        # The time by which keys expire. It stands still during a command, an EXEC or a script.
        self.now_ms = 0
        # Counts effective writes; the engine compares it to see whether a command changed anything.
        self.dirty = 0
        self.hits = 0
        self.misses = 0
        self.expired = 0
        # How many values were freed in slices.
        self.freed = 0
        self.used = 0
        # Whether effects are collected in `records` for the sinks.
        self.recording = False
        self.records: list[tuple[int, list[bytes]]] = []
        # False while a CLIENT NO-TOUCH session runs: reads leave the access clock alone.
        self.touching = True
        # Whether eviction goes by how often keys are used, and how fast their counters grow and fade.
        self.lfu = False
        self.lfu_log_factor = 10
        self.lfu_decay_time = 1
        # The event classes that somebody listens to, and who is told: (database, class, event, key).
        self.event_mask = 0
        self.listener: Callable[[int, int, bytes, bytes], None] | None = None
        # Told of every key that changes while some session tracks keys.
        self.on_change: Callable[[bytes], None] | None = None
        # Keys that blocked sessions wait for and that were written since they were last served.
        self.ready: list[tuple[Database, bytes]] = []
        self.graveyard: deque[Any] = deque()
        # The snapshot that is being taken, and its number, which entries bear once it has them; 0 for none. How many
        # there have been.
        self.saving = 0
        self.snapshots = 0
        self.snapshot: Any = None
        # When housekeeping is to come next, on the clock by which keys expire, and whether it is wanted sooner.
        self.wake_ms = NEVER_MS
        self.sooner = False
        self.databases = [Database(self, number) for number in range(databases)]

    def swap(self, first: Database, second: Database) -> None:
        """SWAPDB: each database gets the other's keys; who watches or waits stays with the number."""
        for database, other in ((first, second), (second, first)):
            for key in list(database.watchers):
                if database.table.get(key) is not None or other.table.get(key) is not None:
                    database.break_watches(key)
        first.table, second.table = second.table, first.table
        first.used, second.used = second.used, first.used
        for database in (first, second):
            self.ready.extend((database, key) for key in database.waiting)
        self.dirty += 1

    def dispose(self, value: Any) -> None:
        """Takes a container or a table that nobody has any more; a big one is freed later, in slices."""
        if len(value) > DRAINED_AT_ONCE:
            self.graveyard.append(value)
            self.sooner = True

    def wake_by(self, when_ms: int) -> None:
        """Has housekeeping come by then, if it would come later."""
        if when_ms < self.wake_ms:
            self.wake_ms = when_ms
            self.sooner = True

    def bury(self, within_us: Callable[[], bool]) -> bool:
        """Frees what the graveyard holds for as long as `within_us` answers True; True when nothing is left."""
        while self.graveyard:
            if self.graveyard[0].drain(DRAIN_STEP):
                self.graveyard.popleft()
                self.freed += 1
            if not within_us():
                return not self.graveyard
        return True

    # LFU keeps minutes (16 bits, modulo) above a logarithmic counter (8 bits) in `Entry.access`, as the real server.

    def lfu_access(self, counter: int) -> int:
        """The access field of a key that is used now and has this counter."""
        return ((self.now_ms // 60_000) & 0xFFFF) << 8 | counter

    def lfu_counter(self, access: int) -> int:
        """The counter as it is now: it loses one for every `lfu-decay-time` minutes since the last use, if not 0."""
        counter = access & 0xFF
        if self.lfu_decay_time == 0:
            return counter
        minutes = ((self.now_ms // 60_000) - (access >> 8)) & 0xFFFF
        return max(counter - minutes // self.lfu_decay_time, 0)

    def lfu_touched(self, access: int) -> int:
        """The access field after one more use: the counter grows the more rarely the higher it is."""
        counter = self.lfu_counter(access)
        above = max(counter - LFU_INITIAL, 0)
        if counter < LFU_HIGHEST and random.random() * (above * self.lfu_log_factor + 1) < 1.0:
            counter += 1
        return self.lfu_access(counter)

    def next_deadline(self) -> int:
        """When the next key expires, in Unix milliseconds; 0 when none will."""
        first = 0
        for database in self.databases:
            deadline = database.table.next_deadline()
            if deadline and (not first or deadline < first):
                first = deadline
        return first

    def expire_due(self, within_us: Callable[[], bool]) -> bool:
        """Removes keys whose time has come for as long as `within_us` answers True; True when none is left."""
        for database in self.databases:
            while (entry := database.table.due(self.now_ms)) is not None:
                if entry.expire_ms != 0 and entry.expire_ms <= self.now_ms:
                    database.expire(entry)
                else:
                    database.expire_fields(entry)
                if not within_us():
                    return False
        return True


class Database:
    """One numbered database: the verbs with which handlers read and change keys."""

    def __init__(self, space: Keyspace, number: int) -> None:
        self.space = space
        self.number = number
        self.table = Table()
        # The bytes of memory that its keys and values take.
        self.used = 0
        # Sessions that WATCH a key, and the waits of sessions that are blocked on one, first come first.
        self.watchers: dict[bytes, dict[Session, None]] = {}
        self.waiting: dict[bytes, dict[Wait, None]] = {}

    def __len__(self) -> int:
        return len(self.table)

    # Looking up

    def fetch(self, keys: list[bytes]) -> None:
        """Has the processor fetch what looking up these keys will read, of all at once. It changes nothing."""
        self.table.fetch(keys)

    def find(self, key: bytes) -> Entry | None:
        """The live entry of a key, leaving access time and statistics alone."""
        entry = self.table.get(key)
        if entry is not None and entry.timer and self.is_due(entry):
            return self.table.get(key)
        return entry

    def is_due(self, entry: Entry) -> bool:
        """Whether an entry had to go, or fields of its hash had, because their time has come: then they are gone."""
        now_ms = self.space.now_ms
        if entry.expire_ms != 0 and entry.expire_ms <= now_ms:
            self.expire(entry)
            return True
        field_ms = self.table.field_deadline(entry)
        if field_ms == 0 or field_ms > now_ms:
            return False
        while 0 < self.table.field_deadline(entry) <= now_ms:
            self.expire_fields(entry)
        return True

    def look(self, key: bytes, touch: bool = True) -> Entry | None:
        """The live entry of a key for reading: counts a hit or a miss and, with `touch`, marks the key as used."""
        space = self.space
        entry = self.find(key)
        if entry is None:
            space.misses += 1
            self.notify(MISS, b"keymiss", key)
            return None
        space.hits += 1
        if touch and space.touching:
            self.touch(entry)
        return entry

    def read(self, key: bytes, kind: type[Any]) -> Any:
        """The value of a key for reading, or None; `CommandError` WRONGTYPE when it is not a `kind`."""
        entry = self.look(key)
        if entry is None:
            return None
        value = container_in(entry)
        if type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        return value

    def read_string(self, key: bytes) -> Any:
        """The string value of a key for reading: `bytes`, a `bytearray` if it was edited in place, or None."""
        entry = self.look(key)
        if entry is None:
            return None
        return string_of(entry)

    def edit(self, key: bytes, kind: type[Any]) -> Any:
        """The value of a key to be edited in place, or None; the edit ends in `changed`."""
        entry = self.find(key)
        if entry is None:
            return None
        value = container_in(entry)
        if type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        self.preserve(entry)
        self.touch(entry)
        return value

    def edit_string(self, key: bytes) -> Any:
        """The string value of a key to be changed, or None: `bytes`, or a `bytearray` to be edited in place."""
        entry = self.find(key)
        if entry is None:
            return None
        self.preserve(entry)
        self.touch(entry)
        return string_of(entry)

    def edit_or_create(self, key: bytes, kind: type[Any]) -> Any:
        """As `edit`, but a key that is not there gets an empty `kind`; `changed` removes it if it stays empty."""
        entry = self.find(key)
        if entry is None:
            value = kind(self.space.limits)
            self.add(key, value)
            return value
        value = container_in(entry)
        if type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        self.preserve(entry)
        self.touch(entry)
        return value

    def preserve(self, entry: Entry) -> None:
        """Has a snapshot in progress save an entry as it is, because it is about to change."""
        space = self.space
        if space.saving and entry.saved != space.saving:
            space.snapshot.save(self.table, entry)

    def touch(self, entry: Entry) -> None:
        """Marks an entry as used just now, in the manner of the eviction policy."""
        if self.space.lfu:
            entry.access = self.space.lfu_touched(entry.access)
        else:
            entry.access = self.space.now_ms // 1000

    # Writing

    def add(self, key: bytes, value: Any) -> Entry:
        """Adds a key that is not there; the caller ends the write with `changed` or `signal`."""
        entry = self.table.add(key, value)
        self.account(weight_of(entry))
        # What comes after a snapshot has begun is not in it.
        entry.saved = self.space.saving
        entry.access = self.space.lfu_access(LFU_INITIAL) if self.space.lfu else self.space.now_ms // 1000
        if self.space.event_mask & NEW:
            self.notify(NEW, b"new", key)
        return entry

    def put(self, key: bytes, value: Any, event_class: int, event: bytes, keep_ttl: bool = False) -> Entry:
        """Gives a key a value, whatever it held; its deadline goes unless `keep_ttl`."""
        entry = self.find(key)
        if entry is None:
            entry = self.add(key, value)
        else:
            self.preserve(entry)
            if self.space.event_mask & (OVERWRITTEN | TYPE_CHANGED) and event not in EDITS:
                self.overwritten(key, value_of(entry), value)
            container = container_in(entry)
            if container is not None:
                self.space.dispose(container)
            self.replace(entry, value)
            self.touch(entry)
            if entry.timer:
                # A field's deadline was that of a hash that is no more.
                self.arm(entry, entry.expire_ms if keep_ttl else 0, 0)
        self.signal(key)
        self.settle(entry, event_class, event, 1)
        return entry

    def replace(self, entry: Entry, value: Any) -> None:
        """Gives an entry another value, or the same in another form; the caller has preserved and accounts for it."""
        self.account(-replace(entry, value))

    def changed(self, key: bytes, event_class: int, event: bytes, count: int = 1) -> None:
        """Ends an in-place edit by which `count` things changed. A container left empty takes its key with it."""
        entry = self.table.get(key)
        if entry is None:
            return
        self.signal(key)
        self.settle(entry, event_class, event, count)
        value = container_in(entry)
        # A container that lost its last element goes, with the event of a deletion; a stream may be empty.
        if value is not None and len(value) == 0 and value.type_name != b"stream":
            self.detach(entry)
            self.notify(GENERIC, b"del", key)

    def written(self, entry: Entry, event_class: int, event: bytes, count: int) -> None:
        """What follows every write to a key: WATCH, waking, and what `settle` does."""
        if self.watchers or self.waiting or self.space.on_change is not None:
            self.signal(key_of(entry))
        self.settle(entry, event_class, event, count)

    def noted(self, key: bytes, event_class: int, event: bytes, count: int = 1) -> None:
        """As `changed`, of what a stream keeps besides entries: WATCH does not see it, and no one waits for it."""
        entry = self.table.get(key)
        if entry is not None:
            self.settle(entry, event_class, event, count)

    def settle(self, entry: Entry, event_class: int, event: bytes, count: int) -> None:
        """What follows every change of a value: accounting, the dirty counter and the event."""
        space = self.space
        self.account(weigh(entry))
        space.dirty += count
        if space.event_mask & event_class:
            self.notify(event_class, event, key_of(entry))

    def signal(self, key: bytes) -> None:
        """Tells the sessions that WATCH, track or wait for a key that it changed."""
        if self.watchers:
            self.break_watches(key)
        if self.space.on_change is not None:
            self.space.on_change(key)
        self.wake(key)

    def break_watches(self, key: bytes) -> None:
        """Tells the sessions that WATCH a key that it changed, or is gone with all others."""
        for session in self.watchers.get(key, ()):
            session.watch_broken = True

    def wake(self, key: bytes) -> None:
        """Has those asked again who wait for a key."""
        if self.waiting and key in self.waiting:
            self.space.ready.append((self, key))

    def notify(self, event_class: int, event: bytes, key: bytes) -> None:
        space = self.space
        if space.event_mask & event_class and space.listener is not None:
            space.listener(self.number, event_class, event, key)

    def overwritten(self, key: bytes, old: Any, new: Any) -> None:
        """The events of a value that was replaced as a whole, and of its type if that is another now."""
        self.notify(OVERWRITTEN, b"overwritten", key)
        if type_name(old) != type_name(new):
            self.notify(TYPE_CHANGED, b"type_changed", key)

    def account(self, size: int) -> None:
        """The database takes `size` more bytes of memory, or fewer."""
        self.used += size
        self.space.used += size

    # Removing

    def remove(self, key: bytes, event: bytes = b"del") -> bool:
        """Removes a key; whether it was there."""
        entry = self.find(key)
        if entry is None:
            return False
        self.detach(entry)
        self.signal(key)
        self.notify(GENERIC, event, key)
        self.space.dirty += 1
        return True

    def take(self, key: bytes) -> Entry | None:
        """Removes a key without freeing its value, for RENAME and MOVE; signals, but leaves the event to the caller."""
        entry = self.find(key)
        if entry is None:
            return None
        self.unlink(entry)
        self.signal(key)
        return entry

    def adopt(self, key: bytes, value: Any, expire_ms: int) -> Entry:
        """Puts a value with its deadline under a key, whatever that held: how RENAME, MOVE, COPY and RESTORE write.

        The caller tells of the event and counts the write.
        """
        old = self.find(key)
        if old is not None:
            self.detach(old)
        entry = self.add(key, value)
        if expire_ms:
            self.set_deadline(entry, expire_ms)
        if type(value) is not bytes and type(value) is not bytearray and value.type_name == b"hash":
            self.set_field_deadline(key, value.next_deadline)
        self.written(entry, 0, b"", 0)
        return entry

    def detach(self, entry: Entry) -> None:
        """Takes an entry out and frees its value."""
        space = self.space
        kept = space.saving and space.snapshot.keeps_value(entry)
        self.unlink(entry)
        value = container_in(entry)
        if value is not None and not kept:
            space.dispose(value)

    def unlink(self, entry: Entry) -> None:
        self.preserve(entry)
        self.account(-footprint_of(entry))
        self.table.remove(entry)

    def flush(self) -> int:
        """Removes every key; how many there were. The old table is freed in slices."""
        count = len(self.table)
        for key in list(self.watchers):
            if self.table.get(key) is not None:
                self.break_watches(key)
        for key in self.waiting:
            self.space.ready.append((self, key))
        old, self.table = self.table, Table()
        self.account(-self.used)
        if not self.space.saving or not self.space.snapshot.keeps(old):
            self.space.dispose(old)
        return count

    # Expiring

    def expire(self, entry: Entry) -> None:
        """Removes an entry whose time has come, and records the deletion."""
        space = self.space
        key = key_of(entry)
        self.detach(entry)
        space.expired += 1
        if space.recording:
            space.records.append((self.number, [b"DEL", key]))
        self.notify(EXPIRED, b"expired", key)
        self.signal(key)

    def evict(self, entry: Entry) -> None:
        """Removes an entry to make room, and records the deletion."""
        space = self.space
        key = key_of(entry)
        self.detach(entry)
        if space.recording:
            space.records.append((self.number, [b"DEL", key]))
        self.signal(key)
        self.notify(EVICTED, b"evicted", key)

    def set_deadline(self, entry: Entry, expire_ms: int) -> None:
        """Sets the Unix time in milliseconds at which an entry expires, 0 for never. The caller signals the write."""
        self.preserve(entry)
        self.arm(entry, expire_ms, self.table.field_deadline(entry))
        if expire_ms != 0:
            self.space.wake_by(expire_ms)

    def arm(self, entry: Entry, expire_ms: int, field_ms: int) -> None:
        """Gives an entry its deadlines, and accounts the node that it has because of them."""
        timed = entry.timer != 0
        if entry.expire_ms != expire_ms:
            self.table.set_deadline(entry, expire_ms)
        if self.table.field_deadline(entry) != field_ms:
            self.table.set_field_deadline(entry, field_ms)
        if timed != (entry.timer != 0):
            self.account(-TIMER_BYTES if timed else TIMER_BYTES)

    def set_field_deadline(self, key: bytes, field_ms: int) -> None:
        """Sets when the first field of the hash at `key` expires, 0 when none does."""
        entry = self.table.get(key)
        if entry is not None:
            self.arm(entry, entry.expire_ms, field_ms)
            if field_ms != 0:
                self.space.wake_by(field_ms)

    def expire_fields(self, entry: Entry) -> None:
        """Removes the fields of a hash whose time has come, a slice of them at a time, and records it as HDEL."""
        space = self.space
        self.preserve(entry)
        hash_value = entry.value
        fields = hash_value.expire_fields(space.now_ms, DRAIN_STEP)
        self.arm(entry, entry.expire_ms, hash_value.next_deadline)
        if not fields:
            return
        if space.recording:
            space.records.append((self.number, [b"HDEL", entry.key, *fields]))
        self.changed(entry.key, HASH, b"hexpired", 0)

    # Walking

    def random(self) -> bytes | None:
        """A live key by chance, or None when there is none."""
        while len(self.table):
            entry = self.table.at(random.randrange(len(self.table)))
            if self.find(entry.key) is not None:
                return entry.key
        return None

    def scan(self, cursor: int, count: int) -> tuple[int, list[Entry]]:
        """Up to `count` live entries and the cursor to go on from; 0 starts and 0 says that the walk is done.

        The cursor says how many places of the dense array are still to be visited, from there downwards, so an
        entry that is present throughout is met at least once.
        """
        table = self.table
        now_ms = self.space.now_ms
        size = len(table)
        left = size if cursor == 0 or cursor > size else cursor
        found: list[Entry] = []
        while left > 0 and count > 0:
            left -= 1
            count -= 1
            entry = table.at(left)
            if entry.expire_ms == 0 or entry.expire_ms > now_ms:
                found.append(entry)
        return left, found

    def entries(self) -> list[Entry]:
        """All live entries."""
        return self.scan(0, len(self.table))[1]


def footprint_of(entry: Entry) -> int:
    """The bytes of memory that a key takes with its value."""
    size = weight_of(entry) + entry.size
    return size + TIMER_BYTES if entry.timer else size


def type_name(value: Any) -> bytes:
    """The name that TYPE gives a value's type."""
    if type(value) is bytes or type(value) is bytearray:
        return b"string"
    name: bytes = value.type_name
    return name


def string_of(entry: Entry) -> Any:
    value = string_in(entry)
    if value is None:
        raise CommandError(WRONG_TYPE)
    return value
