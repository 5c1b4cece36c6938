"""A thread for what takes the disk's time, and files that it writes, so that nobody waits for it under the lock."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from alcove.persistence.disk import Disk, File

# How many bytes the thread may be behind before it is waited for between two slices, and at all.
MOST_QUEUED: Final = 32 << 20
MOST_HELD: Final = 96 << 20
# How many bytes are written between two syncs of a growing file, lest the last one take long.
SYNC_EVERY: Final = 32 << 20


log = logging.getLogger(__name__)


class Ending(Exception):
    """The program ends, and with it what threads do in the background."""


class Background:
    """One thread, started when there is something to do; what it is given it does in order."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"alcove-{name}")

    def start(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Raises `Ending` at the end of the program."""
        try:
            return self._pool.submit(function, *arguments)
        except RuntimeError as error:
            raise Ending(str(error)) from None

    def close(self) -> None:
        """Waits until all is done."""
        self._pool.shutdown()


class AtOnce(Background):
    """What stands in for the thread at the end of the program, when there can be none: it does things at once."""

    def __init__(self) -> None:
        super().__init__("end")

    def start(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class BackgroundFile:
    """A new file that is written behind the writer's back. An error comes out of `finish`."""

    def __init__(self, disk: Disk, path: str, background: Background, sync_often: bool) -> None:
        self._background = background
        self._sync_every = SYNC_EVERY if sync_often else 0
        self._unsynced = 0
        self._file: File | None = None
        self._queue: deque[tuple[Future[Any], int]] = deque()
        self._queued = 0
        self._failure: OSError | None = None
        self._abandoned = False
        self._disk = disk
        self._path = path
        self.size = 0
        self._enqueue(0, self._open)

    def write(self, data: bytes) -> None:
        """Has the bytes written; who is very far ahead of the disk is kept waiting."""
        self.size += len(data)
        self._enqueue(len(data), self._write, data)
        while self._queued > MOST_HELD and (first := self.behind()) is not None:
            wait([first])

    def behind(self) -> Future[Any] | None:
        """What to wait for before more is written; None if there is no need to wait."""
        while self._queue and self._queue[0][0].done():
            self._queued -= self._queue.popleft()[1]
        return self._queue[0][0] if self._queued > MOST_QUEUED else None

    @property
    def failure(self) -> OSError | None:
        """Why it cannot be written, as far as that is known yet."""
        return self._failure

    def finish(self) -> Future[Any]:
        """Syncs and closes; the result is None, or the exception why there is no such file on the disk."""
        return self._background.start(self._finish)

    def abandon(self) -> None:
        """Has it removed, without what is still to be written; nobody waits for that."""
        self._abandoned = True
        try:
            self._background.start(self._discard)
        except Ending:
            self._discard()

    def _enqueue(self, size: int, function: Callable[..., None], *arguments: Any) -> None:
        self._queued += size
        self._queue.append((self._background.start(self._attempt, function, *arguments), size))

    # In the thread

    def _attempt(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._failure is None and not self._abandoned:
            try:
                function(*arguments)
            except OSError as error:
                self._failure = error

    def _open(self) -> None:
        self._file = self._disk.create(self._path)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._unsynced += len(data)
        if self._sync_every and self._unsynced >= self._sync_every:
            self._file.sync()
            self._unsynced = 0

    def _finish(self) -> None:
        if self._file is not None and self._failure is None:
            self._attempt(self._file.sync)
        self._close()
        if self._failure is not None:
            raise self._failure

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._attempt(file.close)

    def _discard(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
            if self._disk.exists(self._path):
                self._disk.remove(self._path)
        except OSError as error:
            log.warning("The unfinished file %s stays: %s", self._path, error)
