"""Keeps an engine's data on disk: what is loaded at start, what is written when, and what follows when that fails."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from alcove.engine.engine import Engine
from alcove.engine.keyspace import Database
from alcove.engine.services import GATE_LOADING, GATE_MISCONF
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
from alcove.persistence.appending import RETRY_US, Appending
from alcove.persistence.background import Ending
from alcove.persistence.data_folder import DataFolder
from alcove.persistence.disk import Disk
from alcove.persistence.jobs import Job, Jobs
from alcove.persistence.journal import reason
from alcove.persistence.loading import CannotLoad, Loader
from alcove.persistence.manifest import BadManifest
from alcove.persistence.report import persistence_section
from alcove.persistence.saving import Saving

# How long a save point, or the file's growth, may be overlooked; and later than any time.
LOOK_EVERY_US: Final = 100_000
NEVER_US: Final = 1 << 62

log = logging.getLogger(__name__)


class Durability:
    """The data of one engine in one folder, as its configuration says."""

    def __init__(self, engine: Engine, disk: Disk | None = None) -> None:
        self.engine = engine
        self._clock = engine.clock
        # Until when nothing has to be looked at unless there is news, and when something is due.
        self._look_us = self._due_us = 0
        # Where WAITAOF waits, and who would write to a container that is being saved.
        self.waiting_room = Database(engine.space, -1)
        # What is open and has to be closed whatever becomes of the engine, which none of it refers to.
        self._opened: list[Any] = []
        self.jobs = Jobs(engine, self._look_again)
        self._opened.append(self.jobs.background)
        self.data = DataFolder(engine, disk or Disk(), self._opened)
        self.saving = Saving(engine, self.data, self.jobs, self.waiting_room)
        self.appending = Appending(
            engine, self.data, self.jobs, self.saving, self.waiting_room, self._opened, self._look_again
        )
        self.loader: Loader | None = None
        self.keys_loaded = self.keys_expired = 0
        self._closing = weakref.finalize(engine, close_all, self._opened, os.getpid())
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
        config.watch("appendfsync aof-timestamp-enabled", self.appending.heed_policy)
        config.watch("dir", self._place_changed)
        config.watch("save stop-writes-on-bgsave-error", self._save_changed)
        self._save_changed()

    @property
    def last_save_s(self) -> int:
        """When the last good snapshot was taken, as a Unix time."""
        return self.saving.last_s

    # The start

    def open_folder(self) -> None:
        """Takes the folder and loads what is there. An engine that cannot is closed, and the reason raised."""
        try:
            self.data.take()
            with self.engine.lock:
                self.load_now()
        except BaseException:
            self.engine.close()
            raise

    def load_now(self) -> None:
        """Loads the data while everybody waits. Raises `CannotLoad`. The engine's lock is held."""
        self.jobs.finish(self._loading())

    def begin_loading(self, failed: Callable[[str], None]) -> None:
        """Loads the data in slices; meanwhile who asks for it is told to wait. `failed` is told why that cannot be."""

        def job() -> Job:
            try:
                yield from self._loading()
            except CannotLoad as why:
                failed(str(why))

        self.engine.gate |= GATE_LOADING
        self.jobs.begin(job())
        self.engine.space.sooner = True

    def _loading(self) -> Job:
        engine = self.engine
        data = self.data
        engine.gate |= GATE_LOADING
        began = time.monotonic()
        loader = self.loader = Loader(engine, data.disk)
        try:
            data.remove_leftovers()
            if engine.config.appendonly:
                yield from self._load_append_only(loader)
            elif data.disk.exists(data.snapshot_path):
                yield from self._slowly(loader.snapshot(data.snapshot_path))
        except (BadManifest, OSError) as error:
            raise CannotLoad(str(error)) from error
        self.loader = None
        self.keys_loaded, self.keys_expired = loader.keys, loader.expired
        engine.gate &= ~GATE_LOADING
        self.saving.loaded()
        if loader.total_bytes:
            keys = sum(len(database) for database in engine.space.databases)
            log.info("DB loaded from disk: %d keys in %.3f seconds", keys, time.monotonic() - began)

    def _slowly(self, slices: Iterator[None]) -> Job:
        """Loading with the pauses of `key-load-delay`, under which a slice is one key or command."""
        for _ in slices:
            delay_us = self.engine.config.key_load_delay
            yield self.jobs.background.start(time.sleep, delay_us / 1_000_000) if delay_us else None

    def _load_append_only(self, loader: Loader) -> Job:
        data, appending = self.data, self.appending
        if data.find_parts():
            for name in data.aof.remove_leftovers():
                log.info("Removed %s, which a rewrite has left", name)
            yield from self._slowly(loader.append_only_file(data.aof))
            yield from self.jobs.in_background(data.aof.sync)
            appending.open()
            return
        appending.remove_history()
        if data.disk.exists(data.snapshot_path):
            log.warning("There is no append only file yet: it begins with the snapshot %s", data.snapshot_path)
            yield from self._slowly(loader.snapshot(data.snapshot_path))
        self.engine.space.now_ms = self.engine.clock.now_us() // 1000
        yield from appending.rewrite()
        if appending.journal is None:
            raise CannotLoad(f"the append only file cannot be written in {data.aof.folder}")

    # Changes of the configuration

    def _appendonly_changed(self) -> None:
        self._look_again()
        appending = self.appending
        if self.engine.config.appendonly:
            if appending.journal is None:
                self.data.begin_file()
                appending.scheduled = True
                appending.next_rewrite_us = 0
                self.engine.space.sooner = True
            return
        if appending.rewriting:
            self.jobs.abandon()
        appending.scheduled = False
        appending.drop()
        self._watch_trouble()
        if self.data.file_is_obsolete and self.engine.config.save:
            # It is of use until a snapshot holds what it holds.
            self.saving.scheduled = True
            self.engine.space.sooner = True

    def _place_changed(self) -> None:
        self.data.move(in_use=self.appending.journal is not None or self.jobs.busy)

    def _save_changed(self) -> None:
        self._look_again()
        self._watch_trouble()
        if self.engine.config.save:
            self.engine.space.sooner = True

    # Between commands

    def work(self, in_time: Callable[[], bool]) -> int:
        """The engine's chore: syncs, retries, and the job in work."""
        now_us = self._clock.monotonic_us()
        journal = self.appending.journal
        # This is asked in every turn.
        if now_us >= self._look_us or (journal is not None and not journal.is_quiet(self._due_us < NEVER_US)):
            self.jobs.in_time = in_time
            # Who has news meanwhile, in another thread, has it looked at again.
            self._look_us = now_us + LOOK_EVERY_US
            try:
                idle_us = self._look(now_us)
            except Ending:
                # What was being written is not finished; what is there is closed soon.
                self.jobs.forget()
                idle_us = -1
            self._due_us = NEVER_US if idle_us < 0 else now_us + idle_us
            self._look_us = min(self._due_us, self._look_us)
        return self._due_us - now_us if self._due_us < NEVER_US else -1

    def _look_again(self) -> None:
        """There is news, of whatever thread, that `work` has to see to."""
        self._look_us = 0

    def _look(self, now_us: int) -> int:
        """Sees to all there is; how long it can be left alone then."""
        idle_us = self.appending.keep(now_us)
        self._watch_trouble()
        if not self.jobs.busy:
            self._begin_what_is_due(now_us)
        return sooner(idle_us, self.jobs.go_on() if self.jobs.busy else self._until_due())

    def _begin_what_is_due(self, now_us: int) -> None:
        if not self._closing.alive:
            return
        if self.appending.is_due(now_us):
            self.jobs.begin(self.appending.rewrite())
        elif self.saving.is_due(now_us):
            self.jobs.begin(self.saving.renew())

    def _until_due(self) -> int:
        """How long nothing can be due, in microseconds; -1 for ever."""
        return RETRY_US if self.appending.is_wanted or self.engine.config.save else -1

    def _watch_trouble(self) -> None:
        """Has writes refused while they cannot be kept."""
        engine = self.engine
        config = engine.config
        journal = self.appending.journal
        trouble = journal.trouble if journal is not None else None
        if trouble is not None:
            engine.misconf = aof_write_failed(reason(trouble))
        elif self.saving.failed and config.stop_writes_on_bgsave_error and config.save:
            engine.misconf = RDB_MISCONF
        else:
            engine.misconf = ""
        engine.gate = engine.gate & ~GATE_MISCONF | (GATE_MISCONF if engine.misconf else 0)

    # What commands ask for

    def save(self) -> None:
        """SAVE: returns when a snapshot is on the disk. Raises `CommandError`."""
        if self.saving.running:
            raise CommandError(BACKGROUND_SAVE_RUNS)
        # There is one job at a time.
        self.jobs.finish_this()
        self.jobs.finish(self.saving.renew())
        self._watch_trouble()
        if self.saving.failed:
            raise CommandError(SAVE_FAILED)

    def begin_save(self, schedule: bool, within: bool) -> str:
        """BGSAVE: begins a snapshot, or says that it will be begun. Raises `CommandError`.

        `within` says that a transaction is under way, of which a snapshot must have all or nothing.
        """
        if self.saving.running:
            raise CommandError(BACKGROUND_SAVE_RUNS)
        self.engine.space.sooner = True
        self.saving.next_us = 0
        if self.jobs.busy or within:
            if not schedule and not within:
                raise CommandError(BACKGROUND_WORK_RUNS)
            self.saving.scheduled = True
            return "Background saving scheduled"
        self.jobs.begin_now(self.saving.renew())
        return "Background saving started"

    def cancel_save(self) -> str:
        """BGSAVE CANCEL: ends a snapshot that is being taken, or is to be. Raises `CommandError`."""
        if self.saving.running:
            self.jobs.abandon()
            log.info("Background saving has been cancelled")
            return "Background saving cancelled"
        if self.saving.scheduled:
            self.saving.scheduled = False
            return "Scheduled background saving cancelled"
        raise CommandError(NOTHING_TO_CANCEL)

    def begin_rewrite(self, within: bool) -> str:
        """BGREWRITEAOF: begins a rewrite, or says that it will be begun. Raises `CommandError`.

        `within` is as for `begin_save`.
        """
        appending = self.appending
        if appending.rewriting:
            raise CommandError(BACKGROUND_REWRITE_RUNS)
        self.engine.space.sooner = True
        appending.next_rewrite_us = 0
        if self.jobs.busy or within:
            appending.scheduled = True
            return "Background append only file rewriting scheduled"
        self.jobs.begin_now(appending.rewrite())
        return "Background append only file rewriting started"

    def appended(self) -> int:
        """The place in the append-only file behind the last effect so far; -1 when there is no such file."""
        journal = self.appending.journal
        return -1 if journal is None else journal.position

    def synced(self) -> int:
        """Up to which place the disk has it."""
        journal = self.appending.journal
        return -1 if journal is None else journal.synced

    # The end

    def finish(self, save: bool | None) -> None:
        """Makes everything safe before a shutdown: a snapshot if `save` says so, or if None and there are save points.

        Raises `CommandError` when that cannot be done. What is only half loaded is not saved.
        """
        loading = self.engine.gate & GATE_LOADING
        self.jobs.abandon()
        if loading:
            return
        if save or (save is None and self.engine.config.save and (self.saving.changes or self.data.file_is_obsolete)):
            self.save()
        journal = self.appending.journal
        if journal is not None:
            # Twice, because the first time may only have brought to the disk what the rest was held for.
            for _ in range(2):
                error = journal.flush() or journal.settle(journal.appended)
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
        self.jobs.abandon()
        self._closing()

    def end_with_program(self) -> None:
        if self._would_save and self.engine.closed is None and os.getpid() == self._owner:
            self.jobs.do_without_threads()
            self.engine.close("the program ends")

    @property
    def _would_save(self) -> bool:
        """Whether the last changes are in no file although there are save points."""
        return bool(self.engine.config.save) and self.appending.journal is None and self.saving.changes > 0


def sooner(first_us: int, second_us: int) -> int:
    """The shorter of two rests, of which -1 has no end."""
    if first_us < 0 or second_us < 0:
        return max(first_us, second_us)
    return min(first_us, second_us)


def close_all(things: list[Any], owner: int) -> None:
    """Closes what an engine had open. A child of the process that opened it leaves it alone."""
    if os.getpid() == owner:
        while things:
            things.pop(0).close()
