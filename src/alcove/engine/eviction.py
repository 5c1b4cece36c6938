"""Eviction: which keys go when the data has outgrown `maxmemory`.

The policies rank keys by when they were used last (LRU), changed last (LRM), how often they are used (LFU), or when
they expire (TTL). The best victim is not searched for among all keys: a few are sampled, and the best of all samples so
far wait in a small pool, so that the next victim comes from the worst fraction of what has been seen. A pool of sixteen
with five samples a turn is the real server's, and comes near to the exact order.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from alcove.engine.clock import Clock
from alcove.engine.config import Config
from alcove.engine.latency import LatencyMonitor
from alcove.numeric import INT64_MAX

if TYPE_CHECKING:
    from alcove.engine.keyspace import Database, Keyspace
    from alcove.engine.table import Entry, Table

# How many candidates wait to be evicted.
POOL_SIZE = 16
# How many keys are evicted between two looks at the clock.
STRETCH = 16
# How many entries with deadlines are looked at to find one whose deadline is the key's own, not that of a field.
TRIES = 16

# What a policy goes by.
RECENCY = 1
FREQUENCY = 2
DEADLINE = 3
CHANCE = 4
CRITERIA: Final = {"lru": RECENCY, "lrm": RECENCY, "lfu": FREQUENCY, "ttl": DEADLINE, "random": CHANCE}

# C variables of the compiled build.
_POOL_SIZE = POOL_SIZE
_STRETCH = STRETCH
_ALL_BITS = 2**64 - 1


class Candidate:
    """The position of a key, and how good a victim it was when it was sampled: the higher, the better."""

    __slots__ = ("database", "position", "score")

    def __init__(self, score: int, database: Database, position: int) -> None:
        self.score = score
        self.database = database
        self.position = position


class Eviction:
    """Makes room in one engine's keyspace, whose lock is held in every method."""

    def __init__(self, space: Keyspace, config: Config, clock: Clock, latency: LatencyMonitor) -> None:
        self.space = space
        self.config = config
        self.clock = clock
        self.latency = latency
        self.evicted = 0
        # For how many microseconds in all there was more than `maxmemory`, and since when there is now, 0 for not.
        self.exceeded_us = 0
        self.exceeded_since_us = 0
        # Best victim last.
        self.pool: list[Candidate] = []
        # The score of the first one.
        self.least = 0
        # The database that a victim chosen by chance comes from next.
        self.turn = 0
        # The state of the generator of numbers by chance, never 0.
        self.seed = random.getrandbits(64) | 1
        self.configure()

    def configure(self) -> None:
        """Takes over the settings."""
        policy = self.config.maxmemory_policy
        scope, _, criterion = policy.partition("-")
        self.limit = min(self.config.maxmemory, INT64_MAX)
        self.criterion = CRITERIA.get(criterion, 0)
        self.only_volatile = scope == "volatile"
        self.samples = self.config.maxmemory_samples
        self.time_us = time_limit_us(self.config.maxmemory_eviction_tenacity)
        self.timed = self.config.latency_monitor_threshold != 0
        self.pool = []
        self.fits()

    # Making room

    def fits(self) -> bool:
        """Whether there is no more than `maxmemory`; keeps count of the time for which there is."""
        if not self.limit or self.space.used <= self.limit:
            if self.exceeded_since_us:
                self.exceeded_us += self.clock.monotonic_us() - self.exceeded_since_us
                self.exceeded_since_us = 0
            return True
        if not self.exceeded_since_us:
            self.exceeded_since_us = self.clock.monotonic_us()
        return False

    def current_exceeded_us(self) -> int:
        """For how long there has been more than `maxmemory`."""
        return self.clock.monotonic_us() - self.exceeded_since_us if self.exceeded_since_us else 0

    def make_room(self) -> bool:
        """Before a command: evicts until the data fits, or the time for that is over and housekeeping goes on.

        False if there is too much, and nothing that could be evicted.
        """
        if not self.criterion:
            return self.fits()
        started_us = self.clock.monotonic_us() if self.timed else 0
        found = self.evict(self.time_us)
        if self.timed:
            self.latency.add("eviction-cycle", (self.clock.monotonic_us() - started_us) // 1000)
        if self.fits():
            return True
        self.space.sooner = True
        return found

    def go_on(self, time_us: int) -> bool:
        """Between commands: evicts for about so long. True when there is nothing left to do."""
        if self.fits() or not self.criterion:
            return True
        found = self.evict(time_us)
        return self.fits() or not found

    def evict(self, time_us: int) -> bool:
        """Evicts one key after the other until the data fits or time is over; False when there is none to evict.

        The time begins with the second stretch: mostly one or two keys are enough, and no clock is looked at.
        """
        count = 0
        deadline_us = 0
        while self.space.used > self.limit:
            if count == _STRETCH:
                count = 0
                now_us = self.clock.monotonic_us()
                deadline_us = deadline_us or now_us + time_us
                if now_us >= deadline_us:
                    return True
            if not self.evict_one():
                return False
            count += 1
        return True

    def evict_one(self) -> bool:
        found = self.by_chance() if self.criterion == CHANCE else self.best()
        if found is None:
            return False
        database, entry = found
        if self.timed:
            started_us = self.clock.monotonic_us()
            database.evict(entry)
            self.latency.add("eviction-del", (self.clock.monotonic_us() - started_us) // 1000)
        else:
            database.evict(entry)
        self.evicted += 1
        return True

    # Choosing

    def by_chance(self) -> tuple[Database, Entry] | None:
        """Any key, from one database after the other."""
        databases = self.space.databases
        for _ in range(len(databases)):
            self.turn = (self.turn + 1) % len(databases)
            database = databases[self.turn]
            entry = self.sample(database.table, self.eligible(database.table), 0, 1)
            if entry is not None:
                return database, entry
        return None

    def best(self) -> tuple[Database, Entry] | None:
        """The best victim that is known after taking more samples; None if there is none at all."""
        pool = self.pool
        while True:
            for database in self.space.databases:
                if len(database.table):
                    self.take_samples(database)
            if not pool:
                return None
            while pool:
                candidate = pool.pop()
                table = candidate.database.table
                if candidate.position >= len(table):
                    continue
                # It may have been used, or another one be there by now: as good as it was, anyone is a victim.
                entry = table.at(candidate.position)
                if self.only_volatile and not entry.expire_ms:
                    continue
                if self.score(entry) >= candidate.score:
                    return candidate.database, entry

    def take_samples(self, database: Database) -> None:
        """Enters the best of some keys of a database into the pool."""
        table = database.table
        count = self.eligible(table)
        samples = min(self.samples, count)
        if not self.only_volatile:
            self.foresee(table, count, samples)
        for number in range(samples):
            entry = self.sample(table, count, number, samples)
            if entry is None:
                return
            score = self.score(entry)
            if len(self.pool) < _POOL_SIZE or score > self.least:
                self.enter(Candidate(score, database, entry.position))
            if self.criterion == DEADLINE and number == 0 and entry is table.soonest():
                # No other one is better.
                return

    def enter(self, candidate: Candidate) -> None:
        """Puts a candidate in its place in the pool, and the worst one out if it is full."""
        pool = self.pool
        if len(pool) == _POOL_SIZE:
            del pool[0]
        place = len(pool)
        # Those that are as good came first, perhaps from other databases, and go first.
        while place > 0:
            other = pool[place - 1]
            if other.score < candidate.score:
                break
            place -= 1
        pool.insert(place, candidate)
        other = pool[0]
        self.least = other.score

    def eligible(self, table: Table) -> int:
        """How many entries of a table the policy may evict; some of them may only have fields with deadlines."""
        return table.volatile if self.only_volatile else len(table)

    def sample(self, table: Table, count: int, number: int, samples: int) -> Entry | None:
        """A key by chance of the `count` that the policy may evict, or None if there seems to be none.

        Each of several samples comes from a part of its own, so that all are different. For a policy that goes by
        deadlines the first one is the key with the soonest, which the table knows.
        """
        if not count:
            return None
        place = self.place(count, number, samples)
        if not self.only_volatile:
            return table.at(place)
        entry = table.soonest() if self.criterion == DEADLINE and number == 0 else table.timed(place)
        tries = TRIES
        while not entry.expire_ms and tries:
            # It is a field of the hash that has a deadline.
            entry = table.timed(self.below(count))
            tries -= 1
        return entry if entry.expire_ms else None

    def foresee(self, table: Table, count: int, samples: int) -> None:
        """Has the processor fetch the samples that come next, all at once."""
        seed = self.seed
        for number in range(samples):
            table.foresee(self.place(count, number, samples))
        self.seed = seed

    def place(self, count: int, number: int, samples: int) -> int:
        """A place by chance in one of as many parts of `count` as there are samples."""
        start = number * count // samples
        return start + self.below((number + 1) * count // samples - start)

    def below(self, count: int) -> int:
        """A number below `count` by chance: Marsaglia's xorshift, which is good enough to choose keys."""
        seed = self.seed
        seed ^= seed << 13 & _ALL_BITS
        seed ^= seed >> 7
        seed ^= seed << 17 & _ALL_BITS
        self.seed = seed
        return seed % count

    def score(self, entry: Entry) -> int:
        """How good a victim an entry is; it does not depend on the time at which it is asked, but for LFU."""
        if self.criterion == FREQUENCY:
            return 255 - self.space.lfu_counter(entry.access)
        if self.criterion == DEADLINE:
            return -entry.expire_ms
        return -entry.access


def time_limit_us(tenacity: int) -> int:
    """How long eviction may keep a command waiting: half a millisecond at 10, then 15% more each, for ever at 100.

    Source: `maxmemory-eviction-tenacity` in the redis.conf of the real servers.
    """
    if tenacity <= 10:
        return 50 * tenacity
    return int(500 * 1.15 ** (tenacity - 10)) if tenacity < 100 else 2**62
