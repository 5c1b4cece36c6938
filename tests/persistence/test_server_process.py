"""Durability of `alcove serve` as a process: what its commands and signals leave on disk, and what a restart finds."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import alcove
from alcove.persistence.folder_lock import FolderInUse
from alcove.persistence.loading import CannotLoad
from tests.persistence.served import Served, info, is_loading
from tests.waiting import PATIENCE_S, eventually

Serve = Callable[..., Served]

APPEND_ONLY = ("--appendonly", "yes", "--save", "")
SNAPSHOTS = ("--save", "3600 1")
MANIFEST = "appendonlydir/appendonly.aof.manifest"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server on the folder `data` or another; with a name it stands beside the folder's first one."""
    started: list[Served] = []

    def start(*arguments: str, folder: str = "data", name: str = "") -> Served:
        started.append(Served(tmp_path / folder, *arguments, name=name))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def refusal(client: Any, *words: str) -> str:
    """What a command is refused with."""
    with pytest.raises(redis.ResponseError) as refused:
        client.execute_command(*words)
    return str(refused.value)


def is_kept(client: Any) -> bool:
    """Whether there is an append-only file, begun and not just planned."""
    fields = client.info("persistence")
    planned = fields["aof_rewrite_in_progress"] or fields["aof_rewrite_scheduled"]
    return bool(fields["aof_enabled"] and fields["aof_rewrites"] and not planned)


def fill(client: Any) -> None:
    client.set("string", "Hello")
    client.hset("hash", mapping={f"field{number}": number for number in range(1000)})
    client.zadd("zset", {"a": 1.5, "b": float("inf")})
    client.rpush("list", *range(1000))
    client.set("volatile", 1, ex=1000)
    client.xadd("stream", {"a": "1"}, id="1-1")


def check(client: Any) -> None:
    assert client.get("string") == "Hello"
    assert client.hlen("hash") == 1000
    assert client.zscore("zset", "b") == float("inf")
    assert client.lrange("list", 0, -1) == [str(number) for number in range(1000)]
    assert 900 < client.ttl("volatile") <= 1000
    assert client.xrange("stream") == [("1-1", {"a": "1"})]


# Snapshots


def test_save_bgsave_and_lastsave(serve: Serve) -> None:
    server = serve(*SNAPSHOTS)
    client = server.client()
    began = client.lastsave().timestamp()
    fill(client)
    assert client.save() is True
    assert client.lastsave().timestamp() >= began
    assert info(client, "rdb_changes_since_last_save") == 0
    client.set("later", 1)
    assert client.execute_command("BGSAVE") is True
    eventually(lambda: info(client, "rdb_saves") == 2)
    server.kill()
    client = serve(*SNAPSHOTS).client()
    check(client)
    assert client.get("later") == "1"
    assert info(client, "rdb_last_load_keys_loaded") == 7


def test_a_save_point_comes_due_and_outlives_a_kill(serve: Serve) -> None:
    server = serve("--save", "")
    client = server.client()
    client.config_set("save", "1 2")
    client.mset({"a": 1, "b": 2})
    eventually(lambda: info(client, "rdb_saves") == 1 and not info(client, "rdb_bgsave_in_progress"))
    server.kill()
    assert server.files() == ["dump.rdb"]
    assert serve("--save", "").client().mget("a", "b") == ["1", "2"]


def test_dir_and_dbfilename(serve: Serve, tmp_path: Path) -> None:
    server = serve("--dbfilename", "first.rdb", "--enable-protected-configs", "yes", "--save", "")
    client = server.client()
    client.set("a", 1)
    client.save()
    (tmp_path / "other").mkdir()
    client.config_set("dbfilename", "second.rdb")
    client.config_set("dir", str(tmp_path / "other"))
    client.set("b", 2)
    client.save()
    server.kill()
    assert server.files() == ["first.rdb"]
    assert serve("--dbfilename", "first.rdb").client().dbsize() == 1
    assert serve("--dbfilename", "second.rdb", folder="other").client().dbsize() == 2
    assert "not allowed to use" not in server.log


def test_an_append_only_file_stays_in_its_folder(serve: Serve, tmp_path: Path) -> None:
    client = serve(*APPEND_ONLY, "--enable-protected-configs", "yes").client()
    assert "set appendonly to no" in refusal(client, "CONFIG", "SET", "dir", str(tmp_path))
    assert client.config_get("dir") == {"dir": str(tmp_path / "data")}
    client.set("a", 1)
    assert client.bgrewriteaof() is True
    eventually(lambda: info(client, "aof_rewrites") == 2)


def test_a_snapshot_is_cancelled(serve: Serve) -> None:
    client = serve("--save", "", "--enable-debug-command", "yes").client()
    assert refusal(client, "BGSAVE", "CANCEL") == "Background saving is currently not in progress or scheduled"
    client.execute_command("DEBUG", "POPULATE", 10000, "key", 100)
    # The words of the reply, of which redis-py makes True.
    del client.response_callbacks["BGSAVE"]
    with client.pipeline(transaction=False) as pipe:
        pipe.execute_command("BGSAVE").execute_command("BGSAVE", "CANCEL")
        assert pipe.execute() == ["Background saving started", "Background saving cancelled"]
    # Within a transaction it is scheduled, to begin behind it.
    with client.pipeline() as pipe:
        pipe.execute_command("BGSAVE").execute_command("BGSAVE", "CANCEL")
        assert pipe.execute() == ["Background saving scheduled", "Scheduled background saving cancelled"]
    assert info(client, "rdb_saves") == 0
    assert client.execute_command("BGSAVE", "SCHEDULE") == "Background saving started"
    eventually(lambda: info(client, "rdb_saves") == 1)


def test_bgsave_keeps_nobody_waiting(serve: Serve) -> None:
    """What it begins is not done at once, not even behind a SAVE, which is."""
    client = serve("--save", "", "--enable-debug-command", "yes").client()
    client.execute_command("DEBUG", "POPULATE", 200_000, "key", 10)
    with client.pipeline(transaction=False) as pipe:
        fields = pipe.save().bgsave().info("persistence").execute()[2]
    assert (fields["rdb_saves"], fields["rdb_bgsave_in_progress"]) == (1, 1)
    assert fields["current_save_keys_total"] == 200_000
    # A slice or two, if the three came in as many turns.
    assert fields["current_save_keys_processed"] < 100_000
    assert fields["current_fork_perc"] < 50
    eventually(lambda: info(client, "rdb_saves") == 2)


def test_no_half_of_a_transaction_is_saved(serve: Serve) -> None:
    """A snapshot or a rewrite that a transaction asks for has all of it, each effect once."""
    server = serve(*APPEND_ONLY)
    client = server.client()
    for begin in (["BGSAVE"], ["BGREWRITEAOF"]):
        rewrites, saves = info(client, "aof_rewrites"), info(client, "rdb_saves")
        with client.pipeline() as pipe:
            pipe.incr("before").execute_command(*begin).incr("behind").execute()
        eventually(lambda: (info(client, "aof_rewrites"), info(client, "rdb_saves")) != (rewrites, saves))  # noqa: B023
    server.kill()
    assert serve(*APPEND_ONLY).client().mget("before", "behind") == ["2", "2"]
    (server.data / "appendonlydir").rename(server.data.parent / "away")
    assert serve("--save", "", folder="data").client().mget("before", "behind") == ["1", "1"]


def test_save_while_a_rewrite_runs(serve: Serve) -> None:
    client = serve(*APPEND_ONLY, "--enable-debug-command", "yes").client()
    client.execute_command("DEBUG", "POPULATE", 10000, "key", 100)
    with client.pipeline(transaction=False) as pipe:
        replies = pipe.bgrewriteaof().execute_command("BGREWRITEAOF").save().execute(raise_on_error=False)
    assert replies[0] is True
    assert str(replies[1]) == "Background append only file rewriting already in progress"
    assert replies[2] is True
    assert (info(client, "aof_rewrites"), info(client, "rdb_saves")) == (2, 1)


# The chapter


def test_the_chapters_persistence_strategy(serve: Serve) -> None:
    """Section 3.2.5, 7, word for word, by redis-cli where that is installed; a restart brings all back."""
    words = (
        'CONFIG SET save "900 1"\nCONFIG SET save "300 10"\nCONFIG SET save "60 10000"\n'
        "CONFIG SET appendonly yes\nCONFIG SET appendfsync everysec\n"
    )
    server = serve()
    client = server.client()
    cli = shutil.which("redis-cli")
    if cli is None:
        for line in words.splitlines():
            name, value = line.removeprefix("CONFIG SET ").split(" ", 1)
            assert client.config_set(name, value.strip('"')) is True
    else:
        done = subprocess.run([cli, "-s", str(server.socket)], input=words, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["OK"] * 5
    assert client.config_get("save", "append*") == {
        "save": "60 10000",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "appendfilename": "appendonly.aof",
        "appenddirname": "appendonlydir",
    }
    fill(client)
    eventually(lambda: info(client, "aof_rewrites") == 1)
    server.kill()
    # It is not said again that there is an append-only file: the folder has one.
    again = serve()
    client = again.client()
    check(client)
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert "it is loaded and goes on, as with `appendonly yes`" in again.log
    client.set("string", "Hello")
    again.terminate()
    check(serve().client())


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves(serve: Serve, number: signal.Signals) -> None:
    server = serve(*SNAPSHOTS)
    fill(server.client())
    server.popen.send_signal(number)
    assert server.wait() == 0
    assert server.files() == ["alcove.lock", "dump.rdb"]
    check(serve(*SNAPSHOTS).client())


@pytest.mark.parametrize(
    ("points", "options", "kept"),
    [
        ("3600 1", [], True),
        ("3600 1", ["NOSAVE"], False),
        ("3600 1", ["NOW", "FORCE"], True),
        ("", [], False),
        ("", ["SAVE"], True),
        ("", ["SAVE", "NOW"], True),
    ],
)
def test_shutdown(serve: Serve, points: str, options: list[str], kept: bool) -> None:
    server = serve("--save", points)
    client = server.client()
    client.set("a", 1)
    with pytest.raises(redis.ConnectionError):
        client.execute_command("SHUTDOWN", *options)
    assert server.wait() == 0
    assert ("dump.rdb" in server.files()) == kept
    assert serve("--save", points).client().get("a") == ("1" if kept else None)


def test_shutdown_is_refused(serve: Serve) -> None:
    server = serve(*SNAPSHOTS)
    client = server.client()
    for words in (["NOW", "ABORT"], ["SAVE", "NOSAVE"], ["SOON"]):
        assert refusal(client, "SHUTDOWN", *words) == "syntax error"
    assert refusal(client, "SHUTDOWN", "ABORT") == "No shutdown in progress."
    client.set("a", 1)
    # A folder of that name cannot become a file, whoever is asked.
    (server.data / "dump.rdb").mkdir()
    assert refusal(client, "SHUTDOWN") == "Errors trying to SHUTDOWN. Check logs."
    assert refusal(client, "SET", "b", "2").startswith("MISCONF Redis is configured to save RDB snapshots, but")
    assert client.get("a") == "1"
    server.popen.terminate()
    eventually(lambda: "Received SIGTERM" in server.log and server.log.count("Errors trying to shut down") == 2)
    assert client.get("a") == "1"
    (server.data / "dump.rdb").rmdir()
    assert client.save() is True
    client.set("b", 2)
    (server.data / "dump.rdb").unlink()
    (server.data / "dump.rdb").mkdir()
    with pytest.raises(redis.ConnectionError):
        client.execute_command("SHUTDOWN", "FORCE")
    assert server.wait() == 0


def test_the_end_of_an_append_only_file_is_synced(serve: Serve) -> None:
    server = serve(*APPEND_ONLY, "--appendfsync", "no")
    fill(server.client())
    server.terminate()
    assert "dump.rdb" not in server.files()
    check(serve(*APPEND_ONLY).client())


# Loading


@pytest.mark.parametrize("kept", [APPEND_ONLY, SNAPSHOTS])
def test_who_asks_while_the_data_is_loaded(serve: Serve, kept: tuple[str, ...]) -> None:
    server = serve(*kept)
    client = server.client()
    with client.pipeline() as pipe:
        for number in range(20):
            pipe.set(f"key{number}", number)
        pipe.execute()
    server.terminate()
    before = {name: (server.data / name).read_bytes() for name in server.files() if name != "alcove.lock"}
    server = serve(*kept, "--key-load-delay", "200000")
    client = server.connect()
    for words in (("GET", "key0"), ("SET", "key0", "1"), ("DBSIZE",), ("SAVE",), ("BGSAVE",), ("BGREWRITEAOF",)):
        assert is_loading(lambda: client.execute_command(*words)), words  # noqa: B023
    assert is_loading(client.ping)
    assert is_loading(lambda: client.config_set("appendonly", "yes"))
    fields = client.info("persistence")
    assert fields["loading"] == 1
    assert 0 <= fields["loading_loaded_bytes"] <= fields["loading_total_bytes"]
    assert 0 <= fields["loading_loaded_perc"] <= 100
    assert fields["loading_start_time"] > 0
    assert fields["loading_eta_seconds"] >= 0
    assert client.config_get("maxmemory") == {"maxmemory": "0"}
    assert isinstance(client.lastsave().timestamp(), float)
    # To be told to end now must not cost what is still to be loaded.
    server.terminate()
    after = {name: (server.data / name).read_bytes() for name in before}
    assert after == before
    # Who is patient sees all of it.
    server = serve(*kept, "--key-load-delay", "200000")
    client = server.connect()
    assert is_loading(client.dbsize)
    client.config_set("key-load-delay", 0)
    eventually(lambda: not info(client, "loading"))
    assert client.dbsize() == 20
    assert "keys in" in server.log


def test_what_cannot_be_loaded_ends_it(serve: Serve) -> None:
    server = serve(*SNAPSHOTS)
    server.client().set("a", "x" * 100)
    server.terminate()
    snapshot = server.data / "dump.rdb"
    good = snapshot.read_bytes()
    snapshot.write_bytes(good[:-10])
    server = serve(*SNAPSHOTS)
    assert server.wait() == 1
    assert "alcove check" in server.log
    assert snapshot.read_bytes() == good[:-10]


def test_what_a_kill_has_left_of_a_snapshot_is_removed(serve: Serve) -> None:
    server = serve(*SNAPSHOTS)
    server.client()
    server.kill()
    (server.data / "temp-rdb-12345").write_bytes(b"REDIS0011")
    again = serve(*SNAPSHOTS)
    again.client()
    assert again.files() == ["alcove.lock"]


# The append-only file


def test_the_file_is_switched_on_and_off(serve: Serve) -> None:
    server = serve(*SNAPSHOTS)
    client = server.client()
    client.set("a", 1)
    client.config_set("appendonly", "yes")
    eventually(lambda: info(client, "aof_rewrites") == 1)
    client.set("b", 2)
    server.kill()
    # On: the restart finds what came before and after.
    server = serve(*SNAPSHOTS)
    client = server.client()
    assert client.mget("a", "b") == ["1", "2"]
    # Off: a snapshot takes its place, and then it is removed, so that no later start finds old data in it.
    client.config_set("appendonly", "no")
    eventually(lambda: server.files() == ["alcove.lock", "dump.rdb"] and not info(client, "rdb_bgsave_in_progress"))
    client.set("c", 3)
    client.save()
    server.kill()
    server = serve(*SNAPSHOTS, "--appendonly", "no")
    client = server.client()
    assert client.mget("a", "b", "c") == ["1", "2", "3"]
    # And on again, and off at once, and on.
    for switch in ("yes", "no", "yes"):
        client.config_set("appendonly", switch)
    client.set("d", 4)
    eventually(lambda: is_kept(client))
    server.kill()
    assert serve(*SNAPSHOTS, "--appendonly", "yes").client().mget("a", "b", "c", "d") == ["1", "2", "3", "4"]


def test_a_file_that_is_given_up_counts_until_there_is_a_snapshot(serve: Serve) -> None:
    server = serve("--save", "")
    client = server.client()
    client.config_set("appendonly", "yes")
    client.set("a", 1)
    eventually(lambda: info(client, "aof_rewrites") == 1)
    client.config_set("appendonly", "no")
    client.set("b", 2)
    server.kill()
    assert MANIFEST in server.files()
    client = serve("--save", "").client()
    # What came behind it was to be kept nowhere.
    assert client.mget("a", "b") == ["1", None]


def test_waitaof(serve: Serve) -> None:
    server = serve("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
    client = server.client()
    client.set("a", 1)
    assert client.waitaof(1, 0, PATIENCE_S * 1000) == [1, 0]
    assert client.waitaof(0, 1, 10) == [1, 0]
    client.config_set("appendfsync", "no")
    client.set("a", 2)
    waiting: list[object] = []

    def wait_for_the_disk() -> None:
        try:
            waiting.append(server.connect().waitaof(1, 0, 0))
        except redis.ResponseError as error:
            waiting.append(str(error))

    thread = threading.Thread(target=wait_for_the_disk)
    thread.start()
    eventually(lambda: client.info("clients")["blocked_clients"] == 1)
    client.config_set("appendonly", "no")
    thread.join(PATIENCE_S)
    disabled = "WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    assert waiting == [disabled]
    assert refusal(client, "WAITAOF", "1", "0", "0") == disabled
    # A new file counts from its beginning.
    client.config_set("appendfsync", "everysec")
    client.config_set("appendonly", "yes")
    eventually(lambda: info(client, "aof_rewrites") == 2)
    client.set("a", 3)
    assert client.waitaof(1, 0, PATIENCE_S * 1000) == [1, 0]


def test_rewrites_under_writes(serve: Serve) -> None:
    server = serve(*APPEND_ONLY)
    client = server.client()
    fill(client)
    written = 0
    for rewrites in (2, 3):
        assert client.bgrewriteaof() is True
        while info(client, "aof_rewrites") < rewrites:
            client.incr("counter")
            client.rpush("log", written)
            written += 1
    server.kill()
    parts = [name for name in server.files() if name.startswith("appendonlydir/")]
    assert parts == [f"appendonlydir/appendonly.aof.{end}" for end in ("3.base.rdb", "3.incr.aof", "manifest")]
    client = serve(*APPEND_ONLY).client()
    check(client)
    assert client.get("counter") == str(written)
    assert client.lrange("log", 0, -1) == [str(number) for number in range(written)]


def test_a_file_that_has_grown_is_rewritten_by_itself(serve: Serve) -> None:
    growth = ("--auto-aof-rewrite-min-size", "20kb", "--auto-aof-rewrite-percentage", "100")
    server = serve(*APPEND_ONLY, *growth)
    client = server.client()
    rewrites = info(client, "aof_rewrites")
    number = 0
    while info(client, "aof_rewrites") < rewrites + 3:
        client.set("key", f"{number}" * 200)
        number += 1
    server.kill()
    # A base holds the one key, not what became of it.
    assert all(base.stat().st_size < 5000 for base in (server.data / "appendonlydir").glob("*.base.rdb"))
    assert serve(*APPEND_ONLY, *growth).client().get("key") == f"{number - 1}" * 200


# Folders


def test_a_folder_has_one_server(serve: Serve) -> None:
    first = serve(*SNAPSHOTS)
    client = first.client()
    second = serve(*SNAPSHOTS, name="second")
    assert second.wait() == 1
    assert f"in use by the process {first.popen.pid}" in second.log
    with pytest.raises(FolderInUse, match=f"process {first.popen.pid}; .*`alcove serve --dir"):
        alcove.open(first.data)
    # One that keeps nothing may look on, but not begin a file there.
    third = serve("--save", "", name="third").client()
    assert "in use by the process" in refusal(third, "CONFIG", "SET", "appendonly", "yes")
    assert third.config_get("appendonly") == {"appendonly": "no"}
    client.set("a", 1)


def test_a_folder_of_a_program_is_served(serve: Serve, tmp_path: Path) -> None:
    """A server that is told nothing of an append-only file goes on with the one that there is."""
    program = alcove.open(tmp_path / "data", decode_responses=True)
    fill(program)
    program.engine.close()
    server = serve()
    client = server.client()
    check(client)
    client.set("more", 1)
    server.kill()
    with alcove.open(tmp_path / "data", decode_responses=True) as program:
        check(program)
        assert program.get("more") == "1"
        program.engine.close()


def test_a_server_in_a_program_goes_on_with_the_folders_file(tmp_path: Path) -> None:
    with alcove.open(tmp_path) as program:
        program.set("a", 1)
        program.engine.close()
    with alcove.serve(dir=str(tmp_path)) as server:
        client = redis.Redis(port=server.port)
        assert client.get("a") == b"1"
        client.set("b", 2)
        client.close()
    with alcove.open(tmp_path) as program:
        assert program.mget("a", "b") == [b"1", b"2"]
        program.engine.close()


def test_to_leave_out_the_folders_file_is_refused(serve: Serve, tmp_path: Path) -> None:
    with alcove.open(tmp_path / "data") as program:
        program.set("a", 1)
        program.engine.close()
    server = serve("--appendonly", "no")
    assert server.wait() == 1
    assert "has an append only file, which `appendonly no` would leave out" in server.log
    assert "say `appendonly yes` to load it, or move appendonlydir away" in server.log
    with pytest.raises(CannotLoad, match="would leave out"):
        alcove.open(tmp_path / "data", config={"appendonly": "no", "save": "60 1"})
    # Where nothing is kept nothing is lost; but a file there is not replaced by one of other data.
    server = serve("--appendonly", "no", "--save", "")
    client = server.client()
    assert client.dbsize() == 0
    assert "which `appendonly no` leaves out" in server.log
    assert "holds data that is not loaded" in refusal(client, "CONFIG", "SET", "appendonly", "yes")
    server.terminate()
    assert serve().client().get("a") == "1"


def test_a_snapshot_of_another_server_that_is_newer(serve: Serve, tmp_path: Path) -> None:
    """A real server that gives up its append-only file leaves it as it is, older than its snapshots."""
    server = serve(*APPEND_ONLY)
    server.client().set("a", 1)
    server.terminate()
    snapshots = serve(*SNAPSHOTS, folder="other")
    snapshots.client().set("a", 2)
    snapshots.terminate()
    time.sleep(0.01)
    shutil.copy(snapshots.data / "dump.rdb", server.data / "dump.rdb")
    (server.data / "alcove.lock").unlink()
    server = serve()
    assert server.wait() == 1
    assert "the snapshot dump.rdb is newer; say `appendonly yes` to load the file" in server.log
    (server.data / "appendonlydir").rename(tmp_path / "away")
    assert serve().client().get("a") == "2"
    (tmp_path / "away").rename(tmp_path / "other" / "appendonlydir")
    assert serve(folder="other").client().get("a") == "1"


# INFO


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_info_has_the_real_servers_fields(serve: Serve, tmp_path: Path, name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    path = tmp_path / "real.socket"
    words = ["--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path), "--appendonly", "yes", "--save", ""]
    real = subprocess.Popen([name, *words], stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists)
        theirs = redis.Redis(unix_socket_path=str(path))
        client = serve(*APPEND_ONLY).client()
        for section in ("persistence", "memory"):
            fields = [field for field in theirs.info(section) if field not in NOT_OURS]
            ours = client.info(section)
            assert [field for field in fields if field not in ours] == []
            if section == "persistence":
                assert [field for field in ours if field in fields] == fields
    finally:
        real.kill()
        real.wait()


# Of allocators and machinery that are not ours.
NOT_OURS = {"allocator_muzzy", "mem_overhead_db_hashtable_rehashing"}
