"""The bitmap commands: strings as arrays of bits, and of integers of 1 to 64 bits at any place.

Bit 0 is the most significant bit of the first byte, and beyond the end of a string there are zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.commands.string import own_buffer
from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.errors import (
    BIT_NEITHER_0_NOR_1,
    BIT_NOT_AN_INTEGER,
    BIT_OFFSET_NOT_AN_INTEGER,
    FIELDS_READ_ONLY,
    INVALID_FIELD_TYPE,
    INVALID_OVERFLOW,
    NOT_OF_ONE,
    SYNTAX,
    CommandError,
    too_few_sources,
)
from alcove.numeric import parse_bounded, parse_int
from alcove.types import bits

# The operations that weigh the first source against all the others.
OF_TWO_OR_MORE: Final = frozenset((b"DIFF", b"DIFF1", b"ANDOR"))


def bit_offset(ctx: Context, argument: bytes, width: int = 0) -> int:
    """A bit's offset; `#n`, where a width is given, is that of the nth field of this width."""
    counts_fields = width > 0 and argument[:1] == b"#"
    offset = parse_int(argument[1:] if counts_fields else argument, BIT_OFFSET_NOT_AN_INTEGER)
    if counts_fields:
        offset *= width
    if offset < 0 or offset >> 3 >= ctx.config.proto_max_bulk_len:
        raise CommandError(BIT_OFFSET_NOT_AN_INTEGER)
    return offset


def buffer_of_size(ctx: Context, key: bytes, size: int) -> tuple[bytearray, bool]:
    """The string at a key to be edited in place, with at least `size` bytes, and whether it had fewer before."""
    value = ctx.keys.edit_string(key)
    if value is None:
        buffer = bytearray(size)
        ctx.keys.add(key, buffer)
        return buffer, True
    buffer = own_buffer(ctx, key, value)
    if len(buffer) >= size:
        return buffer, False
    bits.grow(buffer, size)
    return buffer, True


# Single bits


@command(
    "SETBIT key offset value",
    flags="write denyoom",
    keys="RW access update",
    since="2.2.0",
    complexity="O(1)",
)
def setbit(ctx: Context, key: bytes, offset: bytes, value: bytes) -> int:
    """Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist."""
    where = bit_offset(ctx, offset)
    bit = parse_bounded(value, 0, 1, BIT_NOT_AN_INTEGER)
    buffer, grown = buffer_of_size(ctx, key, (where >> 3) + 1)
    mask = 0x80 >> (where & 7)
    old = 1 if buffer[where >> 3] & mask else 0
    if old != bit:
        buffer[where >> 3] ^= mask
    if old != bit or grown:
        ctx.keys.changed(key, events.STRING, b"setbit")
    return old


@command("GETBIT key offset", flags="readonly fast", since="2.2.0", complexity="O(1)")
def getbit(ctx: Context, key: bytes, offset: bytes) -> int:
    """Returns a bit value by offset."""
    where = bit_offset(ctx, offset)
    value = ctx.keys.read_string(key)
    if value is None or where >> 3 >= len(value):
        return 0
    return 1 if value[where >> 3] & 0x80 >> (where & 7) else 0


# Many bits


@command(
    "BITCOUNT key [start [end [BYTE | BIT]]]",
    flags="readonly",
    since="2.6.0",
    complexity="O(N)",
    history=(
        ("7.0.0", "Added the `BYTE|BIT` option."),
        ("8.0.0", "`end` made optional; when called without argument the command reports the last BYTE."),
    ),
)
def bitcount(ctx: Context, key: bytes, *bounds: bytes) -> int:
    """Counts the number of set bits (population counting) in a string."""
    start, end, in_bits = bit_range(bounds)
    value = ctx.keys.read_string(key)
    if value is None or end < start < 0:
        return 0
    first, stop = resolved(start, end, in_bits, len(value))
    return bits.count(value, first, stop)


@command(
    "BITPOS key bit [start [end [BYTE | BIT]]]",
    flags="readonly",
    since="2.8.7",
    complexity="O(N)",
    history=(("7.0.0", "Added the `BYTE|BIT` option."),),
)
def bitpos(ctx: Context, key: bytes, bit: bytes, *bounds: bytes) -> int:
    """Finds the first set (1) or clear (0) bit in a string."""
    wanted = parse_int(bit)
    if wanted not in (0, 1):
        raise CommandError(BIT_NEITHER_0_NOR_1)
    start, end, in_bits = bit_range(bounds)
    value = ctx.keys.read_string(key)
    if value is None:
        return -1 if wanted else 0
    first, stop = resolved(start, end, in_bits, len(value))
    where = bits.position(value, wanted, first, stop)
    if where < 0 and wanted == 0 and len(bounds) < 2 and first < stop:
        # Without an end the zeros behind the string count too.
        return stop
    return where


def bit_range(bounds: Sequence[bytes]) -> tuple[int, int, bool]:
    """The range that `[start [end [BYTE | BIT]]]` says, both ends included, and whether it counts bits."""
    if len(bounds) > 3:
        raise CommandError(SYNTAX)
    start = parse_int(bounds[0]) if bounds else 0
    unit = bounds[2].upper() if len(bounds) > 2 else b"BYTE"
    if unit not in (b"BYTE", b"BIT"):
        raise CommandError(SYNTAX)
    end = parse_int(bounds[1]) if len(bounds) > 1 else -1
    return start, end, unit == b"BIT"


def resolved(start: int, end: int, in_bits: bool, size: int) -> tuple[int, int]:
    """The bits that a range means in a string of `size` bytes, half open; negative ends count from behind."""
    length = size * 8 if in_bits else size
    first = max(start + length, 0) if start < 0 else min(start, length)
    last = max(end + length, 0) if end < 0 else end
    stop = min(last + 1, length)
    return (first, stop) if in_bits else (first * 8, stop * 8)


@command(
    "BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    flags="write denyoom",
    since="2.6.0",
    complexity="O(N)",
    history=(("8.2.0", "Added the `DIFF`, `DIFF1`, `ANDOR` and `ONE` operations."),),
)
def bitop(ctx: Context, operation: bytes, destkey: bytes, *keys: bytes) -> int:
    """Performs bitwise operations on multiple strings, and stores the result."""
    operation = operation.upper()
    if operation not in bits.OPERATIONS:
        raise CommandError(SYNTAX)
    if operation == b"NOT" and len(keys) > 1:
        raise CommandError(NOT_OF_ONE)
    if operation in OF_TWO_OR_MORE and len(keys) < 2:
        raise CommandError(too_few_sources(operation))
    values = [ctx.keys.read_string(key) for key in keys]
    result = bits.combine(operation, [b"" if value is None else value for value in values])
    if result:
        ctx.keys.put(destkey, result, events.STRING, b"set")
    else:
        ctx.keys.remove(destkey)
    return len(result)


# Integers


class FieldStep:
    """One step of BITFIELD: GET, SET or INCRBY on the integer of a type at an offset."""

    def __init__(self, word: bytes, signed: bool, width: int, offset: int, operand: int, overflow: bytes) -> None:
        self.word = word
        self.signed = signed
        self.width = width
        self.offset = offset
        self.operand = operand
        self.overflow = overflow


@command(
    "BITFIELD key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
    "<SET encoding offset value | INCRBY encoding offset increment>> "
    "[<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
    "<SET encoding offset value | INCRBY encoding offset increment>> ...]]",
    flags="write denyoom",
    keys="RW access update variable_flags",
    since="3.2.0",
    complexity="O(1) for each subcommand specified",
)
def bitfield(ctx: Context, key: bytes, *operations: bytes) -> list[int | None]:
    """Performs arbitrary bitfield integer operations on strings."""
    steps = field_steps(ctx, operations)
    step: FieldStep
    size = 0
    for step in steps:
        if step.word != b"GET":
            size = max(size, (step.offset + step.width + 7) >> 3)
    if size == 0:
        return read_fields(ctx, key, steps)
    buffer, grown = buffer_of_size(ctx, key, size)
    replies: list[int | None] = []
    changes = 0
    for step in steps:
        old = bits.read_field(buffer, step.offset, step.width, step.signed)
        if step.word == b"GET":
            replies.append(old)
            continue
        new = fit(operand_of(step, old), step.width, step.signed, step.overflow)
        if new is None:
            replies.append(None)
            continue
        bits.write_field(buffer, step.offset, step.width, new)
        replies.append(old if step.word == b"SET" else new)
        changes += new != old or grown
    if changes:
        ctx.keys.changed(key, events.STRING, b"setbit", changes)
    elif grown:
        # The zeros stay although every step failed. The real server tells nobody; here they are recorded.
        ctx.keys.changed(key, 0, b"")
    return replies


@command(
    "BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]",
    flags="readonly fast",
    since="6.0.0",
    complexity="O(1) for each subcommand specified",
)
def bitfield_ro(ctx: Context, key: bytes, *operations: bytes) -> list[int | None]:
    """Performs arbitrary read-only bitfield integer operations on strings."""
    steps = field_steps(ctx, operations)
    if any(step.word != b"GET" for step in steps):
        raise CommandError(FIELDS_READ_ONLY)
    return read_fields(ctx, key, steps)


def field_steps(ctx: Context, options: Sequence[bytes]) -> list[FieldStep]:
    arguments = Arguments(options)
    steps: list[FieldStep] = []
    overflow = b"WRAP"
    while arguments:
        word = arguments.word()
        if word == b"OVERFLOW":
            overflow = arguments.word()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise CommandError(INVALID_OVERFLOW)
            continue
        if word not in (b"GET", b"SET", b"INCRBY") or len(arguments) < (2 if word == b"GET" else 3):
            raise CommandError(SYNTAX)
        kind = arguments.take()
        signed = kind[:1] == b"i"
        width = field_width(kind)
        offset = bit_offset(ctx, arguments.take(), width)
        operand = 0 if word == b"GET" else arguments.integer()
        steps.append(FieldStep(word, signed, width, offset, operand, overflow))
    return steps


def field_width(kind: bytes) -> int:
    """The number of bits of a type such as `i16` or `u8`; an unsigned one of 64 bits would not fit a reply."""
    if kind[:1] not in (b"i", b"u"):
        raise CommandError(INVALID_FIELD_TYPE)
    return parse_bounded(kind[1:], 1, 64 if kind[:1] == b"i" else 63, INVALID_FIELD_TYPE)


def read_fields(ctx: Context, key: bytes, steps: list[FieldStep]) -> list[int | None]:
    value = ctx.keys.read_string(key)
    data = b"" if value is None else value
    replies: list[int | None] = []
    step: FieldStep
    for step in steps:
        replies.append(bits.read_field(data, step.offset, step.width, step.signed))
    return replies


def operand_of(step: FieldStep, old: int) -> int:
    """The number that a step wants to store, whether it fits or not."""
    if step.word == b"INCRBY":
        return old + step.operand
    # An unsigned field is given a negative number as 64 bits, which are a large number.
    return step.operand if step.signed else step.operand & 0xFFFF_FFFF_FFFF_FFFF


def fit(value: int, width: int, signed: bool, overflow: bytes) -> int | None:
    """The value itself if a field of this type can hold it; else what OVERFLOW says.

    WRAP keeps the lowest bits, SAT takes the nearest limit, FAIL is None.
    """
    lowest = -1 << (width - 1) if signed else 0
    highest = (1 << (width - 1 if signed else width)) - 1
    if lowest <= value <= highest:
        return value
    if overflow == b"FAIL":
        return None
    if overflow == b"SAT":
        return lowest if value < lowest else highest
    wrapped = value & ((1 << width) - 1)
    return wrapped - (1 << width) if wrapped > highest else wrapped
