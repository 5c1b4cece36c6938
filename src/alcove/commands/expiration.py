"""The generic commands about when keys expire."""

from __future__ import annotations

from collections.abc import Sequence

from alcove.engine import events
from alcove.engine.arguments import absolute_ms
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.table import Entry
from alcove.errors import EXPIRE_OPTIONS_GT, EXPIRE_OPTIONS_NX, CommandError, unsupported_option
from alcove.numeric import format_int, parse_int

GROUP = "generic"

# Read by every write: a C integer in the compiled build.
_GENERIC = events.GENERIC

EXPIRE_OPTIONS = frozenset((b"NX", b"XX", b"GT", b"LT", b"GET"))
NO_OPTIONS: frozenset[bytes] = frozenset()
OPTION_HISTORY = (
    ("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."),
    ("alcove 0.1.0", "Added the `GET` option."),
)
NO_KEY = -2
NO_DEADLINE = -1


@command(
    "EXPIRE key seconds [NX | XX | GT | LT] [GET]",
    flags="write fast",
    keys="RW update",
    since="1.0.0",
    complexity="O(1)",
    history=OPTION_HISTORY,
)
def expire(ctx: Context, key: bytes, seconds: bytes, *options: bytes) -> int:
    """Sets the expiration time of a key in seconds."""
    return set_expiry(ctx, key, seconds, options, "expire", in_seconds=True, is_absolute=False)


@command(
    "PEXPIRE key milliseconds [NX | XX | GT | LT] [GET]",
    flags="write fast",
    keys="RW update",
    since="2.6.0",
    complexity="O(1)",
    history=OPTION_HISTORY,
)
def pexpire(ctx: Context, key: bytes, milliseconds: bytes, *options: bytes) -> int:
    """Sets the expiration time of a key in milliseconds."""
    return set_expiry(ctx, key, milliseconds, options, "pexpire", in_seconds=False, is_absolute=False)


@command(
    "EXPIREAT key unix-time-seconds [NX | XX | GT | LT] [GET]",
    flags="write fast",
    keys="RW update",
    since="1.2.0",
    complexity="O(1)",
    history=OPTION_HISTORY,
)
def expireat(ctx: Context, key: bytes, unix_time_seconds: bytes, *options: bytes) -> int:
    """Sets the expiration time of a key to a Unix timestamp."""
    return set_expiry(ctx, key, unix_time_seconds, options, "expireat", in_seconds=True, is_absolute=True)


@command(
    "PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] [GET]",
    flags="write fast",
    keys="RW update",
    since="2.6.0",
    complexity="O(1)",
    history=OPTION_HISTORY,
)
def pexpireat(ctx: Context, key: bytes, unix_time_milliseconds: bytes, *options: bytes) -> int:
    """Sets the expiration time of a key to a Unix milliseconds timestamp."""
    return set_expiry(ctx, key, unix_time_milliseconds, options, "pexpireat", in_seconds=False, is_absolute=True)


def set_expiry(
    ctx: Context,
    key: bytes,
    amount: bytes,
    options: Sequence[bytes],
    name: str,
    *,
    in_seconds: bool,
    is_absolute: bool,
) -> int:
    """The four commands in one: 1 if a deadline was set, else 0; with GET the remaining time there was before."""
    chosen = expire_options(options)
    when_ms = absolute_ms(parse_int(amount), in_seconds, is_absolute, ctx.now_ms, name)
    entry = ctx.keys.find(key)
    if entry is None:
        return NO_KEY if b"GET" in chosen else 0
    ctx.keys.touch(entry)
    if not chosen:
        move_deadline(ctx, entry, when_ms)
        return 1
    before = remaining(entry, ctx.now_ms, in_seconds)
    applies = condition_holds(chosen, entry.expire_ms, when_ms)
    if applies:
        move_deadline(ctx, entry, when_ms)
    return before if b"GET" in chosen else int(applies)


def expire_options(options: Sequence[bytes]) -> frozenset[bytes]:
    """The options, checked against each other as the real server does."""
    if not options:
        return NO_OPTIONS
    chosen = frozenset(option.upper() for option in options)
    for option in options:
        if option.upper() not in EXPIRE_OPTIONS:
            raise CommandError(unsupported_option(option))
    if b"NX" in chosen and chosen & {b"XX", b"GT", b"LT"}:
        raise CommandError(EXPIRE_OPTIONS_NX)
    if chosen >= {b"GT", b"LT"}:
        raise CommandError(EXPIRE_OPTIONS_GT)
    return chosen


def condition_holds(chosen: frozenset[bytes], current_ms: int, when_ms: int) -> bool:
    """Whether NX, XX, GT and LT let a deadline replace the current one; no deadline counts as endless."""
    if b"NX" in chosen and current_ms:
        return False
    if b"XX" in chosen and not current_ms:
        return False
    if b"GT" in chosen and (not current_ms or when_ms <= current_ms):
        return False
    return not (b"LT" in chosen and current_ms and when_ms >= current_ms)


def move_deadline(ctx: Context, entry: Entry, when_ms: int) -> None:
    """Sets a deadline, recorded as an absolute time; one that has passed already removes the key."""
    if when_ms <= ctx.now_ms:
        ctx.keys.remove(entry.key)
        ctx.record(b"DEL", entry.key)
        return
    ctx.keys.set_deadline(entry, when_ms)
    ctx.keys.written(entry, _GENERIC, b"expire", 1)
    if ctx.keys.space.recording:
        ctx.record(b"PEXPIREAT", entry.key, format_int(when_ms))


def remaining(entry: Entry, now_ms: int, in_seconds: bool) -> int:
    """What TTL and PTTL answer for a key that exists."""
    if not entry.expire_ms:
        return NO_DEADLINE
    left_ms = entry.expire_ms - now_ms
    return (left_ms + 500) // 1000 if in_seconds else left_ms


@command("TTL key", flags="readonly fast", since="1.0.0", complexity="O(1)", tips="nondeterministic_output")
def ttl(ctx: Context, key: bytes) -> int:
    """Returns the expiration time in seconds of a key."""
    entry = ctx.keys.look(key, False)
    return NO_KEY if entry is None else remaining(entry, ctx.now_ms, in_seconds=True)


@command("PTTL key", flags="readonly fast", since="2.6.0", complexity="O(1)", tips="nondeterministic_output")
def pttl(ctx: Context, key: bytes) -> int:
    """Returns the expiration time in milliseconds of a key."""
    entry = ctx.keys.look(key, False)
    return NO_KEY if entry is None else remaining(entry, ctx.now_ms, in_seconds=False)


@command("EXPIRETIME key", flags="readonly fast", since="7.0.0", complexity="O(1)")
def expiretime(ctx: Context, key: bytes) -> int:
    """Returns the expiration time of a key as a Unix timestamp."""
    moment = pexpiretime(ctx, key)
    return moment if moment < 0 else (moment + 500) // 1000


@command("PEXPIRETIME key", flags="readonly fast", since="7.0.0", complexity="O(1)")
def pexpiretime(ctx: Context, key: bytes) -> int:
    """Returns the expiration time of a key as a Unix milliseconds timestamp."""
    entry = ctx.keys.look(key, False)
    if entry is None:
        return NO_KEY
    return entry.expire_ms or NO_DEADLINE


@command("PERSIST key", flags="write fast", keys="RW update", since="2.2.0", complexity="O(1)")
def persist(ctx: Context, key: bytes) -> int:
    """Removes the expiration time of a key."""
    entry = ctx.keys.find(key)
    if entry is None:
        return 0
    ctx.keys.touch(entry)
    if not entry.expire_ms:
        return 0
    ctx.keys.set_deadline(entry, 0)
    ctx.keys.written(entry, _GENERIC, b"persist", 1)
    return 1
