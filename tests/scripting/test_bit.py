"""bit: 32-bit words, rounding and errors. As Redis 7.0 and Valkey 8.0 answer."""

from __future__ import annotations

import pytest

from tests.scripting.shown import shown

CASES = [
    ("bit.tobit(0xffffffff)", "-1"),
    ("bit.tobit(0xffffffff + 1)", "0"),
    ("bit.tobit(2^40 + 1234)", "1234"),
    ("bit.tobit(-2^31)", "-2147483648"),
    ("bit.tobit(2^31)", "-2147483648"),
    ("bit.tobit(0.5), bit.tobit(1.5), bit.tobit(-0.5), bit.tobit(2.5)", "0, 2, 0, 2"),
    ("bit.tobit(2^51), bit.tobit(2^53 + 2), bit.tobit(2^60 + 2^20), bit.tobit(-2^52 - 2^51 - 3)", "0, 1, 4096, 0"),
    ("bit.tobit(1/0), bit.tobit(-1/0), bit.tobit(0/0), bit.tobit(1e300)", "0, 0, 0, -2013235812"),
    ('bit.tobit("12"), bit.tobit("0x10")', "12, 16"),
    ("bit.bnot(0), bit.bnot(0x12345678)", "-1, -305419897"),
    ("bit.band(0x12345678, 0xff)", "120"),
    ("bit.band(1), bit.bor(1), bit.bxor(1)", "1, 1, 1"),
    ("bit.bor(1, 2, 4, 8)", "15"),
    ("bit.bxor(0xa5a5f0f0, 0xaa55ff00)", "267390960"),
    ("bit.band(-1, 2^31), bit.bor(-2^31, 1), bit.bxor(-1, 1)", "-2147483648, -2147483647, -2"),
    ("bit.lshift(1, 0), bit.lshift(1, 8), bit.lshift(1, 40), bit.lshift(0x87654321, 12)", "1, 256, 256, 1412567040"),
    ("bit.rshift(256, 8), bit.rshift(-256, 8), bit.rshift(1, -1)", "1, 16777215, 0"),
    ("bit.arshift(256, 8), bit.arshift(-256, 8), bit.arshift(-1, 31)", "1, -1, -1"),
    ("bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.rol(1, -1)", "1164411171, 1736516421, -2147483648"),
    ("bit.bswap(0x12345678), bit.bswap(0x78563412)", "2018915346, 305419896"),
    ("bit.tohex(1), bit.tohex(-1), bit.tohex(0x87654321)", '"00000001", "ffffffff", "87654321"'),
    (
        "bit.tohex(0xabcdef, 4), bit.tohex(0xabcdef, -4), bit.tohex(-1, 0), bit.tohex(-1, 100), bit.tohex(-1, -2^31)",
        '"cdef", "CDEF", "", "ffffffff", "FFFFFFFF"',
    ),
    ("bit.tobit()", "! bad argument #1 to 'tobit' (number expected, got no value)"),
    ("bit.tobit(nil)", "! bad argument #1 to 'tobit' (number expected, got nil)"),
    ("bit.tobit({})", "! bad argument #1 to 'tobit' (number expected, got table)"),
    ('bit.band(1, 2, "x")', "! bad argument #3 to 'band' (number expected, got string)"),
    ("bit.band({}, nil)", "! bad argument #1 to 'band' (number expected, got table)"),
    ("bit.lshift(1)", "! bad argument #2 to 'lshift' (number expected, got no value)"),
    ("bit.tohex(1, nil)", "! bad argument #2 to 'tohex' (number expected, got nil)"),
    ("bit:band(1)", "! calling 'band' on bad self (number expected, got table)"),
    ("pcall(bit.band)", "false, \"bad argument #1 to '?' (number expected, got no value)\""),
    (
        "local band = bit.band local result = band() return result",
        "! bad argument #1 to 'band' (number expected, got no value)",
    ),
]


@pytest.mark.parametrize(("source", "answer"), CASES)
def test_bit(source: str, answer: str) -> None:
    assert shown(source) == answer


def test_bits_are_those_of_python() -> None:
    words = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x12345678, 0x0F0F0F0F, 0xAAAAAAAA]

    def signed(word: int) -> int:
        return (word + 0x80000000) % 0x100000000 - 0x80000000

    for x in words:
        for y in words:
            both = f"({x}, {y})"
            wanted = ", ".join(str(signed(word)) for word in (x & y, x | y, x ^ y))
            assert shown(f"bit.band{both}, bit.bor{both}, bit.bxor{both}") == wanted
