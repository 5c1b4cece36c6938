"""Folders exchanged with the real servers: they start on our append-only file and snapshot, and we on theirs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import alcove
from tests.codec.samples import SAMPLES
from tests.comparison.servers import BINARIES, RealServer
from tests.waiting import eventually

Run = Callable[[list[list[bytes]]], list[Any]]

VERSIONS = {"redis": 10, "valkey": 11}
FAR_MS = 4_000_000_000_000
HALF = len(SAMPLES) // 2


@pytest.fixture(params=VERSIONS)
def kind(request: pytest.FixtureRequest) -> str:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    return str(request.param)


@contextmanager
def theirs(kind: str, folder: Path, **settings: str) -> Iterator[Run]:
    """A real server in a folder, when it has loaded what is there."""
    words = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    server = RealServer(kind, "--dir", str(folder), *words)
    wire = server.connect()
    try:
        eventually(lambda: b"\nloading:0" in info(wire.run))
        yield wire.run
    finally:
        wire.close()
        server.stop()


@contextmanager
def ours(kind: str, folder: Path, **settings: str) -> Iterator[Run]:
    """An engine in a folder, that writes what a kind of server reads."""
    config = {name.replace("_", "-"): value for name, value in settings.items()}
    config["rdb-write-version"] = str(VERSIONS[kind])
    client = alcove.open(folder, config=config, protocol=2, single_connection_client=True)
    client.response_callbacks.clear()
    try:
        yield lambda commands: [client.execute_command(*command) for command in commands]
    finally:
        client.engine.close()


def fill(run: Run, begin: int, end: int) -> None:
    """Samples under their names, some with deadlines, over three databases."""
    for place, (name, commands) in list(enumerate(SAMPLES.items()))[begin:end]:
        key = name.encode()
        run([[b"SELECT", b"%d" % (place % 3)], *commands, [b"RENAME", b"k", key]])
        if place % 5 == 0:
            run([[b"PEXPIREAT", key, b"%d" % (FAR_MS + place)]])


def rewrite(run: Run) -> None:
    """BGREWRITEAOF, to its end."""
    run([[b"BGREWRITEAOF"]])
    eventually(lambda: b"aof_rewrite_in_progress:0" in info(run) and b"aof_rewrite_scheduled:0" in info(run))
    assert b"aof_last_bgrewrite_status:ok" in info(run)


def info(run: Run) -> bytes:
    text = run([[b"INFO", b"persistence"]])[0]
    return text if isinstance(text, bytes) else str(text).encode()


def contents(run: Run) -> dict[str, Any]:
    """All that is there, as commands show it."""
    found: dict[str, Any] = {}
    for place, name in enumerate(SAMPLES):
        key = name.encode()
        _, deadline = run([[b"SELECT", b"%d" % (place % 3)], [b"PEXPIRETIME", key]])
        found[name] = deadline, content(run, name.partition("_")[0], key)
    for number in range(3):
        found[f"database {number}"] = run([[b"SELECT", b"%d" % number], [b"DBSIZE"]])[1]
    return found


def content(run: Run, kind: str, key: bytes) -> Any:
    if kind == "string":
        return run([[b"GET", key]])
    if kind == "list":
        return run([[b"LRANGE", key, b"0", b"-1"]])
    if kind == "set":
        return sorted(run([[b"SMEMBERS", key]])[0])
    if kind == "zset":
        words = run([[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]])[0]
        return [(words[at], float(words[at + 1])) for at in range(0, len(words), 2)]
    if kind == "hash":
        words = run([[b"HGETALL", key]])[0]
        return {words[at]: words[at + 1] for at in range(0, len(words), 2)}
    entries, groups = run([[b"XRANGE", key, b"-", b"+"], [b"XINFO", b"GROUPS", key]])
    names = [group[1] for group in groups]
    pending = [run([[b"XPENDING", key, name, b"-", b"+", b"1000"]])[0] for name in names]
    # Without entries-read and lag, which Redis 7.0 forgets when it replays even its own file, and without the third
    # word of what is pending, how long ago it was delivered.
    return (
        entries,
        [group[:8] for group in groups],
        [[(each[0], each[1], each[3]) for each in rows] for rows in pending],
    )


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_they_replay_our_append_only_file(tmp_path: Path, kind: str, preamble: str) -> None:
    with ours(kind, tmp_path, aof_use_rdb_preamble=preamble) as run:
        fill(run, 0, HALF)
        rewrite(run)
        fill(run, HALF, len(SAMPLES))
        expected = contents(run)
    with theirs(kind, tmp_path, appendonly="yes") as run:
        assert contents(run) == expected


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_we_replay_theirs(tmp_path: Path, kind: str, preamble: str) -> None:
    with theirs(kind, tmp_path, appendonly="yes", aof_use_rdb_preamble=preamble) as run:
        fill(run, 0, HALF)
        rewrite(run)
        fill(run, HALF, len(SAMPLES))
        expected = contents(run)
    for _ in range(2):
        # The second time from what we have appended to and kept.
        with ours(kind, tmp_path) as run:
            assert contents(run) == expected


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_we_replay_the_single_file_of_older_servers(tmp_path: Path, kind: str, preamble: str) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with theirs(kind, before, appendonly="yes", aof_use_rdb_preamble=preamble) as run:
        fill(run, 0, HALF)
        rewrite(run)
        fill(run, HALF, len(SAMPLES))
        expected = contents(run)
    base, increment = (sorted((before / "appendonlydir").glob(f"*.{part}.*")) for part in ("base", "incr"))
    (after / "appendonly.aof").write_bytes(b"".join(path.read_bytes() for path in (base[-1], increment[-1])))
    for _ in range(2):
        with ours(kind, after) as run:
            assert contents(run) == expected
    assert not (after / "appendonly.aof").exists()


def test_they_load_our_snapshot(tmp_path: Path, kind: str) -> None:
    with ours(kind, tmp_path, appendonly="no") as run:
        fill(run, 0, len(SAMPLES))
        run([[b"SAVE"]])
        expected = contents(run)
    with theirs(kind, tmp_path) as run:
        assert contents(run) == expected


def test_we_load_theirs(tmp_path: Path, kind: str) -> None:
    with theirs(kind, tmp_path) as run:
        fill(run, 0, len(SAMPLES))
        assert run([[b"SAVE"]]) == [b"OK"]
        expected = contents(run)
    for _ in range(2):
        # From their snapshot, and then from the append-only file that was begun with it.
        with ours(kind, tmp_path) as run:
            assert contents(run) == expected
