"""Notifications without a network: what they are, and which of them a user has read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.feeds import BEGINNING, Entry, order
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.scripts import Script

READ: Final = Script("notifications/read")
PLACES: Final = Script("notifications/places")

EVERYBODY: Final = "all"
# How many single notifications beyond the place up to which all is read are known as read.
MOST_SEEN: Final = 10_000


class Notification(msgspec.Struct, frozen=True):
    """A notification as a user gets it."""

    # Its place in its feed; empty for one that is not kept.
    id: str
    # Whom it was for: "all", "user:<id>" or "role:<role>".
    audience: str
    data: Any
    # When it was sent, in seconds since 1970 by the server's clock; 0.0 for one that is not kept.
    timestamp: float
    is_read: bool = False


class ReadMarks:
    """What a user has read: all up to a place in each feed, and some beyond."""

    def __init__(self, answer: list[Any]) -> None:
        places, seen = answer
        self._places: dict[str, str] = {
            feed.decode(): place.decode() for feed, place in zip(places[::2], places[1::2], strict=True)
        }
        self._seen = {mark.decode() for mark in seen}

    def place(self, feed: str) -> str:
        """Up to where all is read."""
        return self._places.get(feed, BEGINNING)

    def has(self, feed: str, id: str) -> bool:
        return order(id) <= order(self.place(feed)) or mark_of(feed, id) in self._seen


def mark_of(feed: str, id: str) -> str:
    return f"{feed} {id}"


def feeds_of(user: Id, roles: Iterable[Id]) -> list[str]:
    """The feeds that concern a user with these roles."""
    if isinstance(roles, str):
        raise InvalidArgument(f"roles are several texts, not one: {roles!r}")
    return [feed_of_user(user), EVERYBODY, *(feed_of_role(role) for role in dict.fromkeys(roles))]


def feed_of_user(user: Id) -> str:
    return f"user:{id_text(user)}"


def feed_of_role(role: Id) -> str:
    return f"role:{id_text(role)}"


def notification_of(entry: Entry, is_read: bool = False) -> Notification:
    return Notification(entry.id, entry.feed, entry.payload, entry.timestamp, is_read)
