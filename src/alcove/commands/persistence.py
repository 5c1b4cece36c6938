"""Commands about the data on disk: snapshots, the append-only file, and waiting until a write is safe."""

from __future__ import annotations

from typing import Final

from alcove.engine.blocking import NOT_READY, Wait
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.services import SYNCED, Persistence
from alcove.errors import (
    NEGATIVE,
    NEITHER_ZERO_NOR_ONE,
    NO_APPEND_ONLY,
    NO_PERSISTENCE,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_INTEGER,
    CommandError,
)
from alcove.numeric import parse_bounded, parse_int
from alcove.values import OK, Status

GROUP: Final = "server"

ADMIN: Final = "admin no_async_loading noscript"


@command("SAVE", flags=f"{ADMIN} no_multi", since="1.0.0", complexity="O(N) where N is the total number of keys")
def save(ctx: Context) -> object:
    """Synchronously saves the database(s) to disk."""
    persistence(ctx).save()
    return OK


@command(
    "BGSAVE [SCHEDULE | CANCEL]",
    flags=ADMIN,
    since="1.0.0",
    complexity="O(1)",
    history=(("3.2.2", "Added the `SCHEDULE` option."),),
)
def bgsave(ctx: Context, *option: bytes) -> object:
    """Asynchronously saves the database(s) to disk."""
    words = [word.upper() for word in option]
    if words not in ([], [b"SCHEDULE"], [b"CANCEL"]):
        raise CommandError(SYNTAX)
    kept = persistence(ctx)
    said = kept.cancel_save() if words == [b"CANCEL"] else kept.begin_save(bool(words), ctx.session.executing)
    return Status(said.encode())


@command("BGREWRITEAOF", flags=ADMIN, since="1.0.0", complexity="O(1)")
def bgrewriteaof(ctx: Context) -> object:
    """Asynchronously rewrites the append-only file to disk."""
    return Status(persistence(ctx).begin_rewrite(ctx.session.executing).encode())


@command(
    "LASTSAVE",
    flags="loading stale fast",
    acl="+admin +dangerous",
    since="1.0.0",
    complexity="O(1)",
    tips="nondeterministic_output",
)
def lastsave(ctx: Context) -> int:
    """Returns the Unix timestamp of the last successful save to disk."""
    return persistence(ctx).last_save_s


def persistence(ctx: Context) -> Persistence:
    kept: Persistence | None = ctx.engine.persistence
    if kept is None:
        raise CommandError(NO_PERSISTENCE)
    return kept


@command(
    "WAIT numreplicas timeout",
    flags="blocking",
    group="generic",
    acl="+connection -keyspace",
    since="3.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:agg_min",
)
def wait(ctx: Context, numreplicas: bytes, timeout: bytes) -> object:
    """Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed."""
    replicas = parse_int(numreplicas)
    longest_us = timeout_us(timeout)
    if replicas <= 0:
        return 0
    return ctx.wait([], longest_us, lambda: NOT_READY, 0)


@command(
    "WAITAOF numlocal numreplicas timeout",
    flags="blocking",
    group="generic",
    acl="+connection -keyspace",
    since="7.2.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:agg_min",
)
def waitaof(ctx: Context, numlocal: bytes, numreplicas: bytes, timeout: bytes) -> object:
    """Blocks until all of the preceding write commands sent by the connection are written to the append-only file of
    the master and/or replicas.
    """
    local = parse_bounded(numlocal, 0, 1, NEITHER_ZERO_NOR_ONE)
    replicas = parse_bounded(numreplicas, 0, 2**31 - 1, NEGATIVE)
    longest_us = timeout_us(timeout)
    kept = ctx.engine.persistence
    position = -1 if kept is None else kept.appended()
    reply = [0, 0]

    def look() -> object:
        """The reply when enough of those asked for have everything."""
        if local and (kept is None or kept.appended() < 0):
            raise CommandError(NO_APPEND_ONLY)
        reply[0] = int(kept is not None and 0 <= position <= kept.synced())
        return reply if reply[0] >= local and not replicas else NOT_READY

    if look() is not NOT_READY or ctx.session.executing or kept is None:
        return reply
    deadline_us = ctx.engine.clock.monotonic_us() + longest_us if longest_us else 0
    return Wait(ctx.session, kept.waiting_room, [SYNCED], deadline_us, look, reply, True)


def timeout_us(timeout: bytes) -> int:
    """A timeout in milliseconds, 0 for ever."""
    milliseconds = parse_int(timeout, TIMEOUT_NOT_INTEGER)
    if milliseconds < 0:
        raise CommandError(TIMEOUT_NEGATIVE)
    return milliseconds * 1000
