"""The generic commands: what can be done with any key, whatever its type."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any, Final

from alcove.engine import events
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.glob import matches
from alcove.engine.keyspace import Database, type_name
from alcove.engine.table import Entry, key_of
from alcove.errors import (
    INVALID_CURSOR,
    LFU_NOT_SELECTED,
    LFU_SELECTED,
    NO_SUCH_KEY,
    NOSCORES_OF_ZSCAN,
    NOVALUES_OF_HSCAN,
    SAME_OBJECT,
    SYNTAX,
    CommandError,
    unknown_type,
)
from alcove.numeric import try_int
from alcove.values import OK, Status

log = logging.getLogger(__name__)

# How many entries DELMATCH looks at in one slice.
MATCH_STEP = 256
# The real server shares the objects of small integers, and says so.
SHARED_INTEGERS = 10_000
SHARED_REFERENCES = 2**31 - 1
# The longest string that the real server keeps beside its object header.
EMBEDDED_LENGTH = 44
# Enough for 2**64 with some zeros in front, and for no more.
CURSOR_DIGITS = 32
TYPE_NAMES = frozenset((b"string", b"list", b"set", b"zset", b"hash", b"stream"))
# The options of the SCAN family that ask for names alone, and what the commands say that do not have them.
NAMES_ALONE: Final = {b"NOVALUES": NOVALUES_OF_HSCAN, b"NOSCORES": NOSCORES_OF_ZSCAN}

# Removing


@command(
    "DEL key [key ...]",
    flags="write",
    keys="RM delete",
    since="1.0.0",
    complexity="O(N)",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def del_(ctx: Context, *keys: bytes) -> int:
    """Deletes one or more keys."""
    removed = sum(ctx.keys.remove(key) for key in keys)
    if not removed and b"*" in keys[0]:
        log.info("DEL takes no pattern and found nothing at %r: DELMATCH deletes by pattern", keys[0])
    return removed


@command(
    "UNLINK key [key ...]",
    flags="write fast",
    keys="RM delete",
    since="4.0.0",
    complexity="O(1) for each key",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def unlink(ctx: Context, *keys: bytes) -> int:
    """Asynchronously deletes one or more keys."""
    return sum(ctx.keys.remove(key) for key in keys)


@command(
    "DELMATCH pattern",
    flags="write",
    since="alcove 0.1.0",
    complexity="O(N) with N being the number of keys in the database, in slices between other commands",
    sliced=True,
)
def delmatch(ctx: Context, pattern: bytes) -> Generator[None, None, int]:
    """Deletes the keys that match a pattern, without stalling other clients, and returns how many there were.

    It is not atomic: a key that comes while it runs may stay. It stops when its client goes away.
    """
    database = ctx.keys
    removed = cursor = 0
    while True:
        cursor, entries = database.scan(cursor, MATCH_STEP)
        keys = [key for key in map(key_of, entries) if pattern == b"*" or matches(pattern, key)]
        for key in keys:
            database.remove(key)
        if keys:
            ctx.record_in(database, b"DEL", *keys)
            removed += len(keys)
        if not cursor:
            return removed
        yield


# Asking


@command(
    "EXISTS key [key ...]",
    flags="readonly fast",
    keys="RO",
    since="1.0.0",
    complexity="O(N)",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def exists(ctx: Context, *keys: bytes) -> int:
    """Determines whether one or more keys exist."""
    return sum(ctx.keys.look(key, False) is not None for key in keys)


@command(
    "TOUCH key [key ...]",
    flags="readonly fast",
    keys="RO",
    since="3.2.1",
    complexity="O(N)",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def touch(ctx: Context, *keys: bytes) -> int:
    """Returns the number of existing keys out of those specified after updating the time they were last accessed."""
    return sum(ctx.keys.look(key) is not None for key in keys)


@command("TYPE key", flags="readonly fast", keys="RO", since="1.0.0", complexity="O(1)")
def type_(ctx: Context, key: bytes) -> Status:
    """Determines the type of value stored at a key."""
    entry = ctx.keys.look(key, False)
    return Status(b"none" if entry is None else type_name(entry.value))


@command(
    "KEYS pattern",
    flags="readonly",
    acl="+dangerous",
    since="1.0.0",
    complexity="O(N)",
    tips="nondeterministic_output_order request_policy:all_shards",
)
def keys(ctx: Context, pattern: bytes) -> list[bytes]:
    """Returns all key names that match a pattern."""
    found = list(map(key_of, ctx.keys.entries()))
    return found if pattern == b"*" else [key for key in found if matches(pattern, key)]


@command(
    "SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]",
    flags="readonly",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration.",
    tips="nondeterministic_output request_policy:special response_policy:special",
)
def scan(ctx: Context, cursor: bytes, *options: bytes) -> list[object]:
    """Iterates over the key names in the database."""
    start = parse_cursor(cursor)
    pattern, count, wanted = scan_options(Arguments(options), b"TYPE")
    left, entries = ctx.keys.scan(start, count)
    if wanted:
        entries = [entry for entry in entries if type_name(entry.value) == wanted]
    keys = [key for key in map(key_of, entries) if pattern is None or matches(pattern, key)]
    return [b"%d" % left, keys]


def parse_cursor(cursor: bytes) -> int:
    """A cursor as SCAN and its kin take it: an unsigned 64-bit number, as the real server reads one.

    A negative number is refused, but what is no canonical integer may have zeros in front and a sign, which wraps.
    """
    number = try_int(cursor)
    digits = cursor[1:] if cursor[:1] in (b"+", b"-") else cursor
    if number is None and digits.isdigit() and len(digits) <= CURSOR_DIGITS and int(digits) < 2**64:
        number = -int(digits) % 2**64 if cursor[:1] == b"-" else int(digits)
    if number is None or number < 0:
        raise CommandError(INVALID_CURSOR)
    return number


def scan_options(arguments: Arguments, own: bytes = b"") -> tuple[bytes | None, int, bytes]:
    """The options of SCAN and its kin: (pattern or None for all, count, what the command's `own` option said).

    `own` is TYPE, which says a type, or NOVALUES or NOSCORES, which say themselves. What was not given says nothing.
    """
    pattern: bytes | None = None
    said = b""
    count = 10
    while arguments:
        word = arguments.word()
        if word == b"COUNT" and arguments:
            count = arguments.integer()
            if count < 1:
                raise CommandError(SYNTAX)
        elif word == b"MATCH" and arguments:
            pattern = arguments.take()
        elif word == b"TYPE" and own == word and arguments:
            said = scanned_type(arguments.take())
        elif word in NAMES_ALONE:
            if own != word:
                raise CommandError(NAMES_ALONE[word])
            said = word
        else:
            raise CommandError(SYNTAX)
    return None if pattern == b"*" else pattern, count, said


def scanned_type(name: bytes) -> bytes:
    """The name of a type in lower case; `CommandError` if there is none such."""
    wanted = name.lower()
    if wanted not in TYPE_NAMES:
        raise CommandError(unknown_type(name))
    return wanted


@command(
    "RANDOMKEY",
    flags="readonly",
    since="1.0.0",
    complexity="O(1)",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def randomkey(ctx: Context) -> bytes | None:
    """Returns a random key name from the database."""
    return ctx.keys.random()


# Moving


@command("RENAME key newkey", flags="write", keys=("RW access delete", "OW update"), since="1.0.0", complexity="O(1)")
def rename(ctx: Context, key: bytes, newkey: bytes) -> object:
    """Renames a key and overwrites the destination."""
    if ctx.keys.find(key) is None:
        raise CommandError(NO_SUCH_KEY)
    if key != newkey:
        move_entry(ctx.keys, key, newkey)
    return OK


@command(
    "RENAMENX key newkey", flags="write fast", keys=("RW access delete", "OW insert"), since="1.0.0", complexity="O(1)"
)
def renamenx(ctx: Context, key: bytes, newkey: bytes) -> int:
    """Renames a key only when the target key name doesn't exist."""
    if ctx.keys.find(key) is None:
        raise CommandError(NO_SUCH_KEY)
    if key == newkey or ctx.keys.find(newkey) is not None:
        return 0
    move_entry(ctx.keys, key, newkey)
    return 1


def move_entry(database: Database, key: bytes, newkey: bytes) -> None:
    """Gives a key's value and deadline to another name in the same database."""
    entry = taken(database, key)
    old = database.find(newkey)
    database.adopt(newkey, entry.value, entry.expire_ms)
    database.notify(events.GENERIC, b"rename_from", key)
    database.notify(events.GENERIC, b"rename_to", newkey)
    if old is not None:
        database.overwritten(newkey, old.value, entry.value)
    database.space.dirty += 1


def taken(database: Database, key: bytes) -> Entry:
    """The entry of a key that is known to exist, taken out of its database."""
    entry = database.take(key)
    assert entry is not None
    return entry


@command("MOVE key db", flags="write fast", keys="RW access update", since="1.0.0", complexity="O(1)")
def move(ctx: Context, key: bytes, db: bytes) -> int:
    """Moves a key to another database."""
    source, target = ctx.keys, ctx.database_at(db)
    if source is target:
        raise CommandError(SAME_OBJECT)
    if source.find(key) is None or target.find(key) is not None:
        return 0
    entry = taken(source, key)
    target.adopt(key, entry.value, entry.expire_ms)
    source.notify(events.GENERIC, b"move_from", key)
    target.notify(events.GENERIC, b"move_to", key)
    source.space.dirty += 1
    return 1


@command(
    "COPY source destination [DB destination-db] [REPLACE]",
    flags="write denyoom",
    keys=("RO access", "OW update"),
    since="6.2.0",
    complexity="O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
)
def copy(ctx: Context, source: bytes, destination: bytes, *options: bytes) -> int:
    """Copies the value of a key to a new key."""
    arguments = Arguments(options)
    target = ctx.keys
    replace = False
    while arguments:
        word = arguments.word()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and arguments:
            target = ctx.database_at(arguments.take())
        else:
            raise CommandError(SYNTAX)
    if target is ctx.keys and source == destination:
        raise CommandError(SAME_OBJECT)
    entry = ctx.keys.look(source)
    old = target.find(destination)
    if entry is None or (not replace and old is not None):
        return 0
    target.adopt(destination, copied(entry.value), entry.expire_ms)
    target.notify(events.GENERIC, b"copy_to", destination)
    if old is not None:
        target.overwritten(destination, old.value, entry.value)
    ctx.keys.space.dirty += 1
    return 1


def copied(value: Any) -> Any:
    """A value that shares nothing changeable with the given one."""
    if type(value) is bytes:
        return value
    return bytearray(value) if type(value) is bytearray else value.copy()


# Looking inside

container(
    "OBJECT",
    since="2.2.3",
    group="generic",
    summary="A container for object introspection commands.",
    help_since="6.2.0",
)


@command(
    "OBJECT ENCODING key", flags="readonly", keys="RO", since="2.2.3", complexity="O(1)", tips="nondeterministic_output"
)
def object_encoding(ctx: Context, key: bytes) -> bytes | None:
    """Returns the internal encoding of a Redis object."""
    entry = ctx.keys.find(key)
    return None if entry is None else encoding_of(entry.value)


def encoding_of(value: Any) -> bytes:
    """What the real server would call the representation of a value."""
    if type(value) is bytes:
        if try_int(value) is not None:
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED_LENGTH else b"raw"
    if type(value) is bytearray:
        return b"raw"
    encoding: bytes = value.encoding
    return encoding


@command(
    "OBJECT FREQ key", flags="readonly", keys="RO", since="4.0.0", complexity="O(1)", tips="nondeterministic_output"
)
def object_freq(ctx: Context, key: bytes) -> int | None:
    """Returns the logarithmic access frequency counter of a Redis object."""
    entry = ctx.keys.find(key)
    if entry is None:
        return None
    if not ctx.keys.space.lfu:
        raise CommandError(LFU_NOT_SELECTED)
    return ctx.keys.space.lfu_counter(entry.access)


@command(
    "OBJECT IDLETIME key", flags="readonly", keys="RO", since="2.2.3", complexity="O(1)", tips="nondeterministic_output"
)
def object_idletime(ctx: Context, key: bytes) -> int | None:
    """Returns the time since the last access to a Redis object."""
    entry = ctx.keys.find(key)
    if entry is None:
        return None
    if ctx.keys.space.lfu:
        raise CommandError(LFU_SELECTED)
    return max(ctx.now_ms // 1000 - entry.access, 0)


@command(
    "OBJECT REFCOUNT key", flags="readonly", keys="RO", since="2.2.3", complexity="O(1)", tips="nondeterministic_output"
)
def object_refcount(ctx: Context, key: bytes) -> int | None:
    """Returns the reference count of a value of a key."""
    entry = ctx.keys.find(key)
    if entry is None:
        return None
    number = try_int(entry.value) if type(entry.value) is bytes else None
    return SHARED_REFERENCES if number is not None and 0 <= number < SHARED_INTEGERS else 1
