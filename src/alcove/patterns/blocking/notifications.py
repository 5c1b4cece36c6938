# Derived from alcove/patterns/asyncio/notifications.py by derive_blocking.py: change it there.
"""Notifications: for a user, a role or everybody, heard at once and kept until they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis

from alcove.patterns.blocking.feeds import Feeds, Hearing, Subscription
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.feeds import Overflow, order
from alcove.patterns.core.keys import Id
from alcove.patterns.core.notifications import (
    EVERYBODY,
    MOST_SEEN,
    PLACES,
    READ,
    Notification,
    ReadMarks,
    feed_of_role,
    feed_of_user,
    feeds_of,
    mark_of,
    notification_of,
)
from alcove.patterns.core.scripts import Word

MONTH_S = 2_592_000


class NotificationService:
    """Notifications of users.

        >>> import alcove
        >>> service = NotificationService(alcove.open())
        >>> notification = service.notify("ann", {"text": "you have won"})
        >>> notification = service.notify_by_role("admin", {"text": "somebody has won"})
        >>> service.unread_count("ann", roles=["admin"])
        2
        >>> sorted(one.data["text"] for one in service.inbox("ann", roles=["admin"]))
        ['somebody has won', 'you have won']

    What is for everybody or for a role is stored once, and put together with a user's own when that reads. There are
    two tiers. A notification is at least once: it is kept, about `history` of each audience, for `ttl` seconds after
    the last one, and counts as unread until it is marked. With `keep=False` it is at most once: heard by those who
    listen at the moment, and gone. With an `id` of the caller's it is sent once, however often within ten minutes.
    """

    def __init__(
        self,
        client: Redis,
        *,
        history: int = 1000,
        ttl: float | None = MONTH_S,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        self._feeds = Feeds(client, "notifications", history=history, ttl=ttl, codec=codec, namespace=namespace)
        self._kept_ms = round((ttl or MONTH_S) * 3000)

    # Sending

    def notify(self, user_id: Id, notification: Any, *, id: str | None = None, keep: bool = True) -> Notification:
        """Notifies a user."""
        return self._post(feed_of_user(user_id), notification, id, keep)

    def notify_all(self, notification: Any, *, id: str | None = None, keep: bool = True) -> Notification:
        """Notifies everybody."""
        return self._post(EVERYBODY, notification, id, keep)

    def notify_by_role(self, role: Id, notification: Any, *, id: str | None = None, keep: bool = True) -> Notification:
        """Notifies those who have a role when they read."""
        return self._post(feed_of_role(role), notification, id, keep)

    def _post(self, feed: str, notification: Any, id: str | None, keep: bool) -> Notification:
        if keep:
            return notification_of(self._feeds.post(feed, notification, id=id))
        self._feeds.announce(feed, notification)
        return Notification("", feed, notification, 0.0)

    # Reading

    def inbox(self, user_id: Id, *, roles: Iterable[Id] = (), limit: int = 50) -> list[Notification]:
        """The latest notifications of a user with these roles, the newest first."""
        marks = self._marks(user_id)
        found = []
        for feed in feeds_of(user_id, roles):
            for entry in self._feeds.latest(feed, limit):
                found.append(notification_of(entry, marks.has(feed, entry.id)))
        found.sort(key=lambda one: order(one.id), reverse=True)
        return found[:limit]

    def unread_count(self, user_id: Id, *, roles: Iterable[Id] = ()) -> int:
        """How many notifications a user with these roles has not read, of those that are kept."""
        marks = self._marks(user_id)
        count = 0
        for feed in feeds_of(user_id, roles):
            words: list[Word] = [marks.place(feed), 2 * self._feeds.history]
            places = self._feeds._run(PLACES, [self._feeds.stream(feed)], words)
            count += sum(not marks.has(feed, place.decode()) for place in places)
        return count

    def mark_read(self, user_id: Id, *notifications: Notification) -> None:
        """These are read: they have reached the user, and do not come again."""
        marks = [mark_of(one.audience, one.id) for one in notifications if one.id]
        if marks:
            self._read(user_id, ["seen", *marks])

    def mark_all_read(self, user_id: Id, *, roles: Iterable[Id] = ()) -> None:
        """All that a user with these roles has got up to now is read."""
        words: list[Word] = ["upto"]
        for feed in feeds_of(user_id, roles):
            words += (feed, self._feeds.last_place(feed))
        self._read(user_id, words)

    def _marks(self, user_id: Id) -> ReadMarks:
        return ReadMarks(self._read(user_id, ["get"]))

    def _read(self, user_id: Id, words: list[Word]) -> Any:
        stream = self._feeds.stream(feed_of_user(user_id))
        return self._feeds._run(READ, [f"{stream}:read", f"{stream}:seen"], [self._kept_ms, MOST_SEEN, *words])

    # Listening

    def listen(
        self, user_id: Id, *, roles: Iterable[Id] = (), limit: int = 1000, overflow: Overflow = "catch_up"
    ) -> Notifications:
        """Listens for a user with these roles: what is unread comes first, then what is new, each once.

        What is not marked as read comes again to the next who listens for this user.
        """
        marks = self._marks(user_id)
        places: dict[str, str | None] = {feed: marks.place(feed) for feed in feeds_of(user_id, roles)}
        subscription = self._feeds.subscribe(places, limit=limit, overflow=overflow)
        return Notifications(self, user_id, marks, subscription)


class Notifications(Hearing[Notification]):
    """Notifications of a user as they come, by `get` or by iteration, until this is closed."""

    def __init__(self, service: NotificationService, user_id: Id, marks: ReadMarks, subscription: Subscription) -> None:
        self.service = service
        self.user_id = user_id
        self._marks = marks
        self._subscription = subscription

    def get(self, timeout: float | None = None) -> Notification | None:
        """The next notification; None after `timeout` seconds. Raises `SlowListener` or `Closed`."""
        while True:
            entry = self._subscription.get(timeout)
            if entry is None:
                return None
            if not entry.id or not self._marks.has(entry.feed, entry.id):
                return notification_of(entry)

    def mark_read(self, *notifications: Notification) -> None:
        """Acknowledges notifications: they do not come again."""
        self.service.mark_read(self.user_id, *notifications)

    def close(self) -> None:
        self._subscription.close()
