"""A disk in memory that knows what was synced, and can fail, die and lose power: `SimulatedDisk`.

It keeps two states of everything: what the running system shows, and what is certain to be there after a power cut.
`File.sync` makes the content of a file certain, `sync_folder` what names there are in a folder; neither does the
other's work, as POSIX has it.
"""

from __future__ import annotations

import errno
import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from alcove.persistence.disk import Disk, File

# What the disk writes as a whole or not at all.
BLOCK = 512


class Crash(BaseException):
    """The process has died at this point. No handler of ordinary errors sees it."""


@dataclass(eq=False)
class Inode:
    """One file's content, whatever its names."""

    # As the system shows it, and as it was when it was synced last.
    shown: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    # What was done since: (offset, bytes) for a write, a size for a cut.
    changes: list[tuple[int, bytes] | int] = field(default_factory=list)

    def after_power_cut(self, chance: random.Random) -> bytearray:
        """What the disk has of it: of what was not synced nothing, all, a part from the front, or blocks at random."""
        kept = chance.choice(("none", "all", "front", "blocks"))
        content = bytearray(self.durable)
        changes = self.changes
        if kept == "none" or not changes:
            return content
        if kept == "front":
            changes = changes[: chance.randrange(len(changes) + 1)]
            if changes and not isinstance(changes[-1], int):
                offset, data = changes[-1]
                changes = [*changes[:-1], (offset, data[: chance.randrange(len(data) + 1)])]
        for change in changes:
            self.apply(content, change)
        if kept == "blocks":
            self._lose_blocks(content, chance)
        return content

    def _lose_blocks(self, content: bytearray, chance: random.Random) -> None:
        """Blocks that were to be written are what they were before: zeros, where there was nothing."""
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            before = self.durable[start : start + BLOCK].ljust(len(block), b"\0")[: len(block)]
            if block != before and chance.random() < 0.3:
                content[start : start + BLOCK] = before

    def apply(self, content: bytearray, change: tuple[int, bytes] | int) -> None:
        """Brings a change to the disk, with all of the block in which it begins."""
        if isinstance(change, int):
            del content[change:]
            return
        offset, data = change
        start = offset // BLOCK * BLOCK
        content.extend(bytes(max(offset - len(content), 0)))
        content[start : offset + len(data)] = self.shown[start:offset].ljust(offset - start, b"\0") + data


@dataclass(frozen=True)
class Naming:
    """One change of names, which outlives a power cut as a whole or not at all: a name with what it names from now."""

    changes: tuple[tuple[str, Inode | None], ...]

    def concerns(self, folder: str) -> bool:
        return any(os.path.dirname(path) == folder for path, _ in self.changes)

    def apply(self, names: dict[str, Inode | None]) -> None:
        for path, inode in self.changes:
            if inode is None:
                names.pop(path, None)
            else:
                names[path] = inode


FOLDER = Inode()

# Whether an operation fails: by its number, its name and the path. A write that fails has written half.
Fault = Callable[[int, str, str], OSError | None]


class SimulatedDisk(Disk):
    """The interface of `Disk`. Operations that change something, or wait for the disk, are counted."""

    def __init__(self, *folders: str) -> None:
        # Files and folders by path: as the system shows them, and as they were when their folders were synced last.
        self._shown: dict[str, Inode | None] = dict.fromkeys(folders, FOLDER)
        self._durable = dict(self._shown)
        self._namings: list[Naming] = []
        self.operations = 0
        # The operation before which the process dies, and what fails.
        self.crash_before = -1
        self.fault: Fault | None = None
        self.read_only = False
        # Whether the process that used it is dead: nothing that it does has an effect.
        self.dead = False

    # What becomes of it

    def after_crash(self) -> SimulatedDisk:
        """What the next process finds when this one has died: all that the system was told."""
        return self._left(self._shown, lambda inode: (inode.shown, inode.durable, inode.changes), self._namings)

    def after_power_cut(self, seed: int) -> SimulatedDisk:
        """What the next process finds when the machine has died: all that was synced, and something of the rest."""
        chance = random.Random(seed)
        names = dict(self._durable)
        most = chance.choice((0.0, 0.5, 1.0))
        for naming in self._namings:
            if chance.random() < most:
                naming.apply(names)

        def kept(inode: Inode) -> tuple[bytearray, bytearray, list[tuple[int, bytes] | int]]:
            content = inode.after_power_cut(chance)
            return content, content, []

        return self._left(names, kept, [])

    def _left(
        self,
        names: dict[str, Inode | None],
        content: Callable[[Inode], tuple[bytearray, bytearray, list[tuple[int, bytes] | int]]],
        namings: list[Naming],
    ) -> SimulatedDisk:
        """A disk of its own for the next process; this one takes nothing any more."""
        self.dead = True
        copies: dict[Inode | None, Inode | None] = {FOLDER: FOLDER, None: None}

        def copy(inode: Inode | None) -> Inode | None:
            if inode is not None and inode not in copies:
                shown, durable, changes = content(inode)
                copies[inode] = Inode(bytearray(shown), bytearray(durable), list(changes))
            return copies[inode]

        left = SimulatedDisk()
        left._shown = {path: copy(inode) for path, inode in names.items() if self._is_reachable(path, names)}
        if namings:
            left._durable = {path: copy(inode) for path, inode in self._durable.items()}
            left._namings = [Naming(tuple((path, copy(inode)) for path, inode in each.changes)) for each in namings]
        else:
            left._durable = dict(left._shown)
        return left

    @staticmethod
    def _is_reachable(path: str, names: dict[str, Inode | None]) -> bool:
        """Whether the folder is there in which a file is; the topmost ones are always."""
        above = os.path.dirname(path)
        return above in ("/", "") or (above in names and SimulatedDisk._is_reachable(above, names))

    def files(self) -> dict[str, bytes]:
        """All files with what the system shows of them."""
        return {path: bytes(inode.shown) for path, inode in self._shown.items() if inode is not FOLDER and inode}

    def put(self, path: str, content: bytes) -> None:
        """A file that has been there for long."""
        self._shown[path] = self._durable[path] = Inode(bytearray(content), bytearray(content))

    def drop(self, path: str) -> None:
        """A file that somebody else has removed."""
        del self._shown[path], self._durable[path]

    # The operations

    def _operate(self, name: str, path: str) -> None:
        if self.dead or self.operations == self.crash_before:
            self.crash_before = self.operations
            raise Crash
        self.operations += 1
        if self.read_only and name in ("make_folder", "create", "rename", "remove"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        failure = self.fault(self.operations - 1, name, path) if self.fault is not None else None
        if failure is not None:
            raise failure

    def _name(self, *changes: tuple[str, Inode | None]) -> None:
        naming = Naming(changes)
        naming.apply(self._shown)
        self._namings.append(naming)

    def _inode(self, path: str) -> Inode:
        inode = self._shown.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return inode

    def names(self, folder: str) -> list[str]:
        return sorted(os.path.basename(path) for path in self._shown if os.path.dirname(path) == folder)

    def make_folder(self, path: str) -> None:
        self._operate("make_folder", path)
        if path not in self._shown:
            self._inode(os.path.dirname(path))
            self._name((path, FOLDER))

    def create(self, path: str) -> File:
        self._operate("create", path)
        self._inode(os.path.dirname(path))
        inode = self._shown.get(path)
        if inode is None:
            inode = Inode()
            self._name((path, inode))
        else:
            inode.shown.clear()
            inode.changes.append(0)
        return SimulatedFile(self, path, inode)

    def append(self, path: str) -> File:
        self._operate("append", path)
        if path not in self._shown:
            self._inode(os.path.dirname(path))
            self._name((path, Inode()))
        return SimulatedFile(self, path, self._inode(path))

    def open(self, path: str) -> BinaryIO:
        failure = self.fault(self.operations, "open", path) if self.fault is not None else None
        if failure is not None:
            raise failure
        return io.BytesIO(bytes(self._inode(path).shown))

    def exists(self, path: str) -> bool:
        return path in self._shown

    def size(self, path: str) -> int:
        return len(self._inode(path).shown)

    def rename(self, old: str, new: str) -> None:
        self._operate("rename", new)
        self._name((old, None), (new, self._inode(old)))

    def remove(self, path: str) -> None:
        self._operate("remove", path)
        self._inode(path)
        self._name((path, None))

    def sync_folder(self, path: str) -> None:
        self._operate("sync_folder", path)
        for naming in [each for each in self._namings if each.concerns(path)]:
            naming.apply(self._durable)
            self._namings.remove(naming)


class SimulatedFile(File):
    """A file of a `SimulatedDisk`."""

    def __init__(self, disk: SimulatedDisk, path: str, inode: Inode) -> None:
        self.path = path
        self.size = len(inode.shown)
        self._disk = disk
        self._inode = inode
        self._closed = False

    def _operate(self, name: str) -> None:
        assert not self._closed, f"{name} of a closed file"
        self._disk._operate(name, self.path)

    def write(self, data: bytes | memoryview) -> None:
        try:
            self._operate("write")
        except OSError:
            self._write(bytes(data[: len(data) // 2]))
            raise
        self._write(bytes(data))

    def _write(self, data: bytes) -> None:
        inode = self._inode
        inode.changes.append((len(inode.shown), data))
        inode.shown += data
        self.size = len(inode.shown)

    def sync(self) -> None:
        inode = self._inode
        try:
            self._operate("sync")
        except OSError:
            # The system gives up what it could not write: it shows it, and never tries again.
            inode.changes.clear()
            raise
        for change in inode.changes:
            inode.apply(inode.durable, change)
        inode.changes.clear()

    def truncate(self, size: int) -> None:
        self._operate("truncate")
        del self._inode.shown[size:]
        self._inode.changes.append(size)
        self.size = size

    def close(self) -> None:
        self._operate("close")
        self._closed = True
