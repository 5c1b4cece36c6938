"""redis-py's Monitor on an engine in this process and on the server, and what becomes of one that is not read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

import alcove
import alcove.asyncio
from alcove.engine.monitors import MOST_UNREAD_BYTES
from tests.server.wire import Client
from tests.waiting import PATIENCE_S, eventually


def commands(monitor: Any, count: int) -> list[str]:
    return [monitor.next_command()["command"] for _ in range(count)]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [False, True])
def test_a_monitor_in_the_process(protocol: int, decode: bool) -> None:
    with alcove.open(protocol=protocol, decode_responses=decode) as client, client.monitor() as monitor:
        client.set("a", "1")
        client.pipeline().incr("a").get("a").execute()
        while (line := monitor.next_command())["command"] != "SET a 1":
            assert line["command"].startswith(("HELLO", "CLIENT"))
        assert line["client_address"] == "embedded"
        assert commands(monitor, 4) == ["MULTI", "INCRBY a 1", "GET a", "EXEC"]


def test_listening_from_another_thread() -> None:
    with alcove.open() as client, alcove.open(engine=client) as other, client.monitor() as monitor:
        listening = monitor.listen()
        other.set("a", "1")
        while next(listening)["command"] != "SET a 1":
            assert client.engine.monitors.sessions
    eventually(lambda: not client.engine.monitors.sessions)


def test_an_asynchronous_monitor() -> None:
    async def main() -> None:
        async with alcove.asyncio.open() as client, asyncio.timeout(PATIENCE_S):
            async with client.monitor() as monitor:
                seen = []
                await client.set("a", "1")
                async for line in monitor.listen():
                    seen.append(line["command"])
                    if seen[-1] == "SET a 1":
                        break
                waiting = asyncio.create_task(monitor.next_command())
                await asyncio.sleep(0)
                await client.get("a")
                assert (await waiting)["command"] == "GET a"
            assert not client.engine.monitors.sessions

    asyncio.run(main())


def test_several_monitors_over_sockets() -> None:
    with (
        alcove.serve() as server,
        redis.Redis(port=server.port) as client,
        client.monitor() as first,
        client.monitor() as second,
    ):
        client.set("a", "1")
        for monitor in (first, second):
            while (line := monitor.next_command())["command"] != "SET a 1":
                assert line["client_address"] == "127.0.0.1"
            assert line["client_type"] == "tcp"


def test_an_unread_monitor_in_the_process_is_cut_off() -> None:
    with alcove.open() as client, client.monitor() as monitor:
        half = b"x" * (MOST_UNREAD_BYTES // 2)
        client.set("a", half)
        assert client.engine.monitors.sessions
        client.set("a", half)
        assert not client.engine.monitors.sessions
        with pytest.raises(redis.ConnectionError):
            commands(monitor, 100)
        assert client.strlen("a") == len(half)


def test_an_unread_monitor_on_the_server_is_cut_off() -> None:
    limit = ["normal", "1mb", "0", "0"]
    with alcove.serve(client_output_buffer_limit=limit) as server, Client(server) as client, Client(server) as monitor:
        assert monitor.call("MONITOR") == b"OK"
        word = b"x" * 100_000

        def goes_on() -> bool:
            client.call("ECHO", word)
            return b"cmd=monitor" not in client.call("CLIENT", "LIST")

        eventually(goes_on)
        assert not server.engine.monitors.sessions


def test_without_a_limit_of_its_class_a_monitor_still_has_one() -> None:
    with alcove.serve() as server, Client(server) as client, Client(server) as monitor:
        assert monitor.call("MONITOR") == b"OK"
        word = b"x" * (1 << 20)

        def goes_on() -> bool:
            client.call("ECHO", word)
            return not server.engine.monitors.sessions

        eventually(goes_on)
        assert client.call("PING") == b"PONG"
