"""Random scripts: values of every kind both ways, commands, Lua's own functions, and mistakes in all of them.

Besides scripts made up by chance there are those of `scripting_table`, and commands of the other families that a script
passes on. For these hold the differences of their families too.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from alcove.errors import CommandError
from tests.comparison import scripting_table
from tests.comparison.functions import unordered
from tests.comparison.machine import KEYS, TIMES, Known, close, equal
from tests.scripting.shown import script as shown

ATOMS = """
    nil true false 0 1 -1 3.75 -3.75 1e15 2^53 1/0 -1/0 'x' '' '\\255\\0' '12' '1.5' 'x y'
    KEYS[1] KEYS[2] ARGV[1] ARGV[2] #KEYS #ARGV KEYS ARGV redis.REPL_ALL redis.LOG_WARNING _VERSION unknown
""".replace("'x y'", "'x\\32y'").split()
KEYED = ["1", "'a'", "true", "2.5"]
NAMES = ["ok", "err", "double", "map", "set", "big_number", "verbatim_string", "other"]
# None raises a table without a text, which ends the real servers.
SPECIAL = [
    "error('raised')",
    "error('raised', 0)",
    "error('raised', 3)",
    "error({err = 'MINE was raised'})",
    "error(5)",
    "error()",
    "{ok = 'FINE'}",
    "{ok = 'FI\\r\\nNE'}",
    "{err = 'MINE is bad'}",
    "{err = 'bad'}",
    "{err = 'a\\r\\nb'}",
    "{double = 1.5}",
    "{double = 1e300}",
    "{double = 3}",
    "{big_number = '123456789012345678901'}",
    "{verbatim_string = {format = 'txt', string = 'text'}}",
    "{verbatim_string = {string = 'text'}}",
    "redis.status_reply('FINE')",
    "redis.error_reply('MINE is bad')",
    "redis.error_reply('bad')",
    "redis.error_reply('-bad')",
    "redis.sha1hex('x')",
    "redis.sha1hex(1)",
    "redis.sha1hex()",
    "redis.status_reply()",
    "redis.error_reply(1)",
    "redis.setresp(2)",
    "redis.setresp(4)",
    "redis.log(redis.LOG_DEBUG, 'x')",
    "redis.log('x', 'y')",
    "redis.replicate_commands()",
    "redis.set_repl(redis.REPL_ALL)",
    "redis.acl_check_cmd('get', 'x')",
    "redis.acl_check_cmd('nope')",
    "getmetatable({})",
    "type(getmetatable(_G))",
    "getmetatable(redis)",
    "redis.nothing",
    "redis.nothing()",
]
COMMANDS = """
    get:1 set:2 incr:1 incrby:2 append:2 strlen:1 del:1 exists:1 type:1 lpush:2 lrange:3 llen:1 rpop:1 sadd:2
    smembers:1 sismember:2 hset:3 hget:2 hgetall:1 zadd:3 zscore:2 zrange:3 echo:1 ping:0 mget:2 getrange:3 setnx:2
    nope:1 eval:2 multi:0 client|id:0 config|nope:0 expire:2 persist:1 zincrby:3
"""
FUNCTIONS = """
    string.rep:2 string.sub:3 string.find:3 string.match:2 string.gsub:3 string.format:2 string.byte:2 string.upper:1
    string.len:1 string.reverse:1 string.char:2 table.concat:2 table.insert:1 table.remove:1 table.getn:1 table.maxn:1
    math.floor:1 math.ceil:1 math.max:2 math.min:2 math.abs:1 math.fmod:2 math.pow:2 math.sqrt:1 math.huge:0
    tonumber:2 tostring:1 type:1 unpack:3 select:2 next:1 rawget:2 rawequal:2 rawset:3 pairs:1 ipairs:1 assert:2
    setmetatable:2 loadstring:1 load:1 pcall:2 xpcall:2 coroutine.wrap:1 coroutine.status:1
    coroutine.running:0 coroutine.yield:1 collectgarbage:1 string.dump:1 string.nothing:0 nothing:1
    redis.sha1hex:1 redis.status_reply:1 redis.error_reply:1 redis.setresp:1 redis.log:2 redis.set_repl:1
"""
# An @ is a value.
STATEMENTS = [
    *["return @"] * 3,
    "return {2^63, -2^63, 1e17, 1e300, -1/0, 0/0, @}",
    "return {@, @}",
    "redis.setresp(3) return @",
    "redis.setresp(3) local x = @ return {type(x), x}",
    "local x = @ return type(x)",
    "local x = @\nreturn {x, @}",
    "local function f(x)\n return @\nend\nlocal r = f(@) return r",
    "local ok, e = pcall(function() return @ end) return {tostring(ok), type(e), e}",
    "local ok, e = pcall(redis.call, @, @) return {tostring(ok), type(e)}",
    "local ok, e = xpcall(function() return @ end, function(e) return type(e) end) return {tostring(ok), type(e)}",
    "if @ then return @ else return @ end",
    "for i = 1, 2 do local x = @ end return @",
    "local t = {} t[1] = @ return t",
    "return coroutine.wrap(function() return @ end)()",
    "x = @",
    "_G.x = @",
    "rawset(_G, 'x', @)",
    "string.x = @",
    "redis.x = @",
    "return @ return",
]
SHEBANGS = [
    "#!lua",
    "#!lua flags=no-writes",
    "#!lua flags=allow-oom,allow-stale",
    "#!lua flags=nope",
    "#!js",
    "#!lua x",
]


def words_of(chance: random.Random, table: str) -> tuple[str, int]:
    name, _, count = chance.choice(table.split()).rpartition(":")
    return name, int(count)


def value(chance: random.Random, depth: int = 0) -> str:
    """An expression of any kind."""
    kind = chance.random()
    if kind < 0.35 or depth > 3:
        return chance.choice(ATOMS[:-1] if chance.random() < 0.95 else ATOMS)
    if kind < 0.5:
        return "{" + ", ".join(value(chance, depth + 1) for _ in range(chance.randrange(4))) + "}"
    if kind < 0.58:
        # One key at most: what has several has no order.
        return f"{{{chance.choice(['map', 'set'])} = {{[{chance.choice(KEYED)}] = {value(chance, depth + 1)}}}}}"
    if kind < 0.62:
        return f"{{{chance.choice(NAMES)} = {value(chance, depth + 1)}}}"
    if kind < 0.68:
        return chance.choice(SPECIAL)
    if kind < 0.86:
        return command(chance, depth)
    return function(chance, depth)


def command(chance: random.Random, depth: int) -> str:
    name, count = words_of(chance, COMMANDS)
    if chance.random() < 0.1:
        count += chance.choice([-1, 1])
    words = [f"'{word}'" for word in name.split("|")]
    if count > 0:
        words.append("KEYS[1]" if chance.random() < 0.8 else chance.choice(ATOMS))
    for _ in range(count - 1):
        words.append(value(chance, depth + 2) if chance.random() < 0.3 else f"'{chance.choice('012ax')}'")
    return f"redis.{'call' if chance.random() < 0.7 else 'pcall'}({', '.join(words)})"


def function(chance: random.Random, depth: int) -> str:
    name, count = words_of(chance, FUNCTIONS)
    if chance.random() < 0.1:
        count += chance.choice([-1, 1])
    arguments = [value(chance, depth + 1) for _ in range(count)]
    if name == "tostring":
        # Of what has no address.
        arguments = [chance.choice(["nil", "false", "3.75", "2^53", "-1/0", "'x'", "cjson.null"])]
    elif name == "string.rep":
        # Nothing ends one that is too long.
        arguments[1:2] = [chance.choice(["0", "3", "-1", "'2'", "{}"])]
    return f"{name}({', '.join(arguments)})"


def script(chance: random.Random) -> bytes:
    first, *pieces = chance.choice(STATEMENTS).split("@")
    text = first + "".join(value(chance) + piece for piece in pieces)
    if chance.random() < 0.05:
        text = f"{chance.choice(SHEBANGS)}\n{text}"
    return text.encode()


def arguments(chance: random.Random) -> list[bytes]:
    keys = [chance.choice(KEYS) for _ in range(chance.choice([0, 1, 1, 1, 2]))]
    others = [chance.choice([b"one", b"2", b"3.5", b""]) for _ in range(chance.randrange(3))]
    count = b"%d" % len(keys)
    if chance.random() < 0.04:
        count = chance.choice([b"-1", b"x", b"9", b""])
    return [count, *keys, *others]


def eval_(chance: random.Random) -> list[bytes]:
    return [b"EVAL" if chance.random() < 0.9 else b"EVAL_RO", script(chance), *arguments(chance)]


def evalsha(chance: random.Random) -> list[bytes]:
    return [chance.choice([b"EVALSHA", b"EVALSHA_RO"]), digest(chance), *arguments(chance)]


KEPT = [
    b"return 1",
    b"return redis.call('incr', KEYS[1])",
    b"return redis.call('get', KEYS[1])",
    b"return {KEYS, ARGV}",
]


def digest(chance: random.Random) -> bytes:
    made = hashlib.sha1(chance.choice(KEPT), usedforsecurity=False).hexdigest().encode()
    return chance.choice([made, made, made, made.upper(), b"", b"x", made[1:]])


def keep(chance: random.Random) -> list[bytes]:
    if chance.random() < 0.3:
        return [b"EVAL", chance.choice(KEPT), *arguments(chance)]
    words = [
        [b"LOAD", chance.choice([*KEPT, b"a mistake"])],
        [b"EXISTS", digest(chance), digest(chance)],
        [b"SHOW", digest(chance)],
        [b"FLUSH"],
        [b"FLUSH", chance.choice([b"SYNC", b"async", b"x"])],
        [b"KILL"],
        [b"NOPE"],
    ]
    return [b"SCRIPT", *chance.choice(words)]


def outside(chance: random.Random) -> list[bytes]:
    """What scripts meet: values of all types."""
    key = chance.choice(KEYS)
    return chance.choice(
        [
            [b"DEL", key],
            [b"SET", key, b"5"],
            [b"RPUSH", key, b"a", b"b"],
            [b"HSET", key, b"f", b"1"],
            [b"SADD", key, b"m"],
        ]
    )


# Commands of the other families

FAMILIES: dict[bytes, ModuleType] = {
    name.encode(): importlib.import_module(f"tests.comparison.{name}")
    for name in ("bitmap", "generic", "geo", "hash", "hyperloglog", "list", "set", "sorted_set", "stream", "string")
}
# The family stands as the key, and the command as the arguments.
RELAYS = [
    b"return redis.call(unpack(ARGV))",
    b"return redis.pcall(unpack(ARGV))",
    b"local reply = redis.call(unpack(ARGV)) return reply",
    b"redis.setresp(3) return redis.call(unpack(ARGV))",
    b"redis.setresp(3) local reply = redis.pcall(unpack(ARGV)) return reply",
]
# These show what Lua gets: all digits of a number, and what is in a table.
SHOWING = [
    shown("local reply = redis.pcall(unpack(ARGV)) return reply"),
    shown("redis.setresp(3) local reply = redis.pcall(unpack(ARGV)) return reply"),
]
# Whose replies are neither by chance, nor in an order that is, nor known to differ.
SHOWN = b"""
    GET SET SETNX MGET INCR APPEND STRLEN GETRANGE HGET HMGET HSET HLEN HEXISTS HSTRLEN LRANGE LLEN LINDEX LPOS RPUSH
    LPOP SISMEMBER SMISMEMBER SCARD SADD ZSCORE ZMSCORE ZRANGE ZCARD ZADD ZPOPMIN XLEN XRANGE XREVRANGE GETBIT
    SETBIT PFADD GEOPOS GEODIST GEOHASH TYPE EXISTS PERSIST
""".split()
# Since 7.2 these may be called, and then do not wait.
WAITING = [b"BLPOP", b"BRPOP", b"BLMOVE", b"BRPOPLPUSH", b"BLMPOP", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP", b"BLOCK"]


def passed_on(chance: random.Random, names: list[bytes]) -> list[bytes]:
    """A family and a command of it, with one of these names if there are any."""
    while True:
        family = chance.choice(list(FAMILIES))
        argv = FAMILIES[family].generate(chance)
        avoided = [*getattr(FAMILIES[family], "NEWER", []), *WAITING]
        if not any(word.upper() in avoided for word in argv) and (not names or argv[0] in names):
            return [family, *argv]


def relay(chance: random.Random) -> list[bytes]:
    if chance.random() < 0.3:
        return [b"EVAL", chance.choice(SHOWING), b"1", *passed_on(chance, SHOWN)]
    return [b"EVAL" if chance.random() < 0.9 else b"EVAL_RO", chance.choice(RELAYS), b"1", *passed_on(chance, [])]


def relayed(argv: list[bytes]) -> tuple[ModuleType, list[bytes]] | None:
    """The family, and the command that a script has passed on."""
    if len(argv) > 4 and argv[1] in RELAYS:
        return FAMILIES[argv[3]], argv[4:]
    return None


def bare(reply: Any, command: list[bytes]) -> Any:
    """A reply as the command gives it outside of scripts: the error's place, and words for scripts, are left out."""
    if not isinstance(reply, CommandError):
        return reply
    text = re.sub(r" script: [0-9a-f]{40}, on @user_script:1\.$", "", reply.text)
    arity = f"ERR wrong number of arguments for '{command[0].decode().lower()}' command"
    return CommandError(re.sub(r"^ERR Wrong number of args calling .*", arity, text))


def mirror(argv: list[bytes], theirs: Any) -> list[bytes]:
    found = relayed(argv)
    if found is None:
        return argv
    family, command = found
    return [*argv[:4], *getattr(family, "mirror", lambda argv, theirs: argv)(command, theirs)]


def family_accepts(family: ModuleType, command: list[bytes], theirs: Any, ours: Any) -> bool:
    """Whether a family takes the replies to its command for the same; in scripts maps may be flat, and sets lists."""
    theirs, ours = bare(theirs, command), bare(ours, command)
    own = getattr(family, "accept", None)
    if own is not None and own(command, theirs, ours):
        return True
    if command[0] in TIMES and isinstance(theirs, (int, list)):
        return close(theirs, ours, TIMES[command[0]])
    return command[0] in getattr(family, "UNORDERED", ()) and repr(unordered(theirs)) == repr(unordered(ours))


def passed(known: Known) -> Known:
    """A family's difference, for commands in scripts too."""

    def applies(argv: list[bytes], theirs: Any, ours: Any) -> bool:
        found = relayed(argv)
        if found is None:
            return argv[0] != b"EVAL" and known.applies(argv, theirs, ours)
        command = found[1]
        return known.applies(command, bare(theirs, command), bare(ours, command))

    return Known(known.reason, applies, known.servers)


GENERATORS: list[Callable[[random.Random], list[bytes]]] = [
    *[eval_] * 8,
    *[relay] * 4,
    *[scripting_table.generate] * 3,
    *[evalsha] * 2,
    keep,
    *[outside] * 2,
]


def generate(chance: random.Random) -> list[bytes]:
    return chance.choice(GENERATORS)(chance)


# What may differ


def mapped(change: Callable[[str], str], reply: Any) -> Any:
    """A reply with all its texts changed."""
    if isinstance(reply, (list, tuple)):
        return [mapped(change, element) for element in reply]
    if isinstance(reply, dict):
        return {mapped(change, key): mapped(change, element) for key, element in reply.items()}
    if isinstance(reply, CommandError):
        return CommandError(change(reply.text))
    if isinstance(reply, bytes):
        return change(reply.decode("latin-1")).encode("latin-1")
    return reply


def accept(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    found = relayed(argv)
    return found is not None and family_accepts(*found, theirs, ours)


def read_as_numbers(text: str) -> str:
    """A text with its numbers in one form."""
    text = text.replace("-nan", "nan")
    return re.sub(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?", lambda number: repr(float(number[0])), text)


def has_the_same_numbers(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    return equal(mapped(read_as_numbers, theirs), mapped(read_as_numbers, ours))


# What Valkey says instead, so that neither it nor its API has another's name.
RENAMED = {
    " Please use EVAL.": "",
    " Redis command": " command",
    "redis lib call": "call",
    "Lua redis lib command": "Command",
    "redis.": "server.",
    "debug level": "log level",
    "set_repl() requires two arguments": "set_repl() requires one argument",
}


def renamed(text: str) -> str:
    for mine, its in RENAMED.items():
        text = text.replace(mine, its)
    return text


def names_nobody(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    theirs, ours = mapped(renamed, theirs), mapped(renamed, ours)
    return equal(theirs, ours) or accept(argv, theirs, ours)


def reads_a_table(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    """Whether the replies of a script that reads large hashes or sets differ in their order alone."""
    if argv[0] not in (b"EVAL", b"EVAL_RO") or not any(name in argv[1] for name in (b"hgetall", b"smembers")):
        return False
    return repr(unordered(theirs)) == repr(unordered(ours))


def mentions(*names: str) -> Callable[[list[bytes], Any, Any], bool]:
    """Whether a script of the table has one of these words in it."""
    return lambda argv, theirs, ours: (
        argv[0] == b"EVAL"
        and argv[1].decode("latin-1") in scripting_table.SCRIPTS
        and any(name.encode() in argv[1] for name in names)
    )


KNOWN = [
    Known("large hashes and sets have no order", reads_a_table),
    *(passed(known) for family in FAMILIES.values() for known in getattr(family, "KNOWN", [])),
    Known("Valkey names neither itself nor its API after Redis", names_nobody, ("valkey",)),
    Known("since 7.2 doubles have no more digits than tell them, and NaN no sign", has_the_same_numbers, ("redis",)),
    Known("SCRIPT SHOW is of Valkey 8", lambda argv, theirs, ours: argv[:2] == [b"SCRIPT", b"SHOW"], ("redis",)),
    Known("`server` is of Valkey, `os` of 7.2", mentions("server.", "server ", "os.", "(os)"), ("redis",)),
    Known(
        "since 7.2 what may wait may be called, and does not wait",
        mentions("'blpop", "'brpop", "'block", "'wait"),
        ("redis",),
    ),
    Known("what all strings share can be read, and not changed", mentions("getmetatable('').__index"), ("valkey",)),
]
