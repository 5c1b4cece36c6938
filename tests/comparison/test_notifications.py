"""Events of all families, and invalidations in all modes, against every real server that is installed, by seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from tests.comparison import notifications, tracking
from tests.comparison.machine import Difference
from tests.comparison.servers import BINARIES, RealServer

# As for the families: `make compare` sets how many commands there are.
COUNT = int(os.environ.get("ALCOVE_COMPARE", "6000"))
SEED = int(os.environ.get("ALCOVE_SEED", "1"))
SEQUENCE = 600


@pytest.fixture(params=sorted(BINARIES))
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    real = RealServer(request.param)
    yield real
    real.stop()


def test_every_command_tells_the_same(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = notifications.Notifications(server)
    for number in range(max(COUNT // SEQUENCE, 1)):
        seed = SEED * 1_000_003 + number
        commands = notifications.random_commands(seed, SEQUENCE)
        try:
            comparison.run(commands)
        except Difference as difference:
            pytest.fail(f"seed {seed}: {difference}\n{notifications.explain(comparison, commands)}")
    ran, events = comparison.ran.total(), comparison.events.total()
    assert not {b"set", b"del", b"new", b"keymiss", b"xadd", b"zadd"} - comparison.events.keys()
    with capsys.disabled():
        print(f"\nnotifications on {server.kind}: {ran} commands, {events} events alike, seed {SEED}", end="")


def test_every_client_hears_the_same(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = tracking.Trackers(server)
    for number in range(max(COUNT // SEQUENCE, 1)):
        seed = SEED * 1_000_003 + number
        steps = tracking.random_steps(seed, SEQUENCE)
        try:
            comparison.run(steps)
        except Difference as difference:
            pytest.fail(f"seed {seed}: {difference}\n{tracking.explain(comparison, steps)}")
    ran, heard = comparison.ran.total(), comparison.messages
    assert heard > ran / 100
    with capsys.disabled():
        print(f"\ntracking on {server.kind}: {ran} commands, {heard} messages alike, seed {SEED}", end="")
