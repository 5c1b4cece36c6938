"""Lua scripts: what calling one costs the server, and what each command in it does."""

from __future__ import annotations

import hashlib
import statistics
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lupa.lua51 import LuaRuntime

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.engine import Engine
from bench.peers import ALCOVE, REDIS, Server, in_turn, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import Wire, encode

# How many scripts are run in a round, in pipelines.
SCRIPTS = 2000
PIPELINE = 50
AIM = 2.0

READING = f"""\
Microseconds of the server's CPU for each script, in pipelines of {PIPELINE}. The lock's release is the script with
which the holder of a lock removes it, and nobody else does: here of a lock that somebody else holds, and of one that is
set by the command before. Factors compare Alcove with redis-server; less is better.

The second table says what one call in a loop costs: of the libraries, with a document of 96 bytes; and of `redis.call`,
with what the command itself takes in Alcove (`engine.call`). The rest of that is the way from Lua to the engine and
back, with arguments, replies, and what guards the sandbox. Last, beside it, is what it takes lupa to call a function of
Python that only returns."""

RELEASE = b'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end'
TEN_CALLS = b"""\
for i = 1, 5 do
  redis.call("SET", KEYS[1], i)
  redis.call("GET", KEYS[1])
end
return redis.call("GET", KEYS[1])"""
NOTHING = b"return 1"
# How often a script calls one command; that is done so many times, and the least counts.
LOOPS = 20_000
ROUNDS = 10
CALLS = {
    "redis.call: GET": b"redis.call('GET', KEYS[1])",
    "redis.call: SET": b"redis.call('SET', KEYS[1], 'x')",
    "cjson.decode": b"local value = cjson.decode(document)",
    "cjson.encode": b"local text = cjson.encode(value)",
    "cmsgpack.unpack": b"local value = cmsgpack.unpack(message)",
    "cmsgpack.pack": b"local text = cmsgpack.pack(value)",
    "struct.unpack": b"local a, b, c = struct.unpack('>I4I2s', record)",
    "struct.pack": b"local text = struct.pack('>I4I2s', 7, 8, 'abc')",
    "bit.bxor": b"local word = bit.bxor(1, 3)",
}
# What they work on.
PREPARED = b"""\
local document = '{"id":17,"tags":["a","b","c",4],"price":{"currency":"EUR","amount":12.5},"name":"a small thing"}'
local value = cjson.decode(document)
local message, record = cmsgpack.pack(value), struct.pack('>I4I2s', 7, 8, 'abc')
"""


@dataclass(frozen=True)
class Case:
    """A script, by EVAL or by its SHA1, and what comes before it each time."""

    name: str
    script: bytes
    by_sha: bool = True
    before: tuple[bytes, ...] = ()

    def requests(self) -> list[bytes]:
        digest = hashlib.sha1(self.script, usedforsecurity=False).hexdigest().encode()
        head = (b"EVALSHA", digest) if self.by_sha else (b"EVAL", self.script)
        one = encode(*self.before) if self.before else b""
        one += encode(*head, b"1", b"lock:resource", b"token")
        return [one * PIPELINE] * (SCRIPTS // PIPELINE)


CASES = [
    Case("return 1", NOTHING),
    Case("lock's release, EVALSHA, another's", RELEASE),
    Case("lock's release, EVAL, another's", RELEASE, by_sha=False),
    Case("SET, then the lock's release", RELEASE, before=(b"SET", b"lock:resource", b"token")),
    Case("ten calls, EVALSHA", TEN_CALLS),
]


def run(quick: bool) -> Section:
    """All cases, the servers in turns."""
    rounds = 3 if quick else 30
    peers = installed()
    results: dict[str, dict[str, float]] = {}
    with running(peers) as servers, on_load_processor():
        for case in CASES:
            note(f"scripting: {case.name}")
            taken: dict[str, list[float]] = {server.name: [] for server in servers}
            for number in range(3):
                for server in in_turn(servers, number):
                    taken[server.name].append(measure(case, server, rounds))
            results[case.name] = {name: statistics.median(costs) for name, costs in taken.items()}
        note("scripting: one call")
        calls = {name: {server.name: cost_of(call, server) for server in servers} for name, call in CALLS.items()}
    names = [peer.name for peer in peers]
    section = Section("Scripts", READING)
    rows = [[case, *(figure(costs[name]) for name in names), times(factor(costs))] for case, costs in results.items()]
    section.tables.append(Table("CPU per script, µs", ["", *names, "Factor"], rows))
    rows = [[name, *(figure(costs[peer]) for peer in names), times(factor(costs))] for name, costs in calls.items()]
    for name, cost in own_costs().items():
        rows.append([name, *(figure(cost if peer == ALCOVE else None) for peer in names), times(None)])
    section.tables.append(Table("CPU per call in a script, µs", ["", *names, "Factor"], rows))
    mean = geometric_mean(map(factor, results.values()))
    if mean is not None:
        wanted = f"CPU per script at most {AIM} times {REDIS}'s, in the geometric mean of all"
        section.aims.append(Aim(wanted, times(mean), mean <= AIM))
    return section


def factor(costs: dict[str, float]) -> float | None:
    return ratio(costs[ALCOVE], costs[REDIS])


def measure(case: Case, server: Server, rounds: int) -> float:
    """Microseconds per script."""
    requests = case.requests()
    with Wire(server.port) as client:
        client.exchange(encode(b"SCRIPT", b"LOAD", case.script) + encode(b"SET", b"lock:resource", b"1"))
        client.exchange(requests[0])
        before_us = server.cpu_us()
        for _ in range(rounds):
            for request in requests:
                client.exchange(request)
        return (server.cpu_us() - before_us) / (rounds * SCRIPTS)


def cost_of(call: bytes, server: Server) -> float:
    """Microseconds of a call in a script, without the loop around it."""
    with Wire(server.port) as client:
        client.exchange(encode(b"SET", b"lock:resource", b"1"))

        def taken_us(body: bytes) -> float:
            request = encode(b"EVAL", b"%sfor _ = 1, %d do %s end" % (PREPARED, LOOPS, body), b"1", b"lock:resource")
            before_us = server.cpu_us()
            client.exchange(request)
            return server.cpu_us() - before_us

        called, empty = (min(taken_us(body) for _ in range(ROUNDS)) for body in (call, b"local key = KEYS[1]"))
        return (called - empty) / LOOPS


def own_costs() -> dict[str, float]:
    """Microseconds of what a call consists of, in this process."""
    engine = Engine()
    session = engine.connect("embedded")
    runtime = LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
    loop = runtime.eval(b"function(called, count) for _ = 1, count do called('GET', 'key') end end")
    called = runtime.globals()[b"python"][b"as_function"](lambda *words: b"value")
    engine.call(session, [b"SET", b"key", b"value"])
    parts: dict[str, tuple[Callable[[], object], int]] = {
        "engine.call: GET": (partial(engine.call, session, [b"GET", b"key"]), LOOPS),
        "engine.call: SET": (partial(engine.call, session, [b"SET", b"key", b"value"]), LOOPS),
        "lupa: a function of Python": (partial(loop, called, LOOPS), 1),
    }
    return {
        name: min(timeit.repeat(part, timer=time.process_time, number=number, repeat=ROUNDS)) / LOOPS * 1e6
        for name, (part, number) in parts.items()
    }
