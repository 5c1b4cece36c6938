"""Payloads of DUMP that were changed and sealed again: RESTORE refuses them, or there is a value that can be used."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from alcove.codec.crc64 import crc64
from alcove.codec.payload import dump
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from tests.codec.samples import SAMPLES, content, kept

# How many changes there are of one value, and of a large one how many bytes in all.
ROUNDS = 40
BYTES = 15_000
# More memory than this no payload of a sample may take.
MOST_BYTES = 32 << 20

# What every reader and writer of a type looks at, beginnings and ends, and all of it.
USES: dict[bytes, list[list[bytes]]] = {
    b"string": [[b"GET", b"k"], [b"STRLEN", b"k"], [b"APPEND", b"k", b"x"], [b"GETRANGE", b"k", b"0", b"-1"]],
    b"list": [
        [b"LRANGE", b"k", b"0", b"-1"], [b"LINDEX", b"k", b"-1"], [b"LPUSH", b"k", b"x"], [b"LREM", b"k", b"0", b"x"],
        [b"LINSERT", b"k", b"BEFORE", b"x", b"y"], [b"RPOP", b"k"], [b"LTRIM", b"k", b"1", b"-2"],
    ],
    b"set": [
        [b"SMEMBERS", b"k"], [b"SCARD", b"k"], [b"SADD", b"k", b"x", b"17"], [b"SREM", b"k", b"1"], [b"SPOP", b"k"],
        [b"SRANDMEMBER", b"k", b"-5"], [b"SINTERCARD", b"2", b"k", b"k"],
    ],
    b"zset": [
        [b"ZRANGE", b"k", b"0", b"-1", b"WITHSCORES"], [b"ZADD", b"k", b"3", b"x"], [b"ZINCRBY", b"k", b"1", b"x"],
        [b"ZRANGEBYSCORE", b"k", b"-inf", b"+inf"], [b"ZPOPMIN", b"k"], [b"ZRANK", b"k", b"x"], [b"ZREM", b"k", b"x"],
    ],
    b"hash": [
        [b"HGETALL", b"k"], [b"HSET", b"k", b"x", b"y"], [b"HDEL", b"k", b"a"], [b"HINCRBY", b"k", b"n", b"1"],
        [b"HPEXPIRE", b"k", b"1000", b"FIELDS", b"1", b"x"], [b"HSCAN", b"k", b"0"], [b"HRANDFIELD", b"k", b"3"],
    ],
    b"stream": [
        [b"XRANGE", b"k", b"-", b"+"], [b"XLEN", b"k"], [b"XADD", b"k", b"*", b"f", b"v"], [b"XDEL", b"k", b"1-1"],
        [b"XREVRANGE", b"k", b"+", b"-"], [b"XINFO", b"STREAM", b"k", b"FULL", b"COUNT", b"0"],
        [b"XGROUP", b"CREATE", b"k", b"new", b"0"], [b"XREADGROUP", b"GROUP", b"new", b"c", b"STREAMS", b"k", b">"],
        [b"XAUTOCLAIM", b"k", b"new", b"d", b"0", b"0"], [b"XTRIM", b"k", b"MAXLEN", b"1"],
    ],
}  # fmt: skip


def sealed(body: bytes) -> bytes:
    """A payload's body and version with the checksum that they have."""
    return body + crc64(body).to_bytes(8, "little")


def mutated(body: bytes, source: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(changed) - 2)
        changed[place] = source.choice((source.randrange(256), changed[place] ^ 1 << source.randrange(8), 0, 255))
    what = source.random()
    if what < 0.1:
        del changed[source.randrange(len(changed) - 2) : -2]
    elif what < 0.2:
        place = source.randrange(len(changed) - 2)
        changed[place:place] = source.randbytes(source.randrange(1, 9))
    return bytes(changed)


class User:
    """A client of an engine of its own."""

    def __init__(self) -> None:
        self.engine = Engine(clock=ManualClock())
        self.session = self.engine.connect("embedded")

    def run(self, *argv: bytes) -> Any:
        reply = self.engine.execute(self.session, list(argv))
        assert self.engine.unexpected_errors == 0
        return reply

    def use(self) -> None:
        """Does everything with the key `k` that can be done with its type; at last it is freed."""
        kind = bytes(self.run(b"TYPE", b"k"))
        for command in [[b"OBJECT", b"ENCODING", b"k"], [b"MEMORY", b"USAGE", b"k"], *USES[kind]]:
            self.run(*command)
        entry = self.engine.space.databases[0].find(b"k")
        if entry is None:
            return
        content(entry.value)
        again = self.run(b"DUMP", b"k")
        assert self.run(b"RESTORE", b"copy", b"0", again) == b"OK"
        self.run(b"DEL", b"k", b"copy")


@pytest.mark.parametrize("name", SAMPLES)
def test_what_restore_takes_can_be_used(name: str) -> None:
    source = random.Random(name)
    user = User()
    value = kept(name)
    # Without checksum and compression, of which changes are seldom more than that.
    bodies = [dump(value, version, False)[:-8] for version in (10, 11, 12)]
    tracemalloc.start()
    try:
        for number in range(min(ROUNDS, BYTES // len(bodies[0]) + 2)):
            body = mutated(bodies[number % 3], source)
            if not isinstance(user.run(b"RESTORE", b"k", b"0", sealed(body), b"REPLACE"), CommandError):
                user.use()
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES + 8 * len(bodies[0])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_not_sealed_is_refused(name: str) -> None:
    source = random.Random(name)
    user = User()
    payload = dump(kept(name), 11)
    for _ in range(20):
        damaged = bytearray(payload)
        place = source.randrange(8 * len(damaged))
        damaged[place >> 3] ^= 1 << (place & 7)
        reply = user.run(b"RESTORE", b"k", b"0", bytes(damaged))
        assert isinstance(reply, CommandError)
        assert reply.text == "ERR DUMP payload version or checksum are wrong"
        assert user.run(b"EXISTS", b"k") == 0


def test_random_bodies_of_every_kind() -> None:
    """Kinds that there are not, and of those there are what no writer writes."""
    source = random.Random(3)
    user = User()
    taken = 0
    for kind in range(256):
        for size in (0, 1, 2, 5, 20, 60):
            body = bytes((kind,)) + source.randbytes(size) + b"\x0b\0"
            if not isinstance(user.run(b"RESTORE", b"k", b"0", sealed(body), b"REPLACE"), CommandError):
                taken += 1
                user.use()
    assert taken < 256
