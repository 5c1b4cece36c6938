"""Durability: what an append-only file costs, how fast snapshots are saved and loaded, and what they disturb."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass

from bench.peers import ALCOVE, REDIS, Peer, Server, in_turn, installed, on_load_processor
from bench.report import Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import Wire, encode

READING = """\
The first table has microseconds of the server's CPU for one SET of 64 bytes, in pipelines of 50, with no append-only
file and with one under each policy. The second one is about a snapshot of many small keys: SAVE, starting again with
the file, and a BGSAVE during which one client overwrites keys one by one; the most memory of the server and its
children then, beside that before; and the longest that the client had to wait."""

ROUNDS = 400
PIPELINE = 50
MODES = ("off", "no", "everysec", "always")
MOST_MEMORY = 1.1
LONGEST_STALL_MS = 10.0


def run(quick: bool) -> Section:
    """All modes, then the snapshots, the servers in turns."""
    peers = installed()
    names = [peer.name for peer in peers]
    section = Section("Durability", READING)
    with on_load_processor():
        costs = {mode: writing(peers, mode, ROUNDS // 10 if quick else ROUNDS) for mode in MODES}
        keys = 200_000 if quick else 5_000_000
        snapshots = {peer.name: snapshot(peer, keys) for peer in peers}
    rows = [[mode, *(figure(cost[name]) for name in names), times(factor(cost))] for mode, cost in costs.items()]
    section.tables.append(Table("CPU per SET, µs, by appendfsync", ["", *names, "Factor"], rows))
    rows = [snapshots[name].row(name) for name in names]
    columns = ["", "SAVE, s", "Start, s", "BGSAVE, s", "Memory", "Longest wait, ms"]
    section.tables.append(Table(f"A snapshot of {keys:,} keys", columns, rows))
    mean = geometric_mean(factor(costs[mode]) for mode in MODES if mode != "off")
    if mean is not None:
        section.aims.append(Aim(f"CPU per SET at or below {REDIS}'s with an append-only file", times(mean), mean <= 1))
    ours, theirs = snapshots[ALCOVE], snapshots[REDIS]
    section.aims += [
        Aim(
            f"loads at least as many keys per second as {REDIS}",
            times(ours.load_s / theirs.load_s),
            ours.load_s <= theirs.load_s,
        ),
        Aim(f"memory during a snapshot at most {MOST_MEMORY} times", times(ours.memory), ours.memory <= MOST_MEMORY),
        Aim(
            f"no wait above {LONGEST_STALL_MS:.0f} ms during a snapshot",
            f"{ours.longest_ms:.1f} ms",
            ours.longest_ms <= LONGEST_STALL_MS,
        ),
    ]
    return section


def factor(costs: dict[str, float]) -> float | None:
    return ratio(costs[ALCOVE], costs[REDIS])


def writing(peers: list[Peer], mode: str, rounds: int) -> dict[str, float]:
    """Microseconds of CPU for a SET on each server."""
    note(f"durability: appendfsync {mode}")
    directives = [] if mode == "off" else ["--appendonly", "yes", "--appendfsync", mode]
    servers = [Server(peer, *directives) for peer in peers]
    try:
        taken: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(3):
            for server in in_turn(servers, number):
                taken[server.name].append(sets(server, rounds))
        return {name: statistics.median(costs) for name, costs in taken.items()}
    finally:
        for server in servers:
            server.stop()


def sets(server: Server, rounds: int) -> float:
    request = b"".join(encode(b"SET", b"key:%d" % number, b"v" * 64) for number in range(PIPELINE))
    with Wire(server.port) as client:
        client.exchange(request)
        before_us = server.cpu_us()
        for _ in range(rounds):
            client.exchange(request)
        return (server.cpu_us() - before_us) / (rounds * PIPELINE)


@dataclass
class Snapshot:
    """What was measured of one server."""

    save_s: float
    load_s: float
    bgsave_s: float
    # The most memory during BGSAVE, as a multiple of that before.
    memory: float
    longest_ms: float

    def row(self, name: str) -> list[str]:
        seconds = [figure(value) for value in (self.save_s, self.load_s, self.bgsave_s)]
        return [name, *seconds, times(self.memory), figure(self.longest_ms)]


def snapshot(peer: Peer, keys: int) -> Snapshot:
    note(f"durability: a snapshot of {keys:,} keys by {peer.name}")
    server = Server(peer, "--enable-debug-command", "yes")
    try:
        with Wire(server.port) as client:
            client.exchange(encode(b"DEBUG", b"POPULATE", b"%d" % keys))
            began = time.monotonic()
            client.exchange(encode(b"SAVE"))
            save_s = time.monotonic() - began
        load_s = server.restart()
        bgsave_s, memory, longest_ms = disturbed(server, keys)
        return Snapshot(save_s, load_s, bgsave_s, memory, longest_ms)
    finally:
        server.stop()


def disturbed(server: Server, keys: int) -> tuple[float, float, float]:
    """How long a BGSAVE takes while keys are overwritten, the memory it takes, and the longest wait for a reply."""
    before = most = server.proportional_bytes()
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, server.proportional_bytes())

    watcher = threading.Thread(target=watch)
    longest_s = 0.0
    with Wire(server.port) as client, Wire(server.port) as asker:
        watcher.start()
        began = time.monotonic()
        try:
            asker.exchange(encode(b"BGSAVE"))
            number = 0
            while True:
                sent = time.monotonic()
                client.exchange(encode(b"SET", b"key:%d" % (number * 7919 % keys), b"other"))
                longest_s = max(longest_s, time.monotonic() - sent)
                number += 1
                if number % 200 == 0 and b"rdb_bgsave_in_progress:0" in asker.exchange(encode(b"INFO", b"persistence")):
                    break
            took_s = time.monotonic() - began
        finally:
            ended.set()
            watcher.join()
    return took_s, most / before, longest_s * 1000
