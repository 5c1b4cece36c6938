"""Chat rooms: what was said, who is there, and hearing it all without a gap."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from alcove.patterns.asyncio.feeds import Feeds, Hearing, Subscription
from alcove.patterns.asyncio.runtime import Task, sleep, spawn
from alcove.patterns.core.chat import ChatMessage, checked_text, checked_user, message_of, users_of
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.feeds import PRESENT, Entry, Overflow
from alcove.patterns.core.keys import Id

log = logging.getLogger("alcove.patterns")


class ChatRoom:
    """A room: messages that are kept for a while, and those who are in it.

        >>> import alcove.asyncio
        >>> room = ChatRoom(alcove.asyncio.open(), 1)
        >>> async with await room.join("ann") as seat:
        ...     message = await room.send("bob", "hello")
        ...     heard = await seat.get()
        ...     print(heard.user, heard.text, heard.id == message.id, await room.present())
        bob hello True ['ann']

    About the last `history` messages are kept, for `ttl` seconds after the last one. Whoever joins hears what is said
    from then on, or `after` a message that he has seen, each once and in order; also when connections are lost or he
    is slow for a while. A message is said when `send` returned; with an `id` of the caller's it is said once, however
    often it is sent within ten minutes. Presence is a lease of `lease` seconds that is renewed: whoever vanishes is
    gone when it ends. All of a room's keys are on one node of a cluster. When the server restarts, what it kept is
    there, and listeners go on by themselves.
    """

    def __init__(
        self,
        client: Redis,
        room: Id,
        *,
        history: int = 1000,
        ttl: float | None = None,
        longest: int = 4000,
        lease: float = 30.0,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        if lease <= 0 or longest < 1:
            raise InvalidArgument("lease is more than 0 seconds, longest at least 1 character")
        self.room = str(room)
        self.longest = longest
        self.lease = lease
        self._feeds = Feeds(client, "chat:room", history=history, ttl=ttl, codec=codec, namespace=namespace)
        self._present = f"{self._feeds.stream(room)}:present"

    async def send(self, user: str, text: str, *, id: str | None = None, data: Any = None) -> ChatMessage:
        """Says something. `data` goes with it, such as a picture's address."""
        payload = {"user": checked_user(user), "text": checked_text(text, self.longest)}
        if data is not None:
            payload["data"] = data
        return message_of(await self._feeds.post(self.room, payload, id=id))

    async def history(self, limit: int = 50, *, before: str | None = None) -> list[ChatMessage]:
        """The last messages, in their order; or the last ones before the message of an id."""
        return [message_of(entry) for entry in await self._feeds.latest(self.room, limit, before=before)]

    async def join(
        self, user: str | None = None, *, after: str | None = None, limit: int = 1000, overflow: Overflow = "catch_up"
    ) -> Seat:
        """Listens, from now on or after the message of an id; as a user who is there for the others, if one is given.

        Of messages that are not taken, up to `limit` wait in this process; what is done with more, `overflow` says:
        they are read again later ("catch_up"), or "drop_oldest", "drop_newest", "disconnect".
        """
        if user is not None:
            checked_user(user)
        subscription = await self._feeds.subscribe({self.room: after}, limit=limit, overflow=overflow)
        seat = Seat(self, subscription, user)
        await seat.take()
        return seat

    async def present(self) -> list[str]:
        """Who is there, by name."""
        return users_of(await self.presence("list", ""))

    async def presence(self, what: str, seat: str) -> Any:
        """What the script of presence answers: "enter", "leave" or "list"."""
        return await self._feeds._run(PRESENT, [self._present], [what, seat, round(self.lease * 1000)])


class Seat(Hearing[ChatMessage]):
    """A place in a room: messages as they come, by `get` or by iteration, until it is closed."""

    def __init__(self, room: ChatRoom, subscription: Subscription, user: str | None) -> None:
        self.room = room
        self.user = user
        self._subscription = subscription
        self._seat = f"{secrets.token_urlsafe(9)} {user}"
        self._renewal: Task | None = None

    @property
    def last_seen(self) -> str:
        """The id of the last message taken: to join again after it."""
        return self._subscription.places[self.room.room]

    @property
    def missed(self) -> bool:
        """Whether there may have been messages that are not kept any more."""
        return self._subscription.missed

    @missed.setter
    def missed(self, value: bool) -> None:
        self._subscription.missed = value

    async def get(self, timeout: float | None = None) -> ChatMessage | None:
        """The next message; None after `timeout` seconds. Raises `SlowListener` or `Closed`."""
        entry: Entry | None = await self._subscription.get(timeout)
        return None if entry is None else message_of(entry)

    async def take(self) -> None:
        if self.user is not None:
            await self.room.presence("enter", self._seat)
            self._renewal = spawn("alcove presence", self._renew)

    async def _renew(self) -> None:
        while True:
            await sleep(self.room.lease / 3)
            try:
                await self.room.presence("enter", self._seat)
            except RedisError as error:
                log.warning("presence in room %s could not be renewed: %s", self.room.room, error)

    async def aclose(self) -> None:
        """Leaves."""
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.cancel()
            await renewal.join()
        await self._subscription.aclose()
        if renewal is not None:
            await self.room.presence("leave", self._seat)
