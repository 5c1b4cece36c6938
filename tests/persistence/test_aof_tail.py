"""An append-only file whose end is cut, blank or garbage: the start finds exactly what was whole before that.

ALCOVE_AOF_TAIL says how many bytes there are, each of which is tried as the place where the end begins.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from functools import cache

import pytest

from alcove.engine.clock import ManualClock
from alcove.persistence.loading import BLOCK, CannotLoad
from tests.persistence.disk import SimulatedDisk
from tests.persistence.process import AOF, DATA, Contents, Process, by_hand

pytestmark = pytest.mark.usefixtures(by_hand.__name__)

TAIL = int(os.environ.get("ALCOVE_AOF_TAIL", "1500"))
STEPS = 18
# How many bytes are tried in one test.
STRETCH = 2000
PART = f"{AOF}/appendonly.aof.1.incr.aof"
MANIFEST = f"{AOF}/appendonly.aof.manifest"
# Bytes that begin nothing.
GARBAGE = bytes(range(128, 256))


@cache
def written() -> tuple[bytes, list[int], list[Contents]]:
    """An append-only file of commands and transactions, where each of them ends, and what there is then."""
    chance = random.Random(5)
    disk = SimulatedDisk(DATA)
    process = Process(disk, ManualClock(), appendfsync="no")
    ends, states = [0], [process.contents()]
    for number in range(STEPS):
        word = chance.randbytes(chance.randrange(2 * TAIL // STEPS - 60))
        commands = [[b"SET", b"a", word], [b"RPUSH", b"list", b"%d" % number], [b"INCR", b"counter"]]
        if number % 3 == 0:
            process.transact(commands)
        else:
            process.run(*commands[number % 3 - 1])
        ends.append(len(disk.files()[PART]))
        states.append(process.contents())
    process.bury()
    return disk.files()[PART], ends, states


def holding(content: bytes, *others: bytes) -> SimulatedDisk:
    """A disk with an append-only file of one increment, or several."""
    disk = SimulatedDisk(DATA, AOF)
    lines = []
    for number, each in enumerate((content, *others), 1):
        disk.put(PART.replace(".1.", f".{number}."), each)
        lines.append(b"file appendonly.aof.%d.incr.aof seq %d type i\n" % (number, number))
    disk.put(MANIFEST, b"".join(lines))
    return disk


def check(disk: SimulatedDisk, cut: int, **directives: object) -> None:
    """A start finds what was whole before the cut, and so does the one after it; the rest of the file is as it was."""
    content, ends, states = written()
    place = bisect_right(ends, cut) - 1
    for _ in range(2 if cut % 16 == 0 else 1):
        process = Process(disk, ManualClock(), **directives)
        assert process.contents() == states[place]
        assert content.startswith(disk.files()[PART])
        assert ends[place] <= len(disk.files()[PART]) <= cut
        process.bury()
        if cut % 16 == 0:
            disk = disk.after_power_cut(cut)


def refused(disk: SimulatedDisk, match: str, **directives: object) -> None:
    """A start says why it cannot be, and changes nothing."""
    files = disk.files()
    with pytest.raises(CannotLoad, match=match):
        Process(disk, ManualClock(), **directives)
    assert disk.files() == files


def places(first: int, step: int = 1) -> range:
    """Those of a stretch of the tail."""
    size = len(written()[0])
    begin = max(size - TAIL, 0) + first
    return range(begin, min(begin + STRETCH, size + 1), step)


by_stretches = pytest.mark.parametrize("first", range(0, TAIL + 1, STRETCH))


def test_the_file_is_as_long_as_it_should_be() -> None:
    assert 0.6 * TAIL < len(written()[0]) < 1.6 * TAIL + 1000


@by_stretches
def test_cut_at_every_byte(first: int) -> None:
    content, _, _ = written()
    for cut in places(first):
        check(holding(content[:cut]), cut)


@by_stretches
def test_blank_from_every_byte(first: int) -> None:
    """A file that has grown, and whose last blocks were never written."""
    content, _, _ = written()
    for cut in places(first, 3):
        disk = holding(content[:cut].ljust(len(content) + BLOCK, b"\0"))
        check(disk, cut)
        assert not [name for name in disk.files() if name.endswith(".damaged")]


def test_blocks_that_were_not_written() -> None:
    """Later blocks are there; what they hold is of no use, and is kept beside."""
    content, ends, _ = written()
    # Longer than any value: one that lies within a value is not seen.
    size = (2 * TAIL // STEPS // BLOCK + 1) * BLOCK
    for first in range(0, len(content), BLOCK):
        hole = content[:first] + bytes(min(size, len(content) - first)) + content[first + size :]
        disk = holding(hole)
        check(disk, first)
        beside = [kept for name, kept in disk.files().items() if name.endswith(".damaged")]
        whole = ends[bisect_right(ends, first) - 1]
        assert beside in ([], [hole[whole:]]) or hole.endswith(beside[0])
        # What ends in zeros is only a piece.
        assert bool(beside) == (first + size < len(content)) == (not hole.endswith(b"\0"))


@by_stretches
def test_garbage_from_every_byte(first: int) -> None:
    """It has to be said how much may be dropped; it is kept beside."""
    content, _, _ = written()
    for cut in places(first, 5):
        # Longer than any value, so that it is none.
        damaged = content[:cut] + GARBAGE * (TAIL // 100)
        refused(holding(damaged), "more than aof-load-corrupt-tail-max-size")
        disk = holding(damaged)
        check(disk, cut, aof_load_corrupt_tail_max_size="1mb")
        (beside,) = (kept for name, kept in disk.files().items() if name.endswith(".damaged"))
        assert disk.files()[PART] + beside == damaged


def test_how_much_garbage_is_dropped() -> None:
    content, ends, _ = written()
    damaged = holding(content + GARBAGE)
    refused(damaged, f"at offset {ends[-1]}, 128 bytes before its end", aof_load_corrupt_tail_max_size="127")
    check(damaged, len(content), aof_load_corrupt_tail_max_size="128")


def test_a_second_cut_at_the_same_place() -> None:
    content, _, _ = written()
    disk = holding(content + GARBAGE)
    for number in range(3):
        Process(disk, ManualClock(), aof_load_corrupt_tail_max_size="1mb").bury()
        disk = disk.after_crash()
        kept = {name: each for name, each in disk.files().items() if name.endswith(".damaged")}
        assert sorted(kept.values(), key=len) == [GARBAGE + b"!" * each for each in range(number + 1)]
        disk.put(PART, content + GARBAGE + b"!" * (number + 1))


def test_a_cut_that_is_not_allowed() -> None:
    content, _, _ = written()
    refused(holding(content[:-1]), "ends within a command", aof_load_truncated="no")
    refused(holding(content + bytes(10)), "is damaged", aof_load_truncated="no")
    check(holding(content), len(content), aof_load_truncated="no")


def test_only_what_nothing_follows_is_cut() -> None:
    content, _, _ = written()
    for damaged in (content[:-1], content + GARBAGE, content + bytes(10)):
        refused(holding(damaged, content), "it is not the last part", aof_load_corrupt_tail_max_size="1mb")
        refused(holding(damaged, b"", content), "it is not the last part", aof_load_corrupt_tail_max_size="1mb")
    for others in ([b""], [b"", b""]):
        check(holding(content[:-1], *others), len(content) - 1)


def test_a_tail_that_cannot_be_kept_is_not_cut() -> None:
    content, _, _ = written()
    disk = holding(content + GARBAGE)
    for name in ("create", "write", "sync"):
        disk.fault = lambda place, operation, path, name=name: OSError(28, "full") if operation == name else None
        refused(disk, "full", aof_load_corrupt_tail_max_size="1mb")


def test_a_huge_tail_is_kept_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never is all of it in memory."""
    content, _, _ = written()
    garbage = GARBAGE * 40_000
    disk = holding(content + garbage)
    sizes = []
    opened = disk.open

    def spied(path: str) -> object:
        file = opened(path)
        if path != PART:
            return file
        read = file.read

        def count(size: int = -1) -> bytes:
            sizes.append(size)
            return read(size)

        file.read = count  # type: ignore[method-assign]
        return file

    monkeypatch.setattr(disk, "open", spied)
    Process(disk, ManualClock(), aof_load_corrupt_tail_max_size="1gb").bury()
    assert sizes
    assert -1 not in sizes
    assert max(sizes) < len(garbage) / 2


def test_unknown_commands_are_not_dropped() -> None:
    content, _, _ = written()
    refused(holding(content + b"*1\r\n$7\r\nNOTHING\r\n"), "no command")
