"""A snapshot holds what there was when it began, whatever commands do meanwhile: each key once, and no other."""

from __future__ import annotations

import importlib
import io
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.codec.payload import dump
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.engine.keyspace import Keyspace
from alcove.engine.session import Session
from alcove.engine.snapshot import STEPPED, Snapshot
from alcove.engine.table import Entry
from alcove.persistence.rdb import RdbReader, RdbWriter
from tests.comparison.machine import KEYS

# Payloads that keep all there is to know of a value, deadlines of fields included.
VERSION = 12
FAMILIES = ["bitmap", "generic", "geo", "hash", "hyperloglog", "list", "set", "sort", "sorted_set", "stream", "string"]
BIG = [b"big:hash", b"big:set", b"big:zset", b"big:list", b"big:stream", b"big:timed"]
ALL_KEYS = [*KEYS, *BIG, *(b"key:%d" % number for number in range(60))]
MEMBERS = [b"m%d" % number for number in range(3 * STEPPED)]

# What a key is: its deadline and its payload.
Contents = dict[tuple[int, bytes], tuple[int, bytes]]


class Keeper:
    """A recorder that keeps payloads, and sees to it that a container does not change between its steps."""

    aside = 0

    def __init__(self) -> None:
        self.contents: Contents = {}
        self.most_steps = 0

    def entry(self, number: int, entry: Entry) -> None:
        assert (number, entry.key) not in self.contents, "saved twice"
        self.contents[number, entry.key] = (entry.expire_ms, dump(entry.value, VERSION))

    def steps(self, number: int, entry: Entry) -> Iterator[None]:
        self.entry(number, entry)
        for _ in range(10):
            yield
            assert self.contents[number, entry.key] == (entry.expire_ms, dump(entry.value, VERSION))

    def end(self) -> None:
        pass


class Bench:
    """An engine, somebody who gives it commands, and a clock that only moves when it is told."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.engine = Engine(clock=self.clock)
        self.session: Session = self.engine.connect("embedded")

    def run(self, *argv: bytes) -> Any:
        reply = self.engine.execute(self.session, list(argv))
        while self.session.blocked:
            self.engine.enter()
            if self.session.wait is not None:
                self.engine.waits.unblock(self.session, False)
            self.engine.tick()
            self.engine.leave()
        return reply

    def tick(self) -> None:
        self.clock.advance(self.chance.choice([0.0, 0.001, 0.04]))
        self.engine.enter()
        self.engine.tick()
        self.engine.leave()

    def fill(self) -> None:
        """Keys of all types, big ones too, some that are about to expire, in two databases."""
        for number in (9, 0):
            self.run(b"SELECT", b"%d" % number)
            self.run(b"HSET", b"big:hash", *(word for member in MEMBERS for word in (member, b"v")))
            self.run(b"HSET", b"big:timed", *(word for member in MEMBERS for word in (member, b"v")))
            self.run(b"HPEXPIRE", b"big:timed", b"30", b"FIELDS", b"500", *MEMBERS[:500])
            self.run(b"SADD", b"big:set", *MEMBERS)
            self.run(b"ZADD", b"big:zset", *(word for n, member in enumerate(MEMBERS) for word in (b"%d" % n, member)))
            self.run(b"RPUSH", b"big:list", *MEMBERS)
            for n in range(1, len(MEMBERS) // 2):
                self.run(b"XADD", b"big:stream", b"%d-0" % n, b"f", b"v")
            self.run(b"XGROUP", b"CREATE", b"big:stream", b"g", b"0")
            for n in range(20):
                self.run(b"SET", b"key:%d" % n, b"%d" % n)
                self.run(b"SET", b"key:%d" % (n + 20), b"gone soon", b"PX", b"%d" % (n * 5 + 1))
                self.run(b"HSET", b"key:%d" % (n + 40), b"f", b"v", b"g", b"w")
                self.run(b"HPEXPIRE", b"key:%d" % (n + 40), b"%d" % (n * 5 + 1), b"FIELDS", b"1", b"f")
            for command in self.commands(100):
                # Nothing that empties what was filled, or leaves the rest in a queue.
                if command[0] not in (b"FLUSHALL", b"FLUSHDB", b"MULTI", b"SWAPDB", b"SELECT"):
                    self.run(*command)

    def commands(self, count: int) -> Iterator[list[bytes]]:
        """Random commands of all families; where they name a key it is one of all as often as one of the few."""
        families = [importlib.import_module(f"tests.comparison.{name}") for name in FAMILIES]
        for _ in range(count):
            argv: list[bytes] = self.chance.choice(families).generate(self.chance)
            yield [
                self.chance.choice(ALL_KEYS) if word in KEYS and self.chance.random() < 0.5 else word for word in argv
            ]

    def rarity(self) -> list[bytes]:
        """What concerns many keys, and edits of big containers."""
        chance = self.chance
        member = chance.choice(MEMBERS)
        return chance.choice(
            [
                [b"FLUSHALL"], [b"FLUSHDB"], [b"SWAPDB", b"0", b"9"], [b"SWAPDB", b"9", b"1"],
                [b"SELECT", chance.choice([b"0", b"9", b"1"])], [b"SELECT", b"0"], [b"SELECT", b"9"],
                [b"MOVE", chance.choice(ALL_KEYS), chance.choice([b"0", b"9", b"1"])],
                [b"RENAME", chance.choice(BIG), chance.choice(ALL_KEYS)],
                [b"COPY", chance.choice(BIG), chance.choice(ALL_KEYS), b"REPLACE"],
                [b"PEXPIRE", chance.choice(ALL_KEYS), b"20"], [b"PERSIST", chance.choice(ALL_KEYS)],
                [b"GETEX", chance.choice(ALL_KEYS), b"PX", b"20"], [b"UNLINK", chance.choice(BIG)],
                [b"HSET", b"big:hash", member, b"changed"], [b"HDEL", b"big:timed", member],
                [b"HPEXPIRE", chance.choice(BIG), b"20", b"FIELDS", b"1", member], [b"SREM", b"big:set", member],
                [b"HGETEX", b"big:hash", b"PX", b"20", b"FIELDS", b"1", member],
                [b"HGETDEL", b"big:hash", b"FIELDS", b"1", member],
                [b"ZINCRBY", b"big:zset", b"5000", member], [b"ZPOPMIN", b"big:zset", b"700"],
                [b"LSET", b"big:list", b"1500", b"changed"], [b"LTRIM", b"big:list", b"10", b"-10"],
                [b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"5", b"STREAMS", b"big:stream", b">"],
                [b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"big:stream", b"0"],
                [b"XDEL", b"big:stream", b"7-0"], [b"XAUTOCLAIM", b"big:stream", b"g", b"d", b"0", b"0"],
                [b"DEBUG", b"RELOAD"], [b"SCRIPT", b"FLUSH"], [b"SORT", b"big:list", b"ALPHA", b"STORE", b"a"],
            ]
        )  # fmt: skip


def contents(space: Keyspace) -> Contents:
    """Every key, also those whose time has come."""
    found: Contents = {}
    for database in space.databases:
        for place in range(len(database.table)):
            entry = database.table.at(place)
            found[database.number, entry.key] = (entry.expire_ms, dump(entry.value, VERSION))
    return found


def change(bench: Bench, count: int) -> None:
    """Does many things, and now and then one that concerns many keys."""
    for command in bench.commands(count):
        bench.run(*command)
        if bench.chance.random() < 0.15:
            bench.run(*bench.rarity())
        if bench.chance.random() < 0.1:
            bench.tick()


@pytest.mark.parametrize("seed", range(24))
def test_a_snapshot_holds_what_there_was_at_its_beginning(seed: int) -> None:
    bench = Bench(seed)
    bench.fill()
    for _ in range(2):
        before = contents(bench.engine.space)
        keeper = Keeper()
        snapshot = Snapshot(bench.engine.space, keeper)
        assert snapshot.keys == len(before)
        while not snapshot.work(lambda: False):
            change(bench, bench.chance.choice([0, 1, 5, 20]))
        assert keeper.contents == before
        assert snapshot.saved == len(before)
        snapshot.end()
        change(bench, 50)
        bench.tick()


def in_file(data: bytes) -> Contents:
    """What is in an RDB file."""
    space = Keyspace()
    reader = RdbReader(io.BytesIO(data), space.limits)
    while reader.load(space, 100):
        pass
    assert reader.empty == 0
    return contents(space)


def rdb_of(space: Keyspace, between: Callable[[], object]) -> bytes:
    pieces: list[bytes] = []
    writer = RdbWriter(pieces.append, VERSION)
    writer.begin()
    snapshot = Snapshot(space, writer)
    while not snapshot.work(lambda: False):
        between()
    writer.end()
    snapshot.end()
    return b"".join(pieces)


@pytest.mark.parametrize("seed", range(8))
def test_the_file_is_the_same_as_without_changes(seed: int) -> None:
    """Two engines that did the same; only one of them goes on while it is saved."""
    still, busy = Bench(seed), Bench(seed)
    still.fill()
    busy.fill()
    assert contents(still.engine.space) == contents(busy.engine.space)
    expected = in_file(rdb_of(still.engine.space, lambda: None))
    assert len(expected) > 100
    assert in_file(rdb_of(busy.engine.space, lambda: change(busy, busy.chance.choice([0, 1, 5])))) == expected


def test_a_container_in_steps_is_saved_whole_before_it_changes() -> None:
    bench = Bench(1)
    bench.run(b"SADD", b"big:set", *MEMBERS)
    before = contents(bench.engine.space)
    keeper = Keeper()
    snapshot = Snapshot(bench.engine.space, keeper)
    assert not snapshot.work(lambda: False)
    assert not snapshot.work(lambda: False)
    assert snapshot.saved == 0, "it is in work"
    bench.run(b"SREM", b"big:set", MEMBERS[0])
    assert snapshot.saved == 1
    assert snapshot.work(lambda: True)
    assert keeper.contents == before


def test_what_was_flushed_is_freed_when_the_snapshot_has_it() -> None:
    bench = Bench(1)
    bench.run(b"MSET", *(b"k%d" % (number // 2) for number in range(400)))
    before = contents(bench.engine.space)
    keeper = Keeper()
    snapshot = Snapshot(bench.engine.space, keeper)
    bench.run(b"FLUSHALL")
    assert not bench.engine.space.graveyard
    bench.run(b"SET", b"k1", b"after")
    while not snapshot.work(lambda: False):
        bench.run(b"INCR", b"n")
    snapshot.end()
    assert keeper.contents == before
    assert len(bench.engine.space.graveyard) == 1
    assert bench.engine.space.saving == 0


FILLING = """
SET s hello | SET n 10 | SET volatile x EX 100 | PFADD hll a b c | PFADD hll2 c d | SETBIT bits 7 1 | RPUSH l a b c a
RPUSH l2 x | SADD set a b c | SADD set2 b | SADD ints 1 2 3 | ZADD z 1 a 2 b 3 c | ZADD z2 5 b | GEOADD geo 13.3 38.1 p
HSET h f 1 g 2 | HSET timed f 1 g 2 | HEXPIRE timed 100 FIELDS 1 f | XADD x 1-1 a 1 | XADD x 2-1 b 2 | XADD x 3-1 c 3
XGROUP CREATE x group 0 | XREADGROUP GROUP group one COUNT 2 STREAMS x >
"""
WRITES = """
SET s other | SET s other GET | SET s x KEEPTTL | SETNX s x | SETEX s 10 x | GETSET s x | GETDEL s
GETEX volatile PERSIST | APPEND s x | SETRANGE s 1 x | INCR n | DECRBY n 2 | INCRBYFLOAT n 1.5 | MSET s 1 n 2
SETBIT bits 1 1 | DEL s l z | BITFIELD bits SET u8 0 5 | BITOP NOT s bits | PFADD hll z | PFMERGE hll hll2
PFCOUNT hll | UNLINK h x | EXPIRE s 10 | PEXPIREAT s 1 | EXPIRE volatile 5 | PERSIST volatile | RENAME l other
RENAME l l2 | RENAMENX z other | MOVE set 1 | COPY set set2 REPLACE | SWAPDB 0 1 | FLUSHDB | FLUSHALL
SORT l ALPHA STORE l2 | LPUSH l x | RPUSHX l x | LPOP l | RPOP l 2 | LSET l 0 z | LINSERT l BEFORE b z | LREM l 0 a
LTRIM l 1 1 | LMOVE l l2 LEFT RIGHT | RPOPLPUSH l l | LMPOP 1 l LEFT | BLPOP l 0 | BRPOP l 0
BLMOVE l l2 LEFT LEFT 0 | BRPOPLPUSH l l2 0 | BLMPOP 0 1 l RIGHT | SADD set z | SREM set a | SPOP set | SPOP set 2
SMOVE set set2 a | SINTERSTORE set set2 set | SUNIONSTORE set2 set set2 | SDIFFSTORE set set set2 | SADD ints text
ZADD z 9 a | ZADD z INCR 1 a | ZINCRBY z 1 a | ZREM z a | ZPOPMIN z | ZPOPMAX z 2 | ZMPOP 1 z MIN | BZMPOP 0 1 z MAX
BZPOPMIN z 0 | BZPOPMAX z 0 | ZREMRANGEBYRANK z 0 0 | ZREMRANGEBYSCORE z 1 2 | ZREMRANGEBYLEX z - +
ZUNIONSTORE z 2 z z2 | ZINTERSTORE z2 2 z z2 | ZDIFFSTORE z 2 z z2 | ZRANGESTORE z z 0 0 | GEOADD geo 15 37 q
GEOSEARCHSTORE geo geo FROMMEMBER p BYRADIUS 1 km | HSET h f 9 | HSETNX h new 1 | HDEL h f | HDEL h f g
HINCRBY h f 1 | HINCRBYFLOAT h f 1.5 | HGETDEL h FIELDS 1 f | HSETEX h EX 10 FIELDS 1 f 1
HGETEX h EX 10 FIELDS 1 f | HEXPIRE h 10 FIELDS 1 f | HPERSIST timed FIELDS 1 f | HPEXPIREAT timed 1 FIELDS 1 f
XADD x 4-1 d 4 | XDEL x 1-1 | XTRIM x MAXLEN 1 | XSETID x 9-9 | XGROUP CREATE x other 0 | XGROUP SETID x group 3-1
XGROUP DESTROY x group | XGROUP CREATECONSUMER x group two | XGROUP DELCONSUMER x group one
XREADGROUP GROUP group one STREAMS x > | XREADGROUP GROUP group two BLOCK 0 STREAMS x > | XACK x group 1-1
XCLAIM x group two 0 1-1 | XAUTOCLAIM x group two 0 0 | XACKDEL x group IDS 1 1-1 | XDELEX x IDS 1 1-1
"""


def words(text: str) -> list[str]:
    return [command.strip() for line in text.strip().splitlines() for command in line.split("|")]


@pytest.mark.parametrize("command", words(WRITES))
def test_what_a_command_changes_is_saved_before(command: str) -> None:
    bench = Bench(1)
    for filling in words(FILLING):
        bench.run(*filling.encode().split())
    before = contents(bench.engine.space)
    keeper = Keeper()
    snapshot = Snapshot(bench.engine.space, keeper)
    bench.run(*command.encode().split())
    while not snapshot.work(lambda: True):
        pass
    snapshot.end()
    assert keeper.contents == before
