"""Tests of workers: what becomes of jobs whose functions return, raise, hang or die, and that none is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import alcove.patterns
import alcove.patterns.asyncio
from alcove.patterns import (
    Backoff,
    CannotEncode,
    Cron,
    InvalidArgument,
    JobFailed,
    LeaseLost,
    OutcomeUnknown,
    RejectJob,
    RetryJob,
    Schedule,
)
from tests.patterns.conftest import KINDS, Toolkit
from tests.patterns.facade import Blocked
from tests.waiting import PATIENCE_S, eventually

# What a test waits for, before it counts as hanging.
SOON = Backoff(first=0.02, longest=0.02, jitter=0.0)


def worker_of(queue: Any, handlers: Any, **options: Any) -> Any:
    if isinstance(queue, Blocked):
        worker = alcove.patterns.asyncio.Worker(queue._target, handlers, **options)
        return Blocked(queue._thread, worker)
    return alcove.patterns.Worker(queue, handlers, **options)


@contextmanager
def running(worker: Any) -> Iterator[None]:
    """A worker at work, in a thread or on the loop; what it raises is raised at the end."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.fixture
def queue(live_toolkit: Toolkit) -> Any:
    return live_toolkit.make("JobQueue", backoff=SOON)


def test_plain_functions_and_coroutines(queue: Any) -> None:
    async def double(job: Any) -> int:
        await asyncio.sleep(0)
        return 2 * int(job.n)

    class Square:
        async def __call__(self, job: Any) -> int:
            return int(job.n) ** 2

    worker = worker_of(queue, {"half": lambda job: job.n / 2, "double": double, "square": Square()})
    ids = {name: queue.enqueue(name, {"n": 6}) for name in ("half", "double", "square")}
    worker.run(until_empty=True)
    assert {name: queue.wait_result(name, id) for name, id in ids.items()} == {"half": 3, "double": 12, "square": 36}
    assert queue.get_counts("half").running == 0


def test_functions_that_raise(queue: Any) -> None:
    calls: Counter[str] = Counter()

    def act(job: Any) -> str:
        calls[job.what] += 1
        if job.what == "flaky" and job.attempt < 3:
            raise ValueError("no luck")
        if job.what == "retry" and job.attempt == 1:
            raise RetryJob("busy", after=0.01)
        if job.what == "wrong":
            raise RetryJob(after=-1)
        if job.what == "reject":
            raise RejectJob("what a job")
        if job.what == "exit":
            sys.exit("enough")
        if job.what == "bad":
            raise RuntimeError("\udcff" * 5000)
        if job.what == "cancel":
            raise asyncio.CancelledError
        if job.what == "stop":
            raise StopIteration
        return object() if job.what == "odd" else "fine"  # type: ignore[return-value]

    kinds = ["flaky", "retry", "reject", "exit", "bad", "stop", "odd", "wrong", "cancel"]
    ids = {kind: queue.enqueue("q", {"what": kind}, max_attempts=3) for kind in kinds}
    with running(worker_of(queue, {"q": act})):
        for kind in ("flaky", "retry"):
            assert queue.wait_result("q", ids[kind], PATIENCE_S) == "fine"
        texts = {}
        for kind in ("reject", "exit", "bad", "stop", "odd", "wrong", "cancel"):
            with pytest.raises(JobFailed) as raised:
                queue.wait_result("q", ids[kind], PATIENCE_S)
            texts[kind] = str(raised.value)
    assert texts["reject"] == "RejectJob: what a job"
    assert texts["exit"] == "SystemExit: enough"
    assert texts["bad"].startswith("RuntimeError: ????")
    assert len(texts["bad"]) == 2000
    assert "StopIteration" in texts["stop"]
    assert "CannotEncode" in texts["odd"]
    assert "InvalidArgument" in texts["wrong"]
    assert "CancelledError" in texts["cancel"]
    assert calls == {
        "flaky": 3,
        "retry": 2,
        "reject": 1,
        "exit": 3,
        "bad": 3,
        "stop": 3,
        "odd": 1,
        "wrong": 3,
        "cancel": 3,
    }


def test_no_more_at_a_time_than_may(queue: Any) -> None:
    lock = threading.Lock()
    now, most, done = 0, 0, 0

    def work(job: Any) -> None:
        nonlocal now, most, done
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
            done += 1

    queue.enqueue_many("q", range(20))
    with running(worker_of(queue, {"q": work}, concurrency=3)):
        eventually(lambda: done == 20)
    assert most == 3


def test_many_workers_do_each_job_once(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    done: list[int] = []
    workers = [worker_of(live_toolkit.make("JobQueue"), {"q": lambda job: done.append(job.payload)}) for _ in range(3)]
    with running(workers[0]), running(workers[1]), running(workers[2]):
        for batch in range(10):
            queue.enqueue_many("q", range(batch * 10, batch * 10 + 10))
        eventually(lambda: len(done) >= 100)
    assert sorted(done) == list(range(100))
    assert queue.get_counts("q").running == 0


def test_a_long_job_is_kept_by_the_heartbeat(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue", lease=0.15)
    calls: list[int] = []

    def work(job: Any) -> None:
        calls.append(job.attempt)
        time.sleep(0.5)

    id = queue.enqueue("q", "long")
    worker = worker_of(queue, {"q": work}, concurrency=2)
    with running(worker):
        queue.wait_result("q", id, PATIENCE_S)
    assert calls == [1]


def test_progress_is_seen_and_a_cancelled_job_ends(queue: Any) -> None:
    going, lost = threading.Event(), threading.Event()

    def work(job: Any) -> None:
        queue.report(job, {"percent": 10})
        going.set()
        try:
            eventually(lambda: queue.report(job, {"percent": 20}))
        except LeaseLost:
            lost.set()
            raise

    id = queue.enqueue("q", "long")
    with running(worker_of(queue, {"q": work})):
        assert going.wait(PATIENCE_S)
        assert queue.get_status("q", id).progress["percent"] in (10, 20)
        assert queue.cancel("q", id) is True
        assert lost.wait(PATIENCE_S)
    assert queue.get_status("q", id) is None


@pytest.mark.parametrize("live_toolkit", [kind for kind in KINDS if kind.endswith("asyncio")], indirect=True)
def test_a_coroutine_is_cancelled_when_its_job_is_lost(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue", lease=0.1)
    going, ended = threading.Event(), threading.Event()

    async def work(job: Any) -> None:
        going.set()
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            ended.set()

    id = queue.enqueue("q", "long")
    with running(worker_of(queue, {"q": work})):
        assert going.wait(PATIENCE_S)
        queue.cancel("q", id)
        assert ended.wait(PATIENCE_S)


def test_what_takes_too_long_has_failed(queue: Any) -> None:
    release = threading.Event()

    async def wait(job: Any) -> None:
        await asyncio.sleep(PATIENCE_S)

    ids = {
        "plain": queue.enqueue("plain", 1, max_attempts=1),
        "coroutine": queue.enqueue("coroutine", 1, max_attempts=1),
    }
    handlers: dict[str, Any] = {"plain": lambda job: release.wait(PATIENCE_S)}
    if isinstance(queue, Blocked):
        handlers["coroutine"] = wait
    with running(worker_of(queue, handlers, timeout=0.05)):
        for name in handlers:
            with pytest.raises(JobFailed, match="longer than"):
                queue.wait_result(name, ids[name], PATIENCE_S)
        release.set()


def test_a_worker_that_stops_ends_what_it_has_begun(queue: Any) -> None:
    going, go_on = threading.Event(), threading.Event()

    def work(job: Any) -> str:
        going.set()
        go_on.wait(PATIENCE_S)
        return "done"

    first, second = queue.enqueue_many("q", [1, 2])
    worker = worker_of(queue, {"q": work, "idle": work}, concurrency=1)
    with running(worker):
        assert going.wait(PATIENCE_S)
        with pytest.raises(InvalidArgument):
            worker.run()
        worker.stop()
        time.sleep(0.05)
        go_on.set()
    assert queue.get_status("q", first).state == "done"
    assert queue.get_status("q", second).state == "waiting"
    # What was stopped stays stopped.
    worker.run()
    assert queue.get_status("q", second).state == "waiting"
    worker_of(queue, {"q": work}).run(until_empty=True)
    assert queue.get_status("q", second).state == "done"


def test_time_that_a_test_moves(toolkit: Toolkit) -> None:
    queue = toolkit.make("JobQueue", backoff=Backoff(first=5 * toolkit.unit, jitter=0.0))
    attempts: list[int] = []

    def work(job: Any) -> None:
        attempts.append(job.attempt)
        if job.attempt == 1:
            raise ValueError("no luck")

    worker = worker_of(queue, {"q": work})
    id = queue.enqueue("q", 1, delay=3 * toolkit.unit)
    for expected, units in (([], 4), ([1], 1), ([1], 8), ([1, 2], 0)):
        worker.run(until_empty=True)
        assert attempts == expected
        toolkit.pass_time(units)
    assert queue.get_status("q", id).state == "done"


def test_an_idle_worker_stops_at_once(live_toolkit: Toolkit) -> None:
    # Its wait is far longer than the test.
    queue = live_toolkit.make("JobQueue", client_options={"socket_timeout": 100})
    with running(worker_of(queue, {"q": print, "other": print})):
        time.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert [key for key in live_toolkit.client.keys("*") if b"bell" in key] == []


def test_after_the_grace_a_coroutine_is_cancelled_and_its_job_given_back(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    going = threading.Event()
    over = threading.Event()

    async def wait(job: Any) -> None:
        going.set()
        await asyncio.sleep(PATIENCE_S)

    def wait_in_thread(job: Any) -> None:
        going.set()
        over.wait(PATIENCE_S)

    id = queue.enqueue("q", "long")
    handler = wait if live_toolkit.thread else wait_in_thread
    with running(worker_of(queue, {"q": handler}, grace=0.02)):
        assert going.wait(PATIENCE_S)
    status = queue.get_status("q", id)
    if live_toolkit.thread:
        assert (status.state, status.job.attempt) == ("waiting", 0)
    else:
        # The function goes on, so nobody else is to begin until the lease has run out.
        assert (status.state, status.job.attempt) == ("running", 1)
    over.set()


def test_a_worker_outlives_lost_connections(queue: Any, monkeypatch: Any) -> None:
    target = queue._target if isinstance(queue, Blocked) else queue
    failures: Counter[str] = Counter()

    def failing(name: str, error: Exception, *, after: bool) -> None:
        """The first two calls fail; `after` they were carried out."""
        real = getattr(target, name)

        def fails() -> None:
            failures[name] += 1
            if failures[name] <= 2:
                raise error

        def blocking(*args: Any, **options: Any) -> Any:
            if not after:
                fails()
            result = real(*args, **options)
            if after:
                fails()
            return result

        async def awaited(*args: Any, **options: Any) -> Any:
            if not after:
                fails()
            result = await real(*args, **options)
            if after:
                fails()
            return result

        monkeypatch.setattr(target, name, awaited if isinstance(queue, Blocked) else blocking)

    calls: list[int] = []
    ids = queue.enqueue_many("q", range(3))
    failing("take_or_wait", RedisConnectionError("cut"), after=False)
    failing("wait_for_jobs", RedisConnectionError("cut"), after=False)
    # It was applied, and the answer was lost.
    failing("ack", OutcomeUnknown("cut"), after=True)
    with running(worker_of(queue, {"q": lambda job: calls.append(job.payload)})):
        for id in ids:
            queue.wait_result("q", id, PATIENCE_S)
        eventually(lambda: failures["wait_for_jobs"] > 2)
    assert sorted(calls) == [0, 1, 2]
    assert failures["take_or_wait"] > 2
    assert queue.get_counts("q").running == 0


def test_a_worker_that_breaks_says_so(queue: Any, monkeypatch: Any) -> None:
    target = queue._target if isinstance(queue, Blocked) else queue

    def broken(*args: Any) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(target, "take_or_wait", broken)
    with pytest.raises(AssertionError, match="a bug"), running(worker_of(queue, {"q": print, "other": print})):
        time.sleep(0.01)


def test_a_schedule_is_seen_to_once_by_many_workers(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    # Due once a day, half a day ago.
    due = (datetime.now(UTC) - timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
    cron = Cron("nightly", Schedule(f"0 {due.hour} * * *"), "q", {"report": 1}, catch_up=86_400)
    # Somebody saw to it the day before.
    queue.fire(cron, due - timedelta(days=1), is_beginning=True)
    done: list[Any] = []
    workers = [
        worker_of(live_toolkit.make("JobQueue"), {"q": lambda job: done.append(job.payload)}, cron=[cron])
        for _ in range(3)
    ]
    with running(workers[0]), running(workers[1]), running(workers[2]):
        eventually(lambda: done)
        time.sleep(0.05)
    assert done == [{"report": 1}]
    # One that is new begins now, and catches nothing up.
    fresh = Cron("fresh", Schedule(f"0 {due.hour} * * *"), "q", {"report": 2}, catch_up=86_400)
    with running(worker_of(queue, {"q": lambda job: done.append(job.payload)}, cron=[fresh])):
        time.sleep(0.05)
    assert done == [{"report": 1}]


def test_arguments_that_make_no_sense(queue: Any) -> None:
    for wrong in ({"concurrency": 0}, {"timeout": -1}, {"grace": float("nan")}, {"concurrency": 10**6}):
        with pytest.raises(InvalidArgument):
            worker_of(queue, {"q": print}, **wrong)
    for handlers in ({}, {"q": None}, {"": print}):
        with pytest.raises(InvalidArgument):
            worker_of(queue, handlers)
    with pytest.raises(CannotEncode):
        worker_of(queue, {"q": print}, cron=[Cron("n", Schedule("@daily"), "q", object())])


# Processes

MODULE = """
import asyncio, os, signal, time
import alcove, alcove.asyncio, alcove.patterns, alcove.patterns.asyncio
from alcove.patterns import Backoff

URL = os.environ["ALCOVE_URL"]
OPTIONS = dict(lease=0.3, max_attempts=1000, backoff=Backoff(first=0.01))
ledger = alcove.from_url(URL)

def die_of(job):
    if "deadly" in job.payload:
        os.kill(os.getpid(), signal.SIGKILL)

def work(job):
    ledger.hincrby("begun", str(job.n), 1)
    die_of(job)
    time.sleep(job.seconds)
    ledger.hincrby("done", str(job.n), 1)
    return job.n

async def work_async(job):
    ledger.hincrby("begun", str(job.n), 1)
    die_of(job)
    await asyncio.sleep(job.seconds)
    ledger.hincrby("done", str(job.n), 1)
    return job.n

blocking = alcove.patterns.Worker(alcove.patterns.JobQueue(ledger, **OPTIONS), {"q": work})

async def asynchronous():
    queue = alcove.patterns.asyncio.JobQueue(alcove.asyncio.from_url(URL), **OPTIONS)
    return alcove.patterns.asyncio.Worker(queue, {"q": work_async})
"""


# Those that another process can reach.
elsewhere = pytest.mark.parametrize(
    "live_toolkit", [kind for kind in KINDS if not kind.startswith("embedded")], indirect=True
)


@pytest.fixture
def start(live_toolkit: Toolkit, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts workers of the fixture's flavour in processes of their own."""
    url = live_toolkit.place.url()
    (tmp_path / "jobs.py").write_text(MODULE)
    name = "asynchronous" if live_toolkit.thread else "blocking"
    started: list[subprocess.Popen[bytes]] = []

    def process(*options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "alcove", "worker", f"jobs:{name}", *options]
        environment = {**os.environ, "ALCOVE_URL": url}
        if "PYTHONPATH" in environment:
            environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, environment["PYTHONPATH"].split(":")))
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL))
        return started[-1]

    yield process
    for each in started:
        each.kill()
        each.wait()


def numbers(client: Any, key: str) -> dict[int, int]:
    return {int(field): int(value) for field, value in client.hgetall(key).items()}


@elsewhere
def test_killed_workers_lose_nothing(live_toolkit: Toolkit, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    client, chance = live_toolkit.client, random.Random(1)
    queue = live_toolkit.make("JobQueue", max_attempts=1000)
    ids = queue.enqueue_many("q", [{"n": number, "seconds": 0.01} for number in range(300)])
    workers = [start(), start()]
    for _ in range(4):
        begun = client.hlen("begun")
        eventually(lambda begun=begun: client.hlen("begun") > begun)
        time.sleep(chance.uniform(0, 0.05))
        victim = workers.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        workers.append(start())
    results = [queue.wait_result("q", id, PATIENCE_S) for id in ids]
    assert results == list(range(300))
    done, begun_at = numbers(client, "done"), numbers(client, "begun")
    assert sorted(done) == list(range(300))
    # What was killed was begun again; what was not, was not.
    assert sum(begun_at.values()) <= 300 + 4 * 4
    assert queue.get_counts("q").running == 0


@elsewhere
def test_a_job_that_kills_its_workers_is_given_up(
    live_toolkit: Toolkit, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    client = live_toolkit.client
    queue = live_toolkit.make("JobQueue")
    deadly = queue.enqueue("q", {"n": 0, "seconds": 0, "deadly": True}, max_attempts=2)
    ids = queue.enqueue_many("q", [{"n": number, "seconds": 0.01} for number in range(1, 20)])
    for _ in range(2):
        assert start().wait(PATIENCE_S) == -signal.SIGKILL
    start()
    assert [queue.wait_result("q", id, PATIENCE_S) for id in ids] == list(range(1, 20))
    with pytest.raises(JobFailed, match="lease ran out"):
        queue.wait_result("q", deadly, PATIENCE_S)
    assert numbers(client, "begun")[0] == 2
    assert 0 not in numbers(client, "done")


@elsewhere
def test_a_signal_lets_a_worker_end_its_jobs(
    live_toolkit: Toolkit, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    client = live_toolkit.client
    queue = live_toolkit.make("JobQueue")
    ids = queue.enqueue_many("q", [{"n": number, "seconds": 0.3} for number in range(6)])
    worker = start()
    eventually(lambda: client.hlen("begun") == 4)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert numbers(client, "done") == dict.fromkeys(range(4), 1)
    assert numbers(client, "begun") == dict.fromkeys(range(4), 1)
    assert queue.get_counts("q").waiting == 2
    assert start("--until-empty").wait(PATIENCE_S) == 0
    assert [queue.get_status("q", id).state for id in ids] == ["done"] * 6


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("nowhere:worker", "no module 'nowhere'"),
        ("json:nothing", "no 'nothing' in json"),
        ("json", "module:name"),
        ("json:decoder", "neither a worker"),
        ("os:getcwd", "which is no worker"),
    ],
)
def test_the_command_says_what_is_wrong(place: str, text: str) -> None:
    ran = subprocess.run([sys.executable, "-m", "alcove", "worker", place], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert text in ran.stderr
