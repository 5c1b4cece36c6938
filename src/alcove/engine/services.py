"""What the engine and those above it agree on: the gates, sinks of effects, and who keeps the data."""

from __future__ import annotations

from typing import Final, Protocol

from alcove.engine.keyspace import Database
from alcove.errors import CommandError

# Why no session's command can simply run: the bits of `Engine.gate`.
GATE_LOADING: Final = 1
GATE_MAXMEMORY: Final = 2
GATE_MISCONF: Final = 4
GATE_BUSY: Final = 8
GATE_STEPS: Final = 16


class Sink(Protocol):
    """Who wants to be told of every effective write: the append-only file, replicas."""

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        """The effects of one command or transaction: (database, arguments) each, to be replayed all or none."""


class Journal(Sink, Protocol):
    """The sink that has to have every effect before a turn's commands are answered: the append-only file."""

    # Whether effects were committed since the last flush; whether answers wait for the disk, or housekeeping syncs.
    pending: bool
    always: bool
    everysec: bool
    # Whether what is committed is held back until the disk has what was written before.
    held: bool
    # The places in the file behind what the system has, and behind what the disk has.
    appended: int
    synced: int

    @property
    def position(self) -> int:
        """The place behind the last effect, whoever has it."""

    @property
    def trouble(self) -> Exception | None:
        """Why the disk takes nothing, if that is so."""

    def flush(self) -> CommandError | None:
        """Hands what was committed to the system, unless it is held: None, or the error to be answered instead of any
        reply.
        """

    def settle(self, position: int) -> CommandError | None:
        """Waits, without the engine's lock, until the disk has all up to `position`: None, or the error likewise."""


class Persistence(Protocol):
    """Who keeps the data on disk. The engine's lock is held."""

    # Where waits stand in line, by the name `SYNCED` for more to be on the disk, and `SAVED` for what is to change.
    waiting_room: Database

    @property
    def last_save_s(self) -> int:
        """When the last good snapshot was taken, as a Unix time in seconds."""

    def save(self) -> None:
        """SAVE: returns when a snapshot is on the disk. Raises `CommandError`."""

    def begin_save(self, schedule: bool, within: bool) -> str:
        """BGSAVE: begins a snapshot, with `schedule` after what is being written; what to answer. Raises likewise.

        `within` a transaction, it begins after that.
        """

    def cancel_save(self) -> str:
        """BGSAVE CANCEL: ends a snapshot that is being taken, or is to be; what to answer. Raises likewise."""

    def begin_rewrite(self, within: bool) -> str:
        """BGREWRITEAOF: as `begin_save` for a new append-only file."""

    def appended(self) -> int:
        """The place in the append-only file behind the last effect so far; -1 when there is no such file."""

    def synced(self) -> int:
        """Up to which place the disk has it."""

    def finish(self, save: bool | None) -> None:
        """Makes everything safe before a shutdown, by a snapshot too if `save` says so, or if None and it is usual.

        Raises `CommandError` when that cannot be done.
        """


# The names under which waits stand in line: for the disk, and for a snapshot to have what is to change.
SYNCED: Final = b"synced"
SAVED: Final = b"saved"
