"""LATENCY DOCTOR: what the samples of the latency monitor say, for people, and what can be done about it."""

from __future__ import annotations

from typing import Final

from alcove.engine.config import Config
from alcove.engine.latency import LatencyMonitor, Series

DISABLED: Final = (
    "The latency monitor is off, so there is nothing to look at. Switch it on with CONFIG SET "
    "latency-monitor-threshold <milliseconds>, with the delay that your application begins to feel, and ask again "
    "when it has seen some traffic.\n"
)
HEALTHY: Final = "Nothing has taken longer than {threshold} milliseconds since the monitor was switched on or reset.\n"

# What to look at, for events that begin like this.
ADVICE: Final = {
    "command": (
        "SLOWLOG GET shows the commands that took long. Those that visit a whole key space or a whole value (KEYS, "
        "SMEMBERS, LRANGE 0 -1, SORT, set algebra over large sets) can often be replaced by their SCAN forms.",
        "A long transaction or script counts as one command: split it where it need not be atomic.",
    ),
    "fast-command": (
        "Commands that cannot take long by themselves did: the machine is short of processors or memory, or another "
        "thread of this process held the interpreter. Look for swapping, for busy neighbours, and, if the engine "
        "lives in your own process, for long computations beside it.",
    ),
    "expire": ("Many keys reach their deadlines together. Add a random part to the time to live where it is set.",),
    "eviction": ("Memory is at its limit and keys are evicted to make room. Raise maxmemory, or store less.",),
    "aof": (
        "Writing or syncing the append only file takes long: the disk is busy. `appendfsync everysec` waits for it "
        "less often than `always`; other heavy users of the same disk are better moved elsewhere.",
    ),
    "rdb": ("Writing snapshots takes long: the disk is busy, or the save points come too often.",),
}


def diagnosis(monitor: LatencyMonitor, config: Config) -> str:
    """The report, in lines."""
    threshold_ms = config.latency_monitor_threshold
    if not threshold_ms:
        return DISABLED
    if not monitor.series:
        return HEALTHY.format(threshold=threshold_ms)
    lines = [f"These events took {threshold_ms} milliseconds or longer:", ""]
    for number, (event, series) in enumerate(sorted(monitor.series.items()), 1):
        lines.append(f"{number}. {event}: {findings(series, monitor.now_s())}")
    advice = [text for start, texts in ADVICE.items() if any(map(start.__eq__, causes(monitor))) for text in texts]
    slower_than_us = config.slowlog_log_slower_than
    if "command" in monitor.series and not 0 <= slower_than_us <= threshold_ms * 1000:
        advice.append(
            "The slow log does not hold all of these commands: CONFIG SET slowlog-log-slower-than "
            f"{threshold_ms * 1000} makes it."
        )
    if advice:
        lines += ["", "What can be done:", "", *(f"- {text}" for text in advice)]
    return "".join(f"{line}\n" for line in lines)


def causes(monitor: LatencyMonitor) -> set[str]:
    """The entries of `ADVICE` that the events call for."""
    return {event if event in ADVICE else event.partition("-")[0] for event in monitor.series}


def findings(series: Series, now_s: int) -> str:
    """How often, how long and how evenly an event came."""
    delays = [sample.elapsed_ms for sample in series.samples]
    count = len(delays)
    mean = sum(delays) / count
    deviation = sum(abs(delay - mean) for delay in delays) / count
    period_s = max(now_s - series.samples[0].time_s, 1) / count
    return (
        f"{count} spikes, one every {period_s:.0f} seconds; {mean:.0f} milliseconds on average, "
        f"{deviation:.0f} off that on average; the worst took {series.longest_ms}."
    )
