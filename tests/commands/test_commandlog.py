"""COMMANDLOG: large requests and replies of a server's clients, beside the slow ones that SLOWLOG shows too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import alcove
from alcove.server.server import Server
from alcove.values import OK
from tests.server.wire import Client, request

KINDS = ("slow", "large-request", "large-reply")


@pytest.fixture
def server() -> Iterator[Server]:
    with alcove.serve(commandlog_request_larger_than=1000, commandlog_reply_larger_than=2000) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server) as client:
        yield client


def test_large_requests_have_their_size_on_the_network(client: Client) -> None:
    client.call("CLIENT", "SETNAME", "me")
    request_of = {size: request("SET", "key", "x" * size) for size in (900, 970, 5000)}
    for size in request_of:
        assert client.call("SET", "key", "x" * size) == OK
    entries = client.call("COMMANDLOG", "GET", -1, "large-request")
    logged = [(entry[2], entry[3][:2], entry[5]) for entry in entries]
    assert logged == [(len(request_of[size]), [b"SET", b"key"], b"me") for size in (5000, 970)]
    assert entries[0][3][2] == b"x" * 128 + b"... (4872 more bytes)"
    assert entries[0][4] == client.address.encode()


def test_large_replies(client: Client) -> None:
    client.call("SET", "key", "x" * 1990)
    client.call("GET", "key")
    client.call("APPEND", "key", "x" * 10)
    client.call("GET", "key")
    assert [entry[2:4] for entry in client.call("COMMANDLOG", "GET", 10, "LARGE-REPLY")] == [
        [2000 + len(b"$2000\r\n\r\n"), [b"GET", b"key"]]
    ]


def test_of_a_pipeline_only_what_is_large(client: Client) -> None:
    client.socket.sendall(b"".join([request("ECHO", "a" * size) for size in (1, 3000, 2, 4000, 3)]))
    for _ in range(5):
        client.reply()
    for kind in KINDS[1:]:
        entries = client.call("COMMANDLOG", "GET", -1, kind)
        assert [entry[3][1][:2] for entry in entries] == [b"aa", b"aa"]
        assert entries[0][2] > 4000 > entries[1][2] > 3000


def test_how_much_is_kept_and_of_what(client: Client) -> None:
    client.call("CONFIG", "SET", "commandlog-large-request-max-len", 2, "commandlog-reply-larger-than", -1)
    for size in (2001, 2002, 2003):
        client.call("ECHO", "x" * size)
    assert [client.call("COMMANDLOG", "LEN", kind) for kind in KINDS] == [0, 2, 0]
    client.call("CONFIG", "SET", "commandlog-request-larger-than", -1, "commandlog-reply-larger-than", 0)
    client.call("ECHO", "x" * 5000)
    assert client.call("COMMANDLOG", "LEN", "large-request") == 2
    assert client.call("COMMANDLOG", "RESET", "large-reply") == OK
    # Its own reply is longer than 0 bytes.
    assert client.call("COMMANDLOG", "LEN", "large-reply") == 1
    assert client.call("COMMANDLOG", "RESET", "large-request") == OK
    assert client.call("COMMANDLOG", "LEN", "large-request") == 0


def test_secrets_are_not_kept(client: Client) -> None:
    client.call("AUTH", "default", "x" * 3000)
    client.call("CONFIG", "SET", "masterauth", "x" * 3000)
    assert [entry[3] for entry in client.call("COMMANDLOG", "GET", -1, "large-request")] == [
        [b"CONFIG", b"SET", b"masterauth", b"(redacted)"],
        [b"AUTH", b"(redacted)", b"(redacted)"],
    ]


def test_the_slow_log_is_the_same_by_both_names(client: Client) -> None:
    assert client.call("CONFIG", "SET", "commandlog-execution-slower-than", 0) == OK
    client.call("PING")
    assert client.call("CONFIG", "SET", "slowlog-log-slower-than", -1) == OK
    entries = client.call("SLOWLOG", "GET", -1)
    assert entries == client.call("COMMANDLOG", "GET", -1, "slow")
    assert [b"PING"] in [entry[3] for entry in entries]
    assert client.call("SLOWLOG", "RESET") == OK
    assert client.call("COMMANDLOG", "LEN", "slow") == 0


def test_errors(client: Client) -> None:
    types = "ERR type should be one of the following: slow, large-request, large-reply"
    assert client.error("COMMANDLOG", "LEN", "fast") == types
    assert client.error("COMMANDLOG", "RESET", "fast") == types
    assert client.error("COMMANDLOG", "GET", 1, "fast") == types
    for count in ("-2", "x"):
        assert client.error("COMMANDLOG", "GET", count, "slow") == "ERR count should be greater than or equal to -1"
    assert client.error("COMMANDLOG", "GET", 1) == "ERR wrong number of arguments for 'commandlog|get' command"
