"""What a handler sees of the world: its session's keys, the configuration, the time, and ways to record and wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alcove.engine.blocking import Wait
from alcove.engine.session import Session
from alcove.errors import NOT_A_DB_INDEX, NOT_AN_INTEGER, CommandError
from alcove.numeric import parse_bounded

if TYPE_CHECKING:
    from alcove.engine.config import Config
    from alcove.engine.engine import Engine
    from alcove.engine.keyspace import Database


class Context:
    """One session's view of the engine; handlers get it as their first argument."""

    def __init__(self, engine: Engine, session: Session) -> None:
        self.engine = engine
        self.session = session
        # The database that the session has selected.
        self.keys: Database = session.database
        # Whether the handler said itself what is to be recorded.
        self.recorded = False

    @property
    def now_ms(self) -> int:
        """The Unix time in milliseconds, the same throughout a command, an EXEC or a script."""
        return self.keys.space.now_ms

    @property
    def config(self) -> Config:
        return self.engine.config

    def record(self, *argv: bytes) -> None:
        """Says what the sinks are to replay instead of the command as it came. May be called several times.

        To be called only where something changed: what is recorded is handed over whatever the counter says.
        """
        self.recorded = True
        space = self.keys.space
        if space.recording:
            space.records.append((self.keys.number, list(argv)))

    def record_in(self, database: Database, *argv: bytes) -> None:
        """As `record`, for a key of another database."""
        self.recorded = True
        space = database.space
        if space.recording:
            space.records.append((database.number, list(argv)))

    def record_nothing(self) -> None:
        """The command changed something that replay is not to repeat."""
        self.recorded = True

    def select(self, number: int) -> None:
        """Makes another database the session's own."""
        self.session.database = self.keys = self.engine.space.databases[number]

    def database_at(self, number: bytes, error: str = NOT_AN_INTEGER) -> Database:
        """The database of a number that the user gave; `error` is for what is no number."""
        index = parse_bounded(number, -(2**31), 2**31 - 1, error)
        databases: list[Database] = self.keys.space.databases
        if not 0 <= index < len(databases):
            raise CommandError(NOT_A_DB_INDEX)
        return databases[index]

    def wait(
        self,
        keys: list[bytes],
        timeout_us: int,
        retry: Callable[[], Any],
        timeout_reply: Any,
        on_removal: bool = False,
        wake_us: Callable[[], int] | None = None,
    ) -> Any:
        """What a handler returns to block: see `Wait`. `timeout_us` is 0 for no end.

        Where blocking is not allowed (in EXEC or a script) the reply is that of a timeout, at once.
        """
        if self.session.executing:
            return timeout_reply
        deadline_us = self.engine.clock.monotonic_us() + timeout_us if timeout_us else 0
        return Wait(self.session, self.keys, keys, deadline_us, retry, timeout_reply, on_removal, wake_us)
