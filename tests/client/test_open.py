"""How engines are opened and shared, what URLs mean, and how clients and engines end."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.cluster import RedisCluster

import alcove
import alcove.asyncio
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from tests.waiting import eventually


def test_each_is_new_and_a_redis_client() -> None:
    with alcove.open() as first, alcove.open() as second:
        assert isinstance(first, redis.Redis)
        assert first.set("a", 1)
        assert (first.get("a"), second.get("a")) == (b"1", None)


def test_several_clients_of_one_engine() -> None:
    with alcove.open() as first:
        first.set("a", 1)
        for engine in (first, first.engine):
            with alcove.open(engine=engine, decode_responses=True) as second:
                assert second.get("a") == "1"
        with alcove.serve(engine=first.engine) as server, alcove.open(engine=server) as third:
            assert third.get("a") == b"1"
        assert first.get("a") == b"1"


def test_names_are_shared_as_long_as_somebody_holds_them() -> None:
    first = alcove.from_url("memory:orders")
    second = alcove.from_url("memory:orders", decode_responses=True)
    other = alcove.from_url("memory://other")
    first.set("a", 1)
    assert (second.get("a"), other.get("a")) == ("1", None)
    first.close()
    del first
    gc.collect()
    assert second.get("a") == "1"
    second.close()
    del second
    gc.collect()
    assert alcove.from_url("memory:orders").get("a") is None


def test_a_new_name_may_have_settings() -> None:
    settings = {"maxmemory": "1mb"}
    with alcove.from_url("memory:settled", config=settings) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(2**20)}
        with pytest.raises(TypeError, match="already"):
            alcove.from_url("memory:settled", config=settings)


def test_names_are_shared_by_clients_of_both_kinds() -> None:
    async def get() -> Any:
        async with alcove.asyncio.from_url("memory:shared?decode_responses=true") as client:
            return await client.get("a")

    with alcove.from_url("memory:shared") as client:
        client.set("a", 1)
        assert asyncio.run(get()) == "1"


def test_the_empty_name_is_always_new() -> None:
    first, second = alcove.from_url("memory:"), alcove.from_url("memory:")
    first.set("a", 1)
    assert second.get("a") is None


def test_options_in_a_url_win() -> None:
    client = alcove.from_url("memory:?db=3&decode_responses=yes&protocol=2", db=1, client_name="me")
    client.set("a", 1)
    assert client.get("a") == "1"
    assert client.client_info()["db"] == 3
    assert {row["name"] for row in client.client_list()} == {"me"}
    with pytest.raises(ValueError, match="Invalid value for 'db'"):
        alcove.from_url("memory:?db=first")


def test_configuration_and_clock() -> None:
    clock = ManualClock()
    with alcove.open(config={"maxmemory": "1gb", "databases": 4}, clock=clock) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(2**30)}
        assert client.time() == (1_700_000_000, 0)
        clock.advance(1.5)
        assert client.time() == (1_700_000_001, 500_000)
        with pytest.raises(redis.ResponseError, match="out of range"):
            alcove.open(engine=client, db=4).ping()


def test_a_folder_keeps_its_data(tmp_path: Path) -> None:
    with alcove.open(tmp_path / "made", decode_responses=True) as client:
        client.set("a", "1")
        client.engine.close()
    with alcove.from_url(f"file:{tmp_path}/made?db=1") as client:
        client.set("b", "2")
        assert alcove.open(tmp_path / "made").get("a") == b"1"
        client.engine.close()


def test_all_clients_of_a_folder_share_one_engine(tmp_path: Path) -> None:
    first = alcove.open(tmp_path)
    assert alcove.open(str(tmp_path)).engine is first.engine
    assert alcove.asyncio.open(tmp_path / "." / "other", fsync="no").engine is not first.engine
    with pytest.raises(TypeError, match="has its configuration"):
        alcove.open(tmp_path, config={"maxmemory": 0})
    with pytest.raises(TypeError, match="open with fsync='everysec' already"):
        alcove.open(tmp_path, fsync="always")
    with pytest.raises(TypeError, match="in a folder already, or in memory"):
        alcove.open(tmp_path, engine=first)
    with pytest.raises(TypeError, match="fsync is for an engine in a folder"):
        alcove.open(fsync="always")


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALCOVE_URL", raising=False)
    assert alcove.from_url().ping()
    monkeypatch.setenv("ALCOVE_URL", "redis://example.org:7000/2")
    client = alcove.from_url(decode_responses=True)
    assert client.connection_pool.connection_kwargs["port"] == 7000
    assert type(alcove.asyncio.from_url()) is redis.asyncio.Redis


def test_unknown_url() -> None:
    with pytest.raises(ValueError, match="known are memory:, file:"):
        alcove.from_url("rediss+sentinel://here")
    with pytest.raises(ValueError, match="known are memory:, file:"):
        alcove.from_url("postgres://here")


@pytest.mark.parametrize("url", ["redis://here:7000/2", "rediss://here", "unix:///a/socket?db=1"])
def test_servers_get_clients_of_redis_py(url: str) -> None:
    client = alcove.from_url(url, client_name="me")
    asynchronous = alcove.asyncio.from_url(url, client_name="me")
    assert type(client) is redis.Redis
    assert type(asynchronous) is redis.asyncio.Redis
    expected = redis.Redis.from_url(url, client_name="me")
    assert client.get_connection_kwargs().keys() == expected.get_connection_kwargs().keys()
    assert client.connection_pool.connection_class is expected.connection_pool.connection_class


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("redis+cluster://here:7000", "redis://here:7000"),
        ("rediss+cluster://here", "rediss://here"),
        ("redis://here?cluster=true", "redis://here"),
        ("redis://here?protocol=2&cluster=yes&db=0", "redis://here?protocol=2&db=0"),
    ],
)
def test_clusters_get_clients_of_redis_py(monkeypatch: pytest.MonkeyPatch, url: str, given: str) -> None:
    asked = []
    for cluster in (RedisCluster, redis.asyncio.RedisCluster):
        monkeypatch.setattr(cluster, "from_url", lambda url, **options: asked.append((url, options)))
    alcove.from_url(url, client_name="me")
    alcove.asyncio.from_url(url, client_name="me")
    assert asked == [(given, {"client_name": "me"})] * 2


def test_cluster_false_is_no_cluster() -> None:
    assert type(alcove.from_url("redis://here?cluster=false")) is redis.Redis


def test_what_is_about_networks_has_no_effect() -> None:
    with alcove.open(host="elsewhere", port=1, ssl=True, socket_connect_timeout=1, retry_on_error=None) as client:
        assert client.ping()


def test_nonsense_is_refused() -> None:
    with pytest.raises(TypeError, match="'colour'"):
        alcove.open(colour="red")
    with pytest.raises(TypeError, match="connection_pool"):
        alcove.open(connection_pool=redis.ConnectionPool())
    with alcove.open() as client:
        for settings in ({"config": {}}, {"clock": ManualClock()}):
            with pytest.raises(TypeError, match="already"):
                alcove.open(engine=client, **settings)  # type: ignore[arg-type]


def test_what_the_package_has() -> None:
    assert set(dir(alcove)) >= {"open", "from_url", "serve", "Server", "Redis", "asyncio"}
    assert alcove.Redis is type(alcove.open())
    with pytest.raises(AttributeError, match="nonsense"):
        alcove.nonsense  # noqa: B018


def test_importing_the_package_imports_little() -> None:
    code = "import sys, alcove; print({'redis', 'alcove.server', 'alcove.client'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"


def test_representation_and_pickling() -> None:
    for client in (alcove.open(db=2), alcove.asyncio.open(db=2)):
        assert repr(client).startswith("<alcove.")
        assert "db=2" in repr(client)
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(client)


def test_a_closed_client_has_no_sessions_and_can_go_on() -> None:
    client = alcove.open()
    with client:
        client.set("a", 1)
        client.client_id()
        assert len(client.engine.sessions) == 2
    assert client.engine.sessions == {}
    assert client.get("a") == b"1"
    client.close()


def test_disconnecting_the_pool() -> None:
    with alcove.open() as client:
        client.client_id()
        client.connection_pool.disconnect()
        assert client.client_id() > 0


def test_an_asynchronous_client_ends_likewise() -> None:
    async def run() -> None:
        client = alcove.asyncio.open()
        async with client:
            await client.set("a", 1)
            await client.client_id()
            assert len(client.engine.sessions) == 2
        assert client.engine.sessions == {}
        assert await client.get("a") == b"1"
        await client.aclose()

    asyncio.run(run())


def test_a_dropped_client_leaves_nothing(recwarn: pytest.WarningsRecorder) -> None:
    client = alcove.open()
    client.set("a", 1, ex=1000)
    client.client_id()
    engine = weakref.ref(client.engine)
    eventually(lambda: "alcove-housekeeping" in {thread.name for thread in threading.enumerate()})
    housekeeper = next(thread for thread in threading.enumerate() if thread.name == "alcove-housekeeping")
    del client
    gc.collect()
    assert engine() is None
    housekeeper.join(30)
    assert not housekeeper.is_alive()

    async def run() -> Any:
        client = alcove.asyncio.open()
        await client.client_id()
        return weakref.ref(client.engine)

    engine = asyncio.run(run())
    gc.collect()
    assert engine() is None
    assert list(recwarn) == []


def test_a_closed_engine() -> None:
    with alcove.open() as client, alcove.open(engine=client, single_connection_client=True) as single:
        assert client.ping()
        client.engine.close("closed for a test")
        for call in (client.ping, client.client_id, single.ping, client.pipeline().ping().execute):
            with pytest.raises(redis.ConnectionError, match="closed for a test"):
                call()
    with pytest.raises(redis.ConnectionError, match="closed for a test"):
        alcove.open(engine=client.engine).ping()

    async def run() -> None:
        asynchronous = alcove.asyncio.open(engine=client)
        for call in (asynchronous.ping, asynchronous.client_id, asynchronous.pipeline().ping().execute):
            with pytest.raises(redis.ConnectionError, match="closed for a test"):
                await call()

    asyncio.run(run())


def test_a_name_whose_engine_is_closed_is_new() -> None:
    client = alcove.from_url("memory:ended")
    client.set("a", 1)
    client.engine.close()
    assert alcove.from_url("memory:ended").get("a") is None


def test_a_client_over_another_pool_is_plain_redis_py() -> None:
    engine = Engine()
    with alcove.serve(engine=engine) as server:
        client = alcove.Redis.from_url(server.url)
        assert client.set("a", 1)
        assert client.pipeline().get("a").execute() == [b"1"]
        client.close()

        async def run() -> None:
            asynchronous = alcove.asyncio.Redis.from_url(server.url)
            assert await asynchronous.get("a") == b"1"
            assert await asynchronous.pipeline().get("a").execute() == [b"1"]
            await asynchronous.aclose()

        asyncio.run(run())
