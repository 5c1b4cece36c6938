"""The quoting rules of inline commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.quoting import split_words

CASES = [
    (b"", []),
    (b" \t\r\n\v\f", []),
    (b"PING", [b"PING"]),
    (b"  SET\tkey  value ", [b"SET", b"key", b"value"]),
    (b'SET key ""', [b"SET", b"key", b""]),
    (b"SET key ''", [b"SET", b"key", b""]),
    (b'"a b"', [b"a b"]),
    (b'"\\x41\\n\\r\\t\\b\\a\\\\\\"\\q"', [b'A\n\r\t\b\a\\"q']),
    (b'"\\x4"', [b"x4"]),
    (b'"\\xZZ"', [b"xZZ"]),
    (b'"\\xff\\x00"', [b"\xff\0"]),
    (b'"\xff\xfe"', [b"\xff\xfe"]),
    (b"'a\\'b\\n\"'", [b"a'b\\n\""]),
    (b"'a\\\\b'", [b"a\\\\b"]),
    (b'a"b c"', [b"ab c"]),
    (b"a'b c' d", [b"ab c", b"d"]),
    (b'"a"\vb', [b"a", b"b"]),
    (b"a\vb", [b"a\vb"]),
    (b"a\rb", [b"a", b"b"]),
    (b"a\\n", [b"a\\n"]),
    (b"PING a\0b c", [b"PING", b"a"]),
    (b"\0PING", []),
]

UNBALANCED = [
    b'"',
    b"'",
    b'a "b',
    b"a 'b",
    b'"a"b',
    b"'a'b",
    b'"a""b"',
    b"'a''b'",
    b'"\\"',
    b"'\\'",
    b"'a\\\\'",
    b'"a\\',
    b'"a\0b"',
]


@pytest.mark.parametrize(("line", "args"), CASES)
def test_lines(line: bytes, args: list[bytes]) -> None:
    assert split_words(line) == args


@pytest.mark.parametrize("line", UNBALANCED)
def test_unbalanced_quotes(line: bytes) -> None:
    assert split_words(line) is None


def in_double_quotes(arg: bytes) -> bytes:
    return b'"' + b"".join(b"\\x%02x" % byte for byte in arg) + b'"'


@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_can_be_quoted(args: list[bytes]) -> None:
    assert split_words(b" ".join(in_double_quotes(arg) for arg in args)) == args


def test_long_lines_are_split_without_trying_again() -> None:
    """Quotes that never close would take exponential or quadratic time if the pattern gave back what it took."""
    assert split_words(b'"' + b"\\a" * 30_000) is None
    assert split_words(b"'" + b"\\'" * 30_000) is None
    assert split_words(b"a " * 30_000) == [b"a"] * 30_000
