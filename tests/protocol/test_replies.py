"""The reader of replies: a table of cases, split at every byte, and what is no reply at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.errors import CommandError
from alcove.protocol.reader import ProtocolError
from alcove.protocol.replies import ReplyReader
from alcove.values import NO_REPLY, NULL_ARRAY, BigNumber, Members, Pairs, Push, Status, Verbatim

CASES: list[tuple[bytes, list[Any]]] = [
    (b"+OK\r\n+\r\n", [Status(b"OK"), Status(b"")]),
    (b":0\r\n:-5\r\n", [0, -5]),
    (b"$3\r\na\r\n\r\n$0\r\n\r\n", [b"a\r\n", b""]),
    (b"$-1\r\n*-1\r\n_\r\n", [None, NULL_ARRAY, None]),
    (b"#t\r\n#f\r\n", [True, False]),
    (b",3\r\n,-0.5\r\n,1e+21\r\n,inf\r\n,-inf\r\n", [3.0, -0.5, 1e21, math.inf, -math.inf]),
    (b"(123456789012345678901234567890\r\n", [BigNumber(b"123456789012345678901234567890")]),
    (b"=8\r\ntxt:a\r\nb\r\n", [Verbatim(b"a\r\nb")]),
    (b"*0\r\n*2\r\n*1\r\n:1\r\n$1\r\na\r\n", [[], [[1], b"a"]]),
    (b"~2\r\n:1\r\n~0\r\n", [Members([1, Members()])]),
    (b">2\r\n$1\r\na\r\n:1\r\n:2\r\n", [Push([b"a", 1]), 2]),
    (b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n%0\r\n", [{b"a": 1, b"b": {}}]),
    (b"%1\r\n*1\r\n:1\r\n:2\r\n", [Pairs([([1], 2)])]),
    (b"|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n:3\r\n|0\r\n:4\r\n", [[3, 4]]),
    (b"*2\r\n:1\r\n", []),
    (b"$5\r\nabc", []),
    (b"$5\r\nabcde\r", []),
    (b":1", []),
]

BROKEN = [
    b"\r\n",
    b"hello\r\n",
    b":\r\n",
    b":1_0\r\n",
    b": 1\r\n",
    b":9223372036854775808\r\n",
    b"$\r\n",
    b"$-2\r\n",
    b"$x\r\n",
    b"*-2\r\n",
    b"%-1\r\n",
    b"$1\r\nabc\r\n",
    b"#x\r\n",
    b"#\r\n",
    b",1_0\r\n",
    b",\r\n",
    b",Infinite\r\n",
    b"=3\r\ntxt\r\n",
    b"*1\r\n" * 2000,
]


def replies(*pieces: bytes) -> list[Any]:
    reader = ReplyReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (value := reader.next()) is not NO_REPLY:
            found.append(value)
    return found


def typed(value: Any) -> Any:
    """The value with the types of all it holds, which `==` does not see."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(element)) for key, element in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [typed(element) for element in value]
    return type(value), value


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_whole_and_split_at_every_byte(data: bytes, expected: list[Any]) -> None:
    assert typed(replies(data)) == typed(expected)
    assert typed(replies(*(data[place : place + 1] for place in range(len(data))))) == typed(expected)
    for place in range(len(data)):
        assert typed(replies(data[:place], data[place:])) == typed(expected)


@pytest.mark.parametrize("data", [b"-ERR wrong \xff\r\n", b"!11\r\nERR wrong \xff\r\n"])
def test_errors_are_values(data: bytes) -> None:
    (error,) = replies(data)
    assert isinstance(error, CommandError)
    assert error.line == b"ERR wrong \xff"
    ((nested, one),) = replies(b"*2\r\n" + data + b":1\r\n")
    assert (nested.line, one) == (b"ERR wrong \xff", 1)


@pytest.mark.parametrize("data", [b",nan\r\n", b",-nan\r\n"])
def test_nan(data: bytes) -> None:
    (number,) = replies(data)
    assert math.isnan(number)


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        replies(data)


def test_a_big_reply_in_pieces() -> None:
    elements = [b"x" * (number % 300) for number in range(3000)]
    data = b"*3000\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(element), element) for element in elements)
    assert replies(*(data[place : place + 1000] for place in range(0, len(data), 1000))) == [elements]


TOKENS = st.sampled_from(
    [b"*", b"$", b"%", b"~", b">", b"|", b":", b"+", b"-", b",", b"#", b"=", b"\r\n", b"0", b"1", b"2", b"-1", b"t"]
)


@given(st.binary(max_size=40) | st.lists(TOKENS, max_size=40).map(b"".join))
def test_noise_gives_replies_or_a_protocol_error(data: bytes) -> None:
    results = []
    for pieces in (data,), tuple(data[place : place + 1] for place in range(len(data))):
        try:
            results.append(repr(replies(*pieces)))
        except ProtocolError as error:
            results.append(error.text)
    assert results[0] == results[1]
