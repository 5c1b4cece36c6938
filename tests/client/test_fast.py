"""The short way: which commands take it, and what it remembers."""

from __future__ import annotations

from typing import Any

import pytest

import alcove
from alcove.client import fast
from alcove.engine.clock import ManualClock
from tests.client.engines import pushing_engine

PLAIN = "get set mget incr lpush lpop zadd xadd xinfo object pfcount geoadd publish echo ping time sort flushall dbsize"
NOT_PLAIN = """
    blpop bzpopmin xread xreadgroup multi exec watch select auth hello reset quit client subscribe unsubscribe monitor
    config debug shutdown nonsense
"""


def way_of(client: alcove.Redis, name: Any) -> bool:
    assert client._fast is not None
    return client._fast.plan(name).plain


def test_what_asks_nothing_of_its_connection_is_plain() -> None:
    with alcove.open(engine=pushing_engine()) as client:
        for name in PLAIN.split():
            assert way_of(client, name), name
            assert way_of(client, name.upper().encode()), name
        for name in NOT_PLAIN.split():
            assert not way_of(client, name), name
        assert way_of(client, "OBJECT ENCODING")
        assert not way_of(client, "CONFIG GET")
        assert not way_of(client, "")


def test_names_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "MOST_PLANS", 10)
    with alcove.open() as client:
        for number in range(100):
            assert client.execute_command(f"SET key{number}", number)
        assert client.dbsize() == 100
        assert client._fast is not None
        assert client._fast.remembered() <= 10


def test_plain_commands_share_a_session_and_others_get_their_own() -> None:
    with alcove.open() as client:
        client.set("a", 1)
        client.pipeline().get("a").execute()
        assert len(client.engine.sessions) == 1
        client.client_id()
        with client.pipeline() as pipe:
            pipe.watch("a")
            assert len(client.engine.sessions) == 2
            client.client_id()
            assert len(client.engine.sessions) == 3


def test_metrics_of_redis_py_go_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Measuring:
        def is_enabled(self) -> bool:
            return True

    monkeypatch.setattr(fast, "get_observability_instance", Measuring)
    with alcove.open() as client:
        assert client._fast is None
        assert client.set("a", 1)
        assert client.pipeline().get("a").execute() == [b"1"]


def test_a_session_in_use_is_not_idle() -> None:
    clock = ManualClock()
    with alcove.open(clock=clock) as client:
        client.ping()
        clock.advance(100)
        assert {row["idle"] for row in client.client_list()} == {"100", "0"}
        client.ping()
        assert {row["idle"] for row in client.client_list()} == {"0"}
