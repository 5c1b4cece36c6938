"""Lua scripts: what calling one costs the server, and what each command in it does."""

from __future__ import annotations

import hashlib
import statistics
from dataclasses import dataclass

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
set by the command before. Factors compare Alcove with redis-server; less is better."""

RELEASE = b'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end'
TEN_CALLS = b"""\
for i = 1, 5 do
  redis.call("SET", KEYS[1], i)
  redis.call("GET", KEYS[1])
end
return redis.call("GET", KEYS[1])"""
NOTHING = b"return 1"


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
    names = [peer.name for peer in peers]
    section = Section("Scripts", READING)
    rows = [[case, *(figure(costs[name]) for name in names), times(factor(costs))] for case, costs in results.items()]
    section.tables.append(Table("CPU per script, µs", ["", *names, "Factor"], rows))
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
