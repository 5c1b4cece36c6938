"""Writing behind without a network: what a store is given, how far it is behind, and what was given up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import Keys
from alcove.patterns.core.scripts import Script, Word

WRITE: Final = Script("writes/write", once=True, with_=["writes/queue"])
OVERLAY: Final = Script("writes/overlay", with_=["writes/queue"])
CLAIM: Final = Script("writes/claim", once=True, with_=["writes/queue"])
SETTLE: Final = Script("writes/settle", once=True, with_=["writes/queue"])
WATCH: Final = Script("writes/watch", once=True, with_=["writes/queue"])

# The parts of a shard, as the scripts want them.
PARTS: Final = ("pending", "due", "flying", "leases", "dead", "version")


class TooMuchPending(PatternError):
    """More keys wait for the store than may. Nothing was changed."""


class Update(msgspec.Struct, frozen=True):
    """Changes of a key that the store is to make.

    `id` is the same whenever the same update is handed out again: a store that remembers it applies it once. `version`
    is higher for each later update of a key: a store that keeps it refuses what is older than what it has.
    """

    key: str
    changes: dict[str, Any]
    version: int
    attempt: int
    # When the first of the changes was made, in seconds since 1970 by the server's clock.
    first_at: float

    @property
    def id(self) -> str:
        return f"{self.key}:{self.version}"


class DeadUpdate(msgspec.Struct, frozen=True):
    """An update that was given up, and why."""

    update: Update
    error: str


class Lag(msgspec.Struct, frozen=True):
    """How far the store is behind."""

    pending: int
    flying: int
    dead: int
    # How old the oldest change is that the store may not have yet, in seconds.
    seconds: float


def parts(keys: Keys, name: str, shard: int) -> list[str]:
    return [keys.tagged(name, shard, part) for part in PARTS]


def change_words(changes: Mapping[str, Any], codec: Codec[Any]) -> list[Word]:
    """Names and values of changes. Raises `InvalidArgument` and `CannotEncode`."""
    if not isinstance(changes, Mapping) or not changes:
        raise InvalidArgument(f"changes are a mapping of at least one field, not {changes!r:.60}")
    words: list[Word] = []
    for name, value in changes.items():
        if not isinstance(name, str) or not name:
            raise InvalidArgument(f"a field's name is text and not empty, not {name!r}")
        words += (name, codec.encode(value))
    return words


def changes_of(flat: list[bytes], codec: Codec[Any]) -> dict[str, Any]:
    return {name.decode(): codec.decode(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def update_of(raw: list[Any], codec: Codec[Any]) -> Update:
    key, version, attempt, first_ms, flat = raw[:5]
    return Update(key.decode(), changes_of(flat, codec), version, attempt, int(first_ms) / 1000)


def backoff_s(attempt: int, first: float, longest: float) -> float:
    """For how long to wait after an attempt: twice as long each time, and not all at once."""
    return min(longest, first * float(2 ** min(attempt - 1, 30))) * random.uniform(0.5, 1.0)
