"""cjson: what is read and written, settings, errors, nesting. As Redis 7.0 and Valkey 8.0 answer."""

from __future__ import annotations

import pytest

from tests.scripting.shown import shown

DECODED = [
    (b"", "! Expected value but found T_END at character 1"),
    (b"{}", "{}"),
    (b'[1,2.5,-3e2,"x",true,false,null]', '{[1]=1 [2]=2.5 [3]=-300 [4]="x" [5]=true [6]=false [7]=userdata: (nil)}'),
    (b'{"a":{"b":[1]},"":2}', '{[""]=2 ["a"]={["b"]={[1]=1}}}'),
    (b" \t\r\n[ 1 , { } ] \n", "{[1]=1 [2]={}}"),
    (b'{"a":1,"a":2}', '{["a"]=2}'),
    (
        b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u0000"',
        '""\\/\\008\\012\\010\\013\\009A\\195\\169\\226\\130\\172\\240\\159\\152\\128\\000"',
    ),
    (b'"\xc3\xa9\xff\x01"', '"\\195\\169\\255\\001"'),
    (b"123456789012345678901234567890", "1.2345678901234568e+29"),
    (b"1e400", "inf"),
    (b"-0", "-0"),
    (b"01", "1"),
    (b"0x1F", "31"),
    (b"0x1p3", "8"),
    (b"-.5", "-0.5"),
    (b"1.", "1"),
    (b"1.e3", "1000"),
    (b"+1", "1"),
    (b"nan", "nan"),
    (b"-Infinity", "-inf"),
    (b"nan(abc)", "nan"),
    (b"INF", "inf"),
    (b"1\x00garbage", "! JSON parser does not support UTF-16 or UTF-32"),
    (b"[1", "! Expected comma or array end but found T_END at character 3"),
    (b"[1,]", "! Expected value but found T_ARR_END at character 4"),
    (b"[,]", "! Expected value but found T_COMMA at character 2"),
    (b"[1 2]", "! Expected comma or array end but found T_NUMBER at character 4"),
    (b"[1 true]", "! Expected comma or array end but found T_BOOLEAN at character 4"),
    (b"[1 null]", "! Expected comma or array end but found T_NULL at character 4"),
    (b"[1 nan]", "! Expected comma or array end but found T_NUMBER at character 4"),
    (b'[1 "a"]', "! Expected comma or array end but found T_STRING at character 4"),
    (b"[1 :", "! Expected comma or array end but found T_COLON at character 4"),
    (b"[1}", "! Expected comma or array end but found T_OBJ_END at character 3"),
    (b'{"a"', "! Expected colon but found T_END at character 5"),
    (b'{"a" 1}', "! Expected colon but found T_NUMBER at character 6"),
    (b'{"a":}', "! Expected value but found T_OBJ_END at character 6"),
    (b'{"a":1,}', "! Expected object key string but found T_OBJ_END at character 8"),
    (b"{a:1}", "! Expected object key string but found invalid token at character 2"),
    (b"{1:1}", "! Expected object key string but found T_NUMBER at character 2"),
    (b'{"a":1 "b":2}', "! Expected comma or object end but found T_STRING at character 8"),
    (b'"abc', "! Expected value but found unexpected end of string at character 5"),
    (b'"a\x00b"', "! Expected value but found unexpected end of string at character 3"),
    (b'"a\\q"', "! Expected value but found invalid escape code at character 3"),
    (b'"\\u12"', "! Expected value but found invalid unicode escape code at character 2"),
    (b'"\\ud83d"', "! Expected value but found invalid unicode escape code at character 2"),
    (b'"\\ude00"', "! Expected value but found invalid unicode escape code at character 2"),
    (b'"\\ud83d\\u0041"', "! Expected value but found invalid unicode escape code at character 2"),
    (b'["a" "\\q"]', "! Expected comma or array end but found invalid escape code at character 7"),
    (b'{"\\q":1}', "! Expected object key string but found invalid escape code at character 3"),
    (b"tru", "! Expected value but found invalid token at character 1"),
    (b"True", "! Expected value but found invalid token at character 1"),
    (b"nul", "! Expected value but found invalid token at character 1"),
    (b"-", "! Expected value but found invalid number at character 1"),
    (b"+", "! Expected value but found invalid number at character 1"),
    (b"0x", "! Expected the end but found invalid token at character 2"),
    (b"1 2", "! Expected the end but found T_NUMBER at character 3"),
    (b"a", "! Expected value but found invalid token at character 1"),
    (b"\x00\x00", "! JSON parser does not support UTF-16 or UTF-32"),
    (b"1\x00", "! JSON parser does not support UTF-16 or UTF-32"),
    (b"]", "! Expected value but found T_ARR_END at character 1"),
    (b"[@]", "! Expected value but found invalid token at character 2"),
    (b'{"a":[{"b":@}]}', "! Expected value but found invalid token at character 12"),
]

ENCODED = [
    ("cjson.encode({})", '"{}"'),
    ("cjson.encode({1, 2, 3})", '"[1,2,3]"'),
    ("cjson.encode({1, nil, 3})", '"[1,null,3]"'),
    ("cjson.encode({a = 1})", '"{"a":1}"'),
    ("cjson.encode({1, 2, a = 3})", '"{"1":1,"2":2,"a":3}"'),
    ("cjson.encode({[1] = 1, [3] = 3})", '"[1,null,3]"'),
    ("cjson.encode({[10] = 1})", '"[null,null,null,null,null,null,null,null,null,1]"'),
    ("cjson.encode({[11] = 1})", "! Cannot serialise table: excessively sparse array"),
    ("cjson.encode({[1.5] = 1})", '"{"1.5":1}"'),
    ("cjson.encode({[0] = 1})", '"{"0":1}"'),
    ("cjson.encode({[-1] = 1})", '"{"-1":1}"'),
    ("cjson.encode({[2^31] = 1})", '"{"2147483648":1}"'),
    ("cjson.encode({[true] = 1})", "! Cannot serialise boolean: table key must be a number or string"),
    ("cjson.encode({[{}] = 1})", "! Cannot serialise table: table key must be a number or string"),
    ("cjson.encode(nil)", '"null"'),
    ("cjson.encode(true)", '"true"'),
    ('cjson.encode("a/b\\"c\\\\d\\n\\0\\1\\127\\200")', '""a\\/b\\"c\\\\d\\n\\u0000\\u0001\\u007f\\200""'),
    ('cjson.encode({["k\\"/"] = 1})', '"{"k\\"\\/":1}"'),
    ("cjson.encode({1, {2, {3}}})", '"[1,[2,[3]]]"'),
    ("cjson.encode(cjson.null)", '"null"'),
    ("cjson.encode({cjson.null})", '"[null]"'),
    ("cjson.encode(function() end)", "! Cannot serialise function: type not supported"),
    ("cjson.encode({f = type})", "! Cannot serialise function: type not supported"),
    ("cjson.encode(1/0)", "! Cannot serialise number: must not be NaN or Inf"),
    ("cjson.encode(0/0)", "! Cannot serialise number: must not be NaN or Inf"),
    ("cjson.encode({[1/0] = 1})", "! Cannot serialise number: must not be NaN or Inf"),
    ("cjson.encode(0.1)", '"0.1"'),
    ("cjson.encode(1/3)", '"0.33333333333333"'),
    ("cjson.encode(100)", '"100"'),
    ("cjson.encode(1e14)", '"1e+14"'),
    ("cjson.encode(123456789012345)", '"1.2345678901234e+14"'),
    ("cjson.encode(1e100)", '"1e+100"'),
    ("cjson.encode(-0)", '"-0"'),
    ("cjson.encode(setmetatable({nil, 2}, {__index = function() return 1 end}))", ""),
]

SETTINGS = [
    ("local j = cjson.new() j.encode_sparse_array(true) local x = j.encode({[11] = 1}) return x", '"{"11":1}"'),
    (
        "local j = cjson.new() j.encode_sparse_array(false, 0) local x = j.encode({[12] = 1}) return x",
        '"[null,null,null,null,null,null,null,null,null,null,null,1]"',
    ),
    (
        "local j = cjson.new() j.encode_sparse_array(true, 1, 1) local x = j.encode({1, nil, 3}) return x",
        '"{"1":1,"3":3}"',
    ),
    (
        "local j = cjson.new() j.encode_number_precision(3) local x = j.encode({1/3, 12345}) return x",
        '"[0.333,1.23e+04]"',
    ),
    ('local j = cjson.new() j.encode_invalid_numbers("null") local x = j.encode({1/0, 0/0}) return x', '"[null,null]"'),
    (
        "local j = cjson.new() j.encode_invalid_numbers(true) local x = j.encode({1/0, -1/0, 0/0}) return x",
        '"[inf,-inf,nan]"',
    ),
    (
        "local j = cjson.new() j.encode_max_depth(2) local x = j.encode({{{}}}) return x",
        "! Cannot serialise, excessive nesting (3)",
    ),
    (
        'local j = cjson.new() j.decode_max_depth(2) local x = j.decode("[[[]]]") return x',
        "! Found too many nested data structures (3) at character 3",
    ),
    (
        'local j = cjson.new() j.decode_invalid_numbers(false) local x = j.decode("01") return x',
        "! Expected value but found invalid number at character 1",
    ),
    (
        'local j = cjson.new() j.decode_invalid_numbers(false) local x = j.decode("nan") return x',
        "! Expected value but found invalid token at character 1",
    ),
    (
        'local j = cjson.new() j.decode_invalid_numbers(false) local x = j.decode("+1") return x',
        "! Expected value but found invalid token at character 1",
    ),
    ("cjson.encode_sparse_array()", "false, 2, 10"),
    ("cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precision()", "1000, 1000, 14"),
    ("cjson.encode_keep_buffer(), cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers()", "true, false, true"),
    ('cjson.new().encode_invalid_numbers("null")', '"null"'),
    ('cjson.new().encode_keep_buffer("off")', "false"),
    ('cjson.new().encode_sparse_array("on", 3, "4")', "true, 3, 4"),
    ("cjson.encode()", "! bad argument #1 to 'encode' (expected 1 argument)"),
    ("cjson.encode(1, 2)", "! bad argument #1 to 'encode' (expected 1 argument)"),
    ("cjson.decode()", "! bad argument #1 to 'decode' (expected 1 argument)"),
    ("cjson.decode({})", "! bad argument #1 to 'decode' (string expected, got table)"),
    ("cjson.decode(12)", "12"),
    (
        "cjson.encode_max_depth(0)",
        "! bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)",
    ),
    ('cjson.encode_max_depth("x")', "! bad argument #1 to 'encode_max_depth' (number expected, got string)"),
    ("cjson.encode_max_depth(1, 2)", "! bad argument #2 to 'encode_max_depth' (found too many arguments)"),
    (
        "cjson.encode_number_precision(15)",
        "! bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)",
    ),
    ('cjson.encode_sparse_array("maybe")', "! bad argument #1 to 'encode_sparse_array' (invalid option 'maybe')"),
    (
        "cjson.encode_sparse_array(true, -1)",
        "! bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
    ),
    (
        "cjson.encode_sparse_array(true, 1, -1)",
        "! bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
    ),
    ("cjson.encode_sparse_array(1, 2, 3, 4)", "! bad argument #4 to 'encode_sparse_array' (found too many arguments)"),
    (
        'cjson.encode_invalid_numbers("sometimes")',
        "! bad argument #1 to 'encode_invalid_numbers' (invalid option 'sometimes')",
    ),
    ('cjson.encode_keep_buffer("null")', "! bad argument #1 to 'encode_keep_buffer' (invalid option 'null')"),
    (
        "cjson._NAME, cjson._VERSION, type(cjson.null), tostring(cjson.null)",
        '"cjson", "2.1.0", "userdata", "userdata: (nil)"',
    ),
    (
        'cjson.null == cjson.decode("null"), cjson.null == nil, not cjson.null, cjson.null == cjson.new().null',
        "true, false, false, true",
    ),
]

NESTING = [
    ("local t = 1 for i = 1, 1000 do t = {t} end local x = cjson.encode(t) return #x", "2001"),
    (
        "local t = 1 for i = 1, 1001 do t = {t} end local x = cjson.encode(t) return #x",
        "! Cannot serialise, excessive nesting (1001)",
    ),
    ("local t = {} t.t = t local x = cjson.encode(t) return #x", "! Cannot serialise, excessive nesting (1001)"),
    ('local t = cjson.decode(("["):rep(1000) .. ("]"):rep(1000)) return type(t)', '"table"'),
    (
        'local t = cjson.decode(("["):rep(1001)) return type(t)',
        "! Found too many nested data structures (1001) at character 1001",
    ),
    (
        "local t = cjson.decode(('{\"a\":'):rep(1001)) return type(t)",
        "! Found too many nested data structures (1001) at character 5001",
    ),
    (
        'local j = cjson.new() j.decode_max_depth(2^31 - 1) local t = j.decode(("["):rep(100000)) return t',
        "! Found too many nested data structures (7999) at character 7999",
    ),
    (
        "local j = cjson.new() j.decode_max_depth(2^31 - 1) local t = j.decode(('{\"a\":'):rep(100000)) return t",
        "! Found too many nested data structures (4000) at character 19996",
    ),
    (
        "local j = cjson.new() j.encode_max_depth(2^31 - 1) local t = {} t[1] = t local x = j.encode(t) return x",
        "! Cannot serialise, excessive nesting (7998)",
    ),
    (
        "local j = cjson.new() j.encode_max_depth(2^31 - 1) local t = {} t.t = t local x = j.encode(t) return x",
        "! Cannot serialise, excessive nesting (4000)",
    ),
]


@pytest.mark.parametrize(("text", "answer"), DECODED)
def test_decode(text: bytes, answer: str) -> None:
    assert shown("cjson.decode(ARGV[1])", text) == answer


@pytest.mark.parametrize(("source", "answer"), ENCODED)
def test_encode(source: str, answer: str) -> None:
    assert shown(source) == answer


@pytest.mark.parametrize(("source", "answer"), SETTINGS)
def test_settings(source: str, answer: str) -> None:
    assert shown(source) == answer


@pytest.mark.parametrize(("source", "answer"), NESTING)
def test_nesting(source: str, answer: str) -> None:
    assert shown(source) == answer


def test_arrays_can_be_told_from_objects() -> None:
    """Of Redis 8.2: the empty array stays one. The mark cannot be changed."""
    setup = "local j = cjson.new() j.decode_array_with_array_mt(true) local a = j.decode('[[],{},[1]]') "
    assert shown(setup + "return j.encode(a), cjson.encode(a[1])") == '"[[],{},[1]]", "[]"'
    assert shown(setup + "return getmetatable(a[1]).__is_cjson_array, getmetatable(a[2])") == "true, nil"
    assert shown(setup + "a[1][1] = 5 return j.encode(a[1])") == '"[5]"'
    assert shown("cjson.decode_array_with_array_mt(), cjson.encode(cjson.decode('[]'))") == 'false, "{}"'
    changed = shown(setup + "getmetatable(a[1]).__is_cjson_array = false return 1")
    assert changed == "! Attempt to modify a readonly table"


def test_many_keys_are_written_as_they_are() -> None:
    """More keys than are kept, and long ones."""
    source = """
    local t = {}
    for i = 1, 2000 do t["key" .. i] = i end
    t[("x"):rep(100)] = 0
    local back = cjson.decode(cjson.encode(t))
    for key, value in pairs(t) do assert(back[key] == value) end
    return back.key1999
    """
    assert shown(source) == "1999"
