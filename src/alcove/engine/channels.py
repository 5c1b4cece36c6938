"""Pub/Sub: which sessions listen to what, and how a message reaches them.

There are three audiences: those of channels, of patterns, and of shard channels, which on one server are channels of
their own. A message is one value, given to every session that is to have it; a front end that encodes it does so once
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from alcove.engine.glob import matches
from alcove.engine.session import SUBSCRIBER, Session
from alcove.values import Push


class Audience:
    """Who listens to what, of one kind; asked for by name (of a channel, or a pattern) and by session.

    All collections are dicts without values: they keep the order in which listeners came.
    """

    def __init__(self) -> None:
        self.listeners: dict[bytes, dict[Session, None]] = {}
        self._names: dict[Session, dict[bytes, None]] = {}

    def __len__(self) -> int:
        """How many names there are that somebody listens to."""
        return len(self.listeners)

    def add(self, session: Session, name: bytes) -> None:
        self.listeners.setdefault(name, {})[session] = None
        self._names.setdefault(session, {})[name] = None

    def remove(self, session: Session, name: bytes) -> None:
        """Does nothing if the session did not listen to that."""
        names = self._names.get(session)
        if names is None or name not in names:
            return
        del names[name]
        if not names:
            del self._names[session]
        listeners = self.listeners[name]
        del listeners[session]
        if not listeners:
            del self.listeners[name]

    def names(self, session: Session) -> list[bytes]:
        """What a session listens to."""
        return list(self._names.get(session, ()))

    def subscriptions(self, session: Session) -> int:
        """How much a session listens to."""
        return len(self._names.get(session, ()))

    def count(self, name: bytes) -> int:
        """How many listen to that."""
        return len(self.listeners.get(name, ()))

    def matching(self, pattern: bytes) -> Iterator[bytes]:
        """The names that somebody listens to and that fit a pattern."""
        return (name for name in self.listeners if matches(pattern, name))

    def sessions(self) -> Mapping[Session, object]:
        """Who listens to anything."""
        return self._names


class Channels:
    """The audiences of one engine. Its lock is held in every method."""

    def __init__(self) -> None:
        self.channels = Audience()
        self.patterns = Audience()
        self.shards = Audience()

    def subscribe(self, session: Session, audience: Audience, name: bytes) -> int:
        """Has a session listen from now on; how many subscriptions it then has, as `subscriptions` counts them."""
        audience.add(session, name)
        session.gate |= SUBSCRIBER
        return self.subscriptions(session, audience)

    def unsubscribe(self, session: Session, audience: Audience, name: bytes) -> int:
        """Has a session listen no more; how many subscriptions it has left, as `subscriptions` counts them."""
        audience.remove(session, name)
        self._settle(session)
        return self.subscriptions(session, audience)

    def subscriptions(self, session: Session, audience: Audience) -> int:
        """What replies count: channels and patterns of a session together, its shard channels apart."""
        if audience is self.shards:
            return self.shards.subscriptions(session)
        return self.channels.subscriptions(session) + self.patterns.subscriptions(session)

    def leave(self, session: Session) -> None:
        """Ends all subscriptions of a session, without a word to it."""
        if session.gate & SUBSCRIBER:
            for audience in (self.channels, self.patterns, self.shards):
                for name in audience.names(session):
                    audience.remove(session, name)
            session.gate &= ~SUBSCRIBER

    def _settle(self, session: Session) -> None:
        """A session without subscriptions may say anything again."""
        if not any(audience.subscriptions(session) for audience in (self.channels, self.patterns, self.shards)):
            session.gate &= ~SUBSCRIBER

    def clients(self) -> int:
        """How many sessions listen to anything."""
        return len({*self.channels.sessions(), *self.patterns.sessions(), *self.shards.sessions()})

    def publish(self, channel: bytes, message: bytes) -> int:
        """Sends a message to all who listen to a channel, or to a pattern that it fits: how many times it was sent."""
        receivers = 0
        listeners = self.channels.listeners.get(channel)
        if listeners is not None:
            receivers = fan_out(listeners, Push((b"message", channel, message)))
        for pattern, listeners in self.patterns.listeners.items():
            if matches(pattern, channel):
                receivers += fan_out(listeners, Push((b"pmessage", pattern, channel, message)))
        return receivers

    def publish_sharded(self, channel: bytes, message: bytes) -> int:
        """Sends a message to all who listen to a shard channel: how many they are."""
        listeners = self.shards.listeners.get(channel)
        return 0 if listeners is None else fan_out(listeners, Push((b"smessage", channel, message)))


def fan_out(listeners: dict[Session, None], message: Push) -> int:
    """Gives the same message to all: how many they are. A session that cannot take it ends later, not here."""
    for session in listeners:
        session.send(message)
    return len(listeners)
