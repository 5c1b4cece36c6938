"""A few kills of a server and of an embedding program; `make torture` does hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.rounds import VICTIMS, torture

KILLS = 3


@pytest.mark.parametrize("fsync", ["always", "everysec"])
@pytest.mark.parametrize("kind", VICTIMS)
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, kind: str, fsync: str) -> None:
    outcome = torture(kind, fsync, KILLS, tmp_path, seed=5)
    assert outcome.good, str(outcome)
    assert outcome.kills == KILLS
    assert outcome.acknowledged > 0
