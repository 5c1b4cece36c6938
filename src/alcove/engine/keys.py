"""Finding the keys among the arguments of a call, for COMMAND GETKEYS, the ACL and cluster slots.

The key specs of the declaration find most of them. Where they cannot, because an option's name may also stand as a
value or because what is done to a key depends on the options, the command has a finder of its own here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from alcove.engine.declaration import Command
from alcove.engine.synopsis import Index, KeyNum, KeySpec, Keyword, Range
from alcove.numeric import try_int

# The position of a key among the words of a call, and the flags of its access: "RO", "access", ...
Found: TypeAlias = tuple[int, tuple[str, ...]]


def keys_of(command: Command, argv: Sequence[bytes], with_channels: bool = False) -> list[Found]:
    """The keys of a call whose arity is right; none if its syntax is so wrong that they cannot be told.

    Sharded channels take part in cluster slots, and only there: `with_channels`.
    """
    finder = FINDERS.get(command.name)
    if finder is not None:
        return finder(argv)
    found: list[Found] = []
    for spec in command.facts.key_specs:
        if "not_key" in spec.flags and not with_channels:
            continue
        places = places_of(spec, argv)
        if not places:
            return []
        found += [(place, spec.flags) for place in places]
    return found


def has_keys(command: Command) -> bool:
    return any("not_key" not in spec.flags for spec in command.facts.key_specs)


def places_of(spec: KeySpec, argv: Sequence[bytes]) -> range:
    """Where one key spec finds keys; empty if it points outside the call."""
    first = begin_of(spec, argv)
    if not first:
        return range(0)
    match spec.find:
        case Range(lastkey, step, limit):
            if lastkey >= 0:
                last = first + lastkey
            elif limit:
                last = first + (len(argv) - first) // limit + lastkey
            else:
                last = len(argv) + lastkey
        case KeyNum(keynumidx, firstkey, step):
            counted = first + keynumidx
            count = try_int(argv[counted]) if counted < len(argv) else None
            first += firstkey
            last = first + ((count or 0) - 1) * step
        case None:
            return range(0)
    if not first <= last < len(argv):
        return range(0)
    return range(first, last + 1, step)


def begin_of(spec: KeySpec, argv: Sequence[bytes]) -> int:
    """Where the search of one key spec begins, or 0 if its keyword is not there."""
    match spec.begin:
        case Index(index):
            return index
        case Keyword(keyword, startfrom):
            backwards = startfrom < 0
            places = range(len(argv) + startfrom, 0, -1) if backwards else range(startfrom, len(argv) - 1)
            wanted = keyword.encode()
            for place in places:
                if argv[place].upper() == wanted:
                    return place + 1
    return 0


READ: Final = ("RO", "access")
STORED: Final = ("OW", "update")
CHANGED: Final = ("RW", "access", "update")
MOVED: Final = ("RW", "access", "delete")


def set_keys(argv: Sequence[bytes]) -> list[Found]:
    reads = any(word.upper() in (b"GET", b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE") for word in argv[3:])
    return [(1, CHANGED if reads else STORED)]


def delex_keys(argv: Sequence[bytes]) -> list[Found]:
    return [(1, MOVED if len(argv) > 2 else ("RM", "delete"))]


def bitfield_keys(argv: Sequence[bytes]) -> list[Found]:
    """Only GET, and the OVERFLOW that does nothing to it, leave the key as it is."""
    place = 2
    while place < len(argv):
        word = argv[place].upper()
        if word == b"GET" and place + 2 < len(argv):
            place += 3
        elif word == b"OVERFLOW" and place + 1 < len(argv):
            place += 2
        else:
            return [(1, CHANGED)]
    return [(1, READ)]


def sort_keys(argv: Sequence[bytes]) -> list[Found]:
    """The keys that BY and GET make of the elements cannot be told beforehand."""
    found: list[Found] = [(1, READ)]
    place = 2
    while place < len(argv):
        word = argv[place].upper()
        if word == b"STORE" and place + 1 < len(argv):
            # The last one counts.
            found[1:] = [(place + 1, STORED)]
        place += 1 + SORT_VALUES.get(word, 0)
    return found


SORT_VALUES: Final = {b"LIMIT": 2, b"GET": 1, b"BY": 1, b"STORE": 1}


def sort_ro_keys(argv: Sequence[bytes]) -> list[Found]:
    return [(1, READ)]


def georadius_keys(argv: Sequence[bytes]) -> list[Found]:
    """Only the last of several destinations counts, but the others are named as keys, too."""
    found: list[Found] = [(1, READ)]
    place = 5
    while place + 1 < len(argv):
        if argv[place].upper() in (b"STORE", b"STOREDIST"):
            place += 1
            found.append((place, STORED))
        place += 1
    return found


def migrate_keys(argv: Sequence[bytes]) -> list[Found]:
    """One key in its place, or, if that is left empty, all that follow KEYS."""
    place = 6
    while place < len(argv):
        word = argv[place].upper()
        if word == b"KEYS":
            return [] if argv[3] else [(key, MOVED) for key in range(place + 1, len(argv))]
        place += 1 + MIGRATE_VALUES.get(word, 0)
    return [(3, MOVED)]


MIGRATE_VALUES: Final = {b"AUTH": 1, b"AUTH2": 2}


def xread_keys(argv: Sequence[bytes]) -> list[Found]:
    """The first half of what follows STREAMS, before which there are only known options."""
    place = 1
    while place < len(argv):
        word = argv[place].upper()
        if word == b"STREAMS":
            count, odd = divmod(len(argv) - place - 1, 2)
            return [] if odd else [(key, READ) for key in range(place + 1, place + 1 + count)]
        if word not in XREAD_VALUES:
            return []
        place += 1 + XREAD_VALUES[word]
    return []


XREAD_VALUES: Final = {b"BLOCK": 1, b"COUNT": 1, b"GROUP": 2, b"CLAIM": 1, b"NOACK": 0}

FINDERS: Final[dict[str, Callable[[Sequence[bytes]], list[Found]]]] = {
    "set": set_keys,
    "delex": delex_keys,
    "bitfield": bitfield_keys,
    "sort": sort_keys,
    "sort_ro": sort_ro_keys,
    "georadius": georadius_keys,
    "georadiusbymember": georadius_keys,
    "migrate": migrate_keys,
    "xread": xread_keys,
    "xreadgroup": xread_keys,
}
