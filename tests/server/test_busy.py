"""A script that runs for long: what its server's other clients are told meanwhile, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import alcove
from alcove.engine.clock import Clock
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.errors import BUSY, FUNCTION_BUSY, NOT_BUSY, UNKILLABLE, CommandError
from alcove.server.server import Server
from alcove.values import OK, QUEUED
from tests.server.wire import Client, request
from tests.waiting import PATIENCE_S, eventually

FOR_EVER = "while true do end"
LIBRARY = "#!lua name=lib\nredis.register_function('forever', function() while true do end end)"


@pytest.fixture
def server() -> Iterator[Server]:
    """One that lets others in after ten milliseconds of a script, by the machine's clock."""
    config = Config()
    load_options(config, {"busy-reply-threshold": 10})
    with Server(Engine(config, Clock()), port=0, bind=["127.0.0.1"]) as server:
        yield server


def text_of(reply: object) -> str:
    assert isinstance(reply, CommandError), reply
    return reply.text


def is_busy(client: Client, busy: str = BUSY) -> bool:
    reply = client.call("PING")
    return isinstance(reply, CommandError) and reply.text == busy


def begin(connect: Callable[[], Client], *words: str | int, busy: str = BUSY) -> tuple[Client, Client]:
    """Who runs the script, and another client, who has been told so."""
    running, other = connect(), connect()
    running.send(*words)
    eventually(lambda: is_busy(other, busy))
    return running, other


def test_others_are_told_and_may_kill_it(connect: Callable[[], Client]) -> None:
    running, other = begin(connect, "EVAL", FOR_EVER, 0)
    assert other.error("SET", "a", "b") == BUSY
    assert other.error("FUNCTION", "KILL") == BUSY
    assert connect().error("GET", "a") == BUSY
    assert other.call("SCRIPT", "KILL") == OK
    assert text_of(running.reply()).startswith("ERR Script killed by user with SCRIPT KILL. script: ")
    assert other.error("SCRIPT", "KILL") == NOT_BUSY
    assert running.call("SET", "a", "b") == other.call("SET", "a", "c") == OK


def test_commands_that_are_allowed_meanwhile(connect: Callable[[], Client]) -> None:
    running, other = begin(connect, "EVAL", FOR_EVER, 0)
    assert other.call("HELLO", 2)[:2] == [b"server", b"redis"]
    assert other.call("WATCH", "a") == OK
    assert other.call("MULTI") == OK
    assert other.error("GET", "a") == BUSY
    assert other.call("DISCARD") == OK
    other.call("SCRIPT", "KILL")
    running.reply()
    assert other.call("MULTI") == OK
    assert other.call("PING") == QUEUED


def test_functions_are_killed_by_their_own_command(connect: Callable[[], Client]) -> None:
    connect().call("FUNCTION", "LOAD", LIBRARY)
    running, other = begin(connect, "FCALL", "forever", 0, busy=FUNCTION_BUSY)
    assert other.error("SCRIPT", "KILL") == FUNCTION_BUSY
    stats = other.call("FUNCTION", "STATS")
    assert b"forever" in str(stats).encode()
    assert other.call("FUNCTION", "KILL") == OK
    assert text_of(running.reply()).startswith("ERR Script killed by user with FUNCTION KILL. script: forever")


def test_one_that_has_written_is_not_killed(connect: Callable[[], Client], server: Server) -> None:
    """It ends by itself here, when its deadline has come."""
    script = """
        redis.call('set', 'a', 'b')
        local began = os.clock()
        while os.clock() - began < 1 do end
        return redis.call('get', 'a')"""
    running, other = begin(connect, "EVAL", script, 0)
    assert other.error("SCRIPT", "KILL") == UNKILLABLE
    assert other.error("SHUTDOWN") == BUSY
    assert running.reply() == b"b"
    assert other.call("GET", "a") == b"b"


def test_what_its_own_client_sends_meanwhile_waits(connect: Callable[[], Client]) -> None:
    running, other = begin(connect, "EVAL", FOR_EVER, 0)
    running.socket.sendall(request("SET", "a", "b") + request("GET", "a"))
    for _ in range(10):
        assert is_busy(other)
    other.call("SCRIPT", "KILL")
    assert isinstance(running.reply(), CommandError)
    assert running.reply() == OK
    assert running.reply() == b"b"


def test_who_came_in_the_same_turn_is_answered(connect: Callable[[], Client]) -> None:
    """Several clients whose commands are there at once: only the script's has to wait."""
    clients = [connect() for _ in range(20)]
    held = connect()
    held.send("EVAL", FOR_EVER, 0)
    for client in clients:
        client.send("ECHO", "x")
    for client in clients:
        reply = client.reply()
        assert reply == b"x" or text_of(reply) == BUSY
    eventually(lambda: is_busy(clients[0]))
    assert clients[1].call("SCRIPT", "KILL") == OK
    held.reply()


def test_its_client_may_leave(connect: Callable[[], Client]) -> None:
    running, other = begin(connect, "EVAL", FOR_EVER, 0)
    running.socket.close()
    assert is_busy(other)
    assert other.call("SCRIPT", "KILL") == OK
    eventually(lambda: other.call("PING") == b"PONG")


def test_shutdown_ends_one_that_has_written(connect: Callable[[], Client], server: Server) -> None:
    batches: list[list[tuple[int, list[bytes]]]] = []

    class Sink:
        def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
            batches.append(batch)

    server.engine.attach(Sink())
    _, other = begin(connect, "EVAL", "redis.call('set', 'a', 'b') while true do end", 0)
    other.send("SHUTDOWN", "NOSAVE")
    assert other.is_closed()
    assert batches == []


def test_a_script_in_the_process_of_a_server(connect: Callable[[], Client], server: Server) -> None:
    """It runs in a thread of its own; the server's clients are told all the same."""
    with alcove.open(engine=server.engine) as client, ExitStack() as ending:
        failed = threading.Event()

        def run() -> None:
            with pytest.raises(Exception, match="Script killed by user"):
                client.eval(FOR_EVER, 0)
            failed.set()

        thread = threading.Thread(target=run)
        thread.start()
        ending.callback(thread.join, PATIENCE_S)
        other = connect()
        eventually(lambda: is_busy(other))
        assert other.call("SCRIPT", "KILL") == OK
        assert failed.wait(PATIENCE_S)
        assert other.call("PING") != BUSY


def test_scripts_in_the_process_outlive_a_server() -> None:
    config = Config()
    load_options(config, {"busy-reply-threshold": 1})
    engine = Engine(config, Clock())
    with Server(engine, port=0, bind=["127.0.0.1"]):
        pass
    with alcove.open(engine=engine) as client:
        assert client.eval("local began = os.clock() while os.clock() - began < 0.1 do end return 1", 0) == 1
