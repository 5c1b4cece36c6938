"""What waits, runs beside, and calls the user's code: here by threads, in `alcove.patterns.asyncio` by asyncio.

The two files are written by hand and have the same names, so that a pattern is written once.
"""

from __future__ import annotations

import _thread
import asyncio
import heapq
import inspect
import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from alcove.patterns.core.errors import InvalidArgument

T = TypeVar("T")

_log = logging.getLogger("alcove.patterns")

Event = threading.Event
Lock = threading.Lock
monotonic = time.monotonic


class Cancelled(BaseException):
    """What ends a function that runs beside its owner, when its task is cancelled."""


def sleep(seconds: float) -> None:
    task: Task | None = getattr(_running, "task", None)
    if task is None:
        time.sleep(seconds)
    else:
        task._sleep(seconds)


def result_of(value: T) -> T:
    """What the user's function returned."""
    return value


def can_interrupt(function: Callable[..., Any]) -> bool:
    """Whether this function of the user's ends when its task is cancelled: nothing does that runs in a thread."""
    return False


def called(function: Callable[..., Awaitable[T] | T], *args: Any) -> T:
    """What the user's function returns, which may take its time: a coroutine runs in an event loop of its own."""
    result = function(*args)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Awaitable[T]) -> T:
    return await result


def happened(event: Event, timeout: float | None = None) -> bool:
    """Waits until an event is set; false when `timeout` seconds have passed before."""
    return event.wait(timeout)


class _Holds(threading.local):
    def __init__(self) -> None:
        self.places: set[tuple[int, str]] = set()


_within = _Holds()


def within() -> set[tuple[int, str]]:
    """What the thread that asks holds by the block that it is in: clients and keys."""
    return _within.places


class Task:
    """Something that runs beside its owner."""

    __slots__ = ("_cancelled", "_ended", "_error", "_name", "_over", "_work")

    def __init__(self, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._name = name
        # Taken out, by one step of C, by who begins it or sees to it that nobody does.
        self._work = [(function, args)]
        self._error: BaseException | None = None
        self._ended = False
        # Made when somebody wants them: most tasks are cancelled before their time.
        self._cancelled: threading.Event | None = None
        self._over: threading.Event | None = None

    def _begin(self) -> None:
        self._cancelled = threading.Event()
        # A daemon, so that a program can end although its owner was not closed.
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # There are too many threads, or the program is ending.
            self._error = error
            self._end()

    def _run(self) -> None:
        try:
            function, args = self._work.pop()
        except IndexError:
            return
        _running.task = self
        try:
            function(*args)
        except Cancelled:
            # Its end is what was asked for.
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        self._ended = True
        with _joining:
            if self._over is not None:
                self._over.set()

    def _sleep(self, seconds: float) -> None:
        assert self._cancelled is not None
        if self._cancelled.wait(seconds):
            raise Cancelled

    @property
    def done(self) -> bool:
        return self._ended

    def cancel(self) -> None:
        """Asks it to stop. A task ends where it waits, a thread at its next `sleep`, if not before it began."""
        try:
            self._work.pop()
        except IndexError:
            # It has begun, or was cancelled before.
            if self._cancelled is not None:
                self._cancelled.set()
            return
        self._end()
        _alarms.forget()

    def join(self) -> None:
        """Waits for its end. What it raised is raised here; that it was cancelled is not."""
        with _joining:
            if self._over is None:
                self._over = threading.Event()
            if self._ended:
                self._over.set()
        self._over.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __del__(self) -> None:
        if self._error is not None:
            _log.error("%s ended by an error, and nobody waited for it", self._name, exc_info=self._error)


class _Alarms:
    """One thread that begins tasks at their times, however many there are."""

    # Below this many, tasks that were cancelled stay until their time has come.
    FEW = 1000

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._thread: threading.Thread | None = None

    def add(self, due: float, task: Task) -> None:
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._numbers), task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alcove alarms", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is task:
                self._changed.notify()

    def forget(self) -> None:
        """A task was cancelled: when most were, they are removed."""
        with self._changed:
            self._cancelled += 1
            if self._cancelled > self.FEW and self._cancelled > len(self._heap) // 2:
                self._heap = [entry for entry in self._heap if not entry[2].done]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                while (left := self._heap[0][0] - monotonic() if self._heap else None) is None or left > 0:
                    self._changed.wait(left)
                _, _, task = heapq.heappop(self._heap)
                # Those behind it that were cancelled go too: where most are, this thread seldom wakes.
                while self._heap and self._heap[0][2].done:
                    heapq.heappop(self._heap)
            if not task.done:
                task._begin()


_running = threading.local()
_alarms = _Alarms()
_joining = threading.Lock()


def _begin_anew() -> None:
    """In the child of a fork there is no thread but the one that forked."""
    global _alarms, _joining  # noqa: PLW0603
    _alarms = _Alarms()
    _joining = threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)


def spawn(name: str, function: Callable[..., Any], *args: Any, after: float = 0.0) -> Task:
    """Runs a function beside the caller, beginning in `after` seconds.

    Until then it costs little: so whatever is rarely needed in the end may be asked for beforehand, and cancelled.
    """
    task = Task(name, function, args)
    if after > 0:
        _alarms.add(monotonic() + after, task)
    else:
        task._begin()
    return task


class Interruption:
    """Ends what the task that makes it is doing, from outside; threads cannot have that.

    Whoever made it asks in the end by `caused` whether an exception that came up is this one, and raises another.
    """

    __slots__ = ()

    def __init__(self) -> None:
        raise InvalidArgument("a thread cannot be cancelled from outside: give a function, or use asyncio")

    def send(self) -> None: ...

    def caused(self, error: BaseException | None) -> bool:
        """Whether nothing else led to this exception. The task counts as not cancelled by us any more."""
        return False


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, the first SIGTERM or SIGINT calls `stop`, and a second one does what it does else.

    Only the main thread gets signals: in others nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def arrived(number: int, frame: Any) -> None:
        restore()
        # In a thread: the one that was interrupted may hold the very lock that `stop` needs.
        _thread.start_new_thread(stop, ())

    for number in before:
        signal.signal(number, arrived)
    try:
        yield
    finally:
        restore()


def in_session(result: T) -> T:
    """What was done where SQLAlchemy calls functions: by threads that is nothing special."""
    return result
