"""Growth: what one more operation costs when a structure has a thousand elements, and when it has ten million."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.peers import ALCOVE, REDIS, Server, in_turn, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, note, ratio, times
from bench.wire import ErrorReply, Wire, encode

# Commands sent at once, and where nothing is timed.
BATCH = 100
FILL_BATCH = 1000
# At least so many insertions are timed, in several structures of the size if need be.
LEAST_TIMED = 50_000
# How long a question is asked again and again.
PROBE_S = 0.5

READING = f"""\
Microseconds of the server's CPU per command, at pipelines of {BATCH}, by the size of the one structure that the
command works on. An insertion at size n is the mean of those that made n out of n/2, so that the growing of tables is
in it. Growth is the cost at the largest size as a multiple of that at the smallest. The pause is the longest time in
milliseconds that {BATCH} of those commands took on the way to the largest size: a table rebuilt at once would show
there (and so does whatever else the machine did)."""

AIM = 1.5

# Makes request number i for a structure by its key.
Insert = Callable[[bytes, int], bytes]
# Makes a question for a structure with n elements.
Probe = Callable[[bytes, int], bytes]


@dataclass(frozen=True)
class Structure:
    """How it grows by one element, and what is asked of it on the way."""

    name: str
    insert: Insert
    probes: dict[str, Probe] = field(default_factory=dict)


def member(number: int) -> bytes:
    return b"%012d" % number


def scattered(number: int) -> bytes:
    """A score that has nothing to do with the order of insertion."""
    return member(number * 2654435761 % 2**32)


STRUCTURES = [
    Structure("SET", lambda key, i: encode(b"SET", key + member(i), b"value")),
    Structure("HSET", lambda key, i: encode(b"HSET", key, member(i), b"value")),
    Structure("SADD", lambda key, i: encode(b"SADD", key, b"m" + member(i))),
    Structure(
        "ZADD",
        lambda key, i: encode(b"ZADD", key, scattered(i), member(i)),
        {"ZRANK": lambda key, n: encode(b"ZRANK", key, member(random.randrange(n)))},
    ),
    Structure(
        "RPUSH",
        lambda key, i: encode(b"RPUSH", key, member(i)),
        {"LINDEX (middle)": lambda key, n: encode(b"LINDEX", key, b"%d" % (n // 2))},
    ),
    Structure("XADD", lambda key, i: encode(b"XADD", key, b"*", b"field", member(i))),
]


@dataclass
class Costs:
    """Microseconds per operation by size, and the longest pause on the way to the largest, in milliseconds."""

    us: dict[int, float] = field(default_factory=dict)
    pause_ms: float | None = None

    @property
    def growth(self) -> float | None:
        sizes = sorted(self.us)
        return ratio(self.us[sizes[-1]], self.us[sizes[0]]) if sizes else None


class Growing:
    """A structure on one server, in as many copies as it takes to time insertions into small ones."""

    def __init__(self, structure: Structure, server: Server) -> None:
        self.server = server
        self._structure = structure
        self._wire = Wire(server.port)
        self._sizes: dict[bytes, int] = {}

    def grow(self, size: int) -> tuple[float, float]:
        """Microseconds per insertion in the last half of the way to `size`, and the longest pause."""
        copies = [b"copy:%04d:" % number for number in range(max(2 * LEAST_TIMED // size, 1))]
        for key in copies:
            self._insert(key, size // 2, FILL_BATCH)
        before_us = self.server.cpu_us()
        pauses_ms = [self._insert(key, size, BATCH) for key in copies]
        cpu_us = self.server.cpu_us() - before_us
        return cpu_us / (len(copies) * (size - size // 2)), max(pauses_ms)

    def ask(self, probe: Probe, size: int) -> float:
        """Microseconds per question to the first copy."""
        asked = 0
        deadline = time.perf_counter() + PROBE_S
        before_us = self.server.cpu_us()
        while asked == 0 or time.perf_counter() < deadline:
            self._wire.exchange(b"".join(probe(b"copy:0000:", size) for _ in range(BATCH)))
            asked += BATCH
        return (self.server.cpu_us() - before_us) / asked

    def _insert(self, key: bytes, size: int, batch: int) -> float:
        """Makes a copy as large as this; answers how long the slowest batch took, in milliseconds."""
        longest_s = 0.0
        at = self._sizes.get(key, 0)
        while at < size:
            end = min(at + batch, size)
            requests = b"".join(self._structure.insert(key, number) for number in range(at, end))
            started = time.perf_counter()
            self._wire.exchange(requests)
            longest_s = max(longest_s, time.perf_counter() - started)
            at = end
        self._sizes[key] = at
        return longest_s * 1000


def run(quick: bool) -> Section:
    """All structures, each on a fresh process of both servers."""
    sizes = [10**power for power in range(3, 6 if quick else 8)]
    section = Section("Growth", READING)
    rows: list[list[str]] = []
    for structure in STRUCTURES:
        for operation, costs in measure(structure, sizes).items():
            for name, cost in costs.items():
                cells = [figure(cost.us.get(size)) for size in sizes]
                label = operation if name == REDIS else ""
                rows.append([label, name, *cells, times(cost.growth), figure(cost.pause_ms)])
            section.aims += aims(operation, costs)
    columns = ["", "", *(f"{size:,}" for size in sizes), "Growth", "Pause"]
    section.tables.append(Table("CPU per command by size, µs", columns, rows))
    return section


def aims(operation: str, costs: dict[str, Costs]) -> list[Aim]:
    ours, theirs = costs[ALCOVE].growth, costs[REDIS].growth
    if ours is None or theirs is None:
        return []
    wanted = f"{operation}: grows at most {AIM} times as much as in {REDIS}"
    return [Aim(wanted, f"{times(ours)} beside {times(theirs)}", ours <= AIM * theirs)]


def measure(structure: Structure, sizes: list[int]) -> dict[str, dict[str, Costs]]:
    """Costs by operation and server. One that refuses the command has none."""
    peers = [peer for peer in installed() if peer.name in (REDIS, ALCOVE)]
    operations = [structure.name, *structure.probes]
    results = {operation: {peer.name: Costs() for peer in peers} for operation in operations}
    with running(peers) as servers, on_load_processor():
        growing = {server.name: Growing(structure, server) for server in servers if knows(structure, server)}
        for turn, size in enumerate(sizes):
            note(f"growth: {structure.name} to {size:,}")
            for server in in_turn(servers, turn):
                if server.name not in growing:
                    continue
                costs = results[structure.name][server.name]
                costs.us[size], costs.pause_ms = growing[server.name].grow(size)
                for operation, probe in structure.probes.items():
                    results[operation][server.name].us[size] = growing[server.name].ask(probe, size)
    return results


def knows(structure: Structure, server: Server) -> bool:
    with Wire(server.port) as wire:
        try:
            wire.exchange(structure.insert(b"try", 0))
        except ErrorReply as error:
            note(f"  {server.name} answers: {error}")
            return False
    return True
