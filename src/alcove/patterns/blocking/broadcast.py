# Derived from alcove/patterns/asyncio/broadcast.py by derive_blocking.py: change it there.
"""One subscriber for all who listen in this process, each with a queue of its own that has an end."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary, ref

from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import Event, Lock, Task, happened, monotonic, sleep, spawn
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.feeds import Closed, Overflow, SlowListener, checked_overflow

log = logging.getLogger("alcove.patterns")

# How long it takes to connect again: at first, and at most.
SHORT_PAUSE_S = 0.05
LONG_PAUSE_S = 2.0

# How long the connection is kept when nobody listens any more, at most.
LINGER_S = 5.0

# Weak on both sides: a broadcaster lives as long as somebody listens by it, or has it.
_of_clients: WeakKeyDictionary[Any, ref[Broadcaster]] = WeakKeyDictionary()


class Listener:
    """Messages of some channels, as far as this listener has not taken them yet.

    `interrupted` is set when messages may have been missed: the connection was lost for a while, or more arrived than
    the queue holds, with "catch_up". One that `resumes` looks elsewhere for what was missed: it gets nothing more until
    it has set that back.
    """

    def __init__(self, channels: Iterable[str], limit: int, overflow: Overflow, resumes: bool) -> None:
        self.channels = tuple(channels)
        self.limit = limit
        self.overflow = overflow
        self.resumes = resumes
        self.interrupted = False
        # How many messages were dropped.
        self.dropped = 0
        self._queue: deque[tuple[str, bytes]] = deque()
        self._arrived = Event()
        self._subscribed = Event()
        self._waiting_for = set(self.channels)
        self._error: Exception | None = None
        self._broadcaster: Broadcaster | None = None

    def get(self, timeout: float | None = None) -> tuple[str, bytes] | None:
        """The next message as (channel, data); None after `timeout` seconds, or when one that resumes is interrupted.

        Raises `SlowListener` and `Closed` when all that arrived before was taken.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            try:
                message = self._queue.popleft()
            except IndexError:
                message = None
            if self.interrupted and self.resumes:
                # What there is came after what is missing, and is there to be looked up as well.
                return None
            if message is not None:
                return message
            if self._error is not None:
                raise self._error
            self._arrived.clear()
            if self._queue or self._error is not None or (self.interrupted and self.resumes):
                continue
            left = None if until is None else until - monotonic()
            if (left is not None and left <= 0) or not happened(self._arrived, left):
                return None

    def close(self) -> None:
        """Listens no longer."""
        if self._broadcaster is not None:
            self._broadcaster.forget(self)

    # What the broadcaster does with it

    def offer(self, channel: str, data: bytes) -> None:
        if self._error is not None:
            return
        if len(self._queue) >= self.limit:
            if self.overflow == "disconnect":
                self.fail(SlowListener(f"{self.limit} messages were waiting to be taken"))
                return
            if self.overflow == "catch_up":
                self.interrupt()
                return
            self.dropped += 1
            if self.overflow == "drop_newest":
                return
            self._queue.popleft()
        self._queue.append((channel, data))
        self._arrived.set()

    def interrupt(self) -> None:
        if self.resumes:
            # It will be looked up.
            self._queue.clear()
        self.interrupted = True
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._arrived.set()
        self._subscribed.set()

    def confirm(self, channel: str) -> None:
        """A channel is subscribed to, for the first time or again after the connection was lost."""
        if channel in self._waiting_for:
            self._waiting_for.discard(channel)
            if not self._waiting_for:
                self._subscribed.set()
        elif not self.interrupted:
            self.interrupt()

    def subscribed(self, timeout: float) -> bool:
        return happened(self._subscribed, timeout)


class Broadcaster(Pattern):
    """One connection of this process that subscribes to channels, for any number of listeners.

        >>> import alcove
        >>> client = alcove.open()
        >>> broadcaster = Broadcaster.of(client)
        >>> listener = broadcaster.listen(["news"])
        >>> client.publish("news", "hello")
        1
        >>> listener.get()
        ('news', b'hello')
        >>> broadcaster.close()

    A message is at most once: who does not listen when it is published does not get it. The subscriber connects again
    when its connection is lost, and listeners are told by `interrupted`. Each has a queue of `limit` messages; when it
    is full, `overflow` says what is done: "drop_oldest", "drop_newest", "disconnect" (the listener gets
    `SlowListener`), or "catch_up" (the queue is emptied, and `interrupted` set, for those who can look up the rest).
    """

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self._listeners: dict[str, list[Listener]] = {}
        # The channels that were asked for on the connection that there is: "joining", "joined" or "leaving".
        self._states: dict[str, str] = {}
        self._lock = Lock()
        # A message on it wakes the task that alone uses the connection.
        self._bell = f"alcove:bell:{secrets.token_urlsafe(9)}"
        self._task: Task | None = None
        self._closed = False

    @staticmethod
    def of(client: Redis) -> Broadcaster:
        """The broadcaster that all patterns over this client share."""
        known = _of_clients.get(client)
        broadcaster = None if known is None else known()
        if broadcaster is None or broadcaster._closed:
            broadcaster = Broadcaster(client)
            _of_clients[client] = ref(broadcaster)
        return broadcaster

    def listen(
        self,
        channels: Iterable[str],
        *,
        limit: int = 1000,
        overflow: Overflow = "drop_oldest",
        resumes: bool = False,
        timeout: float = 10.0,
    ) -> Listener:
        """Listens to channels: what is published after this returned arrives.

        `resumes` promises to look up what was missed when the listener is `interrupted`; "catch_up" is for such. Raises
        `redis.TimeoutError` when the server does not confirm it within `timeout` seconds.
        """
        names = list(dict.fromkeys(channels))
        if isinstance(channels, str) or not names or not all(isinstance(name, str) and name for name in names):
            raise InvalidArgument(f"channels are one or more texts, not {channels!r}")
        if limit < 1:
            raise InvalidArgument(f"limit is at least 1, not {limit}")
        if overflow == "catch_up" and not resumes:
            raise InvalidArgument("catch_up is for listeners that resume")
        if self._closed:
            raise Closed("the broadcaster was closed")
        listener = Listener(names, limit, checked_overflow(overflow), resumes)
        listener._broadcaster = self
        with self._lock:
            for name in names:
                # A new list: another thread may be going through the old one.
                self._listeners[name] = [*self._listeners.get(name, ()), listener]
                if self._states.get(name) == "joined":
                    listener.confirm(name)
            if self._task is None or self._task.done:
                self._task = spawn("alcove subscriber", self._subscribe)
        self._ring()
        if not listener.subscribed(timeout):
            self.forget(listener)
            raise RedisTimeoutError(f"no subscription to {names} within {timeout} seconds")
        return listener

    def forget(self, listener: Listener) -> None:
        """Takes a listener away; a channel that nobody listens to any more is left."""
        with self._lock:
            for name in listener.channels:
                left = [other for other in self._listeners.get(name, ()) if other is not listener]
                if left:
                    self._listeners[name] = left
                else:
                    self._listeners.pop(name, None)
        listener.fail(Closed("the listener was closed"))
        self._ring()

    def close(self) -> None:
        """Ends the subscriber. Listeners get `Closed` after what has arrived."""
        self._closed = True
        for listeners in list(self._listeners.values()):
            for listener in listeners:
                listener.fail(Closed("the broadcaster was closed"))
        self._listeners.clear()
        self._ring()
        task, self._task = self._task, None
        if task is not None:
            task.join()

    def _ring(self) -> None:
        try:
            self._command("PUBLISH", self._bell, "")
        except RedisError:
            # The subscriber looks by itself when it has connected again.
            log.debug("the subscriber could not be woken")

    # The subscriber

    def _subscribe(self) -> None:
        pause = SHORT_PAUSE_S
        while not self._closed:
            pubsub: Any = self.client.pubsub()  # type: ignore[no-untyped-call, unused-ignore]
            self._states.clear()
            try:
                pubsub.subscribe(self._bell)
                while not self._closed:
                    self._follow(pubsub)
                    message = pubsub.get_message(timeout=min(LINGER_S, self._longest_wait()))
                    if message is not None:
                        self._deliver(message)
                        pause = SHORT_PAUSE_S
                    elif self._is_idle():
                        return
            except (RedisError, OSError) as error:
                log.warning("the subscriber lost its connection: %s", error)
                sleep(pause)
                pause = min(pause * 2, LONG_PAUSE_S)
            finally:
                pubsub.close()

    def _is_idle(self) -> bool:
        """Whether nobody listens; then the task is given up, and who comes next begins another one."""
        with self._lock:
            if self._listeners:
                return False
            self._task = None
            self._states.clear()
            return True

    def _follow(self, pubsub: Any) -> None:
        """Joins the channels that are listened to by now, and leaves the others.

        One that is just being joined or left is seen to when the server has confirmed that.
        """
        with self._lock:
            wanted, states = self._listeners, self._states
            new = [name for name in wanted if name not in states]
            left = [name for name, state in states.items() if state == "joined" and name not in wanted]
            states.update(dict.fromkeys(new, "joining"))
            states.update(dict.fromkeys(left, "leaving"))
        if new:
            pubsub.subscribe(*new)
        if left:
            pubsub.unsubscribe(*left)

    def _deliver(self, message: dict[str, Any]) -> None:
        channel = text_of(message["channel"])
        if message["type"] == "subscribe":
            with self._lock:
                if channel in self._states:
                    self._states[channel] = "joined"
                for listener in self._listeners.get(channel, ()):
                    listener.confirm(channel)
        elif message["type"] == "unsubscribe":
            self._states.pop(channel, None)
        elif message["type"] == "message":
            data = message["data"]
            for listener in self._listeners.get(channel, ()):
                listener.offer(channel, data.encode() if isinstance(data, str) else data)


def text_of(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
