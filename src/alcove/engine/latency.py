"""LATENCY: spikes of what may hold the engine up, by event, and the histograms of commands in their printed forms."""

from __future__ import annotations

from typing import Final, NamedTuple

from alcove.engine.clock import Clock
from alcove.engine.config import Config
from alcove.engine.histogram import Histogram, highest_of, place_of

# How many samples are kept of an event.
MOST_SAMPLES: Final = 160
# What no event takes.
NEVER_US: Final = 2**62
# The first step of LATENCY HISTOGRAM; each further one is twice as long.
FIRST_STEP_NS: Final = 1024


class Sample(NamedTuple):
    """The longest delay of one second."""

    time_s: int
    elapsed_ms: int


class Series:
    """The samples of one event, oldest first."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.longest_ms = 0

    def add(self, sample: Sample) -> None:
        """Takes a sample; of those of one second the longest stays."""
        self.longest_ms = max(self.longest_ms, sample.elapsed_ms)
        if self.samples and self.samples[-1].time_s == sample.time_s:
            self.samples[-1] = max(self.samples[-1], sample)
            return
        self.samples.append(sample)
        del self.samples[:-MOST_SAMPLES]


class LatencyMonitor:
    """What took longer than `latency-monitor-threshold`, by event.

    The engine reports `command`, `fast-command`, `expire-cycle`, `eviction-cycle` and `eviction-del`; what sits above
    it reports what it does in the engine's time, such as `aof-write`.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self.series: dict[str, Series] = {}

    @property
    def threshold_us(self) -> int:
        """How long something must take to be kept."""
        threshold_ms = self._config.latency_monitor_threshold
        return threshold_ms * 1000 if threshold_ms else NEVER_US

    def add(self, event: str, elapsed_ms: int) -> None:
        """Reports what something took. The engine's lock is held."""
        threshold_ms = self._config.latency_monitor_threshold
        if threshold_ms and elapsed_ms >= threshold_ms:
            self.series.setdefault(event, Series()).add(Sample(self.now_s(), elapsed_ms))

    def now_s(self) -> int:
        return self._clock.now_us() // 1_000_000

    def reset(self, events: list[str]) -> int:
        """Forgets events; how many of them there were."""
        return sum(self.series.pop(event, None) is not None for event in events)


def steps(histogram: Histogram) -> dict[int, int]:
    """LATENCY HISTOGRAM: how many calls took up to so many microseconds, at each step where there are more.

    A step reaches to the end of the histogram's place in which it lies: the sixth is 33 microseconds, not 32.
    """
    found: dict[int, int] = {}
    reach_ns = so_far = 0
    step_ns = FIRST_STEP_NS
    for place, count in histogram.counts():
        while reach_ns < highest_of(place):
            reach_ns = highest_of(place_of(step_ns))
            step_ns *= 2
        so_far += count
        found[reach_ns // 1000] = so_far
    return found


def percentile_ns(histogram: Histogram, percentile: float) -> int:
    """The time that so many percent of the calls did not exceed, as exactly as the histogram knows it; 0 if none."""
    wanted = max(int(percentile / 100 * histogram.calls + 0.5), 1)
    so_far = 0
    for place, count in histogram.counts():
        so_far += count
        if so_far >= wanted:
            return highest_of(place) if percentile else highest_of(place - 1) + 1
    return 0
