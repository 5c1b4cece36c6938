"""The folder of an engine's data: where its files are, in which form it is kept, and that nobody else is in it."""

from __future__ import annotations

import logging
import os
from typing import Any

from alcove.engine.config_kinds import Refused
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.persistence.aof_folder import AofFolder
from alcove.persistence.disk import Disk
from alcove.persistence.folder_lock import LOCK_NAME, FolderLock
from alcove.persistence.loading import CannotLoad
from alcove.persistence.manifest import BadManifest

log = logging.getLogger(__name__)


class DataFolder:
    """The directives `dir`, `dbfilename`, `appenddirname` and `appendfilename`, and what they lead to."""

    def __init__(self, engine: Engine, disk: Disk, opened: list[Any]) -> None:
        self._config = engine.config
        self.disk = disk
        # What is to be closed in the end; the lock is there while it is held.
        self._opened = opened
        self._lock: FolderLock | None = None
        self._aof: AofFolder | None = None
        # Whether the append-only file in the folder was loaded, or written, by this engine: nothing is lost with it.
        self.file_is_ours = False

    @property
    def snapshot_path(self) -> str:
        return os.path.join(self._config.dir, self._config.dbfilename)

    @property
    def old_style_path(self) -> str:
        """Where Redis before 7 keeps its append-only file, which is a single one."""
        return os.path.join(self._config.dir, self._config.appendfilename)

    @property
    def aof(self) -> AofFolder:
        """The append-only file's folder."""
        if self._aof is None:
            path = os.path.join(self._config.dir, self._config.appenddirname)
            self._aof = AofFolder(self.disk, path, self._config.appendfilename)
        return self._aof

    def temporary(self, what: str, folder: str = "") -> str:
        """Where a file is written that is put in its place when it is whole."""
        return os.path.join(folder or self._config.dir, f"temp-{what}-{os.getpid()}")

    @property
    def file_is_obsolete(self) -> bool:
        """Whether the append-only file is kept only until there is a newer snapshot."""
        return not self._config.appendonly and self.file_is_ours and bool(self.aof.manifest.parts())

    def lock(self) -> None:
        """Keeps other processes from the folder. Raises `FolderInUse`, or OSError if the folder is not writable."""
        self._lock = FolderLock(self._config.dir)
        self._opened.append(self._lock)

    # The start

    def take(self) -> None:
        """Decides in which form the data is kept, unless that was said, and keeps other processes from the folder.

        A folder with an append-only file goes on with it. Raises `CannotLoad`, `FolderInUse` or OSError.
        """
        config = self._config
        was_ours = self.disk.exists(os.path.join(config.dir, LOCK_NAME))
        if config.appendonly or config.save:
            self.lock()
        if not config.appendonly and self._find_file():
            self._heed_file(was_ours)
            if config.appendonly and self._lock is None:
                self.lock()

    def _find_file(self) -> bool:
        """Whether the folder has an append-only file that holds data."""
        try:
            return self.aof.read() or self.disk.exists(self.old_style_path)
        except (BadManifest, OSError) as error:
            raise CannotLoad(str(error)) from error

    def _heed_file(self, was_ours: bool) -> None:
        """The configuration has no append-only file, and the folder has one."""
        config = self._config
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
        if not self.disk.exists(self.snapshot_path):
            return False
        parts = [self.aof.path(part) for part in self.aof.manifest.parts()] or [self.old_style_path]
        return self.disk.modified_s(self.snapshot_path) > max(map(self.disk.modified_s, parts))

    def remove_leftovers(self) -> None:
        """Deletes the unfinished snapshots of processes that were killed."""
        if self._lock is not None:
            folder = self._config.dir
            for name in self.disk.names(folder):
                if name.startswith("temp-rdb-"):
                    self.disk.remove(os.path.join(folder, name))
                    log.info("Removed %s, an unfinished snapshot", name)

    def find_parts(self) -> bool:
        """Whether there is an append-only file to be loaded, which is of parts then; it is this engine's from now on.

        Raises `BadManifest` or OSError.
        """
        aof = self.aof
        if not aof.read() and self.disk.exists(self.old_style_path):
            log.info("The append only file %s is made the base of the folder %s", self.old_style_path, aof.folder)
            aof.adopt_old_style(self.old_style_path)
        self.file_is_ours = True
        return bool(aof.manifest.parts())

    # Changes of the configuration

    def begin_file(self) -> None:
        """Makes sure that an append-only file begun now replaces none that was not loaded. Raises `Refused`."""
        try:
            if self._lock is None:
                self.lock()
            if not self.file_is_ours and self._find_file() and self.aof.manifest.parts():
                raise Refused(f"{self.aof.folder} holds data that is not loaded; start with it, or move it away")
        except (CannotLoad, OSError) as error:
            raise Refused(str(error)) from error
        self.file_is_ours = True

    def move(self, in_use: bool) -> None:
        """CONFIG SET dir: the append-only file stays where it is, so it must not be in use; nor its lock."""
        folder = self._config.dir
        if self._lock is not None:
            if self._lock.folder == folder:
                # Told again, after a refusal.
                return
            if self._config.appendonly or in_use:
                raise Refused("the data on disk is in use; set appendonly to no, and wait for what is being written")
            try:
                lock = FolderLock(folder)
            except OSError as error:
                raise Refused(str(error)) from error
            self._opened[self._opened.index(self._lock)] = lock
            self._lock.close()
            self._lock = lock
        self._aof = None
        self.file_is_ours = False
