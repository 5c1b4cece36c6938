"""Every family against every real server that is installed: bulk runs by seed, and Hypothesis for short sequences."""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tests.comparison
from tests.comparison.machine import Comparison, Difference, explain, random_commands
from tests.comparison.servers import BINARIES, RealServer

NOT_FAMILIES = {"machine", "notifications", "pubsub", "scripting_table", "servers", "tracking"}
MODULES = {module.name for module in pkgutil.iter_modules(tests.comparison.__path__)}
FAMILIES = sorted(name for name in MODULES - NOT_FAMILIES if not name.startswith("test_"))
# How many commands each family compares with each server, at least; `make compare` runs 200,000.
COUNT = int(os.environ.get("ALCOVE_COMPARE", "6000"))
SEED = int(os.environ.get("ALCOVE_SEED", "1"))
# A sequence starts from empty, so that a difference is found near its cause.
SEQUENCE = 600


# A server for each test: one that a command ends or occupies fails one family only.
@pytest.fixture(params=sorted(BINARIES))
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    real = RealServer(request.param)
    yield real
    real.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_random_commands_by_seed(family: str, server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"tests.comparison.{family}")
    comparison = Comparison(module, server)
    number = 0
    while comparison.ran.total() < COUNT:
        comparison.protocol = 2 + number % 2
        seed = SEED * 1_000_003 + number
        commands = random_commands(module, seed, SEQUENCE)
        try:
            comparison.run(commands)
        except Difference as difference:
            pytest.fail(f"seed {seed}, RESP{comparison.protocol}: {difference}\n{explain(comparison, commands)}")
        number += 1
    with capsys.disabled():
        ran = comparison.ran.total()
        print(f"\n{family} on {server.kind}: {ran} commands in {number} sequences alike, seed {SEED}", end="")


@pytest.mark.parametrize("family", FAMILIES)
def test_random_commands_by_hypothesis(family: str, server: RealServer) -> None:
    module = importlib.import_module(f"tests.comparison.{family}")

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False), st.integers(1, 30), st.sampled_from((2, 3)))
    def machine(chance: random.Random, length: int, protocol: int) -> None:
        Comparison(module, server, protocol).run([module.generate(chance) for _ in range(length)])

    machine()
