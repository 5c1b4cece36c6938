"""A folder in the process: what durability costs a program, beside the same in memory, and beside diskcache."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import timeit
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import alcove
from alcove.persistence.disk import File
from bench.embedded import HUNDRED, PIPELINES, least
from bench.report import Section, Table, figure, note, ratio, times

READING = """\
`alcove.open()` keeps data in memory, `alcove.open(folder)` on disk as well, by an append-only file. In memory and
durable, the same methods took so many microseconds per call, the least of several rounds in turns; pipelines are of a
hundred commands, and per command. Under "no" and "everysec" a call returns when the system has the write, which the end
of the process cannot undo any more; under "always", when the disk has it. diskcache, where it is installed, keeps its
data in SQLite, in a folder on the same disk; the factor says how many times longer it takes than Alcove's everysec.

The second table is about `fsync="always"` and threads, which share syncs: SETs a second of all threads together, how
long one SET took in milliseconds, and how many SETs one sync of the disk was for. Beside them stands how long the disk
itself takes to sync 64 bytes that were appended to a file."""

MEMORY, DISKCACHE = "memory", "diskcache"
POLICIES = ("no", "everysec", "always")
METHODS = {
    "r.get('key')": "cache.get('key')",
    "r.set('key', 'value')": "cache.set('key', 'value')",
    "r.set('key', 'value', ex=60)": "cache.set('key', 'value', expire=60)",
    "r.incr('counter')": "cache.incr('counter')",
    "pipeline of SET": None,
    "MULTI of SET": None,
}
THREADS = (1, 4, 16, 64)


def run(quick: bool) -> Section:
    """The methods on each kind of client, then threads that wait for the disk."""
    rounds = 2 if quick else 10
    section = Section("In the process, durable", READING)
    with clients() as opened:
        rows = []
        for method, peers_method in METHODS.items():
            note(f"folders: {method}")
            costs = measure(method, peers_method, opened, rounds)
            compared = times(ratio(costs.get(DISKCACHE), costs["everysec"]))
            rows.append([method, *(figure(costs.get(name)) for name in (MEMORY, *POLICIES, DISKCACHE)), compared])
        columns = ["", "in memory", *POLICIES, "diskcache" if DISKCACHE in opened else "diskcache (not installed)"]
        section.tables.append(Table("In memory and durable, µs", [*columns, "Factor"], rows))
    section.tables.append(threads_table(0.5 if quick else 3.0))
    return section


@contextmanager
def clients() -> Iterator[dict[str, Any]]:
    """By policy, each on a folder of its own."""
    with ExitStack() as stack:
        opened: dict[str, Any] = {MEMORY: alcove.open()}
        for policy in POLICIES:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            opened[policy] = alcove.open(folder, fsync=policy)
            stack.callback(opened[policy].engine.close)
        try:
            import diskcache
        except ImportError:
            note("folders: diskcache is not installed")
        else:
            opened[DISKCACHE] = diskcache.Cache(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(opened[DISKCACHE].close)
        for client in opened.values():
            client.set("key", "value")
        yield opened


def measure(method: str, peers_method: str | None, opened: dict[str, Any], rounds: int) -> dict[str, float]:
    """Microseconds per command by client."""
    statements = dict.fromkeys((MEMORY, *POLICIES), PIPELINES.get(method, method))
    if DISKCACHE in opened and peers_method is not None:
        statements[DISKCACHE] = peers_method
    timers = {
        name: timeit.Timer(statement, globals={"r": opened[name], "cache": opened[name], "hundred": HUNDRED})
        for name, statement in statements.items()
    }
    # So many that a round takes a fifth of a second at least.
    numbers = {name: timer.autorange()[0] for name, timer in timers.items()}
    commands = len(HUNDRED) if method in PIPELINES else 1
    taken = [
        {name: timer.timeit(numbers[name]) / numbers[name] / commands * 1e6 for name, timer in timers.items()}
        for _ in range(rounds)
    ]
    return least(taken)


# Threads that wait for the disk


def threads_table(seconds: float) -> Table:
    note("folders: a lone sync")
    sync_s = lone_sync_s()
    rows = [["the disk's sync", figure(1 / sync_s), figure(sync_s * 1000), figure(1)]]
    for count in THREADS:
        note(f"folders: {count} threads")
        sets, syncs = by_threads(count, seconds)
        rows.append([str(count), figure(sets / seconds), figure(count * seconds / sets * 1000), figure(sets / syncs)])
    return Table("Threads that wait for the disk", ["Threads", "SETs/s", "ms for one", "SETs for a sync"], rows)


def lone_sync_s() -> float:
    """The median of what the disk takes to have what was appended to a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = File(os.path.join(folder, "file"), 0)
        taken = []
        for _ in range(100):
            file.write(b"x" * 64)
            began = time.perf_counter()
            file.sync()
            taken.append(time.perf_counter() - began)
        file.close()
    return statistics.median(taken)


def by_threads(count: int, seconds: float) -> tuple[int, int]:
    """How many SETs so many threads made in that time, and how many syncs those took."""
    with tempfile.TemporaryDirectory() as folder, counted_syncs() as syncs:
        client = alcove.open(folder, fsync="always")
        ends = time.monotonic() + seconds

        def work(number: int) -> int:
            sets = 0
            while time.monotonic() < ends:
                client.set(f"key:{number}", "value")
                sets += 1
            return sets

        with ThreadPoolExecutor(count) as pool:
            sets = sum(pool.map(work, range(count)))
        took = len(syncs)
        client.engine.close()
    return sets, took


@contextmanager
def counted_syncs() -> Iterator[list[str]]:
    """The paths of the files that are synced meanwhile."""
    synced: list[str] = []
    sync = File.sync

    def counting(file: File) -> None:
        synced.append(file.path)
        sync(file)

    with mock.patch.object(File, "sync", counting):
        yield synced
