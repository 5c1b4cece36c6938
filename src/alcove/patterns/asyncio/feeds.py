"""Feeds: messages that are kept for a while in a stream, and heard at once by those who listen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, Generic, Self, TypeVar

from redis.asyncio import Redis

from alcove.patterns.asyncio.broadcast import Broadcaster, Listener
from alcove.patterns.asyncio.pattern import Pattern
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.feeds import (
    BEGINNING,
    CHUNK,
    POST,
    Closed,
    Entry,
    Overflow,
    checked_place,
    entries_of,
    entry_of,
    order,
)
from alcove.patterns.core.keys import Id
from alcove.patterns.core.scripts import Word

T = TypeVar("T")

# For how long it is remembered that a message was posted under an id of the caller's, in seconds.
REMEMBERED_S = 600


class Feeds(Pattern):
    """Any number of feeds: what is posted is kept, in order, and told to those who listen.

    A feed keeps about `history` messages, for `ttl` seconds after the last one. All its keys are on one node of a
    cluster, and its channel is heard on all of them. `codec` is to write text, as JSON does, unless the client leaves
    replies undecoded.
    """

    def __init__(
        self,
        client: Redis,
        kind: str,
        *,
        history: int = 1000,
        ttl: float | None = None,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        if history < 1:
            raise InvalidArgument(f"history is at least 1, not {history}")
        if ttl is not None and ttl <= 0:
            raise InvalidArgument(f"ttl is None or more than 0 seconds, not {ttl}")
        self.kind = kind
        self.codec = codec
        self.history = history
        self._ttl_ms = 0 if ttl is None else round(ttl * 1000)

    def stream(self, feed: Id) -> str:
        return self.keys.tagged(self.kind, feed)

    def channel(self, feed: Id) -> str:
        return f"{self.stream(feed)}:live"

    async def post(self, feed: Id, payload: Any, *, id: str | None = None) -> Entry:
        """Posts a message. With an `id` of the caller's, the same id again within ten minutes posts nothing more."""
        stream = self.stream(feed)
        if id is not None and not id:
            raise InvalidArgument("a message's id is not empty")
        marker = self.keys.tagged(self.kind, feed, "posted", id or "none")
        words: list[Word] = [
            f"{stream}:live",
            self.codec.encode(payload),
            self.history,
            self._ttl_ms,
            id or "",
            REMEMBERED_S * 1000,
        ]
        place, _, _ = await self._run(POST, [stream, marker, f"{stream}:calls"], words)
        return Entry(str(feed), place.decode(), payload)

    async def announce(self, feed: Id, payload: Any) -> int:
        """Tells those who listen now, and keeps nothing. Answers how many connections heard it, where that is known.

        In a cluster two announcements may take different ways, and change their order.
        """
        heard: int = await self._command("PUBLISH", self.channel(feed), b" " + self.codec.encode(payload))
        return heard

    async def latest(self, feed: Id, limit: int = 50, *, before: str | None = None) -> list[Entry]:
        """The last messages, in their order; or the last ones before a place."""
        if limit < 1:
            raise InvalidArgument(f"limit is at least 1, not {limit}")
        end = f"({checked_place(before)}" if before else "+"
        raw = await self._command("XREVRANGE", self.stream(feed), end, "-", "COUNT", limit)
        return entries_of(str(feed), raw, self.codec)[::-1]

    async def after(self, feed: Id, place: str, limit: int = CHUNK) -> list[Entry]:
        """The first messages after a place."""
        raw = await self._command("XRANGE", self.stream(feed), f"({checked_place(place)}", "+", "COUNT", limit)
        return entries_of(str(feed), raw, self.codec)

    async def last_place(self, feed: Id) -> str:
        """The place of the last message."""
        raw = await self._command("XREVRANGE", self.stream(feed), "+", "-", "COUNT", 1)
        return raw[0][0].decode() if raw else BEGINNING

    async def is_gone(self, feed: Id, place: str) -> bool:
        """Whether messages after a place are not kept any more."""
        if place == BEGINNING:
            return False
        raw = await self._command("XRANGE", self.stream(feed), "-", "+", "COUNT", 1)
        return bool(raw) and order(raw[0][0].decode()) > order(place)

    async def subscribe(
        self, places: dict[str, str | None], *, limit: int = 1000, overflow: Overflow = "catch_up"
    ) -> Subscription:
        """Listens to feeds, each from a place on: what was posted since comes first. None is from now on."""
        feeds = {self.channel(feed): feed for feed in places}
        listener = await Broadcaster.of(self.client).listen(feeds, limit=limit, overflow=overflow, resumes=True)
        known = {}
        for feed, place in places.items():
            known[feed] = await self.last_place(feed) if place is None else checked_place(place)
        behind = [feed for feed, place in places.items() if place is not None]
        return Subscription(self, listener, feeds, known, behind)


class Hearing(ABC, Generic[T]):
    """What is heard, to be taken by `get` or by iteration until it is closed."""

    @abstractmethod
    async def get(self, timeout: float | None = None) -> T | None:
        """The next message; None after `timeout` seconds. Raises `SlowListener` or `Closed` when there is no more."""

    @abstractmethod
    async def aclose(self) -> None:
        """Listens no longer."""

    async def __aiter__(self) -> AsyncIterator[T]:
        """Messages until this is closed."""
        while True:
            try:
                message = await self.get()
            except Closed:
                return
            if message is not None:
                yield message

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class Subscription(Hearing[Entry]):
    """Messages of some feeds, as they come: in each feed's order, without a gap and none twice.

    To be taken by `get` or by iteration. When the connection was lost, or this was too slow and may catch up, what was
    missed is read from the streams. `places` has the last message taken of each feed, to go on from later; `missed` is
    true when there was something between that is not kept any more.
    """

    def __init__(
        self, feeds: Feeds, listener: Listener, channels: dict[str, str], places: dict[str, str], behind: Iterable[str]
    ) -> None:
        self.places = places
        self.missed = False
        self._feeds = feeds
        self._listener = listener
        self._channels = channels
        self._behind = deque(behind)
        self._read: deque[Entry] = deque()
        self._asked_for_gap = set[str]()

    @property
    def dropped(self) -> int:
        """How many messages were dropped because this was too slow."""
        return self._listener.dropped

    async def get(self, timeout: float | None = None) -> Entry | None:
        """The next message; None after `timeout` seconds. Raises `SlowListener` or `Closed` when there is no more."""
        while True:
            if self._read:
                return self._taken(self._read.popleft())
            if self._listener.interrupted:
                self._listener.interrupted = False
                self._behind.extend(feed for feed in self.places if feed not in self._behind)
                self._asked_for_gap.clear()
            if self._behind:
                await self._catch_up(self._behind[0])
                continue
            message = await self._listener.get(timeout)
            if message is None and not self._listener.interrupted:
                return None
            if message is None:
                continue
            channel, data = message
            entry = entry_of(self._channels[channel], data, self._feeds.codec)
            if not entry.id:
                return entry
            if order(entry.id) > order(self.places[entry.feed]):
                return self._taken(entry)

    async def _catch_up(self, feed: str) -> None:
        place = self.places[feed]
        if feed not in self._asked_for_gap:
            self._asked_for_gap.add(feed)
            self.missed |= await self._feeds.is_gone(feed, place)
        entries = await self._feeds.after(feed, place)
        self._read.extend(entries)
        if len(entries) < CHUNK:
            self._behind.popleft()

    def _taken(self, entry: Entry) -> Entry:
        self.places[entry.feed] = entry.id
        return entry

    async def aclose(self) -> None:
        await self._listener.aclose()
