"""The append-only file as the engine's sink: effects in, bytes in the kernel at the end of a turn, on the disk in time.

What the engine commits is encoded at once and written at the end of the turn, before anyone is answered (`flush`,
under the engine's lock). Under `appendfsync always` whoever is to be answered then waits for the disk (`settle`,
without the lock): one of those who wait syncs for all of them. Under `everysec` a background thread calls `sync`.

A failed write is undone and tried again; the effects stay here meanwhile. After a failed sync nobody can say what of
the file is on the disk, so nothing written since the last good one is ever taken for durable: only a new file, begun
by a rewrite, ends that state.

An increment gets nothing before the one that it follows is on the disk, or replaced by a base: effects are held here
until then. So of all increments only the last one that is not empty can have a damaged end after a power cut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Lock
from typing import Final

from alcove.engine.session import do_nothing
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
        # Whether answers wait for the disk; or housekeeping is to sync once a second.
        self.always = always
        self.everysec = not always
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
        # Why a sync failed, since when nothing more counts as synced, and of which file.
        self.sync_error: OSError | None = None
        self._failed: File | None = None
        # Guards what follows and `synced`; taken only for moments. How many wait for a sync that others make.
        self._lock = Lock()
        self._turn = Condition(self._lock)
        self._waiting = 0
        # The files being synced at the moment.
        self._syncing: list[File] = []
        # Increments that were replaced and are not synced yet.
        self._replaced: list[File] = []
        # Whether effects are kept here until the increment before is on the disk or obsolete.
        self.held = False
        # Called, with `_lock` taken, when more is on the disk.
        self.on_synced: Callable[[], None] = do_nothing

    @property
    def path(self) -> str:
        """Where the increment is."""
        return self._file.path

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

    def is_quiet(self, syncing: bool) -> bool:
        """Whether housekeeping has nothing to see to but what `syncing` says will be done anyway: the next sync."""
        if self.write_error is not None or self.sync_error is not None or self.held:
            return False
        if not self.pending and len(self._records.out):
            # It was held until now.
            return False
        return syncing or not self.everysec or self.synced == self.appended

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        """Takes the effects of one command or transaction."""
        if self.now_s is not None:
            self._records.stamp(self.now_s())
        self._records.add(batch)
        self.pending = True

    def flush(self) -> CommandError | None:
        """Appends what was committed: None when the system has it, else the error that is to be answered.

        What is held is not appended; who is to be answered has to `settle` first, and to flush again.
        """
        self.pending = False
        out = self._records.out
        while len(out) and not self.held:
            piece = out.peek(_PIECE)
            good = self._cut_to if self._cut_to >= 0 else self._file.size
            try:
                if self._cut_to >= 0:
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
        trouble = self.sync_error or self.write_error
        return None if trouble is None else CommandError(aof_write_failed(reason(trouble)))

    def _mend(self) -> None:
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
            if self._cut_to >= 0:
                self._mend()
        except OSError as second:
            log.warning("The AOF file could not be cut after a short write: %s", reason(second))

    def switch(self, file: File | None) -> int:
        """What follows goes into another increment; the position up to which the old one has everything.

        Without a file the increment stays, as one that is held and empty may. Raises OSError when the old one cannot
        take all that was committed before: an increment that others follow must end with a whole command.
        """
        self._records.database = -1
        if file is None:
            return self.position
        self.flush()
        if self.write_error is not None:
            close(file)
            raise self.write_error
        with self._lock:
            if self.synced < self.appended or self._file in self._syncing:
                self._replaced.append(self._file)
            else:
                close(self._file)
            self._file = file
            self._look()
        return self.appended

    def renewed(self, position: int) -> None:
        """A new base, which is on the disk, holds all until `position`: what failed before that is of the past."""
        with self._lock:
            known = position - self.appended
            if known > 0:
                self._records.out.consume(known)
                self.appended = position
            self.synced = max(self.synced, position)
            self.on_synced()
            if self._failed is not self._file:
                self.sync_error = self._failed = None
            for old in self._replaced:
                if old not in self._syncing:
                    close(old)
            self._replaced = []
            self._look()

    def _look(self) -> None:
        """Decides on `held`."""
        self.held = bool(self._replaced) or (self.sync_error is not None and self._failed is not self._file)

    # Without the engine's lock

    def settle(self, position: int) -> CommandError | None:
        """Waits until the disk has all up to `position`, as far as it is appended, and nothing is held.

        None when that is so, else the error to be answered.
        """
        with self._lock:
            while (self.synced < min(position, self.appended) or self._replaced) and self.sync_error is None:
                if self._syncing:
                    self._wait()
                else:
                    self._sync()
            error = self.sync_error if self.synced < position or self.held else None
        return None if error is None else CommandError(aof_write_failed(reason(error)))

    def sync(self) -> None:
        """Brings what is appended to the disk."""
        with self._lock:
            while self._syncing:
                self._wait()
            if self.sync_error is None:
                self._sync()

    def _wait(self) -> None:
        """Waits until a sync is over."""
        self._waiting += 1
        try:
            self._turn.wait()
        finally:
            self._waiting -= 1

    def _sync(self) -> None:
        """Syncs for all who wait, with `_lock` taken but for the sync itself."""
        target = self.appended
        files = self._syncing = [*self._replaced, self._file]
        synced = 0
        failure = None
        self._lock.release()
        try:
            for file in files:
                file.sync()
                synced += 1
        except OSError as error:
            failure = error
        finally:
            self._lock.acquire()
            self._syncing = []
            if self._waiting:
                self._turn.notify_all()
        self._let_go(files[:-1], synced)
        if failure is None:
            self.synced = max(self.synced, target)
            self.on_synced()
        elif files[synced] is self._file or files[synced] in self._replaced:
            log.warning("Error syncing the AOF file: %s", reason(failure))
            self.sync_error, self._failed = failure, files[synced]
        self._look()

    def _let_go(self, files: list[File], synced: int) -> None:
        """Closes replaced increments that are on the disk now, or that a new base has made obsolete meanwhile."""
        for place, file in enumerate(files):
            if place < synced and file in self._replaced:
                self._replaced.remove(file)
            if file not in self._replaced:
                close(file)

    def close(self) -> None:
        """The end: all that was committed is brought to the disk. Errors are logged, for nobody else is left."""
        self.flush()
        self.sync()
        if self.position > self.appended and self.flush() is None:
            # It was held until now.
            self.sync()
        for file in (*self._replaced, self._file):
            close(file)


def close(file: File) -> None:
    """Closes a file of which everything is known that its closing could say."""
    try:
        file.close()
    except OSError as error:
        log.warning("Error closing %s: %s", file.path, reason(error))


def reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
