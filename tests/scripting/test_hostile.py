"""What is hostile, in a process of its own: it may err as it likes, but the process lives, and the next script runs."""

from __future__ import annotations

import pytest

from tests.scripting.apart import KILLED, outcome, outcomes

MEMORY = "not enough memory"
# Whoever is to be killed runs until then; all others end by themselves, however slow the machine.
HOSTILE = {
    "loop": ("while true do end", KILLED),
    "loop and pcall": ("while true do pcall(function() while true do end end) end", KILLED),
    "loop and xpcall": (
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        KILLED,
    ),
    "loop in a coroutine": ("coroutine.wrap(function() while true do end end)()", KILLED),
    "loop in coroutines and pcall": (
        "local function f() while true do pcall(function() while true do end end) end end "
        "while true do coroutine.resume(coroutine.create(f)) end",
        KILLED,
    ),
    "loop in a metamethod": (
        "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
        KILLED,
    ),
    "loop in a sort": (
        "local t = {} for i = 1, 9 do t[i] = i end table.sort(t, function() while true do end end)",
        KILLED,
    ),
    "loop in gsub": ("string.gsub('x', '.', function() while true do end end)", KILLED),
    "loop in load": ("load(function() while true do end end)", KILLED),
    "calls for ever": ("while true do redis.call('ping') end", KILLED),
    "recursion": ("local function f() return 1 + f() end return f()", "stack overflow"),
    "recursion and pcall": ("local function f() return pcall(f) end return tostring(f())", "true"),
    "recursion of coroutines": ("local function f() return coroutine.wrap(f)() end return f()", "C stack overflow"),
    "recursion by gsub": ("local function f() return (string.gsub('x', 'x', f)) end return f()", "C stack overflow"),
    "recursion by a metamethod": (
        "local t = {} setmetatable(t, {__index = function(t, k) return t[k .. 'x'] end}) return t.x",
        "stack overflow",
    ),
    "recursion by tostring": (
        "local t = {} setmetatable(t, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
        "stack overflow",
    ),
    "memory in a string": ("local s = 'x' while true do s = s .. s end", MEMORY),
    "memory in a table": ("local t = {} while true do t[#t + 1] = {} end", MEMORY),
    "memory and pcall": (
        "local t = {} while true do pcall(function() t[#t + 1] = string.rep('x', 1e7) .. #t end) end",
        KILLED,
    ),
    "huge rep": ("return string.rep('x', 2 ^ 40)", MEMORY),
    "huge rep of much": ("local s = string.rep('x', 1e6) return #s:rep(1e6)", MEMORY),
    "huge concat": (
        "local s = string.rep('x', 1e3) local t = {} for i = 1, 2000 do t[i] = s:rep(1e3) end return #table.concat(t)",
        MEMORY,
    ),
    "concat of a huge range": ("return table.concat({}, 'x', 1, 2 ^ 31 - 1)", "invalid value"),
    "huge unpack": ("return unpack({}, 1, 1e9)", "too many results to unpack"),
    "unpack beyond integers": ("return unpack({}, -2 ^ 31, 2 ^ 31 - 1)", "too many results to unpack"),
    "unpack at the end of integers": ("return unpack({}, 2 ^ 31 - 2, 2 ^ 31 - 1)", "None"),
    "huge format": ("return string.format('%999999999d', 1)", "invalid format"),
    "format of much": ("local s = string.rep('x', 5e8) return #string.format('%s%s%s', s, s, s)", MEMORY),
    "huge byte": ("return string.byte(string.rep('x', 1e7), 1, -1)", "string slice too long"),
    "many arguments": ("local t = {} for i = 1, 7000 do t[i] = 'x' end return redis.call('mget', unpack(t))", "list"),
    "a pattern of powers": ("return string.find(string.rep('a', 1e5), '.-.-.-.-.-b')", KILLED),
    "a pattern of many parts": (
        "return string.find(string.rep('a', 1e5), string.rep('a?', 1e5) .. 'b')",
        "pattern too complex",
    ),
    "a pattern of doublings": (
        "return string.find(string.rep('a', 60), string.rep('a?', 60) .. string.rep('a', 60) .. 'b')",
        KILLED,
    ),
    "gsub of powers": ("return string.gsub(string.rep('a', 1e5), '.-.-.-.-b', 'x')", KILLED),
    "a long class": ("return string.find(string.rep('a', 1e4), '[' .. string.rep('b', 1e6) .. ']*c')", KILLED),
    "a huge gsub": ("return #string.gsub(string.rep('x', 1e5), '.', string.rep('y', 1e5))", MEMORY),
    "a cyclic table": ("local t = {} t[1] = t return t", "reached lua stack limit"),
    "a cycle of maps": ("local t = {} t.map = {a = t} return t", "reached lua stack limit"),
    "a wide table": ("local t = {} for i = 1, 1e6 do t[i] = i end return t", "list"),
    "deep parentheses": (
        "return loadstring('return ' .. string.rep('(', 1e5) .. '1' .. string.rep(')', 1e5))",
        "None",
    ),
    "deep tables": ("return loadstring('return ' .. string.rep('{', 1e5) .. string.rep('}', 1e5))", "None"),
    "many constants": (
        "local t = {} for i = 1, 3e5 do t[i] = '\"' .. i .. '\"' end "
        "return loadstring('return {' .. table.concat(t, ',') .. '}')",
        "None",
    ),
    "deep cjson": ("return cjson.decode(string.rep('[', 1e6))", "too many nested data structures"),
    "deep cmsgpack": ("return cmsgpack.unpack(string.rep('\\145', 1e6))", "stack overflow"),
    "cyclic cjson": ("local t = {} t[1] = t return cjson.encode(t)", "nesting"),
    "cyclic cmsgpack": ("local t = {} t[1] = t return #cmsgpack.pack(t)", "17"),
    "huge struct": ("return struct.pack('c2147483647', 'x')", "string too short"),
    "struct beyond": ("return struct.unpack('I', 'xxxxxxxx', 2 ^ 31 - 1)", "data string too short"),
    "collecting": ("collectgarbage('stop') for i = 1, 3e6 do local t = {} end return 1", "1"),
    "an error of itself": ("local t = {} t.err = t error(t)", "ERR unknown error"),
    "an error without text": ("error(nil)", "-ERR nil "),
    "an error of a frozen table": ("error(redis)", "-ERR unknown error "),
    "a handler that errs": ("xpcall(function() error('x') end, function() error('y') end) return 1", "1"),
    "finalizers": (
        "local t = setmetatable({}, {__gc = function() while true do end end}) t = nil collectgarbage() return 1",
        "1",
    ),
    "a large text of an error": ("error(string.rep('x', 5e7))", "-ERR user_script:1: xxx"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scripts(name: str) -> None:
    script, expected = HOSTILE[name]
    assert expected in outcome(script, kills=expected == KILLED)


# Where Lua's memory is full, what Python pushes there ends the process or hangs it, unless its size is known before

FILL = "local function fill() local t, s = {}, string.rep('x', 1e6) for n = 1, 400 do t[n] = n .. s end return t end "
FULL = f"{FILL} local kept = fill() "
FULL_LIBRARY = f"""#!lua name=full
local kept
{FILL}
redis.register_function('fill', function() kept = fill() return #kept end)
redis.register_function('add', function(keys, args) kept[#kept + 1] = args[1] .. #kept return #kept end)
"""
LARGE = ["SET", "large", ["x", 150_000_000]]
REFUSED = "-ERR not enough memory"


class Starts:
    """Equal to the texts that start so."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(self.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"{self.text}..."


def test_a_large_reply_for_a_full_lua() -> None:
    caught = "local ok, problem = pcall(redis.call, 'get', 'large') return problem"
    two = "local ok, problem = pcall(redis.call, 'mget', 'large', 'large') return problem"
    again = "for _ = 1, 100 do redis.pcall('get', 'large') end return #kept"
    scripts = ["return redis.call('get', 'large')", caught, two, again]
    text = REFUSED.removeprefix("-")
    assert outcomes(
        LARGE,
        *(["EVAL", FULL + script, "0"] for script in scripts),
        ["EVAL", "return #redis.call('get', 'large')", "0"],
    ) == ["OK", Starts(REFUSED), Starts(text), Starts(text), 400, 150_000_000]


def test_what_nobody_uses_any_more_makes_room() -> None:
    script = "local size = 0 for _ = 1, 50 do size = size + #redis.call('get', 'large') end return size"
    assert outcomes(LARGE, ["EVAL", script, "0"]) == ["OK", 50 * 150_000_000]


def test_many_values_for_a_full_lua() -> None:
    add = (
        "local t = {} for n = 1, 5000 do t[n] = string.rep('x', 200) .. n end "
        "for n = 1, 100 do redis.call('rpush', 'many', unpack(t)) end return redis.call('llen', 'many')"
    )
    all_of_them = "return #redis.call('lrange', 'many', 0, -1)"
    # Around as many as there is room for.
    some = "for n = 2e5, 5e5, 2e4 do pcall(redis.call, 'lrange', 'many', 0, n) end return #kept"
    assert outcomes(
        ["EVAL", add, "0"], ["EVAL", all_of_them, "0"], ["EVAL", FULL + all_of_them, "0"], ["EVAL", FULL + some, "0"]
    ) == [500_000, 500_000, Starts(REFUSED), 400]


def test_large_and_many_arguments_for_a_full_lua() -> None:
    large = ["EVAL", "return #ARGV[1]", "0", ["x", 150_000_000]]
    many = ["EVAL", "return #ARGV", "0", *[["x", 300]] * 500_000]
    *full, library, _, first, second = outcomes(
        ["FUNCTION", "LOAD", FULL_LIBRARY],
        ["FCALL", "fill", "0"],
        large,
        many,
        ["FCALL", "add", "0", ["x", 150_000_000]],
        ["EVAL", "return 1", "0"],
        ["SCRIPT", "LOAD", ["x", 30_000_000]],
        ["FUNCTION", "FLUSH"],
        large,
        many,
    )
    assert full == ["full", 400, Starts(REFUSED), Starts(REFUSED), Starts(REFUSED), 1]
    assert library.startswith("-ERR ")
    assert (first, second) == (150_000_000, 500_000)


def test_a_library_that_keeps_what_it_is_given() -> None:
    """It cannot keep more than there is room for, and goes with all that it kept."""
    loaded, filled, *added, flushed, last = outcomes(
        ["FUNCTION", "LOAD", FULL_LIBRARY],
        ["FCALL", "fill", "0"],
        *[["FCALL", "add", "0", ["x", 20_000_000]]] * 8,
        ["FUNCTION", "FLUSH"],
        ["EVAL", "return #ARGV[1]", "0", ["x", 150_000_000]],
    )
    assert (loaded, filled, added[0]) == ("full", 400, 401)
    assert added[7].startswith(REFUSED)
    assert (flushed, last) == ("OK", 150_000_000)


# Every weakness that scripts of the real servers have had, by its number

READONLY = "Attempt to modify a readonly table"
ABSENT = "Script attempted to access nonexistent global variable"
WEAKNESSES: dict[str, list[tuple[str, str]]] = {
    # Bytecode, which Lua does not verify.
    "CVE-2015-4335": [
        ("return loadstring(string.dump(function() return 1 end))", "None"),
        ("return loadstring('\\27Lua' .. string.rep('\\255', 1000))", "None"),
        ("local once return load(function() if not once then once = 1 return '\\27Lua' end end)", "None"),
        ("local n = 0 return load(function() n = n + 1 return ({'\\27', 'Lua'})[n] end)", "None"),
        ("dofile('/etc/passwd')", ABSENT),
        ("loadfile('/etc/passwd')", ABSENT),
        ("print('x')", ABSENT),
    ],
    # cmsgpack: more values than the stack has room for.
    "CVE-2018-11218": [
        ("return #cmsgpack.pack(unpack({}, 1, 7000))", "7000"),
        ("return cmsgpack.pack(unpack({}, 1, 8001))", "too many results to unpack"),
        ("return cmsgpack.unpack(string.rep('\\1', 1e6))", "stack overflow"),
        ("return cmsgpack.unpack_limit(string.rep('\\1', 1e6), 1e6)", "stack overflow"),
        ("return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes in input"),
        ("return cmsgpack.unpack('\\219\\255\\255\\255\\255x')", "Missing bytes in input"),
    ],
    # struct: sizes that overflow.
    "CVE-2018-11219": [
        ("return struct.pack('I2147483648', 1)", "integral size overflow"),
        ("return struct.pack('I33', 1)", "integral size 33 is larger than limit of 32"),
        ("return struct.pack('>!2147483648i', 1)", "integral size overflow"),
        ("return struct.unpack('c4294967295', 'x')", "integral size overflow"),
        ("return struct.unpack('c2147483647', 'x')", "data string too short"),
        ("return struct.unpack('c99999999999999999999', 'x')", "integral size overflow"),
        ("return struct.unpack('I', 'xxxx', 2 ^ 31)", "data string too short"),
        ("return struct.unpack('I', 'xxxx', -2 ^ 31)", "data string too short"),
        ("return struct.unpack('I', 'xxxx', 2 ^ 63)", "data string too short"),
        ("return struct.size('c2147483647c2147483647c2147483647')", "6442450941"),
    ],
    # More on the stack than there is room for: nested replies and results, and many arguments.
    "CVE-2021-32626": [
        ("local t = {} for _ = 1, 1e5 do t = {t} end return t", "reached lua stack limit"),
        ("local t = {} for _ = 1, 1e5 do t = {map = {a = t}} end return t", "reached lua stack limit"),
        ("return cjson.decode(string.rep('[', 1e5))", "too many nested data structures"),
        ("return cjson.decode(string.rep('{\"a\":', 1e5))", "too many nested data structures"),
        ("return cmsgpack.unpack(string.rep('\\145', 1e5))", "stack overflow"),
        ("local t = {} for _ = 1, 1e5 do t = {t} end return #cmsgpack.pack(t)", "17"),
        ("local function f(n) return n == 0 and redis.call('ping').ok or (f(n - 1)) end return f(1e4)", "PONG"),
        ("local function f() return (f()) end return f()", "stack overflow"),
    ],
    # What one script changes is not there for the next, which may be another user's.
    "CVE-2022-24735": [
        ("redis.call = function() return 'mine' end", READONLY),
        ("rawset(redis, 'call', 1)", READONLY),
        ("_G.tonumber = nil", READONLY),
        ("setmetatable(_G, {__index = function() return 1 end})", READONLY),
        ("table.insert(_G, 1)", READONLY),
        ("getmetatable(_G).__index = 1", READONLY),
        ("string.gsub = nil", READONLY),
        ("cjson.decode = nil", READONLY),
        ("setfenv(1, {})", ABSENT),
        ("return (getfenv())", ABSENT),
        ("return tostring(redis.call) == tostring(redis.call) and type(tonumber('1'))", "number"),
    ],
    # Scripts that the parser stumbles over.
    "CVE-2022-24736": [
        ("return loadstring('')", "None"),
        ("return loadstring('return ' .. string.rep('(', 1e5))", "None"),
        ("return loadstring(string.rep('do ', 1e5))", "None"),
        ("return loadstring('local ' .. string.rep('a,', 300) .. 'a')", "None"),
        ("return loadstring(string.rep('\\0', 1e5))", "None"),
        ("return loadstring('for a = 1, 2 do ' .. string.rep('break ', 2))", "None"),
        ("return loadstring('return ' .. string.rep('function() return ', 300))", "None"),
        ("return loadstring('x = ' .. string.rep('-', 1e5))", "None"),
        ("return loadstring('return ' .. string.rep('a..', 1e5) .. 'a')", "None"),
    ],
    # cjson and cmsgpack: buffers longer than an integer counts.
    "CVE-2022-24834": [
        ("local s = string.rep(string.rep('x', 1e5), 1e3) return #cjson.encode({s, s, s, s, s, s})", MEMORY),
        ("local s = string.rep(string.rep('x', 1e5), 1e3) return #cmsgpack.pack(s, s, s, s, s, s)", MEMORY),
        ("return cjson.decode('[' .. string.rep(' ', 1e6))", "found T_END"),
        ("return cjson.encode({[2 ^ 31 - 1] = 1})", "excessively sparse array"),
    ],
    # bit.tohex: a number of digits of which there is no negative.
    "CVE-2024-31449": [
        ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
        ("return bit.tohex(65535, -2147483647)", "0000FFFF"),
        ("return bit.tohex(65535, 2147483647)", "0000ffff"),
        ("return '<' .. bit.tohex(65535, 2 ^ 53) .. '>'", "<>"),
    ],
    # What the collector runs, or frees while it is in use.
    "CVE-2024-46981": [
        ("newproxy(true)", ABSENT),
        ("setmetatable({}, {__gc = function() error('x') end}) collectgarbage() return 1", "1"),
        (
            "local t = setmetatable({}, {__mode = 'kv'}) for n = 1, 1e4 do t[{}] = {} end collectgarbage() return #t",
            "0",
        ),
        ("for n = 1, 200 do collectgarbage('step', n) loadstring('return ' .. n)() end return 1", "1"),
        ("local co for n = 1, 1e4 do co = coroutine.wrap(function() coroutine.yield(n) end) co() end return 1", "1"),
        ("return redis.call('script', 'flush')", "not allowed from script"),
    ],
    # unpack: a range whose size overflows.
    "CVE-2025-46817": [
        ("return {unpack({1, 2, 3}, -2, 2147483647)}", "too many results to unpack"),
        ("return {unpack({1, 2, 3}, 0, 2147483647)}", "too many results to unpack"),
        ("return {unpack({1, 2, 3}, -2147483648, 2147483647)}", "too many results to unpack"),
        ("return {unpack({1, 2, 3}, -2147483648, -2147483648 + 9000)}", "too many results to unpack"),
        ("return {unpack({1, 2, 3}, 2147483646, 2147483647)}", "list"),
        ("return {unpack({1, 2, 3}, 2147483647, -2147483648)}", "list"),
    ],
    # The metatables that all values of a type have.
    "CVE-2025-46818": [
        ("getmetatable('').__index = function() return 1 end", READONLY),
        ("getmetatable('').__call = function() return 1 end", READONLY),
        ("rawset(getmetatable(''), '__index', 1)", READONLY),
        ("setmetatable(getmetatable(''), {})", READONLY),
        ("return type(getmetatable(1)) .. type(getmetatable(nil)) .. type(getmetatable(true))", "nilnilnil"),
        ("return type(getmetatable(print)) .. type(getmetatable(redis.call))", ABSENT),
        ("return type(getmetatable(redis.call)) .. ('x'):rep(2)", "nilxx"),
        ("return type(getmetatable(coroutine.create(function() end)))", "nil"),
    ],
    # Long brackets: more signs than an integer counts, and such as never end.
    "CVE-2025-46819": [
        ("return loadstring('return [' .. string.rep('=', 1e8))", "None"),
        ("return loadstring('return [' .. string.rep('=', 1e7) .. '[')", "None"),
        ("return loadstring('return [=[x]' .. string.rep('=', 1e7) .. ']')", "None"),
        ("return loadstring('--[' .. string.rep('=', 1e7) .. '[')", "None"),
        ("return loadstring('return [==[\\r\\n]==')", "None"),
        ("local e = string.rep('=', 1e6) return loadstring('return [' .. e .. '[x]' .. e .. ']')()", "x"),
    ],
    # The name of a chunk, collected while the chunk is parsed.
    "CVE-2025-49844": [
        (
            "for n = 1, 300 do local text = string.rep('do local a = {} end ', n) .. 'x x' "
            "local _, problem = loadstring(text, '=chunk' .. n) collectgarbage() "
            "if problem ~= 'chunk' .. n .. \":1: '=' expected near 'x'\" then return problem end end "
            "return 'all named'",
            "all named",
        ),
        (
            "local kept = {} for n = 1, 300 do "
            "kept[n] = loadstring('return function() error(' .. n .. ') end', '=chunk' .. n)() end collectgarbage() "
            "for n = 1, 300 do local _, problem = pcall(kept[n]) "
            "if problem ~= 'chunk' .. n .. ':1: ' .. n then return problem end end return 'all named'",
            "all named",
        ),
    ],
    # CR and LF in errors and status replies. What `outcome` shows is the error's text: see test_no_lines_are_injected.
    "CVE-2025-67733": [
        ("return redis.error_reply('MY a\\r\\n+OK')", "-MY a  +OK"),
        ("return redis.status_reply('a\\r\\n+OK')", "a  +OK"),
        ("error({err = 'MY a\\r\\n+OK'})", "-MY a  +OK"),
        ("error('a\\r\\n+OK', 0)", "-ERR a  +OK"),
        ("return {err = 'MY a\\n\\n+OK'}", "-MY a  +OK"),
    ],
}


@pytest.mark.parametrize("number", WEAKNESSES)
def test_weaknesses_of_the_real_servers(number: str) -> None:
    cases = WEAKNESSES[number]
    shown = map(str, outcomes(*(["EVAL", script, "0"] for script, _ in cases)))
    wrong = [(script, text) for (script, expected), text in zip(cases, shown, strict=True) if expected not in text]
    assert wrong == []
