"""What a snapshot is written as: an RDB file, or the commands that make its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from alcove.codec.payload import dump
from alcove.engine.engine import Engine
from alcove.engine.table import Entry
from alcove.persistence.rdb import RdbWriter, standard_aux
from alcove.persistence.records import RecordWriter
from alcove.scripting.functions import library_codes

# How much is gathered before it is handed on.
FLUSH_AT = 1 << 16


def rdb_recorder(engine: Engine, write: Callable[[bytes], object], aof_base: bool) -> RdbWriter:
    """An RDB file of the configured version, begun, with what the databases hold at the moment."""
    config = engine.config
    policy = config.maxmemory_policy
    writer = RdbWriter(
        write,
        config.rdb_write_version,
        config.rdbcompression,
        config.rdbchecksum,
        idle_from_s=engine.clock.now_us() // 1_000_000 if "lru" in policy else 0,
        frequencies="lfu" in policy,
    )
    writer.begin(standard_aux(engine.clock.now_us() // 1000, engine.space.used, aof_base))
    for code in library_codes(engine):
        writer.function(code)
    for database in engine.space.databases:
        if len(database):
            writer.database(database.number, len(database), database.table.volatile)
    return writer


class CommandRecorder:
    """Keys as RESTORE commands: the base of an append-only file under `aof-use-rdb-preamble no`."""

    # Nothing has to wait for a big container.
    aside: Final = 0

    def __init__(self, engine: Engine, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._version = engine.config.rdb_write_version
        self._compress = engine.config.rdbcompression
        self._records = RecordWriter()
        for code in library_codes(engine):
            self._records.add([(0, [b"FUNCTION", b"LOAD", b"REPLACE", code])])

    def entry(self, number: int, entry: Entry) -> None:
        payload = dump(entry.value, self._version, self._compress)
        self._records.add([(number, [b"RESTORE", entry.key, b"%d" % entry.expire_ms, payload, b"ABSTTL"])])
        if len(self._records.out) >= FLUSH_AT:
            self._flush()

    def steps(self, number: int, entry: Entry) -> Iterator[None]:
        """A payload has its checksum and its length in front, so it is made in one go."""
        self.entry(number, entry)
        yield

    def end(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._write(self._records.out.take(len(self._records.out)))
