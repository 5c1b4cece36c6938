"""Events and invalidations of all families against every real server that is installed, by seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from tests.comparison.machine import Difference
from tests.comparison.notifications import Notifications, explain, random_commands
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
    notifications = Notifications(server)
    for number in range(max(COUNT // SEQUENCE, 1)):
        seed = SEED * 1_000_003 + number
        commands = random_commands(seed, SEQUENCE)
        try:
            notifications.run(commands)
        except Difference as difference:
            pytest.fail(f"seed {seed}: {difference}\n{explain(notifications, commands)}")
    ran, events = notifications.ran.total(), notifications.events.total()
    assert not {b"set", b"del", b"new", b"keymiss", b"xadd", b"zadd"} - notifications.events.keys()
    with capsys.disabled():
        print(f"\nnotifications on {server.kind}: {ran} commands, {events} events alike, seed {SEED}", end="")
