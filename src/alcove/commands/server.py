"""The server commands: the databases as a whole, the configuration, the clock, and the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from alcove.engine.arguments import Arguments
from alcove.engine.conf_file import rewrite
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.digest import contents_digest, value_digest
from alcove.engine.glob import matches
from alcove.engine.keyspace import Database
from alcove.engine.services import GATE_BUSY, GATE_LOADING
from alcove.errors import (
    DEBUG_REFUSED,
    FIRST_DB_INDEX,
    NO_CONFIG_FILE,
    NO_SHUTDOWN,
    PROTOCOL_KINDS,
    SECOND_DB_INDEX,
    SHUTDOWN_FAILED,
    SYNTAX,
    CommandError,
    rewrite_failed,
    unknown_subcommand,
)
from alcove.numeric import parse_float, parse_int
from alcove.values import NO_REPLY, OK, BigNumber, Members, Push, Status, Verbatim

log = logging.getLogger(__name__)


@command(
    "DBSIZE",
    flags="readonly fast",
    acl="+keyspace",
    since="1.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:agg_sum",
)
def dbsize(ctx: Context) -> int:
    """Returns the number of keys in the database."""
    return len(ctx.keys)


@command(
    "FLUSHDB [ASYNC | SYNC]",
    flags="write",
    acl="+keyspace +dangerous",
    since="1.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def flushdb(ctx: Context, *mode: bytes) -> object:
    """Removes all keys from the current database."""
    return flush(ctx, mode, [ctx.keys])


@command(
    "FLUSHALL [ASYNC | SYNC]",
    flags="write",
    acl="+keyspace +dangerous",
    since="1.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def flushall(ctx: Context, *mode: bytes) -> object:
    """Removes all keys from all databases."""
    return flush(ctx, mode, ctx.keys.space.databases)


def flush(ctx: Context, mode: tuple[bytes, ...], databases: list[Database]) -> object:
    """Empties databases. In both modes the memory is freed in slices, between other commands."""
    if len(mode) > 1 or (mode and mode[0].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)
    removed = sum(database.flush() for database in databases)
    ctx.engine.tracking.flushed()
    ctx.keys.space.dirty += removed + 1
    return OK


@command("SWAPDB index1 index2", flags="write fast", acl="+keyspace +dangerous", since="4.0.0", complexity="O(1)")
def swapdb(ctx: Context, index1: bytes, index2: bytes) -> object:
    """Swaps two Redis databases."""
    numbers = [parse_int(index1, FIRST_DB_INDEX), parse_int(index2, SECOND_DB_INDEX)]
    first, second = (ctx.database_at(b"%d" % number) for number in numbers)
    if first is not second:
        ctx.keys.space.swap(first, second)
    return OK


@command("TIME", flags="loading stale fast", since="2.6.0", complexity="O(1)", tips="nondeterministic_output")
def time_(ctx: Context) -> list[bytes]:
    """Returns the server time."""
    # In scripts and transactions time stands still.
    now_us = ctx.now_ms * 1000 if ctx.session.executing else ctx.engine.clock.now_us()
    seconds, microseconds = divmod(now_us, 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


# Configuration

container(
    "CONFIG",
    since="2.0.0",
    group="server",
    summary="A container for server configuration commands.",
    help_since="5.0.0",
)

ADMIN = "admin noscript loading stale"
CONFIG_TIPS = "request_policy:all_nodes response_policy:all_succeeded"

DEBUG_SLEEP_SLICE_SECONDS = 0.1


@command("CONFIG GET parameter [parameter ...]", flags=ADMIN, since="2.0.0", complexity="O(N)")
def config_get(ctx: Context, *parameters: bytes) -> dict[bytes, bytes]:
    """Returns the effective values of configuration parameters."""
    return ctx.config.matching(parameters)


@command(
    "CONFIG SET parameter value [parameter value ...]",
    flags=ADMIN,
    since="2.0.0",
    complexity="O(N)",
    tips=CONFIG_TIPS,
)
def config_set(ctx: Context, *pairs: bytes) -> object:
    """Sets configuration parameters in-flight."""
    if len(pairs) % 2:
        raise CommandError(SYNTAX)
    loading = ctx.engine.gate & GATE_LOADING != 0
    ctx.config.set(zip(pairs[::2], pairs[1::2], strict=True), local=is_local(ctx), loading=loading)
    return OK


@command(
    "CONFIG REWRITE",
    flags=ADMIN,
    since="2.8.0",
    complexity="O(1)",
    tips=CONFIG_TIPS,
)
def config_rewrite(ctx: Context) -> object:
    """Persists the effective configuration to file."""
    if ctx.config.file is None:
        raise CommandError(NO_CONFIG_FILE)
    try:
        rewrite(ctx.config)
    except OSError as error:
        raise CommandError(rewrite_failed(error.strerror or str(error))) from None
    return OK


@command(
    "CONFIG RESETSTAT",
    flags=ADMIN,
    since="2.0.0",
    complexity="O(1)",
    tips=CONFIG_TIPS,
)
def config_resetstat(ctx: Context) -> object:
    """Resets the server's statistics."""
    ctx.engine.reset_statistics()
    return OK


def is_local(ctx: Context) -> bool:
    """Whether a session comes from this machine."""
    session = ctx.session
    return session.kind != "tcp" or session.address.startswith(("127.", "[::1]"))


# The end


@command(
    "SHUTDOWN [[NOSAVE | SAVE] [NOW] [FORCE] | ABORT]",
    flags="admin noscript loading stale no_multi allow_busy",
    since="1.0.0",
    complexity="O(N) when saving, where N is the total number of keys in all databases",
)
def shutdown(ctx: Context, *options: bytes) -> object:
    """Synchronously saves the database(s) to disk and shuts down the Redis server."""
    words = {option.upper() for option in options}
    if words - {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"} or words >= {b"SAVE", b"NOSAVE"}:
        raise CommandError(SYNTAX)
    if b"ABORT" in words and len(words) > 1:
        raise CommandError(SYNTAX)
    if ctx.engine.on_shutdown is None or b"ABORT" in words:
        raise CommandError(SHUTDOWN_FAILED if b"ABORT" not in words else NO_SHUTDOWN)
    if ctx.engine.gate & GATE_BUSY and b"NOSAVE" not in words:
        raise CommandError(ctx.engine.scripting.busy())
    save = b"SAVE" in words if words & {b"SAVE", b"NOSAVE"} else None
    ctx.engine.on_shutdown(save, b"FORCE" in words)
    return NO_REPLY


# For tests


@command(
    "DEBUG subcommand [argument [argument ...]]",
    flags=ADMIN,
    since="1.0.0",
    complexity="Depends on subcommand.",
)
def debug(ctx: Context, subcommand: bytes, *arguments: bytes) -> object:
    """A container for debugging commands."""
    permission = ctx.config.enable_debug_command
    if permission == "no" or (permission == "local" and not is_local(ctx)):
        raise CommandError(DEBUG_REFUSED)
    handler = DEBUG_HANDLERS.get(subcommand.upper())
    if handler is None:
        raise CommandError(unknown_subcommand("debug", subcommand))
    return handler(ctx, Arguments(arguments))


def debug_sleep(ctx: Context, arguments: Arguments) -> object:
    """Stalls the whole engine, as a slow command would."""
    end = time.monotonic() + parse_float(arguments.take())
    while (left := end - time.monotonic()) > 0:
        # A signal that came just before the call does not end it: its handler runs after it.
        time.sleep(min(left, DEBUG_SLEEP_SLICE_SECONDS))
    return OK


def debug_set_active_expire(ctx: Context, arguments: Arguments) -> object:
    """Whether keys expire by themselves, or only when looked at."""
    ctx.engine.active_expire = parse_int(arguments.take()) != 0
    ctx.keys.space.sooner = True
    return OK


def debug_error(ctx: Context, arguments: Arguments) -> object:
    raise CommandError(arguments.take().decode("utf-8", "surrogateescape"))


def debug_populate(ctx: Context, arguments: Arguments) -> object:
    """Adds `count` keys `prefix:number` with values of `size` bytes, where they do not exist yet."""
    count = parse_int(arguments.take())
    prefix = arguments.take() if arguments else b"key"
    size = parse_int(arguments.take()) if arguments else 0
    for number in range(count):
        key = b"%s:%d" % (prefix, number)
        if ctx.keys.find(key) is None:
            value = b"value:%d" % number
            ctx.keys.put(key, value[:size].ljust(size, b"\0") if size else value, 0, b"")
    return OK


def debug_stringmatch_len(ctx: Context, arguments: Arguments) -> object:
    """How a pattern fares against a long run of one byte; for tests of the matcher's time."""
    size = parse_int(arguments.take())
    return int(matches(arguments.take(), b"a" * size))


def debug_protocol(ctx: Context, arguments: Arguments) -> object:
    """A reply of each kind, for clients' tests of their parsers."""
    kinds: dict[bytes, object] = {
        b"STRING": b"Hello World",
        b"INTEGER": 12345,
        b"DOUBLE": 3.141,
        b"NULL": None,
        b"ARRAY": [0, 1, 2],
        b"SET": Members([0, 1, 2]),
        b"MAP": {0: False, 1: True, 2: False},
        b"BIGNUM": BigNumber(b"1234567999999999999999999999999999999"),
        b"TRUE": True,
        b"FALSE": False,
        b"VERBATIM": Verbatim(b"This is a verbatim\nstring"),
        b"PUSH": Push([b"server-cpu-usage", 42]),
    }
    kind = arguments.word()
    if kind not in kinds:
        raise CommandError(PROTOCOL_KINDS)
    if kind == b"PUSH":
        ctx.session.push(kinds[kind])
        return NO_REPLY
    return kinds[kind]


def debug_log(ctx: Context, arguments: Arguments) -> object:
    log.warning("DEBUG LOG: %s", arguments.take().decode("utf-8", "backslashreplace"))
    return OK


def debug_digest(ctx: Context, arguments: Arguments) -> object:
    """One digest of all databases: two engines with the same contents have the same."""
    return Status(contents_digest(ctx.engine.space.databases))


def debug_digest_value(ctx: Context, arguments: Arguments) -> object:
    """The digest of each key's value; zeros where there is none."""
    found = []
    while arguments:
        entry = ctx.keys.find(arguments.take())
        found.append(Status(b"0" * 40 if entry is None else value_digest(entry).hex().encode()))
    return found


DEBUG_HANDLERS: dict[bytes, Callable[[Context, Arguments], object]] = {
    b"SLEEP": debug_sleep,
    b"SET-ACTIVE-EXPIRE": debug_set_active_expire,
    b"ERROR": debug_error,
    b"POPULATE": debug_populate,
    b"STRINGMATCH-LEN": debug_stringmatch_len,
    b"PROTOCOL": debug_protocol,
    b"LOG": debug_log,
    b"DIGEST": debug_digest,
    b"DIGEST-VALUE": debug_digest_value,
}
