"""The classes of keyspace events, as bits, with the letters `notify-keyspace-events` gives them."""

from __future__ import annotations

from typing import Final

KEYSPACE: Final = 1
KEYEVENT: Final = 2
GENERIC: Final = 4
STRING: Final = 8
LIST: Final = 16
SET: Final = 32
HASH: Final = 64
SORTED_SET: Final = 128
EXPIRED: Final = 256
EVICTED: Final = 512
STREAM: Final = 1024
MISS: Final = 2048
MODULE: Final = 4096
NEW: Final = 8192
OVERWRITTEN: Final = 16384
TYPE_CHANGED: Final = 32768

LETTERS: Final = {
    "K": KEYSPACE,
    "E": KEYEVENT,
    "g": GENERIC,
    "$": STRING,
    "l": LIST,
    "s": SET,
    "h": HASH,
    "z": SORTED_SET,
    "x": EXPIRED,
    "e": EVICTED,
    "t": STREAM,
    "m": MISS,
    "d": MODULE,
    "n": NEW,
    "o": OVERWRITTEN,
    "c": TYPE_CHANGED,
}
# The letter A stands for all classes but misses, new keys and what becomes of overwritten ones.
ALL: Final = GENERIC | STRING | LIST | SET | HASH | SORTED_SET | EXPIRED | EVICTED | STREAM | MODULE
