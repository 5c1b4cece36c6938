"""The operations on files that durability is made of, in one place, so that tests can put a failing disk there."""

from __future__ import annotations

import os
from typing import BinaryIO

# Data, and what is needed to find it: when it was written does not matter.
_sync = getattr(os, "fdatasync", os.fsync)


class File:
    """A file that is written at its end. Every method raises OSError when the disk does not do what it was asked."""

    def __init__(self, path: str, flags: int) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | flags, 0o644)
        self.size = os.fstat(self._fd).st_size

    def write(self, data: bytes | memoryview) -> None:
        """Hands all of `data` to the system. After an error `size` says how much of the file there is now."""
        written = os.write(self._fd, data)
        self.size += written
        left = memoryview(data)
        while written < len(left):
            left = left[written:]
            written = os.write(self._fd, left)
            self.size += written

    def sync(self) -> None:
        """Returns when what was written is on the disk."""
        _sync(self._fd)

    def truncate(self, size: int) -> None:
        """Cuts what was written beyond `size`."""
        os.ftruncate(self._fd, size)
        self.size = size

    def close(self) -> None:
        os.close(self._fd)


class Disk:
    """The folders and files of this machine."""

    def names(self, folder: str) -> list[str]:
        """What is in a folder; nothing if there is no such folder."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, path: str) -> None:
        """Makes a folder, with those it is in, unless it is there. Those that are new are on the disk then."""
        above = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(path):
            self.make_folder(above)
            os.makedirs(path, exist_ok=True)
            self.sync_folder(above)

    def create(self, path: str) -> File:
        """A file for writing, empty whatever was there."""
        return File(path, os.O_TRUNC)

    def append(self, path: str) -> File:
        """A file for writing behind what is there."""
        return File(path, 0)

    def open(self, path: str) -> BinaryIO:
        """A file for reading."""
        return open(path, "rb")

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def size(self, path: str) -> int:
        return os.path.getsize(path)

    def modified_s(self, path: str) -> float:
        """When a file was written last, as a Unix time."""
        return os.path.getmtime(path)

    def truncate(self, path: str, size: int) -> None:
        """Cuts a file, and returns when that is on the disk."""
        file = self.append(path)
        try:
            file.truncate(size)
            file.sync()
        finally:
            file.close()

    def rename(self, old: str, new: str) -> None:
        """Gives a file a name, in place of the file that has it. It outlives a power cut only with `sync_folder`."""
        os.replace(old, new)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def sync_folder(self, path: str) -> None:
        """Returns when the names in a folder are on the disk."""
        if os.name != "posix":
            # There a folder cannot be opened; the system keeps renames in order by itself.
            return
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace_file(disk: Disk, path: str, content: bytes) -> None:
    """Puts a small file in place of another so that after a crash one of them is there, whole."""
    temporary = f"{path}.tmp"
    file = disk.create(temporary)
    try:
        file.write(content)
        file.sync()
    finally:
        file.close()
    disk.rename(temporary, path)
    disk.sync_folder(os.path.dirname(path) or ".")
