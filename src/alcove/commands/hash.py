"""The hash commands: fields with values. What gives fields a deadline stands in hash_expiration.py.

A field whose time has come is gone the moment somebody looks, as keys are: the keyspace sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from alcove.commands.generic import parse_cursor, scan_options
from alcove.commands.set import one_position, parse_count, scan_window, some_positions
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.glob import matches
from alcove.errors import (
    HASH_VALUE_NOT_A_FLOAT,
    HASH_VALUE_NOT_AN_INTEGER,
    INCREMENT_NOT_FINITE,
    NOT_A_FLOAT,
    OUT_OF_RANGE,
    OVERFLOW,
    SYNTAX,
    CommandError,
    wrong_arity,
)
from alcove.numeric import INT64_MAX, INT64_MIN, add_long_double, parse_int, parse_long_double
from alcove.types.hash import Hash
from alcove.values import OK, FlatMap, Pairs

# Read by every write: a C integer in the compiled build.
_HASH = events.HASH


# Reading


@command("HGET key field", flags="readonly fast", since="2.0.0", complexity="O(1)")
def hget(ctx: Context, key: bytes, field: bytes) -> bytes | None:
    """Returns the value of a field in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return None if value is None else value.get(field)


@command(
    "HMGET key field [field ...]",
    flags="readonly fast",
    since="2.0.0",
    complexity="O(N) where N is the number of fields being requested.",
)
def hmget(ctx: Context, key: bytes, *fields: bytes) -> list[bytes | None]:
    """Returns the values of all fields in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return [None] * len(fields) if value is None else value.get_all(fields)


@command(
    "HGETALL key",
    flags="readonly",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    tips="nondeterministic_output_order",
)
def hgetall(ctx: Context, key: bytes) -> FlatMap:
    """Returns all fields and values in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return FlatMap() if value is None else FlatMap(value.items())


@command(
    "HKEYS key",
    flags="readonly",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    tips="nondeterministic_output_order",
)
def hkeys(ctx: Context, key: bytes) -> list[bytes]:
    """Returns all fields in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return [] if value is None else value.fields()


@command(
    "HVALS key",
    flags="readonly",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    tips="nondeterministic_output_order",
)
def hvals(ctx: Context, key: bytes) -> list[bytes]:
    """Returns all values in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return [] if value is None else value.values()


@command("HLEN key", flags="readonly fast", keys="RO", since="2.0.0", complexity="O(1)")
def hlen(ctx: Context, key: bytes) -> int:
    """Returns the number of fields in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return 0 if value is None else len(value)


@command("HEXISTS key field", flags="readonly fast", keys="RO", since="2.0.0", complexity="O(1)")
def hexists(ctx: Context, key: bytes, field: bytes) -> int:
    """Determines whether a field exists in a hash."""
    value: Hash | None = ctx.keys.read(key, Hash)
    return int(value is not None and value.contains(field))


@command("HSTRLEN key field", flags="readonly fast", keys="RO", since="3.2.0", complexity="O(1)")
def hstrlen(ctx: Context, key: bytes, field: bytes) -> int:
    """Returns the length of the value of a field."""
    found = hget(ctx, key, field)
    return 0 if found is None else len(found)


# Writing


@command(
    "HSET key field value [field value ...]",
    flags="write denyoom fast",
    since="2.0.0",
    complexity="O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called "
    "with multiple field/value pairs.",
    history=(("4.0.0", "Accepts multiple `field` and `value` arguments."),),
)
def hset(ctx: Context, key: bytes, *pairs: bytes) -> int:
    """Creates or modifies the value of a field in a hash."""
    if len(pairs) % 2:
        raise CommandError(wrong_arity("hset"))
    value: Hash = ctx.keys.edit_or_create(key, Hash)
    created = value.set_all(pairs)
    ctx.keys.changed(key, _HASH, b"hset", len(pairs) // 2)
    return created


@command(
    "HMSET key field value [field value ...]",
    flags="write denyoom fast",
    since="2.0.0",
    complexity="O(N) where N is the number of fields being set.",
    deprecated=("4.0.0", "`HSET` with multiple field-value pairs"),
)
def hmset(ctx: Context, key: bytes, *pairs: bytes) -> object:
    """Sets the values of multiple fields."""
    if len(pairs) % 2:
        raise CommandError(wrong_arity("hmset"))
    value: Hash = ctx.keys.edit_or_create(key, Hash)
    value.set_all(pairs)
    ctx.keys.changed(key, _HASH, b"hset", len(pairs) // 2)
    return OK


@command("HSETNX key field value", flags="write denyoom fast", keys="RW insert", since="2.0.0", complexity="O(1)")
def hsetnx(ctx: Context, key: bytes, field: bytes, value: bytes) -> int:
    """Sets the value of a field in a hash only when the field doesn't exist."""
    found: Hash = ctx.keys.edit_or_create(key, Hash)
    if found.contains(field):
        return 0
    found.set(field, value)
    ctx.keys.changed(key, _HASH, b"hset")
    return 1


@command(
    "HDEL key field [field ...]",
    flags="write fast",
    keys="RW delete",
    since="2.0.0",
    complexity="O(N) where N is the number of fields to be removed.",
    history=(("2.4.0", "Accepts multiple `field` arguments."),),
)
def hdel(ctx: Context, key: bytes, *fields: bytes) -> int:
    """Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain."""
    value: Hash | None = ctx.keys.edit(key, Hash)
    if value is None:
        return 0
    removed = value.remove_all(fields)
    if removed:
        ctx.keys.changed(key, _HASH, b"hdel", removed)
    return removed


@command(
    "HINCRBY key field increment",
    flags="write denyoom fast",
    keys="RW access update",
    since="2.0.0",
    complexity="O(1)",
)
def hincrby(ctx: Context, key: bytes, field: bytes, increment: bytes) -> int:
    """Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't
    exist.
    """
    amount = parse_int(increment)
    value: Hash = ctx.keys.edit_or_create(key, Hash)
    old = value.get(field)
    total = amount if old is None else parse_int(old, HASH_VALUE_NOT_AN_INTEGER) + amount
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError(OVERFLOW)
    value.set(field, b"%d" % total, True)
    ctx.keys.changed(key, _HASH, b"hincrby")
    return total


@command(
    "HINCRBYFLOAT key field increment",
    flags="write denyoom fast",
    keys="RW access update",
    since="2.6.0",
    complexity="O(1)",
)
def hincrbyfloat(ctx: Context, key: bytes, field: bytes, increment: bytes) -> bytes:
    """Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't
    exist.
    """
    amount = parse_long_double(increment, NOT_A_FLOAT)
    if b"inf" in increment.lower():
        raise CommandError(INCREMENT_NOT_FINITE)
    value: Hash = ctx.keys.edit_or_create(key, Hash)
    old = value.get(field)
    total = add_long_double(parse_long_double(b"0" if old is None else old, HASH_VALUE_NOT_A_FLOAT), amount)
    value.set(field, total, True)
    ctx.keys.changed(key, _HASH, b"hincrbyfloat")
    if value.deadline(field):
        ctx.record(b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, total)
    else:
        ctx.record(b"HSET", key, field, total)
    return total


# By chance and by cursor


@command(
    "HRANDFIELD key [count [WITHVALUES]]",
    flags="readonly",
    since="6.2.0",
    complexity="O(N) where N is the number of fields returned",
    tips="nondeterministic_output",
)
def hrandfield(ctx: Context, key: bytes, *options: bytes) -> object:
    """Returns one or more random fields from a hash."""
    if not options:
        value: Hash | None = ctx.keys.read(key, Hash)
        return None if value is None else value.field_at(one_position(len(value)))
    count = random_count(options)
    value = ctx.keys.read(key, Hash)
    if value is None:
        return []
    positions = some_positions(len(value), count)
    if len(options) == 1:
        return [value.field_at(position) for position in positions]
    return Pairs([(value.field_at(position), value.value_at(position)) for position in positions])


def random_count(options: Sequence[bytes]) -> int:
    """The count of HRANDFIELD, with its WITHVALUES checked."""
    count = parse_count(options[0])
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHVALUES"):
        raise CommandError(SYNTAX)
    if len(options) == 2 and abs(count) > INT64_MAX // 2:
        raise CommandError(OUT_OF_RANGE)
    return count


@command(
    "HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    flags="readonly",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    tips="nondeterministic_output",
)
def hscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> list[object]:
    """Iterates over fields and values of a hash."""
    start = parse_cursor(cursor)
    value: Hash | None = ctx.keys.read(key, Hash)
    if value is None:
        return [b"0", []]
    pattern, count, names_alone = scan_options(Arguments(options), b"NOVALUES")
    left, begin = scan_window(len(value), start, count, value.encoding != b"hashtable")
    found: list[bytes] = []
    for position in range(left, begin):
        field = value.field_at(position)
        if pattern is None or matches(pattern, field):
            found.append(field)
            if not names_alone:
                found.append(value.value_at(position))
    return [b"%d" % left, found]
