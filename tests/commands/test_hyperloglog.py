"""The HyperLogLog commands: effects, errors, corrupt values, and promotion by the configured size."""

from __future__ import annotations

import pytest

from alcove.values import OK
from tests.commands.watched import Watched

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_HYPERLOGLOG = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT = "INVALIDOBJ Corrupted HLL object detected"

FRESH = b"HYLL\x01" + bytes(10) + b"\x80" + b"\x7f\xff"


@pytest.fixture
def run() -> Watched:
    return Watched()


def test_pfadd(run: Watched) -> None:
    assert run("PFADD h") == 1
    assert (run.events, run.changes) == (["new h", "pfadd h"], 1)
    assert run("GET h") == FRESH
    assert run("PFADD h") == 0
    assert run("PFADD h a b c") == 1
    assert (run.events, run.changes) == (["pfadd h"], 3)
    assert run.recorded == [[b"PFADD", b"h", b"a", b"b", b"c"]]
    assert run("PFADD h c a") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("OBJECT ENCODING h") == b"raw"


def test_pfcount_caches_its_result_in_the_value(run: Watched) -> None:
    run("PFADD h a b c")
    assert run("PFCOUNT h") == 3
    assert (run.events, run.changes) == ([], 1)
    assert run.recorded == [[b"PFCOUNT", b"h"]]
    assert run("GET h")[8:16] == b"\x03" + bytes(7)
    assert run("PFCOUNT h") == 3
    assert run.changes == 0
    run("SETRANGE", "h", 8, b"\x07")
    assert run("PFCOUNT h") == 7
    run("PFADD h d")
    assert run("PFCOUNT h") == 4


def test_pfcount_of_several_keys_is_that_of_their_union(run: Watched) -> None:
    run("PFADD x a b c")
    run("PFADD y c d")
    assert run("PFCOUNT x y missing") == 4
    assert run.changes == 0
    assert run("PFCOUNT missing") == 0


def test_pfmerge(run: Watched) -> None:
    run("PFADD x a b c")
    run("PFADD y c d")
    assert run("PFMERGE x y missing") == OK
    assert (run.events, run.changes) == (["keymiss missing", "pfadd x"], 1)
    assert run("PFCOUNT x") == 4
    assert run("PFMERGE fresh") == OK
    assert run("GET fresh") == FRESH


def test_a_dense_source_makes_the_destination_dense(run: Watched) -> None:
    run("PFADD x a")
    run("PFADD y b")
    assert run("PFDEBUG ENCODING x") == b"sparse"
    assert run("PFDEBUG TODENSE y") == 1
    assert (run.changes, run.recorded) == (1, [[b"PFDEBUG", b"TODENSE", b"y"]])
    assert run("PFDEBUG TODENSE y") == 0
    run("PFMERGE x y")
    assert run("PFDEBUG ENCODING x") == b"dense"
    assert run("STRLEN x") == 12304
    assert run("PFCOUNT x") == 2


def test_the_configuration_says_when_a_value_turns_dense(run: Watched) -> None:
    run("CONFIG SET hll-sparse-max-bytes 30")
    run("PFADD h a b c")
    assert run("PFDEBUG ENCODING h") == b"sparse"
    run("PFADD h d e f g")
    assert run("PFDEBUG ENCODING h") == b"dense"
    assert run("PFCOUNT h") == 7


def test_pfdebug(run: Watched) -> None:
    run("PFADD h a")
    assert run("PFDEBUG DECODE h") == b"Z:12711 v:2,1 Z:3672"
    registers = run("PFDEBUG GETREG h")
    assert (len(registers), sum(registers), registers[12711]) == (16384, 2, 2)
    assert run("PFDEBUG DECODE h") == "ERR HLL encoding is not sparse"
    assert run("PFDEBUG FOO h") == "ERR Unknown PFDEBUG subcommand 'FOO'"
    assert run("PFDEBUG DECODE missing") == "ERR The specified key does not exist"


@pytest.mark.parametrize(
    "command",
    ["PFADD {} x", "PFCOUNT {}", "PFCOUNT missing {}", "PFMERGE {} missing", "PFMERGE dest {}", "PFDEBUG DECODE {}"],
)
def test_other_values(run: Watched, command: str) -> None:
    run("RPUSH list a")
    run("SET text abc")
    run("SET", "short", FRESH[:10])
    assert run(command.format("list")) == WRONG_TYPE
    assert run(command.format("text")) == NOT_A_HYPERLOGLOG
    assert run(command.format("short")) == NOT_A_HYPERLOGLOG
    assert run.changes == 0


@pytest.mark.parametrize("runs", [b"\x7f\xff\x00", b"\x7f\xfe", b"\xff" * 5000, b"\x7f\xff" * 3], ids=len)
@pytest.mark.parametrize(
    "command", ["PFCOUNT h", "PFCOUNT h missing", "PFMERGE h", "PFMERGE dest h", "PFDEBUG GETREG h"]
)
def test_corrupt_values(run: Watched, command: str, runs: bytes) -> None:
    value = FRESH[:16] + runs
    run("SET", "h", value)
    assert run(command) == CORRUPT
    assert run.changes == 0
    assert run("GET h") == value
    assert run("EXISTS dest") == 0


def test_what_was_added_before_a_corrupt_register_counts(run: Watched) -> None:
    value = FRESH[:16] + b"\x00" * 9000
    run("SET", "h", value)
    # The first element's register is among those present, the second's is not.
    assert run("PFADD h c a") == CORRUPT
    assert run.recorded == [[b"PFADD", b"h", b"c", b"a"]]
    assert run("GET h") != value


def test_pfselftest(run: Watched) -> None:
    assert run("PFSELFTEST") == OK
