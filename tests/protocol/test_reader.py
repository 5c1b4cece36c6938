"""The reader of requests: every input whole, split at every byte, and at random places; limits, memory, noise."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.errors import CommandError
from alcove.protocol.reader import ProtocolError, RequestReader

Outcome = tuple[list[list[bytes]], str | None]

COMMANDS = [
    (b"", []),
    (b"*1\r\n$4\r\nPING\r\n", [[b"PING"]]),
    (b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", [[b"SET", b"key", b"value"]]),
    (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", [[b"ECHO", b""]]),
    (b"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\0\xff\r\n", [[b"ECHO", b"\r\n\0\xff"]]),
    (b"*12\r\n" + b"$1\r\na\r\n" * 12, [[b"a"] * 12]),
    (b"*1\r\n$12\r\nabcdefghijkl\r\nPING\r\n", [[b"abcdefghijkl"], [b"PING"]]),
    # Commands of no arguments are skipped.
    (b"*0\r\nPING\r\n", [[b"PING"]]),
    (b"*-1\r\n*1\r\n$4\r\nPING\r\n", [[b"PING"]]),
    (b"*-9223372036854775808\r\nPING\r\n", [[b"PING"]]),
    (b"\r\n\n  \r\nPING\n\r\n", [[b"PING"]]),
    # Pipelines, the two forms mixed.
    (b"PING\r\n*1\r\n$4\r\nPING\r\nGET 'a b'\n", [[b"PING"], [b"PING"], [b"GET", b"a b"]]),
    # As on the real server nobody looks at what stands for the LF of a header or the end of a bulk.
    (b"*1\rx$4\ryPINGzz", [[b"PING"]]),
    # Not whole yet.
    (b"*", []),
    (b"*1", []),
    (b"*1\r", []),
    (b"*1\r\n", []),
    (b"*0\r", []),
    (b"*1\r\n$", []),
    (b"*1\r\n$4\r\nPING", []),
    (b"*1\r\n$4\r\nPING\r", []),
    (b"*2\r\n$4\r\nPING\r\n", []),
    (b"PING", []),
    (b"PING\r", []),
    (b"*2147483647\r\n", []),
    (b"*1\r\n$536870912\r\n", []),
]

BROKEN = [
    (b"*\r\n", "invalid multibulk length"),
    (b"*-0\r\n", "invalid multibulk length"),
    (b"*+1\r\n", "invalid multibulk length"),
    (b"*01\r\n", "invalid multibulk length"),
    (b"*00\r\n", "invalid multibulk length"),
    (b"* 1\r\n", "invalid multibulk length"),
    (b"*1 \r\n", "invalid multibulk length"),
    (b"*1_0\r\n", "invalid multibulk length"),
    (b"*1\n$4\nPING\n\r\n", "invalid multibulk length"),
    (b"*1\0\r\n", "invalid multibulk length"),
    (b"*abc\r\n", "invalid multibulk length"),
    (b"*2147483648\r\n", "invalid multibulk length"),
    (b"*9223372036854775808\r\n", "invalid multibulk length"),
    (b"*-9223372036854775809\r\n", "invalid multibulk length"),
    (b"*99999999999999999999999\r\n", "invalid multibulk length"),
    (b"*1\r\n+4\r\n", "expected '$', got '+'"),
    (b"*1\r\nxyz\r\n", "expected '$', got 'x'"),
    (b"*1\r\n*1\r\n", "expected '$', got '*'"),
    (b"*1\r\n\r\n", "expected '$', got '\r'"),
    (b"*1\r\n\xff\r\n", "expected '$', got '\udcff'"),
    (b"*1\r\n$\r\n", "invalid bulk length"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
    (b"*1\r\n$4x\r\n", "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    (b"*1\r\n$99999999999999999999999\r\n", "invalid bulk length"),
    (b'GET "a\r\n', "unbalanced quotes in request"),
    (b"GET 'a'b\r\n", "unbalanced quotes in request"),
]

MAX_LINE = 65536

LONG_LINES = [
    (b"*" + b"1" * MAX_LINE, "too big mbulk count string"),
    (b"*1\r\n$" + b"1" * MAX_LINE, "too big bulk count string"),
    (b"*1\r\n" + b"x" * (MAX_LINE + 1), "too big bulk count string"),
    (b"a" * (MAX_LINE + 1), "too big inline request"),
    (b"a" * (MAX_LINE + 1) + b"\r\n", "too big inline request"),
    (b"*" + b"1" * (MAX_LINE - 1) + b"\r", "invalid multibulk length"),
    (b"*1\r\n$" + b"1" * (MAX_LINE - 1) + b"\r", "invalid bulk length"),
]


def drain(reader: RequestReader) -> Iterator[list[bytes]]:
    while (args := reader.next()) is not None:
        yield args


def outcome(pieces: Iterable[bytes], reader: RequestReader | None = None) -> Outcome:
    """The commands that come out and, if there is one, the text of the error behind them."""
    reader = reader or RequestReader()
    commands: list[list[bytes]] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            commands.extend(drain(reader))
    except ProtocolError as error:
        return commands, error.text.removeprefix("ERR Protocol error: ")
    return commands, None


def split_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(data)]
    return [data[start:stop] for start, stop in pairwise(bounds)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def multibulk(*args: bytes) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


EXPECTED: list[tuple[bytes, Outcome]] = [
    *((data, (commands, None)) for data, commands in COMMANDS),
    *((data, ([], text)) for data, text in BROKEN),
    *((b"PING\r\n" + data, ([[b"PING"]], text)) for data, text in BROKEN),
]


@pytest.mark.parametrize(("data", "expected"), EXPECTED)
def test_whole_and_split_at_every_byte(data: bytes, expected: Outcome) -> None:
    assert outcome([data]) == expected
    assert outcome(one_by_one(data)) == expected
    for place in range(len(data)):
        assert outcome(split_at(data, [place])) == expected


@pytest.mark.parametrize(("data", "text"), LONG_LINES)
def test_long_lines(data: bytes, text: str) -> None:
    assert outcome([data]) == ([], text)
    assert outcome(split_at(data, range(0, len(data), 1000))) == ([], text)
    assert outcome(split_at(data, [len(data) - 1])) == ([], text)


def test_the_longest_inline_line() -> None:
    line = b"a" * MAX_LINE
    assert outcome([line]) == ([], None)
    assert outcome([line + b"\n"]) == ([[line]], None)
    assert outcome([line, b"\n"]) == ([[line]], None)


def test_a_header_line_can_be_as_long_as_an_inline_one() -> None:
    assert outcome([b"*" + b"1" * (MAX_LINE - 1)]) == ([], None)
    assert outcome([b"*1\r\n$" + b"1" * (MAX_LINE - 1)]) == ([], None)


def test_the_error_is_a_reply_and_stays() -> None:
    reader = RequestReader()
    reader.feed(b"*1\r\n\rPING\r\nPING\r\n")
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            reader.next()
        assert isinstance(caught.value, CommandError)
        assert caught.value.line == b"ERR Protocol error: expected '$', got ' '"
        assert reader.buffered == 0
        reader.feed(b"PING\r\n")


class TestReadingAhead:
    def test_as_many_as_there_are_and_no_more_than_asked_for(self) -> None:
        reader = RequestReader()
        reader.feed(multibulk(b"PING") * 5 + b"*1\r\n$4\r\nPI")
        assert reader.read_ahead(3) == [[b"PING"]] * 3
        assert reader.read_ahead(3) == [[b"PING"]] * 2
        assert reader.read_ahead(3) == []
        reader.feed(b"NG\r\n")
        assert reader.read_ahead(3) == [[b"PING"]]

    @pytest.mark.parametrize(("data", "text"), BROKEN)
    def test_an_error_comes_when_what_stands_before_it_was_taken(self, data: bytes, text: str) -> None:
        reader = RequestReader()
        reader.feed(b"PING\r\n" * 2 + data)
        assert reader.read_ahead(16) == [[b"PING"]] * 2
        for _ in range(2):
            with pytest.raises(ProtocolError, match=re.escape(text)):
                reader.read_ahead(16)

    def test_long_commands_come_by_themselves(self) -> None:
        reader = RequestReader()
        pieces = [multibulk(b"SET", b"key", b"x" * 30_000)] * 4 + [multibulk(b"SET", b"key", b"x" * 100_000)] * 2
        reader.feed(b"".join(pieces))
        taken = []
        while commands := reader.read_ahead(16):
            taken.append(len(commands))
        assert taken == [3, 2, 1]

    @given(st.lists(st.integers(0, 40)), st.integers(1, 20))
    def test_it_takes_the_same_as_one_by_one(self, places: list[int], most: int) -> None:
        data = b"PING\r\n" + multibulk(b"SET", b"key", b"value") + b"*0\r\n" + multibulk(b"GET", b"k")
        reader = RequestReader()
        taken = []
        for piece in split_at(data, [min(place, len(data)) for place in places]):
            reader.feed(piece)
            while commands := reader.read_ahead(most):
                assert len(commands) <= most
                taken += commands
        assert (taken, None) == outcome([data])


class TestLimits:
    def test_defaults_are_the_real_servers(self) -> None:
        reader = RequestReader()
        assert (reader.max_bulk, reader.max_multibulk, reader.authenticated) == (512 * 1024**2, 2**31 - 1, True)

    @pytest.mark.parametrize("length", [101, 5_000_000_000])
    def test_max_bulk(self, length: int) -> None:
        reader = RequestReader()
        reader.max_bulk = 100
        assert outcome([multibulk(b"a" * 100)], reader) == ([[b"a" * 100]], None)
        assert outcome([b"*1\r\n$%d\r\n" % length], reader) == ([], "invalid bulk length")

    def test_a_bulk_beyond_nine_digits(self) -> None:
        reader = RequestReader()
        reader.max_bulk = 10**12
        assert outcome([b"*1\r\n$%d\r\n" % 10**12], reader) == ([], None)
        assert reader.wants() == 10**12 + 2

    def test_max_multibulk(self) -> None:
        reader = RequestReader()
        reader.max_multibulk = 3
        assert outcome([multibulk(b"a", b"b", b"c")], reader) == ([[b"a", b"b", b"c"]], None)
        assert outcome([b"*4\r\n"], reader) == ([], "invalid multibulk length")

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"*11\r\n", "unauthenticated multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        ],
    )
    def test_before_authentication(self, data: bytes, text: str) -> None:
        for pieces in [data], one_by_one(data):
            reader = RequestReader()
            reader.authenticated = False
            assert outcome(pieces, reader) == ([], text)

    def test_what_authentication_needs_is_let_through(self) -> None:
        reader = RequestReader()
        reader.authenticated = False
        args = [b"a" * 16384] * 10
        assert outcome([multibulk(*args)], reader) == ([args], None)

    def test_a_pipeline_behind_auth(self) -> None:
        reader = RequestReader()
        reader.authenticated = False
        reader.feed(multibulk(b"AUTH", b"secret") + multibulk(*[b"MSET"] * 11))
        assert reader.next() == [b"AUTH", b"secret"]
        reader.authenticated = True
        assert reader.next() == [b"MSET"] * 11


class TestBigInputs:
    def test_random_pieces(self) -> None:
        chance = random.Random(4)
        commands = [[b"SET", b"k%d" % n, chance.randbytes(chance.choice([0, 1, 100, 5000, 70_000]))] for n in range(60)]
        data = b"".join(multibulk(*args) for args in commands)
        for _ in range(20):
            places = chance.sample(range(len(data)), chance.choice([1, 10, 200, 3000]))
            assert outcome(split_at(data, places)) == (commands, None)

    def test_fed_again_and_again_before_anything_is_read(self) -> None:
        commands = [[b"SET", b"key:%d" % n, b"v" * n] for n in range(300)]
        data = b"".join(multibulk(*args) for args in commands)
        reader = RequestReader()
        for piece in split_at(data, range(7, len(data), 7)):
            reader.feed(piece)
        assert reader.buffered == len(data)
        assert list(drain(reader)) == commands
        assert reader.buffered == 0

    def test_wants(self) -> None:
        reader = RequestReader()
        value = b"x" * 100_000
        data = multibulk(b"SET", b"key", value)
        header = len(data) - len(value) - 2
        assert outcome([data[: header - 1]], reader) == ([], None)
        assert reader.wants() == len(value) + 2
        assert outcome([data[header - 1 : header]], reader) == ([], None)
        assert reader.wants() == len(value) + 2
        assert outcome([data[header : header + 70_000]], reader) == ([], None)
        assert reader.wants() == 30_002
        assert outcome([data[header + 70_000 : -1]], reader) == ([], None)
        assert reader.wants() == 1
        assert outcome([b"\n"], reader) == ([[b"SET", b"key", value]], None)
        assert reader.wants() == 0

    def test_buffered_counts_what_was_received_of_a_command_that_is_not_whole(self) -> None:
        data = multibulk(b"MSET", b"a" * 500, b"b" * 6000, b"c" * 100_000)
        reader = RequestReader()
        reader.feed(multibulk(b"PING") + data[:100])
        assert reader.next() == [b"PING"]
        received = 100
        for piece in split_at(data[100:-1], range(997, len(data) - 101, 997)):
            assert reader.next() is None
            assert reader.buffered == received
            reader.feed(piece)
            received += len(piece)
            assert reader.buffered == received
        assert outcome([b"\n"], reader)[0][0][0] == b"MSET"
        assert reader.buffered == 0

    def test_an_unfinished_line_is_buffered(self) -> None:
        reader = RequestReader()
        assert outcome([b"PI", b"NG\r\nGET ", b"some", b"thing"], reader) == ([[b"PING"]], None)
        assert reader.buffered == len(b"GET something")


def memory_taken(pieces: list[bytes]) -> int:
    """The bytes newly allocated in reading, summed over the pieces: what a reader that copies is found out by."""
    reader = RequestReader()
    taken = 0
    tracemalloc.start()
    try:
        for piece in pieces:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            reader.feed(piece)
            list(drain(reader))
            taken += tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return taken


class TestWork:
    @pytest.mark.parametrize(
        ("make", "size", "piece"),
        [
            pytest.param(lambda size: multibulk(b"SET", b"key", b"x" * size), 500_000, 4096, id="one bulk, pages"),
            pytest.param(lambda size: multibulk(b"SET", b"key", b"x" * size), 50_000, 100, id="one bulk, crumbs"),
            pytest.param(lambda size: multibulk(*[b"x" * 90] * (size // 100)), 200_000, 1000, id="many arguments"),
            pytest.param(lambda size: b"a " * (size // 2) + b"\n", 20_000, 100, id="inline line"),
        ],
    )
    def test_twice_the_size_is_twice_the_work(self, make: object, size: int, piece: int) -> None:
        assert callable(make)
        small, large = (make(size), make(2 * size))
        works = [memory_taken(split_at(data, range(piece, len(data), piece))) for data in (small, large)]
        assert works[1] < 2.6 * works[0]

    @pytest.mark.parametrize("data", [b"*2147483647\r\n", b"*2147483647\r\n$536870912\r\n", b"*1\r\n$536870912\r\nx"])
    def test_what_is_announced_takes_no_memory(self, data: bytes) -> None:
        assert memory_taken([data]) < 4000

    def test_a_bulk_in_crumbs_takes_no_more_than_twice_its_size(self) -> None:
        reader = RequestReader()
        reader.feed(b"*1\r\n$1000000\r\n")
        tracemalloc.start()
        try:
            for _ in range(100_000):
                reader.feed(b"ab")
                assert reader.next() is None
            assert tracemalloc.get_traced_memory()[0] < 400_000
        finally:
            tracemalloc.stop()


TOKENS = st.sampled_from(
    [b"*", b"$", b"\r\n", b"\r", b"\n", b"0", b"1", b"2", b"3", b"-1", b"PING", b'"', b"'", b"\\", b" ", b"\0", b"x"]
)
NOISE = st.binary(max_size=60) | st.lists(TOKENS, max_size=40).map(b"".join)


@given(NOISE, st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_noise_gives_commands_or_a_protocol_error_whatever_the_pieces(
    data: bytes, places: list[int], authenticated: bool
) -> None:
    results = []
    for pieces in [data], one_by_one(data), split_at(data, [min(place, len(data)) for place in places]):
        reader = RequestReader()
        reader.authenticated = authenticated
        results.append(outcome(pieces, reader))
    assert results[0] == results[1] == results[2]


@given(st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=8), st.data())
def test_what_was_sent_comes_out(commands: list[list[bytes]], data: st.DataObject) -> None:
    sent = b"".join(multibulk(*args) for args in commands)
    places = data.draw(st.lists(st.integers(0, len(sent)), max_size=8))
    assert outcome(split_at(sent, places)) == (commands, None)


def test_a_name_that_comes_again_is_the_same_object() -> None:
    reader = RequestReader()
    reader.feed(multibulk(b"GET", b"a") + multibulk(b"GET", b"a") + multibulk(b"GETDEL", b"a") + multibulk(b"GE"))
    first, second, longer, shorter = drain(reader)
    assert first[0] is second[0]
    assert [first[0], longer[0], shorter[0]] == [b"GET", b"GETDEL", b"GE"]


def test_long_names_are_not_remembered() -> None:
    reader = RequestReader()
    name = b"x" * 65
    reader.feed(multibulk(name) * 2)
    first, second = drain(reader)
    assert first == second == [name]
    assert first[0] is not second[0]
