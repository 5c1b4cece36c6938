"""What waits, runs beside, and calls the user's code: here by asyncio, in `alcove.patterns.blocking` by threads.

The two files are written by hand and have the same names, so that a pattern is written once.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")

Event = asyncio.Event
Lock = asyncio.Lock
monotonic = time.monotonic


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def result_of(value: Awaitable[T] | T) -> T:
    """What the user's function returned, awaited if it is to be: it may be a plain one or a coroutine."""
    if inspect.isawaitable(value):
        return cast(T, await value)
    return value


async def happened(event: Event, timeout: float | None = None) -> bool:
    """Waits until an event is set; false when `timeout` seconds have passed before."""
    if timeout is None:
        return await event.wait()
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False


class Task:
    """Something that runs beside its owner."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task

    @property
    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> None:
        """Asks it to stop: a task is cancelled. A thread cannot be: it has to look at an event of its owner's."""
        self._task.cancel()

    async def join(self) -> None:
        """Waits for its end. What it raised is raised here; that it was cancelled is not."""
        await asyncio.wait((self._task,))
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error


def spawn(name: str, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Task:
    """Runs a function beside the caller."""
    return Task(asyncio.create_task(function(*args), name=name))
