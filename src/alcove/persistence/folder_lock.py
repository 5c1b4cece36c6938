"""One process at a time has a folder: a file in it is locked, and says who that is."""

from __future__ import annotations

import os
import weakref
from typing import Final

LOCK_NAME: Final = "alcove.lock"


class FolderInUse(OSError):
    """Another process has the folder; the text names it and says how to share the data."""


class FolderLock:
    """The lock on a folder, until `close` or the process's end. Raises `FolderInUse`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        path = os.path.join(folder, LOCK_NAME)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            lock(self._fd)
        except OSError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise FolderInUse(in_use(folder, holder)) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        _held.add(self)

    def close(self) -> None:
        _held.discard(self)
        os.close(self._fd)


def in_use(folder: str, holder: str) -> str:
    """What is the matter, and what can be done about it."""
    if holder == str(os.getpid()):
        return (
            f"the folder {folder} is in use by the process {holder}, which is this one; alcove.open gives any number "
            "of clients of it, and alcove.serve(engine=client) a server"
        )
    return (
        f"the folder {folder} is in use by the process {holder}; to use the data in several processes, run "
        f"`alcove serve --dir {folder}` and connect to it"
    )


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _let_go() -> None:
    """A child of the process must not have the folder when its parent is gone; the lock stays with the parent."""
    for held in list(_held):
        held.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def lock(descriptor: int) -> None:
    """Locks a file for this process, or raises OSError at once."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
