"""The real servers' own bytes: their answers to malformed requests and the forms of their replies are ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from alcove.protocol.output import OutputBuffer
from alcove.protocol.reader import ProtocolError, RequestReader
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY, OK, BigNumber, Members, Push, Status, Verbatim


class Server(NamedTuple):
    name: str
    path: str

    def answer(self, request: bytes) -> bytes:
        """All that is answered to a connection that says this and no more."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(self.path)
            received = b""
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    received += piece
            except (BrokenPipeError, ConnectionResetError):
                # The server hung up before it had read everything; its last words are still there to read.
                received += connection.recv(65536)
            return received


def start(name: str, *options: str) -> Iterator[Server]:
    binary = shutil.which(name)
    if binary is None:
        pytest.skip(f"{name} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        quiet = ["--port", "0", "--save", "", "--appendonly", "no", "--dir", folder, "--logfile", "/dev/null"]
        process = subprocess.Popen([binary, "--unixsocket", path, *quiet, *options])
        try:
            server = Server(name, path)
            wait_until_it_answers(server, process)
            yield server
        finally:
            process.kill()
            process.wait()


def wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1000):
        assert process.poll() is None, f"{server.name} has ended"
        try:
            server.answer(b"PING\r\n")
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)
        else:
            return
    pytest.fail(f"{server.name} does not answer")


@pytest.fixture(scope="module", params=["redis-server", "valkey-server"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from start(request.param, "--enable-debug-command", "yes")


@pytest.fixture(scope="module", params=["redis-server", "valkey-server"])
def locked_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from start(request.param, "--requirepass", "secret")


@pytest.fixture(scope="module")
def valkey() -> Iterator[Server]:
    yield from start("valkey-server")


def our_answer(request: bytes, authenticated: bool = True) -> bytes:
    """What a server that knows PING and ECHO alone would answer with our reader and writer."""
    reader = RequestReader()
    reader.authenticated = authenticated
    out = OutputBuffer()
    writer = ReplyWriter(out)
    reader.feed(request)
    try:
        while (args := reader.next()) is not None:
            writer.write(Status(b"PONG") if len(args) == 1 else args[1])
    except ProtocolError as error:
        writer.write(error)
    return out.take(len(out))


REQUESTS = [
    b"",
    b"PING\r\n",
    b"PING\n",
    b"PING",
    b"\r\n \t\r\n\nPING\r\n",
    b"PING\r\r\n",
    b"PING\rx\r\n",
    b'PING ""\r\n',
    b'PING "a\\x41\\n\\r\\t\\b\\a\\q\\x4\\xZZ"\r\n',
    b"PING 'a\\'b\\n'\r\n",
    b"PING '\\\\'\r\n",
    b'PING "a"b\r\n',
    b'PING a"b"\r\n',
    b'PING "a\r\n',
    b"PING 'a\r\n",
    b'PING "a\\\r\n',
    b"PING a\vb\r\n",
    b"PING \va\r\n",
    b'PING "a"\v\r\n',
    b'PING "\xff"\r\n',
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nPING\r\n$2\r\n\r\n\r\n",
    b"*1\rx$4\ryPINGzz",
    b"*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"*-9223372036854775808\r\nPING\r\n",
    b"*-9223372036854775809\r\nPING\r\n",
    b"*\r\nPING\r\n",
    b"*-0\r\n",
    b"*+1\r\n",
    b"*01\r\n",
    b"* 1\r\n",
    b"*1 \r\n",
    b"*1\nPING\r\n",
    b"*x\r\n",
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*99999999999999999999999\r\n",
    b"*1\r\n+4\r\n",
    b"*1\r\nx\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n\xff\r\n",
    b"*1\r\nx",
    b"*1\r\n$\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$+4\r\n",
    b"*1\r\n$04\r\n",
    b"*1\r\n$4x\r\n",
    b"*1\r\n$536870912\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$99999999999999999999999\r\n",
    b"*1\r\n$4\r\nPING\r\n*1\r\nx\r\nPING\r\n",
    b"*" + b"1" * 65535,
    b"*" + b"1" * 65536,
    b"*1\r\n$" + b"1" * 65535,
    b"*1\r\n$" + b"1" * 65536,
    b"a" * 65536,
    b"a" * 65537,
]

LOCKED_REQUESTS = [
    b"*10\r\n",
    b"*11\r\n",
    b"*2147483648\r\n",
    b"*1\r\n$16384\r\n",
    b"*1\r\n$16385\r\n",
    b"*1\r\n$536870913\r\n",
]


@pytest.mark.parametrize("request_bytes", REQUESTS, ids=lambda request: repr(request[:24])[1:])
def test_requests(server: Server, request_bytes: bytes) -> None:
    assert our_answer(request_bytes) == server.answer(request_bytes)


@pytest.mark.parametrize("request_bytes", LOCKED_REQUESTS)
def test_requests_before_authentication(locked_server: Server, request_bytes: bytes) -> None:
    assert our_answer(request_bytes, authenticated=False) == locked_server.answer(request_bytes)


def written(value: Any, protocol: int) -> bytes:
    out = OutputBuffer()
    ReplyWriter(out, protocol).write(value)
    return out.take(len(out))


def skip_reply(data: bytes) -> bytes:
    """What comes behind the first reply."""
    for stop in range(1, len(data) + 1):
        reader = ReplyReader()
        reader.feed(data[:stop])
        if reader.next() is not NO_REPLY:
            return data[stop:]
    raise AssertionError(f"no reply in {data!r}")


# The kinds of reply that `DEBUG PROTOCOL` shows, and the values that stand for them here.
KINDS: list[tuple[bytes, Any]] = [
    (b"string", b"Hello World"),
    (b"integer", 12345),
    (b"double", 3.141),
    (b"null", None),
    (b"array", [0, 1, 2]),
    (b"set", Members([0, 1, 2])),
    (b"map", {0: False, 1: True, 2: False}),
    (b"verbatim", Verbatim(b"This is a verbatim\nstring")),
    (b"true", True),
    (b"false", False),
    (b"bignum", BigNumber(b"1234567999999999999999999999999999999")),
]


@pytest.mark.parametrize(("kind", "value"), KINDS)
@pytest.mark.parametrize("protocol", [2, 3])
def test_kinds_of_reply(server: Server, kind: bytes, value: Any, protocol: int) -> None:
    answer = skip_reply(server.answer(b"HELLO %d\r\nDEBUG PROTOCOL %b\r\n" % (protocol, kind)))
    assert written(value, protocol) == answer


def test_pushed_messages(server: Server) -> None:
    answer = skip_reply(server.answer(b"HELLO 3\r\nSUBSCRIBE news\r\nUNSUBSCRIBE news\r\n"))
    subscribed = written(Push([b"subscribe", b"news", 1]), 3)
    assert answer == subscribed + written(Push([b"unsubscribe", b"news", 0]), 3)


def test_attributes_are_left_out(server: Server) -> None:
    reader = ReplyReader()
    reader.feed(skip_reply(server.answer(b"HELLO 3\r\nDEBUG PROTOCOL attrib\r\nPING\r\n")))
    assert reader.next() == b"Some real reply following the attribute"
    assert reader.next() == Status(b"PONG")


DOUBLES = [0.0, -0.0, 3.0, 0.1, -2.5, 1 / 3, 1e15, 1e21, 1e-7, 123456.789, 2.0**53, 5e-324, 1.7976931348623157e308]


@pytest.mark.parametrize("number", [*DOUBLES, float("inf"), float("-inf")])
@pytest.mark.parametrize("protocol", [2, 3])
def test_doubles(valkey: Server, number: float, protocol: int) -> None:
    """As Valkey 8 prints them; Redis 7.0 printed 17 digits."""
    script = b'EVAL "redis.setresp(3) return {double=tonumber(ARGV[1])}" 0 %b' % repr(number).encode()
    answer = skip_reply(valkey.answer(b"HELLO %d\r\n%b\r\n" % (protocol, script)))
    assert written(number, protocol) == answer


def test_status_replies(server: Server) -> None:
    assert server.answer(b"SET key value\r\n") == written(OK, 2)
