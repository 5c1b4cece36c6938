"""Durability: what an append-only file costs, how fast snapshots are saved and loaded, and whom they keep waiting."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.peers import ALCOVE, REDIS, Peer, Server, Unavailable, in_turn, installed, on_load_processor
from bench.report import Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import PING, PONG, Wire, encode, filling

READING = """\
The first table has microseconds of the server's CPU for one SET of 64 bytes, one at a time and in pipelines, with no
append-only file and with one under each policy. The second one is about a snapshot of many small keys: SAVE; starting
again with the file; a BGSAVE during which one client overwrites keys one by one, and the most memory of the server and
its children then, beside that before. The third one has the longest time in milliseconds for which a client had to
wait that sends one command after the other: SET of those keys with nothing else going on, during BGSAVE and during
BGREWRITEAOF; PING while the file is loaded; then ZADD, and PING of another client, while a sorted set of many members
is saved that this ZADD adds to. The last one has microseconds of CPU to save one key of each kind."""

PIPELINES = (1, 50)
COMMANDS = 20_000
MODES = ("off", "no", "everysec", "always")
MOST_MEMORY = 1.1
LONGEST_WAIT_MS = 10.0
# The waits that are to be short. Who writes to the one container waits until it is saved.
DISTURBED = ("BGSAVE", "BGREWRITEAOF", "load", "one zset, PING")
# For how long a client sends commands with nothing else going on.
CALM_S = 2.0
# How often a server that loads is asked.
ASKING_S = 0.001

# How many items each key holds, by what adds them: `{0}` is a number.
CONTAINER_ITEMS = 10
KINDS = {
    "string": ("SET string:{0}", "value:{0:064}", 1),
    "hash": ("HSET hash:{0}", "field:{0} value:{0}", CONTAINER_ITEMS),
    "list": ("RPUSH list:{0}", "element:{0}", CONTAINER_ITEMS),
    "set": ("SADD set:{0}", "member:{0}", CONTAINER_ITEMS),
    "sorted set": ("ZADD zset:{0}", "{0} member:{0}", CONTAINER_ITEMS),
    "big hash": ("HSET bighash:{0}", "field:{0} value:{0}", 100 * CONTAINER_ITEMS),
    "big sorted set": ("ZADD bigzset:{0}", "{0} member:{0}", 100 * CONTAINER_ITEMS),
    "stream": ("XADD stream:{0} *", "field:{0} value:{0}", CONTAINER_ITEMS),
}


def run(quick: bool) -> Section:
    """What each SET costs, then the snapshots, one server after the other, then the kinds of keys."""
    peers = installed()
    section = Section("Durability", READING)
    with on_load_processor():
        journals(section, peers, COMMANDS // 10 if quick else COMMANDS)
        snapshots(section, peers, 200_000 if quick else 5_000_000)
        kinds(section, peers, 5_000 if quick else 50_000)
    return section


def factor(costs: dict[str, float]) -> float | None:
    return ratio(costs[ALCOVE], costs[REDIS])


# The append-only file


def journals(section: Section, peers: list[Peer], commands: int) -> None:
    rows = []
    factors = []
    for mode in MODES:
        for pipeline in PIPELINES:
            costs = writing(peers, mode, pipeline, commands)
            compared = factor(costs)
            rows.append([f"{mode}, {pipeline}", *map(figure, costs.values()), times(compared)])
            if mode != "off":
                factors.append(compared)
    names = [peer.name for peer in peers]
    section.tables.append(Table("CPU per SET, µs, by appendfsync and pipeline", ["", *names, "Factor"], rows))
    mean = geometric_mean(factors)
    if mean is not None:
        section.aims.append(Aim(f"CPU per SET at or below {REDIS}'s with an append-only file", times(mean), mean <= 1))


def writing(peers: list[Peer], mode: str, pipeline: int, commands: int) -> dict[str, float]:
    """Microseconds of CPU for a SET on each server."""
    note(f"durability: appendfsync {mode}, pipelines of {pipeline}")
    directives = [] if mode == "off" else ["--appendonly", "yes", "--appendfsync", mode]
    rounds = commands // 10 if mode == "always" and pipeline == 1 else commands // pipeline
    servers = [Server(peer, *directives) for peer in peers]
    try:
        taken: dict[str, list[float]] = {server.name: [] for server in servers}
        for number in range(5):
            for server in in_turn(servers, number):
                taken[server.name].append(sets(server, pipeline, rounds))
        return {name: statistics.median(costs) for name, costs in taken.items()}
    finally:
        for server in servers:
            server.stop()


def sets(server: Server, pipeline: int, rounds: int) -> float:
    request = b"".join(encode(b"SET", b"key:%d" % number, b"v" * 64) for number in range(pipeline))
    with Wire(server.port) as client:
        client.exchange(request)
        before_us = server.cpu_us()
        for _ in range(rounds):
            client.exchange(request)
        return (server.cpu_us() - before_us) / (rounds * pipeline)


# Snapshots


@dataclass
class Snapshot:
    """What was measured of one server."""

    save_s: float = 0.0
    load_s: float = 0.0
    bgsave_s: float = 0.0
    # The most memory during BGSAVE, as a multiple of that before.
    memory: float = 0.0
    # The longest wait in milliseconds by what was going on.
    longest_ms: dict[str, float] = field(default_factory=dict)

    def row(self, name: str) -> list[str]:
        return [name, *map(figure, (self.save_s, self.load_s, self.bgsave_s)), times(self.memory)]


def snapshots(section: Section, peers: list[Peer], keys: int) -> None:
    taken = {peer.name: snapshot(peer, keys) for peer in peers}
    columns = ["", "SAVE, s", "Start, s", "BGSAVE, s", "Memory"]
    rows = [each.row(name) for name, each in taken.items()]
    section.tables.append(Table(f"A snapshot of {keys:,} keys", columns, rows))
    ours, theirs = taken[ALCOVE], taken[REDIS]
    rows = [[name, *map(figure, each.longest_ms.values())] for name, each in taken.items()]
    title = f"The longest wait, ms, with {keys:,} keys or members"
    section.tables.append(Table(title, ["", *ours.longest_ms], rows))
    longest_ms = max(ours.longest_ms[what] for what in DISTURBED)
    faster = ours.load_s <= theirs.load_s
    section.aims += [
        Aim(f"loads at least as many keys per second as {REDIS}", times(ours.load_s / theirs.load_s), faster),
        Aim(f"memory during a snapshot at most {MOST_MEMORY} times", times(ours.memory), ours.memory <= MOST_MEMORY),
        Aim(
            f"no wait above {LONGEST_WAIT_MS:.0f} ms, but of who writes to the container that is being saved",
            f"{longest_ms:.1f} ms",
            longest_ms <= LONGEST_WAIT_MS,
        ),
    ]


def snapshot(peer: Peer, keys: int) -> Snapshot:
    note(f"durability: a snapshot of {keys:,} keys by {peer.name}")
    server = Server(peer, "--enable-debug-command", "yes")
    found = Snapshot()
    waits = found.longest_ms
    try:
        with Wire(server.port) as client:
            client.exchange(encode(b"DEBUG", b"POPULATE", b"%d" % keys))
            found.save_s = seconds(client, b"SAVE")
        found.load_s, loading_ms = load(server, keys)
        overwriting = overwrite(keys)
        with Wire(server.port) as client:
            waits["calm"] = longest_while(partial(during, CALM_S), client, overwriting)[1]
            before = server.proportional_bytes()
            with most_memory(server) as most:
                job = partial(busy, server, b"BGSAVE", b"rdb_bgsave_in_progress")
                found.bgsave_s, _ = longest_while(job, client, overwriting)
            found.memory = max(most) / before
            # Looking at the memory of a big process keeps it waiting.
            waits["BGSAVE"] = longest_while(job, client, overwriting)[1]
            job = partial(busy, server, b"BGREWRITEAOF", b"aof_rewrite_in_progress")
            waits["BGREWRITEAOF"] = longest_while(job, client, overwriting)[1]
        waits["load"] = loading_ms
    finally:
        server.stop()
    waits.update(one_container(peer, keys // 5))
    return found


def seconds(client: Wire, command: bytes) -> float:
    began = time.monotonic()
    client.exchange(encode(command))
    return time.monotonic() - began


def overwrite(keys: int) -> Iterator[bytes]:
    """SETs of all keys in an order that is not theirs."""
    number = 0
    while True:
        number += 1
        yield encode(b"SET", b"key:%d" % (number * 7919 % keys), b"other")


def load(server: Server, keys: int) -> tuple[float, float]:
    """How long a server takes to come back with its file, and the longest wait for an answer to PING meanwhile."""
    began = time.monotonic()
    server.relaunch()
    longest_s = 0.0
    with server.first_connection() as client:
        while True:
            asked = time.monotonic()
            reply = client.ask(PING)
            longest_s = max(longest_s, time.monotonic() - asked)
            if reply == PONG:
                break
            time.sleep(ASKING_S)
        took_s = time.monotonic() - began
        if client.ask(encode(b"DBSIZE")) != b":%d\r\n" % keys:
            raise Unavailable(f"{server.name} has not loaded all keys")
    return took_s, longest_s * 1000


# What goes on meanwhile: an iterator that ends with it


def during(duration_s: float) -> Iterator[None]:
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        yield


def busy(server: Server, command: bytes, named: bytes) -> Iterator[None]:
    """Begins a job, and looks now and then whether INFO still says that it goes on."""
    with Wire(server.port) as asker:
        asker.exchange(encode(command))
        while named + b":1" in asker.exchange(encode(b"INFO", b"persistence")):
            for _ in range(200):
                yield


def longest_while(job: partial[Iterator[None]], client: Wire, commands: Iterator[bytes]) -> tuple[float, float]:
    """The seconds that a job takes while a client sends one command after the other, and its longest wait in ms."""
    began = time.monotonic()
    longest_s = 0.0
    for _ in job():
        command = next(commands)
        sent = time.monotonic()
        client.exchange(command)
        longest_s = max(longest_s, time.monotonic() - sent)
    return time.monotonic() - began, longest_s * 1000


@contextmanager
def most_memory(server: Server) -> Iterator[list[int]]:
    """Looks at the memory of a server and its children again and again; what it sees is in the list."""
    seen = [server.proportional_bytes()]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            seen.append(server.proportional_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def one_container(peer: Peer, members: int) -> dict[str, float]:
    """The longest waits of who adds to a sorted set that is being saved, and of a bystander."""
    server = Server(peer)
    try:
        with Wire(server.port) as client, Wire(server.port) as bystander:
            client.send_all(filling("ZADD zset", "{0} member:{0:09}", members))
            longest_s = 0.0
            ended = threading.Event()

            def stand_by() -> None:
                nonlocal longest_s
                while not ended.wait(ASKING_S):
                    asked = time.monotonic()
                    bystander.ask(PING)
                    longest_s = max(longest_s, time.monotonic() - asked)

            thread = threading.Thread(target=stand_by)
            thread.start()
            try:
                job = partial(busy, server, b"BGSAVE", b"rdb_bgsave_in_progress")
                adding = (encode(b"ZADD", b"zset", b"%d" % number, b"new:%d" % number) for number in range(1 << 30))
                _, writer_ms = longest_while(job, client, adding)
            finally:
                ended.set()
                thread.join()
            return {"one zset, ZADD": writer_ms, "one zset, PING": longest_s * 1000}
    finally:
        server.stop()


# Kinds of keys


def kinds(section: Section, peers: list[Peer], keys: int) -> None:
    """What one key of each kind costs to save."""
    rows = []
    for kind, (head, item, items) in KINDS.items():
        note(f"durability: saving keys of the kind {kind}")
        count = max(keys * CONTAINER_ITEMS // max(items, CONTAINER_ITEMS), 1)
        costs = {peer.name: saving(peer, adding(head, item, items, count)) / count for peer in peers}
        rows.append([kind, *map(figure, costs.values()), times(factor(costs))])
    section.tables.append(Table("CPU to save a key, µs", ["", *(peer.name for peer in peers), "Factor"], rows))


def adding(head: str, item: str, items: int, count: int) -> Iterator[bytes]:
    """Commands for `count` keys; a stream's entries come one by one."""
    each = 1 if head.startswith("XADD") else items
    for key in range(count):
        name = head.format(key).encode().split()
        for start in range(0, items, each):
            yield encode(*name, *" ".join(map(item.format, range(key + start, key + start + each))).encode().split())


def saving(peer: Peer, commands: Iterable[bytes]) -> float:
    """Microseconds of CPU that a server takes to save what the commands add."""
    server = Server(peer)
    try:
        with Wire(server.port) as client:
            client.send_all(commands)
            before_us = server.cpu_us()
            client.exchange(encode(b"SAVE"))
            return server.cpu_us() - before_us
    finally:
        server.stop()
