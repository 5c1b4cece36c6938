"""Locks between processes: counts are exact, and who is killed holds nobody up for longer than his lease."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from alcove.patterns import fence_of
from tests.patterns.conftest import Toolkit
from tests.patterns.test_locks import together
from tests.waiting import PATIENCE_S, eventually

# What each process begins with: its patterns by the URL and the flavour it is given.
BEGINNING = """
import asyncio, sys, time
import alcove, alcove.asyncio
from alcove.patterns import DistributedLock, DistributedSemaphore
from alcove.patterns import asyncio as asynchronous
url = sys.argv[1]
"""

COUNT = {
    "blocking": """
client = alcove.from_url(url)
lock = DistributedLock(client)
for _ in range(12):
    with lock.hold("counter", wait=None) as held:
        seen = int(client.get("counter"))
        print(held.fence, flush=True)
        client.set("counter", seen + 1)
""",
    "asyncio": """
async def count(client, lock):
    for _ in range(4):
        async with lock.hold("counter", wait=None) as held:
            seen = int(await client.get("counter"))
            print(held.fence, flush=True)
            await client.set("counter", seen + 1)

async def main():
    client = alcove.asyncio.from_url(url)
    lock = asynchronous.DistributedLock(client)
    await asyncio.gather(*(count(client, lock) for _ in range(3)))
    await client.aclose()

asyncio.run(main())
""",
}

HOLD = """
with DistributedLock(alcove.from_url(url)).hold("a", 400) as held:
    print(held.fence, flush=True)
    time.sleep(60)
"""

HOLD_UNTIL_LOST = HOLD.replace(
    "    time.sleep(60)",
    """
    while not held.lost:
        time.sleep(0.005)
    print("lost", flush=True)
""",
)

WAIT = """
lock = DistributedLock(alcove.from_url(url), waiter_lease=0.5)
print("waits", flush=True)
lock.acquire("a", 60_000, wait=None)
print("never", flush=True)
"""

PERMITS = """
with DistributedSemaphore(alcove.from_url(url), limit=2).hold("a", 400, permits=2) as held:
    print(held.fence, flush=True)
    time.sleep(60)
"""


@contextmanager
def process(toolkit: Toolkit, program: str) -> Iterator[subprocess.Popen[str]]:
    url = toolkit.place.url()
    if not url:
        pytest.skip("no other process reaches it")
    command = [sys.executable, "-c", BEGINNING + program, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def line_of(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


@pytest.fixture
def lock(live_toolkit: Toolkit) -> Any:
    return live_toolkit.make("DistributedLock", waiter_lease=0.5)


def test_processes_count_exactly(live_toolkit: Toolkit) -> None:
    live_toolkit.client.set("counter", 0)
    program = COUNT["blocking" if live_toolkit.thread is None else "asyncio"]
    fences: list[int] = []

    def run() -> None:
        with process(live_toolkit, program) as running:
            assert running.stdout is not None
            fences.extend(int(line) for line in running.stdout)
            assert running.wait(PATIENCE_S) == 0

    if not live_toolkit.place.url():
        pytest.skip("no other process reaches it")
    together(*[run] * 3)
    assert int(live_toolkit.client.get("counter")) == 36
    assert len(set(fences)) == 36


def test_after_a_killed_holder_the_next_one_gets_it(live_toolkit: Toolkit, lock: Any) -> None:
    with process(live_toolkit, HOLD) as holder:
        fence = int(line_of(holder))
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE_S)
        assert fence_of(lock.acquire("a", wait=PATIENCE_S)) > fence


def test_a_killed_waiter_holds_nobody_up(live_toolkit: Toolkit, lock: Any) -> None:
    lock_id = lock.acquire("a", 60_000)
    with process(live_toolkit, WAIT) as waiter:
        assert line_of(waiter) == "waits"
        eventually(lambda: lock.status("a").waiting == 1)
        waiter.send_signal(signal.SIGKILL)
        waiter.wait(PATIENCE_S)
        assert lock.release("a", lock_id) is True
        assert lock.acquire("a", wait=PATIENCE_S)
        assert lock.status("a").waiting == 0


def test_a_holder_that_stood_still_learns_that_it_has_lost(live_toolkit: Toolkit, lock: Any) -> None:
    """What no lock can prevent: a process that is stopped, and goes on as if nothing had been."""
    with process(live_toolkit, HOLD_UNTIL_LOST) as holder:
        fence = int(line_of(holder))
        holder.send_signal(signal.SIGSTOP)
        later = lock.acquire("a", 60_000, wait=PATIENCE_S)
        holder.send_signal(signal.SIGCONT)
        assert line_of(holder) == "lost"
        assert fence_of(later) > fence
        # It ends by LockLost, and takes nothing away from the next one.
        assert holder.wait(PATIENCE_S) != 0
        assert lock.release("a", later) is True


def test_permits_of_a_killed_process_come_back(live_toolkit: Toolkit) -> None:
    two = live_toolkit.make("DistributedSemaphore", limit=2, waiter_lease=0.5)
    with process(live_toolkit, PERMITS) as holder:
        fence = int(line_of(holder))
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE_S)
        assert fence_of(two.acquire("a", permits=2, wait=PATIENCE_S)) > fence
