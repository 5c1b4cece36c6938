"""Keeps an engine's data on disk: what is loaded at start, what is written when, and what follows when that fails.

Long work (loading, a snapshot, a rewrite) is a job: a generator that does a slice between two commands and yields,
either to go on at the next opportunity or, yielding a future, when another thread is done. There is one at a time.
"""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from typing import Any, Final

from alcove.engine.config_kinds import Refused
from alcove.engine.engine import Engine
from alcove.engine.keyspace import Database
from alcove.engine.services import GATE_LOADING, GATE_MISCONF, GATE_STEPS, SAVED, SYNCED
from alcove.engine.settings import Settings
from alcove.engine.snapshot import Recorder, Snapshot
from alcove.errors import (
    BACKGROUND_REWRITE_RUNS,
    BACKGROUND_SAVE_RUNS,
    BACKGROUND_WORK_RUNS,
    NOTHING_TO_CANCEL,
    RDB_MISCONF,
    SAVE_FAILED,
    CommandError,
    aof_write_failed,
)
from alcove.persistence import at_exit
from alcove.persistence.aof_folder import AofFolder
from alcove.persistence.background import AtOnce, Background, BackgroundFile, Ending
from alcove.persistence.disk import Disk, File
from alcove.persistence.folder_lock import LOCK_NAME, FolderLock
from alcove.persistence.journal import Journal, reason
from alcove.persistence.loading import CannotLoad, Loader
from alcove.persistence.manifest import BadManifest, Manifest, Part
from alcove.persistence.recorders import CommandRecorder, rdb_recorder
from alcove.persistence.report import persistence_section

# How often effects are synced under `everysec`; how often what failed is tried again, at first and at last.
SYNC_EVERY_US: Final = 1_000_000
RETRY_US: Final = 1_000_000
LONGEST_RETRY_US: Final = 60_000_000
# After a snapshot has failed the save points wait so long.
SAVE_RETRY_US: Final = 5_000_000
# How long a save point, or the file's growth, may be overlooked; and later than any time.
LOOK_EVERY_US: Final = 100_000
NEVER_US: Final = 1 << 62

# A job yields None to go on soon, or what it waits for.
Job = Generator["Future[Any] | None", None, None]

log = logging.getLogger(__name__)


class Durability:
    """The data of one engine in one folder, as its configuration says."""

    def __init__(self, engine: Engine, disk: Disk | None = None) -> None:
        self.engine = engine
        self._clock = engine.clock
        self.disk = disk or Disk()
        self.journal: Journal | None = None
        self.loader: Loader | None = None
        self.snapshot: Snapshot | None = None
        # The job in work and what it waits for; which kinds of job are in work, and which are to follow.
        self._job: Job | None = None
        self._awaited: Future[Any] | None = None
        self.saving = self.rewriting = False
        self.save_scheduled = self.rewrite_scheduled = False
        self._job_began_us = 0
        # Whether the job may go on, now that housekeeping is at work; at other times it does as little as it can.
        self._in_time: Callable[[], bool] = never
        self._sync: Future[Any] | None = None
        self._next_sync_us = self._next_retry_us = self._next_save_us = self._next_rewrite_us = 0
        # Until when nothing has to be looked at unless there is news of the journal, and when something is due.
        self._look_us = self._due_us = 0
        self._rewrite_pause_us = RETRY_US
        self._folder: AofFolder | None = None
        # Where WAITAOF waits, and what had been synced when it was asked last.
        self.waiting_room = Database(engine.space, -1)
        self._synced_seen = 0
        # The key of the big container that a snapshot is in the midst of.
        self._key_in_work: bytes | None = None
        # For the save points, the automatic rewrite, and INFO.
        self.last_save_s = engine.clock.now_us() // 1_000_000
        self._saved_dirty = 0
        self.save_failed = self.rewrite_failed = False
        self.saves = self.rewrites = self.rewrite_failures = 0
        self.save_took_s = self.rewrite_took_s = -1
        self.keys_loaded = self.keys_expired = 0
        self.base_size = 0
        self._older_size = 0
        # Whether the append-only file in the folder was loaded, or written, by this engine: nothing is lost with it.
        self._file_is_ours = False
        # What is open and has to be closed whatever becomes of the engine, which none of it refers to.
        self._syncs = Background("sync")
        self._writes = Background("save")
        self._open: list[Any] = [self._syncs, self._writes]
        self._lock: FolderLock | None = None
        self._closing = weakref.finalize(engine, close_all, self._open, os.getpid())
        # Whether it was decided what is saved at the end.
        self._finished = False
        self._owner = os.getpid()
        at_exit.remember(self)
        self._join_engine()

    def _join_engine(self) -> None:
        engine = self.engine
        engine.persistence = self
        engine.info_sections["persistence"] = lambda _: persistence_section(self)
        engine.chores.append(self.work)
        engine.on_close.append(self.close)
        config = engine.config
        config.watch("appendonly", self._appendonly_changed)
        config.watch("appendfsync aof-timestamp-enabled", self._policy_changed)
        config.watch("dir", self._place_changed)
        config.watch("save stop-writes-on-bgsave-error", self._save_changed)
        self._save_changed()

    # What it says of itself

    @property
    def changes(self) -> int:
        """How many changes the last good snapshot has not seen."""
        return self.engine.space.dirty - self._saved_dirty

    def aof_size(self) -> int:
        """The bytes of all parts of the append-only file."""
        return self._older_size + (self.journal.size if self.journal is not None else 0)

    def job_seconds(self) -> int:
        """How long the job in work has taken so far."""
        return (self.engine.clock.monotonic_us() - self._job_began_us) // 1_000_000

    # Places

    @property
    def snapshot_path(self) -> str:
        return os.path.join(self.engine.config.dir, self.engine.config.dbfilename)

    @property
    def folder(self) -> AofFolder:
        """The append-only file's folder."""
        if self._folder is None:
            config = self.engine.config
            path = os.path.join(config.dir, config.appenddirname)
            self._folder = AofFolder(self.disk, path, config.appendfilename)
        return self._folder

    def temporary(self, folder: str, what: str) -> str:
        return os.path.join(folder, f"temp-{what}-{os.getpid()}")

    # The start

    def take_folder(self) -> None:
        """Decides in which form the data is kept, unless that was said, and keeps other processes from the folder.

        A folder with an append-only file goes on with it. Raises `CannotLoad`, `FolderInUse` or OSError.
        """
        config = self.engine.config
        was_ours = self.disk.exists(os.path.join(config.dir, LOCK_NAME))
        if config.appendonly or config.save:
            self.lock_folder()
        if not config.appendonly and self._find_file():
            self._heed_file(was_ours)
            if config.appendonly and self._lock is None:
                self.lock_folder()

    def _find_file(self) -> bool:
        """Whether the folder has an append-only file that holds data."""
        config = self.engine.config
        try:
            return self.folder.read() or self.disk.exists(os.path.join(config.dir, config.appendfilename))
        except (BadManifest, OSError) as error:
            raise CannotLoad(str(error)) from error

    def _heed_file(self, was_ours: bool) -> None:
        """The configuration has no append-only file, and the folder has one."""
        config = self.engine.config
        here = f"the folder {config.dir} has an append only file"
        if "appendonly" not in config.stated:
            if not was_ours and self._snapshot_is_newer():
                raise CannotLoad(
                    f"{here}, but the snapshot {config.dbfilename} is newer; say `appendonly yes` to load the file, or "
                    f"move {config.appenddirname} away to load the snapshot"
                )
            log.warning("%s: it is loaded and goes on, as with `appendonly yes`", here)
            config.put(Settings.appendonly, True)
        elif config.save:
            raise CannotLoad(
                f"{here}, which `appendonly no` would leave out; say `appendonly yes` to load it, or move "
                f"{config.appenddirname} away"
            )
        else:
            log.warning("%s, which `appendonly no` leaves out", here)

    def _snapshot_is_newer(self) -> bool:
        """Whether another server may have given the append-only file up, which leaves it as it was. We remove it."""
        config = self.engine.config
        if not self.disk.exists(self.snapshot_path):
            return False
        parts = [self.folder.path(part) for part in self.folder.manifest.parts()]
        parts = parts or [os.path.join(config.dir, config.appendfilename)]
        return self.disk.modified_s(self.snapshot_path) > max(map(self.disk.modified_s, parts))

    def lock_folder(self) -> None:
        """Keeps other processes from the folder. Raises `FolderInUse`, or OSError if the folder is not writable."""
        self._lock = FolderLock(self.engine.config.dir)
        self._open.append(self._lock)

    def open_folder(self) -> None:
        """Takes the folder and loads what is there. An engine that cannot is closed, and the reason raised."""
        try:
            self.take_folder()
            with self.engine.lock:
                self.load_now()
        except BaseException:
            self.engine.close()
            raise

    def load_now(self) -> None:
        """Loads the data while everybody waits. Raises `CannotLoad`. The engine's lock is held."""
        self._finish(self._loading())

    def begin_loading(self, failed: Callable[[str], None]) -> None:
        """Loads the data in slices; meanwhile who asks for it is told to wait. `failed` is told why that cannot be."""

        def job() -> Job:
            try:
                yield from self._loading()
            except CannotLoad as why:
                failed(str(why))

        self.engine.gate |= GATE_LOADING
        self._job = job()
        self.engine.space.sooner = True

    def _loading(self) -> Job:
        engine = self.engine
        engine.gate |= GATE_LOADING
        began = time.monotonic()
        loader = self.loader = Loader(engine, self.disk)
        try:
            self._remove_leftovers()
            if engine.config.appendonly:
                yield from self._load_append_only(loader)
            elif self.disk.exists(self.snapshot_path):
                yield from self._slowly(loader.snapshot(self.snapshot_path))
        except (BadManifest, OSError) as error:
            raise CannotLoad(str(error)) from error
        self.loader = None
        self.keys_loaded, self.keys_expired = loader.keys, loader.expired
        engine.gate &= ~GATE_LOADING
        self._saved_dirty = engine.space.dirty
        if loader.total_bytes:
            keys = sum(len(database) for database in engine.space.databases)
            log.info("DB loaded from disk: %d keys in %.3f seconds", keys, time.monotonic() - began)

    def _remove_leftovers(self) -> None:
        """Deletes the unfinished snapshots of processes that were killed."""
        if self._lock is not None:
            folder = self.engine.config.dir
            for name in self.disk.names(folder):
                if name.startswith("temp-rdb-"):
                    self.disk.remove(os.path.join(folder, name))
                    log.info("Removed %s, an unfinished snapshot", name)

    def _slowly(self, slices: Iterator[None]) -> Job:
        """Loading with the pauses of `key-load-delay`, under which a slice is one key or command."""
        for _ in slices:
            delay_us = self.engine.config.key_load_delay
            yield self._writes.start(time.sleep, delay_us / 1_000_000) if delay_us else None

    def _load_append_only(self, loader: Loader) -> Job:
        folder = self.folder
        config = self.engine.config
        old_style = os.path.join(config.dir, config.appendfilename)
        if not folder.read() and self.disk.exists(old_style):
            log.info("The append only file %s is made the base of the folder %s", old_style, folder.folder)
            folder.adopt_old_style(old_style)
        self._file_is_ours = True
        if folder.manifest.parts():
            for name in folder.remove_leftovers():
                log.info("Removed %s, which a rewrite has left", name)
            yield from self._slowly(loader.append_only_file(folder))
            yield from self._in_background(folder.sync)
            self._remove_history()
            self._older_size = folder.size()
            self._use(Journal(folder.open_last(), self._is_always))
            assert self.journal is not None
            self._older_size -= self.journal.size
            self.base_size = self.aof_size()
            return
        self._remove_history()
        if self.disk.exists(self.snapshot_path):
            log.warning("There is no append only file yet: it begins with the snapshot %s", self.snapshot_path)
            yield from self._slowly(loader.snapshot(self.snapshot_path))
        self.engine.space.now_ms = self.engine.clock.now_us() // 1000
        yield from self._rewrite()
        if self.journal is None:
            raise CannotLoad(f"the append only file cannot be written in {folder.folder}")

    def _use(self, journal: Journal) -> None:
        self.journal = journal
        self._synced_seen = 0
        journal.on_synced = told_while_alive(weakref.WeakMethod(self._tell_synced))
        self._policy_changed()
        self._open.insert(0, journal)
        self.engine.journal = journal
        self.engine.attach(journal)

    def _drop_journal(self) -> None:
        journal, self.journal = self.journal, None
        if journal is not None:
            self.engine.journal = None
            self.engine.detach(journal)
            self._open.remove(journal)
            journal.close()
            # Who waits for the disk waits in vain.
            self.waiting_room.wake(SYNCED)

    @property
    def _is_always(self) -> bool:
        return bool(self.engine.config.appendfsync == "always")

    # Changes of the configuration

    def _appendonly_changed(self) -> None:
        self._look_us = 0
        if self.engine.config.appendonly:
            if self.journal is None:
                self._take_file()
                self.rewrite_scheduled = True
                self._next_rewrite_us = 0
                self.engine.space.sooner = True
            return
        if self.rewriting:
            self._abandon_job()
        self.rewrite_scheduled = False
        self._drop_journal()
        self._watch_trouble()
        if self._file_is_obsolete and self.engine.config.save:
            # It is of use until a snapshot holds what it holds.
            self.save_scheduled = True
            self.engine.space.sooner = True

    def _take_file(self) -> None:
        """Makes sure that an append-only file begun now replaces none that was not loaded. Raises `Refused`."""
        try:
            if self._lock is None:
                self.lock_folder()
            if not self._file_is_ours and self._find_file() and self.folder.manifest.parts():
                raise Refused(f"{self.folder.folder} holds data that is not loaded; start with it, or move it away")
        except (CannotLoad, OSError) as error:
            raise Refused(str(error)) from error
        self._file_is_ours = True

    @property
    def _file_is_obsolete(self) -> bool:
        """Whether the append-only file is kept only until there is a newer snapshot."""
        return not self.engine.config.appendonly and self._file_is_ours and bool(self.folder.manifest.parts())

    def _place_changed(self) -> None:
        """CONFIG SET dir: the append-only file stays where it is, so it must not be in use; nor its lock."""
        folder = self.engine.config.dir
        if self._lock is not None:
            if self._lock.folder == folder:
                # Told again, after a refusal.
                return
            if self.engine.config.appendonly or self.journal is not None or self._job is not None:
                raise Refused("the data on disk is in use; set appendonly to no, and wait for what is being written")
            try:
                lock = FolderLock(folder)
            except OSError as error:
                raise Refused(str(error)) from error
            self._open[self._open.index(self._lock)] = lock
            self._lock.close()
            self._lock = lock
        self._folder = None
        self._file_is_ours = False

    def _save_changed(self) -> None:
        self._look_us = 0
        self._watch_trouble()
        if self.engine.config.save:
            self.engine.space.sooner = True

    def _policy_changed(self) -> None:
        self._look_us = 0
        if self.journal is not None:
            self.journal.always = self._is_always
            self.journal.everysec = self.engine.config.appendfsync == "everysec"
            clock = self.engine.clock
            stamped = self.engine.config.aof_timestamp_enabled
            self.journal.now_s = (lambda: clock.now_us() // 1_000_000) if stamped else None

    # Between commands

    def work(self, in_time: Callable[[], bool]) -> int:
        """The engine's chore: syncs, retries, and the job in work."""
        now_us = self._clock.monotonic_us()
        if now_us >= self._look_us or self._job is not None or not self._is_quiet():
            self._in_time = in_time
            # Who has news meanwhile, in another thread, has it looked at again.
            self._look_us = now_us + LOOK_EVERY_US
            try:
                idle_us = self._look(now_us)
            except Ending:
                # What was being written is not finished; what is there is closed soon.
                self._job = self._awaited = None
                idle_us = -1
            self._due_us = NEVER_US if idle_us < 0 else now_us + idle_us
            self._look_us = min(self._due_us, self._look_us)
        return self._due_us - now_us if self._due_us < NEVER_US else -1

    def _is_quiet(self) -> bool:
        """Whether the journal is as it was at the last look; it is asked in every turn."""
        return self.journal is None or self.journal.is_quiet(self._due_us < NEVER_US)

    def _look(self, now_us: int) -> int:
        """Sees to all there is; how long it can be left alone then."""
        idle_us = self._keep_journal(now_us)
        self._watch_trouble()
        if self._job is None:
            self._begin_what_is_due(now_us)
        if self._job is not None:
            return sooner(idle_us, self._go_on())
        return sooner(idle_us, self._until_due())

    def _keep_journal(self, now_us: int) -> int:
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
            self.waiting_room.wake(SYNCED)
        if journal.write_error is not None:
            return RETRY_US
        if journal.appended == journal.synced or journal.sync_error is not None:
            return -1
        if not journal.everysec or (self._sync is not None and not self._sync.done()):
            return -1
        if now_us < self._next_sync_us:
            return self._next_sync_us - now_us
        if not (self.rewriting or self.saving) or not self.engine.config.no_appendfsync_on_rewrite:
            self._next_sync_us = now_us + SYNC_EVERY_US
            self._sync = self._syncs.start(journal.sync)
            self._sync.add_done_callback(self._wake)
        return SYNC_EVERY_US

    def _wake(self, future: Future[Any]) -> None:
        self.engine.on_sooner()

    def _tell_synced(self) -> None:
        """Has housekeeping serve those who wait for the disk, if there are any."""
        if self.waiting_room.waiting:
            self._look_us = 0
            self.engine.on_sooner()

    def _watch_trouble(self) -> None:
        """Has writes refused while they cannot be kept."""
        engine = self.engine
        config = engine.config
        trouble = self.journal.trouble if self.journal is not None else None
        if trouble is not None:
            engine.misconf = aof_write_failed(reason(trouble))
        elif self.save_failed and config.stop_writes_on_bgsave_error and config.save:
            engine.misconf = RDB_MISCONF
        else:
            engine.misconf = ""
        engine.gate = engine.gate & ~GATE_MISCONF | (GATE_MISCONF if engine.misconf else 0)

    # Jobs

    def _begin_what_is_due(self, now_us: int) -> None:
        if self._rewrite_is_due(now_us):
            self._begin(self._rewrite(), now_us)
        elif self.save_scheduled or self._save_is_due(now_us):
            self._begin(self._save(), now_us)

    def _begin(self, job: Job, now_us: int) -> None:
        self._job = job
        self._job_began_us = now_us

    def _rewrite_is_due(self, now_us: int) -> bool:
        config = self.engine.config
        if now_us < self._next_rewrite_us:
            return False
        if self.rewrite_scheduled or (config.appendonly and self.journal is None and self._closing.alive):
            return True
        journal = self.journal
        if journal is None or journal.write_error is not None:
            return False
        if journal.sync_error is not None:
            return True
        size = self.aof_size()
        percentage = config.auto_aof_rewrite_percentage
        if not percentage or size < config.auto_aof_rewrite_min_size:
            return False
        return size * 100 // max(self.base_size, 1) - 100 >= percentage

    def _save_is_due(self, now_us: int) -> bool:
        changes = self.changes
        if not changes or now_us < self._next_save_us:
            return False
        elapsed_s = self.engine.clock.now_us() // 1_000_000 - self.last_save_s
        return any(changes >= least and elapsed_s > seconds for seconds, least in self.engine.config.save)

    def _until_due(self) -> int:
        """How long nothing can be due, in microseconds; -1 for ever."""
        config = self.engine.config
        waits = self.rewrite_scheduled or (config.appendonly and self.journal is None)
        waits = waits or (self.journal is not None and self.journal.sync_error is not None)
        return RETRY_US if waits or config.save else -1

    def _go_on(self) -> int:
        """One slice of the job in work."""
        if self._awaited is not None and not self._awaited.done():
            return -1
        job = self._job
        assert job is not None
        try:
            self._awaited = next(job)
        except StopIteration:
            self._job = self._awaited = None
            return 0
        if self._awaited is not None:
            self._awaited.add_done_callback(self._wake)
            return -1
        return 0

    def _finish(self, job: Job) -> None:
        """Runs a job to its end while everybody waits."""
        self._in_time = always
        try:
            for awaited in job:
                if awaited is not None:
                    wait([awaited])
        finally:
            self._in_time = never

    def _abandon_job(self) -> None:
        if self._job is not None:
            self._job.close()
            self._job = self._awaited = None

    def _in_background(self, function: Callable[..., Any], *arguments: Any) -> Generator[Future[Any], None, Any]:
        """What a function returns that another thread runs."""
        future = self._writes.start(function, *arguments)
        yield future
        return future.result()

    def _write_snapshot(self, path: str, record: Callable[[BackgroundFile], Recorder]) -> Job:
        """Writes all keys as they are now to a file; it is on the disk when this ends. Raises OSError."""
        config = self.engine.config
        file = BackgroundFile(self.disk, path, self._writes, config.rdb_save_incremental_fsync)
        recorder = record(file)
        snapshot = self.snapshot = Snapshot(self.engine.space, recorder)
        try:
            while not snapshot.work(self._in_time) and file.failure is None:
                self._watch_steps(snapshot)
                yield file.behind()
            recorder.end()
            done = file.finish()
            self._end_snapshot(snapshot)
            yield done
            done.result()
        except BaseException:
            self._end_snapshot(snapshot)
            file.abandon()
            if self.disk.exists(path):
                self.disk.remove(path)
            raise

    def _end_snapshot(self, snapshot: Snapshot) -> None:
        snapshot.end()
        self.snapshot = None
        self._watch_steps(snapshot)

    def _watch_steps(self, snapshot: Snapshot) -> None:
        """Puts commands off that would change the container in work, and lets go on who waited for the last one."""
        key = snapshot.key_in_work
        if key is not self._key_in_work:
            self._key_in_work = key
            engine = self.engine
            engine.gate = engine.gate & ~GATE_STEPS | (0 if key is None else GATE_STEPS)
            self.waiting_room.wake(SAVED)

    def _as_rdb(self, aof_base: bool) -> Callable[[BackgroundFile], Recorder]:
        return lambda file: rdb_recorder(self.engine, file.write, aof_base)

    def _as_commands(self, file: BackgroundFile) -> Recorder:
        return CommandRecorder(self.engine, file.write)

    # Snapshots

    def _save(self) -> Job:
        """A snapshot in place of the last one; the outcome stands in `save_failed`."""
        space = self.engine.space
        config = self.engine.config
        self.saving, self.save_scheduled = True, False
        began = time.monotonic()
        dirty = space.dirty
        holds_all = self._file_is_obsolete
        temporary = self.temporary(config.dir, "rdb")
        try:
            yield from self._write_snapshot(temporary, self._as_rdb(aof_base=False))
            yield from self._in_background(self._put_in_place, temporary, self.snapshot_path)
        except OSError as error:
            log.warning("Saving the DB failed: %s", reason(error))
            self.save_failed = True
            self._next_save_us = self.engine.clock.monotonic_us() + SAVE_RETRY_US
        else:
            self.save_failed = False
            self._saved_dirty = dirty
            self.last_save_s = self.engine.clock.now_us() // 1_000_000
            self.saves += 1
            log.info("DB saved on disk")
            if holds_all and self._file_is_obsolete:
                yield from self._give_up_file()
        finally:
            self.saving = False
            self.save_took_s = int(time.monotonic() - began)

    def _give_up_file(self) -> Job:
        """Removes an append-only file that nothing is written to any more, a snapshot having all that it holds."""
        try:
            yield from self._in_background(self.folder.give_up)
        except OSError as error:
            log.warning("The append only file, which is not in use, could not be removed: %s", reason(error))

    def _put_in_place(self, temporary: str, path: str) -> None:
        try:
            self.disk.rename(temporary, path)
        except OSError:
            self.disk.remove(temporary)
            raise
        self.disk.sync_folder(os.path.dirname(path))

    def save(self) -> None:
        """SAVE: returns when a snapshot is on the disk. Raises `CommandError`."""
        if self.saving:
            raise CommandError(BACKGROUND_SAVE_RUNS)
        if self._job is not None:
            # A rewrite: there is one job at a time.
            if self._awaited is not None:
                wait([self._awaited])
            self._finish(self._job)
            self._job = self._awaited = None
        self._finish(self._save())
        self._watch_trouble()
        if self.save_failed:
            raise CommandError(SAVE_FAILED)

    def begin_save(self, schedule: bool, within: bool) -> str:
        """BGSAVE: begins a snapshot, or says that it will be begun. Raises `CommandError`.

        `within` says that a transaction is under way, of which a snapshot must have all or nothing.
        """
        if self.saving:
            raise CommandError(BACKGROUND_SAVE_RUNS)
        self.engine.space.sooner = True
        self._next_save_us = 0
        if self._job is not None or within:
            if not schedule and not within:
                raise CommandError(BACKGROUND_WORK_RUNS)
            self.save_scheduled = True
            return "Background saving scheduled"
        self._begin(self._save(), self.engine.clock.monotonic_us())
        self._in_time = never
        self._go_on()
        return "Background saving started"

    def cancel_save(self) -> str:
        """BGSAVE CANCEL: ends a snapshot that is being taken, or is to be. Raises `CommandError`."""
        if self.saving:
            self._abandon_job()
            log.info("Background saving has been cancelled")
            return "Background saving cancelled"
        if self.save_scheduled:
            self.save_scheduled = False
            return "Scheduled background saving cancelled"
        raise CommandError(NOTHING_TO_CANCEL)

    # The append-only file

    def _rewrite(self) -> Job:
        """A new base that holds all there is, and a new increment for what follows."""
        self.rewriting, self.rewrite_scheduled = True, False
        began = time.monotonic()
        try:
            yield from self._write_base()
        except (BadManifest, OSError) as error:
            log.warning("Rewriting the append only file failed: %s", reason(error))
            self.rewrite_failed = True
            self.rewrite_failures += 1
            self._next_rewrite_us = self.engine.clock.monotonic_us() + self._rewrite_pause_us
            self._rewrite_pause_us = min(self._rewrite_pause_us * 2, LONGEST_RETRY_US)
        else:
            self.rewrite_failed = False
            self.rewrite_failures = 0
            self._rewrite_pause_us = RETRY_US
            self.rewrites += 1
            log.info("Background AOF rewrite finished successfully")
        finally:
            self.rewriting = False
            self.rewrite_took_s = int(time.monotonic() - began)

    def _write_base(self) -> Job:
        config = self.engine.config
        folder = self.folder
        begins = self.journal is None and config.appendonly
        increments, appended, first = yield from self._next_increment()
        form = "rdb" if config.aof_use_rdb_preamble else "aof"
        base = increments.next_base(config.appendfilename, form)
        temporary = self.temporary(folder.folder, "rewriteaof")
        record = self._as_rdb(aof_base=True) if form == "rdb" else self._as_commands
        try:
            yield from self._write_snapshot(temporary, record)
            yield from self._in_background(self._replace_base, temporary, base, increments, first)
        except BaseException:
            if begins:
                # No manifest names the increment: what it holds would never be read.
                self._drop_journal()
            raise
        if self.journal is not None:
            self.journal.renewed(appended)
        if not config.aof_disable_auto_gc:
            yield from self._in_background(self._remove_history)
        self._older_size = self.disk.size(folder.path(base))
        self.base_size = self.aof_size()

    def _replace_base(self, temporary: str, base: Part, increments: Manifest, first: int) -> None:
        try:
            self.folder.replace_base(temporary, base, increments, first)
        except OSError:
            if self.disk.exists(temporary):
                self.disk.remove(temporary)
            raise

    def _remove_history(self) -> None:
        """Deletes the files that a rewrite has replaced; if that fails, the next one or the next start tries again."""
        try:
            self.folder.remove_history()
        except OSError as error:
            log.warning("Files of the append only file that are not in use stay: %s", reason(error))

    def _next_increment(self) -> Generator[Future[Any], None, tuple[Manifest, int, int]]:
        """Has effects go to a new increment from now on: the manifest with it, what was appended before, its number."""
        folder = self.folder
        if not folder.known:
            yield from self._in_background(folder.read)
        if not self.engine.config.appendonly:
            return folder.manifest, 0, last_number(folder.manifest) + 1
        if self.journal is None:
            manifest, file = yield from self._in_background(folder.new_increment)
            self._use(Journal(file, self._is_always))
            return manifest, 0, last_number(manifest)
        added: File | None = yield from self._in_background(self._add_increment, self.journal)
        position = self.journal.switch(added)
        return folder.manifest, position, last_number(folder.manifest)

    def _add_increment(self, journal: Journal) -> File | None:
        """An empty increment that follows the one in use; None if that one is empty itself, and follows a failed one.

        Of the one in use as much is synced as there is, so that nobody waits for long when the next one begins.
        """
        folder = self.folder
        if folder.path(folder.manifest.increments[-1]) != journal.path:
            # An earlier rewrite has named it, and could not begin it.
            return folder.open_last()
        if journal.held and not journal.size:
            return None
        file = folder.add_increment()
        journal.sync()
        return file

    def begin_rewrite(self, within: bool) -> str:
        """BGREWRITEAOF: begins a rewrite, or says that it will be begun. Raises `CommandError`.

        `within` is as for `begin_save`.
        """
        if self.rewriting:
            raise CommandError(BACKGROUND_REWRITE_RUNS)
        self.engine.space.sooner = True
        self._next_rewrite_us = 0
        if self._job is not None or within:
            self.rewrite_scheduled = True
            return "Background append only file rewriting scheduled"
        self._begin(self._rewrite(), self.engine.clock.monotonic_us())
        self._in_time = never
        self._go_on()
        return "Background append only file rewriting started"

    def appended(self) -> int:
        """The place in the append-only file behind the last effect so far; -1 when there is no such file."""
        return -1 if self.journal is None else self.journal.position

    def synced(self) -> int:
        """Up to which place the disk has it."""
        return -1 if self.journal is None else self.journal.synced

    # The end

    def finish(self, save: bool | None) -> None:
        """Makes everything safe before a shutdown: a snapshot if `save` says so, or if None and there are save points.

        Raises `CommandError` when that cannot be done. What is only half loaded is not saved.
        """
        loading = self.engine.gate & GATE_LOADING
        self._abandon_job()
        if loading:
            return
        if save or (save is None and self.engine.config.save and (self.changes or self._file_is_obsolete)):
            self.save()
        if self.journal is not None:
            # Twice, because the first time may only have brought to the disk what the rest was held for.
            for _ in range(2):
                error = self.journal.flush() or self.journal.settle(self.journal.appended)
                if error is not None:
                    raise error
        self._finished = True

    def close(self) -> None:
        """Ends a job as it is, takes a last snapshot where nothing else has the data, and closes what is open."""
        if not self._closing.alive or os.getpid() != self._owner:
            return
        if self._would_save and not self._finished:
            try:
                self.finish(None)
            except CommandError as error:
                log.warning("%s", error)
        self._abandon_job()
        self._closing()

    def end_with_program(self) -> None:
        if self._would_save and self.engine.closed is None and os.getpid() == self._owner:
            self._writes = AtOnce()
            self.engine.close("the program ends")

    @property
    def _would_save(self) -> bool:
        """Whether the last changes are in no file although there are save points."""
        return bool(self.engine.config.save) and self.journal is None and self.changes > 0


def last_number(manifest: Manifest) -> int:
    return manifest.increments[-1].number if manifest.increments else 0


def sooner(first_us: int, second_us: int) -> int:
    """The shorter of two rests, of which -1 has no end."""
    if first_us < 0 or second_us < 0:
        return max(first_us, second_us)
    return min(first_us, second_us)


def told_while_alive(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    """A hook for what is still open when an engine goes, and must not keep it."""

    def tell() -> None:
        alive = method()
        if alive is not None:
            alive()

    return tell


def always() -> bool:
    return True


def never() -> bool:
    return False


def close_all(things: list[Any], owner: int) -> None:
    """Closes what an engine had open. A child of the process that opened it leaves it alone."""
    if os.getpid() == owner:
        while things:
            things.pop(0).close()
