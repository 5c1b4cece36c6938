"""A fixture of the tests that compare with real servers: `real`, once for each kind that is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.comparison.servers import BINARIES, RealServer


@pytest.fixture(scope="module", params=sorted(BINARIES))
def real(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    if shutil.which(BINARIES[request.param]) is None:
        pytest.skip(f"{BINARIES[request.param]} is not installed")
    server = RealServer(request.param)
    yield server
    server.stop()
