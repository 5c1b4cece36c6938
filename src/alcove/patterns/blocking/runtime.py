"""What waits, runs beside, and calls the user's code: here by threads, in `alcove.patterns.asyncio` by asyncio.

The two files are written by hand and have the same names, so that a pattern is written once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

Event = threading.Event
Lock = threading.Lock
monotonic = time.monotonic
sleep = time.sleep


def result_of(value: T) -> T:
    """What the user's function returned."""
    return value


def happened(event: Event, timeout: float | None = None) -> bool:
    """Waits until an event is set; false when `timeout` seconds have passed before."""
    return event.wait(timeout)


class Task:
    """Something that runs beside its owner."""

    __slots__ = ("_error", "_thread")

    def __init__(self, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._error: BaseException | None = None
        # A daemon, so that a program can end although its owner was not closed.
        self._thread = threading.Thread(target=self._run, args=(function, args), name=name, daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        except BaseException as error:
            self._error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Asks it to stop: a task is cancelled. A thread cannot be: it has to look at an event of its owner's."""

    def join(self) -> None:
        """Waits for its end. What it raised is raised here."""
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def spawn(name: str, function: Callable[..., Any], *args: Any) -> Task:
    """Runs a function beside the caller."""
    return Task(name, function, args)
