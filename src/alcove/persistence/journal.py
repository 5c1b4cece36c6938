"""The append-only file as the engine's sink: effects in, bytes in the kernel at the end of a turn, on the disk in time.

What the engine commits is encoded at once and written at the end of the turn, before anyone is answered (`flush`,
under the engine's lock). Under `appendfsync always` whoever is to be answered then waits for the disk (`settle`,
without the lock): one of those who wait syncs for all of them. Under `everysec` a background thread calls `sync`.

A failed write is undone and tried again; the effects stay here meanwhile. After a failed sync nobody can say what of
the file is on the disk, so nothing written since the last good one is ever taken for durable: only a new file, begun
by a rewrite, ends that state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition
from typing import Final

from alcove.errors import CommandError, aof_write_failed
from alcove.persistence.disk import File
from alcove.persistence.records import RecordWriter

# The most bytes that one call hands to the system.
_PIECE: Final = 1 << 20

log = logging.getLogger(__name__)


class Journal:
    """The increment that effects are appended to, and how far they have got."""

    def __init__(self, file: File, always: bool) -> None:
        self._file = file
        self._records = RecordWriter()
        # Whether answers wait for the disk.
        self.always = always
        # Whether notes of the time are written, and where the time comes from.
        self.now_s: Callable[[], int] | None = None
        # Whether effects were committed since the last flush.
        self.pending = False
        # Bytes appended and bytes known to be on the disk, since the start.
        self.appended = 0
        self.synced = 0
        # Why the last write failed, and to what size the file must be cut before the next one; -1 if it is good.
        self.write_error: OSError | None = None
        self._cut_to = -1
        # Why a sync failed, since when nothing more counts as synced.
        self.sync_error: OSError | None = None
        # Guards what follows and `synced`; held only for moments.
        self._turn = Condition()
        self._syncing = False
        # Increments that were replaced and are not synced yet.
        self._replaced: list[File] = []

    @property
    def size(self) -> int:
        """The bytes of the increment."""
        return self._file.size

    @property
    def position(self) -> int:
        """The place behind the last effect, written or not."""
        return self.appended + len(self._records.out)

    @property
    def trouble(self) -> OSError | None:
        """Why writes are refused, if they are."""
        return self.sync_error or self.write_error

    # Under the engine's lock

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        """Takes the effects of one command or transaction."""
        if self.now_s is not None:
            self._records.stamp(self.now_s())
        self._records.add(batch)
        self.pending = True

    def flush(self) -> CommandError | None:
        """Appends what was committed: None when the system has it, else the error that is to be answered."""
        self.pending = False
        out = self._records.out
        while len(out):
            piece = out.peek(_PIECE)
            good = self._file.size
            try:
                self._mend()
                self._file.write(piece)
            except OSError as error:
                self._write_failed(error, good)
                break
            out.consume(len(piece))
            self.appended += len(piece)
        else:
            if self.write_error is not None:
                log.warning("AOF write error looks solved. Alcove can write again.")
                self.write_error = None
        trouble = self.trouble
        return None if trouble is None else CommandError(aof_write_failed(reason(trouble)))

    def _mend(self) -> None:
        if self._cut_to >= 0:
            self._file.truncate(self._cut_to)
            self._cut_to = -1

    def _write_failed(self, error: OSError, good: int) -> None:
        """Takes back what was written of a piece, so that the file ends with a whole one."""
        if self.write_error is None:
            log.warning("Error writing to the AOF file: %s", reason(error))
        self.write_error = error
        if self._cut_to < 0 and self._file.size != good:
            self._cut_to = good
        try:
            self._mend()
        except OSError as second:
            log.warning("The AOF file could not be cut after a short write: %s", reason(second))

    def switch(self, file: File) -> None:
        """Goes on in another increment. Raises OSError when the old one cannot take all that was committed before.

        An increment that others follow must end with a whole command, or nothing of the file could be loaded.
        """
        self.flush()
        if self.write_error is not None:
            file.close()
            raise self.write_error
        self._records.database = -1
        with self._turn:
            self._replaced.append(self._file)
            self._file = file

    def renewed(self, appended: int) -> None:
        """A new base holds all that was appended until `appended`, and is on the disk: old failures are of the past."""
        with self._turn:
            self.sync_error = None
            self.synced = max(self.synced, appended)
            while self._replaced:
                self._replaced.pop().close()

    # Without the engine's lock

    def settle(self, position: int) -> CommandError | None:
        """Waits until the disk has all up to `position`: None when it does, else the error to be answered."""
        with self._turn:
            while self.synced < position and self.sync_error is None:
                if self._syncing:
                    self._turn.wait()
                else:
                    self._sync()
            error = self.sync_error if self.synced < position else None
        return None if error is None else CommandError(aof_write_failed(reason(error)))

    def sync(self) -> None:
        """Brings what is appended to the disk."""
        with self._turn:
            while self._syncing:
                self._turn.wait()
            if self.sync_error is None:
                self._sync()

    def _sync(self) -> None:
        """Syncs for all who wait, with `_turn` held but for the sync itself."""
        target, replaced, file = self.appended, self._replaced, self._file
        self._replaced = []
        self._syncing = True
        self._turn.release()
        failure = None
        try:
            for old in replaced:
                old.sync()
                old.close()
            file.sync()
        except OSError as error:
            failure = error
        finally:
            self._turn.acquire()
            self._syncing = False
            self._turn.notify_all()
        if failure is not None:
            log.warning("Error syncing the AOF file: %s", reason(failure))
            self.sync_error = failure
        elif target > self.synced:
            self.synced = target

    def close(self) -> None:
        """The end: all that was committed is brought to the disk. Errors are logged, for nobody else is left."""
        self.flush()
        self.sync()
        self._file.close()


def reason(error: OSError) -> str:
    return error.strerror or str(error)
