"""struct: formats, alignment, limits and errors. As Redis 7.0 and Valkey 8.0 answer."""

from __future__ import annotations

import pytest

from tests.scripting.shown import shown

PACKED = [
    ('struct.pack("b", -1)', '"ff"'),
    ('struct.pack("B", 255)', '"ff"'),
    ('struct.pack(">h", 1)', '"0001"'),
    ('struct.pack("<h", 1)', '"0100"'),
    ('struct.pack("h", -32768)', '"0080"'),
    ('struct.pack("H", 65536)', '"0000"'),
    ('struct.pack(">i", 305419896)', '"12345678"'),
    ('struct.pack("<i3", 305419896)', '"785634"'),
    ('struct.pack(">I8", 2^53)', '"0020000000000000"'),
    ('struct.pack(">l", -1)', '"ffffffffffffffff"'),
    ('struct.pack(">L", 2^64 - 2048)', '"fffffffffffff800"'),
    ('struct.pack(">T", 2^64)', '"0000000000000000"'),
    ('struct.pack(">i16", -2)', '"0000000000000000fffffffffffffffe"'),
    ('struct.pack("<i16", -2)', '"feffffffffffffff0000000000000000"'),
    ('struct.pack(">i32", 1)', '"0000000000000000000000000000000000000000000000000000000000000001"'),
    ('struct.pack("i0", 7)', '""'),
    ('struct.pack(">i", 1.9)', '"00000001"'),
    ('struct.pack(">i", -1.9)', '"ffffffff"'),
    ('struct.pack(">l", 0/0)', '"8000000000000000"'),
    ('struct.pack(">l", 1e300)', '"0000000000000000"'),
    ('struct.pack(">l", -1e300)', '"8000000000000000"'),
    ('struct.pack(">f", 1.5)', '"3fc00000"'),
    ('struct.pack("<d", -0.1)', '"9a9999999999b9bf"'),
    ('struct.pack(">f", 1e300)', '"7f800000"'),
    ('struct.pack(">f", 1e-45)', '"00000001"'),
    ('struct.pack(">f", 16777217)', '"4b800000"'),
    ('struct.pack(">d", 5e-324)', '"0000000000000001"'),
    ('struct.pack(">f", 0/0)', '"ffc00000"'),
    ('struct.pack(">d", -1/0)', '"fff0000000000000"'),
    ('struct.pack("s", "abc")', '"61626300"'),
    ('struct.pack("c2", "abc")', '"6162"'),
    ('struct.pack("c0", "abc")', '"616263"'),
    ('struct.pack("c", "abc")', '"61"'),
    ('struct.pack("xbx", 1)', '"000100"'),
    ('struct.pack(">!4 b i", 1, 2)', '"0100000000000002"'),
    ('struct.pack(">!4 bh x i", 1, 2, 3)', '"010000020000000000000003"'),
    ('struct.pack(">!8 bd", 1, 2)', '"01000000000000004000000000000000"'),
    ('struct.pack("> b < h", 1, 2)', '"010200"'),
    ('struct.pack("", 1)', '""'),
    ('struct.pack("b\\0z", 1)', '"01"'),
]

CASES = [
    ('struct.unpack("b", "\\255")', "-1, 2"),
    ('struct.unpack("B", "\\255")', "255, 2"),
    ('struct.unpack(">hH", "\\255\\254\\255\\254")', "-2, 65534, 5"),
    ('struct.unpack("<i3", "\\1\\2\\255")', "-65023, 4"),
    ('struct.unpack(">l", ("\\255"):rep(8))', "-1, 9"),
    ('struct.unpack(">L", ("\\255"):rep(8))', "1.8446744073709552e+19, 9"),
    ('struct.unpack("<l", "\\1\\0\\0\\0\\0\\0\\0\\128")', "-9.2233720368547758e+18, 9"),
    ('struct.unpack("<i16", "\\1" .. ("\\0"):rep(15))', "1, 17"),
    ('struct.unpack(">I16", ("\\0"):rep(15) .. "\\1")', "1, 17"),
    ('struct.unpack("i0", "")', "0, 1"),
    ('struct.unpack(">f", "\\63\\192\\0\\0")', "1.5, 5"),
    ('struct.unpack(">f", "\\0\\0\\0\\1")', "1.4012984643248171e-45, 5"),
    ('struct.unpack(">f", "\\127\\128\\0\\0")', "inf, 5"),
    ('struct.unpack(">d", "\\0\\0\\0\\0\\0\\0\\0\\1")', "4.9406564584124654e-324, 9"),
    ('struct.unpack(">d", "\\255\\240\\0\\0\\0\\0\\0\\0")', "-inf, 9"),
    ('struct.unpack("s", "abc\\0def")', '"abc", 5'),
    ('struct.unpack("ss", "abc\\0def\\0")', '"abc", "def", 9'),
    ('struct.unpack("bc0", "\\3abcdef")', '"abc", 5'),
    ('struct.unpack("c2xb", "abcd")', '"ab", 100, 5'),
    ('struct.unpack("b", "abc", 3)', "99, 4"),
    ('struct.unpack("", "abc", 2)', "2"),
    ('struct.unpack(">!4 b i", "\\1\\0\\0\\0\\0\\0\\0\\2")', "1, 2, 9"),
    (
        'struct.size("b"), struct.size("!4bi"), struct.size("hxd"), struct.size("c10"), struct.size("z")',
        "1, 8, 11, 10, 0",
    ),
    ('#{struct.unpack(("b"):rep(7000), ("x"):rep(7000))}', "7001"),
    ('struct.unpack(("b"):rep(9000), ("x"):rep(9000))', "! stack overflow (too many results)"),
]

ERRORS = [
    ("struct.pack()", "! bad argument #1 to 'pack' (string expected, got no value)"),
    ('struct.pack("i")', "! bad argument #2 to 'pack' (number expected, got nil)"),
    ('struct.pack("i", {})', "! bad argument #2 to 'pack' (number expected, got table)"),
    ('struct.pack("ii", 1)', "! bad argument #3 to 'pack' (number expected, got nil)"),
    ('struct.pack("s", nil)', "! bad argument #2 to 'pack' (string expected, got nil)"),
    ('struct.pack("z", 1)', "! bad argument #1 to 'pack' (invalid format option 'z')"),
    ('struct.pack("%", 1)', "! bad argument #1 to 'pack' (invalid format option '%')"),
    ('struct.pack("i33", 1)', "! integral size 33 is larger than limit of 32"),
    ('struct.pack("i99999999999", 1)', "! integral size overflow"),
    ('struct.pack("!3i", 1)', "! alignment 3 is not a power of 2"),
    ('struct.pack("!0i", 1)', "! alignment 0 is not a power of 2"),
    ('struct.pack("c5", "abc")', "! bad argument #3 to 'pack' (string too short)"),
    ('struct.pack("c4294967296", "abc")', "! integral size overflow"),
    ('struct.unpack("i")', "! bad argument #2 to 'unpack' (string expected, got no value)"),
    ('struct.unpack("i", "abc")', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("i", "abcd", 0)', "! bad argument #3 to 'unpack' (offset must be 1 or greater)"),
    ('struct.unpack("i", "abcd", -1)', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("i", "abcd", 2)', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("b", "abcd", 2^40)', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("s", "abc")', "! unfinished string in data"),
    ('struct.unpack("c0", "abc")', "! format 'c0' needs a previous size"),
    ('struct.unpack("bc0", "\\127abc")', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("bc0", "\\255abc")', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("c2147483647", "abc")', "! bad argument #2 to 'unpack' (data string too short)"),
    ('struct.unpack("c99999999999", "abc")', "! integral size overflow"),
    ('struct.unpack("z", "abc")', "! bad argument #1 to 'unpack' (invalid format option 'z')"),
    ('struct.size("s")', "! bad argument #1 to 'size' (option 's' has no fixed size)"),
    ('struct.size("c0")', "! bad argument #1 to 'size' (option 'c0' has no fixed size)"),
    ('struct.size("%")', "! bad argument #1 to 'size' (invalid format option '%')"),
    ('struct.size("i33")', "! integral size 33 is larger than limit of 32"),
    ("struct.size()", "! bad argument #1 to 'size' (string expected, got no value)"),
    ('pcall(struct.pack, "i", "x")', "false, \"bad argument #2 to '?' (number expected, got string)\""),
]

HEX = 'local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end '


@pytest.mark.parametrize(("source", "answer"), PACKED)
def test_pack(source: str, answer: str) -> None:
    assert shown(f"{HEX} local packed = {source} return hex(packed)") == answer


@pytest.mark.parametrize(("source", "answer"), CASES)
def test_unpack(source: str, answer: str) -> None:
    assert shown(source) == answer


@pytest.mark.parametrize(("source", "answer"), ERRORS)
def test_errors(source: str, answer: str) -> None:
    assert shown(source) == answer
