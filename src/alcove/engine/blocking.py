"""What a handler answers to block its session, and how long that holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from alcove.engine.keyspace import Database
    from alcove.engine.session import Session


class NotReady:
    """The type of `NOT_READY`."""

    __slots__ = ()


# What `Wait.retry` answers while there is still nothing for its session.
NOT_READY: Final = NotReady()


class Parked:
    """The type of `PARKED`."""

    __slots__ = ()


# What `engine.call` answers when the reply comes later, through `session.deliver`.
PARKED: Final = Parked()


class Wait:
    """A session's wait for keys to change.

    `retry` is called, with the keyspace as some command left it, whenever one of `keys` was written; it answers the
    reply, or `NOT_READY`. It runs as its session's command: what it changes is recorded, and a `CommandError` it
    raises is the reply. `deadline_us` is on the monotonic clock, 0 for no end. With `on_removal`, the session is
    also asked when the key is gone (XREADGROUP then answers an error). `wake_us` answers when the session is to be
    asked although nothing was written, on the monotonic clock, 0 for never.
    """

    def __init__(
        self,
        session: Session,
        database: Database,
        keys: list[bytes],
        deadline_us: int,
        retry: Callable[[], Any],
        timeout_reply: Any,
        on_removal: bool,
        wake_us: Callable[[], int] | None = None,
    ) -> None:
        self.session = session
        self.database = database
        self.keys = keys
        self.deadline_us = deadline_us
        self.retry = retry
        self.timeout_reply = timeout_reply
        self.on_removal = on_removal
        self.wake_us = wake_us
        # The moment for which it stands in the engine's line, of the deadline or before it; 0 for none.
        self.armed_us = 0
        self.done = False

    def moment_us(self) -> int:
        """When the engine is to look at this wait, whatever is written: 0 for never."""
        wake_us = 0 if self.wake_us is None else self.wake_us()
        if wake_us and (not self.deadline_us or wake_us < self.deadline_us):
            return wake_us
        return self.deadline_us

    def enlist(self) -> None:
        """Stands in line for each key."""
        for key in self.keys:
            self.database.waiting.setdefault(key, {})[self] = None

    def withdraw(self) -> None:
        """Leaves every line."""
        self.done = True
        waiting = self.database.waiting
        for key in self.keys:
            line = waiting.get(key)
            if line is not None:
                line.pop(self, None)
                if not line:
                    del waiting[key]
