"""A script that runs for long: others are told so and may end it, on the server and in the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import redis

import alcove
from tests.waiting import PATIENCE_S, eventually

ENDLESS = "while true do end"
ENDLESS_AFTER_A_WRITE = "redis.call('SET', 'written', 1) while true do end"
STUBBORN = "while true do pcall(function() while true do end end) end"
IN_A_COROUTINE = "coroutine.wrap(function() while true do end end)()"


@pytest.fixture(params=["embedded", "server"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[], redis.Redis]]:
    """Clients of one engine, on which a script is long after 50 ms."""
    if request.param == "embedded":
        first = alcove.open(config={"lua-time-limit": 50})
        yield lambda: alcove.open(engine=first)
    else:
        with alcove.serve(**{"lua-time-limit": 50}) as server:
            yield lambda: redis.Redis(port=server.port, socket_timeout=PATIENCE_S)


class Running(threading.Thread):
    """A script in a thread of its own, and what became of it."""

    def __init__(self, client: redis.Redis, script: str) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.script = script
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.client.eval(self.script, 0)
        except redis.RedisError as error:
            self.outcome = error

    def ended(self) -> str:
        self.join(PATIENCE_S)
        assert not self.is_alive(), "the script goes on"
        return str(self.outcome)


def until_busy(client: redis.Redis) -> str:
    """Asks until the answer is that a script is running; what it says."""

    def refusal() -> str:
        try:
            client.get("key")
        except redis.ResponseError as error:
            return str(error)
        return ""

    return eventually(refusal)


@pytest.mark.parametrize("script", [ENDLESS, STUBBORN, IN_A_COROUTINE], ids=["plain", "pcall", "coroutine"])
def test_a_long_script_is_told_of_and_killed(connect: Callable[[], redis.Redis], script: str) -> None:
    client = connect()
    client.set("key", "value")
    running = Running(connect(), script)
    assert "SCRIPT KILL" in until_busy(client)
    assert client.script_kill() in (True, b"OK", "OK")
    assert "killed by user" in running.ended()
    assert client.get("key") == b"value"


def test_what_has_written_cannot_be_killed(connect: Callable[[], redis.Redis]) -> None:
    client = connect()
    bounded = "redis.call('SET', 'written', 1) local t = 0 for i = 1, 3e7 do t = t + i end return t"
    running = Running(connect(), bounded)
    until_busy(client)
    with pytest.raises(redis.ResponseError, match="already executed write commands"):
        client.script_kill()
    running.ended()
    assert client.get("written") == b"1"


def test_nothing_runs(connect: Callable[[], redis.Redis]) -> None:
    with pytest.raises(redis.ResponseError, match="No scripts in execution right now"):
        connect().script_kill()


def test_shutdown_nosave_ends_a_server_whose_script_has_written() -> None:
    with alcove.serve(**{"lua-time-limit": 50}) as server:
        client = redis.Redis(port=server.port, socket_timeout=PATIENCE_S)
        running = Running(redis.Redis(port=server.port), ENDLESS_AFTER_A_WRITE)
        until_busy(client)
        with pytest.raises(redis.ConnectionError):
            client.execute_command("SHUTDOWN", "NOSAVE")
        running.ended()
        eventually(lambda: not server.running)
