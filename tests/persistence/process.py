"""A process with an engine that keeps its data on a simulated disk, and somebody who writes and remembers everything.

Nothing happens by itself: time moves when it is told, and what threads would do in the background waits in a line
until it is that thing's turn. So a seed, or the number of an operation, is all there is to a failure.
"""

from __future__ import annotations

import contextlib
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.clock import ManualClock
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.declaration import REGISTRY
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.errors import CommandError
from alcove.persistence import appending, background, jobs
from alcove.persistence.durability import Durability
from tests.codec.samples import content
from tests.persistence.disk import Crash, SimulatedDisk

DATA = "/data"
AOF = f"{DATA}/appendonlydir"
# A key that counts the writer's steps; each is one command or transaction with it.
STEP = b"step"

# One for all engines: to copy it takes longer than most lives.
COMMANDS = REGISTRY.copy()

Contents = dict[tuple[int, bytes], tuple[int, Any]]


class BusyClock(ManualClock):
    """Whoever looks at it has worked for longer than a slice of housekeeping."""

    def monotonic_us(self) -> int:
        self.advance(0.002)
        return super().monotonic_us()


class Hand:
    """In place of `Background`: what is to be done stands in a line, which everybody's work shares."""

    line: ClassVar[deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]]] = deque()

    def __init__(self, name: str) -> None:
        pass

    def start(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.line.append((future, function, arguments))
        return future

    def close(self) -> None:
        self.work()

    @classmethod
    def work(cls, most: int = 1 << 30) -> None:
        """Does what stands in the line, or the first few things of it."""
        while cls.line and most:
            most -= 1
            future, function, arguments = cls.line.popleft()
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

    @classmethod
    def wait(cls, futures: Iterable[Future[Any]]) -> None:
        """In place of `concurrent.futures.wait`."""
        for future in futures:
            while not future.done():
                cls.work(1)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is done in threads, and at the end nothing at all."""
    for module in (appending, jobs):
        monkeypatch.setattr(module, "Background", Hand)
    for module in (jobs, background):
        monkeypatch.setattr(module, "wait", Hand.wait)
    yield
    while Process.begun:
        Process.begun[-1].bury()


class Process:
    """An engine on a disk, which has loaded what is there. Raises what the start raises."""

    # Those that nobody has buried yet.
    begun: ClassVar[list[Process]] = []

    def __init__(self, disk: SimulatedDisk, clock: ManualClock, **directives: object) -> None:
        Hand.line.clear()
        self.begun.append(self)
        self.disk = disk
        self.clock = clock
        settings = Config()
        settings.put(Settings.save, ())
        settings.put(Settings.appendonly, True)
        settings.put(Settings.dir, DATA)
        load_options(settings, {name.replace("_", "-"): value for name, value in directives.items()})
        self.engine = Engine(settings, clock, COMMANDS)
        self.durability = Durability(self.engine, disk)
        try:
            with self.engine.lock:
                self.durability.load_now()
        except BaseException:
            self._let_go()
            raise
        self.session = self.engine.connect("embedded")

    def run(self, *argv: bytes | str) -> Any:
        """The reply to a command."""
        return self.engine.execute(self.session, [word.encode() if isinstance(word, str) else word for word in argv])

    def transact(self, commands: list[list[bytes]]) -> Any:
        """The reply to EXEC."""
        self.run(b"MULTI")
        for command in commands:
            self.run(*command)
        return self.run(b"EXEC")

    def tick(self) -> None:
        """One round of housekeeping."""
        self.engine.enter()
        try:
            self.engine.tick()
        finally:
            self.engine.leave()

    def rest(self, seconds: float = 0.0) -> None:
        """Time passes; then everything is done that there is to do."""
        self.clock.advance(seconds)
        for _ in range(100):
            self.tick()
            if not Hand.line:
                break
            Hand.work()
        self.tick()

    def close(self) -> None:
        """The orderly end."""
        self.engine.close()

    def bury(self) -> None:
        """The end without anything being done: the disk has been left to others."""
        self.disk.dead = True
        if self in self.begun:
            self.begun.remove(self)
        self._let_go()

    def _let_go(self) -> None:
        self.durability._closing.detach()
        with contextlib.suppress(Crash):
            self.durability.jobs.abandon()

    def contents(self) -> Contents:
        return contents(self.engine)


def contents(engine: Engine) -> Contents:
    """All keys with their deadlines and what is in them."""
    found = {}
    for database in engine.space.databases:
        for position in range(len(database)):
            entry = database.table.at(position)
            found[database.number, entry.key] = (entry.expire_ms, content(entry.value))
    return found


class Writer:
    """Writes step after step, and knows what there was after each and which were acknowledged."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        # What there is after each step, beginning with nothing.
        self.states: list[Contents] = [{}]
        # The last step that was acknowledged, and where in the append-only file each one ends, in this process.
        self.acknowledged = 0
        self.ends: list[tuple[int, int]] = []

    def step(self, process: Process) -> bool:
        """Writes something; whether that was acknowledged."""
        number = len(self.states)
        try:
            reply = process.transact([*self.commands(), [b"SELECT", b"0"], [b"SET", STEP, b"%d" % number]])
        finally:
            # It may have been done, only that nobody says so.
            after = process.contents()
            if number_of(after) == number:
                self.states.append(after)
        if isinstance(reply, CommandError):
            return False
        journal = process.durability.appending.journal
        self.acknowledged = number
        if journal is not None:
            self.ends.append((journal.position, number))
        return True

    def synced(self, process: Process) -> int:
        """The last step of which the process says that the disk has it."""
        journal = process.durability.appending.journal
        assert journal is not None
        return max((number for end, number in self.ends if end <= journal.synced), default=0)

    def found(self, process: Process, at_least: int) -> None:
        """A new process has everything up to one of the steps, and not less than it must; it goes on from there."""
        found = process.contents()
        number = number_of(found)
        assert number >= at_least, f"step {at_least} was safe, and there is only {number}"
        assert found == self.states[number]
        del self.states[number + 1 :]
        self.acknowledged = number
        self.ends = [(0, number)]

    def commands(self) -> list[list[bytes]]:
        """A few random commands, of which none fails."""
        return [self.command() for _ in range(self.chance.choice((0, 1, 1, 2, 3)))]

    def command(self) -> list[bytes]:
        chance = self.chance
        word = b"%x" % chance.getrandbits(chance.choice((8, 32, 900)))
        number = b"%d" % chance.randrange(-50, 50)
        key = chance.choice((b"one", b"two"))
        return chance.choice(
            [
                [b"SET", b"string:" + key, word],
                [b"SET", b"string:" + key, number, b"EX", b"1000"],
                [b"SET", b"counter", b"17"],
                [b"RPUSH", b"list:" + key, word, number],
                [b"LPOP", b"list:" + key],
                [b"SADD", b"set:" + key, word, number],
                [b"SPOP", b"set:" + key],
                [b"HSET", b"hash:" + key, number, word],
                [b"HDEL", b"hash:" + key, number],
                [b"ZADD", b"zset:" + key, number, word],
                [b"ZINCRBY", b"zset:" + key, b"0.5", number],
                [b"XADD", b"stream", b"*", b"field", word],
                [b"PEXPIRE", b"hash:" + key, b"5000000"],
                [b"DEL", b"string:" + key, b"set:" + key],
                [b"SELECT", chance.choice((b"0", b"1"))],
            ]
        )


def number_of(contents: Contents) -> int:
    """The step that was the last one."""
    return int(contents.get((0, STEP), (0, b"0"))[1])
