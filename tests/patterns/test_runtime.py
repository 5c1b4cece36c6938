"""What runs beside its owner: by threads and by asyncio the same happens."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from alcove.patterns.asyncio import runtime as asynchronous
from alcove.patterns.blocking import runtime as by_threads
from tests.patterns.facade import LoopThread
from tests.waiting import PATIENCE_S


class Asynchronous:
    """The runtime of asyncio, called without `await`."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread

    def spawn(self, function: Any, *args: Any, after: float = 0.0) -> Any:
        async def called() -> None:
            await function(*args)

        async def spawned() -> Any:
            return asynchronous.spawn("a task of a test", called, after=after)

        return self._thread.run(spawned())

    def cancel(self, task: Any) -> None:
        async def cancelled() -> None:
            task.cancel()

        self._thread.run(cancelled())

    def join(self, task: Any) -> None:
        self._thread.run(task.join())

    @staticmethod
    def sleeping(log: list[str]) -> Any:
        async def slept() -> None:
            log.append("begun")
            await asynchronous.sleep(60)
            log.append("slept")

        return slept

    @staticmethod
    def failing(error: Exception) -> Any:
        async def failed() -> None:
            raise error

        return failed

    @staticmethod
    def noting(log: list[str], word: str) -> Any:
        async def noted() -> None:
            log.append(word)

        return noted


class ByThreads:
    """The runtime of threads."""

    def spawn(self, function: Any, *args: Any, after: float = 0.0) -> Any:
        return by_threads.spawn("a task of a test", function, *args, after=after)

    def cancel(self, task: Any) -> None:
        task.cancel()

    def join(self, task: Any) -> None:
        task.join()

    @staticmethod
    def sleeping(log: list[str]) -> Any:
        def slept() -> None:
            log.append("begun")
            by_threads.sleep(60)
            log.append("slept")

        return slept

    @staticmethod
    def failing(error: Exception) -> Any:
        def failed() -> None:
            raise error

        return failed

    @staticmethod
    def noting(log: list[str], word: str) -> Any:
        return lambda: log.append(word)


@pytest.fixture(params=["blocking", "asyncio"])
def runtime(request: pytest.FixtureRequest, loop_thread: LoopThread) -> Any:
    return ByThreads() if request.param == "blocking" else Asynchronous(loop_thread)


def test_a_task_runs_and_ends(runtime: Any) -> None:
    log: list[str] = []
    task = runtime.spawn(runtime.noting(log, "ran"))
    runtime.join(task)
    assert task.done
    assert log == ["ran"]


def test_what_a_task_raised_is_told_to_who_joins_it(runtime: Any) -> None:
    task = runtime.spawn(runtime.failing(ZeroDivisionError("as ever")))
    with pytest.raises(ZeroDivisionError, match="as ever"):
        runtime.join(task)


def test_a_task_that_is_cancelled_ends_where_it_sleeps(runtime: Any) -> None:
    log: list[str] = []
    task = runtime.spawn(runtime.sleeping(log))
    while not log:
        threading.Event().wait(0.001)
    assert not task.done
    runtime.cancel(task)
    runtime.join(task)
    assert task.done
    assert log == ["begun"]


def test_tasks_begin_at_their_times(runtime: Any) -> None:
    log: list[str] = []
    late = runtime.spawn(runtime.noting(log, "late"), after=0.06)
    soon = runtime.spawn(runtime.noting(log, "soon"), after=0.02)
    never = runtime.spawn(runtime.noting(log, "never"), after=0.04)
    runtime.cancel(never)
    for task in (late, soon, never):
        runtime.join(task)
        assert task.done
    assert log == ["soon", "late"]


def test_thousands_that_are_cancelled_are_not_kept() -> None:
    tasks = [by_threads.spawn("never", print, after=3600) for _ in range(5000)]
    one = by_threads.spawn("once", print, after=3600)
    for task in tasks:
        task.cancel()
    assert len(by_threads._alarms._heap) < 3000
    assert not one.done
    one.cancel()


def test_a_fork_has_alarms_of_its_own() -> None:
    by_threads.spawn("here", print, after=3600).cancel()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        rang = threading.Event()
        by_threads.spawn("there", rang.set, after=0.01)
        os.write(writing, b"rang" if rang.wait(PATIENCE_S) else b"silent")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "rang"
    assert os.waitpid(child, 0)[1] == 0


def test_an_interruption_ends_what_a_task_does() -> None:
    async def interrupted() -> bool:
        interruption = asynchronous.Interruption()
        asynchronous.spawn("the one who interrupts", sent, interruption)
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError as error:
            return interruption.caused(error) and asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
        return False

    async def sent(interruption: asynchronous.Interruption) -> None:
        interruption.send()

    assert asyncio.run(interrupted())


def test_a_task_that_somebody_else_cancelled_too_stays_cancelled() -> None:
    async def interrupted() -> bool:
        interruption = asynchronous.Interruption()
        interruption.send()
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError as error:
            return interruption.caused(error)
        return True

    assert not asyncio.run(interrupted())


def test_threads_cannot_be_interrupted() -> None:
    with pytest.raises(ValueError, match="a thread"):
        by_threads.Interruption()
