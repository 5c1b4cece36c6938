"""Transactions: MULTI queues commands, EXEC runs them as one, WATCH makes that conditional."""

from __future__ import annotations

from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.session import IN_MULTI
from alcove.errors import DISCARD_WITHOUT_MULTI, EXEC_WITHOUT_MULTI, NESTED_MULTI, WATCH_IN_MULTI, CommandError
from alcove.values import OK


@command("MULTI", flags="noscript loading stale fast allow_busy", since="1.2.0", complexity="O(1)")
def multi(ctx: Context) -> object:
    """Starts a transaction."""
    if ctx.session.in_multi:
        raise CommandError(NESTED_MULTI)
    ctx.session.gate |= IN_MULTI
    return OK


@command(
    "EXEC",
    flags="noscript loading stale skip_slowlog",
    since="1.2.0",
    complexity="Depends on commands in the transaction",
)
def exec_(ctx: Context) -> object:
    """Executes all commands in a transaction."""
    if not ctx.session.in_multi:
        raise CommandError(EXEC_WITHOUT_MULTI)
    return ctx.engine.execute_queue(ctx.session)


@command(
    "DISCARD",
    flags="noscript loading stale fast allow_busy",
    since="2.0.0",
    complexity="O(N), when N is the number of queued commands",
)
def discard(ctx: Context) -> object:
    """Discards a transaction."""
    if not ctx.session.in_multi:
        raise CommandError(DISCARD_WITHOUT_MULTI)
    ctx.engine.discard(ctx.session)
    return OK


@command(
    "WATCH key [key ...]",
    flags="noscript loading stale fast allow_busy",
    keys="RO",
    since="2.2.0",
    complexity="O(1) for every key.",
)
def watch(ctx: Context, *keys: bytes) -> object:
    """Monitors changes to keys to determine the execution of a transaction."""
    if ctx.session.in_multi:
        raise CommandError(WATCH_IN_MULTI)
    for key in keys:
        ctx.engine.watch(ctx.session, key)
    return OK


@command("UNWATCH", flags="noscript loading stale fast allow_busy", since="2.2.0", complexity="O(1)")
def unwatch(ctx: Context) -> object:
    """Forgets about watched keys of a transaction."""
    ctx.engine.unwatch(ctx.session)
    return OK
