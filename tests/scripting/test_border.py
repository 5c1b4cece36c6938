"""What crosses the border between Lua and the engine, by the function of Lua's own kind and by lupa's: the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.scripting import runtime
from alcove.scripting.border import Border
from alcove.scripting.runtime import runtime_of


@pytest.fixture(params=["own", "lupa"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    if request.param == "lupa":
        monkeypatch.setattr(runtime, "border_of", Border)
    return Engine()


def run(engine: Engine, script: str, *words: bytes) -> Any:
    reply = engine.execute(engine.connect("embedded"), [b"EVAL", script.encode(), b"0", *words])
    return f"-{reply.text}" if isinstance(reply, CommandError) else reply


# As Valkey 8 has them; Redis 7.0 writes some with more digits.
NUMBERS = {
    "0": b"0",
    "-0": b"0",
    "1": b"1",
    "-17": b"-17",
    "0.1": b"0.1",
    "1e15": b"1000000000000000",
    "2^53 - 1": b"9007199254740991",
    "2^53": b"9007199254740992",
    "-2^53 - 2": b"-9007199254740994",
    "2^62": b"4611686018427387904",
    "2^63": b"9223372036854776000",
    "1e300": b"1e+300",
    "1/0": b"inf",
    "-1/0": b"-inf",
}


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_as_arguments(engine: Engine, number: str) -> None:
    assert run(engine, f"return redis.call('ECHO', {number})") == NUMBERS[number]


def test_strings_as_arguments(engine: Engine) -> None:
    for text in (b"", b"a\0b", bytes(range(256)), b"x" * 3_000_000):
        assert run(engine, "return redis.call('ECHO', ARGV[1])", text) == text
    many = [b"%d" % number for number in range(3000)]
    assert run(engine, "redis.call('RPUSH', 'l', unpack(ARGV)) return redis.call('LRANGE', 'l', 0, -1)", *many) == many


@pytest.mark.parametrize("word", ["nil", "true", "{}", "redis.call", "coroutine.create(redis.call)"])
def test_what_is_no_argument(engine: Engine, word: str) -> None:
    problem = "ERR Lua redis lib command arguments must be strings or integers"
    for script in (f"return redis.pcall('ECHO', {word}).err", f"return redis.pcall({word}, 'ECHO').err"):
        assert run(engine, script) == problem.encode()
    assert run(engine, "return redis.pcall().err").startswith(b"ERR Please specify at least one argument")


SHOW = """
local function shown(value)
  if type(value) == 'number' then
    return string.format('number %.17g', value)
  elseif type(value) ~= 'table' then
    return type(value) .. ' ' .. tostring(value)
  end
  local parts = {}
  for key, element in pairs(value) do
    parts[#parts + 1] = tostring(key) .. '=' .. shown(element)
  end
  table.sort(parts)
  return '{' .. table.concat(parts, ' ') .. '}'
end
redis.setresp(tonumber(ARGV[1]))
redis.call('HSET', 'hash', 'f', 'v')
redis.call('RPUSH', 'list', 1, 2)
redis.call('SADD', 'set', 'a')
redis.call('ZADD', 'zset', 1.5, 'z')
redis.call('SET', 'most', '9223372036854775806')
return shown(redis.pcall(unpack(ARGV, 2)))
"""
REPLIES = {
    "SET key value": ("{ok=string OK}", "{ok=string OK}"),
    "GET list": ("{err=string WRONGTYPE Operation against a key holding the wrong kind of value "
                 "ignore_error_stats_update=boolean true}",) * 2,
    "GET none": ("boolean false", "nil nil"),
    "TYPE list": ("{ok=string list}",) * 2,
    "INCR most": ("number 9.2233720368547758e+18",) * 2,
    "LRANGE list 0 -1": ("{1=string 1 2=string 2}",) * 2,
    "LRANGE none 0 -1": ("{}",) * 2,
    "MGET none key2": ("{1=boolean false 2=boolean false}", "{}"),
    "HGETALL hash": ("{1=string f 2=string v}", "{map={f=string v}}"),
    "SMEMBERS set": ("{1=string a}", "{set={a=boolean true}}"),
    "ZRANGE zset 0 -1 WITHSCORES": ("{1=string z 2=string 1.5}", "{1={1=string z 2={double=number 1.5}}}"),
    "ZSCORE zset z": ("string 1.5", "{double=number 1.5}"),
    "XRANGE none - +": ("{}",) * 2,
    "NONE": ("{err=string ERR Unknown Redis command called from script ignore_error_stats_update=boolean true}",) * 2,
}  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("command", REPLIES)
def test_replies(engine: Engine, command: str, protocol: int) -> None:
    shown = run(engine, SHOW, b"%d" % protocol, *command.encode().split())
    assert shown.decode().split(" script: ")[0] == REPLIES[command][protocol - 2]


def test_long_lists(engine: Engine) -> None:
    many = [b"%d" % number for number in range(2000)]
    session = engine.connect("embedded")
    engine.execute(session, [b"RPUSH", b"list", *many])
    engine.execute(session, [b"SADD", b"set", *many])
    engine.execute(session, [b"HSET", b"hash", *many])
    assert run(engine, "return redis.call('LRANGE', 'list', 0, -1)") == many
    assert sorted(run(engine, "return redis.call('SMEMBERS', 'set')")) == sorted(many)
    assert sorted(run(engine, "return redis.call('HGETALL', 'hash')")) == sorted(many)
    assert run(engine, "return #redis.call('HGETALL', 'hash')") == 2000


def test_a_failure_of_ours_ends_the_script(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Exception):
        pass

    def fail(*words: Any) -> None:
        raise Broken

    monkeypatch.setattr(engine.registry.find(b"ECHO"), "handler", fail)
    with pytest.raises(Broken):
        run(engine, "pcall(redis.call, 'ECHO', 'x') return 1")
    assert run(engine, "return redis.call('GET', 'none')") is None


def test_scripts_that_are_forgotten_leave_nothing_behind(engine: Engine) -> None:
    runtime = runtime_of(engine)

    def bring(first: int) -> None:
        for number in range(first, first + 600):
            assert run(engine, f"local function f() return '{number}' end " + "f() " * 500 + "return f()") is not None

    bring(0)
    runtime.border.collect()
    before = runtime.memory_used()
    for first in range(1000, 4000, 1000):
        bring(first)
    runtime.border.collect()
    assert runtime.memory_used() < 1.1 * before
    runtime.flush()
    assert runtime.memory_used() < before / 2


def test_other_threads_go_on_while_a_script_runs(engine: Engine) -> None:
    turns = 0
    done = threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.wait(0.001):
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    assert run(engine, "local n = 0 while n < 1e8 do n = n + 1 end return n") == 100_000_000
    seen = turns
    done.set()
    thread.join()
    assert seen >= 5


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("return 9007199254740993", 9007199254740992),
        ("return -2^63", -(2**63)),
        ("return 3.99", 3),
        ("return true", 1),
        ("return false", None),
        ("return nil", None),
        ("return", None),
        ("return 1, 2", 1),
        ("return 'a\\0b'", b"a\0b"),
        ("return {1, 'b', {2}}", [1, b"b", [2]]),
        ("return {}", []),
        ("return {ok = 'fine'}", b"fine"),
        ("return redis.call", None),
        ("return coroutine.create(redis.call)", None),
        ("error('x')", "-ERR user_script:1: x script: "),
        ("error({err = 'MY own'})", "-MY own"),
        ("local function f() return f() + 1 end return f()", "-ERR user_script:1: stack overflow"),
    ],
)
def test_answers(engine: Engine, script: str, answer: Any) -> None:
    reply = run(engine, script)
    if isinstance(answer, str):
        assert reply.startswith(answer), reply
    else:
        assert reply == answer
