"""The bytes of every reply value, in both protocols."""

from __future__ import annotations

import math
from typing import Any

import pytest

from alcove.errors import CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY, NULL_ARRAY, OK, BigNumber, FlatMap, Members, Pairs, Push, Replies, Status, Verbatim

# Value, RESP2, RESP3 (None: the same).
TABLE: list[tuple[Any, bytes, bytes | None]] = [
    (b"", b"$0\r\n\r\n", None),
    (b"a\r\n\0\xff", b"$5\r\na\r\n\0\xff\r\n", None),
    (b"x" * 1000, b"$1000\r\n" + b"x" * 1000 + b"\r\n", None),
    (bytearray(b"abc"), b"$3\r\nabc\r\n", None),
    (OK, b"+OK\r\n", None),
    (Status(b""), b"+\r\n", None),
    (Verbatim(b"a\nb"), b"$3\r\na\nb\r\n", b"=7\r\ntxt:a\nb\r\n"),
    (
        BigNumber(b"-123456789012345678901234567890"),
        b"$31\r\n-123456789012345678901234567890\r\n",
        b"(-123456789012345678901234567890\r\n",
    ),
    (0, b":0\r\n", None),
    (-1, b":-1\r\n", None),
    (2**63 - 1, b":9223372036854775807\r\n", None),
    (-(2**63), b":-9223372036854775808\r\n", None),
    (2**64, b":18446744073709551616\r\n", None),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (NO_REPLY, b"", None),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (0.1, b"$3\r\n0.1\r\n", b",0.1\r\n"),
    (-0.0, b"$2\r\n-0\r\n", b",-0\r\n"),
    (1e21, b"$5\r\n1e+21\r\n", b",1e+21\r\n"),
    (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
    (CommandError("ERR syntax error"), b"-ERR syntax error\r\n", None),
    (CommandError("ERR a\r\nb \udcff"), b"-ERR a  b \xff\r\n", None),
    ([], b"*0\r\n", None),
    ([b"a", 1, None, OK], b"*4\r\n$1\r\na\r\n:1\r\n$-1\r\n+OK\r\n", b"*4\r\n$1\r\na\r\n:1\r\n_\r\n+OK\r\n"),
    ([[], [[b"a"], []], 1], b"*3\r\n*0\r\n*2\r\n*1\r\n$1\r\na\r\n*0\r\n:1\r\n", None),
    ([NULL_ARRAY, CommandError("ERR x"), True], b"*3\r\n*-1\r\n-ERR x\r\n:1\r\n", b"*3\r\n_\r\n-ERR x\r\n#t\r\n"),
    ((1, b"a"), b"*2\r\n:1\r\n$1\r\na\r\n", None),
    (Members([b"a", b"b"]), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"~2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (Members(), b"*0\r\n", b"~0\r\n"),
    (
        Pairs([(b"a", 1.5), (b"b", 2.0)]),
        b"*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n$1\r\n2\r\n",
        b"*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\nb\r\n,2\r\n",
    ),
    (Pairs(), b"*0\r\n", None),
    (Replies([1, Push([b"a"])]), b":1\r\n*1\r\n$1\r\na\r\n", b":1\r\n>1\r\n$1\r\na\r\n"),
    ([Replies([1, 2]), b"a"], b"*2\r\n:1\r\n:2\r\n$1\r\na\r\n", None),
    (FlatMap([b"a", 1]), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (FlatMap(), b"*0\r\n", b"%0\r\n"),
    (
        {b"a": 1, b"b": [True]},
        b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*1\r\n:1\r\n",
        b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*1\r\n#t\r\n",
    ),
    ({}, b"*0\r\n", b"%0\r\n"),
    (
        Push([b"message", b"ch", b"hi"]),
        b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n",
        b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n",
    ),
    (
        [{b"a": {b"b": Pairs([(1, 2)])}}, Members([1])],
        b"*2\r\n*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n*2\r\n:1\r\n:2\r\n*1\r\n:1\r\n",
        b"*2\r\n%1\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n*1\r\n*2\r\n:1\r\n:2\r\n~1\r\n:1\r\n",
    ),
]


def written(value: Any, protocol: int) -> bytes:
    out = OutputBuffer()
    ReplyWriter(out, protocol).write(value)
    return out.take(len(out))


@pytest.mark.parametrize(("value", "resp2", "resp3"), TABLE)
def test_table(value: Any, resp2: bytes, resp3: bytes | None) -> None:
    assert written(value, 2) == resp2
    assert written(value, 3) == (resp2 if resp3 is None else resp3)


def test_resp2_is_the_default_and_the_protocol_can_change() -> None:
    out = OutputBuffer()
    writer = ReplyWriter(out)
    writer.write(None)
    writer.protocol = 3
    writer.write(None)
    assert out.take(100) == b"$-1\r\n_\r\n"


@pytest.mark.parametrize("wrong", ["text", object(), {b"a"}, 1j, memoryview(b"a"), NO_REPLY])
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_value_without_a_form_leaves_nothing_half_written(wrong: Any, protocol: int) -> None:
    out = OutputBuffer()
    writer = ReplyWriter(out, protocol)
    writer.write(OK)
    for value in [wrong], [b"a", [b"b", wrong]], {b"a": wrong}, Pairs([(b"a", wrong)]), Members([1, wrong]):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            writer.write(value)
    writer.write(1)
    assert out.take(100) == b"+OK\r\n:1\r\n"


@pytest.mark.parametrize("protocol", [2, 3])
def test_nesting_is_bounded_by_nothing_but_the_value(protocol: int) -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value, 1]
    assert written(value, protocol) == b"*2\r\n" * 100_000 + b"*0\r\n" + b":1\r\n" * 100_000
