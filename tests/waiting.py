"""How tests wait for what threads and processes are to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")

# How long anything may take before a test fails, in seconds; nothing takes so long unless it is broken.
PATIENCE_S = 60


def eventually(condition: Callable[[], Outcome]) -> Outcome:
    """Asks until the answer is true, and returns it."""
    give_up = time.monotonic() + PATIENCE_S
    while not (outcome := condition()):
        assert time.monotonic() < give_up, "it never came to that"
        time.sleep(0.002)
    return outcome
