"""Snapshots: how one is written between commands, and the file that SAVE, BGSAVE and the save points renew."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Final

from alcove.engine.engine import Engine
from alcove.engine.keyspace import Database
from alcove.engine.services import GATE_STEPS, SAVED
from alcove.engine.snapshot import Recorder, Snapshot
from alcove.persistence.background import MOST_QUEUED, BackgroundFile
from alcove.persistence.data_folder import DataFolder
from alcove.persistence.jobs import Job, Jobs
from alcove.persistence.journal import reason
from alcove.persistence.recorders import CommandRecorder, rdb_recorder

# After a snapshot has failed the save points wait so long.
SAVE_RETRY_US: Final = 5_000_000

log = logging.getLogger(__name__)


class Saving:
    """Writes snapshots, and knows of those that are the file `dbfilename`."""

    def __init__(self, engine: Engine, data: DataFolder, jobs: Jobs, waiting_room: Database) -> None:
        self._engine = engine
        self._data = data
        self._jobs = jobs
        self._waiting_room = waiting_room
        # The snapshot being taken, for whatever file.
        self.snapshot: Snapshot | None = None
        # Whether the file is being renewed, or is to be.
        self.running = self.scheduled = False
        # Before that no save point counts.
        self.next_us = 0
        # For the save points, and INFO.
        self.last_s = engine.clock.now_us() // 1_000_000
        self._saved_dirty = 0
        self.failed = False
        self.count = 0
        self.took_s = -1

    @property
    def changes(self) -> int:
        """How many changes the last good snapshot has not seen."""
        return self._engine.space.dirty - self._saved_dirty

    def loaded(self) -> None:
        """What there is was read from files: nothing of it is a change."""
        self._saved_dirty = self._engine.space.dirty

    def is_due(self, now_us: int) -> bool:
        """Whether one was asked for, or a save point is reached."""
        if self.scheduled:
            return True
        changes = self.changes
        if not changes or now_us < self.next_us:
            return False
        elapsed_s = self._engine.clock.now_us() // 1_000_000 - self.last_s
        return any(changes >= least and elapsed_s > seconds for seconds, least in self._engine.config.save)

    # Any file

    def write(self, path: str, record: Callable[[BackgroundFile], Recorder]) -> Job:
        """Writes all keys as they are now to a file; it is on the disk when this ends. Raises OSError."""
        file = BackgroundFile(
            self._data.disk, path, self._jobs.background, self._engine.config.rdb_save_incremental_fsync
        )
        recorder = record(file)
        snapshot = self.snapshot = Snapshot(self._engine.space, recorder)
        self._engine.gate |= GATE_STEPS
        stepped = 0
        try:
            while not snapshot.work(self._jobs.in_time) and file.failure is None:
                awaited = file.behind()
                was_ahead, snapshot.is_ahead = snapshot.is_ahead, awaited is not None or recorder.aside > MOST_QUEUED
                if snapshot.stepped != stepped or (was_ahead and not snapshot.is_ahead):
                    # What somebody waited for is saved, or can be.
                    stepped = snapshot.stepped
                    self._waiting_room.wake(SAVED)
                yield awaited
            recorder.end()
            done = file.finish()
            self._end_snapshot(snapshot)
            yield done
            done.result()
        except BaseException:
            self._end_snapshot(snapshot)
            file.abandon()
            raise

    def as_rdb(self, aof_base: bool) -> Callable[[BackgroundFile], Recorder]:
        """For `write`: an RDB file."""
        return lambda file: rdb_recorder(self._engine, file.write, aof_base)

    def as_commands(self, file: BackgroundFile) -> Recorder:
        """For `write`: the commands that make the keys."""
        return CommandRecorder(self._engine, file.write)

    def _end_snapshot(self, snapshot: Snapshot) -> None:
        snapshot.end()
        self.snapshot = None
        self._engine.gate &= ~GATE_STEPS
        self._waiting_room.wake(SAVED)

    # The file

    def renew(self) -> Job:
        """A snapshot in place of the last one; the outcome stands in `failed`."""
        space = self._engine.space
        self.running, self.scheduled = True, False
        began = time.monotonic()
        dirty = space.dirty
        holds_all = self._data.file_is_obsolete
        temporary = self._data.temporary("rdb")
        try:
            yield from self.write(temporary, self.as_rdb(aof_base=False))
            yield from self._jobs.in_background(self._put_in_place, temporary, self._data.snapshot_path)
        except OSError as error:
            log.warning("Saving the DB failed: %s", reason(error))
            self.failed = True
            self.next_us = self._engine.clock.monotonic_us() + SAVE_RETRY_US
        else:
            self.failed = False
            self._saved_dirty = dirty
            self.last_s = self._engine.clock.now_us() // 1_000_000
            self.count += 1
            log.info("DB saved on disk")
            if holds_all and self._data.file_is_obsolete:
                yield from self._give_up_file()
        finally:
            self.running = False
            self.took_s = int(time.monotonic() - began)

    def _put_in_place(self, temporary: str, path: str) -> None:
        disk = self._data.disk
        try:
            disk.rename(temporary, path)
        except OSError:
            disk.remove(temporary)
            raise
        disk.sync_folder(os.path.dirname(path))

    def _give_up_file(self) -> Job:
        """Removes an append-only file that nothing is written to any more, a snapshot having all that it holds."""
        try:
            yield from self._jobs.in_background(self._data.aof.give_up)
        except OSError as error:
            log.warning("The append only file, which is not in use, could not be removed: %s", reason(error))
