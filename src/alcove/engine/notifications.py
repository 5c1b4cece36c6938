"""Keyspace notifications: the events of keys as messages of Pub/Sub, as far as `notify-keyspace-events` asks for them.

An event becomes up to two messages, in this order: its name on `__keyspace@<database>__:<key>`, and its key on
`__keyevent@<database>__:<event>`. The keyspace looks at `event_mask` before it tells of anything, so that events
nobody asked for cost one test of a bit.
"""

from __future__ import annotations

from alcove.engine.channels import Channels
from alcove.engine.events import KEYEVENT, KEYSPACE
from alcove.engine.keyspace import Keyspace


class Notifications:
    """The events of one keyspace, published on its engine's channels."""

    def __init__(self, space: Keyspace, channels: Channels) -> None:
        self.channels = channels
        self._space = space
        self._by_key = False
        self._by_event = False
        space.listener = self.publish

    def choose(self, classes: int) -> None:
        """Publishes the events of these classes from now on; none where neither kind of channel is among them."""
        self._by_key = bool(classes & KEYSPACE)
        self._by_event = bool(classes & KEYEVENT)
        self._space.event_mask = classes & ~(KEYSPACE | KEYEVENT) if self._by_key or self._by_event else 0

    def publish(self, database: int, event_class: int, event: bytes, key: bytes) -> None:
        """The keyspace's listener."""
        channels = self.channels
        if len(channels.channels) == 0 and len(channels.patterns) == 0:
            return
        if self._by_key:
            channels.publish(b"__keyspace@%d__:%b" % (database, key), event)
        if self._by_event:
            channels.publish(b"__keyevent@%d__:%b" % (database, event), key)
