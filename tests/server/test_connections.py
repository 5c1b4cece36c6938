"""Clients of a running server: what they send and receive, how long they may stay, and what ends them."""

from __future__ import annotations

import logging
import resource
import socket
from collections.abc import Callable, Iterator

import pytest

from alcove.engine.clock import ManualClock
from alcove.errors import INTERNAL
from alcove.server import connection, loop
from alcove.server.poller import SelectorPoller
from alcove.server.server import Server
from alcove.values import OK, PONG
from tests.server.wire import Client, request
from tests.waiting import eventually

Connect = Callable[[], Client]
Start = Callable[..., Server]

MB = 1024 * 1024


# Commands in, replies out


def test_a_pipeline_is_answered_in_order(client: Client) -> None:
    client.socket.sendall(b"".join(request("ECHO", number) for number in range(5000)))
    assert [client.reply() for _ in range(5000)] == [b"%d" % number for number in range(5000)]


def test_a_pipeline_is_answered_up_to_what_is_no_command(client: Client) -> None:
    pieces = [request("SELECT", 1), request("SET", "key", "value"), request("SELECT", 0), request("GET", "key")]
    client.socket.sendall(b"".join(pieces) * 10 + b"*x\r\n" + request("PING"))
    assert [client.reply() for _ in range(40)] == [OK, OK, OK, None] * 10
    assert client.reply().text == "ERR Protocol error: invalid multibulk length"
    assert client.is_closed()


def test_a_command_may_come_byte_by_byte(client: Client) -> None:
    for byte in request("SET", "key", "value") + b"GET key\r\n":
        client.socket.sendall(bytes([byte]))
    assert client.reply() == OK
    assert client.reply() == b"value"


def test_a_value_of_64_mb(client: Client) -> None:
    value = bytes(range(256)) * (256 * 1024)
    assert client.call("SET", "big", value) == OK
    assert client.call("GET", "big") == value


def test_what_was_sent_before_the_end_of_input_is_answered(client: Client) -> None:
    client.socket.sendall(b"SET key value\r\nFILL 3000000\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.reply() == OK
    assert len(client.reply()) == 3_000_000
    assert client.is_closed()


def test_quit_ends_the_connection_after_its_reply(client: Client) -> None:
    client.socket.sendall(b"QUIT\r\nSET key value\r\n")
    assert client.reply() == OK
    assert client.is_closed()


def test_quit_without_a_reply_ends_the_connection_too(client: Client) -> None:
    client.socket.sendall(b"CLIENT REPLY OFF\r\nQUIT\r\n")
    assert client.is_closed()


def test_the_protocol_changes_with_the_reply_of_hello(client: Client) -> None:
    assert client.call("CONFIG", "GET", "hz") == [b"hz", b"10"]
    assert client.call("HELLO", 3)[b"proto"] == 3
    assert client.call("CONFIG", "GET", "hz") == {b"hz": b"10"}


def test_a_thousand_connections(connect: Connect) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    try:
        clients = [connect() for _ in range(1000)]
        for number, client in enumerate(clients):
            client.send("ECHO", number)
        assert [client.reply() for client in clients] == [b"%d" % number for number in range(1000)]
        assert len(clients[0].call("CLIENT", "LIST").splitlines()) == 1000
        for client in clients[1:]:
            client.socket.close()
        eventually(lambda: len(clients[0].call("CLIENT", "LIST").splitlines()) == 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_loop_runs_on_selectors_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "new_poller", SelectorPoller)
    server = start()
    assert isinstance(server._loop.poller, SelectorPoller)  # type: ignore[union-attr]
    with Client(server) as client:
        client.send("FILL", 8 * MB)
        assert len(client.reply()) == 8 * MB
        assert client.call("QUIT") == OK
        assert client.is_closed()


# Replies that come later


def test_commands_behind_one_that_waits_wait_with_it(client: Client, connect: Connect) -> None:
    client.socket.sendall(b"TAKE key\r\nPING\r\n")
    other = connect()
    eventually(lambda: other.row(1).get("flags") == "b")
    client.send("ECHO", "later")
    assert other.call("SET", "key", "value") == OK
    assert [client.reply() for _ in range(3)] == [b"value", PONG, b"later"]


def test_who_waits_and_goes_takes_nothing(client: Client, connect: Connect) -> None:
    client.send("TAKE", "key")
    other = connect()
    eventually(lambda: other.row(1).get("flags") == "b")
    client.socket.close()
    eventually(lambda: not other.row(1))
    assert other.call("SET", "key", "value") == OK
    assert other.call("GET", "key") == b"value"


def test_a_command_in_slices_answers_at_its_end(client: Client, connect: Connect) -> None:
    client.socket.sendall(b"COUNTDOWN key 1000\r\nGET key\r\n")
    assert connect().call("PING") == PONG
    assert client.reply() == 1000
    assert client.reply() == b"999"


def test_messages_come_between_replies(client: Client, connect: Connect) -> None:
    identity = client.call("CLIENT", "ID")
    assert connect().call("TELL", identity, 3, 4) == OK
    assert [client.reply() for _ in range(3)] == [b"mmmm"] * 3


# Failures


def test_an_unexpected_failure_is_logged_and_answered(
    client: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    client.socket.sendall(b"BREAK\r\nPING\r\n")
    assert client.reply().text == INTERNAL
    assert client.reply() == PONG
    assert "Command b'BREAK' failed in an unexpected way" in caplog.text
    assert "ZeroDivisionError: made for a test" in caplog.text
    assert server.engine.unexpected_errors == 1


def test_a_reply_without_a_form_is_no_reply(client: Client) -> None:
    client.socket.sendall(b"ODD\r\nPING\r\n")
    assert client.reply().text == INTERNAL
    assert client.reply() == PONG


def test_a_message_without_a_form_concerns_only_its_receiver(client: Client, server: Server) -> None:
    assert client.call("PING") == PONG
    server.engine.sessions[1].push(object())
    assert client.reply().text == INTERNAL
    assert client.call("PING") == PONG


def test_want_of_memory_ends_only_the_connection(
    client: Client, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = connect()
    assert client.call("PING") == other.call("PING") == PONG
    with monkeypatch.context() as patch:
        patch.setattr(connection, "recv", no_memory)
        client.send("PING")
        assert client.is_closed()
    assert "A connection failed in an unexpected way: id=1 " in caplog.text
    assert other.call("PING") == PONG


def no_memory(*arguments: object) -> bytes:
    raise MemoryError


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"*x\r\n", "ERR Protocol error: invalid multibulk length"),
        (b"*1\r\nx", "ERR Protocol error: expected '$', got 'x'"),
        (b"*1\r\n$-5\r\n", "ERR Protocol error: invalid bulk length"),
        (b'SET "key\r\n', "ERR Protocol error: unbalanced quotes in request"),
    ],
)
def test_a_protocol_error_ends_only_its_connection(client: Client, connect: Connect, sent: bytes, text: str) -> None:
    other = connect()
    client.socket.sendall(b"PING\r\n" + sent + b"\r\nPING\r\n")
    assert client.reply() == PONG
    assert client.reply().text == text
    assert client.is_closed()
    assert other.call("PING") == PONG


@pytest.mark.parametrize("sent", [b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_http_ends_the_connection_before_its_body(
    client: Client, connect: Connect, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client.socket.sendall(sent + b"\r\nSET key value\r\n")
    eventually(lambda: "Possible SECURITY ATTACK detected" in caplog.text)
    eventually(lambda: not connect().row(1))
    assert connect().call("GET", "key") is None


# Limits


def test_too_many_clients_are_told_so(start: Start) -> None:
    server = start(maxclients=2)
    with Client(server) as first, Client(server) as second:
        assert first.call("PING") == second.call("PING") == PONG
        with Client(server) as third:
            assert third.reply().text == "ERR max number of clients reached"
            assert third.is_closed()
        assert b"rejected_connections:1\r\n" in first.call("INFO", "stats")
        second.socket.close()
        eventually(lambda: len(first.call("CLIENT", "LIST").splitlines()) == 1)
        with Client(server) as third:
            assert third.call("PING") == PONG


def test_a_silent_client_is_closed_and_a_waiting_one_is_not(start: Start, clock: ManualClock) -> None:
    server = start(timeout=10)
    with Client(server) as silent, Client(server) as waiting, Client(server) as busy:
        assert silent.call("PING") == PONG
        waiting.send("TAKE", "key")
        eventually(lambda: busy.row(2).get("flags") == "b")
        clock.advance(9)
        assert busy.call("PING") == PONG
        clock.advance(2)
        assert silent.is_closed()
        assert busy.call("SET", "key", "value") == OK
        assert waiting.reply() == b"value"


def test_protected_mode_lets_only_this_machine_in(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "is_remote", lambda listener, address: True)
    open_server, safe = start(), start(requirepass="secret")
    with Client(open_server) as client:
        assert client.reply().text.startswith("DENIED Redis is running in protected mode because")
        assert client.is_closed()
    with Client(safe) as client:
        assert client.call("AUTH", "secret") == OK
    with Client(start(protected_mode=False)) as client:
        assert client.call("PING") == PONG


@pytest.mark.parametrize(
    ("host", "is_remote"), [("127.0.0.1:1", False), ("127.8.8.8:1", False), ("[::1]:1", False), ("10.0.0.1:1", True)]
)
def test_which_addresses_are_of_this_machine(server: Server, host: str, is_remote: bool) -> None:
    assert loop.is_remote(server._tcp[0], host) == is_remote


def test_before_authentication_commands_are_small(start: Start) -> None:
    server = start(requirepass="secret")
    with Client(server) as client:
        assert client.error("GET", "key") == "NOAUTH Authentication required."
        client.socket.sendall(b"*11\r\n")
        assert client.reply().text == "ERR Protocol error: unauthenticated multibulk length"
        assert client.is_closed()
    with Client(server) as client:
        client.socket.sendall(request("AUTH", "secret") + request("ECHO", "x" * 20000))
        assert client.reply() == OK
        assert len(client.reply()) == 20000


def test_before_authentication_replies_must_be_read(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with Client(start(requirepass="secret")) as client, pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.socket.sendall(b"GET key\r\n" * 10_000_000)
    assert "closed for overcoming of output buffer limits" in caplog.text


def test_a_query_that_grows_too_long_ends_the_connection(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(client_query_buffer_limit="1mb")
    with Client(server) as client, pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.socket.sendall(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n" + b"x" * 99_999_999)
    assert "Closing client that reached max query buffer length" in caplog.text


def test_a_query_limit_can_be_set_for_those_who_are_there(client: Client) -> None:
    assert client.call("CONFIG", "SET", "proto-max-bulk-len", MB) == OK
    client.socket.sendall(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (MB + 1))
    assert client.reply().text == "ERR Protocol error: invalid bulk length"


def test_the_hard_limit_of_unread_replies(client: Client, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    assert client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0") == OK
    assert len(client.call("FILL", 90_000)) == 90_000
    client.send("FILL", 150_000)
    assert client.is_closed()
    assert "closed for overcoming of output buffer limits" in caplog.text
    assert connect().call("PING") == PONG


def test_the_hard_limit_of_unread_messages(client: Client, connect: Connect) -> None:
    assert client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0") == OK
    other = connect()
    assert other.call("TELL", client.call("CLIENT", "ID"), 20, MB // 2) == OK
    eventually(lambda: not other.row(1))


def test_the_soft_limit_of_unread_messages(start: Start, clock: ManualClock) -> None:
    server = start(client_output_buffer_limit="normal 0 4mb 60")
    with Client(server) as reader, Client(server) as other:
        identity = reader.call("CLIENT", "ID")
        # More than the sockets hold, so that what is left counts.
        assert other.call("TELL", identity, 40, MB) == OK
        clock.advance(59)
        assert other.call("PING") == PONG
        assert other.row(identity)
        clock.advance(2)
        eventually(lambda: not other.row(identity))


def test_reading_in_time_resets_the_soft_limit(start: Start, clock: ManualClock) -> None:
    server = start(client_output_buffer_limit="normal 0 4mb 60")
    with Client(server) as reader, Client(server) as other:
        identity = reader.call("CLIENT", "ID")
        for _ in range(3):
            assert other.call("TELL", identity, 40, MB) == OK
            clock.advance(50)
            assert [len(reader.reply()) for _ in range(40)] == [MB] * 40
            eventually(lambda: other.row(identity)["omem"] == "0")


def test_who_reads_nothing_gets_nothing_more_and_holds_up_nobody(client: Client, connect: Connect) -> None:
    other = connect()
    client.socket.sendall(b"FILL 1000000\r\n" * 150)
    eventually(lambda: int(other.row(1)["omem"]) > 60 * MB)
    assert other.call("PING") == PONG
    assert int(other.row(1)["omem"]) < 70 * MB
    assert "w" in other.row(1)["events"]
    assert [len(client.reply()) for _ in range(150)] == [1_000_000] * 150
    assert client.call("PING") == PONG
    assert other.row(1)["events"] == "r"


# Others end connections


def test_a_client_is_killed_by_another(client: Client, connect: Connect) -> None:
    other = connect()
    assert client.call("CLIENT", "ID") == 1
    assert other.call("CLIENT", "KILL", "ID", 1) == 1
    assert client.is_closed()
    assert not other.row(1)


def test_a_client_that_waits_is_killed(client: Client, connect: Connect) -> None:
    other = connect()
    client.send("TAKE", "key")
    eventually(lambda: other.row(1).get("flags") == "b")
    assert other.call("CLIENT", "KILL", client.address) == OK
    assert client.is_closed()
    assert other.call("SET", "key", "value") == OK
    assert other.call("GET", "key") == b"value"


def test_a_client_kills_itself_after_its_reply(client: Client) -> None:
    assert client.call("CLIENT", "KILL", "ID", client.call("CLIENT", "ID"), "SKIPME", "no") == 1
    assert client.is_closed()


def test_the_numbers_of_a_connection(client: Client) -> None:
    client.socket.sendall(b"CLIENT INFO\r\n*1\r\n$4\r\nPI")
    row = dict(field.split("=", 1) for field in client.reply().decode().split())
    assert row["addr"] == client.address
    assert row["laddr"] == "{}:{}".format(*client.socket.getpeername())
    assert row["qbuf"] == str(len(b"*1\r\n$4\r\nPI"))
    assert (row["omem"], row["oll"], row["events"]) == ("0", "0", "r")


def test_traffic_is_counted(client: Client) -> None:
    assert client.call("PING") == PONG
    lines = client.call("INFO", "stats").decode().splitlines()
    # INFO's own request has come, its reply has not gone.
    assert f"total_net_input_bytes:{len(request('PING') + request('INFO', 'stats'))}" in lines
    assert "total_net_output_bytes:7" in lines
    assert any(line.startswith("total_commands_processed:") for line in lines)


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG, logger="alcove"):
        yield
