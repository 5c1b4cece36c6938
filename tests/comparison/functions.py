"""Random libraries of functions: loaded, replaced, restored and called, with mistakes of every kind."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from alcove.codec.payload import sealed
from alcove.codec.primitives import Encoder
from alcove.errors import CommandError
from tests.comparison.machine import KEYS, Known

# Redis 7.0 dies of a library with two functions whose names differ in case alone, when that library goes.
NAMES = ["f", "g", "h", "long_name_1"]
LIBRARIES = ["one", "two", "ONE"]
BODIES = [
    "return {#keys, #args, keys[1], args[1]}",
    "return redis.call('SET', keys[1], args[1])",
    "return redis.call('GET', keys[1])",
    "return redis.call('INCR', keys[1])",
    "local reply = redis.pcall('APPEND', keys[1], args[1]) return reply",
    "return redis.error_reply('MINE because')",
    "return redis.status_reply('FINE')",
    "error('raised')",
    "error({err = 'MINE raised'})",
    "return KEYS",
    "undefined = 1",
    "return undefined",
    "return redis.register_function('late', function() end)",
    "local t = {} for name in pairs(redis) do t[#t + 1] = name end return #t > 10",
    "keys[1] = 'other' return keys",
    "count = (count or 0) + 1",
    "return 1, 2",
    "",
    "return cjson.encode({#args})",
    "return {1, 2.9, nil, 3}",
    "return redis.call('FCALL', 'f', 0)",
]
# What stands in a library besides what registers its functions.
PRELUDES = [
    "",
    "local function helper() return 1 end",
    "local n = 0",
    "redis.log(redis.LOG_DEBUG, 'loaded')",
    "redis.log(1)",
    "redis.call('PING')",
    "local x = pairs",
    "x = 1",
    "local y = nil + 1",
    "a mistake",
    "redis.register_function()",
    "redis.register_function('f')",
    "redis.register_function('f', 1)",
    "redis.register_function({}, function() end)",
    "redis.register_function('f', function() end, 1)",
    "redis.register_function{}",
    "redis.register_function{1}",
    "redis.register_function{[{}] = 1}",
    "redis.register_function{function_name = 'f'}",
    "redis.register_function{callback = function() end}",
    "redis.register_function{function_name = 'f', callback = 1}",
    "redis.register_function{function_name = 'f', callback = function() end, flags = 1}",
    "redis.register_function{function_name = 'f', callback = function() end, description = {}}",
    "redis.register_function{function_name = 'f', callback = function() end, extra = 1}",
    "redis.register_function('not-a-name', function() end)",
]
FLAGS = [
    "'no-writes'",
    "'allow-oom'",
    "'NO-CLUSTER'",
    "'allow-stale', 'allow-cross-slot-keys'",
    "'unknown'",
    "1",
    "nil",
]
HEADS = [
    "#!lua name={}",
    "#!LUA name={}",
    '#!lua name="{}"',
    "#!lua",
    "#!lua name={} name=again",
    "#!lua name={} more=1",
    "#!js name={}",
    "#!lua name=not-a-name",
    "lua name={}",
    '#!lua name="{}',
]


def mostly(chance: random.Random, usual: list[str], share: float = 0.85) -> str:
    """The first of some words mostly, else any."""
    return usual[0] if chance.random() < share else chance.choice(usual)


def code(chance: random.Random) -> bytes:
    """The code of a library."""
    lines = [mostly(chance, HEADS, 0.9).format(chance.choice(LIBRARIES)), mostly(chance, PRELUDES)]
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        callback = f"function(keys, args) {chance.choice(BODIES)} end"
        name = chance.choice(NAMES)
        if chance.random() < 0.6:
            lines.append(f"redis.register_function('{name}', {callback})")
        else:
            flags = mostly(chance, FLAGS, 0.6)
            described = chance.choice(["", "description = 'what it does', "])
            arguments = f"function_name = '{name}', callback = {callback}, {described}flags = {{{flags}}}"
            lines.append(f"redis.register_function{{{arguments}}}")
    return "\n".join(lines).encode()


def payload(chance: random.Random) -> bytes:
    """A payload of versions that all know, now and then damaged."""
    encoder = Encoder()
    for _ in range(chance.choice([0, 1, 1, 2])):
        encoder.byte(245 if chance.random() < 0.97 else 0)
        encoder.string(code(chance))
    whole = sealed(encoder.take(), 10)
    return whole if chance.random() < 0.95 else whole[: chance.randrange(len(whole))]


def load(chance: random.Random) -> list[bytes]:
    options = chance.choice([[], [b"REPLACE"], [b"REPLACE"], [b"replace"], [b"OTHER"]])
    return [b"FUNCTION", b"LOAD", *options, code(chance)]


def restore(chance: random.Random) -> list[bytes]:
    policy = chance.choice([[], [b"FLUSH"], [b"REPLACE"], [b"append"], [b"OTHER"], [b"FLUSH", b"REPLACE"]])
    return [b"FUNCTION", b"RESTORE", payload(chance), *policy]


def list_(chance: random.Random) -> list[bytes]:
    pattern = [b"LIBRARYNAME", chance.choice([b"*", b"one", b"t*", b"[no]*"])]
    options = [[], [b"WITHCODE"], pattern, [*pattern, b"withcode"], [b"LIBRARYNAME"], [b"OTHER"], [*pattern, *pattern]]
    return [b"FUNCTION", b"LIST", *chance.choice(options)]


def call(chance: random.Random) -> list[bytes]:
    name = chance.choice([*NAMES, "F", "missing"]).encode()
    words = [chance.choice([*KEYS, b"1"]) for _ in range(chance.randint(1, 3))]
    count = chance.choice([b"1", b"1", b"1", b"0", b"2", b"-1", b"9", b"x"])
    return [chance.choice([b"FCALL", b"FCALL", b"FCALL_RO"]), name, count, *words]


def other(chance: random.Random) -> list[bytes]:
    words = ["DELETE one", "DELETE two", "DELETE missing", "FLUSH", "FLUSH SYNC", "FLUSH OTHER", "FLUSH SYNC ASYNC"]
    more = ["STATS", "KILL", "DUMP", "DELETE", "STATS 1"]
    return [b"FUNCTION", *chance.choice([*words, *more]).encode().split()]


GENERATORS: list[Callable[[random.Random], list[bytes]]] = [
    load,
    load,
    load,
    call,
    call,
    call,
    call,
    restore,
    list_,
    other,
]


def generate(chance: random.Random) -> list[bytes]:
    return chance.choice(GENERATORS)(chance)


def unordered(value: Any) -> Any:
    """A reply whose lists have no order: the real server keeps libraries and functions in hash tables."""
    if isinstance(value, dict):
        return sorted((unordered(list(pair)) for pair in value.items()), key=repr)
    if isinstance(value, (list, tuple, set)):
        return sorted((unordered(element) for element in value), key=repr)
    return bytes(value) if isinstance(value, (bytes, bytearray)) else value


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """LIST without order; of DUMP's payloads, which depend on the order and the compressor, that both are some."""
    if argv[:2] == [b"FUNCTION", b"LIST"] and isinstance(theirs, list):
        return repr(unordered(theirs)) == repr(unordered(ours))
    return argv == [b"FUNCTION", b"DUMP"] and isinstance(theirs, bytes) and isinstance(ours, bytes)


def names_itself(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Errors in which Valkey names its own API, and does not name itself."""
    if not isinstance(theirs, CommandError) or not isinstance(ours, CommandError):
        return False
    words = ((" Redis command", " command"), ("redis.", "server."), ("Lua redis lib command", "Command"))
    text = ours.text
    for mine, its in words:
        text = text.replace(mine, its)
    return theirs.text in (text, ours.text.replace(" Redis command", " command"))


def names_another(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Which of several functions whose names are taken is named follows from the order of a hash table."""
    clash = re.compile(r"ERR (Function|Library) \w+ already exists")
    both = isinstance(theirs, CommandError) and isinstance(ours, CommandError)
    return both and bool(clash.fullmatch(theirs.text) and clash.fullmatch(ours.text))


KNOWN = [
    Known("the order of what is taken", names_another),
    Known("Valkey calls the API `server`", names_itself, ("valkey",)),
]
