"""Consumer groups of a stream: who was given which entry, when, and how often.

Every pending entry has a record in the group, in the order of IDs: the ID, the time of its last delivery, how often
it was delivered, and the number of its owner. Beside it stand an index by delivery time, from which the longest idle
entries are taken, and for each consumer the IDs that are its own.
"""

from __future__ import annotations

from alcove.types.stream_id import ZERO, number
from alcove.types.stream_records import SortedRecords, pending_record, time_key
from alcove.types.untracked import untrack

# `entries_read` and `active_ms` when they are not known.
UNKNOWN = -1

_ID = 16
_TIME_KEY = 24
_PENDING = 40
# What a pending entry takes in the three indexes, with the spare room of their blocks.
_PENDING_BYTES = (_ID + _TIME_KEY + _PENDING) * 5 // 4
_GROUP_BYTES = 700
_CONSUMER_BYTES = 400
_PAGE = 64


class Tally:
    """The bytes of memory that a stream and its groups hold together."""

    def __init__(self) -> None:
        self.size = 0


class Consumer:
    """One consumer of a group; times are Unix milliseconds."""

    def __init__(self, name: bytes, slot: int, now_ms: int) -> None:
        self.name = name
        # Its number in the group.
        self.slot = slot
        # When it last asked, and when it last got something.
        self.seen_ms = now_ms
        self.active_ms = UNKNOWN
        self.pending = SortedRecords(_ID, _ID)
        untrack(self)


def delivery_ms(record: bytes) -> int:
    """When a pending entry was last delivered, in Unix milliseconds."""
    return number(record, 16)


def delivery_count(record: bytes) -> int:
    """How often a pending entry was delivered."""
    return number(record, 24)


class Group:
    """A consumer group: how far it has read, its consumers and its pending entries."""

    def __init__(self, tally: Tally, name: bytes, last_id: bytes, entries_read: int) -> None:
        self.tally = tally
        self.name = name
        # The ID of the last entry delivered, and how many entries were added up to it, or UNKNOWN.
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending = SortedRecords(_ID, _PENDING)
        self._by_time = SortedRecords(_TIME_KEY, _TIME_KEY)
        self._consumers: dict[bytes, Consumer] = {}
        # Consumers by their number; None where one was deleted.
        self._slots: list[Consumer | None] = []
        tally.size += _GROUP_BYTES + len(name)
        untrack(self._slots)
        untrack(self)

    # Consumers

    def consumer(self, name: bytes) -> Consumer | None:
        return self._consumers.get(name)

    def consumers(self) -> list[Consumer]:
        """All consumers in the order of their names."""
        return [self._consumers[name] for name in sorted(self._consumers)]

    def consumer_count(self) -> int:
        return len(self._consumers)

    def create_consumer(self, name: bytes, now_ms: int) -> Consumer:
        """Adds a consumer; there must be none of this name."""
        slot = len(self._slots)
        if len(self._consumers) < slot:
            slot = self._slots.index(None)
        consumer = Consumer(name, slot, now_ms)
        if slot == len(self._slots):
            self._slots.append(consumer)
        else:
            self._slots[slot] = consumer
        self._consumers[name] = consumer
        untrack(self._consumers)
        self.tally.size += _CONSUMER_BYTES + len(name)
        return consumer

    def delete_consumer(self, name: bytes) -> int:
        """Removes a consumer that is there, and its pending entries: how many these were."""
        consumer = self._consumers.pop(name)
        self._slots[consumer.slot] = None
        count = len(consumer.pending)
        page = consumer.pending.page(ZERO, _PAGE)
        while page:
            for stream_id in page:
                record = self.pending.get(stream_id)
                assert record is not None
                self._by_time.remove(time_key(record))
                self.pending.remove(stream_id)
                consumer.pending.remove(stream_id)
            page = consumer.pending.page(ZERO, _PAGE)
        self.tally.size -= _CONSUMER_BYTES + len(name) + count * _PENDING_BYTES
        return count

    def owner(self, record: bytes) -> Consumer:
        """The consumer to which a pending entry was delivered."""
        consumer = self._slots[number(record, 32)]
        assert consumer is not None
        return consumer

    # Pending entries

    def deliver(self, stream_id: bytes, consumer: Consumer, time_ms: int, count: int) -> None:
        """Makes an entry pending for a consumer, whoever had it before."""
        record = self.pending.get(stream_id)
        if record is None:
            self.tally.size += _PENDING_BYTES
            consumer.pending.put(stream_id)
        else:
            self._by_time.remove(time_key(record))
            owner = self.owner(record)
            if owner is not consumer:
                owner.pending.remove(stream_id)
                consumer.pending.put(stream_id)
        record = pending_record(stream_id, time_ms, count, consumer.slot)
        self.pending.put(record)
        self._by_time.put(time_key(record))

    def acknowledge(self, stream_id: bytes) -> bool:
        """Ends the wait for an entry; whether it was pending."""
        record = self.pending.get(stream_id)
        if record is None:
            return False
        self.owner(record).pending.remove(stream_id)
        self._by_time.remove(time_key(record))
        self.pending.remove(stream_id)
        self.tally.size -= _PENDING_BYTES
        return True

    def needs(self, stream_id: bytes) -> bool:
        """Whether an entry is pending here or still to be delivered."""
        return stream_id > self.last_id or self.pending.get(stream_id) is not None

    def idle_since(self, time_ms: int, after: bytes, count: int) -> list[bytes]:
        """The IDs of up to `count` entries not delivered since `time_ms`, the longest idle first.

        They begin behind the entry `after`, which must be pending, or with the very first one if that is empty.
        """
        start = bytes(_TIME_KEY)
        if after:
            record = self.pending.get(after)
            assert record is not None
            start = time_key(record)
        found: list[bytes] = []
        for key in self._by_time.page(start, count + 1):
            if number(key, 0) > time_ms or len(found) == count:
                break
            if key[8:] != after:
                found.append(key[8:])
        return found

    def oldest_ms(self) -> int:
        """The delivery time of the longest idle pending entry, or UNKNOWN when nothing is pending."""
        key = self._by_time.first()
        return UNKNOWN if key is None else number(key, 0)

    # As a whole

    def footprint(self) -> int:
        """Bytes of memory, by which the tally of the stream grew."""
        names = sum(map(len, self._consumers))
        return (
            _GROUP_BYTES
            + len(self.name)
            + _CONSUMER_BYTES * len(self._consumers)
            + names
            + _PENDING_BYTES * len(self.pending)
        )

    def drain(self, count: int) -> bool:
        """Frees about `count` records; True when none is left. The group is of no other use from then on."""
        while self._consumers:
            name, consumer = self._consumers.popitem()
            size = len(consumer.pending)
            if not consumer.pending.drain(count):
                self._consumers[name] = consumer
                return False
            count -= size
            if count <= 0:
                return False
        return self._by_time.drain(count) and self.pending.drain(count)

    def copy(self, tally: Tally) -> Group:
        twin = Group(tally, self.name, self.last_id, self.entries_read)
        twin.pending = self.pending.copy()
        twin._by_time = self._by_time.copy()
        for consumer in self._slots:
            other = None
            if consumer is not None:
                other = Consumer(consumer.name, consumer.slot, consumer.seen_ms)
                other.active_ms = consumer.active_ms
                other.pending = consumer.pending.copy()
                twin._consumers[consumer.name] = other
            twin._slots.append(other)
        untrack(twin._consumers)
        tally.size += self.footprint() - _GROUP_BYTES - len(self.name)
        return twin

    def _check(self) -> None:
        """Asserts that the three indexes tell the same."""
        self.pending._check()
        self._by_time._check()
        records = self.pending.page(ZERO, len(self.pending))
        assert self._by_time.page(bytes(_TIME_KEY), len(records) + 1) == sorted(map(time_key, records))
        owned = 0
        for consumer in self.consumers():
            consumer.pending._check()
            assert self._slots[consumer.slot] is consumer
            for stream_id in consumer.pending.page(ZERO, len(consumer.pending)):
                record = self.pending.get(stream_id)
                assert record is not None
                assert self.owner(record) is consumer
                owned += 1
        assert owned == len(records)
        assert len(self._slots) - self._slots.count(None) == len(self._consumers)
