"""Payloads exchanged with the real servers, for every type and encoding, both ways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from alcove.codec.payload import dump, restore
from alcove.types.limits import Limits
from tests.codec.samples import SAMPLES, content, kept
from tests.comparison.servers import BINARIES, RealServer, Wire

# The servers of the test and the version that each reads and writes.
VERSIONS = {"redis": 10, "valkey": 11}


@pytest.fixture(scope="module", params=VERSIONS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def wire(kind: str) -> Iterator[Wire]:
    if shutil.which(BINARIES[kind]) is None:
        pytest.skip(f"{BINARIES[kind]} is not installed")
    server = RealServer(kind)
    wire = server.connect()
    yield wire
    wire.close()
    server.stop()


def seen(wire: Wire, key: bytes) -> list[Any]:
    """What a real server shows of a key: digest, type and encoding, and of a stream everything."""
    commands = [[b"DEBUG", b"DIGEST-VALUE", key], [b"TYPE", key], [b"OBJECT", b"ENCODING", key]]
    replies = wire.run(commands)
    if replies[1] == b"stream":
        replies += wire.run([[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"], [b"XINFO", b"GROUPS", key]])
        at = replies[3].index(b"groups")
        replies[3][at + 1] = [forget_times(group) for group in replies[3][at + 1]]
    return replies


def forget_times(group: list[Any]) -> list[Any]:
    """A group as XINFO shows it, without when consumers came: our own test values and theirs come at other times."""
    at = group.index(b"consumers")
    consumers = [
        [word for word in consumer if not isinstance(word, int) or word < 1 << 30] for consumer in group[at + 1]
    ]
    return [*group[: at + 1], [str(consumer) for consumer in consumers]]


@pytest.mark.parametrize("name", SAMPLES)
def test_theirs_to_us_and_back(wire: Wire, kind: str, name: str) -> None:
    wire.run([[b"DEL", b"k", b"copy"]])
    for reply in wire.run(SAMPLES[name]):
        assert not isinstance(reply, Exception), reply
    payload = wire.run([[b"DUMP", b"k"]])[0]
    value = restore(payload, Limits())
    content(value)
    ours = dump(value, VERSIONS[kind])
    assert wire.run([[b"RESTORE", b"copy", b"0", ours]]) == [b"OK"]
    assert seen(wire, b"copy") == seen(wire, b"k")


@pytest.mark.parametrize("name", SAMPLES)
def test_ours_to_them(wire: Wire, kind: str, name: str) -> None:
    """A value that our commands made is the one that theirs made."""
    wire.run([[b"DEL", b"k", b"ours"]])
    wire.run(SAMPLES[name])
    assert wire.run([[b"RESTORE", b"ours", b"0", dump(kept(name), VERSIONS[kind], compress=False)]]) == [b"OK"]
    theirs, ours = seen(wire, b"k"), seen(wire, b"ours")
    assert ours[:2] == theirs[:2]
    if name != "list_one_plain":
        assert ours[2] == theirs[2] or name.startswith("string")
    if name.startswith("stream"):
        assert ours[4] == theirs[4]
