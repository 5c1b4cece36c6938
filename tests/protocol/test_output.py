"""The output buffer against a model of bytes, and against sockets that take less than they are given."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alcove.protocol.output import OutputBuffer, recv

Pair = tuple[socket.socket, socket.socket]

BYTES = st.binary(max_size=50) | st.binary(min_size=2000, max_size=2000)


class Model(RuleBasedStateMachine):
    """Every operation, on the buffer and on plain bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.out = OutputBuffer()
        self.expected = b""

    @rule(data=BYTES, mutable=st.booleans())
    def append(self, data: bytes, mutable: bool) -> None:
        self.out.append(bytearray(data) if mutable else data)
        self.expected += data

    @rule(data=BYTES, mutable=st.booleans())
    def bulk(self, data: bytes, mutable: bool) -> None:
        self.out.bulk(bytearray(data) if mutable else data)
        self.expected += b"$%d\r\n%b\r\n" % (len(data), data)

    @rule(text=st.binary(max_size=50))
    def line(self, text: bytes) -> None:
        self.out.line(b"+", text)
        self.expected += b"+%b\r\n" % text

    @rule(number=st.integers() | st.sampled_from([0, 9, 10, -1, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**63) - 1]))
    def integer(self, number: int) -> None:
        self.out.integer(number)
        self.expected += b":%d\r\n" % number

    @rule(sign=st.sampled_from([b"*", b"%", b"~", b">", b"="]), count=st.integers(0, 2**62))
    def header(self, sign: bytes, count: int) -> None:
        self.out.header(sign, count)
        self.expected += b"%b%d\r\n" % (sign, count)

    @rule(length=st.integers(0, 5000))
    def truncate(self, length: int) -> None:
        self.out.truncate(length)
        self.expected = self.expected[:length]

    @rule(limit=st.integers(0, 5000))
    def take(self, limit: int) -> None:
        assert self.out.take(limit) == self.expected[:limit]
        self.expected = self.expected[limit:]

    @rule(part=st.floats(0, 1))
    def consume(self, part: float) -> None:
        count = int(len(self.expected) * part)
        self.out.consume(count)
        self.expected = self.expected[count:]

    @rule()
    def consume_too_much(self) -> None:
        for count in len(self.expected) + 1, -1:
            with pytest.raises(ValueError, match="consumed"):
                self.out.consume(count)

    @invariant()
    def holds_what_it_should(self) -> None:
        assert len(self.out) == len(self.expected)
        assert self.out.peek(len(self.expected) + 1) == self.expected
        assert self.out.peek(3) == self.expected[:3]


TestModel = Model.TestCase


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def receive_all(theirs: socket.socket) -> bytes:
    received = b""
    while piece := recv(theirs.fileno(), 65536):
        received += piece
    return received


@pytest.fixture(params=["descriptor", "socket"])
def by_descriptor(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "descriptor")


def test_nothing_is_appended_to_a_new_buffer() -> None:
    out = OutputBuffer()
    assert (len(out), out.peek(1), out.take(1)) == (0, b"", b"")
    out.append(b"")
    out.truncate(0)
    out.consume(0)
    assert out.take(1) == b""


class TestSend:
    def test_partial_sends_lose_nothing(self, pair: Pair, by_descriptor: bool) -> None:
        ours, theirs = pair
        target = ours.fileno() if by_descriptor else ours
        content = os.urandom(3_000_000)
        out = OutputBuffer()
        out.append(content)
        received = bytearray()
        blocked = 0
        while len(out):
            before = len(out)
            sent = out.send(target)
            if sent < 0:
                blocked += 1
                assert len(out) == before
                received += receive_all(theirs)
            else:
                assert sent == before - len(out)
        received += receive_all(theirs)
        assert received == content
        assert blocked > 0

    def test_nothing_to_send(self, pair: Pair, by_descriptor: bool) -> None:
        ours, _ = pair
        assert OutputBuffer().send(ours.fileno() if by_descriptor else ours) == 0

    def test_the_peer_has_gone(self, pair: Pair, by_descriptor: bool) -> None:
        ours, theirs = pair
        theirs.close()
        out = OutputBuffer()
        out.append(b"hello")
        with pytest.raises(BrokenPipeError):
            out.send(ours.fileno() if by_descriptor else ours)
        assert len(out) == 5

    def test_at_most_a_megabyte_a_call(self) -> None:
        class Taker:
            """A socket that takes all it is given."""

            def __init__(self) -> None:
                self.sizes: list[int] = []

            def send(self, data: memoryview) -> int:
                self.sizes.append(len(data))
                return len(data)

        out = OutputBuffer()
        out.append(bytes(2_500_000))
        taker = Taker()
        while len(out):
            out.send(taker)  # type: ignore[arg-type]
        assert taker.sizes == [1024 * 1024, 1024 * 1024, 2_500_000 - 2 * 1024 * 1024]


class TestRecv:
    @pytest.mark.parametrize("limit", [10, 65536, 1_000_000])
    def test_what_has_come(self, pair: Pair, by_descriptor: bool, limit: int) -> None:
        ours, theirs = pair
        source = ours.fileno() if by_descriptor else ours
        assert recv(source, limit) is None
        theirs.send(b"hello")
        assert recv(source, limit) == b"hello"
        theirs.send(b"a" * 100)
        assert recv(source, limit) == b"a" * min(limit, 100)
        theirs.close()
        while received := recv(source, limit):
            assert set(received) == {ord("a")}
        assert received == b""

    @pytest.mark.parametrize("limit", [100, 1_000_000])
    def test_errors_are_raised(self, limit: int) -> None:
        descriptor = os.dup(0)
        os.close(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            recv(descriptor, limit)

    @pytest.mark.parametrize("limit", [50_000, 1_000_000])
    def test_the_bytes_take_no_more_than_they_are(self, pair: Pair, limit: int) -> None:
        ours, theirs = pair
        theirs.send(b"hello")
        tracemalloc.start()
        try:
            received = recv(ours.fileno(), limit)
            assert tracemalloc.get_traced_memory()[0] < 1000
        finally:
            tracemalloc.stop()
        assert received == b"hello"


class TestMemory:
    def test_a_large_reply_that_has_drained_gives_its_memory_back(self) -> None:
        out = OutputBuffer()
        content = bytes(100_000)
        tracemalloc.start()
        try:
            for _ in range(50):
                out.append(content)
            while len(out):
                out.consume(min(300_000, len(out)))
            out.append(b"OK")
            assert tracemalloc.get_traced_memory()[0] < 50_000
        finally:
            tracemalloc.stop()
        assert out.take(10) == b"OK"

    def test_a_buffer_that_never_drains_whole_stays_small(self) -> None:
        out = OutputBuffer()
        out.append(b"x" * 100)
        piece = bytes(1000)
        tracemalloc.start()
        try:
            for _ in range(10_000):
                out.append(piece)
                out.consume(1000)
            assert tracemalloc.get_traced_memory()[1] < 50_000
        finally:
            tracemalloc.stop()
        assert len(out) == 100


@pytest.mark.parametrize("wrong", ["text", 1, None, [b"x"]])
def test_only_bytes_are_taken(wrong: object) -> None:
    out = OutputBuffer()
    for method in out.append, out.bulk:
        with pytest.raises(TypeError):
            method(wrong)  # type: ignore[arg-type]
    assert len(out) == 0
