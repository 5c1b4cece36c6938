"""Feeds without a network: messages in streams, their order, and what listeners that are too slow may wish for."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, get_args

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.scripts import Script

POST: Final = Script("feed/post", once=True)
PRESENT: Final = Script("feed/present")

# What becomes of a listener that has `limit` messages waiting when one more arrives.
Overflow = Literal["drop_oldest", "drop_newest", "disconnect", "catch_up"]
# How many messages are read from a stream at a time.
CHUNK: Final = 200
BEGINNING: Final = "0-0"
_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")


class SlowListener(PatternError):
    """The listener took its messages too slowly and was disconnected, as it was to be."""


class Closed(PatternError):
    """The listener, or what it listens by, was closed."""


class Entry(msgspec.Struct, frozen=True):
    """A message as it stands in a feed."""

    # The name that the listener gave the feed.
    feed: str
    # Its place: ids ascend. Empty for a message that is not kept.
    id: str
    payload: Any

    @property
    def timestamp(self) -> float:
        """When it was posted, in seconds since 1970 by the server's clock; 0.0 for a message that is not kept."""
        return int(self.id.partition("-")[0]) / 1000 if self.id else 0.0


def order(id: str) -> tuple[int, int]:
    """What ids are compared by."""
    milliseconds, _, sequence = id.partition("-")
    return int(milliseconds), int(sequence)


def checked_place(id: str) -> str:
    """A place in a feed, as `Entry.id` has it. Raises `InvalidArgument`."""
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise InvalidArgument(f"a place in a feed is an id such as 1700000000000-0, not {id!r}")
    return id


def checked_overflow(overflow: str) -> Overflow:
    if overflow not in get_args(Overflow):
        raise InvalidArgument(f"overflow is one of {', '.join(get_args(Overflow))}, not {overflow!r}")
    return overflow  # type: ignore[return-value]


def entry_of(feed: str, data: bytes, codec: Codec[Any]) -> Entry:
    """A message from a channel: its id, a blank, and the payload."""
    id, _, payload = data.partition(b" ")
    return Entry(feed, id.decode(), codec.decode(payload))


def entries_of(feed: str, raw: list[Any], codec: Codec[Any]) -> list[Entry]:
    """Messages from a stream."""
    return [Entry(feed, id.decode(), codec.decode(fields[b"m"])) for id, fields in raw]
