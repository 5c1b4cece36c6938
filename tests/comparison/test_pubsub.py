"""Subscribers and publishers against every real server that is installed, by seed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from tests.comparison.machine import Difference
from tests.comparison.pubsub import NAMES, Subscribers
from tests.comparison.servers import BINARIES, RealServer

# As for the families: `make compare` sets how many commands there are.
COUNT = int(os.environ.get("ALCOVE_COMPARE", "6000"))
SEED = int(os.environ.get("ALCOVE_SEED", "1"))
SEQUENCE = 300


@pytest.fixture(params=sorted(BINARIES))
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    real = RealServer(request.param)
    yield real
    real.stop()


def test_every_client_gets_the_same(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    subscribers = Subscribers(server)
    for number in range(max(COUNT // SEQUENCE, 1)):
        seed = SEED * 1_000_003 + number
        try:
            subscribers.run(random.Random(seed), SEQUENCE)
        except Difference as difference:
            pytest.fail(f"seed {seed}: {difference}")
    assert set(NAMES) == set(subscribers.ran)
    with capsys.disabled():
        ran = subscribers.ran.total()
        print(f"\npubsub on {server.kind}: {ran} commands, {subscribers.messages} messages alike, seed {SEED}", end="")
