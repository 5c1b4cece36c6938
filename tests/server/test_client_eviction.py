"""`maxmemory-clients`: who holds most goes, until what all hold fits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alcove.server.server import Server
from tests.server.wire import Client
from tests.waiting import eventually

KB = 1024
# More than the kernel takes off the server's hands.
MUCH = 16 * KB * KB


@pytest.mark.parametrize("limit", [{"maxmemory_clients": "4mb"}, {"maxmemory": "40mb", "maxmemory_clients": "10%"}])
def test_who_holds_most_is_evicted(start: Callable[..., Server], limit: dict[str, str]) -> None:
    server = start(**limit)
    with Client(server) as modest, Client(server) as spared, Client(server) as greedy:
        spared.call("CLIENT", "NO-EVICT", "ON")
        modest.call("FILL", 100 * KB)
        identity = greedy.call("CLIENT", "ID")
        greedy.send("FILL", MUCH)
        eventually(lambda: not modest.row(identity))
        spared.send("FILL", MUCH)
        assert len(spared.reply()) == MUCH
        assert modest.call("PING") == b"PONG"
        assert b"evicted_clients:1\r\n" in modest.call("INFO", "stats")


def test_what_has_come_counts_too(start: Callable[..., Server]) -> None:
    server = start(maxmemory_clients="1mb")
    with Client(server) as greedy, Client(server) as modest:
        greedy.call("PING")
        greedy.socket.sendall(b"*2\r\n$4\r\nECHO\r\n$8000000\r\n" + b"x" * (2 * KB * KB))
        eventually(lambda: b"evicted_clients:1\r\n" in modest.call("INFO", "stats"))


def test_without_a_limit_nobody_is_evicted(start: Callable[..., Server]) -> None:
    server = start()
    with Client(server) as greedy:
        greedy.send("FILL", MUCH)
        assert len(greedy.reply()) == MUCH
