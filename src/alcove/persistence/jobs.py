"""Long work (loading, a snapshot, a rewrite) as jobs, of which there is one at a time.

A job is a generator that does a slice between two commands and yields, either to go on at the next opportunity or,
yielding a future, when another thread is done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from typing import Any

from alcove.engine.engine import Engine
from alcove.persistence.background import AtOnce, Background

# A job yields None to go on soon, or what it waits for.
Job = Generator["Future[Any] | None", None, None]


class Jobs:
    """The job in work, and the thread that does for it what takes the disk's time."""

    def __init__(self, engine: Engine, on_news: Callable[[], None]) -> None:
        self._engine = engine
        # Who is told when a job is to be gone on with.
        self._on_news = on_news
        self._clock = engine.clock
        self.background = Background("save")
        self._job: Job | None = None
        # What it waits for, and since when it is in work.
        self._awaited: Future[Any] | None = None
        self._began_us = 0
        # Whether the job may go on, now that housekeeping is at work; at other times it does as little as it can.
        self.in_time: Callable[[], bool] = never

    @property
    def busy(self) -> bool:
        """Whether there is a job in work."""
        return self._job is not None

    def seconds(self) -> int:
        """How long the job in work has taken so far."""
        return (self._clock.monotonic_us() - self._began_us) // 1_000_000

    def begin(self, job: Job) -> None:
        """Puts a job in work: its first slice is done by `go_on`."""
        self._job = job
        self._began_us = self._clock.monotonic_us()
        self._on_news()

    def begin_now(self, job: Job) -> None:
        """As `begin`, with as little of the first slice as can be."""
        self.begin(job)
        self.in_time = never
        self.go_on()

    def go_on(self) -> int:
        """One slice of the job in work; how long it can be left alone then, in microseconds, -1 until it is told."""
        if self._awaited is not None and not self._awaited.done():
            return -1
        job = self._job
        assert job is not None
        try:
            self._awaited = next(job)
        except StopIteration:
            self.forget()
            return 0
        if self._awaited is not None:
            self._awaited.add_done_callback(self._wake)
            return -1
        return 0

    def _wake(self, future: Future[Any]) -> None:
        self._on_news()
        self._engine.on_sooner()

    def finish(self, job: Job) -> None:
        """Runs a job to its end while everybody waits."""
        self.in_time = always
        try:
            for awaited in job:
                if awaited is not None:
                    wait([awaited])
        finally:
            self.in_time = never

    def finish_this(self) -> None:
        """Runs the job in work to its end, if there is one."""
        if self._job is not None:
            if self._awaited is not None:
                wait([self._awaited])
            self.finish(self._job)
            self.forget()

    def abandon(self) -> None:
        """Ends the job in work as it is."""
        if self._job is not None:
            self._job.close()
            self.forget()

    def forget(self) -> None:
        """Nothing more is done of the job in work."""
        self._job = self._awaited = None

    def in_background(self, function: Callable[..., Any], *arguments: Any) -> Generator[Future[Any], None, Any]:
        """What a function returns that another thread runs."""
        future = self.background.start(function, *arguments)
        yield future
        return future.result()

    def do_without_threads(self) -> None:
        """What would be done in the background is done at once from now on."""
        self.background = AtOnce()


def always() -> bool:
    return True


def never() -> bool:
    return False
