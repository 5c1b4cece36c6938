"""`alcove check`: what it finds in good and damaged files, and what it repairs."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

import alcove
import alcove.tools.check
from alcove.cli import main
from alcove.engine.declaration import REGISTRY
from alcove.engine.keyspace import Keyspace
from alcove.persistence.check import Checker, NothingToCheck, Report
from alcove.persistence.folder_lock import FolderLock
from alcove.persistence.rdb import RdbReader, RdbWriter, standard_aux
from alcove.tools.check import DAMAGED, GOOD, NOT_CHECKED, REPAIRED, in_bytes, shown
from alcove.tools.progress import Progress
from alcove.types.limits import Limits

COMMANDS = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1700000000\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
TRANSACTION = b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nincr\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n"
PAST_MS, FAR_MS = 1_000, 4_000_000_000_000
KEYS = 5


def snapshot() -> bytes:
    """Five keys in two databases: four strings, two of them with a deadline, and a big list behind them."""
    space = Keyspace()
    first, second = space.databases[0], space.databases[3]
    for name in (b"plain", b"with a blank", b"timed"):
        first.add(name, b"value")
    first.set_deadline(first.table.get(b"timed"), FAR_MS)
    second.set_deadline(second.add(b"past", b"value"), PAST_MS)
    reader = RdbReader(io.BytesIO(b"REDIS0011\x01\x03big\x02\x03one\x07seventh\xff" + bytes(8)), Limits(), False)
    assert reader.step()
    second.add(b"big", reader.value)
    out = io.BytesIO()
    writer = RdbWriter(out.write)
    writer.begin([*standard_aux(1_700_000_000_000, 1, False), (b"odd name", b"\xff")])
    writer.function(b"#!lua name=lib\n")
    for database in (first, second):
        for place in range(len(database)):
            writer.entry(database.number, database.table.at(place))
    writer.end()
    return out.getvalue()


def checked(path: Path) -> list[Report]:
    return list(Checker(REGISTRY).check(str(path)))


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main(["check", *map(str, words)])
    out, err = capfd.readouterr()
    return status, out, err


def durable(folder: Path, increment: bytes = COMMANDS, base: bytes | None = None) -> Path:
    """A folder with an append-only file; its increment."""
    inside = folder / "appendonlydir"
    inside.mkdir(parents=True)
    (inside / "a.1.base.rdb").write_bytes(snapshot() if base is None else base)
    (inside / "a.1.incr.aof").write_bytes(increment)
    (inside / "a.manifest").write_text("file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n")
    return inside / "a.1.incr.aof"


# Good files


def test_what_is_in_a_snapshot(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(snapshot())
    (report,) = checked(tmp_path)
    assert (report.version, report.libraries, report.damage, report.notes) == (11, 1, None, [])
    inventory = report.inventory
    assert inventory.databases == {0: 3, 3: 2}
    assert (inventory.keys, inventory.volatile, inventory.expired) == (KEYS, 2, 1)
    assert {kind: (each.keys, each.volatile, each.elements) for kind, each in inventory.kinds.items()} == {
        "string": (4, 2, 4),
        "list": (1, 0, 2),
    }
    assert inventory.biggest()[0][1:] == (3, b"big", "list", 2)
    status, out, err = run(capfd, path)
    assert (status, err) == (GOOD, "")
    for text in (
        "snapshot, RDB version 11",
        "ctime 2023-11-14T22:13:20Z",
        '"odd name" "\\xff"',
        "functions 1 library\n",
        "keys      5 (3 in database 0, 2 in database 3)",
        "2 keys have one; the time of 1 has come",
        "big (database 3, list, 2 elements)",
        '"with a blank" (database 0, string)',
        "  good\n",
    ):
        assert text in out


def test_only_the_biggest_keys_are_told(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = RdbWriter(out.write, compress=False)
    writer.begin()
    database = Keyspace().databases[0]
    for number in range(100):
        writer.entry(0, database.add(b"%03d" % number, b"x" * ((number * 37) % 100)))
    writer.end()
    path = tmp_path / "dump.rdb"
    path.write_bytes(out.getvalue())
    (report,) = checked(path)
    found = report.inventory.biggest()
    # The kind of the value, the length of the name, the name; and the value with its own length, two bytes from 64 on.
    assert [(big.size, big.key) for big in found] == [
        (1 + 1 + 3 + 2 + size, b"%03d" % next(each for each in range(100) if each * 37 % 100 == size))
        for size in range(99, 89, -1)
    ]


def test_what_is_in_an_append_only_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    increment = durable(tmp_path, COMMANDS + TRANSACTION)
    (increment.parent / "temp-rewrite-1").write_bytes(b"")
    for place in (tmp_path, increment.parent, increment.parent / "a.manifest"):
        manifest, base, last = checked(place)
        assert [report.damage for report in (manifest, base, last)] == [None, None, None]
        assert manifest.notes == ["temp-rewrite-1 is not named by it: left by a rewrite that never ended, or put there"]
        assert base.inventory.keys == KEYS
        assert last.commands == {b"SELECT": 1, b"SET": 1, b"INCR": 1}
        assert last.transactions == 1
    status, out, _ = run(capfd, tmp_path)
    assert status == GOOD
    assert "commands  3, 1 transactions" in out
    assert out.count("  good\n") == 3


def test_a_file_of_redis_6_begins_as_a_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    path.write_bytes(snapshot() + COMMANDS)
    (report,) = checked(path)
    assert (report.form, report.damage, report.inventory.keys, report.commands[b"SET"]) == ("AOF", None, KEYS, 1)


def test_what_alcove_itself_leaves_is_good(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with alcove.open(str(tmp_path / "data")) as r:
        r.set("k", "v")
        r.bgrewriteaof()
        r.transaction(lambda pipe: pipe.multi() or pipe.set("a", 1).set("b", 2))
        engine = r.connection_pool.connection_kwargs["engine"]
    engine.close()
    assert run(capfd, tmp_path / "data")[0] == GOOD


# Damaged files


def test_every_cut_of_a_snapshot_is_found(tmp_path: Path) -> None:
    path, data = tmp_path / "dump.rdb", snapshot()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        (report,) = checked(path)
        assert report.damage is not None
        assert report.damage.remedy == "recover"
        assert report.damage.offset <= size


def test_every_flipped_bit_of_a_snapshot_is_found(tmp_path: Path) -> None:
    path, data = tmp_path / "dump.rdb", snapshot()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        (report,) = checked(path)
        assert report.damage is not None


def test_a_key_for_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(b"REDIS0011" + b"\x00\x01k\x01v" * 2 + b"\xff" + bytes(8))
    (report,) = checked(path)
    assert report.damage is not None
    assert report.damage.why == "the key b'k' for the second time at offset 19"


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (b"*3\r\n$3\r\nSE", "the file ends within a command"),
        (b"\0" * 100, "the file is damaged"),
        (TRANSACTION[:-14], "the file ends within a transaction that begins"),
        (TRANSACTION[:-2], ", within a transaction that begins"),
        (b"*1\r\n$7\r\nNOSUCHA\r\n", "b'NOSUCHA' with 0 arguments is no command"),
        (b"*1\r\n$3\r\nSET\r\n", "b'SET' with 0 arguments is no command"),
    ],
)
def test_a_damaged_tail_is_cut_and_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], tail: bytes, why: str
) -> None:
    offset = len(COMMANDS)
    increment = durable(tmp_path, COMMANDS + tail)
    status, out, _ = run(capfd, tmp_path)
    assert status == DAMAGED
    assert why in out
    assert f"offset {offset}" in out
    assert run(capfd, tmp_path, "--fix")[0] == DAMAGED
    assert increment.read_bytes() == COMMANDS + tail
    status, out, _ = run(capfd, tmp_path, "--fix", "--yes")
    assert status == REPAIRED
    assert f"cut to {offset:,} bytes" in out
    assert increment.read_bytes() == COMMANDS
    assert increment.with_name(f"{increment.name}.{offset}.damaged").read_bytes() == tail
    assert run(capfd, tmp_path)[0] == GOOD


@pytest.mark.parametrize(("answer", "status"), [("y", REPAIRED), ("n", DAMAGED), ("", DAMAGED)])
def test_who_sits_at_the_terminal_is_asked(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
) -> None:
    increment = durable(tmp_path, COMMANDS + b"?")
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    assert run(capfd, tmp_path, "--fix")[0] == status
    assert f"cut the 1 bytes from offset {len(COMMANDS)} to its end?" in asked[0]
    assert (increment.read_bytes() == COMMANDS) == (status == REPAIRED)


def test_a_folder_in_use_is_not_repaired(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    increment = durable(tmp_path, COMMANDS + b"?")
    lock = FolderLock(str(tmp_path))
    status, _, err = run(capfd, tmp_path, "--fix", "--yes")
    assert status == NOT_CHECKED
    assert "is in use by the process" in err
    assert increment.read_bytes() == COMMANDS + b"?"
    lock.close()


def test_a_file_that_grows_is_not_cut(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    increment = durable(tmp_path, COMMANDS + b"*")
    described = alcove.tools.check.described

    def meanwhile(report: Report) -> list[str]:
        if report.damage is not None:
            with increment.open("ab") as file:
                file.write(TRANSACTION[1:])
        return list(described(report))

    monkeypatch.setattr(alcove.tools.check, "described", meanwhile)
    status, out, _ = run(capfd, tmp_path, "--fix", "--yes")
    assert status == DAMAGED
    assert "it has changed since it was checked" in out
    assert increment.read_bytes() == COMMANDS + TRANSACTION


def test_only_the_last_part_is_cut(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    increment = durable(tmp_path, COMMANDS + b"?")
    (increment.parent / "a.2.incr.aof").write_bytes(COMMANDS)
    with (increment.parent / "a.manifest").open("a") as file:
        file.write("file a.2.incr.aof seq 2 type i\n")
    status, out, _ = run(capfd, tmp_path, "--fix", "--yes")
    assert status == DAMAGED
    assert "this cannot be repaired here" in out
    assert increment.read_bytes() == COMMANDS + b"?"


def test_what_can_be_read_of_a_snapshot_is_recovered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, data = tmp_path / "dump.rdb", snapshot()
    cut = data.index(b"\x03big")
    path.write_bytes(data[:cut])
    status, out, _ = run(capfd, path, "--fix")
    assert status == REPAIRED
    assert f"written with the {KEYS - 1} keys that could be read" in out
    assert path.read_bytes() == data[:cut]
    recovered = tmp_path / "dump.rdb.recovered"
    (report,) = checked(recovered)
    assert (report.damage, report.inventory.keys, report.inventory.volatile, report.libraries) == (None, KEYS - 1, 2, 1)


def test_with_a_wrong_checksum_all_keys_are_recovered(tmp_path: Path) -> None:
    path, data = tmp_path / "dump.rdb", snapshot()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert main(["check", str(path), "--fix"]) == REPAIRED
    assert checked(tmp_path / "dump.rdb.recovered")[0].inventory.keys == KEYS


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the AOF manifest file is empty"),
        ("file a seq 1 type x\n", "line 1 of the AOF manifest: invalid format"),
        ("file a.1.base.rdb seq 1 type b\nfile gone.aof seq 1 type i\n", "the files gone.aof it names do not exist"),
    ],
)
def test_a_manifest_that_makes_no_sense(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str, why: str
) -> None:
    manifest = durable(tmp_path).with_name("a.manifest")
    manifest.write_text(content)
    status, out, _ = run(capfd, tmp_path, "--fix", "--yes")
    assert status == DAMAGED
    assert why in out


def test_parts_without_a_manifest(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    durable(tmp_path).with_name("a.manifest").unlink()
    status, out, _ = run(capfd, tmp_path)
    assert status == DAMAGED
    assert "no manifest that says in which order" in out


# What cannot be checked


def test_places_without_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NothingToCheck):
        checked(tmp_path)
    assert run(capfd, tmp_path / "nowhere")[::2] == (
        NOT_CHECKED,
        f"alcove check: {tmp_path / 'nowhere'}: no such file or folder\n",
    )
    assert run(capfd)[0] == NOT_CHECKED
    assert run(capfd, "--sideways")[0] == NOT_CHECKED


def test_a_file_that_is_no_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "letter"
    path.write_text("Dear reader, this is no snapshot.")
    status, out, _ = run(capfd, path)
    assert status == DAMAGED
    assert "no RDB file" in out


def test_the_worst_of_several_places_counts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("good", "torn"):
        (tmp_path / f"{name}.rdb").write_bytes(snapshot())
    shutil.copy(durable(tmp_path / "folder", COMMANDS + b"?"), tmp_path / "tail.aof")
    assert run(capfd, tmp_path / "good.rdb", tmp_path / "tail.aof")[0] == DAMAGED
    assert run(capfd, tmp_path / "good.rdb", tmp_path / "tail.aof", "--fix", "--yes")[0] == REPAIRED


# What it looks like


def test_the_bar_is_drawn_on_a_terminal_and_taken_away() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(stream)
        progress("dump.rdb", 50, 100)
        progress.clear()
    assert terminal.getvalue() == f"\r\x1b[K[{'#' * 15}{'.' * 15}]  50% dump.rdb\r\x1b[K"
    assert file.getvalue() == ""


def test_sizes_and_names_for_people() -> None:
    assert [in_bytes(size) for size in (0, 9_999, 10_240, 5 << 20, 3 << 30, 5 << 40)] == [
        "0 B", "9,999 B", "10.0 KB", "5.0 MB", "3.0 GB", "5.0 TB",
    ]  # fmt: skip
    assert [shown(name) for name in (b"user:1", b"a b", b"\xff", b"", b"x" * 70)] == [
        "user:1", '"a b"', '"\\xff"', '""', "x" * 60 + "...",
    ]  # fmt: skip
