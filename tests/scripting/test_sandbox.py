"""The sandbox: what scripts must not reach, as each once went wrong."""

from __future__ import annotations

from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.context import Context
from alcove.engine.declaration import REGISTRY
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.writer import ReplyWriter

READONLY = "Attempt to modify a readonly table"
GLOBALS = """
    ARGV KEYS _G _VERSION __redis__err__handler assert bit cjson cmsgpack collectgarbage coroutine error gcinfo
    getmetatable ipairs load loadstring math next os pairs pcall rawequal rawget rawset redis select server
    setmetatable string struct table tonumber tostring type unpack xpcall
"""


def run(engine: Engine, script: str, *words: bytes) -> Any:
    reply = engine.execute(engine.connect("embedded"), [b"EVAL", script.encode(), b"0", *words])
    return f"-{reply.text}" if isinstance(reply, CommandError) else reply


@pytest.fixture
def engine() -> Engine:
    return Engine()


# What scripts see


def test_globals(engine: Engine) -> None:
    names = run(engine, "local t = {} for name in pairs(_G) do t[#t + 1] = name end table.sort(t) return t")
    assert [name.decode() for name in names] == GLOBALS.split()
    assert run(engine, "local t = {} for name in pairs(os) do t[#t + 1] = name end return t") == [b"clock"]


@pytest.mark.parametrize(
    "name",
    [
        "print",
        "dofile",
        "loadfile",
        "require",
        "module",
        "package",
        "io",
        "debug",
        "newproxy",
        "getfenv",
        "setfenv",
        "python",
        "host",
    ],
)
def test_what_is_absent(engine: Engine, name: str) -> None:
    text = f"-ERR user_script:1: Script attempted to access nonexistent global variable '{name}' script: "
    assert run(engine, f"return {name}").startswith(text)
    assert run(engine, f"return rawget(_G, '{name}')") is None


WRITES = [
    "_G.x = 1",
    "x = 1",
    "rawset(_G, 'x', 1)",
    "redis = {}",
    "redis.call = 1",
    "rawset(redis, 'call', 1)",
    "table.insert(_G, 1)",
    "table.insert(redis, 1, 1)",
    "setmetatable(_G, {})",
    "setmetatable(redis, nil)",
    "getmetatable(_G).__index = 1",
    "string.len = 1",
    "rawset(string, 'len', 1)",
    "math.pi = 3",
    "cjson.encode = 1",
    "getmetatable('').__index = 1",
    "getmetatable('').__gc = 1",
    "getmetatable('').__index.len = 1",
    "rawset(getmetatable(''), '__index', 1)",
    "local f = loadstring('x = 1') f()",
    "coroutine.wrap(function() x = 1 end)()",
]


@pytest.mark.parametrize("script", WRITES)
def test_what_is_shared_cannot_be_changed(engine: Engine, script: str) -> None:
    assert READONLY in run(engine, script)
    caught = f"return {{pcall(function() {script} end)}}"
    assert READONLY.encode() in run(engine, caught)[1]
    assert run(engine, "return {('abc'):len(), type(redis.call), #cjson.encode({}), math.floor(1.5)}") == [
        3,
        b"function",
        2,
        1,
    ]


def test_nothing_is_left_for_the_next_script(engine: Engine) -> None:
    run(engine, "KEYS.secret = 'x' ARGV[1] = 'y' math.randomseed(7) return 1")
    assert run(engine, "return {#KEYS, #ARGV, tostring(KEYS.secret)}") == [0, 0, b"nil"]
    run(engine, "pcall(table.sort, _G, function() return true end)")
    run(engine, "pcall(table.remove, string)")
    assert run(engine, "return type(string.rep)") == b"function"


@pytest.mark.parametrize(
    "script",
    [
        "setmetatable('', {})",
        "local m = getmetatable('') setmetatable(m, {})",
        "local t = setmetatable({}, {__metatable = 'locked'}) setmetatable(t, {})",
    ],
)
def test_protected_metatables(engine: Engine, script: str) -> None:
    assert run(engine, script).startswith("-ERR ")


@pytest.mark.parametrize(
    "script",
    [
        "return loadstring(string.dump(function() return 1 end))",
        "return loadstring('\\27Lua')",
        "local done return load(function() if not done then done = true return '\\27Lua' end end)",
        "local part = 0 return load(function() part = part + 1 return ({'\\27', 'Lua'})[part] end)",
    ],
)
def test_bytecode_is_not_loaded(engine: Engine, script: str) -> None:
    assert run(engine, script) is None


def test_no_lines_are_injected(engine: Engine) -> None:
    for script in (
        "return redis.error_reply('MY a\\r\\n+OK')",
        "return {err = 'MY a\\r\\n+OK'}",
        "error({err = 'MY a\\r\\n+OK'})",
        "error('a\\r\\n+OK')",
        "return redis.status_reply('a\\r\\n+OK')",
        "return {ok = 'a\\r\\n+OK'}",
        "return {big_number = '1\\r\\n+OK'}",
        "return {{err = 'MY a\\r\\n+OK'}}",
        "redis.call('no\\r\\nsuch')",
        "return redis.call('get\\r\\n+OK', 'a')",
        "return {verbatim_string = {format = '\\r\\n+', string = 'x'}}",
    ):
        for protocol in (2, 3):
            wire = wire_of(engine, script, protocol)
            assert b"\n+OK" not in wire, (script, wire)
            assert b"\n+:" not in wire, (script, wire)


def wire_of(engine: Engine, script: str, protocol: int) -> bytes:
    out = OutputBuffer()
    session = engine.connect("embedded")
    ReplyWriter(out, protocol).write(engine.execute(session, [b"EVAL", script.encode(), b"0"]))
    return out.take(len(out))


# The interpreter around


def test_no_python_object_is_reached(engine: Engine) -> None:
    script = """
        local seen, found, userdata = {}, 0, {}
        local function walk(value, path)
            local kind = type(value)
            if kind == 'userdata' and value ~= cjson.null then userdata[#userdata + 1] = path end
            if kind ~= 'table' or seen[value] then return end
            seen[value] = true
            found = found + 1
            for key, field in pairs(value) do walk(key, path) walk(field, path .. '.' .. tostring(key)) end
            local metatable = getmetatable(value)
            if type(metatable) == 'table' then walk(metatable, path .. '!') end
        end
        walk(_G, '_G')
        walk(getmetatable(''), 'string')
        return {found > 10 and 1 or 0, userdata}
    """
    assert run(engine, script) == [1, []]


@pytest.mark.parametrize(
    "value",
    ["redis.call", "redis.sha1hex", "redis.log", "redis.setresp", "pcall", "string.find", "cjson.encode", "load"],
)
def test_functions_have_no_attributes(engine: Engine, value: str) -> None:
    for name in ("__globals__", "__class__", "__self__", "__init__"):
        assert run(engine, f"return {value}.{name}").startswith("-ERR user_script:1: attempt to index ")
    assert run(engine, f"return type({value})") == b"function"


def test_errors_of_commands_are_plain_text(engine: Engine) -> None:
    for call in ("'get'", "'nosuch'", "'set', 'a', {}", "'xadd', 'a', 'b'", "'object', 'x'"):
        assert run(engine, f"local ok, e = pcall(redis.call, {call}) return type(e)") == b"string"


def test_failures_of_ours_are_not_handed_to_scripts() -> None:
    registry = REGISTRY.copy()

    @registry.command("BREAK", group="generic", since="1.0.0", complexity="O(1)")
    def break_(ctx: Context) -> object:
        """Fails as no command should."""
        raise ZeroDivisionError("made for a test")

    engine = Engine(registry=registry)
    for script in ("redis.call('break')", "local ok, e = pcall(redis.call, 'break') return tostring(e)"):
        with pytest.raises(ZeroDivisionError):
            run(engine, script)
    assert run(engine, "return 1") == 1
