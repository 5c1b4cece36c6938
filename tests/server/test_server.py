"""The life of a server: where it listens, who else uses its engine, how it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.session import do_nothing
from alcove.server.agenda import Agenda
from alcove.server.connection import Connection
from alcove.server.listeners import CannotListen, Listener, listen_tcp, listen_unix
from alcove.server.poller import new_poller
from alcove.server.server import Server, serve
from alcove.values import OK, PONG
from tests.server.wire import Client, registry_with_test_commands, request
from tests.waiting import eventually

Start = Callable[..., Server]


# Where it listens


def test_redis_py_uses_it() -> None:
    with serve() as server, redis.Redis(port=server.port, protocol=3) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
        with redis.from_url(server.url) as other:
            assert other.get("key") == b"value"
    assert not server.running


def test_settings_are_those_of_redis_conf() -> None:
    with serve(maxmemory="64mb", databases=2) as server, Client(server) as client:
        assert client.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"67108864"]
        assert client.error("SELECT", 2) == "ERR DB index is out of range"


def test_an_engine_has_its_settings_already() -> None:
    with pytest.raises(TypeError, match="maxmemory"):
        serve(engine=Engine(), maxmemory="1mb")


def test_the_configuration_says_where() -> None:
    config = Config()
    config.put(Config.bind, ("127.0.0.1", "-::1", "-192.0.2.1"))
    with Server(config=config, port=0) as server:
        assert server.port == config.port > 0
        assert server.address == ("127.0.0.1", server.port)
        with Client(server) as client:
            assert client.call("CONFIG", "GET", "port") == [b"port", b"%d" % server.port]


def test_all_addresses_share_a_port() -> None:
    listeners = listen_tcp(["127.0.0.1", "127.0.0.2", "-192.0.2.1"], 0, 16)
    try:
        assert [listener.socket.getsockname()[0] for listener in listeners] == ["127.0.0.1", "127.0.0.2"]
        assert len({listener.port for listener in listeners}) == 1
    finally:
        for listener in listeners:
            listener.close()


def test_an_address_that_is_not_here() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        listen_tcp(["127.0.0.1", "192.0.2.1"], 0, 16)
    with pytest.raises(CannotListen, match="no address"):
        listen_tcp(["-192.0.2.1"], 0, 16)


@pytest.mark.parametrize(
    ("host", "url"),
    [("*", "redis://127.0.0.1:7"), ("::*", "redis://[::1]:7"), ("::1", "redis://[::1]:7"), ("db", "redis://db:7")],
)
def test_the_url_is_for_a_client_on_this_machine(host: str, url: str) -> None:
    server = Server()
    server._tcp = [Listener(socket.socket(), "tcp", host, 7)]
    assert server.url == url
    server._tcp[0].close()


def test_a_port_in_use(server: Server) -> None:
    with pytest.raises(CannotListen, match=f"127.0.0.1:{server.port}: Address already in use"):
        Server(port=server.port, bind=["127.0.0.1"]).start()


def test_the_port_can_be_changed_and_a_bad_one_cannot(server: Server) -> None:
    old = server.port
    with listening() as (taken, _), Client(server) as client:
        free = free_port()
        assert client.call("CONFIG", "SET", "port", free) == OK
        assert server.port == free
        with Client(free) as other:
            assert other.call("PING") == PONG
        with pytest.raises(ConnectionRefusedError):
            Client(old)
        assert "Unable to listen on this port" in client.error("CONFIG", "SET", "port", taken)
        with Client(free) as other:
            assert other.call("CONFIG", "GET", "port") == [b"port", b"%d" % free]


class listening:
    """A port that is taken."""

    def __enter__(self) -> tuple[int, socket.socket]:
        self.socket = socket.create_server(("127.0.0.1", 0))
        return self.socket.getsockname()[1], self.socket

    def __exit__(self, *raised: object) -> None:
        self.socket.close()


def free_port() -> int:
    with listening() as (port, _):
        return port


# Unix sockets


def test_a_unix_socket_with_permissions(start: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    server = start(unixsocket=path, unixsocketperm="700")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert server.unix_path == path
    with Client(path) as client:
        row = client.call("CLIENT", "INFO").decode()
        assert f"addr={path}:0 laddr={path}:0" in row
        assert "flags=U" in row
    server.stop()
    assert not os.path.exists(path)


def test_permissions_are_set_before_anyone_can_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "s")
    refused = []

    def chmod(path: str, mode: int) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            refused.append(client.connect_ex(path))

    monkeypatch.setattr(os, "chmod", chmod)
    listen_unix(path, 0o700, "", 16).close()
    assert refused == [errno.ECONNREFUSED]


def test_the_socket_of_a_dead_server_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    listener = listen_unix(path, 0, "", 16)
    with pytest.raises(CannotListen, match="Address already in use"):
        listen_unix(path, 0, "", 16)
    listener.close()
    Path(path).write_text("precious")
    with pytest.raises(CannotListen, match="Address already in use"):
        listen_unix(path, 0, "", 16)
    assert Path(path).read_text() == "precious"


def test_the_socket_of_another_server_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    listener = listen_unix(path, 0, "", 16)
    os.unlink(path)
    Path(path).write_text("another")
    listener.close()
    assert Path(path).exists()


def test_a_group_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="no such group"):
        listen_unix(str(tmp_path / "s"), 0, "nobody here", 16)


def test_a_port_is_given_back_when_the_unix_socket_fails(tmp_path: Path) -> None:
    config = Config()
    config.put(Config.unixsocket, str(tmp_path / "missing" / "s"))
    port = free_port()
    for _ in range(2):
        with pytest.raises(CannotListen, match="No such file"):
            Server(config=config, port=port, bind=["127.0.0.1"]).start()


# Accepting


class Tired:
    """A listening socket that fails to accept, first for want of descriptors, then because the client has gone."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]
        self.fileno = real.fileno
        self.close = real.close

    def accept(self) -> Any:
        if self.failures:
            code = self.failures.pop(0)
            raise OSError(code, os.strerror(code))
        return self.real.accept()


def test_accepting_goes_on_after_an_error(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    listener = server._tcp[0]
    listener.socket = Tired(listener.socket)  # type: ignore[assignment]
    with Client(server) as client:
        assert client.call("PING") == PONG
    complaints = [record.getMessage() for record in caplog.records if "Accepting client" in record.getMessage()]
    assert complaints == [
        f"Accepting client connection: {os.strerror(code)}" for code in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED)
    ]


def test_while_accepting_rests_a_server_can_end(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    listener = server._tcp[0]
    listener.socket = Tired(listener.socket)  # type: ignore[assignment]
    with Client(server):
        eventually(lambda: "Accepting client" in caplog.text)
        server.stop()
    assert not server.running


def test_while_accepting_rests_the_port_can_be_changed(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    session = server.engine.connect("embedded")
    listener = server._tcp[0]
    listener.socket = Tired(listener.socket)  # type: ignore[assignment]
    port = free_port()
    with Client(server):
        eventually(lambda: "Accepting client" in caplog.text)
        assert server.engine.execute(session, [b"CONFIG", b"SET", b"port", b"%d" % port]) == OK
    with Client(port) as client:
        assert client.call("PING") == PONG


# One engine, other threads


def test_a_user_in_the_process_ends_the_wait_of_a_client(server: Server, client: Client) -> None:
    session = server.engine.connect("embedded")
    identity = client.call("CLIENT", "ID")
    client.socket.sendall(b"TAKE key\r\nPING\r\n")
    eventually(lambda: server.engine.sessions[identity].blocked)
    assert server.engine.execute(session, [b"SET", b"key", b"value"]) == OK
    assert client.reply() == b"value"
    assert client.reply() == PONG


def test_messages_of_several_threads_come_in_the_order_of_their_commands(server: Server, client: Client) -> None:
    session = server.engine.connect("embedded")
    identity = b"%d" % client.call("CLIENT", "ID")
    with Client(server) as other:
        for size in range(100, 300, 2):
            assert server.engine.execute(session, [b"TELL", identity, b"1", b"%d" % size]) == OK
            assert other.call("TELL", identity.decode(), 1, size + 1) == OK
    assert [len(client.reply()) for _ in range(200)] == list(range(100, 300))


def test_a_user_in_the_process_ends_a_connection(server: Server, client: Client) -> None:
    assert client.call("PING") == PONG
    session = server.engine.connect("embedded")
    assert server.engine.execute(session, [b"CLIENT", b"KILL", b"ID", b"1"]) == 1
    assert client.is_closed()


def test_both_kinds_of_users_at_once(server: Server) -> None:
    def count(call: Callable[..., Any]) -> None:
        for _ in range(500):
            call(b"INCR", b"counter")

    clients = [Client(server) for _ in range(2)]
    sessions = [server.engine.connect("embedded") for _ in range(2)]
    calls = [client.call for client in clients]
    calls += [lambda *argv, session=session: server.engine.execute(session, list(argv)) for session in sessions]
    threads = [threading.Thread(target=count, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clients[0].call("GET", "counter") == b"2000"
    for client in clients:
        client.socket.close()


def test_what_is_posted_is_done_under_the_lock_and_may_fail(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def nested(word: str) -> None:
        done.append(word)
        server.engine.enter()

    server.post(nested, "once")
    eventually(lambda: "failed in an unexpected way" in caplog.text)
    assert done == ["once"]
    assert "called from inside one of its own commands" in caplog.text
    with Client(server) as client:
        assert client.call("PING") == PONG


# Fairness


class Lonely:
    """A connection that no loop serves."""

    def __init__(self) -> None:
        self.engine = Engine(registry=registry_with_test_commands())
        self.session = self.engine.connect("tcp")
        self.theirs, self.ours = socket.socketpair()
        self.poller = new_poller()
        self.connection = Connection(self.ours, self.session, Agenda(self.engine.config, do_nothing), self.poller)

    def turns(self, turn_us: int) -> list[tuple[int, bool]]:
        """How many commands are done after each turn, and whether it made a megabyte of replies."""
        connection, engine = self.connection, self.engine
        done: list[tuple[int, bool]] = []
        engine.enter()
        while not done or connection.ready:
            connection.ready = False
            connection.serve(engine, engine.now_us + turn_us)
            done.append((self.session.commands, len(connection.out) >= 1024 * 1024))
            connection.out.consume(len(connection.out))
        engine.leave()
        return done

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.poller.close()


@pytest.fixture
def lonely() -> Iterator[Lonely]:
    with closing(Lonely()) as lonely:
        yield lonely


def test_one_connection_gets_a_share_of_a_turn(lonely: Lonely) -> None:
    lonely.connection.reader.feed(request("INCR", "count") * 1500 + request("FILL", 600_000) * 3)
    assert lonely.turns(60_000_000) == [(1000, False), (1502, True), (1503, False)]


def test_slow_commands_make_a_turn_short(lonely: Lonely) -> None:
    lonely.engine.config.put(Config.enable_debug_command, "yes")
    lonely.connection.reader.feed(request("DEBUG", "SLEEP", "0.002") * 2 + request("PING"))
    assert lonely.turns(1000) == [(1, False), (2, False), (3, False)]


# The end


def test_the_end_closes_all_connections_and_the_engine_of_its_own() -> None:
    server = serve()
    with Client(server) as client, Client(server) as waiting:
        assert client.call("PING") == PONG
        waiting.send("BLPOP", "list", 0)
        server.stop()
        assert client.is_closed()
        assert waiting.is_closed()
    with pytest.raises(RuntimeError, match="the server has been stopped"):
        server.engine.enter()


def test_replies_are_sent_before_the_end(server: Server, client: Client) -> None:
    client.send("FILL", 20_000_000)
    assert client.socket.recv(1, socket.MSG_PEEK) == b"$"
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert len(client.reply()) == 20_000_000
    assert client.is_closed()
    stopping.join()


def test_a_given_engine_outlives_its_server_and_can_have_another(server: Server, client: Client) -> None:
    assert client.call("SET", "key", "value") == OK
    sooner, sections = server.engine.on_sooner, set(server.engine.info_sections)
    server.stop()
    assert client.is_closed()
    assert not server.engine.sessions
    assert server.engine.on_shutdown is None
    with server, Client(server) as other:
        assert other.call("GET", "key") == b"value"
        assert (server.engine.on_sooner, set(server.engine.info_sections)) == (sooner, sections)


def test_shutdown_ends_the_server_without_a_reply(server: Server, client: Client) -> None:
    client.socket.sendall(b"PING\r\nSHUTDOWN NOSAVE\r\nPING\r\n")
    assert client.reply() == PONG
    assert client.is_closed()
    eventually(lambda: not server.running)


def test_the_server_ends_when_its_engine_is_closed(server: Server, client: Client) -> None:
    assert client.call("PING") == PONG
    server.engine.close()
    assert client.is_closed()
    eventually(lambda: not server.running)


def test_stopping_twice_or_before_the_start_is_no_error() -> None:
    server = serve()
    server.stop()
    server.stop()
    server = Server(port=0)
    server.stop()
    server.listen()
    with pytest.raises(RuntimeError, match="running already"):
        server.start()
    server.stop()
    assert not server.running


def test_an_interrupt_ends_it_in_the_main_thread(start: Start) -> None:
    server = Server(port=0, bind=["127.0.0.1"])
    server.listen()

    def interrupt() -> None:
        with Client(server) as client:
            client.call("PING")
        signal.raise_signal(signal.SIGINT)

    # The handler runs in the main thread, whoever raises the signal. A test run in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not server.running
