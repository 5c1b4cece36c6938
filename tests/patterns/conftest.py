"""Fixtures of the patterns' tests: `toolkit` makes patterns on each kind of server, blocking and asyncio.

Its time is moved by `toolkit.pass_time`, in units: where the engine is ours its clock is set on, elsewhere the test
sleeps, and a unit is short. Where threads or tasks wait for each other, `live_toolkit` has the machine's time
everywhere. ALCOVE_BACKENDS=embedded,redis chooses the kinds; the plain build tries the first only.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

import alcove.patterns
import alcove.patterns.asyncio
from tests.conftest import COMPILED, TestClock
from tests.patterns.databases import Postgres, postgres_binaries
from tests.patterns.facade import Blocked, LoopThread
from tests.patterns.places import Cluster, Embedded, Place, Real, Served

BACKENDS = os.environ.get("ALCOVE_BACKENDS", "embedded,served,redis,cluster" if COMPILED else "embedded").split(",")
FLAVOURS = ("blocking", "asyncio")
KINDS = [f"{backend}-{flavour}" for backend in BACKENDS for flavour in FLAVOURS]


class Toolkit:
    """The patterns on one kind of server, in one flavour."""

    def __init__(self, place: Place, thread: LoopThread | None, clock: TestClock | None) -> None:
        self.place = place
        self.thread = thread
        self.client: redis.Redis = place.client()
        self._clock = clock
        self._opened = ExitStack()
        self._opened.callback(self.client.close)
        # The seconds of a unit of time.
        self.unit = 1.0 if clock else 0.1

    def make(self, name: str, /, *args: Any, client_options: dict[str, Any] | None = None, **options: Any) -> Any:
        """A pattern by its class's name, over a client of its own."""
        if self.thread is None:
            client = self._opened.enter_context(self.place.client(**client_options or {}))
            return getattr(alcove.patterns, name)(client, *args, **options)
        thread = self.thread

        async def made() -> Any:
            client = await self.place.async_client(**client_options or {}).initialize()
            self._opened.callback(lambda: thread.run(client.aclose()))
            return getattr(alcove.patterns.asyncio, name)(client, *args, **options)

        return Blocked(thread, thread.run(made()))

    def slow(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the user's that takes its time: for asyncio a coroutine, so that it stops nobody else."""
        if self.thread is None:
            return function

        @functools.wraps(function)
        async def awaited(*args: Any, **options: Any) -> Any:
            return await asyncio.to_thread(function, *args, **options)

        return awaited

    def pass_time(self, units: float) -> None:
        if self._clock is None:
            time.sleep(units * self.unit)
            return
        self._clock.advance(units * self.unit)

    def close(self) -> None:
        self._opened.close()


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def real() -> Iterator[Place]:
    yield from started(Real)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Place]:
    yield from started(Cluster)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("postgresql is not installed")
    server = Postgres(binaries)
    yield server
    server.close()


def started(kind: type[Real | Cluster]) -> Iterator[Place]:
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("redis-server is not installed")
    place = kind()
    yield place
    place.close()


def opened(request: pytest.FixtureRequest, clock: TestClock | None) -> Iterator[Toolkit]:
    backend, flavour = request.param.split("-")
    with ExitStack() as open_for_test:
        place: Place
        if backend in ("embedded", "served"):
            place = ours = Embedded(clock) if backend == "embedded" else Served(clock)
            open_for_test.callback(place.close)
            if clock is not None:
                clock.engine = ours.engine
        else:
            place, clock = request.getfixturevalue("real" if backend == "redis" else backend), None
        thread = request.getfixturevalue("loop_thread") if flavour == "asyncio" else None
        toolkit = Toolkit(place, thread, clock)
        open_for_test.callback(toolkit.close)
        toolkit.client.flushall()
        yield toolkit


@pytest.fixture(params=KINDS)
def toolkit(request: pytest.FixtureRequest) -> Iterator[Toolkit]:
    yield from opened(request, TestClock())


@pytest.fixture(params=KINDS)
def live_toolkit(request: pytest.FixtureRequest) -> Iterator[Toolkit]:
    yield from opened(request, None)
