"""The fixtures of all tests: `r`, a redis-py client over an engine of its own, and `clock`, with which time is moved.

A test that takes `r` runs once for each way there is to an engine, on each protocol: in the process (`embedded`),
through redis-py's parser and our reader and writer (`memory`), and through the server (`tcp`, which the plain build
leaves out unless ALCOVE_LEGS asks for it). ALCOVE_LEGS=embedded,memory chooses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, settings

import alcove
import alcove.commands
import alcove.engine.engine
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from tests.memory_socket import MemoryConnection

# What CI runs is the same every time, and as slow as its machine is; new examples are looked for where somebody sees
# them.
settings.register_profile("ci", derandomize=True, suppress_health_check=[HealthCheck.too_slow])
if os.environ.get("CI"):
    settings.load_profile("ci")

COMPILED = not alcove.engine.engine.__file__.endswith(".py")
LEGS = os.environ.get("ALCOVE_LEGS", "embedded,memory,tcp" if COMPILED else "embedded,memory").split(",")


class TestClock(ManualClock):
    """A clock that stands still until it is moved; then the engine's housekeeping is done."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.engine: Engine | None = None

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        if self.engine is not None:
            keep_house(self.engine)


def keep_house(engine: Engine) -> None:
    """Does all the housekeeping that is due."""
    rest_us = 0
    while rest_us == 0:
        engine.enter()
        try:
            rest_us = engine.tick()
        finally:
            engine.leave()


@pytest.fixture
def clock() -> TestClock:
    """The clock of the test's engine. Without it the engine goes by the machine's."""
    return TestClock()


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine behind `r`."""
    if "clock" not in request.fixturenames:
        return Engine()
    clock: TestClock = request.getfixturevalue("clock")
    clock.engine = Engine(clock=clock)
    return clock.engine


@pytest.fixture(params=[f"{leg}-{protocol}" for leg in LEGS for protocol in (2, 3)])
def r(request: pytest.FixtureRequest, engine: Engine) -> Iterator[redis.Redis]:
    """A client over an engine of its own."""
    leg, protocol = request.param.split("-")
    if leg == "embedded":
        with alcove.open(engine=engine, protocol=int(protocol)) as client:
            yield client
    elif leg == "memory":
        pool = redis.ConnectionPool(MemoryConnection, engine=engine, protocol=int(protocol))
        with redis.Redis.from_pool(pool) as client:
            yield client
    else:
        with alcove.serve(engine=engine) as server, redis.Redis(port=server.port, protocol=int(protocol)) as client:
            yield client
