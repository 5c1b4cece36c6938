"""LATENCY: what held the engine up, and how long commands take."""

from __future__ import annotations

from alcove.engine.context import Context
from alcove.engine.declaration import Command, command, container
from alcove.engine.doctor import diagnosis
from alcove.engine.latency import Series, steps
from alcove.engine.sparkline import COLUMNS, Bar, sparkline
from alcove.errors import CommandError, no_samples
from alcove.values import Verbatim

GROUP = "server"
FLAGS = "admin noscript loading stale"
TIPS = "request_policy:all_nodes response_policy:special nondeterministic_output"

container("LATENCY", since="2.8.13", group="server", summary="A container for latency diagnostics commands.")


@command("LATENCY DOCTOR", flags=FLAGS, since="2.8.13", complexity="O(1)", tips=TIPS)
def latency_doctor(ctx: Context) -> Verbatim:
    """Returns a human-readable latency analysis report."""
    return Verbatim(diagnosis(ctx.engine.latency, ctx.config).encode())


@command("LATENCY GRAPH event", flags=FLAGS, since="2.8.13", complexity="O(1)", tips=TIPS)
def latency_graph(ctx: Context, event: bytes) -> Verbatim:
    """Returns a latency graph for an event."""
    series = series_of(ctx, event)
    if series is None:
        raise CommandError(no_samples(event))
    now_s = ctx.engine.latency.now_s()
    delays = [sample.elapsed_ms for sample in series.samples]
    head = (
        f"{name_of(event)} - high {max(delays)} ms, low {min(delays)} ms (all time high {series.longest_ms} ms)\n"
        f"{'-' * COLUMNS}\n"
    )
    bars = [Bar(sample.elapsed_ms, age(now_s - sample.time_s)) for sample in series.samples]
    return Verbatim((head + sparkline(bars)).encode())


@command("LATENCY HISTOGRAM [command [command ...]]", flags=FLAGS, since="7.0.0", complexity="O(N)", tips=TIPS)
def latency_histogram(ctx: Context, *commands: bytes) -> dict[bytes, object]:
    """Returns the cumulative distribution of latencies of a subset or all commands.

    By name: how many calls there were, and how many of them took up to so many microseconds.
    """
    registry = ctx.engine.registry
    asked = list(registry)
    if commands:
        found = [registry.lookup(name) for name in commands]
        asked = [member for one in found if one is not None for member in (one, *one.members())]
    return {one.name.encode(): distribution(one) for one in asked if one.latency.calls}


def distribution(one: Command) -> dict[bytes, object]:
    return {b"calls": one.latency.calls, b"histogram_usec": steps(one.latency)}


@command("LATENCY HISTORY event", flags=FLAGS, since="2.8.13", complexity="O(1)", tips=TIPS)
def latency_history(ctx: Context, event: bytes) -> list[list[int]]:
    """Returns timestamp-latency samples for an event."""
    series = series_of(ctx, event)
    return [] if series is None else [list(sample) for sample in series.samples]


@command("LATENCY LATEST", flags=FLAGS, since="2.8.13", complexity="O(1)", tips=TIPS)
def latency_latest(ctx: Context) -> list[list[object]]:
    """Returns the latest latency samples for all events.

    Each is a list: the event, the Unix second and the milliseconds of its latest sample, and the most it ever took.
    """
    return [
        [event.encode(), *series.samples[-1], series.longest_ms] for event, series in ctx.engine.latency.series.items()
    ]


@command(
    "LATENCY RESET [event [event ...]]",
    flags=FLAGS,
    since="2.8.13",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:agg_sum",
)
def latency_reset(ctx: Context, *events: bytes) -> int:
    """Resets the latency data for one or more events."""
    latency = ctx.engine.latency
    return latency.reset([name_of(event) for event in events] or list(latency.series))


def series_of(ctx: Context, event: bytes) -> Series | None:
    return ctx.engine.latency.series.get(name_of(event))


def name_of(event: bytes) -> str:
    return event.decode("latin-1")


def age(seconds: int) -> str:
    """How long ago something was, in the largest unit that fits."""
    for unit, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{seconds // unit}{letter}"
    return f"{seconds}s"
