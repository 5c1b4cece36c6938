"""How long the calls of one command took, counted as HdrHistogram does with two digits. This is the plain twin.

Source of the form: hdrhistogram.org, the layout of the Java original (public domain), as the real servers use it for
LATENCY HISTOGRAM and INFO latencystats: nanoseconds from 1 to a billion, exact up to 255, then 128 places for each
power of two. A command that is never called has no counters.
"""

from __future__ import annotations

from typing import Final

LONGEST_NS: Final = 1_000_000_000
# A place below this holds one nanosecond; from there on each run of half as many holds twice the span of the last.
EXACT_PLACES: Final = 256


class Histogram:
    """One command's counters."""

    def __init__(self) -> None:
        self.calls = 0
        self._counts: dict[int, int] = {}

    def record(self, elapsed_us: int) -> None:
        """Counts one call."""
        place = place_of(min(max(elapsed_us * 1000, 1), LONGEST_NS))
        self._counts[place] = self._counts.get(place, 0) + 1
        self.calls += 1

    def clear(self) -> None:
        self.calls = 0
        self._counts = {}

    def counts(self) -> list[tuple[int, int]]:
        """What was counted, shortest first: (place, calls)."""
        return sorted(self._counts.items())


def place_of(ns: int) -> int:
    """Where a time is counted."""
    shift = max(ns.bit_length() - 8, 0)
    return (shift << 7) + (ns >> shift)


def highest_of(place: int) -> int:
    """The longest time in nanoseconds that is counted in a place."""
    shift = 0 if place < EXACT_PLACES else (place >> 7) - 1
    return ((place - (shift << 7) + 1) << shift) - 1
