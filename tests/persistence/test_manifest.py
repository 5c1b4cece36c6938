"""Manifests: what they say, and those that make no sense, which are refused without anything being changed."""

from __future__ import annotations

import contextlib

import pytest

from alcove.engine.clock import ManualClock
from alcove.persistence.loading import CannotLoad
from alcove.persistence.manifest import BASE, HISTORY, INCREMENT, BadManifest, Manifest, Part, parse
from tests.persistence.disk import Crash, SimulatedDisk
from tests.persistence.process import AOF, DATA, Process, Writer, by_hand

pytestmark = pytest.mark.usefixtures(by_hand.__name__)

MANIFEST = f"{AOF}/appendonly.aof.manifest"
GOOD = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n"


def test_what_it_says() -> None:
    manifest = parse(GOOD + b"file a.0.incr.aof seq 9 type h\n")
    assert manifest.base == Part("a.1.base.rdb", 1, BASE)
    assert manifest.increments == (Part("a.1.incr.aof", 1, INCREMENT), Part("a.2.incr.aof", 2, INCREMENT))
    assert manifest.history == (Part("a.0.incr.aof", 9, HISTORY),)
    assert parse(manifest.encode()) == manifest


@pytest.mark.parametrize("name", ["plain.aof", "with blank", 'with"quote', "back\x07bell", "umläut", "\udcff"])
def test_names_come_back(name: str) -> None:
    manifest = Manifest(increments=(Part(name, 1, INCREMENT),))
    assert parse(manifest.encode()) == manifest


def test_what_is_read_besides() -> None:
    """Notes, words in another order, words that are not known yet, and lines that end as on other systems."""
    content = b"# a note\nseq 1 file a type b\r\nfile b seq 1 type i startoffset 12\n"
    assert parse(content) == Manifest(Part("a", 1, BASE), (Part("b", 1, INCREMENT),))


MALFORMED = {
    b"": "is empty",
    b"\n": "line 1 .* invalid format",
    b"garbage\n": "line 1 .* invalid format",
    b"\0" * 100: "ends within a line",
    b"\0" * 100 + b"\n": "line 1 .* invalid format",
    GOOD[:-1]: "ends within a line",
    GOOD[:-20]: "ends within a line",
    GOOD + b"\n": "line 4 .* invalid format",
    GOOD + b"file a seq 3\n": "line 4 .* invalid format",
    GOOD + b"file a seq 3 type\n": "line 4 .* invalid format",
    GOOD + b"file a seq x type i\n": "line 4 .* invalid format",
    GOOD + b"file a seq 1_0 type i\n": "line 4 .* invalid format",
    GOOD + b"file a seq -3 type i\n": "line 4 .* invalid format",
    GOOD + b"file a seq 0 type i\n": "line 4 .* invalid format",
    GOOD + b"file a seq 99999999999999999999 type i\n": "line 4 .* invalid format",
    GOOD + b"file a seq 3 type x\n": "line 4 .* invalid format",
    GOOD + b'file "a seq 3 type i\n': "line 4 .* invalid format",
    GOOD + b"file " + b"a" * 1100 + b" seq 3 type i\n": "line 4 .* invalid format",
    GOOD + b"file ../a seq 3 type i\n": "named by a path",
    GOOD + b'file "" seq 3 type i\n': "named by a path or not at all",
    GOOD + b"file a.2.incr.aof seq 2 type i\n": "non-monotonic sequence number",
    GOOD + b"file a.1.incr.aof seq 1 type i\n": "non-monotonic sequence number",
    GOOD + b"file b.2.base.rdb seq 2 type b\n": "duplicate base file information",
}


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_nonsense(content: bytes) -> None:
    with pytest.raises(BadManifest, match=MALFORMED[content]):
        parse(content)


def test_every_cut_and_every_flipped_bit_is_harmless() -> None:
    """It is another manifest then, or none; never is there any other error."""
    for size in range(len(GOOD)):
        if size not in (GOOD.index(b"\n") + 1, GOOD.index(b"\n", 40) + 1):
            with pytest.raises(BadManifest):
                parse(GOOD[:size])
    for place in range(len(GOOD) * 8):
        flipped = bytearray(GOOD)
        flipped[place >> 3] ^= 1 << (place & 7)
        with contextlib.suppress(BadManifest):
            assert parse(bytes(flipped)) != parse(GOOD)


def test_names_of_the_past_are_not_used_again() -> None:
    """What a manifest calls history is deleted one day."""
    past = parse(b"file s.1.incr.aof seq 1 type h\nfile s.2.incr.aof seq 2 type h\nfile s.1.base.rdb seq 1 type h\n")
    assert past.with_increment("s").increments == (Part("s.3.incr.aof", 3, INCREMENT),)
    assert past.next_base("s", "rdb") == Part("s.2.base.rdb", 2, BASE)
    assert past.next_base("s", "aof") == Part("s.1.base.aof", 1, BASE)


# Starts


def left() -> tuple[SimulatedDisk, Writer]:
    """What a process has left that has rewritten its file."""
    disk = SimulatedDisk(DATA)
    process = Process(disk, ManualClock())
    writer = Writer(1)
    for _ in range(5):
        assert writer.step(process)
    process.run(b"BGREWRITEAOF")
    process.rest(1)
    assert writer.step(process)
    process.close()
    return disk.after_crash(), writer


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
def test_a_start_with_nonsense_changes_nothing(content: bytes) -> None:
    disk, writer = left()
    good = disk.files()[MANIFEST]
    disk.put(MANIFEST, content)
    files = disk.files()
    with pytest.raises(CannotLoad, match=MALFORMED[content]):
        Process(disk, ManualClock())
    assert disk.files() == files
    # Nor does a rewrite of an engine that has not read it.
    process = Process(disk, ManualClock(), appendonly="no")
    process.run(b"BGREWRITEAOF")
    process.rest(1)
    assert process.durability.appending.failed
    assert disk.files() == files
    disk.put(MANIFEST, good)
    writer.found(Process(disk, ManualClock()), writer.acknowledged)


@pytest.mark.parametrize("name", ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"])
def test_a_file_that_is_missing(name: str) -> None:
    disk, _ = left()
    disk.drop(f"{AOF}/{name}")
    files = disk.files()
    with pytest.raises(CannotLoad, match=f"the AOF file {name} named by the manifest doesn't exist"):
        Process(disk, ManualClock())
    assert disk.files() == files


def test_history_that_is_missing_does_not_matter() -> None:
    disk, writer = left()
    disk.put(MANIFEST, disk.files()[MANIFEST] + b"file appendonly.aof.1.base.rdb seq 1 type h\n")
    process = Process(disk, ManualClock())
    writer.found(process, writer.acknowledged)
    assert b"type h" not in disk.files()[MANIFEST]


def test_history_that_is_there_is_removed() -> None:
    disk, writer = left()
    old = f"{AOF}/appendonly.aof.1.base.rdb"
    disk.put(old, b"old")
    disk.put(MANIFEST, disk.files()[MANIFEST] + b"file appendonly.aof.1.base.rdb seq 1 type h\n")
    writer.found(Process(disk, ManualClock()), writer.acknowledged)
    assert old not in disk.files()


def test_an_engine_without_a_file_leaves_what_others_have_written_until_it_is_replaced() -> None:
    """A rewrite begins with what the manifest says, although nobody has loaded it."""
    disk, _ = left()
    process = Process(disk, ManualClock(), appendonly="no")
    process.run(b"SET", b"a", b"b")
    process.run(b"BGREWRITEAOF")
    process.rest(1)
    assert not process.durability.appending.failed
    process.bury()
    heir = Process(disk.after_power_cut(1), ManualClock())
    assert heir.contents() == process.contents()
    parts = ["appendonly.aof.1.incr.aof", "appendonly.aof.3.base.rdb", "appendonly.aof.manifest"]
    assert heir.disk.names(AOF) == parts


def test_a_rewrite_without_a_file_is_all_or_nothing() -> None:
    """Dying anywhere in it leaves what was there, or what the engine had."""
    outcomes = set()
    for place in range(40):
        disk, writer = left()
        process = Process(disk, ManualClock(), appendonly="no")
        process.run(b"SET", b"a", b"b")
        disk.crash_before = disk.operations + place
        with contextlib.suppress(Crash):
            process.run(b"BGREWRITEAOF")
            process.rest(1)
        process.bury()
        heir = Process(disk.after_power_cut(place), ManualClock())
        new = heir.contents() == process.contents()
        assert new or heir.contents() == writer.states[-1]
        outcomes.add(new)
        heir.bury()
    assert outcomes == {True, False}


def test_the_single_file_of_old_is_adopted_or_left() -> None:
    """Dying anywhere while it is moved to its place, and losing power then, leaves all that it held."""
    disk, writer = left()
    old = disk.files()[f"{AOF}/appendonly.aof.2.base.rdb"] + disk.files()[f"{AOF}/appendonly.aof.2.incr.aof"]
    for place in range(40):
        single = SimulatedDisk(DATA)
        single.put(f"{DATA}/appendonly.aof", old)
        single.crash_before = place
        with contextlib.suppress(Crash):
            Process(single, ManualClock()).bury()
        heir = Process(single.after_power_cut(place), ManualClock())
        assert heir.contents() == writer.states[-1]
        heir.bury()
