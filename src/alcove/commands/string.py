"""The string commands: values of bytes, numbers kept as their digits, and conditional writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xxhash

from alcove.engine import events
from alcove.engine.arguments import DEADLINE_WORDS, Arguments, Deadline, deadline_ms
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.keyspace import string_of
from alcove.engine.table import Entry, string_in
from alcove.errors import (
    DECREMENT_OVERFLOW,
    INVALID_DIGEST,
    INVALID_NUMKEYS,
    LCS_TOO_BIG,
    LCS_WRONG_TYPE,
    LEN_AND_IDX,
    OFFSET_OUT_OF_RANGE,
    OVERFLOW,
    STRING_TOO_LONG,
    SYNTAX,
    CommandError,
    wrong_arity,
)
from alcove.numeric import INT64_MIN, add_long_double, format_int, parse_int, parse_long_double
from alcove.types.lcs import Lcs
from alcove.values import OK

# C variables of the compiled build.
_GENERIC = events.GENERIC
_STRING = events.STRING

SET_DEADLINE = DEADLINE_WORDS | {b"KEEPTTL"}
GETEX_DEADLINE = DEADLINE_WORDS | {b"PERSIST"}
CONDITIONS = frozenset((b"NX", b"XX", b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"))
VALUE_CONDITIONS = frozenset((b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"))

# Reading and writing whole values


@command("GET key", flags="readonly fast", since="1.0.0", complexity="O(1)")
def get(ctx: Context, key: bytes) -> bytes | None:
    """Returns the string value of a key."""
    value = ctx.keys.read_string(key)
    return value if type(value) is not bytearray else bytes(value)


@command(
    "SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    flags="write denyoom",
    keys="RW access update variable_flags",
    since="1.0.0",
    complexity="O(1)",
    history=(
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ("8.4.0", "Added 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE' options."),
    ),
)
def set_(ctx: Context, key: bytes, value: bytes, *options: bytes) -> object:
    """Sets the string value of a key, ignoring its type. The key is created if it doesn't exist."""
    if not options:
        ctx.keys.put(key, value, _STRING, b"set")
        return OK
    if len(options) == 2 and (word := options[0].upper()) in DEADLINE_WORDS:
        store(ctx, key, value, deadline_ms(word, options[1], ctx.now_ms, "set"))
        return OK
    return set_with_options(ctx, key, value, options)


def set_with_options(ctx: Context, key: bytes, value: bytes, options: Sequence[bytes]) -> object:
    arguments = Arguments(options)
    deadline = Deadline(SET_DEADLINE)
    condition = operand = b""
    with_get = False
    while arguments:
        word = arguments.word()
        if word == b"GET":
            with_get = True
        elif word in CONDITIONS:
            if condition and not (condition == word and word not in VALUE_CONDITIONS):
                raise CommandError(SYNTAX)
            condition = word
            operand = arguments.take() if word in VALUE_CONDITIONS else b""
        elif not deadline.read(word, arguments):
            raise CommandError(SYNTAX)
    expire_ms = deadline.resolve(ctx.now_ms, "set")
    old = get(ctx, key) if with_get else None
    if condition and not holds(ctx, key, condition, operand):
        return old
    store(ctx, key, value, expire_ms, deadline.word == b"KEEPTTL")
    return old if with_get else OK


def store(ctx: Context, key: bytes, value: bytes, expire_ms: int, keep_ttl: bool = False) -> None:
    """Sets a key with its deadline, if any, recorded as one command with an absolute time."""
    entry = ctx.keys.put(key, value, _STRING, b"set", keep_ttl)
    if expire_ms:
        ctx.keys.set_deadline(entry, expire_ms)
        ctx.keys.notify(_GENERIC, b"expire", key)
        if ctx.keys.space.recording:
            ctx.record(b"SET", key, value, b"PXAT", format_int(expire_ms))
    elif keep_ttl:
        ctx.record(b"SET", key, value, b"KEEPTTL")
    else:
        ctx.record(b"SET", key, value)


def holds(ctx: Context, key: bytes, condition: bytes, operand: bytes) -> bool:
    """Whether a key satisfies NX, XX, or a comparison of its value or its value's digest."""
    if condition == b"NX":
        return ctx.keys.find(key) is None
    if condition == b"XX":
        return ctx.keys.find(key) is not None
    value = ctx.keys.edit_string(key)
    if condition in (b"IFDEQ", b"IFDNE"):
        operand = digest_operand(operand)
    if value is None:
        return condition in (b"IFNE", b"IFDNE")
    subject = value if condition in (b"IFEQ", b"IFNE") else digest_of(value)
    return bool((subject == operand) == (condition in (b"IFEQ", b"IFDEQ")))


def digest_of(value: bytes | bytearray) -> bytes:
    """The XXH3 hash of a value as 16 hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest(bytes(value)).encode()


def digest_operand(operand: bytes) -> bytes:
    """A digest as users give it, in either case; anything but 16 hexadecimal digits is an error."""
    digits = operand.lower()
    if len(digits) != 16 or digits.strip(b"0123456789abcdef"):
        raise CommandError(INVALID_DIGEST)
    return digits


@command(
    "GETSET key value",
    flags="write denyoom fast",
    keys="RW access update",
    since="1.0.0",
    complexity="O(1)",
    deprecated=("6.2.0", "`SET` with the `!GET` argument"),
)
def getset(ctx: Context, key: bytes, value: bytes) -> bytes | None:
    """Returns the previous string value of a key after setting it to a new value."""
    old = get(ctx, key)
    ctx.keys.put(key, value, _STRING, b"set")
    ctx.record(b"SET", key, value)
    return old


@command("GETDEL key", flags="write fast", keys="RW access delete", since="6.2.0", complexity="O(1)")
def getdel(ctx: Context, key: bytes) -> bytes | None:
    """Returns the string value of a key after deleting the key."""
    value = get(ctx, key)
    if value is not None:
        ctx.keys.remove(key)
        ctx.record(b"DEL", key)
    return value


@command(
    "GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    flags="write fast",
    keys="RW access update",
    since="6.2.0",
    complexity="O(1)",
)
def getex(ctx: Context, key: bytes, *options: bytes) -> bytes | None:
    """Returns the string value of a key after setting its expiration time."""
    arguments = Arguments(options)
    deadline = Deadline(GETEX_DEADLINE)
    while arguments:
        if not deadline.read(arguments.word(), arguments):
            raise CommandError(SYNTAX)
    entry = ctx.keys.look(key)
    if entry is None:
        return None
    value = bytes(string_of(entry))
    expire_ms = deadline.resolve(ctx.now_ms, "getex")
    if deadline.word == b"PERSIST":
        if entry.expire_ms != 0:
            ctx.keys.set_deadline(entry, 0)
            ctx.keys.written(entry, _GENERIC, b"persist", 1)
            ctx.record(b"PERSIST", key)
    elif expire_ms > ctx.now_ms:
        ctx.keys.set_deadline(entry, expire_ms)
        ctx.keys.written(entry, _GENERIC, b"expire", 1)
        ctx.record(b"PEXPIREAT", key, b"%d" % expire_ms)
    elif expire_ms:
        ctx.keys.remove(key)
        ctx.record(b"DEL", key)
    return value


@command(
    "SETNX key value",
    flags="write denyoom fast",
    keys="OW insert",
    since="1.0.0",
    complexity="O(1)",
    deprecated=("2.6.12", "`SET` with the `NX` argument"),
)
def setnx(ctx: Context, key: bytes, value: bytes) -> int:
    """Sets the string value of a key only when the key doesn't exist."""
    if ctx.keys.find(key) is not None:
        return 0
    ctx.keys.put(key, value, _STRING, b"set")
    return 1


@command(
    "SETEX key seconds value",
    flags="write denyoom",
    keys="OW update",
    since="2.0.0",
    complexity="O(1)",
    deprecated=("2.6.12", "`SET` with the `EX` argument"),
)
def setex(ctx: Context, key: bytes, seconds: bytes, value: bytes) -> object:
    """Sets the string value and expiration time of a key. Creates the key if it doesn't exist."""
    store(ctx, key, value, deadline_ms(b"EX", seconds, ctx.now_ms, "setex"))
    return OK


@command(
    "PSETEX key milliseconds value",
    flags="write denyoom",
    keys="OW update",
    since="2.6.0",
    complexity="O(1)",
    deprecated=("2.6.12", "`SET` with the `PX` argument"),
)
def psetex(ctx: Context, key: bytes, milliseconds: bytes, value: bytes) -> object:
    """Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist."""
    store(ctx, key, value, deadline_ms(b"PX", milliseconds, ctx.now_ms, "psetex"))
    return OK


# Several keys at once


@command(
    "MGET key [key ...]",
    flags="readonly fast",
    since="1.0.0",
    complexity="O(N) for N keys",
    tips="request_policy:multi_shard",
)
def mget(ctx: Context, *keys: bytes) -> list[bytes | None]:
    """Atomically returns the string values of one or more keys."""
    found: list[bytes | None] = []
    for key in keys:
        entry = ctx.keys.look(key)
        value = None if entry is None else string_in(entry)
        found.append(value if type(value) is not bytearray else bytes(value))
    return found


@command(
    "MSET key value [key value ...]",
    flags="write denyoom",
    keys="OW update",
    since="1.0.1",
    complexity="O(N) for N keys",
    tips="request_policy:multi_shard response_policy:all_succeeded",
)
def mset(ctx: Context, *pairs: bytes) -> object:
    """Atomically creates or modifies the string values of one or more keys."""
    if len(pairs) % 2:
        raise CommandError(wrong_arity("mset"))
    set_pairs(ctx, pairs)
    return OK


@command(
    "MSETNX key value [key value ...]",
    flags="write denyoom",
    keys="OW insert",
    since="1.0.1",
    complexity="O(N) for N keys",
)
def msetnx(ctx: Context, *pairs: bytes) -> int:
    """Atomically modifies the string values of one or more keys only when all keys don't exist."""
    if len(pairs) % 2:
        raise CommandError(wrong_arity("msetnx"))
    if any(ctx.keys.find(key) is not None for key in pairs[::2]):
        return 0
    set_pairs(ctx, pairs)
    return 1


def set_pairs(ctx: Context, pairs: tuple[bytes, ...]) -> None:
    for place in range(0, len(pairs), 2):
        ctx.keys.put(pairs[place], pairs[place + 1], _STRING, b"set")


@command(
    "MSETEX numkeys key value [key value ...] [NX | XX] "
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    flags="write denyoom",
    keys="OW update",
    since="8.4.0",
    complexity="O(N) where N is the number of keys to set.",
)
def msetex(ctx: Context, numkeys: bytes, *rest: bytes) -> int:
    """Atomically sets multiple string keys with a shared expiration in a single operation."""
    count = parse_int(numkeys, INVALID_NUMKEYS)
    if not 0 < count < 2**31:
        raise CommandError(INVALID_NUMKEYS)
    if 2 * count > len(rest):
        raise CommandError(wrong_arity("msetex"))
    pairs = rest[: 2 * count]
    arguments = Arguments(rest[2 * count :])
    deadline = Deadline(SET_DEADLINE)
    condition = b""
    while arguments:
        word = arguments.word()
        if word in (b"NX", b"XX") and condition in (b"", word):
            condition = word
        elif not deadline.read(word, arguments):
            raise CommandError(SYNTAX)
    expire_ms = deadline.resolve(ctx.now_ms, "msetex")
    if condition and not all(holds(ctx, key, condition, b"") for key in pairs[::2]):
        return 0
    each = iter(pairs)
    for key, value in zip(each, each, strict=True):
        store(ctx, key, value, expire_ms, deadline.word == b"KEEPTTL")
    return 1


# Parts of a value


@command("STRLEN key", flags="readonly fast", keys="RO", since="2.2.0", complexity="O(1)")
def strlen(ctx: Context, key: bytes) -> int:
    """Returns the length of a string value."""
    value = ctx.keys.read_string(key)
    return 0 if value is None else len(value)


@command("APPEND key value", flags="write denyoom fast", keys="RW insert", since="2.0.0", complexity="O(1)")
def append(ctx: Context, key: bytes, value: bytes) -> int:
    """Appends a string to the value of a key. Creates the key if it doesn't exist."""
    old = ctx.keys.edit_string(key)
    if old is None:
        ctx.keys.put(key, value, _STRING, b"append")
        return len(value)
    check_length(ctx, len(old) + len(value))
    grown = own_buffer(ctx, key, old)
    grown += value
    ctx.keys.changed(key, _STRING, b"append")
    return len(grown)


@command(
    "SETRANGE key offset value",
    flags="write denyoom",
    keys="RW update",
    since="2.2.0",
    complexity="O(1), not counting the time taken to copy the new string in place.",
)
def setrange(ctx: Context, key: bytes, offset: bytes, value: bytes) -> int:
    """Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist."""
    start = parse_int(offset)
    if start < 0:
        raise CommandError(OFFSET_OUT_OF_RANGE)
    old = ctx.keys.edit_string(key)
    if not value:
        return 0 if old is None else len(old)
    end = start + len(value)
    check_length(ctx, end)
    if old is None:
        ctx.keys.put(key, bytearray(start) + value, _STRING, b"setrange")
        return end
    buffer = own_buffer(ctx, key, old)
    if len(buffer) < end:
        buffer.extend(bytes(end - len(buffer)))
    buffer[start:end] = value
    ctx.keys.changed(key, _STRING, b"setrange")
    return len(buffer)


def own_buffer(ctx: Context, key: bytes, value: Any) -> bytearray:
    """The value of a key as a buffer that may be edited in place; the caller ends the edit with `changed`."""
    entry = ctx.keys.find(key)
    if entry is not None and type(value) is bytes:
        value = bytearray(value)
        ctx.keys.replace(entry, value)
    buffer: bytearray = value
    return buffer


def check_length(ctx: Context, length: int) -> None:
    if length > ctx.config.proto_max_bulk_len:
        raise CommandError(STRING_TOO_LONG)


@command(
    "GETRANGE key start end",
    flags="readonly",
    since="2.4.0",
    complexity="O(N) where N is the length of the returned string.",
)
def getrange(ctx: Context, key: bytes, start: bytes, end: bytes) -> bytes:
    """Returns a substring of the string stored at a key."""
    first, last = parse_int(start), parse_int(end)
    value = ctx.keys.read_string(key)
    if value is None:
        return b""
    size = len(value)
    if first < 0 and last < 0 and first > last:
        return b""
    first = max(first + size, 0) if first < 0 else first
    last = max(last + size, 0) if last < 0 else last
    return bytes(value[first : min(last, size - 1) + 1]) if first <= last and size else b""


@command(
    "SUBSTR key start end",
    flags="readonly",
    since="1.0.0",
    complexity="O(N) where N is the length of the returned string.",
    deprecated=("2.0.0", "`GETRANGE`"),
)
def substr(ctx: Context, key: bytes, start: bytes, end: bytes) -> bytes:
    """Returns a substring from a string value."""
    return getrange(ctx, key, start, end)


# Numbers


@command("INCR key", flags="write denyoom fast", keys="RW access update", since="1.0.0", complexity="O(1)")
def incr(ctx: Context, key: bytes) -> int:
    """Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist."""
    return add(ctx, key, 1)


@command("DECR key", flags="write denyoom fast", keys="RW access update", since="1.0.0", complexity="O(1)")
def decr(ctx: Context, key: bytes) -> int:
    """Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist."""
    return add(ctx, key, -1)


@command("INCRBY key increment", flags="write denyoom fast", keys="RW access update", since="1.0.0", complexity="O(1)")
def incrby(ctx: Context, key: bytes, increment: bytes) -> int:
    """Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist."""
    return add(ctx, key, parse_int(increment))


@command("DECRBY key decrement", flags="write denyoom fast", keys="RW access update", since="1.0.0", complexity="O(1)")
def decrby(ctx: Context, key: bytes, decrement: bytes) -> int:
    """Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist."""
    number = parse_int(decrement)
    if number == INT64_MIN:
        raise CommandError(DECREMENT_OVERFLOW)
    return add(ctx, key, -number)


def add(ctx: Context, key: bytes, increment: int) -> int:
    """Adds to the number at a key, within 64 bits."""
    # Only found, not `edit_string`: `put` marks the key as used, and that once.
    entry = ctx.keys.find(key)
    value = None if entry is None else string_of(entry)
    if type(value) is bytearray:
        value = bytes(value)
    total = increment if value is None else parse_int(value) + increment
    try:
        digits = format_int(total)
    except OverflowError:
        raise CommandError(OVERFLOW) from None
    ctx.keys.put(key, digits, _STRING, b"incrby", True)
    return total


@command(
    "INCRBYFLOAT key increment", flags="write denyoom fast", keys="RW access update", since="2.6.0", complexity="O(1)"
)
def incrbyfloat(ctx: Context, key: bytes, increment: bytes) -> bytes:
    """Increments the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist."""
    entry = ctx.keys.find(key)
    value = None if entry is None else string_of(entry)
    first = parse_long_double(b"0" if value is None else bytes(value))
    total = add_long_double(first, parse_long_double(increment))
    ctx.keys.put(key, total, _STRING, b"incrbyfloat", True)
    ctx.record(b"SET", key, total, b"KEEPTTL")
    return total


# Comparing


@command(
    "DIGEST key", flags="readonly fast", since="8.4.0", complexity="O(N) where N is the length of the string value."
)
def digest(ctx: Context, key: bytes) -> bytes | None:
    """Returns the XXH3 hash of a string value."""
    value = ctx.keys.read_string(key)
    return None if value is None else digest_of(value)


@command(
    "DELEX key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
    flags="write fast",
    keys="RW delete variable_flags",
    since="8.4.0",
    complexity="O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.",
)
def delex(ctx: Context, key: bytes, *options: bytes) -> int:
    """Conditionally removes the specified key based on value or digest comparison."""
    if options:
        arguments = Arguments(options)
        condition = arguments.word()
        if condition not in VALUE_CONDITIONS or len(arguments) != 1:
            raise CommandError(SYNTAX)
        if ctx.keys.edit_string(key) is None or not holds(ctx, key, condition, arguments.take()):
            return 0
    return delete(ctx, key)


@command("DELIFEQ key value", flags="write fast", keys="RW access delete", since="valkey 9.0.0", complexity="O(1)")
def delifeq(ctx: Context, key: bytes, value: bytes) -> int:
    """Deletes a key if its value is equal to the given one."""
    if ctx.keys.edit_string(key) != value:
        return 0
    return delete(ctx, key)


def delete(ctx: Context, key: bytes) -> int:
    """Removes a key, recorded without the condition that was met."""
    removed = ctx.keys.remove(key)
    ctx.record(b"DEL", key)
    return int(removed)


@command(
    "LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    flags="readonly",
    since="7.0.0",
    complexity="O(N*M) where N and M are the lengths of s1 and s2, respectively",
)
def lcs(ctx: Context, key1: bytes, key2: bytes, *options: bytes) -> object:
    """Finds the longest common substring."""
    arguments = Arguments(options)
    with_length = with_index = with_match_length = False
    shortest = 0
    entries = ctx.keys.look(key1), ctx.keys.look(key2)
    first, second = (text_of(entry) for entry in entries)
    while arguments:
        word = arguments.word()
        if word == b"IDX":
            with_index = True
        elif word == b"LEN":
            with_length = True
        elif word == b"WITHMATCHLEN":
            with_match_length = True
        elif word == b"MINMATCHLEN" and arguments:
            shortest = arguments.integer()
        else:
            raise CommandError(SYNTAX)
    if with_index and with_length:
        raise CommandError(LEN_AND_IDX)
    if Lcs.bytes_needed(len(first), len(second)) > ctx.config.proto_max_bulk_len:
        raise CommandError(LCS_TOO_BIG)
    table = Lcs(first, second)
    if with_length:
        return len(table)
    if not with_index:
        return table.text()
    matches = []
    for start, end, other in table.matches():
        length = end - start + 1
        if length >= shortest:
            match: list[object] = [[start, end], [other, other + length - 1]]
            matches.append([*match, length] if with_match_length else match)
    return {b"matches": matches, b"len": len(table)}


def text_of(entry: Entry | None) -> bytes:
    if entry is None:
        return b""
    if type(entry.value) is not bytes and type(entry.value) is not bytearray:
        raise CommandError(LCS_WRONG_TYPE)
    return bytes(entry.value)
