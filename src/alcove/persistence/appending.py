"""The append-only file of an engine: its journal from housekeeping's side, and how it is written anew."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Final

from alcove.engine.engine import Engine
from alcove.engine.keyspace import Database
from alcove.engine.services import SYNCED
from alcove.persistence.background import Background
from alcove.persistence.data_folder import DataFolder
from alcove.persistence.disk import File
from alcove.persistence.jobs import Job, Jobs
from alcove.persistence.journal import Journal, reason
from alcove.persistence.manifest import BadManifest, Manifest, Part
from alcove.persistence.saving import Saving

# How often effects are synced under `everysec`; how often what failed is tried again, at first and at last.
SYNC_EVERY_US: Final = 1_000_000
RETRY_US: Final = 1_000_000
LONGEST_RETRY_US: Final = 60_000_000

log = logging.getLogger(__name__)


class Appending:
    """The journal, if there is one, and its rewrites."""

    def __init__(
        self,
        engine: Engine,
        data: DataFolder,
        jobs: Jobs,
        saving: Saving,
        waiting_room: Database,
        opened: list[Any],
        on_news: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._data = data
        self._jobs = jobs
        self._saving = saving
        self._waiting_room = waiting_room
        # What is to be closed in the end; who is told when the journal has to be looked at.
        self._opened = opened
        self._on_news = on_news
        self.journal: Journal | None = None
        self._syncs = Background("sync")
        opened.append(self._syncs)
        self._sync: Future[Any] | None = None
        self._next_sync_us = self._next_retry_us = 0
        # What had been synced when those who wait for it were served last.
        self._synced_seen = 0
        # Whether it is being rewritten, or is to be, and not before when.
        self.rewriting = self.scheduled = False
        self.next_rewrite_us = 0
        self._pause_us = RETRY_US
        # For the automatic rewrite, and INFO.
        self.failed = False
        self.rewrites = self.failures = 0
        self.took_s = -1
        self.base_size = 0
        self._older_size = 0

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return self._older_size + (self.journal.size if self.journal is not None else 0)

    # The journal

    def open(self) -> None:
        """Goes on with the file in the folder, which was loaded."""
        aof = self._data.aof
        self.remove_history()
        self._older_size = aof.size()
        journal = Journal(aof.open_last(), self._is_always)
        self._use(journal)
        self._older_size -= journal.size
        self.base_size = self.size

    def _use(self, journal: Journal) -> None:
        self.journal = journal
        self._synced_seen = 0
        journal.on_synced = told_while_alive(weakref.WeakMethod(self._tell_synced))
        self.heed_policy()
        self._opened.insert(0, journal)
        self._engine.journal = journal
        self._engine.attach(journal)

    def drop(self) -> None:
        """Ends the journal, if there is one."""
        journal, self.journal = self.journal, None
        if journal is not None:
            self._engine.journal = None
            self._engine.detach(journal)
            self._opened.remove(journal)
            journal.close()
            # Who waits for the disk waits in vain.
            self._waiting_room.wake(SYNCED)

    @property
    def _is_always(self) -> bool:
        return bool(self._engine.config.appendfsync == "always")

    def heed_policy(self) -> None:
        """The configuration says when effects are synced, and whether with notes of the time."""
        self._on_news()
        if self.journal is not None:
            self.journal.always = self._is_always
            self.journal.everysec = self._engine.config.appendfsync == "everysec"
            clock = self._engine.clock
            stamped = self._engine.config.aof_timestamp_enabled
            self.journal.now_s = (lambda: clock.now_us() // 1_000_000) if stamped else None

    def keep(self, now_us: int) -> int:
        """Writes what could not be written, syncs what is due; how long that can be left alone then, -1 for ever."""
        journal = self.journal
        if journal is None:
            return -1
        if journal.write_error is not None:
            if now_us >= self._next_retry_us:
                self._next_retry_us = now_us + RETRY_US
                journal.flush()
        elif journal.position > journal.appended and not journal.held:
            journal.flush()
        if journal.synced > self._synced_seen:
            self._synced_seen = journal.synced
            self._waiting_room.wake(SYNCED)
        if journal.write_error is not None:
            return RETRY_US
        if journal.appended == journal.synced or journal.sync_error is not None:
            return -1
        if not journal.everysec or (self._sync is not None and not self._sync.done()):
            return -1
        if now_us < self._next_sync_us:
            return self._next_sync_us - now_us
        if not (self.rewriting or self._saving.running) or not self._engine.config.no_appendfsync_on_rewrite:
            self._next_sync_us = now_us + SYNC_EVERY_US
            self._sync = self._syncs.start(journal.sync)
            self._sync.add_done_callback(self._wake)
        return SYNC_EVERY_US

    def _wake(self, future: Future[Any]) -> None:
        self._engine.on_sooner()

    def _tell_synced(self) -> None:
        """Has housekeeping serve those who wait for the disk, if there are any."""
        if self._waiting_room.waiting:
            self._on_news()
            self._engine.on_sooner()

    # The rewrite

    @property
    def is_wanted(self) -> bool:
        """Whether there is a reason for a rewrite, other than the size."""
        if self.scheduled or (self._engine.config.appendonly and self.journal is None):
            return True
        return self.journal is not None and self.journal.sync_error is not None

    def is_due(self, now_us: int) -> bool:
        """Whether a rewrite is to begin."""
        if now_us < self.next_rewrite_us:
            return False
        journal = self.journal
        if self.scheduled or journal is None:
            return self.scheduled or bool(self._engine.config.appendonly)
        if journal.write_error is not None:
            return False
        return journal.sync_error is not None or self._has_grown()

    def _has_grown(self) -> bool:
        config = self._engine.config
        size = self.size
        percentage = config.auto_aof_rewrite_percentage
        if not percentage or size < config.auto_aof_rewrite_min_size:
            return False
        return bool(size * 100 // max(self.base_size, 1) - 100 >= percentage)

    def rewrite(self) -> Job:
        """A new base that holds all there is, and a new increment for what follows; the outcome stands in `failed`."""
        self.rewriting, self.scheduled = True, False
        began = time.monotonic()
        try:
            yield from self._write_base()
        except (BadManifest, OSError) as error:
            log.warning("Rewriting the append only file failed: %s", reason(error))
            self.failed = True
            self.failures += 1
            self.next_rewrite_us = self._engine.clock.monotonic_us() + self._pause_us
            self._pause_us = min(self._pause_us * 2, LONGEST_RETRY_US)
        else:
            self.failed = False
            self.failures = 0
            self._pause_us = RETRY_US
            self.rewrites += 1
            log.info("Background AOF rewrite finished successfully")
        finally:
            self.rewriting = False
            self.took_s = int(time.monotonic() - began)

    def _write_base(self) -> Job:
        config = self._engine.config
        aof = self._data.aof
        saving = self._saving
        in_background = self._jobs.in_background
        begins = self.journal is None and config.appendonly
        increments, appended, first = yield from self._next_increment()
        form = "rdb" if config.aof_use_rdb_preamble else "aof"
        base = increments.next_base(config.appendfilename, form)
        temporary = self._data.temporary("rewriteaof", aof.folder)
        record = saving.as_rdb(aof_base=True) if form == "rdb" else saving.as_commands
        try:
            yield from saving.write(temporary, record)
            yield from in_background(self._replace_base, temporary, base, increments, first)
        except BaseException:
            if begins:
                # No manifest names the increment: what it holds would never be read.
                self.drop()
            raise
        if self.journal is not None:
            self.journal.renewed(appended)
        if not config.aof_disable_auto_gc:
            yield from in_background(self.remove_history)
        self._older_size = self._data.disk.size(aof.path(base))
        self.base_size = self.size

    def _replace_base(self, temporary: str, base: Part, increments: Manifest, first: int) -> None:
        disk = self._data.disk
        try:
            self._data.aof.replace_base(temporary, base, increments, first)
        except OSError:
            if disk.exists(temporary):
                disk.remove(temporary)
            raise

    def remove_history(self) -> None:
        """Deletes the files that a rewrite has replaced; if that fails, the next one or the next start tries again."""
        try:
            self._data.aof.remove_history()
        except OSError as error:
            log.warning("Files of the append only file that are not in use stay: %s", reason(error))

    def _next_increment(self) -> Generator[Future[Any], None, tuple[Manifest, int, int]]:
        """Has effects go to a new increment from now on: the manifest with it, what was appended before, its number."""
        aof = self._data.aof
        in_background = self._jobs.in_background
        if not aof.known:
            yield from in_background(aof.read)
        if not self._engine.config.appendonly:
            return aof.manifest, 0, last_number(aof.manifest) + 1
        if self.journal is None:
            manifest, file = yield from in_background(aof.new_increment)
            self._use(Journal(file, self._is_always))
            return manifest, 0, last_number(manifest)
        added: File | None = yield from in_background(self._add_increment, self.journal)
        position = self.journal.switch(added)
        return aof.manifest, position, last_number(aof.manifest)

    def _add_increment(self, journal: Journal) -> File | None:
        """An empty increment that follows the one in use; None if that one is empty itself, and follows a failed one.

        Of the one in use as much is synced as there is, so that nobody waits for long when the next one begins.
        """
        aof = self._data.aof
        if aof.path(aof.manifest.increments[-1]) != journal.path:
            # An earlier rewrite has named it, and could not begin it.
            return aof.open_last()
        if journal.held and not journal.size:
            return None
        file = aof.add_increment()
        journal.sync()
        return file


def last_number(manifest: Manifest) -> int:
    return manifest.increments[-1].number if manifest.increments else 0


def told_while_alive(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    """A hook for what is still open when an engine goes, and must not keep it."""

    def tell() -> None:
        alive = method()
        if alive is not None:
            alive()

    return tell
