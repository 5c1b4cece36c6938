"""Client-side caching: what it costs the server to remember who read what, and to tell them of changes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.peers import ALCOVE, REDIS, Server, in_turn, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import Wire, encode

# How many keys are read and written, each once in a round, in pipelines.
KEYS = 1000
PIPELINE = 100

READING = f"""\
Microseconds of the server's CPU for each command of one client, in pipelines of {PIPELINE} over {KEYS} keys, beside the
same command when nobody tracks keys. Readers track what they read; before a round of writes each of them has read every
key, so that a SET sends as many messages as there are readers. In broadcasting mode they have read nothing, and a
pipeline's changes come in one message. Factors compare Alcove with redis-server; less is better."""

AIM = 1.1


@dataclass(frozen=True)
class Case:
    """What one client does while so many track keys, with these options."""

    name: str
    command: str
    readers: int = 0
    options: tuple[str, ...] = ()
    # Whether the one who is measured is a reader himself.
    reads: bool = False

    def requests(self) -> list[bytes]:
        value = (b"value",) if self.command == "SET" else ()
        one = [encode(self.command.encode(), b"key:%d" % number, *value) for number in range(KEYS)]
        return [b"".join(one[start : start + PIPELINE]) for start in range(0, KEYS, PIPELINE)]


CASES = [
    Case("GET, nobody tracks", "GET"),
    Case("GET of a reader, keys already remembered", "GET", 1, reads=True),
    Case("SET, nobody tracks", "SET"),
    Case("SET, 1 reader of other keys", "SET", 1, ("BCAST", "PREFIX", "other:")),
    Case("SET, 1 reader", "SET", 1),
    Case("SET, 10 readers", "SET", 10),
    Case("SET, 1 reader, broadcasting", "SET", 1, ("BCAST",)),
    Case("SET, 10 readers, broadcasting", "SET", 10, ("BCAST",)),
]


def run(quick: bool) -> Section:
    """All cases, the servers in turns."""
    rounds = 5 if quick else 60
    peers = installed()
    results: dict[str, dict[str, float]] = {}
    with running(peers) as servers, on_load_processor():
        for case in CASES:
            note(f"tracking: {case.name}")
            taken: dict[str, list[float]] = {server.name: [] for server in servers}
            for number in range(3):
                for server in in_turn(servers, number):
                    taken[server.name].append(measure(case, server, rounds))
            results[case.name] = {name: statistics.median(costs) for name, costs in taken.items()}
    names = [peer.name for peer in peers]
    section = Section("Client-side caching", READING)
    rows = [[case, *(figure(costs[name]) for name in names), times(factor(costs))] for case, costs in results.items()]
    section.tables.append(Table("CPU per command, µs", ["", *names, "Factor"], rows))
    mean = geometric_mean(map(factor, results.values()))
    if mean is not None:
        wanted = f"CPU per command at most {AIM} times {REDIS}'s, in the geometric mean of all"
        section.aims.append(Aim(wanted, times(mean), mean <= AIM))
    return section


def factor(costs: dict[str, float]) -> float | None:
    return ratio(costs[ALCOVE], costs[REDIS])


def measure(case: Case, server: Server, rounds: int) -> float:
    """Microseconds per command."""
    reading = Case("", "GET").requests()
    requests = case.requests()
    with ExitStack() as stack:
        client = stack.enter_context(Wire(server.port))
        readers = [stack.enter_context(Wire(server.port)) for _ in range(case.readers - case.reads)]
        send(client, [encode(b"FLUSHALL"), *Case("", "SET").requests()])
        tracking = encode(b"HELLO", b"3") + encode(b"CLIENT", b"TRACKING", b"ON", *map(str.encode, case.options))
        for reader in [client, *readers] if case.reads else readers:
            reader.exchange(tracking)
        send(client, requests)
        cost_us = 0.0
        for _ in range(rounds):
            if not case.options:
                for reader in readers:
                    send(reader, reading)
            before_us = server.cpu_us()
            send(client, requests)
            for reader in readers:
                # Takes all the messages.
                reader.exchange(b"")
            cost_us += server.cpu_us() - before_us
    return cost_us / (rounds * KEYS)


def send(wire: Wire, requests: Sequence[bytes]) -> None:
    for request in requests:
        wire.exchange(request)
