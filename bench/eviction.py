"""Eviction: what is accounted beside what the process takes, what evicting costs, and how good the victims are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from bench.memory import CASES as MEMORY_CASES
from bench.memory import Case
from bench.peers import ALCOVE, REDIS, Peer, Server, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, note, ratio, times
from bench.wire import ErrorReply, Wire, encode

READING = """\
Accounting: by how much `used_memory`, which `maxmemory` is compared with, grew for each byte by which the resident
memory of a fresh server grew. Cost: the server's CPU in microseconds for a SET of a new key when there is no room, so
that another one has to go; the factor compares Alcove with redis-server. Choice: how many percent of reads are
answered when keys are asked for by Zipf's law, set when they are missing, and a quarter of them fits."""

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl")
VALUE = b"x" * 100
# So many items are added and removed before memory is looked at.
WARMING = 1_000
# Commands sent at once.
BATCH = 100
# How far the accounting may be off.
TOLERANCE = 0.1
AIM = 1.0

CASES = [
    Case("String of 10 bytes", "MSET", "key:{0:012} {0:010}", 26),
    Case("String of 1,000 bytes", "MSET", "key:{0:012} {0:01000}", 1_016),
    Case("String of 10,000 bytes", "MSET", "key:{0:012} {0:010000}", 10_016),
    *MEMORY_CASES,
]


def run(quick: bool) -> Section:
    """A table for each question."""
    section = Section("Eviction", READING)
    peers = installed()
    for count in (50_000,) if quick else (50_000, 500_000):
        accounting(section, peers, count)
    keys = 5_000 if quick else 50_000
    cost(section, peers, keys)
    choice(section, peers, keys)
    return section


# Accounting


def accounting(section: Section, peers: list[Peer], count: int) -> None:
    rows = []
    off = 0.0
    for case in CASES:
        note(f"eviction: accounting of {case.name.lower()}, {count:,}")
        shares = [accounted(peer, case, count) for peer in peers]
        rows.append([case.name, *map(figure, shares)])
        if shares[-1] is not None:
            off = max(off, abs(shares[-1] - 1))
    section.tables.append(Table(f"used_memory by resident memory, {count:,} items", named(peers), rows))
    wanted = f"with {count:,} items, no more than {TOLERANCE:.0%} away from what the process takes"
    section.aims.append(Aim(wanted, f"{off:.0%}", off <= TOLERANCE))


def accounted(peer: Peer, case: Case, count: int) -> float | None:
    """Growth of `used_memory` for each byte of growth; None when the server does not know the command."""
    case = replace(case, each=min(case.each, max(1_000_000 // case.data_bytes, 1)))
    with running([peer]) as [server], on_load_processor(), Wire(server.port) as wire:
        try:
            # What the commands need themselves is there before anything is counted.
            wire.send_all(case.requests(WARMING))
            wire.exchange(encode(b"FLUSHALL", b"SYNC"))
            before = used_bytes(wire), server.resident_bytes()
            wire.send_all(case.requests(count))
        except ErrorReply as error:
            note(f"  {server.name} answers: {error}")
            return None
        return (used_bytes(wire) - before[0]) / (server.resident_bytes() - before[1])


def used_bytes(wire: Wire) -> int:
    return int(wire.exchange(encode(b"INFO", b"memory")).partition(b"used_memory:")[2].partition(b"\r")[0])


# Cost


def cost(section: Section, peers: list[Peer], keys: int) -> None:
    rows = []
    with running(peers) as servers, on_load_processor():
        for policy in POLICIES:
            note(f"eviction: cost of {policy}")
            taken = {server.name: cpu_us(server, policy, keys) for server in servers}
            compared = ratio(taken[ALCOVE], taken[REDIS])
            rows.append([policy, *map(figure, taken.values()), times(compared)])
            if compared is not None:
                section.aims.append(Aim(f"{policy}: CPU at most {REDIS}'s", times(compared), compared <= AIM))
    section.tables.append(Table("CPU of a SET that evicts, in microseconds", [*named(peers), "Factor"], rows))


def cpu_us(server: Server, policy: str, keys: int) -> float:
    with Wire(server.port) as wire:
        fill(wire, policy, keys)
        before = server.cpu_us()
        for start in range(keys, 3 * keys, BATCH):
            wire.exchange(b"".join(setting(number) for number in range(start, start + BATCH)))
        return (server.cpu_us() - before) / (2 * keys)


def fill(wire: Wire, policy: str, keys: int) -> None:
    """Leaves room for so many keys, and no more."""
    wire.exchange(encode(b"CONFIG", b"SET", b"maxmemory", b"0", b"maxmemory-policy", policy.encode()))
    wire.exchange(encode(b"FLUSHALL", b"SYNC"))
    wire.send_all(map(setting, range(keys)))
    wire.exchange(encode(b"CONFIG", b"SET", b"maxmemory", b"%d" % used_bytes(wire)))


def setting(number: int) -> bytes:
    return encode(b"SET", b"key:%012d" % number, VALUE, b"EX", b"%d" % (100_000 + number))


# Choice


def choice(section: Section, peers: list[Peer], keys: int) -> None:
    rows = []
    with running(peers) as servers, on_load_processor():
        for policy in POLICIES[:-1]:
            note(f"eviction: choice of {policy}")
            answered = [answered_percent(server, policy, keys) for server in servers]
            rows.append([policy, *map(figure, answered)])
    section.tables.append(Table("Percent of reads that are answered", named(peers), rows))


def answered_percent(server: Server, policy: str, keys: int) -> float:
    """Over the second half of the reads: by then the right keys should be there."""
    with Wire(server.port) as wire:
        fill(wire, policy, keys)
        answered = asked = 0
        batches = list(by_zipf(random.Random(1), 4 * keys, 20 * keys))
        for number, batch in enumerate(batches):
            replies = wire.exchange(b"".join(encode(b"GET", b"key:%012d" % key) for key in batch)).split(b"\r\n")
            missing = misses(batch, replies)
            wire.exchange(b"".join(map(setting, missing)))
            if 2 * number >= len(batches):
                asked += len(batch)
                answered += len(batch) - len(missing)
        return 100 * answered / asked


def misses(batch: list[int], replies: list[bytes]) -> list[int]:
    """The keys of a batch without values, of which each takes a line, and two if it has one."""
    missing = []
    lines = iter(replies)
    for key in batch:
        if next(lines) == b"$-1":
            missing.append(key)
        else:
            next(lines)
    return missing


def by_zipf(chance: random.Random, keys: int, count: int) -> Iterator[list[int]]:
    """Keys in batches; number n is asked for n times less often than the first."""
    weights = [1 / (rank + 1) for rank in range(keys)]
    drawn = chance.choices(range(keys), weights, k=count)
    for start in range(0, count, BATCH):
        yield drawn[start : start + BATCH]


def named(peers: list[Peer]) -> list[str]:
    return ["", *(peer.name for peer in peers)]
