"""Whether files of data are good, and what is in them. Nothing is changed here; `repair` does that.

A snapshot is read as at a start, every value decoded and the checksum compared, key by key, so that its size does not
matter. Of an append-only file every part is read: commands are counted by name, not repeated.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

from alcove.codec.payload import dump
from alcove.engine.declaration import Registry
from alcove.persistence import manifest as manifests
from alcove.persistence.aof_folder import MANIFEST_SUFFIX
from alcove.persistence.disk import Disk
from alcove.persistence.inventory import Inventory
from alcove.persistence.manifest import BadManifest, Part
from alcove.persistence.rdb import MAGIC, VALKEY_MAGIC, BadRdb, RdbReader
from alcove.persistence.records import Damaged, RecordReader
from alcove.types.limits import Limits

# How many keys or commands are read between two reports of how far it is.
BETWEEN_REPORTS: Final = 256
# The most that DUMP's frame adds to a value: its footer.
_FRAME: Final = 10


class NothingToCheck(Exception):
    """There are no files of data at a place; the text says so."""


@dataclass(frozen=True)
class Damage:
    """From where on a file is not what it should be. The text says why, with the offset."""

    why: str
    offset: int
    # Whether the file is good as far as it goes.
    truncated: bool
    # What `repair` can do: cut the end, write the keys that can be read to another file, or nothing.
    remedy: Literal["cut", "recover", "none"]


@dataclass
class Report:
    """What one file is and holds."""

    path: str
    form: Literal["RDB", "AOF", "manifest"]
    size: int = 0
    # Of snapshots: the RDB version, 0 for none; what the file says of itself; the libraries of functions; the keys.
    version: int = 0
    aux: dict[bytes, bytes] = field(default_factory=dict)
    libraries: int = 0
    inventory: Inventory = field(default_factory=Inventory)
    # Of append-only files: commands by name, and how many transactions there are.
    commands: Counter[bytes] = field(default_factory=Counter)
    transactions: int = 0
    # What is worth knowing and no damage.
    notes: list[str] = field(default_factory=list)
    damage: Damage | None = None


class Checker:
    """Reads files to their end. `progress` is told a path, how many of its bytes were read, and how many there are."""

    def __init__(
        self,
        registry: Registry,
        disk: Disk | None = None,
        progress: Callable[[str, int, int], None] = lambda path, done, total: None,
    ) -> None:
        self._registry = registry
        self._disk = disk or Disk()
        self._progress = progress

    def check(self, path: str) -> Iterator[Report]:
        """The reports of a snapshot, a manifest with its parts, one append-only file, or all that is in a folder.

        Raises `NothingToCheck`, and OSError for what cannot be read.
        """
        if os.path.isdir(path):
            yield from self._folder(path)
        elif not self._disk.exists(path):
            raise NothingToCheck(f"{path}: no such file or folder")
        elif path.endswith(MANIFEST_SUFFIX):
            yield from self._manifest(path)
        else:
            yield self._file(path, is_last=True)

    # Folders and manifests

    def _folder(self, folder: str) -> Iterator[Report]:
        names = self._disk.names(folder)
        found = [name for name in names if name.endswith(MANIFEST_SUFFIX)]
        if found:
            for name in found:
                yield from self._manifest(os.path.join(folder, name))
            return
        if any(is_part(name) for name in names):
            yield lost_manifest(folder)
            return
        files = [name for name in names if name.endswith((".rdb", ".aof")) and not name.startswith("temp-")]
        folders = [name for name in names if self._has_parts(os.path.join(folder, name))]
        if not files and not folders:
            raise NothingToCheck(f"{folder}: no snapshot and no append-only file in this folder")
        for name in files:
            yield self._file(os.path.join(folder, name), is_last=True)
        for name in folders:
            yield from self._folder(os.path.join(folder, name))

    def _has_parts(self, path: str) -> bool:
        """Whether a path is the folder of an append-only file."""
        if not os.path.isdir(path):
            return False
        return any(name.endswith(MANIFEST_SUFFIX) or is_part(name) for name in self._disk.names(path))

    def _manifest(self, path: str) -> Iterator[Report]:
        report = Report(path, "manifest", self._disk.size(path))
        with self._disk.open(path) as file:
            content = file.read()
        try:
            manifest = manifests.parse(content)
        except BadManifest as error:
            report.damage = Damage(str(error), 0, False, "none")
            yield report
            return
        folder = os.path.dirname(path)
        parts = manifest.parts()
        missing = [part.name for part in parts if not self._disk.exists(os.path.join(folder, part.name))]
        if missing:
            report.damage = Damage(f"the files {', '.join(missing)} it names do not exist", 0, False, "none")
        self._note_strangers(report, folder, {part.name for part in parts + manifest.history})
        yield report
        present = [part for part in parts if part.name not in missing]
        for part in present:
            yield self._part(folder, part, part is parts[-1])

    def _part(self, folder: str, part: Part, is_last: bool) -> Report:
        return self._file(os.path.join(folder, part.name), is_last)

    def _note_strangers(self, report: Report, folder: str, named: set[str]) -> None:
        for name in self._disk.names(folder or "."):
            if name not in named and (is_part(name) or name.startswith("temp-")):
                report.notes.append(f"{name} is not named by it: left by a rewrite that never ended, or put there")

    # Files

    def _file(self, path: str, is_last: bool) -> Report:
        """A snapshot, an append-only file, or one that begins as the first and goes on as the second."""
        report = Report(path, "RDB", self._disk.size(path))
        with self._disk.open(path) as file:
            start = file.read(max(len(MAGIC), len(VALKEY_MAGIC)))
            file.seek(0)
            is_snapshot = start.startswith((MAGIC, VALKEY_MAGIC))
            if not is_snapshot and (start[:1] in (b"*", b"#") or path.endswith(".aof")):
                report.form = "AOF"
                self._records(report, file, 0, is_last)
                return report
            end = self._snapshot(report, file)
            if report.damage is None and end < report.size:
                if path.endswith(".aof") or is_part(path):
                    report.form = "AOF"
                    file.seek(end)
                    self._records(report, file, end, is_last)
                else:
                    report.notes.append(f"{report.size - end} bytes behind its end, at offset {end}")
        return report

    def _snapshot(self, report: Report, file: BinaryIO) -> int:
        """Reads a snapshot; where it ends."""
        now_ms = time.time_ns() // 1_000_000
        reader = RdbReader(file, Limits())
        seen: dict[int, set[bytes]] = {}
        inventory = report.inventory
        before = 0
        try:
            while reader.step():
                number, key = reader.number, reader.key
                if number not in seen:
                    # What stands between it and the key before is no part of either.
                    seen[number] = set()
                    size = len(dump(reader.value, 11)) - _FRAME + len(key)
                else:
                    size = reader.offset - before
                if key in seen[number]:
                    raise BadRdb(f"the key {key[:64]!r} for the second time", reader.offset)
                seen[number].add(key)
                before = reader.offset
                inventory.add(number, key, reader.value, reader.expire_ms, size)
                inventory.expired += 0 < reader.expire_ms <= now_ms
                if reader.keys % BETWEEN_REPORTS == 0:
                    self._progress(report.path, reader.offset, report.size)
        except BadRdb as error:
            report.damage = Damage(str(error), error.offset, error.truncated, "recover")
        report.version, report.aux, report.libraries = reader.version, reader.aux, len(reader.functions)
        if reader.empty:
            report.notes.append(f"{reader.empty} keys without elements, which are left out when it is loaded")
        return reader.offset

    def _records(self, report: Report, file: BinaryIO, offset: int, is_last: bool) -> None:
        """Reads the commands of an append-only file."""
        reader = RecordReader(file, offset)
        # Where the transaction begins that has no EXEC yet.
        begun: int | None = None
        done = 0
        try:
            while True:
                at = reader.offset
                argv = reader.next()
                if argv is None:
                    break
                name = argv[0].upper()
                if not self._is_known(argv):
                    raise UnknownCommand(at, argv)
                if name == b"MULTI":
                    begun = at
                elif name == b"EXEC" and begun is not None:
                    begun = None
                    report.transactions += 1
                else:
                    report.commands[name] += 1
                done += 1
                if done % BETWEEN_REPORTS == 0:
                    self._progress(report.path, reader.offset, report.size)
            if begun is not None:
                raise Damaged(begun, truncated=True)
        except Damaged as damage:
            why, where = str(damage), damage.offset
            if begun is not None:
                within = f"a transaction that begins at offset {begun}"
                why = f"the file ends within {within}" if where == begun else f"{why}, within {within}"
                where = begun
            # What follows a part that is cut would be repeated upon a state that it does not belong to.
            report.damage = Damage(why, where, damage.truncated, "cut" if is_last else "none")

    def _is_known(self, argv: list[bytes]) -> bool:
        command = self._registry.resolve(argv)
        return command is not None and command.least <= len(argv) <= command.most


class UnknownCommand(Damaged):
    """A command that cannot be repeated."""

    def __init__(self, offset: int, argv: list[bytes]) -> None:
        super().__init__(offset, truncated=False)
        self.args = (f"{argv[0][:64]!r} with {len(argv) - 1} arguments is no command, at offset {offset}",)


def is_part(name: str) -> bool:
    """Whether a file's name is that of a part of an append-only file."""
    return name.endswith((".incr.aof", ".base.aof", ".base.rdb"))


def lost_manifest(folder: str) -> Report:
    report = Report(folder, "manifest")
    report.damage = Damage("parts of an append-only file, but no manifest that says in which order", 0, False, "none")
    return report
