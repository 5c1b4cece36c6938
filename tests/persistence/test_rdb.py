"""RDB files: what is written comes back, in any order and in steps; damage of every kind is told and does no harm."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from alcove.codec.crc64 import crc64
from alcove.codec.primitives import CHUNK, Encoder
from alcove.engine.clock import ManualClock
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.keyspace import Keyspace, footprint_of
from alcove.engine.table import Entry, Table
from alcove.persistence.rdb import BadRdb, RdbReader, RdbWriter, standard_aux
from alcove.types.limits import Limits
from tests.codec.samples import SAMPLES, content, kept

NOW_MS = 1_700_000_000_000
# What the writer gathers at least before it hands it on.
PORTION = 1 << 16


def new_entry(key: bytes, value: Any) -> Entry:
    """An entry as tables make them."""
    return Table().add(key, value)


def entries(names: Iterable[str] = SAMPLES) -> list[Entry]:
    return [new_entry(name.encode(), kept(name)) for name in names]


def written(fill: Callable[[RdbWriter], object], **settings: int) -> bytes:
    pieces: list[bytes] = []
    writer = RdbWriter(pieces.append, **settings)  # type: ignore[arg-type]
    writer.begin(standard_aux(NOW_MS, 12345, False))
    fill(writer)
    writer.end()
    data = b"".join(pieces)
    assert writer.size == len(data)
    return data


def write_all(writer: RdbWriter, found: list[Entry], databases: int = 3) -> None:
    for place, entry in enumerate(found):
        writer.entry(place % databases, entry)


def read_all(data: bytes, **settings: int) -> tuple[RdbReader, dict[tuple[int, bytes], Any]]:
    reader = RdbReader(io.BytesIO(data), Limits(), **settings)  # type: ignore[arg-type]
    found: dict[tuple[int, bytes], Any] = {}
    while reader.step():
        found[reader.number, reader.key] = content(reader.value), reader.expire_ms, reader.idle_s, reader.frequency
    return reader, found


@pytest.fixture(scope="module")
def sample() -> bytes:
    return written(lambda writer: write_all(writer, entries()))


@pytest.mark.parametrize("version", [10, 11, 12, 80])
def test_comes_back(version: int) -> None:
    names = [name for name in SAMPLES if version > 10 or not name.startswith("stream")]
    data = written(lambda writer: write_all(writer, entries(names)), version=version)
    reader, found = read_all(data)
    assert reader.version == version
    assert reader.keys == len(names)
    assert reader.offset == len(data)
    assert found == {(place % 3, name.encode()): (content(kept(name)), 0, -1, -1) for place, name in enumerate(names)}


def test_the_header_of_a_file() -> None:
    data = written(lambda writer: writer.function(b"#!lua name=lib"))
    assert data.startswith(b"REDIS0011\xfa\x09redis-ver\x05")
    reader, found = read_all(data)
    assert not found
    assert reader.functions == [b"#!lua name=lib"]
    assert reader.aux == {
        b"redis-ver": b"8.4.0",
        b"redis-bits": b"64",
        b"ctime": b"1700000000",
        b"used-mem": b"12345",
        b"aof-base": b"0",
    }
    assert written(lambda writer: None, version=80).startswith(b"VALKEY080\xfa")


def test_deadlines_idle_times_and_frequencies_belong_to_one_key() -> None:
    space = Keyspace()
    space.now_ms = NOW_MS
    database = space.databases[0]
    for number in range(4):
        database.add(b"k%d" % number, b"v").access = NOW_MS // 1000 - 10 * number
    found = database.entries()
    database.set_deadline(found[1], NOW_MS + 5)
    plain = read_all(written(lambda writer: write_all(writer, found)))[1]
    assert [values[1] for values in plain.values()] == [0, NOW_MS + 5, 0, 0]
    idle = read_all(written(lambda writer: write_all(writer, found), idle_from_s=NOW_MS // 1000))[1]
    assert [values[2] for values in idle.values()] == [30, 20, 10, 0]
    counted = read_all(written(lambda writer: write_all(writer, found), frequencies=True))[1]
    assert [values[3] for values in counted.values()] == [entry.access & 0xFF for entry in found]


def test_a_keyspace_is_filled(sample: bytes) -> None:
    space = Keyspace()
    reader = RdbReader(io.BytesIO(sample), space.limits, now_ms=NOW_MS)
    rounds = 1
    while reader.load(space, 7):
        rounds += 1
    assert rounds >= len(SAMPLES) // 7 + 1
    assert sum(len(database) for database in space.databases) == len(SAMPLES) == reader.keys
    for place, name in enumerate(SAMPLES):
        entry = space.databases[place % 3].find(name.encode())
        assert entry is not None
        assert content(entry.value) == content(kept(name))
        assert entry.access == NOW_MS // 1000
    assert space.used == sum(database.used for database in space.databases)
    for database in space.databases:
        assert database.used == sum(footprint_of(entry) for entry in database.entries())
        database.table._check()


@pytest.mark.parametrize(
    "kind", ["hash", "deadlines", "set", "sorted set", "list", "stream", "pending", "string", "random string"]
)
def test_a_big_value_is_read_in_parts(kind: str) -> None:
    """Nobody waits for the whole of it: what comes before it is there first, what comes behind it last."""
    engine = Engine(Config(), ManualClock(NOW_MS * 1000))
    session = engine.connect("embedded")
    numbers = range(12_000)
    run = partial(engine.execute, session)
    run([b"SET", b"before", b"1"])
    if kind in ("hash", "deadlines"):
        run([b"HSET", b"big", *(b"%d" % (number // 2) for number in numbers)])
        if kind == "deadlines":
            run([b"HPEXPIREAT", b"big", b"%d" % (NOW_MS * 2), b"FIELDS", b"2", b"1", b"2"])
    elif kind == "set":
        run([b"SADD", b"big", *(b"member:%d" % number for number in numbers)])
    elif kind == "sorted set":
        run([b"ZADD", b"big", *(b"%d" % number for number in numbers)])
    elif "string" in kind:
        run([b"SET", b"big", random.Random(0).randbytes(2_000_000) if kind == "random string" else bytes(5_000_000)])
    elif kind == "list":
        run([b"RPUSH", b"big", *(b"element:%0200d" % number for number in numbers)])
    else:
        run([b"XGROUP", b"CREATE", b"big", b"group", b"$", b"MKSTREAM"])
        for number in numbers[:2500]:
            run([b"XADD", b"big", b"%d-1" % (number + 1), b"field", b"%d" % number])
        if kind == "pending":
            run([b"XREADGROUP", b"GROUP", b"group", b"consumer", b"STREAMS", b"big", b">"])
    run([b"SET", b"behind", b"1"])
    there = engine.space.databases[0]
    kept_entries = [entry for key in (b"before", b"big", b"behind") if (entry := there.find(key)) is not None]
    data = written(lambda writer: write_all(writer, kept_entries, 1))
    space = Keyspace()
    found = space.databases[0]
    reader = RdbReader(io.BytesIO(data), space.limits, now_ms=NOW_MS)
    seen = []
    while reader.load(space, 100):
        seen.append(sorted(found.table.at(place).key for place in range(len(found))))
    assert seen
    assert seen[-1] == [b"before"]
    assert len(found) == 3 == reader.keys
    big = found.find(b"big")
    assert big is not None
    assert content(big.value) == content(kept_entries[1].value)
    if "string" not in kind:
        big.value._check()


def test_deadlines_are_kept_in_a_keyspace() -> None:
    value = kept("hash_small").copy()
    value.set_deadline(b"f", NOW_MS + 50)
    database = Keyspace().databases[0]
    volatile = database.add(b"volatile", b"v")
    database.set_deadline(volatile, NOW_MS + 100)
    data = written(lambda writer: write_all(writer, [volatile, new_entry(b"hash", value)]))
    space = Keyspace()
    reader = RdbReader(io.BytesIO(data), space.limits)
    assert not reader.load(space, 10)
    assert space.next_deadline() == NOW_MS + 50
    space.now_ms = NOW_MS + 60
    assert space.databases[1].find(b"hash") is not None
    assert b"f" not in space.databases[1].read(b"hash", type(value)).fields()
    space.now_ms = NOW_MS + 100
    assert space.databases[0].find(b"volatile") is None


def test_the_expired_are_left_out_if_wished() -> None:
    database = Keyspace().databases[0]
    found = [database.add(b"k%d" % number, b"v") for number in range(3)]
    database.set_deadline(found[0], NOW_MS - 1)
    database.set_deadline(found[1], NOW_MS + 1)
    data = written(lambda writer: write_all(writer, found, 1))
    assert read_all(data)[0].keys == 3
    reader, kept = read_all(data, alive_at_ms=NOW_MS)
    assert (reader.keys, reader.expired) == (2, 1)
    assert [key for _, key in kept] == [b"k1", b"k2"]


def test_in_steps_with_others_in_between() -> None:
    big = new_entry(b"big", kept("hash_table"))
    others = entries(["string_word", "set_words", "list_nodes"])
    pieces: list[bytes] = []
    writer = RdbWriter(pieces.append)
    writer.begin()
    writer.database(2, 4, 0)
    left = list(others)
    steps = 0
    for _ in writer.steps(2, big):
        steps += 1
        if left:
            writer.entry(len(left), left.pop())
    writer.entry(2, new_entry(b"last", b"value"))
    writer.end()
    assert steps > 3
    reader, found = read_all(b"".join(pieces))
    assert reader.announced == 4
    assert list(found) == [(2, b"big"), (3, b"list_nodes"), (2, b"set_words"), (1, b"string_word"), (2, b"last")]
    assert found[2, b"big"] == (content(big.value), 0, -1, -1)


def test_is_handed_on_in_portions() -> None:
    pieces: list[bytes] = []
    writer = RdbWriter(pieces.append, compress=False)
    writer.begin()
    for number in range(3000):
        writer.entry(0, new_entry(b"k%d" % number, b"v" * 100))
    writer.end()
    assert len(pieces) > 4
    assert max(map(len, pieces)) < PORTION + 200


class Pipe(io.RawIOBase):
    """A file that cannot be sought in and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.asked = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        self.asked = max(self.asked, size)
        piece, self._data = self._data[:1000], self._data[1000:]
        return piece


def test_reads_from_a_pipe(sample: bytes) -> None:
    pipe = Pipe(sample)
    reader = RdbReader(pipe, Limits())  # type: ignore[arg-type]
    assert reader.total == -1
    while reader.step():
        assert reader.offset <= len(sample)
    assert reader.keys == len(SAMPLES)
    assert pipe.asked <= CHUNK


def test_what_follows_the_end_is_left_alone() -> None:
    data = written(lambda writer: writer.entry(0, new_entry(b"k", b"v")))
    reader, _ = read_all(data + b"*1\r\n$4\r\nPING\r\n")
    assert reader.offset == len(data)


def test_checksums_can_be_left_out() -> None:
    def fill(writer: RdbWriter) -> None:
        writer.entry(0, new_entry(b"k", b"value"))

    data = written(fill, checksum=False)
    assert data.endswith(bytes(8))
    damaged = data.replace(b"value", b"volue")
    assert read_all(damaged)[0].keys == 1
    good = written(fill)
    assert good[-8:] == crc64(good[:-8]).to_bytes(8, "little")
    with pytest.raises(BadRdb, match="wrong checksum"):
        read_all(good.replace(b"value", b"volue"))
    assert read_all(good.replace(b"value", b"volue"), checksum=False)[0].keys == 1


SMALL = ["string_word", "set_words", "hash_small", "zset_scores", "list_small", "set_16", "stream_one"]


@pytest.fixture(scope="module")
def small() -> bytes:
    return written(lambda writer: write_all(writer, entries(SMALL)))


def test_one_flipped_bit_anywhere_is_found(small: bytes) -> None:
    for place in range(8 * len(small)):
        flipped = bytearray(small)
        flipped[place >> 3] ^= 1 << (place & 7)
        with pytest.raises(BadRdb):
            read_all(bytes(flipped))


def harmless(damaged: bytes) -> bool:
    """Whether a damaged file is read all the same, which without a checksum may be; an error has to say where."""
    reader = RdbReader(io.BytesIO(damaged), Limits(), False)
    try:
        while reader.step():
            pass
    except BadRdb as error:
        return not 0 <= error.offset <= len(damaged)
    return reader.offset <= len(damaged)


def test_without_checksum_a_flipped_bit_does_no_harm(small: bytes) -> None:
    source = random.Random(6)
    unnoticed = 0
    for place in range(len(small)):
        flipped = bytearray(small)
        flipped[place] ^= 1 << source.randrange(8)
        unnoticed += harmless(bytes(flipped))
    assert 0 < unnoticed < len(small)


def test_random_damage_does_no_harm() -> None:
    source = random.Random(5)
    for name in SAMPLES:
        data = written(lambda writer, name=name: write_all(writer, entries([name])))  # type: ignore[misc]
        unnoticed = 0
        for _ in range(20):
            damaged = bytearray(data)
            for _ in range(source.randint(1, 5)):
                damaged[source.randrange(80, len(damaged))] = source.randrange(256)
            unnoticed += harmless(bytes(damaged))
        assert unnoticed < 20 or name.startswith("string")


def test_cut_anywhere(small: bytes) -> None:
    for size in range(len(small)):
        with pytest.raises(BadRdb) as caught:
            read_all(small[:size])
        assert caught.value.truncated
        assert caught.value.offset <= size
        assert f"at offset {caught.value.offset}" in str(caught.value)


def record(*parts: int | bytes) -> bytes:
    """Bytes of records by hand: numbers are single bytes, the rest stands as it is."""
    return b"".join(part if isinstance(part, bytes) else bytes((part,)) for part in parts)


HEAD = b"REDIS0011"
END = record(255, bytes(8))
KEY = record(0, b"\x01k\x01v")


@pytest.mark.parametrize(
    ("records", "seen"),
    [
        (record(253, (1_700_000_000).to_bytes(4, "little"), KEY), (1_700_000_000_000, -1, -1)),
        (record(252, (5).to_bytes(8, "little"), KEY), (5, -1, -1)),
        (record(252, (-5).to_bytes(8, "little", signed=True), KEY), (1, -1, -1)),
        (record(248, 0x40, 100, KEY), (0, 100, -1)),
        (record(249, 200, KEY), (0, -1, 200)),
        (record(244, 1, 2, 3, KEY), (0, -1, -1)),
        (record(251, 5, 2, 254, 0, KEY), (0, -1, -1)),
        (record(247, 0x81, bytes(8), 2, 1, 1, 7, 3, bytes(4), 4, bytes(8), 5, b"\x03abc", 0, KEY), (0, -1, -1)),
        (record(2, b"\x05empty", 0, 249, 9, KEY), (0, -1, 9)),
    ],
)
def test_records(records: bytes, seen: tuple[int, int, int]) -> None:
    _, found = read_all(HEAD + records + END)
    assert found == {(0, b"k"): (b"v", *seen)}


def test_what_is_said_of_a_key_does_not_leak_to_the_next() -> None:
    first = record(252, (5).to_bytes(8, "little"), 248, 9, 249, 7, 0, b"\x01a\x01v")
    _, found = read_all(HEAD + first + KEY + END, alive_at_ms=10)
    assert found == {(0, b"k"): (b"v", 0, -1, -1)}


def test_old_versions_have_no_checksum() -> None:
    assert read_all(b"REDIS0003" + KEY + b"\xff")[0].keys == 1
    with pytest.raises(BadRdb):
        read_all(b"REDIS0005" + KEY + b"\xff")


@pytest.mark.parametrize(
    "data",
    [
        b"RODIS0011" + END,
        b"REDIS00x1" + END,
        b"REDIS0013" + END,
        b"REDIS0000" + END,
        b"REDIS0080" + END,
        b"VALKEY011" + END,
        b"VALKEY081" + END,
        HEAD + record(246, b"\x01a") + END,
        HEAD + record(243, 0) + END,
        HEAD + record(7, b"\x01k", 1, 0) + END,
        HEAD + record(8, b"\x01k", 1, 0) + END,
        HEAD + record(247, 1, 9, 0) + END,
        HEAD + record(254, 0xC0, 1) + END,
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(BadRdb) as caught:
        read_all(data)
    assert not caught.value.truncated


def test_refused_by_a_keyspace() -> None:
    for records, why in ((KEY + KEY, "second time"), (record(254, 16) + KEY, "database 16 where 16 are configured")):
        space = Keyspace()
        reader = RdbReader(io.BytesIO(HEAD + records + END), space.limits)
        with pytest.raises(BadRdb, match=why):
            reader.load(space, 10)


def test_claims_are_not_believed() -> None:
    """A string of four gigabytes, a set of 2**61 members, where a few bytes follow."""
    encoder = Encoder()
    encoder.length(1 << 32)
    huge = encoder.take()
    encoder.length(1 << 61)
    endless = encoder.take()
    for records in (record(0, huge, b"k"), record(0, b"\x01k", huge, b"v"), record(2, b"\x01k", endless, b"\x01a")):
        for source in (io.BytesIO(HEAD + records), Pipe(HEAD + records)):
            reader = RdbReader(source, Limits())  # type: ignore[arg-type]
            with pytest.raises(BadRdb):
                reader.step()


def test_an_error_of_the_disk_comes_out() -> None:
    def fail(data: bytes) -> None:
        raise OSError("no space")

    writer = RdbWriter(fail)
    writer.begin()
    with pytest.raises(OSError, match="no space"):
        writer.entry(0, new_entry(b"k", random.Random(1).randbytes(PORTION)))
