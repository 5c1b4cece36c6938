"""Where patterns run in the tests: an engine in the process, our server, a real Redis, and a cluster of three."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.cluster
from redis.cluster import RedisCluster

import alcove
import alcove.asyncio
from alcove.engine.clock import Clock
from alcove.engine.engine import Engine
from tests.waiting import PATIENCE_S, eventually

LOOPBACK = "127.0.0.1"
# How long a server may take to start, in seconds.


class Place(ABC):
    """A kind of server, and clients for it."""

    @abstractmethod
    def client(self, **options: Any) -> redis.Redis: ...

    @abstractmethod
    def async_client(self, **options: Any) -> redis.asyncio.Redis: ...

    @abstractmethod
    def url(self) -> str:
        """What `alcove.from_url` reaches it by, from another process too; empty if no other process can."""

    def close(self) -> None:
        return None


class Embedded(Place):
    """An engine in this process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.engine = Engine(clock=clock) if clock else Engine()

    def client(self, **options: Any) -> redis.Redis:
        return alcove.open(engine=self.engine, **options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        return alcove.asyncio.open(engine=self.engine, **options)

    def url(self) -> str:
        return ""


class OnPort(Place):
    """A server on a port of the loopback."""

    _port: int

    def client(self, **options: Any) -> redis.Redis:
        return redis.Redis(port=self._port, **options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        return redis.asyncio.Redis(port=self._port, **options)

    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self._port}"


class Served(OnPort):
    """Our server, over TCP."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._running = ExitStack()
        self.engine = Engine(clock=clock) if clock else Engine()
        self._port = self._running.enter_context(alcove.serve(engine=self.engine)).port

    def close(self) -> None:
        self._running.close()


class Real(OnPort):
    """A redis-server of Debian's."""

    def __init__(self) -> None:
        self._servers = Servers(1)
        self._port = self._servers.ports[0]
        eventually(lambda: has_started(self.client().ping))

    def close(self) -> None:
        self._servers.close()


class Cluster(Place):
    """Three redis-servers that share the keys."""

    def __init__(self) -> None:
        self._servers = Servers(3, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
        nodes = [f"{LOOPBACK}:{port}" for port in self._servers.ports]
        for port in self._servers.ports:
            eventually(lambda port=port: has_started(redis.Redis(port=port).ping))
        subprocess.run(
            ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
        for port in self._servers.ports:
            node = redis.Redis(port=port)
            eventually(lambda node=node: has_started(lambda: node.cluster("info")["cluster_state"] == "ok"))

    def client(self, **options: Any) -> redis.Redis:
        return RedisCluster(host=LOOPBACK, port=self._servers.ports[0], **options)  # type: ignore[return-value]

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        port = self._servers.ports[0]
        return redis.asyncio.cluster.RedisCluster(host=LOOPBACK, port=port, **options)  # type: ignore[return-value]

    def url(self) -> str:
        return f"redis+cluster://{LOOPBACK}:{self._servers.ports[0]}"

    def close(self) -> None:
        self._servers.close()


class Servers:
    """Some redis-servers on free ports of the loopback, in a folder of their own."""

    def __init__(self, count: int, *arguments: str) -> None:
        binary = shutil.which("redis-server")
        assert binary is not None
        self._folder = Path(tempfile.mkdtemp(prefix="alcove-real-"))
        self.ports = free_ports(count)
        self._processes = [self._started(binary, port, arguments) for port in self.ports]

    def _started(self, binary: str, port: int, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        folder = self._folder / str(port)
        folder.mkdir()
        settings = ["--port", str(port), "--bind", LOOPBACK, "--dir", str(folder), "--save", ""]
        # A wait ends in the round of housekeeping after its timeout: many rounds, so that none waits long.
        return subprocess.Popen([binary, *settings, "--hz", "500", *arguments], stdout=subprocess.DEVNULL)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; nor, for the nodes of a cluster, on those 10,000 above.

    Each run of the tests begins its search elsewhere, so that two at a time do not take the same ones.
    """
    found: list[int] = []
    first = 12000 + os.getpid() % 1000 * 10
    for port in range(first, first + 1000):
        if all(is_free(number) for number in (port, port + 10000)):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def has_started(condition: Callable[[], bool]) -> bool:
    """Whether a server that is starting says so already."""
    try:
        return condition()
    except redis.RedisError:
        return False
