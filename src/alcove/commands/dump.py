"""DUMP and RESTORE: a value as bytes that other servers understand, and back."""

from __future__ import annotations

from alcove.codec.payload import WrongFrame, restore
from alcove.codec.payload import dump as dump_value
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.table import Entry
from alcove.errors import (
    BAD_PAYLOAD,
    BUSY_KEY,
    FREQUENCY_RANGE,
    IDLE_TIME_NEGATIVE,
    SYNTAX,
    TTL_NEGATIVE,
    WRONG_PAYLOAD,
    CommandError,
)
from alcove.numeric import INT64_MAX, format_int, parse_int
from alcove.values import OK, Status

GROUP = "generic"

HIGHEST_FREQUENCY = 255
# `idle_s` and `frequency` when they are not given.
NOT_GIVEN = -1


@command(
    "DUMP key",
    flags="readonly",
    keys="RO access",
    since="2.6.0",
    complexity="O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects "
    "composing the value and M their average size.",
    tips="nondeterministic_output",
)
def dump(ctx: Context, key: bytes) -> bytes | None:
    """Returns a serialized representation of the value stored at a key."""
    entry = ctx.keys.look(key)
    return None if entry is None else dump_value(entry.value, ctx.config.rdb_write_version)


@command(
    "RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    flags="write denyoom",
    keys="OW update",
    acl="+dangerous",
    since="2.6.0",
    complexity="O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the "
    "number of Redis objects composing the value and M their average size.",
    history=(
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ),
)
def restore_(ctx: Context, key: bytes, ttl: bytes, payload: bytes, *options: bytes) -> Status:
    """Creates a key from the serialized representation of a value."""
    given = RestoreOptions(Arguments(options))
    if not given.replace and ctx.keys.find(key) is not None:
        raise CommandError(BUSY_KEY)
    expire_ms = parse_int(ttl)
    if not given.absolute and expire_ms:
        expire_ms = expire_ms + ctx.now_ms if 0 <= expire_ms <= INT64_MAX - ctx.now_ms else -1
    if expire_ms < 0:
        raise CommandError(TTL_NEGATIVE)
    try:
        value = restore(payload, ctx.keys.space.limits)
    except WrongFrame:
        raise CommandError(WRONG_PAYLOAD) from None
    except ValueError:
        raise CommandError(BAD_PAYLOAD) from None
    if expire_ms and expire_ms <= ctx.now_ms:
        if ctx.keys.remove(key):
            ctx.record(b"DEL", key)
        return OK
    given.apply(ctx, ctx.keys.adopt(key, value, expire_ms))
    ctx.keys.notify(events.GENERIC, b"restore", key)
    ctx.keys.space.dirty += 1
    if expire_ms and not given.absolute:
        ctx.record(b"RESTORE", key, format_int(expire_ms), payload, *options, b"ABSTTL")
    return OK


class RestoreOptions:
    """The options of RESTORE. IDLETIME and FREQ exclude one another."""

    def __init__(self, arguments: Arguments) -> None:
        self.replace = False
        self.absolute = False
        self.idle_s = NOT_GIVEN
        self.frequency = NOT_GIVEN
        while arguments:
            word = arguments.word()
            if word == b"REPLACE":
                self.replace = True
            elif word == b"ABSTTL":
                self.absolute = True
            elif word == b"IDLETIME" and arguments and self.frequency == NOT_GIVEN:
                self.idle_s = arguments.integer()
                if self.idle_s < 0:
                    raise CommandError(IDLE_TIME_NEGATIVE)
            elif word == b"FREQ" and arguments and self.idle_s == NOT_GIVEN:
                self.frequency = arguments.integer()
                if not 0 <= self.frequency <= HIGHEST_FREQUENCY:
                    raise CommandError(FREQUENCY_RANGE)
            else:
                raise CommandError(SYNTAX)

    def apply(self, ctx: Context, entry: Entry) -> None:
        """Gives a key the access time or counter, if it is what the eviction policy goes by."""
        space = ctx.keys.space
        if space.lfu and self.frequency != NOT_GIVEN:
            entry.access = space.lfu_access(self.frequency)
        elif not space.lfu and self.idle_s != NOT_GIVEN:
            entry.access = max(ctx.now_ms // 1000 - self.idle_s, 0)
