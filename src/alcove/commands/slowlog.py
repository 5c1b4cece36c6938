"""SLOWLOG: the commands that took long."""

from __future__ import annotations

from itertools import islice

from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.errors import SLOWLOG_COUNT, CommandError, wrong_subcommand
from alcove.numeric import INT64_MAX, parse_bounded
from alcove.values import OK

GROUP = "server"
FLAGS = "admin loading stale"
# How many entries are shown if it is not said.
SHOWN = 10

container(
    "SLOWLOG",
    since="2.2.12",
    group="server",
    summary="A container for slow log commands.",
    help_since="6.2.0",
)


@command(
    "SLOWLOG GET [count]",
    arity=-2,
    flags=FLAGS,
    since="2.2.12",
    complexity="O(N) where N is the number of entries returned",
    tips="request_policy:all_nodes nondeterministic_output",
    history=(("4.0.0", "Added client IP address, port and name to the reply."),),
)
def slowlog_get(ctx: Context, *count: bytes) -> list[list[object]]:
    """Returns the slow log's entries.

    Newest first, up to `count` of them, all if that is -1. Each is a list: a number that identifies it, when it was
    given in Unix seconds, how many microseconds it took, its words, and the client's address and name.
    """
    if len(count) > 1:
        raise CommandError(wrong_subcommand("SLOWLOG", "GET"))
    entries = ctx.engine.slowlog.entries
    wanted = parse_bounded(count[0], -1, INT64_MAX, SLOWLOG_COUNT) if count else SHOWN
    if not 0 <= wanted <= len(entries):
        wanted = len(entries)
    return [
        [entry.id, entry.time_s, entry.elapsed_us, entry.argv, entry.address.encode(), entry.name]
        for entry in islice(entries, wanted)
    ]


@command(
    "SLOWLOG LEN",
    flags=FLAGS,
    since="2.2.12",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
)
def slowlog_len(ctx: Context) -> int:
    """Returns the number of entries in the slow log."""
    return len(ctx.engine.slowlog.entries)


@command(
    "SLOWLOG RESET",
    flags=FLAGS,
    since="2.2.12",
    complexity="O(N) where N is the number of entries in the slowlog",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def slowlog_reset(ctx: Context) -> object:
    """Clears all entries from the slow log."""
    ctx.engine.slowlog.entries.clear()
    return OK
