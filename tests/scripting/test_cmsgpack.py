"""cmsgpack: the shortest forms, tables, streams, hostile and truncated input. As Redis 7.0 and Valkey 8.0 answer."""

from __future__ import annotations

import pytest

from tests.scripting.shown import shown

PACKED = [
    ("cmsgpack.pack(nil)", '"c0"'),
    ("cmsgpack.pack(true)", '"c3"'),
    ("cmsgpack.pack(false)", '"c2"'),
    ("cmsgpack.pack(0)", '"00"'),
    ("cmsgpack.pack(127)", '"7f"'),
    ("cmsgpack.pack(128)", '"cc80"'),
    ("cmsgpack.pack(255)", '"ccff"'),
    ("cmsgpack.pack(256)", '"cd0100"'),
    ("cmsgpack.pack(65535)", '"cdffff"'),
    ("cmsgpack.pack(65536)", '"ce00010000"'),
    ("cmsgpack.pack(2^32 - 1)", '"ceffffffff"'),
    ("cmsgpack.pack(2^32)", '"cf0000000100000000"'),
    ("cmsgpack.pack(2^53)", '"cf0020000000000000"'),
    ("cmsgpack.pack(2^63)", '"ca5f000000"'),
    ("cmsgpack.pack(-1)", '"ff"'),
    ("cmsgpack.pack(-32)", '"e0"'),
    ("cmsgpack.pack(-33)", '"d0df"'),
    ("cmsgpack.pack(-128)", '"d080"'),
    ("cmsgpack.pack(-129)", '"d1ff7f"'),
    ("cmsgpack.pack(-32768)", '"d18000"'),
    ("cmsgpack.pack(-32769)", '"d2ffff7fff"'),
    ("cmsgpack.pack(-2^31)", '"d280000000"'),
    ("cmsgpack.pack(-2^31 - 1)", '"d3ffffffff7fffffff"'),
    ("cmsgpack.pack(-2^63)", '"d38000000000000000"'),
    ("cmsgpack.pack(-0)", '"00"'),
    ("cmsgpack.pack(0.5)", '"ca3f000000"'),
    ("cmsgpack.pack(0.1)", '"cb3fb999999999999a"'),
    ("cmsgpack.pack(1e300)", '"cb7e37e43c8800759c"'),
    ("cmsgpack.pack(1/0)", '"ca7f800000"'),
    ("cmsgpack.pack(0/0)", '"cbfff8000000000000"'),
    ('cmsgpack.pack("abc")', '"a3616263"'),
    ('cmsgpack.pack(("x"):rep(31))', '"bf78787878787878787878787878787878787878787878787878787878787878"'),
    ("cmsgpack.pack({})", '"90"'),
    ("cmsgpack.pack({1, 2, 3})", '"93010203"'),
    ("cmsgpack.pack({1, nil, 3})", '"8201010303"'),
    ("cmsgpack.pack({a = 1})", '"81a16101"'),
    ("cmsgpack.pack({[0] = 1})", '"810001"'),
    ("cmsgpack.pack({[1.5] = 1})", '"81ca3fc0000001"'),
    ("cmsgpack.pack({[2^31] = 1})", '"81ce8000000001"'),
    ("cmsgpack.pack(cjson.null)", '"c0"'),
    ("cmsgpack.pack(type)", '"c0"'),
    ('cmsgpack.pack(1, "a", {true})', '"01a16191c3"'),
]

UNPACKED = [
    (b"\x00\x7f\xe0\xff", "0, 127, -32, -1"),
    (b"\xcc\xff\xd0\xff", "255, -1"),
    (b"\xcd\xff\xff\xd1\xff\xff", "65535, -1"),
    (b"\xce\xff\xff\xff\xff\xd2\xff\xff\xff\xff", "4294967295, -1"),
    (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "-1"),
    (b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9.2233720368547758e+18"),
    (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9.2233720368547758e+18"),
    (b"\xcf\x00 \x00\x00\x00\x00\x00\x01", "9007199254740992"),
    (b"\xca?\xc0\x00\x00", "1.5"),
    (b"\xca\x00\x00\x00\x01", "1.4012984643248171e-45"),
    (b"\xcb?\xb9\x99\x99\x99\x99\x99\x9a", "0.10000000000000001"),
    (b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "inf"),
    (b"\xc0\xc2\xc3", "nil, false, true"),
    (b"\xa3abc\xd9\x01x\xda\x00\x01y\xdb\x00\x00\x00\x01z", '"abc", "x", "y", "z"'),
    (b"\x93\x01\xc0\x03", "{[1]=1 [3]=3}"),
    (b"\xdc\x00\x01\x05\xdd\x00\x00\x00\x01\x06", "{[1]=5}, {[1]=6}"),
    (b"\x82\xa1a\x01\x02\xa1b", '{["a"]=1 [2]="b"}'),
    (b"\xde\x00\x01\x01\x02\xdf\x00\x00\x00\x01\x03\x04", "{[1]=2}, {[3]=4}"),
    (b"\x81\xc0\x01", "table index is nil"),
    (b"\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01", "table index is NaN"),
    (b"\x81\x01\xc0", "{}"),
    (b"\xc1", "! Bad data format in input."),
    (b"\xc4\x01x", "! Bad data format in input."),
    (b"\xd4\x00\x00", "! Bad data format in input."),
    (b"\xcc", "! Missing bytes in input."),
    (b"\xcd\x01", "! Missing bytes in input."),
    (b"\xce\x01\x02\x03", "! Missing bytes in input."),
    (b"\xcf\x01\x01\x01\x01\x01\x01\x01", "! Missing bytes in input."),
    (b"\xca\x01", "! Missing bytes in input."),
    (b"\xcb\x01", "! Missing bytes in input."),
    (b"\xa5abcd", "! Missing bytes in input."),
    (b"\xd9", "! Missing bytes in input."),
    (b"\xd9\x05abcd", "! Missing bytes in input."),
    (b"\xda\x00", "! Missing bytes in input."),
    (b"\xdb\xff\xff\xff\xffabc", "! Missing bytes in input."),
    (b"\xdd\xff\xff\xff\xff", "! Missing bytes in input."),
    (b"\xdf\xff\xff\xff\xff\x01", "! Missing bytes in input."),
    (b"\xdc\x00", "! Missing bytes in input."),
    (b"\x91", "! Missing bytes in input."),
    (b"\x81\x01", "! Missing bytes in input."),
]

CASES = [
    (
        '#cmsgpack.pack(("x"):rep(32)), #cmsgpack.pack(("x"):rep(256)), #cmsgpack.pack(("x"):rep(65536))',
        "34, 259, 65541",
    ),
    ("local t = {} for i = 1, 16 do t[i] = 1 end local x = cmsgpack.pack(t) return #x, x:byte(1, 3)", "19, 220, 0, 16"),
    (
        "local t = {} for i = 1, 65536 do t[i] = 1 end local x = cmsgpack.pack(t) return #x, x:byte(1, 5)",
        "65541, 221, 0, 1, 0, 0",
    ),
    ("local t = {} for i = 0, 15 do t[i] = 1 end local x = cmsgpack.pack(t) return #x, x:byte(1, 3)", "35, 222, 0, 16"),
    (
        "local t = 1 for i = 1, 20 do t = {t} end local x = cmsgpack.pack(t) return x",
        '"\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\145\\192"',
    ),
    ("local t = {} t.t = t local x = cmsgpack.pack(t) return #x, x:sub(-3)", '49, "\\161t\\192"'),
    ('cmsgpack.unpack("\\1\\2\\3")', "1, 2, 3"),
    ('cmsgpack.unpack("")', ""),
    ('cmsgpack.unpack_one("\\1\\2\\3")', "1, 1"),
    ('cmsgpack.unpack_one("\\1\\2\\3", 2)', "-1, 3"),
    ('cmsgpack.unpack_one("\\1\\2\\3", 3)', "-1"),
    ('cmsgpack.unpack_limit("\\1\\2\\3", 2)', "2, 1, 2"),
    ('cmsgpack.unpack_limit("\\1\\2\\3", 2, 1)', "-1, 2, 3"),
    ('cmsgpack.unpack_limit("\\1\\2\\3", 0, 0)', "1, 2, 3"),
    ('cmsgpack.unpack_limit("\\1\\2\\3", 0, 1)', "1"),
    ('cmsgpack.unpack_limit("\\1\\2\\3", 2^40, 1)', "-1, 2, 3"),
    ("cmsgpack.pack()", "! bad argument #0 to 'pack' (MessagePack pack needs input.)"),
    ("cmsgpack.unpack()", "! bad argument #1 to 'unpack' (string expected, got no value)"),
    ("cmsgpack.unpack({})", "! bad argument #1 to 'unpack' (string expected, got table)"),
    ("cmsgpack.unpack(12)", "49, 50"),
    ('cmsgpack.unpack_one("\\1", "x")', "! bad argument #2 to 'unpack_one' (number expected, got string)"),
    ('cmsgpack.unpack_one("\\1", -1)', "! Invalid request to unpack with offset of -1 and limit of 1."),
    ('cmsgpack.unpack_one("\\1", 2)', "! Start offset 2 greater than input length 1."),
    ('cmsgpack.unpack_limit("\\1")', "! bad argument #2 to 'unpack_limit' (number expected, got no value)"),
    ('cmsgpack.unpack_limit("\\1", -1)', "! Invalid request to unpack with offset of 0 and limit of 1."),
    (
        "cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._DESCRIPTION",
        '"cmsgpack", "lua-cmsgpack 0.4.0", "MessagePack C implementation for Lua"',
    ),
]

HOSTILE = [
    ('local x = cmsgpack.unpack(("\\145"):rep(3000) .. "\\1") return type(x)', '"table"'),
    (
        'local x = cmsgpack.unpack(("\\145"):rep(100000)) return type(x)',
        "! stack overflow (in function mp_decode_to_lua_array)",
    ),
    (
        'local x = cmsgpack.unpack(("\\129\\1"):rep(100000)) return type(x)',
        "! stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
    (
        'local x = cmsgpack.unpack(("\\129"):rep(100000)) return type(x)',
        "! stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
    ('select("#", cmsgpack.unpack(("\\1"):rep(7000)))', "7000"),
    (
        'select("#", cmsgpack.unpack(("\\1"):rep(9000)))',
        "! stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
]

HEX = 'local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end '


@pytest.mark.parametrize(("source", "answer"), PACKED)
def test_pack(source: str, answer: str) -> None:
    assert shown(f"{HEX} local packed = {source} return hex(packed)") == answer


@pytest.mark.parametrize(("data", "answer"), UNPACKED)
def test_unpack(data: bytes, answer: str) -> None:
    assert shown("cmsgpack.unpack(ARGV[1])", data) == answer


@pytest.mark.parametrize(("source", "answer"), CASES)
def test_cmsgpack(source: str, answer: str) -> None:
    assert shown(source) == answer


@pytest.mark.parametrize(("source", "answer"), HOSTILE)
def test_hostile_input(source: str, answer: str) -> None:
    assert shown(source) == answer
