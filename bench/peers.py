"""The servers that are measured, as processes: started beside each other, each asked for its CPU time and memory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.wire import ErrorReply, Wire, encode

# The peers' places in every table; the first one is what the others are compared with.
REDIS = "redis-server"
VALKEY = "valkey-server"
ALCOVE = "alcove"

DIRECTIVES = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--loglevel", "warning"]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PATIENCE_S = 10.0


class Unavailable(Exception):
    """What the benchmarks need is not there; the text says what."""


@dataclass(frozen=True)
class Peer:
    """A server that can be started."""

    name: str
    command: tuple[str, ...]

    def version(self) -> str:
        return subprocess.run([*self.command, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def installed() -> list[Peer]:
    """The real servers that are here, and Alcove."""
    real = [Peer(name, (path,)) for name in (REDIS, VALKEY) if (path := shutil.which(name)) is not None]
    if not real or real[0].name != REDIS:
        raise Unavailable("redis-server is needed, to measure beside it")
    return [*real, Peer(ALCOVE, (sys.executable, "-m", "alcove"))]


# Which processor does what


def processors() -> tuple[int, int] | None:
    """One for the servers and one for the load; None when there are not two, or no means to choose."""
    if shutil.which("taskset") is None:
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None


def pinned(command: list[str], *, load: bool = False) -> list[str]:
    """A command line that runs on the servers' processor, or on that of the load."""
    places = processors()
    return command if places is None else ["taskset", "-c", str(places[load]), *command]


@contextmanager
def on_load_processor() -> Iterator[None]:
    """Has this process make the load, away from the servers."""
    places = processors()
    before = os.sched_getaffinity(0)
    if places is not None:
        os.sched_setaffinity(0, {places[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# Processes


class Server:
    """A running server."""

    def __init__(self, peer: Peer, *directives: str) -> None:
        """`directives` are more of redis.conf's, in place of those that all servers get."""
        self.name = peer.name
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="alcove-bench-")
        serve = ["serve"] if peer.name == ALCOVE else []
        own = ["--port", str(self.port), "--dir", self._folder.name]
        self._command = pinned([*peer.command, *serve, *DIRECTIVES, *own, *directives])
        self._log = Path(self._folder.name, "log")
        self._start()

    def _start(self) -> None:
        self._launch()
        self._wait_until_ready()

    def _launch(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self._proc = Path("/proc", str(self._process.pid))

    def relaunch(self) -> None:
        """Kills it and starts it with what is in its folder, which it begins to load."""
        self._process.kill()
        self._process.wait()
        self._launch()

    def restart(self) -> None:
        """Kills it and starts it with what is in its folder: returns when it has loaded that."""
        self.relaunch()
        self._wait_until_ready()

    def first_connection(self) -> Wire:
        """A connection as soon as there can be one."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Wire(self.port)
            except ConnectionError as error:
                self._check_alive(deadline, error)
                time.sleep(0.001)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with Wire(self.port) as wire:
                    wire.exchange(encode(b"DBSIZE"))
                return
            except ErrorReply:
                # It is loading.
                time.sleep(0.005)
            except ConnectionError as error:
                self._check_alive(deadline, error)
                time.sleep(0.02)

    def _check_alive(self, deadline: float, error: Exception) -> None:
        if self._process.poll() is not None or time.monotonic() > deadline:
            said = self._log.read_text()
            self.stop()
            raise Unavailable(f"{self.name} does not start:\n{said}") from error

    def cpu_us(self) -> float:
        """CPU time so far, of all its threads."""
        return sum(int(task.read_text().split()[0]) for task in self._proc.glob("task/*/schedstat")) / 1000

    def user_and_system_ticks(self) -> tuple[int, int]:
        """How often the kernel found it in user code, and in its own: to tell apart what `cpu_us` sums up."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]), int(fields[12])

    def proportional_bytes(self) -> int:
        """The memory of the process and its children, what they share counted once."""
        total = 0
        for process in [self._process.pid, *children_of(self._process.pid)]:
            try:
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        return total

    def resident_bytes(self) -> int:
        return int((self._proc / "statm").read_text().split()[1]) * PAGE_BYTES

    def stop(self) -> None:
        # Nothing is to be kept, so nothing is to be tidied up first.
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def children_of(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(peers: list[Peer]) -> Iterator[list[Server]]:
    """Fresh servers, beside each other; an idle one costs next to nothing."""
    servers: list[Server] = []
    try:
        for peer in peers:
            servers.append(Server(peer))
        yield servers
    finally:
        for server in servers:
            server.stop()


def in_turn(servers: list[Server], round_number: int) -> list[Server]:
    """Each round begins with another one, so that none is always first."""
    start = round_number % len(servers)
    return servers[start:] + servers[:start]
