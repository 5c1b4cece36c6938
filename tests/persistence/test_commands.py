"""SAVE and its kin, save points, the append-only file at run time, and who may have a folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import alcove
import alcove.asyncio
from alcove.persistence.folder_lock import FolderInUse
from tests.waiting import PATIENCE_S, eventually


@pytest.fixture
def client(tmp_path: Path) -> Iterator[alcove.Redis]:
    client = alcove.open(tmp_path, decode_responses=True)
    yield client
    client.engine.close()


def reopened(client: alcove.Redis) -> alcove.Redis:
    """A client of the same folder after the engine's end."""
    folder = client.engine.config.dir
    client.engine.close()
    return alcove.open(folder, decode_responses=True)


def fill(client: alcove.Redis) -> None:
    client.set("string", "Hello")
    client.hset("hash", mapping={f"field{number}": number for number in range(2000)})
    client.zadd("zset", {"a": 1.5, "b": float("inf")})
    client.set("volatile", 1, ex=1000)
    client.xadd("stream", {"a": "1"}, id="1-1")
    client.select(1)


def check(client: alcove.Redis) -> None:
    assert client.get("string") == "Hello"
    assert client.hlen("hash") == 2000
    assert client.zscore("zset", "b") == float("inf")
    assert 900 < client.ttl("volatile") <= 1000
    assert client.xrange("stream") == [("1-1", {"a": "1"})]


def test_what_was_written_is_there_again(client: alcove.Redis) -> None:
    fill(client)
    with client.pipeline() as pipe:
        pipe.rpush("list", "a", "b").incr("counter").execute()
    again = reopened(client)
    check(again)
    assert (again.lrange("list", 0, -1), again.get("counter")) == (["a", "b"], "1")
    again.engine.close()


def test_save_and_bgsave_make_a_snapshot(client: alcove.Redis, tmp_path: Path) -> None:
    fill(client)
    before = client.lastsave()
    assert client.save() is True
    first = (tmp_path / "dump.rdb").stat()
    assert client.lastsave() >= before
    client.set("another", 1)
    assert client.bgsave() is True
    eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == 0)
    assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert (tmp_path / "dump.rdb").stat().st_ino != first.st_ino
    assert not [name for name in os.listdir(tmp_path) if name.startswith("temp-")]


def test_bgsave_takes_one_word(client: alcove.Redis) -> None:
    assert client.execute_command("BGSAVE", "SCHEDULE") is True
    with pytest.raises(redis.ResponseError, match="syntax error"):
        client.execute_command("BGSAVE", "NOW")


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_rewrite_while_writes_go_on(client: alcove.Redis, tmp_path: Path, preamble: str) -> None:
    client.config_set("aof-use-rdb-preamble", preamble)
    fill(client)
    assert client.bgrewriteaof() is True
    number = 0
    while client.info("persistence")["aof_rewrite_in_progress"] or client.info("persistence")["aof_rewrites"] < 2:
        client.incr("counter")
        client.hset("hash", "field0", number)
        number += 1
    form = "rdb" if preamble == "yes" else "aof"
    parts = sorted(os.listdir(tmp_path / "appendonlydir"))
    assert parts == [f"appendonly.aof.2.base.{form}", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]
    again = reopened(client)
    check(again)
    assert (again.get("counter"), again.hget("hash", "field0")) == (str(number), str(number - 1))
    again.engine.close()


def test_the_chapters_strategy(tmp_path: Path) -> None:
    """Save points by CONFIG SET in an engine that was begun in memory, in its folder."""
    client = alcove.open(config={"dir": str(tmp_path)})
    assert client.config_set("save", "900 1") is True
    assert client.config_get("save") == {"save": "900 1"}
    assert client.config_set("appendonly", "yes") is True
    client.set("key", "value")
    eventually((tmp_path / "appendonlydir" / "appendonly.aof.manifest").exists)
    client.engine.close()
    with alcove.open(tmp_path) as again:
        assert again.get("key") == b"value"
        again.engine.close()


def test_a_save_point_comes_due(tmp_path: Path) -> None:
    client = alcove.open(config={"dir": str(tmp_path), "save": "1 2"})
    client.set("a", 1)
    client.set("b", 2)
    eventually((tmp_path / "dump.rdb").exists)
    eventually(lambda: client.info("persistence")["rdb_changes_since_last_save"] == 0)
    client.engine.close()
    with alcove.open(tmp_path) as again:
        assert again.mget("a", "b") == [b"1", b"2"]
        again.engine.close()


def test_the_file_is_given_up_and_begun_again(client: alcove.Redis, tmp_path: Path) -> None:
    client.set("a", 1)
    client.config_set("appendonly", "no")
    with pytest.raises(redis.ResponseError, match="appendonly is disabled"):
        client.execute_command("WAITAOF", 1, 0, 0)
    client.set("b", 2)
    client.config_set("appendonly", "yes")
    eventually(lambda: not client.info("persistence")["aof_rewrite_scheduled"])
    eventually((tmp_path / "appendonlydir" / "appendonly.aof.2.base.rdb").exists)
    again = reopened(client)
    assert again.mget("a", "b") == ["1", "2"]
    again.engine.close()


def test_waitaof(client: alcove.Redis) -> None:
    client.set("a", 1)
    assert client.execute_command("WAITAOF", 1, 0, PATIENCE_S * 1000) == [1, 0]
    assert client.execute_command("WAITAOF", 0, 1, 20) == [1, 0]
    for arguments, error in (((2, 0, 0), "between 0 and 1"), ((0, -1, 0), "positive"), ((0, 0, -1), "negative")):
        with pytest.raises(redis.ResponseError, match=error):
            client.execute_command("WAITAOF", *arguments)
    assert client.wait(0, 0) == 0
    assert client.wait(1, 20) == 0


def test_always_answers_when_the_disk_has_it(tmp_path: Path) -> None:
    async def several(client: alcove.asyncio.Redis) -> list[int]:
        return await asyncio.gather(*(client.incr("counter") for _ in range(50)))

    client = alcove.asyncio.open(tmp_path, fsync="always")
    assert sorted(asyncio.run(several(client))) == list(range(1, 51))
    journal = client.engine.journal
    assert journal is not None
    assert journal.synced == journal.appended > 0
    client.engine.close()


def test_a_second_process_is_refused_by_name(client: alcove.Redis, tmp_path: Path) -> None:
    opening = f"import alcove; alcove.open({str(tmp_path)!r})"
    other = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert FolderInUse.__name__ in other.stderr
    assert f"in use by the process {os.getpid()}" in other.stderr
    assert "alcove serve --dir" in other.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_leaves_the_folder_alone(client: alcove.Redis) -> None:
    client.set("a", 1)
    size = client.info("persistence")["aof_current_size"]
    child = os.fork()
    if child == 0:
        refused = False
        try:
            client.set("b", 2)
        except redis.ConnectionError:
            refused = True
        client.engine.close()
        os._exit(0 if refused else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.info("persistence")["aof_current_size"] == size
    client.set("b", 2)
    again = reopened(client)
    assert again.mget("a", "b") == ["1", "2"]
    again.engine.close()


def test_a_folder_that_only_has_a_snapshot(tmp_path: Path) -> None:
    before = alcove.open(config={"dir": str(tmp_path)})
    before.set("a", 1)
    before.save()
    before.engine.close()
    with alcove.open(tmp_path) as client:
        assert client.get("a") == b"1"
        client.engine.close()


def test_an_engine_in_memory_has_no_save_points() -> None:
    with alcove.open() as client:
        assert client.config_get("save", "appendonly") == {"save": "", "appendonly": "no"}
