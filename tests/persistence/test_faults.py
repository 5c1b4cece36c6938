"""A process that dies between any two operations on its files, and a disk on which any of them fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alcove.engine.clock import ManualClock
from alcove.errors import CommandError
from alcove.persistence.loading import CannotLoad
from tests.persistence.disk import Crash, SimulatedDisk
from tests.persistence.process import AOF, DATA, Hand, Process, Writer, by_hand

pytestmark = pytest.mark.usefixtures(by_hand.__name__)

POLICIES = ("always", "everysec")
KINDS = [{"appendfsync": policy, "aof-use-rdb-preamble": form} for policy in POLICIES for form in ("yes", "no")]


def name_of(kind: dict[str, str]) -> str:
    return "-".join(kind.values())


def life(process: Process, writer: Writer) -> Iterator[None]:
    """All that a process does with its files, in steps: writes, rewrites and snapshots while writes go on, the end."""
    for _ in range(3):
        writer.step(process)
        yield
    for command in (b"BGREWRITEAOF", b"BGSAVE", b"BGREWRITEAOF"):
        process.run(command)
        yield
        for _ in range(6):
            writer.step(process)
            Hand.work(1)
            process.tick()
            yield
        process.rest(1)
        yield
    process.run(b"SAVE")
    writer.step(process)
    process.rest(1)
    yield
    process.close()


def operations_of(kind: dict[str, str]) -> int:
    """How many operations there are in a life without faults."""
    disk = SimulatedDisk(DATA)
    for _ in life(Process(disk, ManualClock(), **kind), Writer(1)):
        pass
    return disk.operations


def lived(disk: SimulatedDisk, kind: dict[str, str], writer: Writer) -> Process | None:
    """A life until it ends by a crash; the process, if it got so far."""
    process = None
    try:
        process = Process(disk, ManualClock(), **kind)
        for _ in life(process, writer):
            pass
    except Crash:
        pass
    if process is not None:
        process.bury()
    return process


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_a_crash_between_any_two_operations(kind: dict[str, str]) -> None:
    """Everything acknowledged is there, whatever the policy: the system has it."""
    operations = operations_of(kind)
    assert operations > 60
    for place in range(operations):
        disk = SimulatedDisk(DATA)
        disk.crash_before = place
        writer = Writer(1)
        lived(disk, kind, writer)
        left = disk.after_crash()
        heir = Process(left, ManualClock(), **kind)
        writer.found(heir, writer.acknowledged)
        go_on(heir, writer, kind)


def go_on(process: Process, writer: Writer, kind: dict[str, str]) -> None:
    """The process can write and rewrite, and leaves nothing behind that is not in use."""
    assert writer.step(process)
    before = process.durability.appending.rewrites
    process.run(b"BGREWRITEAOF")
    assert writer.step(process)
    process.rest(1)
    assert process.durability.appending.rewrites == before + 1
    assert writer.step(process)
    process.close()
    process.bury()
    names = process.disk.names(AOF)
    assert [name.split(".")[-2] for name in names] == ["base", "incr", "aof"], names
    heir = Process(process.disk.after_crash(), ManualClock(), **kind)
    writer.found(heir, writer.acknowledged)
    heir.bury()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_crash_while_a_crash_is_mended(policy: str) -> None:
    """The start that follows a crash may crash itself, between any two operations, and the machine may go then."""
    kind = {"appendfsync": policy}
    for place in range(0, operations_of(kind), 11):
        again = 0
        while True:
            disk = SimulatedDisk(DATA)
            disk.crash_before = place
            writer = Writer(1)
            lived(disk, kind, writer)
            left = disk.after_crash()
            left.crash_before = again
            try:
                heir = Process(left, ManualClock(), **kind)
                heir.bury()
                break
            except Crash:
                again += 1
            heir = Process(left.after_crash(), ManualClock(), **kind)
            writer.found(heir, writer.acknowledged)
            # What it has loaded it has made certain.
            heir.bury()
            last = Process(heir.disk.after_power_cut(again), ManualClock(), **kind)
            writer.found(last, writer.acknowledged)
            last.bury()


# A disk that fails


FAILURES = (errno.ENOSPC, errno.EIO)


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Failing:
    """The disk fails from one operation on, for as many as are said."""

    def __init__(self, number: int, first: int, count: int) -> None:
        self._number = number
        self._range = range(first, first + count)

    def __call__(self, place: int, name: str, path: str) -> OSError | None:
        return failure(self._number) if place in self._range else None


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_failure_of_any_operation(policy: str, count: int) -> None:
    """Whatever fails, reads are served, nothing acknowledged is lost, and all is well when the disk is again."""
    kind = {"appendfsync": policy}
    refused = 0
    for place in range(operations_of(kind)):
        disk = SimulatedDisk(DATA)
        disk.fault = Failing(FAILURES[place % 2], place, count)
        writer = Writer(1)
        try:
            process = Process(disk, ManualClock(), **kind)
        except CannotLoad:
            refused += 1
            disk.fault = None
            process = Process(disk, ManualClock(), **kind)
        for _ in life(process, writer):
            if process.engine.closed is None:
                assert not isinstance(process.run(b"GET", b"step"), CommandError)
                assert not isinstance(process.run(b"DBSIZE"), CommandError)
        disk.fault = None
        synced = writer.acknowledged if policy == "always" else 0
        for left in (disk.after_crash(), disk.after_power_cut(place)):
            heir = Process(left, ManualClock(), **kind)
            writer_found(heir, writer, synced)
            heir.bury()
        process.bury()
    assert refused > 0


def writer_found(process: Process, writer: Writer, at_least: int) -> None:
    """As `Writer.found`, for one of several heirs."""
    states, acknowledged, ends = list(writer.states), writer.acknowledged, list(writer.ends)
    writer.found(process, at_least)
    writer.states, writer.acknowledged, writer.ends = states, acknowledged, ends


def running(policy: str, **directives: Any) -> tuple[SimulatedDisk, Process, Writer]:
    """A process that has written a little."""
    disk = SimulatedDisk(DATA)
    process = Process(disk, ManualClock(), appendfsync=policy, **directives)
    writer = Writer(7)
    for _ in range(5):
        assert writer.step(process)
    process.rest(1)
    return disk, process, writer


def only(*names: str, why: int = errno.EIO) -> Any:
    """Operations of these names fail."""

    def fault(place: int, name: str, path: str) -> OSError | None:
        return failure(why) if name in names else None

    return fault


@pytest.mark.parametrize("policy", POLICIES)
def test_a_full_disk(policy: str) -> None:
    disk, process, writer = running(policy)
    before = process.contents()
    disk.fault = only("write", "create", why=errno.ENOSPC)
    assert not writer.step(process)
    process.rest(1)
    # It was done when the disk refused it; what follows is not done at all.
    after = process.contents()
    assert after != before
    for command in ([b"SET", b"a", b"b"], [b"PING"], [b"DEL", b"step"]):
        reply = process.run(*command)
        assert isinstance(reply, CommandError)
        assert reply.text == "MISCONF Errors writing to the AOF file: No space left on device"
    assert process.contents() == after
    assert process.run(b"GET", b"step") == b"6"
    assert process.durability.appending.journal is not None
    disk.fault = None
    process.rest(1)
    assert process.run(b"PING") == b"PONG"
    assert writer.step(process)
    process.rest(1)
    heir = Process(disk.after_power_cut(1), ManualClock())
    writer.found(heir, 7)


@pytest.mark.parametrize("policy", POLICIES)
def test_after_a_failed_sync_only_a_new_file_counts(policy: str) -> None:
    disk, process, writer = running(policy)
    disk.fault = only("sync")
    assert writer.step(process) == (policy == "everysec")
    process.rest(1)
    disk.fault = only("create")
    process.rest(1)
    # The disk says that it syncs again; but what was written is not there, and no new file can be made.
    for _ in range(5):
        assert isinstance(process.run(b"SET", b"a", b"b"), CommandError)
        process.rest(60)
    assert process.run(b"GET", b"step") == b"6"
    assert writer.synced(process) == 5
    disk.fault = None
    process.rest(61)
    assert process.durability.appending.rewrites == 2
    assert writer.step(process)
    process.rest(1)
    heir = Process(disk.after_power_cut(1), ManualClock())
    writer.found(heir, 7)


def until(process: Process, condition: Callable[[], bool]) -> None:
    """Time passes, and one thing after the other is done, until something is so."""
    for _ in range(100):
        if condition():
            return
        Hand.work(1)
        process.clock.advance(0.001)
        process.tick()
    raise AssertionError("it never came to that")


def test_a_sync_that_fails_once_more_while_a_new_file_is_made() -> None:
    """The new increment's sync fails: the rewrite that is under way does not make up for that."""
    disk, process, writer = running("everysec")
    process.run(b"BGREWRITEAOF")
    journal = process.durability.appending.journal
    assert journal is not None
    until(process, lambda: journal.path.endswith("2.incr.aof"))
    assert writer.step(process)
    disk.fault = only("sync")
    journal.sync()
    disk.fault = None
    assert journal.sync_error is not None
    until(process, lambda: process.durability.appending.rewrites == 2)
    assert journal.sync_error is not None
    assert isinstance(process.run(b"SET", b"a", b"b"), CommandError) or process.engine.misconf
    process.rest(61)
    process.rest(1)
    assert journal.trouble is None
    assert writer.step(process)
    process.rest(1)
    heir = Process(disk.after_power_cut(3), ManualClock())
    writer.found(heir, writer.acknowledged)


def test_a_snapshot_that_fails_leaves_the_last_one() -> None:
    disk, process, writer = running("no", appendonly="no", save="900 1")
    assert process.run(b"SAVE") == b"OK"
    good = disk.files()[f"{DATA}/dump.rdb"]
    assert writer.step(process)
    for name in ("create", "write", "sync", "rename"):
        disk.fault = only(name, why=errno.ENOSPC)
        assert isinstance(process.run(b"SAVE"), CommandError)
        assert process.run(b"BGSAVE") == b"Background saving started"
        process.rest()
        assert isinstance(process.run(b"SET", b"a", b"b"), CommandError)
        assert process.run(b"GET", b"step") == b"6"
        assert disk.files() == {f"{DATA}/dump.rdb": good}
    disk.fault = None
    assert process.run(b"SAVE") == b"OK"
    assert writer.step(process)
    heir = Process(disk.after_power_cut(1), ManualClock(), appendonly="no", save="900 1")
    writer.found(heir, 6)


def test_a_folder_that_can_only_be_read() -> None:
    disk, process, writer = running("always")
    files = disk.files()
    disk.read_only = True
    # What is open can still be written.
    assert writer.step(process)
    assert isinstance(process.run(b"SAVE"), CommandError)
    process.run(b"BGREWRITEAOF")
    process.rest()
    assert process.durability.appending.failed
    assert process.durability.saving.failed
    assert disk.files().keys() == files.keys()
    assert writer.step(process)
    process.close()
    empty = SimulatedDisk(DATA)
    empty.read_only = True
    with pytest.raises(CannotLoad):
        Process(empty, ManualClock())
    assert empty.files() == {}
    heir = Process(disk.after_power_cut(1), ManualClock())
    writer.found(heir, writer.acknowledged)


def test_an_unreadable_file_is_not_an_empty_one() -> None:
    disk, process, writer = running("always")
    process.close()
    left = disk.after_crash()
    files = left.files()
    for end in ("manifest", "base.rdb", "incr.aof"):
        left.fault = lambda place, name, path, end=end: (
            failure(errno.EIO) if name == "open" and path.endswith(end) else None
        )
        with pytest.raises(CannotLoad, match="Input/output error"):
            Process(left, ManualClock())
        assert left.files() == files
    left.fault = None
    writer.found(Process(left, ManualClock()), writer.acknowledged)
