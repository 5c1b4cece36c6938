"""The server beside the real ones: throughput and CPU time per command, under the load of redis-benchmark."""

from __future__ import annotations

import csv
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from bench.peers import ALCOVE, REDIS, Server, Unavailable, in_turn, installed, pinned, running
from bench.report import NONE, Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import ErrorReply, Wire, encode, filling

CLIENTS = 50
# How many keys, elements and members there are to choose from.
RANGE = 100_000
PIPELINES = (1, 16, 100)
# Long replies fill the sockets' buffers by themselves.
SHORT_PIPELINES = (1, 16)
# redis-benchmark puts twelve random digits here, as `filling` puts twelve digits for "{0:012}".
RANDOM = "__rand_int__"
# As many items as commands will be run, so that each finds one to take.
AS_MANY = 0
LONGEST_RUN_S = 120

READING = f"""\
Each figure is the median of rounds in which the servers took turns, on the same processor, while `redis-benchmark`
made the load on another one ({CLIENTS} clients, values of three bytes, {RANGE:,} different keys or elements).
Commands a second are thousands. CPU is the server's own time per command in microseconds, user + system: the better
measure, because with long pipelines the load generator is often the slower of the two, and the throughput is its own.
Factors compare Alcove with redis-server: more commands are better, less CPU is better."""

AIM = 1.1


@dataclass(frozen=True)
class Case:
    """A command for redis-benchmark, and what is filled before: (head, item, count) as `filling` takes them."""

    name: str
    command: str
    before: list[tuple[str, str, int]] = field(default_factory=list)
    pipelines: tuple[int, ...] = PIPELINES

    def requests_before(self, commands: int) -> Iterator[bytes]:
        yield encode(b"FLUSHALL")
        for head, item, count in self.before:
            yield from filling(head, item, count or commands)


@dataclass(frozen=True)
class Sample:
    """One run: commands a second, and microseconds of CPU per command."""

    rate: float
    user_us: float
    system_us: float

    @property
    def cpu_us(self) -> float:
        return self.user_us + self.system_us


ELEMENTS = "element:{0:012}"
SORTED = ("ZADD zset", "{0} element:{0:012}", RANGE)
LIST = ("RPUSH list", "xxx", 600)

CASES = [
    Case("PING", "PING"),
    Case("SET", f"SET key:{RANDOM} xxx"),
    Case("GET", f"GET key:{RANDOM}", [("MSET", "key:{0:012} xxx", RANGE)]),
    Case("INCR", f"INCR counter:{RANDOM}"),
    Case("MSET (10 keys)", "MSET" + f" key:{RANDOM} xxx" * 10),
    Case("LPUSH", "LPUSH list xxx"),
    Case("RPUSH", "RPUSH list xxx"),
    Case("LPOP", "LPOP list", [("RPUSH list", "xxx", AS_MANY)]),
    Case("RPOP", "RPOP list", [("RPUSH list", "xxx", AS_MANY)]),
    Case("LRANGE (100)", "LRANGE list 0 99", [LIST], SHORT_PIPELINES),
    Case("LRANGE (300)", "LRANGE list 0 299", [LIST], SHORT_PIPELINES),
    Case("LRANGE (600)", "LRANGE list 0 599", [LIST], SHORT_PIPELINES),
    Case("SADD", f"SADD set element:{RANDOM}"),
    Case("SPOP", "SPOP set", [("SADD set", ELEMENTS, AS_MANY)]),
    Case("SINTER (2 x 100)", "SINTER set other", [("SADD set", ELEMENTS, 100), ("SADD other", ELEMENTS, 100)], (1, 16)),
    Case("HSET", f"HSET hash field:{RANDOM} xxx"),
    Case("HGETALL (10)", "HGETALL hash", [("HSET hash", "field:{0:012} xxx", 10)]),
    Case("ZADD", f"ZADD zset {RANDOM} element:{RANDOM}"),
    Case("ZRANK", f"ZRANK zset element:{RANDOM}", [SORTED]),
    Case("ZRANGE (10)", "ZRANGE zset 0 9", [SORTED]),
    Case("ZPOPMIN", "ZPOPMIN zset", [("ZADD zset", "{0} element:{0:012}", AS_MANY)]),
    Case("XADD", "XADD stream * field xxx"),
]

# By peer; one that refuses the command is missing.
Results = dict[str, Sample]


def run(quick: bool) -> Section:
    """The whole benchmark: a table per pipeline length, and their means."""
    seconds, rounds = (0.2, 1) if quick else (1.0, 3)
    peers = installed()
    names = [peer.name for peer in peers]
    results: dict[int, dict[str, Results]] = {pipeline: {} for pipeline in PIPELINES}
    with running(peers) as servers:
        for case in CASES:
            able = [server for server in servers if knows(server, case)]
            for pipeline in case.pipelines:
                note(f"server: {case.name}, pipeline {pipeline}")
                results[pipeline][case.name] = measure(case, pipeline, able, seconds, rounds)
    section = Section("The server", READING)
    section.tables.append(means(results, names))
    section.tables += [table(pipeline, results[pipeline], names) for pipeline in PIPELINES]
    cpu = geometric_mean(compared([samples for group in results.values() for samples in group.values()], CPU))
    if cpu is not None:
        wanted = f"CPU per command at most {AIM} times {REDIS}'s, in the geometric mean of all"
        section.aims.append(Aim(wanted, times(cpu), cpu <= AIM))
    return section


# Measuring


def knows(server: Server, case: Case) -> bool:
    """Whether the command succeeds there; errors answered fast are no measure."""
    with Wire(server.port) as wire:
        try:
            wire.send_all(case.requests_before(1))
            wire.exchange(encode(*case.command.replace(RANDOM, "0" * 12).encode().split()))
        except ErrorReply as error:
            note(f"  {server.name} answers: {error}")
            return False
    return True


def measure(case: Case, pipeline: int, servers: list[Server], seconds: float, rounds: int) -> Results:
    if not servers:
        return {}
    trial = one_run(case, pipeline, servers[0], 20_000)
    commands = max(int(trial.rate * seconds), 5_000)
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in in_turn(servers, number):
            samples[server.name].append(one_run(case, pipeline, server, commands))
    return {name: median(taken) for name, taken in samples.items()}


def one_run(case: Case, pipeline: int, server: Server, commands: int) -> Sample:
    with Wire(server.port) as wire:
        wire.send_all(case.requests_before(commands))
    before_us, before = server.cpu_us(), server.user_and_system_ticks()
    rate = load(server.port, case.command, commands, pipeline)
    cpu_us, after = server.cpu_us() - before_us, server.user_and_system_ticks()
    user, system = after[0] - before[0], after[1] - before[1]
    user_us = cpu_us * user / max(user + system, 1)
    return Sample(rate, user_us / commands, (cpu_us - user_us) / commands)


def load(port: int, command: str, commands: int, pipeline: int) -> float:
    """Runs redis-benchmark; answers how many commands a second it saw."""
    program = shutil.which("redis-benchmark")
    if program is None:
        raise Unavailable("redis-benchmark is needed, to make the load")
    options = f"-p {port} -c {CLIENTS} -n {commands} -P {pipeline} -r {RANGE} --csv"
    line = pinned([program, *options.split(), *command.split()], load=True)
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=LONGEST_RUN_S)
    return float(list(csv.DictReader(done.stdout.splitlines()))[-1]["rps"])


def median(samples: list[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.rate for sample in samples),
        statistics.median(sample.user_us for sample in samples),
        statistics.median(sample.system_us for sample in samples),
    )


# Tables

# What is compared.
Measure = Callable[[Sample], float]
RATE: Measure = attrgetter("rate")
CPU: Measure = attrgetter("cpu_us")
USER: Measure = attrgetter("user_us")


def compared(results: Iterable[Results], measure: Measure, other: str = REDIS) -> list[float | None]:
    """Alcove's figures as multiples of another's; None where one of the two has none."""
    return [
        ratio(measure(samples[ALCOVE]), measure(samples[other])) if {ALCOVE, other} <= samples.keys() else None
        for samples in results
    ]


def table(pipeline: int, results: dict[str, Results], names: list[str]) -> Table:
    columns = ["", *(f"{name} K/s" for name in names), "Factor", *(f"{name} CPU" for name in names), "Factor"]
    rows = [row(case, samples, names) for case, samples in results.items()]
    gap = [""] * len(names)
    rate, cpu = (times(geometric_mean(compared(results.values(), measure))) for measure in (RATE, CPU))
    title = "No pipeline" if pipeline == 1 else f"Pipeline of {pipeline}"
    return Table(title, columns, [*rows, ["Geometric mean", *gap, rate, *gap, cpu]])


def row(case: str, samples: Results, names: list[str]) -> list[str]:
    taken = [samples.get(name) for name in names]
    rates = [figure(None if sample is None else sample.rate / 1000) for sample in taken]
    cpu = [NONE if sample is None else f"{figure(sample.user_us)} + {figure(sample.system_us)}" for sample in taken]
    rate_ratio, cpu_ratio = (times(compared([samples], measure)[0]) for measure in (RATE, CPU))
    return [case, *rates, rate_ratio, *cpu, cpu_ratio]


def means(results: dict[int, dict[str, Results]], names: list[str]) -> Table:
    """Alcove as a multiple of each real server, over all commands."""
    others = [name for name in names if name != ALCOVE]
    columns = ["Pipeline"]
    for other in others:
        columns += [f"{other}: commands/s", "CPU", "user CPU"]
    rows = [
        [
            str(pipeline),
            *(
                times(geometric_mean(compared(group.values(), measure, other)))
                for other in others
                for measure in (RATE, CPU, USER)
            ),
        ]
        for pipeline, group in results.items()
    ]
    return Table("Alcove as a multiple of the real servers: geometric means", columns, rows)
