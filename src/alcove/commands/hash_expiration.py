"""The hash commands about when fields expire, and those that read or write fields and their deadlines in one step.

Options and the list of fields, which `FIELDS numfields` opens, may come in any order, as on the real server since
8.4. Deadlines are recorded as absolute times, and what a deadline in the past removes as HDEL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alcove.commands.expiration import condition_holds
from alcove.engine import events
from alcove.engine.arguments import DEADLINE_WORDS, Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    FIELD_EXPIRE_MISSING,
    FIELD_EXPIRE_NEGATIVE,
    FIELDS_MISMATCH,
    FIELDS_MISSING,
    FIELDS_POSITION,
    FIELDS_TOO_FEW,
    FIELDS_TOO_SHORT,
    FIELDS_TWICE,
    NUMFIELDS_OF_EXPIRE,
    NUMFIELDS_OF_SET,
    NUMFIELDS_OF_TTL,
    ONE_CONDITION,
    ONE_DEADLINE_OF_GET,
    ONE_DEADLINE_OF_SET,
    SEVERAL_CONDITIONS,
    CommandError,
    invalid_expire,
    unknown_argument,
)
from alcove.numeric import INT64_MAX, parse_bounded, parse_int
from alcove.types.hash import Hash

GROUP = "hash"

# The latest deadline of a field, in Unix milliseconds: the year 4199.
LATEST_MS: Final = 2**46 - 1

# What the commands answer for each field.
NO_FIELD: Final = -2
NO_DEADLINE: Final = -1
UNCHANGED: Final = 0
DONE: Final = 1
REMOVED: Final = 2

CONDITIONS: Final = frozenset((b"NX", b"XX", b"GT", b"LT"))
COMPLEXITY: Final = "O(N) where N is the number of specified fields"


# Setting deadlines


@command(
    "HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    flags="write denyoom fast",
    since="7.4.0",
    complexity=COMPLEXITY,
)
def hexpire(ctx: Context, key: bytes, seconds: bytes, *rest: bytes) -> list[int]:
    """Set expiry for hash field using relative time to expire (seconds)"""
    return set_deadlines(ctx, key, seconds, rest, "hexpire", in_seconds=True, is_absolute=False)


@command(
    "HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    flags="write denyoom fast",
    since="7.4.0",
    complexity=COMPLEXITY,
)
def hpexpire(ctx: Context, key: bytes, milliseconds: bytes, *rest: bytes) -> list[int]:
    """Set expiry for hash field using relative time to expire (milliseconds)"""
    return set_deadlines(ctx, key, milliseconds, rest, "hpexpire", in_seconds=False, is_absolute=False)


@command(
    "HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    flags="write denyoom fast",
    since="7.4.0",
    complexity=COMPLEXITY,
)
def hexpireat(ctx: Context, key: bytes, unix_time_seconds: bytes, *rest: bytes) -> list[int]:
    """Set expiry for hash field using an absolute Unix timestamp (seconds)"""
    return set_deadlines(ctx, key, unix_time_seconds, rest, "hexpireat", in_seconds=True, is_absolute=True)


@command(
    "HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    flags="write denyoom fast",
    since="7.4.0",
    complexity=COMPLEXITY,
)
def hpexpireat(ctx: Context, key: bytes, unix_time_milliseconds: bytes, *rest: bytes) -> list[int]:
    """Set expiry for hash field using an absolute Unix timestamp (milliseconds)"""
    return set_deadlines(ctx, key, unix_time_milliseconds, rest, "hpexpireat", in_seconds=False, is_absolute=True)


def set_deadlines(
    ctx: Context, key: bytes, amount: bytes, rest: Sequence[bytes], name: str, *, in_seconds: bool, is_absolute: bool
) -> list[int]:
    """The four commands in one."""
    value: Hash | None = ctx.keys.edit(key, Hash)
    when_ms = deadline_ms(amount, ctx.now_ms, name, in_seconds=in_seconds, is_absolute=is_absolute)
    conditions, fields = expire_options(Arguments(rest))
    if value is None:
        return [NO_FIELD] * len(fields)
    replies = [move_deadline(value, field, when_ms, ctx.now_ms, conditions) for field in fields]
    tell_moved(ctx, key, value, [field for field, reply in zip(fields, replies, strict=True) if reply > 0], when_ms)
    return replies


def deadline_ms(amount: bytes, now_ms: int, name: str, *, in_seconds: bool, is_absolute: bool) -> int:
    """A time in any of the four units as Unix time in milliseconds."""
    number = parse_int(amount)
    if number < 0:
        raise CommandError(FIELD_EXPIRE_NEGATIVE)
    when_ms = number * (1000 if in_seconds else 1) + (0 if is_absolute else now_ms)
    if when_ms > LATEST_MS:
        raise CommandError(invalid_expire(name))
    return when_ms


def expire_options(arguments: Arguments) -> tuple[frozenset[bytes], Sequence[bytes]]:
    """The condition, if any, and the fields of HEXPIRE and its kin."""
    conditions: set[bytes] = set()
    fields: Sequence[bytes] = ()
    while arguments:
        word = arguments.take()
        option = word.upper()
        if option == b"FIELDS":
            fields = listed_fields(arguments, fields, 1, NUMFIELDS_OF_EXPIRE)
        elif option in CONDITIONS:
            conditions.add(option)
        else:
            raise CommandError(unknown_argument(word))
    if not fields:
        raise CommandError(FIELDS_MISSING)
    if len(conditions) > 1:
        raise CommandError(SEVERAL_CONDITIONS)
    return frozenset(conditions), fields


def listed_fields(arguments: Arguments, before: Sequence[bytes], width: int, error: str) -> Sequence[bytes]:
    """What follows the word FIELDS: a number, and so many times `width` words. It may come once."""
    if before:
        raise CommandError(FIELDS_TWICE)
    if len(arguments) < 2:
        raise CommandError(FIELDS_TOO_SHORT)
    number = parse_bounded(arguments.take(), 1, 2**31 - 1, error)
    if number * width > len(arguments):
        raise CommandError(FIELDS_TOO_FEW)
    return [arguments.take() for _ in range(number * width)]


def move_deadline(
    value: Hash, field: bytes, when_ms: int, now_ms: int, conditions: frozenset[bytes] = frozenset()
) -> int:
    """Gives a field a deadline, or removes it if that has passed; what HEXPIRE answers for it."""
    if not value.contains(field):
        return NO_FIELD
    if conditions and not condition_holds(conditions, value.deadline(field), when_ms):
        return UNCHANGED
    if when_ms <= now_ms:
        value.remove(field)
        return REMOVED
    value.set_deadline(field, when_ms)
    return DONE


def tell_moved(ctx: Context, key: bytes, value: Hash, fields: Sequence[bytes], when_ms: int) -> None:
    """Ends a command that gave these fields a deadline, or removed them because it has passed."""
    if not fields:
        return
    ctx.keys.set_field_deadline(key, value.next_deadline)
    if when_ms > ctx.now_ms:
        ctx.keys.changed(key, events.HASH, b"hexpire", len(fields))
        ctx.record(b"HPEXPIREAT", key, b"%d" % when_ms, b"FIELDS", b"%d" % len(fields), *fields)
    else:
        ctx.keys.changed(key, events.HASH, b"hdel", len(fields))
        ctx.record(b"HDEL", key, *fields)


@command("HPERSIST key FIELDS numfields field [field ...]", flags="write fast", since="7.4.0", complexity=COMPLEXITY)
def hpersist(ctx: Context, key: bytes, *rest: bytes) -> list[int]:
    """Removes the expiration time for each specified field"""
    value: Hash | None = ctx.keys.edit(key, Hash)
    fields = fields_alone(rest)
    if value is None:
        return [NO_FIELD] * len(fields)
    replies = []
    for field in fields:
        if not value.contains(field):
            replies.append(NO_FIELD)
        elif not value.deadline(field):
            replies.append(NO_DEADLINE)
        else:
            value.set_deadline(field, 0)
            replies.append(DONE)
    tell_persisted(ctx, key, value, [field for field, reply in zip(fields, replies, strict=True) if reply == DONE])
    return replies


def tell_persisted(ctx: Context, key: bytes, value: Hash, fields: Sequence[bytes]) -> None:
    """Ends a command that took the deadlines of these fields away."""
    if fields:
        ctx.keys.set_field_deadline(key, value.next_deadline)
        ctx.keys.changed(key, events.HASH, b"hpersist", len(fields))
        ctx.record(b"HPERSIST", key, b"FIELDS", b"%d" % len(fields), *fields)


def fields_alone(words: Sequence[bytes]) -> Sequence[bytes]:
    """The fields of a command that takes nothing else: `FIELDS numfields field [field ...]`."""
    if words[0].upper() != b"FIELDS":
        raise CommandError(FIELDS_POSITION)
    number = parse_bounded(words[1], 1, INT64_MAX, NUMFIELDS_OF_TTL)
    if number != len(words) - 2:
        raise CommandError(FIELDS_MISMATCH)
    return words[2:]


# Asking for deadlines


@command(
    "HTTL key FIELDS numfields field [field ...]",
    flags="readonly fast",
    since="7.4.0",
    complexity=COMPLEXITY,
    tips="nondeterministic_output",
)
def httl(ctx: Context, key: bytes, *rest: bytes) -> list[int]:
    """Returns the TTL in seconds of a hash field."""
    return [rounded_up(left) for left in remaining(ctx, key, rest)]


@command(
    "HPTTL key FIELDS numfields field [field ...]",
    flags="readonly fast",
    since="7.4.0",
    complexity=COMPLEXITY,
    tips="nondeterministic_output",
)
def hpttl(ctx: Context, key: bytes, *rest: bytes) -> list[int]:
    """Returns the TTL in milliseconds of a hash field."""
    return remaining(ctx, key, rest)


@command(
    "HEXPIRETIME key FIELDS numfields field [field ...]", flags="readonly fast", since="7.4.0", complexity=COMPLEXITY
)
def hexpiretime(ctx: Context, key: bytes, *rest: bytes) -> list[int]:
    """Returns the expiration time of a hash field as a Unix timestamp, in seconds."""
    return [rounded_up(moment) for moment in moments(ctx, key, rest)]


@command(
    "HPEXPIRETIME key FIELDS numfields field [field ...]", flags="readonly fast", since="7.4.0", complexity=COMPLEXITY
)
def hpexpiretime(ctx: Context, key: bytes, *rest: bytes) -> list[int]:
    """Returns the expiration time of a hash field as a Unix timestamp, in msec."""
    return moments(ctx, key, rest)


def moments(ctx: Context, key: bytes, words: Sequence[bytes]) -> list[int]:
    """When each field expires, in Unix milliseconds, or why not."""
    value: Hash | None = ctx.keys.read(key, Hash)
    fields = fields_alone(words)
    if value is None:
        return [NO_FIELD] * len(fields)
    return [(value.deadline(field) or NO_DEADLINE) if value.contains(field) else NO_FIELD for field in fields]


def remaining(ctx: Context, key: bytes, words: Sequence[bytes]) -> list[int]:
    """How long each field has still to go, in milliseconds, or why not."""
    return [moment - ctx.now_ms if moment > 0 else moment for moment in moments(ctx, key, words)]


def rounded_up(time_ms: int) -> int:
    """Milliseconds as seconds; an answer below zero stays what it is."""
    return time_ms if time_ms < 0 else (time_ms + 999) // 1000


# Values and deadlines in one step


@dataclass(slots=True)
class FieldOptions:
    """What HGETEX and HSETEX take: fields (for HSETEX each with its value), a deadline, a condition."""

    items: Sequence[bytes] = ()
    deadline: bytes = b""
    amount: bytes = b""
    condition: bytes = b""

    def when_ms(self, now_ms: int, name: str) -> int:
        """The deadline as Unix time in milliseconds, 0 if there is none."""
        if self.deadline not in DEADLINE_WORDS:
            return 0
        is_absolute = self.deadline.endswith(b"AT")
        return deadline_ms(
            self.amount, now_ms, name, in_seconds=self.deadline.startswith(b"EX"), is_absolute=is_absolute
        )


def field_options(arguments: Arguments, is_set: bool) -> FieldOptions:
    """The options of HSETEX, or else of HGETEX."""
    options = FieldOptions()
    while arguments:
        word = arguments.take()
        option = word.upper()
        if option == b"FIELDS":
            options.items = listed_fields(arguments, options.items, 2 if is_set else 1, NUMFIELDS_OF_SET)
        elif option in DEADLINE_WORDS or option == (b"KEEPTTL" if is_set else b"PERSIST"):
            if options.deadline:
                raise CommandError(ONE_DEADLINE_OF_SET if is_set else ONE_DEADLINE_OF_GET)
            options.deadline = option
            if option in DEADLINE_WORDS:
                if not arguments:
                    raise CommandError(FIELD_EXPIRE_MISSING)
                options.amount = arguments.take()
        elif is_set and option in (b"FNX", b"FXX"):
            if options.condition:
                raise CommandError(ONE_CONDITION)
            options.condition = option
        else:
            raise CommandError(unknown_argument(word))
    if not options.items:
        raise CommandError(FIELDS_MISSING)
    return options


@command(
    "HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] "
    "FIELDS numfields field [field ...]",
    flags="write fast",
    keys="RW access update",
    since="8.0.0",
    complexity=COMPLEXITY,
)
def hgetex(ctx: Context, key: bytes, *rest: bytes) -> list[bytes | None]:
    """Get the value of one or more fields of a given hash key, and optionally set their expiration."""
    value: Hash | None = ctx.keys.edit(key, Hash)
    options = field_options(Arguments(rest), is_set=False)
    when_ms = options.when_ms(ctx.now_ms, "hgetex")
    if value is None:
        return [None] * len(options.items)
    found = [value.get(field) for field in options.items]
    if options.deadline == b"PERSIST":
        persisted = [field for field in dict.fromkeys(options.items) if value.deadline(field)]
        for field in persisted:
            value.set_deadline(field, 0)
        tell_persisted(ctx, key, value, persisted)
    elif options.deadline:
        fields = dict.fromkeys(options.items)
        moved = [field for field in fields if move_deadline(value, field, when_ms, ctx.now_ms) > 0]
        tell_moved(ctx, key, value, moved, when_ms)
    return found


@command(
    "HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | "
    "KEEPTTL] FIELDS numfields field value [field value ...]",
    flags="write denyoom fast",
    since="8.0.0",
    complexity="O(N) where N is the number of fields being set.",
)
def hsetex(ctx: Context, key: bytes, *rest: bytes) -> int:
    """Set the value of one or more fields of a given hash key, and optionally set their expiration."""
    present: Hash | None = ctx.keys.edit(key, Hash)
    options = field_options(Arguments(rest), is_set=True)
    when_ms = options.when_ms(ctx.now_ms, "hsetex")
    pairs = options.items
    if options.condition:
        wanted = options.condition == b"FXX"
        if any((present is not None and present.contains(field)) != wanted for field in pairs[::2]):
            return 0
    value: Hash = ctx.keys.edit_or_create(key, Hash)
    value.expect(len(pairs) // 2)
    for place in range(0, len(pairs), 2):
        value.set(pairs[place], pairs[place + 1], options.deadline == b"KEEPTTL")
    has_deadline = options.deadline in DEADLINE_WORDS
    if has_deadline and when_ms <= ctx.now_ms:
        ctx.keys.changed(key, events.HASH, b"hset", len(pairs) // 2)
        fields = list(dict.fromkeys(pairs[::2]))
        for field in fields:
            value.remove(field)
        tell_moved(ctx, key, value, fields, when_ms)
        return 1
    if has_deadline:
        for field in pairs[::2]:
            value.set_deadline(field, when_ms)
        ctx.keys.set_field_deadline(key, value.next_deadline)
    ctx.keys.changed(key, events.HASH, b"hset", len(pairs) // 2)
    if has_deadline:
        ctx.keys.notify(events.HASH, b"hexpire", key)
    words = [b"PXAT", b"%d" % when_ms] if has_deadline else [options.deadline] if options.deadline else []
    ctx.record(b"HSETEX", key, *words, b"FIELDS", b"%d" % (len(pairs) // 2), *pairs)
    return 1


@command(
    "HGETDEL key FIELDS numfields field [field ...]",
    flags="write fast",
    keys="RW access delete",
    since="8.0.0",
    complexity=COMPLEXITY,
)
def hgetdel(ctx: Context, key: bytes, *rest: bytes) -> list[bytes | None]:
    """Returns the value of a field and deletes it from the hash."""
    value: Hash | None = ctx.keys.edit(key, Hash)
    fields = fields_alone(rest)
    if value is None:
        return [None] * len(fields)
    found: list[bytes | None] = []
    removed = []
    for field in fields:
        found.append(value.get(field))
        if value.remove(field):
            removed.append(field)
    if removed:
        ctx.keys.changed(key, events.HASH, b"hdel", len(removed))
        ctx.record(b"HDEL", key, *removed)
    return found
