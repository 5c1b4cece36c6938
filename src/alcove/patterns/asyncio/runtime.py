"""What waits, runs beside, and calls the user's code: here by asyncio, in `alcove.patterns.blocking` by threads.

The two files are written by hand and have the same names, so that a pattern is written once.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from alcove.patterns.core.errors import InvalidArgument

T = TypeVar("T")

Event = asyncio.Event
Lock = asyncio.Lock
# What ends a function that runs beside its owner, when its task is cancelled.
Cancelled = asyncio.CancelledError
monotonic = time.monotonic


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def result_of(value: Awaitable[T] | T) -> T:
    """What the user's function returned, awaited if it is to be: it may be a plain one or a coroutine."""
    if inspect.isawaitable(value):
        return cast(T, await value)
    return value


def can_interrupt(function: Callable[..., Any]) -> bool:
    """Whether this function of the user's ends when its task is cancelled: it is a coroutine's, and not a plain one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


async def called(function: Callable[..., Awaitable[T] | T], *args: Any) -> T:
    """What the user's function returns, which may take its time: a plain one runs in a thread of its own.

    When the caller is cancelled, the thread goes on, and nobody hears of it.
    """
    if can_interrupt(function):
        return await cast(Awaitable[T], function(*args))
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(function, *args)
        except StopIteration as raised:
            # No future takes it.
            error = RuntimeError(f"a function raised {raised!r}")
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=f"alcove {getattr(function, '__name__', 'call')}", daemon=True).start()
    return cast(T, await result_of(await future))


async def happened(event: Event, timeout: float | None = None) -> bool:
    """Waits until an event is set; false when `timeout` seconds have passed before."""
    if timeout is None:
        return await event.wait()
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False


_within: WeakKeyDictionary[asyncio.Task[Any], set[tuple[int, str]]] = WeakKeyDictionary()


def within() -> set[tuple[int, str]]:
    """What the task that asks holds by the block that it is in: clients and keys. Nothing outside of a task."""
    task = asyncio.current_task()
    return set() if task is None else _within.setdefault(task, set())


class Task:
    """Something that runs beside its owner."""

    __slots__ = ("_began", "_cancelled", "_task", "_timer")

    def __init__(self) -> None:
        # One of them: what runs, or what will begin it.
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled = False
        # Made when somebody waits for what has not begun: most tasks are cancelled before their time.
        self._began: asyncio.Event | None = None

    def _begin(self, name: str, function: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...]) -> None:
        self._task = asyncio.create_task(function(*args), name=name)
        self._settled()

    def _settled(self) -> None:
        self._timer = None
        if self._began is not None:
            self._began.set()

    @property
    def done(self) -> bool:
        return self._cancelled if self._task is None else self._task.done()

    def cancel(self) -> None:
        """Asks it to stop. A task ends where it waits, a thread at its next `sleep`, if not before it began."""
        if self._task is not None:
            self._task.cancel()
        elif self._timer is not None:
            self._timer.cancel()
            self._cancelled = True
            self._settled()

    async def join(self) -> None:
        """Waits for its end. What it raised is raised here; that it was cancelled is not."""
        if self._timer is not None:
            self._began = self._began or asyncio.Event()
            await self._began.wait()
        if self._task is None:
            return
        await asyncio.wait((self._task,))
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error


def spawn(name: str, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, after: float = 0.0) -> Task:
    """Runs a function beside the caller, beginning in `after` seconds.

    Until then it costs little: so whatever is rarely needed in the end may be asked for beforehand, and cancelled.
    """
    task = Task()
    if after > 0:
        task._timer = asyncio.get_running_loop().call_later(after, task._begin, name, function, args)
    else:
        task._begin(name, function, args)
    return task


class Interruption:
    """Ends what the task that makes it is doing, from outside; threads cannot have that.

    Whoever made it asks in the end by `caused` whether an exception that came up is this one, and raises another.
    """

    __slots__ = ("_before", "_sent", "_task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise InvalidArgument("only within a task is there something to cancel")
        self._task = task
        # Somebody else may cancel the task as well: that is not taken back.
        self._before = task.cancelling()
        self._sent = False

    def send(self) -> None:
        self._sent = True
        self._task.cancel()

    def caused(self, error: BaseException | None) -> bool:
        """Whether nothing else led to this exception. The task counts as not cancelled by us any more."""
        if not self._sent:
            return False
        self._sent = False
        return self._task.uncancel() <= self._before and isinstance(error, asyncio.CancelledError)


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, the first SIGTERM or SIGINT calls `stop`, and a second one does what it does else.

    Only the main thread gets signals: in others nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def arrived(number: int, frame: Any) -> None:
        restore()
        loop.call_soon_threadsafe(stop)

    for number in before:
        signal.signal(number, arrived)
    try:
        yield
    finally:
        restore()


def in_session(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, where SQLAlchemy calls plain functions on behalf of a task."""
    from sqlalchemy.util import await_only

    return await_only(work)
