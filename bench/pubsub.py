"""Publishing to one subscriber and to a thousand, beside the real servers: CPU time per message delivered."""

from __future__ import annotations

import resource
import select
import socket
import statistics
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.peers import ALCOVE, REDIS, Server, in_turn, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, geometric_mean, note, ratio, times
from bench.wire import encode

CHANNEL = b"channel:of:the:benchmark"
PIPELINES = (1, 16)
RECEIVE_BYTES = 256 * 1024
LONGEST_WAIT_S = 60.0
AIM = 1.0

READING = """\
One publisher, alone or with a pipeline of 16, and its subscribers, all read by one process on the load's processor;
the publisher waits for its replies, not for the subscribers. Deliveries a second are thousands, until the last
subscriber has the last message. CPU is the server's own time per message delivered, in microseconds. Factors compare
Alcove with redis-server: less CPU is better."""


@dataclass(frozen=True)
class Case:
    """So many subscribers of the channel, of which one also has patterns that do not fit it."""

    name: str
    subscribers: int
    message_bytes: int = 100
    patterns: int = 0


@dataclass(frozen=True)
class Sample:
    """One run: deliveries a second, and microseconds of CPU for each."""

    rate: float
    cpu_us: float


CASES = [
    Case("1 subscriber", 1),
    Case("100 subscribers", 100),
    Case("1,000 subscribers", 1_000),
    Case("100 subscribers, 10 KB", 100, 10_000),
    Case("1 subscriber, 1,000 patterns", 1, patterns=1_000),
]

# By case and peer.
Results = dict[str, dict[str, Sample]]


def run(quick: bool) -> Section:
    """A table per pipeline length."""
    seconds, rounds = (0.2, 1) if quick else (1.0, 5)
    allow_files(max(case.subscribers for case in CASES) + 100)
    peers = installed()
    results: dict[int, Results] = {pipeline: {} for pipeline in PIPELINES}
    with running(peers) as servers, on_load_processor():
        for case in CASES:
            for pipeline in PIPELINES:
                note(f"pubsub: {case.name}, pipeline {pipeline}")
                results[pipeline][case.name] = measure(case, pipeline, servers, seconds, rounds)
    names = [peer.name for peer in peers]
    section = Section("Pub/Sub", READING)
    section.tables += [table(pipeline, results[pipeline], names) for pipeline in PIPELINES]
    cpu = geometric_mean(factor(samples) for group in results.values() for samples in group.values())
    if cpu is not None:
        wanted = f"CPU per message delivered at most {AIM} times {REDIS}'s, in the geometric mean of all"
        section.aims.append(Aim(wanted, times(cpu), cpu <= AIM))
    return section


def allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count, hard)), hard))


# Measuring


def measure(case: Case, pipeline: int, servers: list[Server], seconds: float, rounds: int) -> dict[str, Sample]:
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    trial = one_run(case, pipeline, servers[0], 20 * pipeline)
    publications = max(int(trial.rate * seconds) // case.subscribers // pipeline, 10) * pipeline
    for number in range(rounds):
        for server in in_turn(servers, number):
            samples[server.name].append(one_run(case, pipeline, server, publications))
    return {
        name: Sample(
            statistics.median(sample.rate for sample in taken), statistics.median(sample.cpu_us for sample in taken)
        )
        for name, taken in samples.items()
    }


def one_run(case: Case, pipeline: int, server: Server, publications: int) -> Sample:
    with Audience(server.port, case) as audience:
        # The first messages find buffers that have yet to grow.
        audience.publish(pipeline, pipeline)
        before_us = server.cpu_us()
        seconds = audience.publish(publications, pipeline)
        cpu_us = server.cpu_us() - before_us
    delivered = publications * case.subscribers
    return Sample(delivered / seconds, cpu_us / delivered)


class Audience:
    """The connections of the subscribers and of the publisher."""

    def __init__(self, port: int, case: Case) -> None:
        message = b"x" * case.message_bytes
        self._request = encode(b"PUBLISH", CHANNEL, message)
        self._reply = b":%d\r\n" % case.subscribers
        # What a publication brings to all of them.
        self._delivery_bytes = len(encode(b"message", CHANNEL, message)) * case.subscribers
        self._poller = select.epoll()
        self._publisher = self._connect(port)
        self._subscribers: dict[int, socket.socket] = {}
        for _ in range(case.subscribers):
            subscriber = self._connect(port)
            self._subscribers[subscriber.fileno()] = subscriber
            ask(subscriber, encode(b"SUBSCRIBE", CHANNEL), 1)
        for start in range(0, case.patterns, 100):
            names = [b"channel:%d:*" % number for number in range(start, start + 100)]
            ask(subscriber, encode(b"PSUBSCRIBE", *names), len(names))

    def _connect(self, port: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poller.register(connection, select.EPOLLIN)
        return connection

    def publish(self, publications: int, pipeline: int) -> float:
        """Publishes, and reads until everybody has everything: how many seconds that took."""
        left = publications // pipeline
        owed = 0
        unread = publications * self._delivery_bytes
        started = time.perf_counter()
        while left or owed or unread:
            if left and not owed:
                self._publisher.sendall(self._request * pipeline)
                owed, left = len(self._reply) * pipeline, left - 1
            ready = self._poller.poll(LONGEST_WAIT_S)
            if not ready:
                raise TimeoutError("messages are missing")
            for fd, _ in ready:
                subscriber = self._subscribers.get(fd)
                if subscriber is None:
                    owed -= len(self._publisher.recv(RECEIVE_BYTES))
                else:
                    unread -= len(subscriber.recv(RECEIVE_BYTES))
        return time.perf_counter() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for connection in (self._publisher, *self._subscribers.values()):
            connection.close()
        self._poller.close()


def ask(subscriber: socket.socket, request: bytes, replies: int) -> None:
    """Sends a request and takes its replies, each of which ends with a number."""
    subscriber.sendall(request)
    received = b""
    while received.count(b"\r\n:") < replies or not received.endswith(b"\r\n"):
        received += subscriber.recv(RECEIVE_BYTES)


# Tables


def factor(samples: dict[str, Sample]) -> float | None:
    """Alcove's CPU time as a multiple of redis-server's."""
    return ratio(samples[ALCOVE].cpu_us, samples[REDIS].cpu_us)


def table(pipeline: int, results: Results, names: list[str]) -> Table:
    columns = ["", *(f"{name} K/s" for name in names), *(f"{name} CPU" for name in names), "Factor"]
    rows = [
        [
            case,
            *(figure(samples[name].rate / 1000) for name in names),
            *(figure(samples[name].cpu_us) for name in names),
            times(factor(samples)),
        ]
        for case, samples in results.items()
    ]
    mean = ["Geometric mean", *[""] * (2 * len(names)), times(geometric_mean(map(factor, results.values())))]
    return Table("No pipeline" if pipeline == 1 else f"Pipeline of {pipeline}", columns, [*rows, mean])
