"""Folders opened in a program: what is on disk when, threads that share syncs, programs that end, fork and return."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import alcove
import alcove.asyncio
from alcove.engine.conf_file import ConfError
from alcove.persistence import folder_lock
from alcove.persistence.disk import File
from alcove.persistence.folder_lock import FolderInUse
from tests.persistence.served import SOURCE
from tests.waiting import eventually

INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"
NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

Syncs = list[str]


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    """The files that were synced, which takes its time as on a real disk."""
    synced: Syncs = []
    sync = File.sync

    def slow_sync(file: File) -> None:
        time.sleep(0.002)
        sync(file)
        synced.append(os.path.basename(file.path))

    monkeypatch.setattr(File, "sync", slow_sync)
    return synced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def close(client: Any) -> None:
    client.engine.close()


def reopened(folder: Path, **options: Any) -> dict[str, str]:
    """The strings that the folder holds when it is opened anew."""
    client: Any = alcove.open(folder, decode_responses=True, **options)
    try:
        return {key: client.get(key) for key in client.scan_iter()}
    finally:
        close(client)


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that knows `folder`, and `r`, a client of it."""
    text = f"import alcove, os, redis, sys, threading\nfolder = {str(folder)!r}\nr = alcove.open(folder)\n"
    return subprocess.run(
        [sys.executable, "-c", text + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


# What is on disk when


def test_a_call_returns_when_the_system_has_it(folder: Path) -> None:
    client = alcove.open(folder)
    assert client.config_get("appendonly", "appendfsync", "save") == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    for number in range(100):
        client.set("key", number)
        assert b"$3\r\nkey\r\n$%d\r\n%d\r\n" % (len(str(number)), number) in (folder / INCREMENT).read_bytes()
    with client.pipeline() as pipe:
        pipe.set("a", "first").set("b", "second").execute()
    assert (folder / INCREMENT).read_bytes().endswith(b"*1\r\n$4\r\nEXEC\r\n")
    close(client)


def test_within_a_second_the_disk_has_it(folder: Path, syncs: Syncs) -> None:
    client = alcove.open(folder)
    syncs.clear()
    client.set("a", 1)
    eventually(lambda: syncs)
    assert syncs == [os.path.basename(INCREMENT)]
    close(client)


def test_without_syncs_the_system_chooses_but_for_the_end(folder: Path, syncs: Syncs) -> None:
    client = alcove.open(folder, fsync="no")
    syncs.clear()
    client.set("a", 1)
    assert client.execute_command("WAITAOF", 0, 0, 0) == [0, 0]
    assert syncs == []
    close(client)
    assert syncs == [os.path.basename(INCREMENT)]


def test_under_always_the_disk_has_it_when_a_call_returns(folder: Path, syncs: Syncs) -> None:
    client = alcove.open(folder, fsync="always")
    for number in range(5):
        syncs.clear()
        client.set("key", number)
        assert syncs == [os.path.basename(INCREMENT)]
    # One for all commands of a pipeline, none for those that change nothing.
    syncs.clear()
    with client.pipeline(transaction=False) as pipe:
        for number in range(100):
            pipe.set("key", number)
        pipe.execute()
    assert len(syncs) == 1
    client.get("key")
    client.delete("nothing")
    assert len(syncs) == 1
    close(client)


def test_threads_share_syncs(folder: Path, syncs: Syncs) -> None:
    threads, writes = 8, 40
    client = alcove.open(folder, fsync="always")
    syncs.clear()
    journal: Any = client.engine.journal

    def write(name: str) -> None:
        for number in range(writes):
            client.set(f"{name}:{number}", number)
            assert journal.synced > 0

    workers = [threading.Thread(target=write, args=(f"thread{number}",)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert journal.synced == journal.appended
    # All who come while one syncs are served by the next one.
    assert writes <= len(syncs) <= threads * writes / 2
    close(client)
    assert len(reopened(folder)) == threads * writes


def test_tasks_share_syncs_and_keep_nobody_waiting(folder: Path, syncs: Syncs) -> None:
    async def program() -> tuple[list[bool], int]:
        client = alcove.asyncio.open(folder, fsync="always")
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        try:
            return [await client.set(f"key{number}", number) for number in range(20)], ticks
        finally:
            ticking.cancel()
            close(client)

    replies, ticks = asyncio.run(program())
    assert replies == [True] * 20
    # While a sync takes two milliseconds the loop goes round and round.
    assert ticks > 2 * len(syncs)
    assert len(reopened(folder)) == 20


# The end of a program


@pytest.mark.parametrize("fsync", ["always", "everysec", "no"])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError", 1),
        ("os._exit(4)", 4),
        ("os.kill(os.getpid(), 9)", -9),
        ("r.bgrewriteaof()", 0),
        ("r.bgrewriteaof(); os._exit(4)", 4),
        ("threading.Thread(target=lambda: r.set('late', 1)).start()", 0),
    ],
)
def test_however_a_program_ends(folder: Path, fsync: str, end: str, status: int) -> None:
    program = f"r.config_set('appendfsync', {fsync!r})\nfor n in range(100): r.set(f'key{{n}}', n)\n{end}"
    done = run(program, folder)
    assert done.returncode == status, done.stderr
    # Nothing is said but what the program itself says.
    assert done.stderr.endswith("ValueError\n" if "ValueError" in end else "")
    assert done.stderr.count("Traceback") == ("ValueError" in end)
    found = reopened(folder)
    assert {key: value for key, value in found.items() if key != "late"} == {f"key{n}": str(n) for n in range(100)}
    assert ("late" in found) == ("late" in end)
    assert not list(folder.rglob("temp-*"))


SNAPSHOTS = {"appendonly": "no", "save": "3600 1"}


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        ("", True),
        ("raise ValueError", True),
        ("s.engine.close()", True),
        ("s.bgsave()", True),
        ("if not os.fork(): sys.exit(0)\nos.wait(); s.set('key0', 'parent')", True),
        ("s.config_set('save', '')", False),
        ("os._exit(0)", False),
    ],
)
def test_a_folder_of_snapshots_gets_a_last_one(folder: Path, end: str, kept: bool) -> None:
    other = folder.with_name("snapshots")
    program = (
        f"s = alcove.open({str(other)!r}, config={SNAPSHOTS!r})\nfor n in range(100): s.set(f'key{{n}}', n)\n{end}"
    )
    done = run(program, folder)
    assert done.stderr.endswith("ValueError\n" if "ValueError" in end else "")
    assert done.stderr.count("Traceback") == ("ValueError" in end)
    found = reopened(other, config=SNAPSHOTS)
    assert len(found) == (100 if kept else 0)
    assert found.get("key0") == (("parent" if "parent" in end else "0") if kept else None)


def test_a_server_in_the_program_takes_a_last_snapshot(folder: Path) -> None:
    folder.mkdir()
    for number in range(3):
        with alcove.serve(dir=str(folder), save="3600 1") as server, redis.Redis(port=server.port) as client:
            assert client.incr("runs") == number + 1
    with alcove.serve(dir=str(folder), save="3600 1") as server, redis.Redis(port=server.port) as client:
        client.incr("runs")
        with pytest.raises(redis.ConnectionError):
            client.execute_command("SHUTDOWN", "NOSAVE")
    assert reopened(folder, config=SNAPSHOTS) == {"runs": "3"}


def test_a_client_that_is_forgotten_leaves_its_folder(folder: Path) -> None:
    client: Any = alcove.open(folder)
    client.set("a", 1)
    engine = weakref.ref(client.engine)
    del client
    # Housekeeping may just be at work in it.
    eventually(lambda: gc.collect() >= 0 and engine() is None)
    assert reopened(folder) == {"a": "1"}


def test_after_the_end_calls_say_so(folder: Path) -> None:
    client = alcove.open(folder)
    close(client)
    with pytest.raises(redis.ConnectionError, match="closed"):
        client.get("a")
    close(client)


# Others


def test_clients_of_a_folder_share_an_engine(folder: Path) -> None:
    one, other = alcove.open(folder), alcove.open(folder, fsync="everysec", db=1)
    assert one.engine is other.engine
    with pytest.raises(TypeError, match="open with fsync='everysec' already"):
        alcove.open(folder, fsync="always")
    with pytest.raises(TypeError, match="has its configuration"):
        alcove.open(folder, config={"maxmemory": "1mb"})
    close(one)


def test_it_is_opened_again_with_other_settings(folder: Path) -> None:
    for number, fsync in enumerate(["everysec", "always", "no", None]):
        client = alcove.open(folder, fsync=fsync)
        assert client.config_get("appendfsync") == {"appendfsync": fsync or "everysec"}
        assert client.incr("runs") == number + 1
        close(client)
    with pytest.raises(ConfError, match="argument"):
        alcove.open(folder, fsync="sometimes")
    assert reopened(folder) == {"runs": "4"}


def test_another_process_is_told_who_has_it(folder: Path) -> None:
    client = alcove.open(folder)
    done = run("", folder)
    assert done.returncode == 1
    assert (
        f"in use by the process {os.getpid()}; to use the data in several processes, run `alcove serve" in done.stderr
    )
    close(client)
    assert run("", folder).returncode == 0


def test_a_second_engine_in_the_process_is_told_how_to_share(folder: Path) -> None:
    client = alcove.open(folder)
    with pytest.raises(FolderInUse, match=r"which is this one; .* alcove\.serve\(engine=client\) a server"):
        alcove.serve(dir=str(folder))
    with alcove.serve(engine=client.engine) as server, redis.Redis(port=server.port) as other:
        other.set("a", 1)
    assert client.get("a") == b"1"
    close(client)


@NEEDS_FORK
def test_a_child_neither_writes_nor_closes_nor_keeps_the_folder(folder: Path, tmp_path: Path) -> None:
    """A child that ends as programs do closes nothing of its parent's; one that outlives it has not the folder."""
    program = f"""
        import time
        r.set("a", 1)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    r.set("b", 2)
                except redis.ConnectionError as error:
                    print(error, flush=True)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
        r.set("c", 3)
        if os.fork() == 0:
            sys.stdout.close()
            os.close(1)
            os.close(2)
            while not os.path.exists({str(tmp_path / "go")!r}):
                time.sleep(0.01)
            os._exit(0)
        print("parent ends")
    """
    done = run(program, folder)
    try:
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("opened before fork()") == 3
        assert reopened(folder) == {"a": "1", "c": "3"}
    finally:
        (tmp_path / "go").touch()


@NEEDS_FORK
def test_a_child_may_not_open_it_again(folder: Path) -> None:
    program = """
        from alcove.persistence.folder_lock import FolderInUse
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                alcove.open(folder)
            except FolderInUse as error:
                os._exit(0 if f"by the process {parent};" in str(error) else 1)
            os._exit(2)
        status = os.waitpid(child, 0)[1]
        r.set("a", 1)
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    done = run(program, folder)
    assert done.returncode == 0, done.stderr
    assert reopened(folder) == {"a": "1"}


# Folders that are not as they should be


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close(alcove.open(folder))
    opened = os.open

    def refuse(path: str, flags: int, *more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, flags, *more)

    with monkeypatch.context() as patched:
        patched.setattr(folder_lock.os, "open", refuse)
        with pytest.raises(OSError, match=r"Read-only file system: .*data.alcove\.lock"):
            alcove.open(folder)
    assert reopened(folder) == {}


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        alcove.open(tmp_path / "file")


def test_a_folder_that_could_not_be_loaded_is_free_again(folder: Path) -> None:
    client = alcove.open(folder)
    client.set("a", 1)
    close(client)
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    good = manifest.read_bytes()
    manifest.write_bytes(b"nonsense\n")
    with pytest.raises(Exception, match="line 1 of the AOF manifest: invalid format"):
        alcove.open(folder)
    manifest.write_bytes(good)
    assert reopened(folder) == {"a": "1"}


# What others have left


def old_style(folder: Path) -> None:
    """A folder of Redis before 7: one file of commands."""
    folder.mkdir()
    (folder / "appendonly.aof").write_bytes(
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    )


def test_a_folder_of_an_old_server(folder: Path) -> None:
    old_style(folder)
    client = alcove.open(folder)
    assert client.get("a") == b"1"
    client.set("b", 2)
    close(client)
    assert sorted(path.name for path in folder.iterdir()) == ["alcove.lock", "appendonlydir"]
    assert reopened(folder) == {"a": "1", "b": "2"}


def test_a_server_in_the_program_finds_it_too(folder: Path) -> None:
    old_style(folder)
    with alcove.serve(dir=str(folder)) as server, redis.Redis(port=server.port) as client:
        assert client.get("a") == b"1"
    assert reopened(folder) == {"a": "1"}


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_a_folder_of_a_real_server(folder: Path, name: str, appendonly: str, real_server: Callable[..., Any]) -> None:
    server = real_server(name, folder, appendonly)
    server.set("a", "1")
    server.set("b", "2", ex=1000)
    for _ in range(3):
        server.incr("n")
    if appendonly == "no":
        server.save()
    with pytest.raises(redis.ConnectionError):
        server.execute_command("SHUTDOWN", "NOSAVE")
    assert reopened(folder) == {"a": "1", "b": "2", "n": "3"}
    client = alcove.open(folder)
    assert 900 < client.ttl("b") <= 1000
    close(client)


@pytest.fixture
def real_server(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a real server on a folder: a client of it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, folder: Path, appendonly: str) -> Any:
        folder.mkdir(exist_ok=True)
        path = tmp_path / f"real{len(started)}.socket"
        words = ["--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", "", "--appendonly"]
        try:
            started.append(subprocess.Popen([name, *words, appendonly], stdout=subprocess.DEVNULL))
        except FileNotFoundError:
            pytest.skip(f"{name} is not installed")
        client = redis.Redis(unix_socket_path=str(path), decode_responses=True)
        eventually(path.exists)
        eventually(lambda: not client.info("persistence")["loading"])
        return client

    yield start
    for one in started:
        one.kill()
        one.wait()
