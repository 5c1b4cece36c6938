"""A chat without a network: its messages, and who is there."""

from __future__ import annotations

from typing import Any

import msgspec

from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.feeds import Entry


class ChatMessage(msgspec.Struct, frozen=True):
    """A message in a room."""

    # Its place in the room, to resume after it.
    id: str
    room: str
    user: str
    text: str
    # When it was sent, in seconds since 1970 by the server's clock.
    timestamp: float
    data: Any = None


def message_of(entry: Entry) -> ChatMessage:
    payload = entry.payload
    return ChatMessage(entry.id, entry.feed, payload["user"], payload["text"], entry.timestamp, payload.get("data"))


def checked_user(user: str) -> str:
    if not isinstance(user, str) or not 0 < len(user) <= 200:
        raise InvalidArgument(f"a user's name is text of 1 to 200 characters, not {user!r:.60}")
    return user


def checked_text(text: str, longest: int) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        raise InvalidArgument(f"a message is text of 1 to {longest} characters")
    return text


def users_of(seats: list[bytes]) -> list[str]:
    """The users who have a seat, each once, by name. A seat is a token, a blank and the user."""
    return sorted({seat.partition(b" ")[2].decode() for seat in seats})
