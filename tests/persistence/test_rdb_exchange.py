"""RDB files exchanged with the real servers, of every type and encoding, both ways."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alcove.engine.keyspace import Keyspace
from alcove.persistence.rdb import RdbReader, RdbWriter, standard_aux
from tests.codec.samples import SAMPLES
from tests.comparison.servers import BINARIES, RealServer, Wire

VERSIONS = {"redis": 10, "valkey": 11}
LIBRARY = b"#!lua name=lib\nredis.register_function('f', function() return 'from the file' end)"
FAR_MS = 4_000_000_000_000


@pytest.fixture(params=VERSIONS)
def kind(request: pytest.FixtureRequest) -> str:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    return str(request.param)


@pytest.fixture
def wire(kind: str) -> Iterator[Wire]:
    server = RealServer(kind)
    wire = server.connect()
    yield wire
    wire.close()
    server.stop()


def fill(wire: Wire) -> None:
    """Every sample under its name, some with deadlines, over three databases."""
    for place, (name, commands) in enumerate(SAMPLES.items()):
        key = name.encode()
        wire.run([[b"SELECT", b"%d" % (place % 3)], *commands, [b"RENAME", b"k", key]])
        if place % 5 == 0:
            wire.run([[b"PEXPIREAT", key, b"%d" % (FAR_MS + place)]])
    wire.run([[b"FUNCTION", b"LOAD", LIBRARY]])


def digest(wire: Wire) -> list[Any]:
    """All that a real server holds, deadlines and groups of streams included."""
    seen: list[Any] = [wire.run([[b"DEBUG", b"DIGEST"]])]
    for place, name in enumerate(SAMPLES):
        key = name.encode()
        seen += wire.run([[b"SELECT", b"%d" % (place % 3)], [b"PEXPIRETIME", key], [b"OBJECT", b"ENCODING", key]])
        if name.startswith("stream"):
            groups = [b"XPENDING", key, b"g", b"-", b"+", b"1000"]
            seen += wire.run([[b"XINFO", b"GROUPS", key], groups])[: 1 if b"empt" in key or b"one" in key else 2]
    seen += wire.run([[b"FCALL", b"f", b"0"]])
    return [[[*word[:2], word[3]] for word in each] if is_pending(each) else str(each) for each in seen]


def is_pending(reply: Any) -> bool:
    """Whether this is a reply of XPENDING, of which the idle time, the third, goes on."""
    return isinstance(reply, list) and bool(reply) and isinstance(reply[0], list) and len(reply[0]) == 4


def rewritten(data: bytes, version: int) -> bytes:
    """A file read by us and written by us."""
    space = Keyspace()
    reader = RdbReader(io.BytesIO(data), space.limits)
    while reader.load(space, 10):
        pass
    assert reader.keys == len(SAMPLES)
    out = io.BytesIO()
    writer = RdbWriter(out.write, version)
    writer.begin(standard_aux(1_700_000_000_000, space.used, False))
    for code in reader.functions:
        writer.function(code)
    for database in space.databases:
        if len(database):
            writer.database(database.number, len(database), database.table.volatile)
        for entry in database.entries():
            writer.entry(database.number, entry)
    writer.end()
    return out.getvalue()


def test_theirs_to_us_and_back(wire: Wire, kind: str) -> None:
    fill(wire)
    path = Path(wire.run([[b"CONFIG", b"GET", b"dir"]])[0][1].decode()) / "dump.rdb"
    before = digest(wire)
    assert wire.run([[b"SAVE"]]) == [b"OK"]
    path.write_bytes(rewritten(path.read_bytes(), VERSIONS[kind]))
    assert wire.run([[b"DEBUG", b"RELOAD", b"NOSAVE"]]) == [b"OK"]
    assert digest(wire) == before
