"""EVAL, EVALSHA and SCRIPT: arguments, what values become both ways, errors, and what a script does to the data."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.clock import ManualClock
from alcove.engine.context import Context
from alcove.engine.declaration import REGISTRY, Registry
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.values import BigNumber, Members, Status, Verbatim

MADE = {
    b"big": BigNumber(b"123456789012345678901"),
    b"verbatim": Verbatim(b"hi"),
    b"true": True,
    b"list": [1, b"x", None, {b"a": True, b"b": None}],
}


def registry_with_any_reply() -> Registry:
    """All commands, and one with the replies that hardly any other has."""
    registry = REGISTRY.copy()

    @registry.command("MADE kind", group="generic", since="1.0.0", complexity="O(1)")
    def made(ctx: Context, kind: bytes) -> object:
        """Answers what it is asked for."""
        return MADE[kind]

    return registry


class Scripted:
    """A session of an engine of its own that keeps the batches it commits."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = Engine(clock=self.clock, registry=registry_with_any_reply())
        self.session = self.engine.connect("embedded")
        self.batches: list[list[list[bytes]]] = []

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        self.batches.append([[b"%d" % database, *argv] for database, argv in batch])

    def watch(self) -> None:
        """From now on batches are kept."""
        self.engine.attach(self)

    def __call__(self, *words: str | bytes | int) -> Any:
        """A command's reply; an error is its text behind a minus."""
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return told(self.engine.execute(self.session, argv))

    def eval(self, script: str, *words: str | bytes | int, keys: int = 0) -> Any:
        return self("EVAL", script, keys, *words)

    def error(self, script: str) -> str:
        """The text of the error that a script ends with, without the script's name."""
        reply = self.eval(script)
        assert isinstance(reply, str), reply
        assert reply.startswith("-"), reply
        sha = hashlib.sha1(script.encode()).hexdigest()
        return reply[1:].replace(f" script: {sha}, on @user_script:1.", " @")


def told(reply: Any) -> Any:
    if isinstance(reply, CommandError):
        return f"-{reply.text}"
    if type(reply) is list:
        return [told(element) for element in reply]
    return f"+{bytes(reply[:]).decode()}" if isinstance(reply, Status) else reply


@pytest.fixture
def run() -> Scripted:
    return Scripted()


# The commands


def test_arguments(run: Scripted) -> None:
    assert run.eval("return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}", "a", "b", "c", keys=2) == [
        b"a",
        b"b",
        b"c",
        2,
        1,
    ]
    assert run.eval("return {#KEYS, #ARGV}") == [0, 0]
    assert run.eval("return #ARGV", *range(20_000)) == 20_000
    assert run.eval("return {KEYS[1], KEYS[3000], ARGV[1], ARGV[3000]}", *range(6000), keys=3000) == [
        b"0",
        b"2999",
        b"3000",
        b"5999",
    ]
    binary = bytes(range(256))
    assert run.eval("return ARGV[1]", binary) == binary


@pytest.mark.parametrize(
    ("numkeys", "text"),
    [
        ("-1", "-ERR Number of keys can't be negative"),
        ("2", "-ERR Number of keys can't be greater than number of args"),
        ("x", "-ERR value is not an integer or out of range"),
        ("1.0", "-ERR value is not an integer or out of range"),
    ],
)
def test_wrong_numbers_of_keys(run: Scripted, numkeys: str, text: str) -> None:
    assert run("EVAL", "return 1", numkeys, "a") == text
    assert run("EVAL_RO", "return 1", numkeys, "a") == text


def test_scripts_by_their_digest(run: Scripted) -> None:
    sha = hashlib.sha1(b"return ARGV[1]").hexdigest()
    assert run("EVALSHA", sha, 0, "x") == "-NOSCRIPT No matching script. Please use EVAL."
    assert run("SCRIPT", "LOAD", "return ARGV[1]") == sha.encode()
    assert run("EVALSHA", sha, 0, "x") == b"x"
    assert run("EVALSHA", sha.upper(), 0, "x") == b"x"
    assert run("EVALSHA_RO", sha, 0, "x") == b"x"
    assert run("SCRIPT", "SHOW", sha) == b"return ARGV[1]"
    assert run("SCRIPT", "EXISTS", sha, sha.upper(), "none") == [1, 1, 0]
    for words in (["FLUSH"], ["FLUSH", "SYNC"], ["FLUSH", "async"]):
        run("SCRIPT", "LOAD", "return ARGV[1]")
        assert run("SCRIPT", *words) == "+OK"
        assert run("SCRIPT", "EXISTS", sha) == [0]
    assert run("SCRIPT", "FLUSH", "NOW") == "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"
    assert run("SCRIPT", "SHOW", sha) == "-NOSCRIPT No matching script. Please use EVAL."
    # What has not the length of a digest is no script's, whatever else is wrong.
    assert run("EVALSHA", "short", "x") == "-NOSCRIPT No matching script. Please use EVAL."
    assert run("EVALSHA_RO", "short", "x") == "-NOSCRIPT No matching script. Please use EVAL."
    assert run("EVALSHA", "0" * 40, "x") == "-ERR value is not an integer or out of range"


def test_scripts_of_eval_are_forgotten_and_loaded_ones_stay(run: Scripted) -> None:
    loaded = run("SCRIPT", "LOAD", "return 'loaded'")
    for number in range(501):
        assert run.eval(f"return {number}") == number
    digests = [hashlib.sha1(b"return %d" % number).hexdigest() for number in (0, 1, 500)]
    assert run("SCRIPT", "EXISTS", *digests, loaded) == [0, 1, 1, 1]


def test_what_does_not_compile(run: Scripted) -> None:
    text = "-ERR Error compiling script (new function): user_script:1: '=' expected near 'x'"
    assert run.eval("x x") == text
    assert run("SCRIPT", "LOAD", "x x") == text
    assert run("SCRIPT", "EXISTS", hashlib.sha1(b"x x").hexdigest()) == [0]


def test_nothing_runs_or_dies_when_no_script_does(run: Scripted) -> None:
    assert run("SCRIPT", "KILL") == "-NOTBUSY No scripts in execution right now."


def test_debugging(run: Scripted) -> None:
    assert run("SCRIPT", "DEBUG", "NO") == "+OK"
    assert run("SCRIPT", "DEBUG", "MAYBE") == "-ERR Use SCRIPT DEBUG YES/SYNC/NO"


# What the values of scripts reply

RESULTS: list[tuple[str, Any]] = [
    ("1", 1),
    ("-1.9", -1),
    ("2^53", 2**53),
    ("2^63", -(2**63)),
    ("0/0", -(2**63)),
    ("'text'", b"text"),
    ("'a\\0b'", b"a\0b"),
    ("nil", None),
    ("true", 1),
    ("false", None),
    ("{}", []),
    ("{1, 2.5, 'x', true, false, {1}}", [1, 2, b"x", 1, None, [1]]),
    ("{1, nil, 3}", [1]),
    ("{'a', function() end, 'b'}", [b"a", None, b"b"]),
    ("function() end", None),
    ("{ok = 'FINE'}", "+FINE"),
    ("{ok = 'A\\r\\nB'}", "+A  B"),
    ("{err = 'MY error'}", "-MY error"),
    ("{{err = 'MY error'}, 1}", ["-MY error", 1]),
    ("{double = 1.5}", 1.5),
    ("{map = {a = 1}}", {b"a": 1}),
    ("{set = {a = true}}", Members([b"a"])),
    ("{big_number = '12'}", BigNumber(b"12")),
    ("{verbatim_string = {format = 'txt', string = 'hi'}}", Verbatim(b"hi")),
    ("{double = 'x', 'y'}", [b"y"]),
]


@pytest.mark.parametrize(("value", "expected"), RESULTS, ids=[case[0] for case in RESULTS])
def test_results(run: Scripted, value: str, expected: Any) -> None:
    reply = run.eval(f"return {value}")
    assert reply == expected
    assert type(reply) is type(expected)


def test_booleans_are_themselves_on_resp3(run: Scripted) -> None:
    assert run.eval("redis.setresp(3) return true") is True
    assert run.eval("redis.setresp(3) return {true, false}") == [True, False]
    assert run.eval("return true") == 1


# What commands are to scripts

REPLIES = [
    ("redis.call('made', 'big')", "t", b"123456789012345678901"),
    ("redis.call('made', 'verbatim')", "t", b"hi"),
    ("redis.call('made', 'true')", "t", 1),
    ("redis.call('made', 'list')[4]", "t", [b"a", 1, b"b", None]),
    ("redis.call('set', 'x', '1')", "t.ok", b"OK"),
    ("redis.call('get', 'none')", "t == false and 'false'", b"false"),
    ("redis.call('incr', 'n')", "type(t)", b"number"),
    ("redis.call('mget', 'none', 'none')", "#t", 2),
    ("redis.call('lpop', 'none', 1)", "type(t)", b"boolean"),
    ("redis.call('hgetall', 'h')", "t[1] .. t[2]", b"f1"),
    ("redis.call('zscore', 'z', 'm')", "t", b"1.5"),
    ("redis.pcall('incr', 'h')", "t.err", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("redis.call('blpop', 'none', 0)", "type(t)", b"boolean"),
]
NEWER = [
    ("redis.call('get', 'none')", "type(t)", b"nil"),
    ("redis.call('hgetall', 'h')", "t.map.f", b"1"),
    ("redis.call('smembers', 's')", "tostring(t.set.a)", b"true"),
    ("redis.call('zscore', 'z', 'm')", "tostring(t.double)", b"1.5"),
    ("redis.call('zrange', 'z', 0, -1, 'withscores')", "tostring(t[1][2].double)", b"1.5"),
    ("redis.call('made', 'big')", "t.big_number", b"123456789012345678901"),
    ("redis.call('made', 'verbatim')", "t.verbatim_string.format .. t.verbatim_string.string", b"txthi"),
    ("redis.call('made', 'true')", "tostring(t)", b"true"),
    ("redis.call('made', 'list')[4].map", "tostring(t.a) .. tostring(t.b)", b"truenil"),
]


@pytest.mark.parametrize(("call", "shown", "expected"), REPLIES)
def test_replies_to_scripts(run: Scripted, call: str, shown: str, expected: Any) -> None:
    fill(run)
    assert run.eval(f"local t = {call} return {shown}") == expected


@pytest.mark.parametrize(("call", "shown", "expected"), NEWER)
def test_replies_to_scripts_on_resp3(run: Scripted, call: str, shown: str, expected: Any) -> None:
    fill(run)
    assert run.eval(f"redis.setresp(3) local t = {call} return {shown}") == expected
    assert run.eval("return type(redis.call('get', 'none'))") == b"boolean", "it was for that script alone"


def fill(run: Scripted) -> None:
    for words in (["HSET", "h", "f", "1"], ["ZADD", "z", "1.5", "m"], ["SADD", "s", "a"]):
        run(*words)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1", b"1"),
        ("1.5", b"1.5"),
        ("2^53 - 1", b"9007199254740991"),
        ("2^61", b"2305843009213693952"),
        ("2^63", b"9223372036854776000"),
        ("1e100", b"1e+100"),
        ("1/0", b"inf"),
        ("0/0", b"-nan"),
    ],
)
def test_numbers_as_arguments(run: Scripted, number: str, text: bytes) -> None:
    assert run.eval(f"return redis.call('echo', {number})") == text


def test_many_and_large_values_go_both_ways(run: Scripted) -> None:
    count = 50_000
    script = "for i = 1, ARGV[1] do redis.call('rpush', 'l', i) end return redis.call('lrange', 'l', 0, -1)"
    assert run.eval(script, count) == [b"%d" % number for number in range(1, count + 1)]
    large = b"x" * 5_000_000
    assert run.eval("redis.call('set', 'x', ARGV[1]) return redis.call('get', 'x')", large) == large


def test_deep_results(run: Scripted) -> None:
    reply = run.engine.execute(run.session, [b"EVAL", b"local t = {} for i = 1, 1500 do t = {t} end return t", b"0"])
    for _ in range(1500):
        assert len(reply) == 1
        reply = reply[0]
    assert reply == []


# Errors

ERRORS = [
    ("error('boom')", "ERR user_script:1: boom @"),
    ("error('boom', 0)", "ERR boom @"),
    ("error({err = 'MY boom'})", "MY boom @"),
    ("local a; a.b = 1", "ERR user_script:1: attempt to index local 'a' (a nil value) @"),
    ("return redis.call('nosuch')", "ERR Unknown Redis command called from script @"),
    ("return redis.call('get')", "ERR Wrong number of args calling Redis command from script @"),
    ("return redis.call()", "ERR Please specify at least one argument for this redis lib call @"),
    ("return redis.call('get', {})", "ERR Lua redis lib command arguments must be strings or integers @"),
    ("return redis.call('get', true)", "ERR Lua redis lib command arguments must be strings or integers @"),
    ("return redis.call('multi')", "ERR This Redis command is not allowed from script @"),
    ("return redis.call('eval', '', '0')", "ERR This Redis command is not allowed from script @"),
    ("return redis.call('script', 'flush')", "ERR This Redis command is not allowed from script @"),
    ("return redis.call('lpush', 's', 1)", "WRONGTYPE Operation against a key holding the wrong kind of value @"),
    ("return redis.pcall('get')", "ERR Wrong number of args calling Redis command from script"),
    ("return redis.error_reply('MY err')", "MY err"),
    ("return redis.error_reply('-MY err')", "MY err"),
    ("return redis.error_reply('word')", "ERR word"),
    ("return redis.error_reply(1)", "ERR wrong number or type of arguments"),
    ("return redis.status_reply()", "ERR wrong number or type of arguments"),
    ("return redis.sha1hex()", "ERR wrong number of arguments @"),
    ("return redis.setresp()", "ERR redis.setresp() requires one argument. @"),
    ("return redis.setresp(4)", "ERR RESP version must be 2 or 3. @"),
    ("return redis.log(1)", "ERR redis.log() requires two arguments or more. @"),
    ("return redis.log('x', 'y')", "ERR First argument must be a number (log level). @"),
    ("return redis.log(9, 'y')", "ERR Invalid debug level. @"),
    ("return redis.acl_check_cmd('nosuch')", "ERR Invalid command passed to redis.acl_check_cmd() @"),
    ("return string.find('a', '[')", "ERR user_script:1: malformed pattern (missing ']') @"),
    ("return string.match('a', '(')", "ERR user_script:1: unfinished capture @"),
    ("return string.gsub('x')", "ERR user_script:1: bad argument #2 to 'gsub' (string expected, got no value) @"),
    ("coroutine.wrap(function() error('x', 0) end)()", "ERR user_script:1: x @"),
    ("error('boom\\0 and more')", "ERR user_script:1: boom @"),
    ("local function f() error('boom', 2) end f()", "ERR user_script:1: boom @"),
    ("error('boom', 2)", "ERR boom @"),
    (
        "string.gsub('a', 'b', true, 'x')",
        "ERR user_script:1: bad argument #4 to 'gsub' (number expected, got string) @",
    ),
    (
        "collectgarbage({}, {})",
        "ERR user_script:1: bad argument #1 to 'collectgarbage' (string expected, got table) @",
    ),
    ("load(1, {})", "ERR user_script:1: bad argument #2 to 'load' (string expected, got table) @"),
    ("table.insert({}, -2^31, 1)", "ERR user_script:1: position out of bounds @"),
    ("return redis.setresp('4')", "ERR RESP version must be 2 or 3. @"),
]


@pytest.mark.parametrize(("script", "text"), ERRORS, ids=[case[0] for case in ERRORS])
def test_errors(run: Scripted, script: str, text: str) -> None:
    run("SET", "s", "x")
    assert run.error(script) == text


def test_the_line_of_an_error(run: Scripted) -> None:
    script = "local x = 1\n\nreturn redis.call('nosuch')"
    sha = hashlib.sha1(script.encode()).hexdigest()
    assert run.eval(script) == f"-ERR Unknown Redis command called from script script: {sha}, on @user_script:3."


def test_errors_that_are_caught(run: Scripted) -> None:
    run("SET", "s", "x")
    wrong = b"WRONGTYPE Operation against a key holding the wrong kind of value"
    assert run.eval("local ok, e = pcall(redis.call, 'lpush', 's', 1) return {tostring(ok), type(e), e}") == [
        b"false",
        b"string",
        wrong,
    ]
    assert run.eval("return redis.pcall('lpush', 's', 1)") == f"-{wrong.decode()}"
    assert run.eval("redis.pcall('lpush', 's', 1) return 'on'") == b"on"
    assert run.eval("return {pcall(error, 'x')}") == [None, b"x"]
    assert run.eval("return {pcall(error, {1, 2})}") == [None, [1, 2]]
    assert run.eval("return {xpcall(function() error('x', 0) end, function(e) return e .. '!' end)}") == [None, b"x!"]


def test_replies_of_a_line_end_at_a_nul(run: Scripted) -> None:
    assert run.eval("return {ok = 'FINE\\0 and more'}") == "+FINE"
    assert run.eval("return {{err = 'MY error\\0 and more'}}") == ["-MY error"]


def test_errors_are_counted_once(run: Scripted) -> None:
    run("SET", "s", "x")
    run.eval("return redis.call('lpush', 's', 1)")
    assert b"errorstat_WRONGTYPE:count=1\r\n" in bytes(run("INFO", "errorstats")[:])
    run.eval("redis.pcall('lpush', 's', 1) return 1")
    run.eval("return redis.pcall('lpush', 's', 1)")
    run.eval("return redis.error_reply('MY own')")
    lines = bytes(run("INFO", "errorstats")[:])
    assert b"errorstat_WRONGTYPE:count=3\r\n" in lines
    assert b"errorstat_MY:count=1\r\n" in lines
    # What no command was called for is the script's own error, and counted when it is not caught.
    run.eval("redis.pcall() redis.pcall({}) redis.pcall('get', true) return 1")
    assert b"errorstat_ERR:" not in bytes(run("INFO", "errorstats")[:])
    run.eval("redis.call()")
    assert b"errorstat_ERR:count=1\r\n" in bytes(run("INFO", "errorstats")[:])


# What `redis` has besides


def test_services(run: Scripted) -> None:
    assert run.eval("return redis.sha1hex('abc')") == hashlib.sha1(b"abc").hexdigest().encode()
    assert run.eval("return redis.sha1hex(1)") == hashlib.sha1(b"1").hexdigest().encode()
    assert run.eval("return redis.status_reply('FINE')") == "+FINE"
    assert run.eval("return redis.replicate_commands()") == 1
    assert run.eval("return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING}") == [0, 1, 2, 3]
    assert run.eval("return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_REPLICA, redis.REPL_ALL}") == [0, 1, 2, 3]
    assert run.eval("return redis.acl_check_cmd('set', 'x', '1')") == 1
    assert run.eval("return {type(server.call), type(redis.REDIS_VERSION), type(redis.REDIS_VERSION_NUM)}") == [
        b"function",
        b"string",
        b"number",
    ]
    assert run.eval("return {type(redis.breakpoint), type(redis.debug)}") == [b"nil", b"nil"]


def test_log(run: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="alcove"):
        run.eval("redis.log(redis.LOG_WARNING, 'how', 'many', 3) redis.log(redis.LOG_DEBUG, 'less')")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "how many 3"),
        ("DEBUG", "less"),
    ]


# The first line


def test_flags(run: Scripted) -> None:
    write = "redis.call('set', 'x', '1') return 'done'"
    refused = "-ERR Write commands are not allowed from read-only scripts."
    assert run.eval(f"#!lua\n{write}") == b"done"
    assert run.eval(f"#!lua flags=no-writes\n{write}").startswith(refused)
    assert run("EVAL_RO", write, 0).startswith(refused)
    assert run("EVAL_RO", f"#!lua\n{write}", 0) == "-ERR Can not execute a script with write flag using *_ro command."
    assert run("EVAL_RO", "#!lua flags=no-writes\nreturn 1", 0) == 1
    # These write nothing themselves, but are sent to replicas.
    for call in ("'publish', 'channel', 'text'", "'spublish', 'channel', 'text'", "'pfcount', 'x'"):
        assert run("EVAL_RO", f"return redis.call({call})", 0).startswith(refused)
        assert run.eval(f"#!lua flags=no-writes\nreturn redis.call({call})").startswith(refused)
    assert run.eval("#!lua flags=allow-oom,allow-stale,no-cluster,allow-cross-slot-keys\nreturn 1") == 1
    assert run.eval("#!lua flags=\nreturn 1") == 1


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("#!lua", "-ERR Invalid script shebang"),
        ("#!js\nreturn 1", "-ERR Unexpected engine in script shebang: #!js"),
        ("#!lua flags=odd\nreturn 1", "-ERR Unexpected flag in script shebang: odd"),
        ("#!lua what=1\nreturn 1", "-ERR Unknown lua shebang option: what=1"),
    ],
)
def test_wrong_first_lines(run: Scripted, script: str, text: str) -> None:
    assert run.eval(script) == text


# Atomic, and recorded as one


def test_effects_are_one_batch_and_replay_exactly(run: Scripted) -> None:
    run.watch()
    script = """
        redis.call('sadd', 's', 'a', 'b', 'c')
        redis.call('set', 'popped', redis.call('spop', 's'))
        redis.call('set', 'e', redis.call('time')[1], 'EX', 100)
        redis.call('incrbyfloat', 'f', '0.1')
        redis.call('select', 3)
        redis.call('xadd', 'st', '*', 'r', tostring(math.random()))
        return redis.call('get', 'none')
    """
    assert run.eval(script) is None
    assert len(run.batches) == 1
    assert all(words[1].upper() not in (b"EVAL", b"SPOP", b"INCRBYFLOAT") for words in run.batches[0])
    again = Scripted()
    for number, *argv in run.batches[0]:
        if argv[0].upper() not in (b"MULTI", b"EXEC"):
            again("SELECT", number)
            assert not str(again(*argv)).startswith("-")
    for database in (0, 3):
        run("SELECT", database)
        again("SELECT", database)
        keys = sorted(run("KEYS", "*"))
        assert keys == sorted(again("KEYS", "*"))
        for key in keys:
            if key != b"s":
                assert run("DUMP", key) == again("DUMP", key), key
    run("SELECT", 0)
    again("SELECT", 0)
    assert sorted(run("SMEMBERS", "s")) == sorted(again("SMEMBERS", "s"))


def test_what_was_done_before_an_error_stays_and_is_recorded(run: Scripted) -> None:
    run.watch()
    run.eval("redis.call('set', 'x', '1') error('late')")
    assert run("GET", "x") == b"1"
    assert [words[1:] for batch in run.batches for words in batch if words[1].lower() == b"set"] == [
        [b"set", b"x", b"1"]
    ]


def test_set_repl(run: Scripted) -> None:
    run.watch()
    run.eval("redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', '1') redis.set_repl(redis.REPL_ALL) return 1")
    assert run("GET", "a") == b"1"
    assert run.batches == []
    run.eval("redis.call('set', 'b', '1')")
    assert len(run.batches) == 1


def test_reading_is_not_recorded(run: Scripted) -> None:
    run.watch()
    run.eval("return redis.call('get', 'x')")
    assert run.batches == []


def test_in_a_transaction(run: Scripted) -> None:
    run.watch()
    run("MULTI")
    assert run("SET", "a", "1") == "+QUEUED"
    assert run.eval("return redis.call('incr', 'a')") == "+QUEUED"
    assert run.eval("error('boom', 0)") == "+QUEUED"
    assert run("INCR", "a") == "+QUEUED"
    first, second, third, fourth = run("EXEC")
    assert (first, second, fourth) == ("+OK", 2, 3)
    assert third.startswith("-ERR boom script: ")
    assert len(run.batches) == 1


def test_it_breaks_watches(run: Scripted) -> None:
    other = run.engine.connect("embedded")
    run("WATCH", "k")
    run.engine.execute(other, [b"EVAL", b"return redis.call('set', KEYS[1], 'x')", b"1", b"k"])
    run("MULTI")
    run("PING")
    assert run("EXEC") is None or run("EXEC").startswith("-"), "the transaction did not run"


def test_it_wakes_who_waits(run: Scripted) -> None:
    waiting = run.engine.connect("embedded")
    late: list[Any] = []
    waiting.deliver = late.append
    run.engine.execute(waiting, [b"BLPOP", b"l", b"0"])
    assert run.eval("redis.call('rpush', 'l', 'a') redis.call('rpush', 'l', 'b') return redis.call('llen', 'l')") == 2
    assert late == [[b"l", b"a"]]


def test_time_stands_still(run: Scripted) -> None:
    script = """
        redis.call('set', 'x', '1', 'PX', 1)
        local before = redis.call('time')
        for i = 1, 300000 do local t = {} end
        local after = redis.call('time')
        return {before[1] == after[1] and before[2] == after[2] and 1 or 0, redis.call('exists', 'x')}
    """
    assert run.eval(script) == [1, 1]


def test_time_stands_still_on_the_machines_clock() -> None:
    engine = Engine()
    session = engine.connect("embedded")
    script = b"""
        redis.call('set', 'x', '1', 'PX', 1)
        local before = redis.call('time')
        for i = 1, 1000000 do local t = i end
        local after = redis.call('time')
        return {before[1] == after[1] and before[2] == after[2] and 1 or 0, redis.call('exists', 'x')}
    """
    assert engine.execute(session, [b"EVAL", script, b"0"]) == [1, 1]


def test_select_ends_with_the_script(run: Scripted) -> None:
    assert run.eval("redis.call('select', 4) redis.call('set', 'x', 'y') return redis.call('dbsize')") == 1
    assert run("DBSIZE") == 0
    run("SELECT", 4)
    assert run("GET", "x") == b"y"
    assert run.eval("return redis.call('get', 'x')") == b"y"


@pytest.mark.parametrize(
    "call", ["'blpop', 'none', 0", "'brpoplpush', 'none', 'x', 0", "'bzpopmin', 'none', 0", "'wait', 1, 0"]
)
def test_nothing_blocks_in_a_script(run: Scripted, call: str) -> None:
    assert run.eval(f"local t = redis.call({call}) return type(t)") in (b"boolean", b"number")


def test_what_it_uses_is_counted(run: Scripted) -> None:
    run.eval("redis.call('get', 'x') redis.call('get', 'x')")
    stats = bytes(run("INFO", "commandstats")[:])
    assert b"cmdstat_get:calls=2," in stats
    assert b"cmdstat_eval:calls=1," in stats
