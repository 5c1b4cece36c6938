# Derived from alcove/patterns/asyncio/worker.py by derive_blocking.py: change it there.
"""Workers: what takes jobs from queues and gives them to functions, several at a time."""

from __future__ import annotations

import logging
import secrets
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import RedisError

from alcove.patterns.blocking.queue import JobQueue
from alcove.patterns.blocking.runtime import (
    Event,
    Task,
    called,
    can_interrupt,
    happened,
    monotonic,
    on_signals,
    sleep,
    spawn,
)
from alcove.patterns.core.cron import Cron
from alcove.patterns.core.errors import CannotEncode, InvalidArgument
from alcove.patterns.core.keys import Id
from alcove.patterns.core.queue import MOST_AT_ONCE, Job, LeaseLost, QueueFull, RejectJob, RetryJob, counted, seconds

log = logging.getLogger("alcove.worker")

Handler = Callable[[Job], Any]

# Between attempts while the server cannot be reached: at first, and at most.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
# A clock that is set is noticed after so long.
CLOCK_LOOK_S = 30.0
# How long functions that were cancelled may take to end.
CANCELLED_S = 5.0


class Run:
    """A job that is being done."""

    __slots__ = ("began", "is_ending", "is_interrupted", "is_over", "job", "task")

    def __init__(self, job: Job) -> None:
        self.job = job
        # None for the moment before it has one.
        self.task: Task | None = None
        self.began = monotonic()
        # Its handler has returned; what that means is being sent.
        self.is_ending = False
        # The worker stops, and has no more patience.
        self.is_interrupted = False
        # It is no longer ours: the lease is lost, or it took too long.
        self.is_over = False


class Line:
    """A queue as a worker sees it."""

    __slots__ = ("bell", "freed", "handler", "is_interruptible", "name", "runs")

    def __init__(self, name: Id, handler: Handler, bell: str) -> None:
        self.name = name
        self.handler = handler
        self.is_interruptible = can_interrupt(handler)
        # The key of a list that ends this worker's wait.
        self.bell = bell
        self.runs: set[Run] = set()
        # A job has ended.
        self.freed = Event()


class Worker:
    """Works off queues: `handlers` has a function for each, plain or a coroutine's, which is given a `Job`.

        >>> import alcove
        >>> queue = JobQueue(alcove.open())
        >>> def greet(job):
        ...     return f"hello {job.name}"
        >>> id = queue.enqueue("greetings", {"name": "Ann"})
        >>> Worker(queue, {"greetings": greet}).run(until_empty=True)
        >>> queue.wait_result("greetings", id)
        'hello Ann'

    What the function returns is the job's result. When it raises, the job is tried again as the queue's `backoff` says;
    with `RetryJob` when that says, with `RejectJob` never. Up to `concurrency` jobs of each queue are done at a time:
    with asyncio, plain functions in threads; without, coroutines in loops of their own. A heartbeat renews their
    leases, however long they take. With a `timeout`, a job that takes more seconds counts as failed. By
    `queue.report(job, progress)` a function says how far it is, and learns by `LeaseLost` that the job is no longer its
    own; with asyncio, a coroutine is cancelled then.

    `stop()`, and SIGTERM or SIGINT, let the worker take no more jobs and end those that it has, for up to `grace`
    seconds; coroutines that go on are cancelled then, and their jobs given back. A plain function cannot be cancelled:
    its job comes to another worker when its lease has run out.

    `cron` has schedules that this worker sees to; give the same ones to all workers, and each time counts once.

    **Guarantee**: as that of `JobQueue`, at least once. A worker that is killed at any moment loses no job: what it
    held comes to others after the lease. One that cannot reach the server goes on trying. A function must bear to be
    called again with the same job, and by two at a time when a machine stood still for longer than the lease, or a
    coroutine kept its loop for so long, and with it the heartbeat.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 4,
        cron: Iterable[Cron] = (),
        timeout: float | None = None,
        grace: float = 30.0,
    ) -> None:
        self.queue = queue
        self.concurrency = counted("concurrency", concurrency, 1, MOST_AT_ONCE)
        self.cron = list(cron)
        self.timeout = None if timeout is None else seconds("timeout", timeout)
        self.grace = seconds("grace", grace)
        if not handlers or not all(map(callable, handlers.values())):
            raise InvalidArgument("handlers has a function for each queue, and at least one")
        for each in self.cron:
            queue.codec.encode(each.job)
        # One name for all workers would have them wake each other.
        bell = secrets.token_urlsafe(9)
        self._lines = [
            Line(name, handler, queue.keys.tagged("queue", name, "bell", bell)) for name, handler in handlers.items()
        ]
        self._stopping = Event()
        self._is_running = False

    def run(self, *, until_empty: bool = False, handle_signals: bool = True) -> None:
        """Works until it is stopped; with `until_empty` until no job is left that could be taken.

        Within a program that has its own way with signals, `handle_signals` is to be false.
        """
        if self._is_running:
            raise InvalidArgument("this worker runs already")
        self._is_running = True
        log.info("working off %s", ", ".join(str(line.name) for line in self._lines))
        ended = Event()
        with on_signals(self.stop) if handle_signals else nullcontext():
            fetching = [self._beside(f"queue {line.name}", self._fetch, line, until_empty) for line in self._lines]
            others = [self._beside("heartbeat", self._renew, ended)]
            others += [self._beside(f"cron {cron.name}", self._keep_time, cron, ended) for cron in self.cron]
            try:
                if not until_empty:
                    happened(self._stopping)
                    self._rouse()
                for task in fetching:
                    task.join()
                self._finish()
            except BaseException:
                self.stop()
                self._interrupt()
                raise
            finally:
                ended.set()
                for task in [*fetching, *others]:
                    task.cancel()
                self._is_running = False
            for task in others:
                task.join()
        log.info("stopped")

    def _beside(self, name: str, function: Callable[..., None], *args: Any) -> Task:
        return spawn(f"alcove {name}", self._guarded, function, args)

    def _guarded(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Should a part of the worker break, none goes on without it: `run` ends, and raises what it raised."""
        try:
            function(*args)
        except Exception:
            self.stop()
            raise

    def stop(self) -> None:
        """Lets `run` end: no more jobs are taken, and those under way are finished. It does not wait for that.

        A worker that was stopped does not run again; one that does not run yet will not. With asyncio it is to be
        called in the loop: from another thread by `loop.call_soon_threadsafe(worker.stop)`.
        """
        self._stopping.set()
        for line in self._lines:
            line.freed.set()

    def _rouse(self) -> None:
        """Ends the waits for jobs, which would end by themselves a little later."""
        for line in self._lines:
            try:
                self.queue.rouse(line.name, line.bell)
            except RedisError as error:
                log.warning("stopping takes longer, the server cannot be reached: %s", error)

    def _finish(self) -> None:
        """Waits for the jobs that are being done; cancels what takes too long."""
        if self._are_done(monotonic() + self.grace):
            return
        self._interrupt()
        if any(line.is_interruptible for line in self._lines):
            self._are_done(monotonic() + CANCELLED_S)

    def _interrupt(self) -> None:
        for line in self._lines:
            for run in list(line.runs):
                if line.is_interruptible and run.task is not None:
                    run.is_interrupted = True
                    run.task.cancel()
                else:
                    log.warning("job %s goes on; it comes to another worker when its lease runs out", run.job.id)

    def _are_done(self, until: float) -> bool:
        for line in self._lines:
            while line.runs and (left := until - monotonic()) > 0:
                self._one_ends(line, left)
        return not any(line.runs for line in self._lines)

    def _one_ends(self, line: Line, timeout: float | None = None) -> None:
        there = len(line.runs)
        line.freed.clear()
        # It may have happened just before, as may a `stop`, which whoever waits without an end is to hear of.
        if len(line.runs) == there and not (timeout is None and self._stopping.is_set()):
            happened(line.freed, timeout)

    # Taking jobs

    def _fetch(self, line: Line, until_empty: bool) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            room = self.concurrency - len(line.runs)
            if room == 0:
                self._one_ends(line)
                continue
            try:
                jobs, wait = self.queue.take_or_wait(line.name, room)
                for job in jobs:
                    self._begin(line, job)
                if jobs:
                    pass
                elif not until_empty:
                    self.queue.wait_for_jobs(line.name, wait, line.bell)
                elif line.runs:
                    self._one_ends(line)
                else:
                    return
                pause = FIRST_PAUSE_S
            except (RedisError, LeaseLost) as error:
                log.warning("no jobs of %s, trying again in %.1f s: %s", line.name, pause, error)
                happened(self._stopping, pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    def _begin(self, line: Line, job: Job) -> None:
        if self._stopping.is_set():
            self.queue.release(job)
            return
        run = Run(job)
        line.runs.add(run)
        run.task = spawn(f"alcove job {job.id}", self._work, line, run)

    # Doing them

    def _work(self, line: Line, run: Run) -> None:
        try:
            self._carry_out(line, run)
        except Exception:
            log.exception("job %s of %s comes again when its lease runs out", run.job.id, line.name)
        finally:
            line.runs.discard(run)
            line.freed.set()

    def _carry_out(self, line: Line, run: Run) -> None:
        job = run.job
        try:
            result = called(line.handler, job)
        except RejectJob as error:
            self._fail(run, error, retry=False)
        except RetryJob as error:
            self._fail(run, error, delay=error.after)
        except CancelledError as error:
            if run.is_interrupted:
                self._settle(run, "given back", lambda: self.queue.release(job))
            elif not run.is_over:
                # Not by this worker, but by what the function did itself.
                self._fail(run, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            log.warning("job %s of %s failed", job.id, line.name, exc_info=error)
            self._fail(run, error)
        else:
            try:
                self._settle(run, "done", lambda: self.queue.ack(job, result))
            except CannotEncode as error:
                # The work is done, and would give the same again.
                self._fail(run, error, retry=False)

    def _fail(self, run: Run, error: BaseException, *, delay: float | None = None, retry: bool = True) -> None:
        self._settle(run, "failed", lambda: self.queue.fail(run.job, error, delay=delay, retry=retry))

    def _settle(self, run: Run, what: str, settle: Callable[[], Any]) -> None:
        """Tells the server what became of a job, as often as it takes while the job is ours."""
        run.is_ending = True
        pause = FIRST_PAUSE_S
        while not run.is_over:
            try:
                settle()
                return
            except LeaseLost:
                # Or it was told before, and the answer did not come.
                break
            except RedisError as error:
                log.warning("job %s is %s, telling so again in %.1f s: %s", run.job.id, what, pause, error)
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        log.warning("job %s was %s when it was no longer this worker's", run.job.id, what)

    # Beside

    def _renew(self, ended: Event) -> None:
        """The heartbeat: renews the leases, and ends what takes too long or is no longer ours."""
        interval = min(self.queue.rules.lease / 3, CLOCK_LOOK_S)
        if self.timeout is not None:
            interval = min(interval, max(self.timeout / 5, 0.01))
        while not happened(ended, interval):
            for line in self._lines:
                try:
                    self._renew_line(line)
                except RedisError as error:
                    log.warning("leases on jobs of %s were not renewed: %s", line.name, error)

    def _renew_line(self, line: Line) -> None:
        held: list[Run] = []
        for run in list(line.runs):
            if run.is_over:
                continue
            if run.task is not None and run.task.done:
                # It never began, there being too many threads. The job comes again, for somebody else.
                line.runs.discard(run)
                line.freed.set()
            elif self.timeout is not None and not run.is_ending and monotonic() - run.began > self.timeout:
                self._end_late(line, run)
            else:
                held.append(run)
        if not held:
            return
        still = self.queue.extend_all(line.name, [run.job for run in held])
        for run, is_held in zip(held, still, strict=True):
            if not is_held and not run.is_ending:
                log.warning("job %s is no longer this worker's", run.job.id)
                self._end(line, run)

    def _end_late(self, line: Line, run: Run) -> None:
        self._end(line, run)
        try:
            self.queue.fail(run.job, f"it took longer than {self.timeout} seconds")
        except LeaseLost:
            log.warning("job %s took too long, and is no longer this worker's", run.job.id)

    def _end(self, line: Line, run: Run) -> None:
        run.is_over = True
        if line.is_interruptible and run.task is not None:
            run.task.cancel()

    def _keep_time(self, cron: Cron, ended: Event) -> None:
        """Sees to a schedule, by the server's clock."""
        ahead = timedelta(0)
        last: datetime | None = None
        while not ended.is_set():
            now = datetime.now(UTC) + ahead
            due = cron.begin(now) if last is None else cron.due(last, now)
            pause = min((due - now).total_seconds(), CLOCK_LOOK_S)
            if pause <= 0:
                try:
                    there, _ = self.queue.fire(cron, due, is_beginning=last is None)
                    ahead = there - datetime.now(UTC)
                    if due <= there:
                        last = due
                        continue
                    pause = (due - there).total_seconds()
                except (QueueFull, RedisError) as error:
                    log.warning("%s is due, trying again in %.1f s: %s", cron.name, LONGEST_PAUSE_S, error)
                    pause = LONGEST_PAUSE_S
            happened(ended, pause)
