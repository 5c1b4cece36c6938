"""Where the engine gets the time from; tests hand it a clock of their own and move it. This is the plain twin."""

from __future__ import annotations

import time


class Clock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since 1970; it may jump when the machine's clock is set. Deadlines of keys go by it."""
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Microseconds that never go back. Timeouts go by it."""
        return time.monotonic_ns() // 1000


class ManualClock(Clock):
    """A clock that stands still until it is moved, for tests."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self._now_us = now_us
        self._monotonic_us = 1_000_000

    def now_us(self) -> int:
        return self._now_us

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._now_us += round(seconds * 1_000_000)
        self._monotonic_us += round(seconds * 1_000_000)

    def jump(self, seconds: float) -> None:
        """The machine's clock is set to another time: only the wall clock moves."""
        self._now_us += round(seconds * 1_000_000)
