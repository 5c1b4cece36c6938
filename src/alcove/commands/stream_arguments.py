"""What the stream commands read from their arguments: IDs, the ends of ranges, and the options of trimming."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from alcove.engine.context import Context
from alcove.errors import (
    INVALID_END,
    INVALID_ID,
    INVALID_START,
    LIMIT_WITHOUT_TILDE,
    LIMIT_WITHOUT_TRIMMING,
    MAXLEN_AND_MINID,
    NEGATIVE_LIMIT,
    NEGATIVE_MAXLEN,
    NUMIDS_MISMATCH,
    NUMIDS_NOT_POSITIVE,
    SYNTAX,
    XTRIM_WITHOUT_TRIMMING,
    CommandError,
)
from alcove.integers import try_int
from alcove.numeric import parse_int
from alcove.types.stream import ACKNOWLEDGED, DROP_REFERENCES, KEEP_REFERENCES, Stream
from alcove.types.stream_id import LAST, ZERO, pack, predecessor, successor, text

NUMBER_MAX: Final = 2**64 - 1
# The real server copies an ID into a buffer of this many bytes.
ID_CHARS: Final = 127
# How C's strtoull, which the real server asks about what is no canonical 64-bit number, lets a number look.
UNUSUAL_NUMBER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")

REFERENCES: Final = {b"KEEPREF": KEEP_REFERENCES, b"DELREF": DROP_REFERENCES, b"ACKED": ACKNOWLEDGED}
REFERENCE_WORDS: Final = {DROP_REFERENCES: b"DELREF", ACKNOWLEDGED: b"ACKED"}

# How many entries approximate trimming may delete at once, unless LIMIT says so: this many nodes' worth.
NODES_AT_ONCE: Final = 100
ENTRIES_AT_ONCE: Final = 10_000
MOST_AT_ONCE: Final = 1_000_000

# IDs


def parse_id(argument: bytes, missing_seq: int = 0) -> bytes:
    """An ID in the form `ms-seq`, or just `ms`, where the sequence is `missing_seq` then."""
    ms, dash, seq = argument.partition(b"-")
    first = try_int(ms)
    second = try_int(seq) if dash else missing_seq
    if first is None or second is None or first < 0 or second < 0:
        return parse_unusual_id(argument, missing_seq)
    return pack(first, second)


def parse_unusual_id(argument: bytes, missing_seq: int) -> bytes:
    """As `parse_id`, for numbers beyond 63 bits and those that are written as no one would."""
    if len(argument) <= ID_CHARS:
        ms, dash, seq = argument.partition(b"\0")[0].partition(b"-")
        first = parse_unsigned(ms)
        second = parse_unsigned(seq) if dash else missing_seq
        if first is not None and second is not None:
            return pack(first, second)
    raise CommandError(INVALID_ID)


def parse_unsigned(digits: bytes) -> int | None:
    """An unsigned 64-bit number as the real server reads it, or None."""
    number = try_int(digits)
    if number is not None:
        return number if number >= 0 else None
    found = UNUSUAL_NUMBER.fullmatch(digits)
    if found is None:
        return None
    number = 0
    for digit in found[2]:
        number = number * 10 + digit - 48
    if number > NUMBER_MAX:
        return None
    return -number & NUMBER_MAX if found[1] == b"-" else number


class NewId(NamedTuple):
    """The ID wanted for a new entry: that one, the next in a millisecond, or if there is neither the next of all."""

    stream_id: bytes | None
    ms: int | None


ANY_ID: Final = NewId(None, None)


def parse_new_id(argument: bytes) -> NewId:
    """`*`, `ms-*` or a whole ID."""
    if argument == b"*":
        return ANY_ID
    if not argument.endswith(b"-*"):
        return NewId(parse_id(argument), None)
    ms = parse_unsigned(argument[: len(argument) - 2])
    if ms is None:
        raise CommandError(INVALID_ID)
    return NewId(None, ms)


def parse_end(argument: bytes, missing_seq: int = 0) -> bytes:
    """As `parse_id`, with `-` for the lowest and `+` for the highest ID."""
    if argument == b"-":
        return ZERO
    if argument == b"+":
        return LAST
    return parse_id(argument, missing_seq)


def parse_start_of_range(argument: bytes) -> bytes:
    """Where a range starts; behind the ID if that is written as `(id`."""
    if len(argument) < 2 or argument[0] != 40:
        return parse_end(argument)
    start = successor(parse_id(argument[1:]))
    if start is None:
        raise CommandError(INVALID_START)
    return start


def parse_stop_of_range(argument: bytes) -> bytes:
    """Where a range stops, that ID included; before the ID if that is written as `(id`."""
    if len(argument) < 2 or argument[0] != 40:
        return parse_end(argument, NUMBER_MAX)
    stop = predecessor(parse_id(argument[1:], NUMBER_MAX))
    if stop is None:
        raise CommandError(INVALID_END)
    return stop


def parse_ids(arguments: Sequence[bytes]) -> list[bytes]:
    return [parse_id(argument) for argument in arguments]


class References:
    """The one option of KEEPREF, DELREF and ACKED that may be given."""

    def __init__(self) -> None:
        self.policy = KEEP_REFERENCES
        self._given = False

    def read(self, word: bytes) -> bool:
        """Whether `word` is such an option; a second one is a syntax error."""
        if word not in REFERENCES:
            return False
        if self._given:
            raise CommandError(SYNTAX)
        self._given = True
        self.policy = REFERENCES[word]
        return True


def parse_deletion(arguments: Sequence[bytes]) -> tuple[int, list[bytes]]:
    """The options of XDELEX and XACKDEL, `[KEEPREF | DELREF | ACKED] IDS numids id ...`: policy and IDs."""
    references = References()
    ids: list[bytes] = []
    at = 0
    while at < len(arguments):
        word = arguments[at].upper()
        at += 1
        if word == b"IDS" and not ids and at < len(arguments):
            count = try_int(arguments[at])
            if count is None or count <= 0:
                raise CommandError(NUMIDS_NOT_POSITIVE)
            at += 1
            if count > len(arguments) - at:
                raise CommandError(NUMIDS_MISMATCH)
            ids = parse_ids(arguments[at : at + count])
            at += count
        elif not references.read(word):
            raise CommandError(SYNTAX)
    if not ids:
        raise CommandError(SYNTAX)
    return references.policy, ids


# Trimming


class Trimming:
    """The options of XTRIM, and those of XADD up to the ID."""

    def __init__(self) -> None:
        self.no_stream = False
        self.strategy = b""
        self.maxlen = -1
        self.minid = ZERO
        self.approximate = False
        self.limit = 0
        self.references = References()
        # The ID of XADD, and how many arguments there are up to it.
        self.new_id = ANY_ID
        self.size = 0

    def apply(self, stream: Stream) -> tuple[int, list[bytes]]:
        """Trims: how many entries were deleted, and the options that do the same again, none if nothing was done."""
        if not self.strategy:
            return 0, []
        policy = self.references.policy
        deleted, last = stream.trim(self.maxlen, self.minid, self.approximate, self.limit, policy)
        if last == ZERO:
            return 0, []
        behind = successor(last)
        words = [b"MAXLEN", b"=", b"%d" % len(stream)] if behind is None else [b"MINID", b"=", text(behind)]
        if policy != KEEP_REFERENCES:
            words.append(REFERENCE_WORDS[policy])
        return deleted, words


def parse_trimming(ctx: Context, arguments: Sequence[bytes], for_xadd: bool) -> Trimming:
    """Reads the options: all arguments of XTRIM, or those of XADD up to and with the ID."""
    trimming = Trimming()
    limit = -1
    at = 0
    while at < len(arguments):
        word = arguments[at].upper()
        more = at + 1 < len(arguments)
        if word in (b"MAXLEN", b"MINID") and more:
            at = parse_threshold(trimming, word, arguments, at + 1)
        elif word == b"LIMIT" and more:
            limit = parse_int(arguments[at + 1])
            if limit < 0:
                raise CommandError(NEGATIVE_LIMIT)
            at += 2
        elif for_xadd and word == b"NOMKSTREAM":
            trimming.no_stream = True
            at += 1
        elif trimming.references.read(word):
            at += 1
        elif for_xadd:
            trimming.new_id = parse_new_id(arguments[at])
            trimming.size = at + 1
            break
        else:
            raise CommandError(SYNTAX)
    if limit > 0 and not trimming.strategy:
        raise CommandError(LIMIT_WITHOUT_TRIMMING)
    if not trimming.strategy and not for_xadd:
        raise CommandError(XTRIM_WITHOUT_TRIMMING)
    if limit >= 0 and not trimming.approximate:
        raise CommandError(LIMIT_WITHOUT_TILDE)
    if trimming.approximate:
        trimming.limit = limit if limit >= 0 else usual_limit(ctx.keys.space.limits.stream_node_max_entries)
    return trimming


def parse_threshold(trimming: Trimming, word: bytes, arguments: Sequence[bytes], at: int) -> int:
    """Reads `[= | ~] threshold`, and answers where the next option is."""
    if trimming.strategy:
        raise CommandError(MAXLEN_AND_MINID)
    trimming.strategy = word
    if arguments[at] in (b"~", b"=") and at + 1 < len(arguments):
        trimming.approximate = arguments[at] == b"~"
        at += 1
    if word == b"MAXLEN":
        trimming.maxlen = parse_int(arguments[at])
        if trimming.maxlen < 0:
            raise CommandError(NEGATIVE_MAXLEN)
    else:
        trimming.minid = parse_id(arguments[at])
    return at + 1


def usual_limit(node_entries: int) -> int:
    """The limit of approximate trimming where LIMIT gives none."""
    return min(NODES_AT_ONCE * node_entries, MOST_AT_ONCE) if node_entries > 0 else ENTRIES_AT_ONCE
