"""The HyperLogLog commands: estimates of how many different elements were seen, kept as string values."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from alcove.commands.string import own_buffer
from alcove.engine import events
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    CORRUPT_HYPERLOGLOG,
    NO_SPECIFIED_KEY,
    NOT_A_HYPERLOGLOG,
    NOT_SPARSE,
    CommandError,
    unknown_pfdebug_subcommand,
)
from alcove.types import hyperloglog
from alcove.types import hyperloglog_registers as registers
from alcove.values import OK, Status


def checked(value: bytes | bytearray) -> bytes | bytearray:
    """A string that is a HyperLogLog, by its header at least."""
    if not hyperloglog.is_valid(value):
        raise CommandError(NOT_A_HYPERLOGLOG)
    return value


@command(
    "PFADD key [element [element ...]]",
    flags="write denyoom fast",
    keys="RW insert",
    since="2.8.9",
    complexity="O(1) to add every element.",
)
def pfadd(ctx: Context, key: bytes, *elements: bytes) -> int:
    """Adds elements to a HyperLogLog key. Creates the key if it doesn't exist."""
    value, created = buffer_at(ctx, key)
    limit = ctx.keys.space.limits.hll_sparse_max_bytes
    changes = 1 if created else 0
    try:
        for element in elements:
            if registers.add(value, element, limit):
                changes += 1
    except ValueError:
        raise CommandError(CORRUPT_HYPERLOGLOG) from None
    finally:
        # Also when a corrupt register stopped it: those before have changed.
        if changes:
            hyperloglog.invalidate(value)
            ctx.keys.changed(key, events.STRING, b"pfadd", changes)
    return 1 if changes else 0


@command(
    "PFCOUNT key [key ...]",
    flags="readonly",
    keys="RW access",
    since="2.8.9",
    complexity=(
        "O(1) with a very small average constant time when called with a single key. O(N) with N being the number "
        "of keys, and much bigger constant times, when called with multiple keys."
    ),
)
def pfcount(ctx: Context, *keys: bytes) -> int:
    """Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s)."""
    if len(keys) > 1:
        return hyperloglog.estimate(union(ctx, keys)[0])
    value = ctx.keys.read_string(keys[0])
    if value is None:
        return 0
    buffer = own_buffer(ctx, keys[0], checked(value))
    number = hyperloglog.cached_count(buffer)
    if number >= 0:
        return number
    try:
        number = hyperloglog.count(buffer)
    except ValueError:
        raise CommandError(CORRUPT_HYPERLOGLOG) from None
    # The cache is part of the value, so filling it is a change, if one that causes no event.
    hyperloglog.cache_count(ctx.keys.edit_string(keys[0]), number)
    ctx.keys.changed(keys[0], 0, b"")
    return number


@command(
    "PFMERGE destkey [sourcekey [sourcekey ...]]",
    flags="write denyoom",
    keys=("RW access insert", "RO access"),
    since="2.8.9",
    complexity="O(N) to merge N HyperLogLogs, but with high constant times.",
)
def pfmerge(ctx: Context, destkey: bytes, *sourcekeys: bytes) -> Status:
    """Merges one or more HyperLogLog values into a single key."""
    merged, any_dense = union(ctx, (destkey, *sourcekeys))
    value, _ = buffer_at(ctx, destkey)
    if any_dense:
        hyperloglog.to_dense(value)
    registers.raise_all(value, merged, ctx.keys.space.limits.hll_sparse_max_bytes)
    hyperloglog.invalidate(value)
    ctx.keys.changed(destkey, events.STRING, b"pfadd")
    return OK


def buffer_at(ctx: Context, key: bytes) -> tuple[bytearray, bool]:
    """The HyperLogLog at a key to be edited in place, and whether it had to be created."""
    value = ctx.keys.edit_string(key)
    if value is None:
        created = hyperloglog.create()
        ctx.keys.add(key, created)
        return created, True
    return own_buffer(ctx, key, checked(value)), False


def union(ctx: Context, keys: tuple[bytes, ...]) -> tuple[bytearray, bool]:
    """The highest of each register over all keys, and whether any of them is dense; a missing key adds nothing."""
    highest = bytearray(registers.REGISTERS)
    any_dense = False
    for key in keys:
        value = ctx.keys.read_string(key)
        if value is None:
            continue
        any_dense |= hyperloglog.is_dense(checked(value))
        try:
            registers.merge(highest, value)
        except ValueError:
            raise CommandError(CORRUPT_HYPERLOGLOG) from None
    return highest, any_dense


@command(
    "PFDEBUG subcommand key",
    flags="write denyoom admin",
    keys="RW access",
    since="2.8.9",
    complexity="N/A",
)
def pfdebug(ctx: Context, subcommand: bytes, key: bytes) -> object:
    """Internal commands for debugging HyperLogLog values."""
    stored = ctx.keys.edit_string(key)
    if stored is None:
        raise CommandError(NO_SPECIFIED_KEY)
    value = own_buffer(ctx, key, checked(stored))
    word = subcommand.upper()
    if word == b"ENCODING":
        return Status(b"dense" if hyperloglog.is_dense(value) else b"sparse")
    if word == b"DECODE":
        if hyperloglog.is_dense(value):
            raise CommandError(NOT_SPARSE)
        return hyperloglog.decode(value)
    if word in (b"GETREG", b"TODENSE"):
        converted = make_dense(ctx, key, value)
        return list(hyperloglog.registers_of(value)) if word == b"GETREG" else converted
    raise CommandError(unknown_pfdebug_subcommand(subcommand))


def make_dense(ctx: Context, key: bytes, value: bytearray) -> int:
    """Converts a value in place; 1 if it was sparse. That is recorded, so that replicas hold the same bytes."""
    try:
        converted = hyperloglog.to_dense(value)
    except ValueError:
        raise CommandError(CORRUPT_HYPERLOGLOG) from None
    if converted:
        ctx.keys.noted(key, 0, b"")
    return 1 if converted else 0


# How far the self-test counts, in which steps it yields, and how many standard errors it lets pass.
TEST_ELEMENTS: Final = 100_000
TEST_SLICE: Final = 100
TOLERATED_ERRORS: Final = 4
STANDARD_ERROR: Final = 1.04 / 128  # of sqrt(16384) registers


@command("PFSELFTEST", flags="admin", since="2.8.9", complexity="N/A", sliced=True)
def pfselftest(ctx: Context) -> Generator[None, None, Status]:
    """An internal command for testing HyperLogLog values."""
    yield from check_dense_registers()
    yield from check_counts(ctx.keys.space.limits.hll_sparse_max_bytes)
    return OK


def check_dense_registers() -> Generator[None, None, None]:
    """Every register with every value it can have, its neighbours being different."""
    pattern = bytes(range(64)) * (registers.REGISTERS // 64)
    for shift in range(64):
        expected = pattern[shift:] + pattern[:shift]
        packed = registers.pack(bytearray(expected))
        if hyperloglog.registers_of(b"HYLL" + bytes(12) + packed) != expected:
            raise CommandError("TESTFAILED dense registers do not hold what they were given")
        yield


def check_counts(sparse_max_bytes: int) -> Generator[None, None, None]:
    """The same elements in a sparse and a dense value: equal registers, and a count that is near enough."""
    sparse, dense = hyperloglog.create(), hyperloglog.create()
    hyperloglog.to_dense(dense)
    checkpoint = 10
    for number in range(1, TEST_ELEMENTS + 1):
        element = b"%d" % number
        registers.add(sparse, element, sparse_max_bytes)
        registers.add(dense, element, sparse_max_bytes)
        if number % TEST_SLICE == 0:
            yield
        if number != checkpoint:
            continue
        checkpoint *= 10
        if hyperloglog.registers_of(sparse) != hyperloglog.registers_of(dense):
            raise CommandError("TESTFAILED dense/sparse disagree")
        wrong_by = abs(hyperloglog.count(dense) - number)
        if wrong_by > max(1.0, number * STANDARD_ERROR * TOLERATED_ERRORS):
            raise CommandError(f"TESTFAILED Too big error. card:{number} abserr:{wrong_by}")
