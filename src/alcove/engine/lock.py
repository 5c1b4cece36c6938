"""The one lock of an engine: held for a command, a transaction or a slice, never while anything waits.

This is the plain twin.
"""

from __future__ import annotations

import threading


class EngineLock:
    """A mutex that knows its holder, so that a nested call from the same thread is an error and not a deadlock.

    Such a call comes from a finalizer or a signal handler that happens to run inside a command: the engine is in the
    middle of a change then, and there is nothing to wait for.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._holder = 0

    def acquire(self) -> None:
        caller = threading.get_ident()
        if self._holder == caller:
            raise RuntimeError(
                "the engine was called from inside one of its own commands "
                "(by a finalizer, a signal handler or a callback)"
            )
        self._mutex.acquire()
        self._holder = caller

    def try_acquire(self) -> bool:
        """Takes the lock if nobody holds it; whether it did."""
        if not self._mutex.acquire(blocking=False):
            return False
        self._holder = threading.get_ident()
        return True

    def release(self) -> None:
        self._holder = 0
        self._mutex.release()

    def renew(self) -> None:
        """In the child of a fork: whoever held it is not there to release it."""
        self._mutex = threading.Lock()
        self._holder = 0

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *raised: object) -> None:
        self.release()
