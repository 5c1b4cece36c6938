"""SLOWLOG and Valkey's COMMANDLOG: the commands that took long, were large or were answered at length."""

from __future__ import annotations

from itertools import islice

from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.slowlog import CommandLog
from alcove.errors import COMMANDLOG_TYPES, SLOWLOG_COUNT, CommandError, wrong_subcommand
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
    wanted = parse_bounded(count[0], -1, INT64_MAX, SLOWLOG_COUNT) if count else SHOWN
    return shown(ctx.engine.slowlog, wanted)


def shown(log: CommandLog, wanted: int) -> list[list[object]]:
    """So many entries of a log, all if `wanted` is -1."""
    entries = log.entries
    if not 0 <= wanted <= len(entries):
        wanted = len(entries)
    return [
        [entry.id, entry.time_s, entry.cost, entry.argv, entry.address.encode(), entry.name]
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


container(
    "COMMANDLOG",
    since="valkey 8.1.0",
    group="server",
    summary="A container for command log commands.",
    help_since="valkey 8.1.0",
)

SINCE = "valkey 8.1.0"
TYPE = "<SLOW | LARGE-REQUEST | LARGE-REPLY>"


@command(
    f"COMMANDLOG GET count {TYPE}",
    flags=FLAGS,
    since=SINCE,
    complexity="O(N) where N is the number of entries returned",
    tips="request_policy:all_nodes nondeterministic_output",
)
def commandlog_get(ctx: Context, count: bytes, kind: bytes) -> list[list[object]]:
    """Returns the specified command log's entries.

    As SLOWLOG GET; the third element is bytes where the log is of requests or replies.
    """
    wanted = parse_bounded(count, -1, INT64_MAX, SLOWLOG_COUNT)
    return shown(log_of(ctx, kind), wanted)


@command(
    f"COMMANDLOG LEN {TYPE}",
    flags=FLAGS,
    since=SINCE,
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
)
def commandlog_len(ctx: Context, kind: bytes) -> int:
    """Returns the number of entries in the specified type of command log."""
    return len(log_of(ctx, kind).entries)


@command(
    f"COMMANDLOG RESET {TYPE}",
    flags=FLAGS,
    since=SINCE,
    complexity="O(N) where N is the number of entries in the commandlog",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def commandlog_reset(ctx: Context, kind: bytes) -> object:
    """Clears all entries from the specified type of command log."""
    log_of(ctx, kind).entries.clear()
    return OK


def log_of(ctx: Context, kind: bytes) -> CommandLog:
    """The log of a type."""
    slow = ctx.engine.slowlog
    logs: dict[bytes, CommandLog] = {b"SLOW": slow, b"LARGE-REQUEST": slow.requests, b"LARGE-REPLY": slow.replies}
    log = logs.get(kind.upper())
    if log is None:
        raise CommandError(COMMANDLOG_TYPES)
    return log
