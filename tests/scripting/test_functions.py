"""Functions: what libraries see and keep, what is recorded, payloads that real servers read and write, and limits.

What replies and errors say is compared with the real servers in tests/comparison/functions.py.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import alcove
from alcove.codec.payload import sealed
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.scripting.functions import codes_of, library_codes
from tests.commands.watched import Watched
from tests.comparison.servers import BINARIES, RealServer
from tests.waiting import eventually

ECHO = b"#!lua name=echo\nredis.register_function('echo', function(keys, args) return {keys, args} end)"
COUNTER = b"""#!lua name=counter
local count = 0
redis.register_function('next', function() count = count + 1 return count end)
"""
STORE = b"""#!lua name=store
redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1], 'EX', 100) end)
redis.register_function{
  function_name = 'get',
  description = '',
  callback = function(keys) return redis.call('GET', keys[1]) end,
  flags = {'no-writes', 'allow-stale'},
}
"""


def library(body: str, name: str = "library") -> bytes:
    """A library with one function, `f`."""
    return f"#!lua name={name}\nredis.register_function('f', function(keys, args) {body} end)".encode()


@pytest.fixture
def run() -> Watched:
    return Watched()


def answer(run: Watched, body: str, *words: str | bytes) -> object:
    """What a function with this body answers."""
    run("FUNCTION", "LOAD", "REPLACE", library(body))
    return run("FCALL", "f", *(words or ("0",)))


# What clients see


def test_functions_are_called_on_every_way_to_an_engine(r: redis.Redis) -> None:
    assert r.function_load(ECHO.decode()) in (b"echo", "echo")
    assert r.fcall("echo", 2, "a", "b", "c") == [[b"a", b"b"], [b"c"]]
    r.function_load(STORE.decode())
    pipeline = r.pipeline(transaction=True)
    pipeline.fcall("put", 1, "key", "value").fcall_ro("get", 1, "key")
    assert pipeline.execute() == [b"OK", b"value"]
    with pytest.raises(redis.ResponseError, match="write flag"):
        r.fcall_ro("put", 1, "key", "value")
    assert r.function_delete("echo")
    with pytest.raises(redis.ResponseError, match="Function not found"):
        r.fcall("echo", 0)


def test_list_tells_flags_descriptions_and_code(run: Watched) -> None:
    run("FUNCTION", "LOAD", STORE)
    (described,) = run("FUNCTION", "LIST", "LIBRARYNAME", "ST*", "WITHCODE")
    assert described[b"library_code"] == STORE
    put, get = described[b"functions"]
    assert (put[b"description"], list(put[b"flags"])) == (None, [])
    assert (get[b"description"], list(map(bytes, get[b"flags"]))) == (b"", [b"no-writes", b"allow-stale"])


def test_more_arguments_than_go_into_lua_at_once(run: Watched) -> None:
    run("FUNCTION", "LOAD", ECHO)
    words = [b"%d" % number for number in range(3000)]
    assert run("FCALL", "echo", "1000", *words) == [words[:1000], words[1000:]]
    assert run("FCALL", "echo", "1", "a") == [[b"a"], []]


def test_counts_are_in_info_and_stats(r: redis.Redis) -> None:
    r.function_load(STORE.decode())
    memory = r.info("memory")
    assert (memory["number_of_libraries"], memory["number_of_functions"]) == (1, 2)
    assert memory["used_memory_functions"] > len(STORE)
    assert r.memory_stats()["functions.caches"] == memory["used_memory_functions"]


def test_stats_when_nothing_runs(run: Watched) -> None:
    run("FUNCTION", "LOAD", STORE)
    counts = {b"libraries_count": 1, b"functions_count": 2}
    assert run("FUNCTION STATS") == {b"running_script": None, b"engines": {b"LUA": counts}}


# What libraries see and keep


def test_what_a_library_made_stays_with_its_functions(run: Watched) -> None:
    run("FUNCTION", "LOAD", COUNTER)
    assert [run("FCALL next 0") for _ in range(3)] == [1, 2, 3]
    run("FUNCTION", "LOAD", "REPLACE", COUNTER)
    assert run("FCALL next 0") == 1


def test_functions_share_nothing(run: Watched) -> None:
    readonly = "Attempt to modify a readonly table"
    for attempt in ("x = 1", "_G.x = 1", "rawset(_G, 'x', 1)", "redis.x = 1", "string.x = 1", "cjson.encode = nil"):
        assert readonly in str(answer(run, attempt)), attempt
    for attempt in ("setmetatable(_G, {})", "getmetatable('').__index = nil", "getmetatable(_G).__index = nil"):
        assert "ERR" in str(answer(run, attempt)), attempt
    assert answer(run, "keys[1] = 'other' return keys", "1", "key") == [b"other"]
    assert run("EVAL", "return 1", "0") == 1


def test_arguments_of_scripts_are_not_seen(run: Watched) -> None:
    missing = "Script attempted to access nonexistent global variable 'KEYS'"
    run("EVAL", "return 1", "1", "secret")
    for body in (
        "return KEYS",
        "return loadstring('return KEYS')()",
        "return load(function() return nil end) and KEYS",
    ):
        assert missing in str(answer(run, body)), body
    assert answer(run, "for name in pairs(_G) do if name == 'KEYS' then return 1 end end return 0") == 0


def test_only_registering_is_possible_while_a_library_loads(run: Watched) -> None:
    for name in ("pairs", "pcall", "error", "string", "_G", "KEYS", "cjson"):
        reply = run("FUNCTION", "LOAD", f"#!lua name=early\nlocal x = {name}".encode())
        assert reply.endswith(f"nonexistent global variable '{name}'"), name
    for name in ("call", "pcall", "setresp", "sha1hex", "replicate_commands"):
        reply = run("FUNCTION", "LOAD", f"#!lua name=early\nlocal x = redis.{name}".encode())
        assert reply.endswith(f"nonexistent global variable '{name}'"), name
    body = "return {type(pairs), type(redis.call), type(redis.register_function), type(cjson.encode)}"
    assert answer(run, body) == [b"function", b"function", b"nil", b"function"]
    # What failed to load leaves the globals of functions as they were.
    run("FUNCTION", "LOAD", b"#!lua name=early\nlocal x = nil + 1")
    assert run("FCALL f 0") == [b"function", b"function", b"nil", b"function"]


def test_registering_is_not_possible_later(run: Watched) -> None:
    late = b"""#!lua name=late
    local register = redis.register_function
    redis.register_function('late', function() local x = register('x', function() end) end)
    redis.register_function('caught', function() return {pcall(register, 'x', function() end)} end)
    """
    run("FUNCTION", "LOAD", late)
    text = "ERR redis.register_function can only be called on FUNCTION LOAD command"
    assert run("FCALL late 0") == f"{text} script: late, on @user_function:3."
    assert run("FCALL caught 0") == [None, text.encode()]
    assert run("FCALL x 0") == "ERR Function not found"


def test_an_error_names_the_line_of_a_call_in_the_last_place(run: Watched) -> None:
    run("SET text value")
    for call in ("redis.call('INCR', 'text')", "server.call('INCR', 'text')", "cjson.decode('@')", "bit.band()"):
        reply = answer(run, f"\nreturn {call}")
        assert str(reply).endswith(" script: f, on @user_function:3."), call
    nested = "local function inner()\nreturn redis.call('INCR', 'text') end inner()"
    assert str(answer(run, nested)).endswith(" script: f, on @user_function:3.")


def test_functions_of_scripts_still_call_each_other_for_ever(run: Watched) -> None:
    body = "local function down(n) if n == 0 then return 'end' end return down(n - 1) end return down(args[1])"
    assert answer(run, body, "0", "300000") == b"end"


# Changing libraries


def test_a_library_that_fails_to_load_leaves_the_old_one(run: Watched) -> None:
    run("FUNCTION", "LOAD", STORE)
    run("FUNCTION", "LOAD", COUNTER)
    before = library_codes(run.engine)
    failures = [
        b"#!lua name=store\nmistake",
        b"#!lua name=store\nlocal x = nil + 1",
        b"#!lua name=store\n",
        b"#!lua name=store\nredis.register_function('next', function() end)",
        STORE + b"redis.register_function('Next', function() end)",
    ]
    for code in failures:
        assert run("FUNCTION", "LOAD", "REPLACE", code).startswith("ERR ")
        assert (run.changes, run.recorded) == (0, [])
        assert library_codes(run.engine) == before
    assert run("FCALL", "put", "1", "k", "v") == b"OK"
    assert run("FCALL next 0") == 1


def test_names_of_functions_differ_by_more_than_case(run: Watched) -> None:
    run("FUNCTION", "LOAD", ECHO)
    assert run("FCALL ECHO 0") == [[], []]
    assert run("FUNCTION", "LOAD", ECHO.replace(b"name=echo", b"name=other").replace(b"'echo'", b"'Echo'")) == (
        "ERR Function Echo already exists"
    )
    # Within one library the first one counts; a real server of version 7 dies when such a library goes.
    both = b"#!lua name=both\nredis.register_function('x', function() return 1 end)"
    both += b"redis.register_function('X', function() return 2 end)"
    assert run("FUNCTION", "LOAD", both) == b"both"
    assert (run("FCALL x 0"), run("FCALL X 0")) == (1, 1)
    assert run("FUNCTION DELETE both") == b"OK"
    assert run("FCALL X 0") == "ERR Function not found"


def test_a_library_that_does_not_end_is_ended() -> None:
    engine = Engine()
    with alcove.open(engine=engine) as client:
        client.function_load(ECHO.decode())
        with pytest.raises(redis.ResponseError, match="Error registering functions: ERR FUNCTION LOAD timeout"):
            client.function_load("#!lua name=endless\nwhile true do end")
        endless = "redis.register_function('x', function() end) local function f() return f() end f()"
        with pytest.raises(redis.ResponseError, match="FUNCTION LOAD timeout"):
            client.function_load(f"#!lua name=endless\n{endless}")
        with pytest.raises(redis.ResponseError, match="stack overflow"):
            client.function_load("#!lua name=endless\nlocal function f() return 1 + f() end f()")
        with pytest.raises(redis.ResponseError, match="Error registering functions"):
            client.function_load("#!lua name=endless\nlocal s = 'x' while true do s = s .. s end")
        assert client.fcall("echo", 1, "a") == [[b"a"], []]
        assert library_codes(engine) == [ECHO]


# What is recorded


def test_libraries_are_recorded_as_they_came(run: Watched) -> None:
    for words in ([b"LOAD", ECHO], [b"LOAD", b"REPLACE", ECHO], [b"DELETE", b"echo"], [b"FLUSH"], [b"FLUSH", b"ASYNC"]):
        run("FUNCTION", *words)
        assert run.recorded == [[b"FUNCTION", *words]]
        assert run.changes == 1
    payload = sealed(b"", 10)
    run("FUNCTION", "RESTORE", payload, "FLUSH")
    assert run.recorded == [[b"FUNCTION", b"RESTORE", payload, b"FLUSH"]]
    for words in ("LIST", "STATS", "DUMP"):
        run("FUNCTION", words)
        assert run.recorded == []


def test_calls_are_recorded_as_what_they_did(run: Watched) -> None:
    run("FUNCTION", "LOAD", STORE)
    run("FCALL", "put", "1", "key", "value")
    (effect,) = run.recorded
    assert effect[:3] == [b"SET", b"key", b"value"]
    assert b"FCALL" not in effect
    run("FCALL", "get", "1", "key")
    assert run.recorded == []
    both = "redis.call('SET', 'a', 1) redis.call('INCR', 'a') error('after that')"
    assert "after that" in str(answer(run, both))
    assert [argv[0] for argv in run.recorded] == [b"SET", b"INCR"]
    assert run.value("a") == b"2"


# Payloads


def test_dump_and_restore(run: Watched) -> None:
    for code in (ECHO, STORE, COUNTER):
        run("FUNCTION", "LOAD", code)
    payload = run("FUNCTION DUMP")
    assert list(codes_of(payload)) == [ECHO, STORE, COUNTER]
    assert run("FUNCTION", "RESTORE", payload) == "ERR Library echo already exists"
    assert run("FUNCTION", "RESTORE", payload, "REPLACE") == b"OK"
    run("FUNCTION FLUSH")
    run("FUNCTION", "LOAD", library("return 'kept'"))
    assert run("FUNCTION", "RESTORE", payload, "APPEND") == b"OK"
    assert run("FCALL f 0") == b"kept"
    assert run("FUNCTION", "RESTORE", payload, "FLUSH") == b"OK"
    assert run("FCALL f 0") == "ERR Function not found"
    assert library_codes(run.engine) == [ECHO, STORE, COUNTER]


def test_a_payload_is_restored_as_a_whole_or_not_at_all(run: Watched) -> None:
    run("FUNCTION", "LOAD", library("return 'kept'", "mine"))
    clash = ECHO.replace(b"'echo'", b"'f'")
    for codes in ([ECHO, b"nonsense"], [ECHO, clash.replace(b"name=echo", b"name=clash")], [ECHO, ECHO]):
        body = b"".join(b"\xf5" + bytes((0x40 | len(code) >> 8, len(code) & 255)) + code for code in codes)
        assert run("FUNCTION", "RESTORE", sealed(body, 10), "REPLACE").startswith("ERR ")
        assert (run.changes, run.recorded) == (0, [])
        assert (run("FCALL f 0"), run("FCALL echo 0")) == (b"kept", "ERR Function not found")


def test_damaged_payloads_are_refused(run: Watched) -> None:
    run("FUNCTION", "LOAD", STORE)
    payload = run("FUNCTION DUMP")
    for size in range(len(payload)):
        assert run("FUNCTION", "RESTORE", payload[:size], "FLUSH") == "ERR DUMP payload version or checksum are wrong"
    hostile = {
        b"\x00\x03abc": "ERR given type is not a function",
        b"\xf6x": "ERR Pre-GA function format not supported",
        b"\xf5": "ERR Failed loading library payload",
        # What is wrong first is told of.
        b"\xf5\x01x\x00": "ERR Missing library metadata",
        b"\xf5\x05ab": "ERR Failed loading library payload",
        b"\xf5\x81" + b"\x7f" * 8: "ERR Failed loading library payload",
        b"\xf5\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xffx": "ERR Failed loading library payload",
    }
    for body, error in hostile.items():
        assert run("FUNCTION", "RESTORE", sealed(body, 10), "FLUSH") == error
    assert library_codes(run.engine) == [STORE]


@pytest.fixture(params=sorted(BINARIES))
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    real = RealServer(request.param)
    yield real
    real.stop()


def test_payloads_travel_to_and_from_real_servers(run: Watched, server: RealServer) -> None:
    long = library("return '" + "long " * 1000 + "'", "long")
    codes = [ECHO, STORE, COUNTER, long]
    wire = server.connect()
    assert not any(
        isinstance(reply, CommandError) for reply in wire.run([[b"FUNCTION", b"LOAD", code] for code in codes])
    )
    theirs = wire.run([[b"FUNCTION", b"DUMP"]])[0]
    assert run("FUNCTION", "RESTORE", bytes(theirs)) == b"OK"
    assert sorted(library_codes(run.engine)) == sorted(codes)
    # The version that every one of them reads.
    run("CONFIG SET rdb-write-version 10")
    ours = run("FUNCTION DUMP")
    assert wire.run([[b"FUNCTION", b"RESTORE", ours, b"FLUSH"]]) == [b"OK"]
    listed = wire.run([[b"FUNCTION", b"LIST", b"WITHCODE"]])[0]
    assert sorted(bytes(one[one.index(b"library_code") + 1]) for one in listed) == sorted(codes)
    wire.close()


def test_libraries_are_there_again_after_a_restart(tmp_path: Path) -> None:
    with alcove.open(tmp_path) as client:
        client.function_load(STORE.decode())
        client.function_load(ECHO.decode())
        client.function_delete("echo")
        client.fcall("put", 1, "key", "value")
    with alcove.open(tmp_path) as client:
        assert client.fcall_ro("get", 1, "key") == b"value"
        with pytest.raises(redis.ResponseError, match="Function not found"):
            client.fcall("echo", 0)


# Limits


def test_memory_limit_and_flags(run: Watched) -> None:
    flags = ("", "flags = {'no-writes'}", "flags = {'allow-oom'}")
    code = "#!lua name=limits\n"
    for name, words in zip(("plain", "reads", "allowed"), flags, strict=True):
        arguments = (
            f"function_name = '{name}', callback = function(keys) return redis.call('GET', keys[1]) end, {words}"
        )
        code += f"redis.register_function{{{arguments}}}\n"
    run("FUNCTION", "LOAD", code.encode())
    run("SET", "key", "value")
    run("CONFIG SET maxmemory 1")
    assert run("FCALL plain 1 key").startswith("OOM ")
    assert run("FCALL reads 1 key") == b"value"
    assert run("FCALL allowed 1 key") == b"value"
    assert run("FUNCTION", "LOAD", ECHO).startswith("OOM ")


def test_functions_that_only_read_cannot_write(run: Watched) -> None:
    code = STORE.replace(b"'GET', keys[1]", b"'DEL', keys[1]")
    run("FUNCTION", "LOAD", code)
    run("SET key value")
    for call in ("FCALL", "FCALL_RO"):
        assert "Write commands are not allowed from read-only scripts" in run(call, "get", "1", "key")
    assert run.value("key") == b"value"


def test_a_function_that_runs_for_long_is_killed() -> None:
    engine = Engine()
    outcome: list[str] = []
    with alcove.open(engine=engine) as client:
        client.config_set("busy-reply-threshold", 10)
        client.function_load(library("pcall(function() while true do end end) return 1").decode())

        def spin() -> None:
            try:
                outcome.append(str(client.fcall("f", 0)))
            except redis.ResponseError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=spin)
        thread.start()
        running = eventually(lambda: client.execute_command("FUNCTION STATS")[b"running_script"])
        assert (running[b"name"], running[b"command"]) == (b"f", [b"FCALL", b"f", b"0"])
        for refused in ("PING", "SCRIPT KILL"):
            with pytest.raises(redis.ResponseError, match="You can only call FUNCTION KILL or SHUTDOWN NOSAVE"):
                client.execute_command(refused)
        assert client.execute_command("FUNCTION KILL") in (b"OK", True)
        thread.join(30)
        assert outcome == ["Script killed by user with FUNCTION KILL. script: f, on @user_function:2."]
        with pytest.raises(redis.ResponseError, match="No scripts in execution right now"):
            client.execute_command("FUNCTION KILL")
        assert client.ping()


def test_code_and_names_may_hold_any_bytes(run: Watched) -> None:
    named = b"#!lua name=\xff\xfe\n" + bytes(range(256))
    assert run("FUNCTION", "LOAD", named).startswith("ERR Library names can only contain letters")
    binary = b"#!lua name=bytes\nredis.register_function('bytes', function() return '\xff\xfe\\0' end)"
    run("FUNCTION", "LOAD", binary)
    assert run("FCALL bytes 0") == b"\xff\xfe\0"
    assert list(codes_of(run("FUNCTION DUMP"))) == [binary]
