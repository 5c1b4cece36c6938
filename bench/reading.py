"""Big values: whether receiving and sending them costs time linear in their size."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from alcove.protocol.reader import RequestReader
from bench.peers import ALCOVE, Server, in_turn, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, note, times
from bench.wire import Wire, encode

MB = 1024 * 1024
SIZES_MB = [1, 4, 16, 64]
# What a socket gives at once.
PIECE_BYTES = 64 * 1024

READING = """\
Milliseconds until a server has received a value (SET) or sent it (GET) over TCP, and in the second table its own CPU
time for it; the least of several. Last, the cost of a megabyte of the largest value as a multiple of what it costs in
the others at most: some sizes are cheap because the allocator has the memory at hand. About 1 is linear, and a reader
that began again with every piece would show 4. In the times, the client that reads a GET's reply is included. The
request reader is also fed alone, in the process, in pieces of 64 KB."""

AIM = 1.5

# Milliseconds, and those of the server's CPU.
Cost = tuple[float, float]


def run(quick: bool) -> Section:
    """SET and GET on each server, and the reader alone."""
    rounds = 3 if quick else 12
    with running(installed()) as servers, on_load_processor():
        costs = {size: measure(size, servers, rounds) for size in SIZES_MB}
    names = list(costs[SIZES_MB[0]])
    section = Section("Big values", READING)
    for title, which in (("Time, ms", 0), ("CPU of the server, ms", 1)):
        taken = {name: [costs[size][name][which] for size in SIZES_MB] for name in names}
        columns = ["", *(f"{size} MB" for size in SIZES_MB), f"MB of {SIZES_MB[-1]} / dearest"]
        rows = [[name, *map(figure, cost), times(steepness(cost))] for name, cost in taken.items()]
        section.tables.append(Table(title, columns, rows))
        if which == 1:
            worst = max(steepness(cost) for name, cost in taken.items() if ALCOVE in name)
    wanted = f"a megabyte of {SIZES_MB[-1]} costs Alcove at most {AIM} times the CPU of one of less"
    section.aims.append(Aim(wanted, times(worst), worst <= AIM))
    return section


def steepness(costs: list[float]) -> float:
    *others, largest = (cost / size for cost, size in zip(costs, SIZES_MB, strict=True))
    return largest / max(others)


def measure(size_mb: int, servers: list[Server], rounds: int) -> dict[str, Cost]:
    """The least cost of each operation, by its name."""
    note(f"reading: {size_mb} MB")
    value = b"x" * (size_mb * MB)
    best: dict[str, Cost] = {}
    for number in range(rounds):
        trials: list[tuple[str, Callable[[], Cost]]] = [(f"{ALCOVE}'s reader alone", partial(feed, value))]
        for name, request in (("SET", encode(b"SET", b"key", value)), ("GET", encode(b"GET", b"key"))):
            trials += [(f"{name}, {server.name}", partial(ask, server, request)) for server in in_turn(servers, number)]
        for name, trial in trials:
            wall_ms, cpu_ms = trial()
            least = best.get(name, (wall_ms, cpu_ms))
            best[name] = (min(least[0], wall_ms), min(least[1], cpu_ms))
    return best


def ask(server: Server, request: bytes) -> Cost:
    with Wire(server.port) as wire:
        cpu_us, started = server.cpu_us(), time.perf_counter()
        wire.exchange(request)
        return (time.perf_counter() - started) * 1000, (server.cpu_us() - cpu_us) / 1000


def feed(value: bytes) -> Cost:
    """Feeds a request to the reader as it would come from a socket."""
    request = encode(b"SET", b"key", value)
    pieces = [request[at : at + PIECE_BYTES] for at in range(0, len(request), PIECE_BYTES)]
    reader = RequestReader()
    started = time.perf_counter()
    for piece in pieces:
        reader.feed(piece)
        command = reader.next()
    cost_ms = (time.perf_counter() - started) * 1000
    assert command == [b"SET", b"key", value]
    return cost_ms, cost_ms
