"""The bitmap commands: examples of the documentation, what is newer than the servers compared with, and effects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.commands.bitmap import fit
from tests.commands.watched import Watched

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
BAD_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_FIELD = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


@pytest.fixture
def run() -> Watched:
    return Watched()


def test_setbit_and_getbit(run: Watched) -> None:
    assert run("SETBIT k 7 1") == 0
    assert (run.events, run.changes) == (["new k", "setbit k"], 1)
    assert run.recorded == [[b"SETBIT", b"k", b"7", b"1"]]
    assert run("SETBIT k 7 1") == 1
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("SETBIT k 100 0") == 0
    assert (run.changes, run("STRLEN k")) == (1, 13)
    assert [run(f"GETBIT k {bit}") for bit in (6, 7, 8, 100, 4_000_000_000)] == [0, 1, 0, 0, 0]
    assert run("OBJECT ENCODING k") == b"raw"


def test_a_bit_of_a_plain_string_is_set_in_a_copy(run: Watched) -> None:
    run("SET k abc")
    run("EXPIRE k 100")
    assert run("SETBIT k 6 0") == 0
    assert run("SETBIT k 6 1") == 0
    assert run("GET k") == b"cbc"
    assert run("TTL k") == 100


@pytest.mark.parametrize("offset", ["-1", "x", "4294967296", "9223372036854775807", "9223372036854775808", "#1"])
def test_offsets_out_of_range_allocate_nothing(run: Watched, offset: str) -> None:
    assert run(f"SETBIT k {offset} 1") == BAD_OFFSET
    assert run(f"GETBIT k {offset}") == BAD_OFFSET
    assert run("EXISTS k") == 0


def test_the_offset_limit_follows_the_configuration(run: Watched) -> None:
    run("CONFIG SET proto-max-bulk-len 1mb")
    assert run("SETBIT k 8388607 1") == 0
    assert run("SETBIT k 8388608 1") == BAD_OFFSET


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("BITCOUNT k", 26),
        ("BITCOUNT k 0 0", 4),
        ("BITCOUNT k 1 1", 6),
        ("BITCOUNT k 1 1 BYTE", 6),
        ("BITCOUNT k 5 30 BIT", 17),
        ("BITCOUNT k 1", 22),
        ("BITCOUNT k -2", 7),
        ("BITCOUNT k 4 2", 0),
        ("BITCOUNT k -2 -5", 0),
        ("BITCOUNT missing 1 2", 0),
        ("BITCOUNT missing 1 x", "ERR value is not an integer or out of range"),
        ("BITCOUNT k 1 2 FOO", "ERR syntax error"),
        ("BITCOUNT k 1 2 BIT x", "ERR syntax error"),
        ("BITCOUNT list", WRONG_TYPE),
        ("BITPOS k 1", 1),
        ("BITPOS k 0 1 -1", 8),
        ("BITPOS k 1 7 15 BIT", 9),
        ("BITPOS missing 0", 0),
        ("BITPOS missing 1", -1),
        ("BITPOS k 2", "ERR The bit argument must be 1 or 0."),
        ("BITPOS k x", "ERR value is not an integer or out of range"),
        ("BITPOS list 1", WRONG_TYPE),
    ],
)
def test_bitcount_and_bitpos(run: Watched, command: str, reply: Any) -> None:
    run("SET k foobar")
    run("RPUSH list a")
    assert run(command) == reply
    assert run.changes == 0


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("BITPOS k 0", 24),
        ("BITPOS k 0 1", 24),
        ("BITPOS k 0 0 -1", -1),
        ("BITPOS k 0 3", -1),
        ("BITPOS k 0 0 -1 BIT", -1),
    ],
)
def test_the_zeros_behind_a_string_count_unless_an_end_is_given(run: Watched, command: str, reply: int) -> None:
    run("SET", "k", b"\xff\xff\xff")
    assert run(command) == reply


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("AND", "00000000 00000000"),
        ("OR", "11111110 00001111"),
        ("XOR", "10101010 00001111"),
        ("DIFF", "10000000 00000000"),
        ("DIFF1", "00001110 00001111"),
        ("ANDOR", "01110000 00000000"),
        ("ONE", "10001010 00001111"),
    ],
)
def test_bitop(run: Watched, operation: str, result: str) -> None:
    for key, bits in (("x", "11110000"), ("y", "01101100"), ("z", "00110110 00001111")):
        run("SET", key, bytes(int(byte, 2) for byte in bits.split()))
    expected = bytes(int(byte, 2) for byte in result.split())
    assert run(f"BITOP {operation} dest x y z missing") == 2
    assert run("GET dest") == expected
    assert run("OBJECT ENCODING dest") == b"raw"


def test_bitop_effects(run: Watched) -> None:
    run("SET x abc")
    run("SET dest old EX 100")
    assert run("BITOP NOT dest x") == 3
    assert (run.events, run.changes) == (["set dest"], 1)
    assert run.recorded == [[b"BITOP", b"NOT", b"dest", b"x"]]
    assert run("TTL dest") == -1
    assert run("BITOP AND dest missing missing2") == 0
    assert run.events == ["keymiss missing", "keymiss missing2", "del dest"]
    assert run("BITOP AND dest missing") == 0
    assert run.changes == 0


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("BITOP NOT dest x y", "ERR BITOP NOT must be called with a single source key."),
        ("BITOP DIFF dest x", "ERR BITOP DIFF must be called with at least two source keys."),
        ("BITOP diff1 dest x", "ERR BITOP DIFF1 must be called with at least two source keys."),
        ("BITOP ANDOR dest x", "ERR BITOP ANDOR must be called with at least two source keys."),
        ("BITOP NAND dest x y", "ERR syntax error"),
        ("BITOP OR dest x list", WRONG_TYPE),
    ],
)
def test_bitop_errors(run: Watched, command: str, error: str) -> None:
    run("RPUSH list a")
    run("SET x 1")
    assert run(command) == error
    assert run("EXISTS dest") == 0


def test_one_source_is_enough_for_one(run: Watched) -> None:
    run("SET x abc")
    assert run("BITOP ONE dest x") == 3
    assert run("GET dest") == b"abc"


def test_bitfield(run: Watched) -> None:
    assert run("BITFIELD k INCRBY i5 100 1 GET u4 0") == [1, 0]
    assert (run.events, run.changes) == (["new k", "setbit k"], 1)
    assert run("BITFIELD k SET u8 #1 255 GET u16 0") == [0, 255]
    assert run("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1") == [1, 1]
    assert run("BITFIELD k OVERFLOW FAIL INCRBY u2 102 3 OVERFLOW WRAP INCRBY u2 102 3") == [None, 0]
    assert run("BITFIELD_RO k GET u8 #1 GET i8 #1") == [255, -1]
    assert run("BITFIELD k") == []
    assert run("BITFIELD_RO missing GET i64 1000") == [0]
    assert run("EXISTS missing") == 0


def test_what_a_failed_bitfield_leaves_is_recorded(run: Watched) -> None:
    assert run("BITFIELD k OVERFLOW FAIL SET u2 100 9") == [None]
    assert run("STRLEN k") == 13
    assert run("BITFIELD k OVERFLOW FAIL SET u2 0 9") == [None]
    assert (run.changes, run.recorded) == (0, [])
    run("DEL k")
    assert run("BITFIELD k OVERFLOW FAIL SET u2 100 9") == [None]
    assert run.recorded == [[b"BITFIELD", b"k", b"OVERFLOW", b"FAIL", b"SET", b"u2", b"100", b"9"]]


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ("GET u64 0", BAD_FIELD),
        ("GET i65 0", BAD_FIELD),
        ("GET u0 0", BAD_FIELD),
        ("GET 8 0", BAD_FIELD),
        ("GET u8 -1", BAD_OFFSET),
        ("GET u8 #-1", BAD_OFFSET),
        ("SET u8 4294967296 1", BAD_OFFSET),
        ("SET i64 #67108864 1", BAD_OFFSET),
        ("SET u8 #9223372036854775807 1", BAD_OFFSET),
        ("SET u8 0 9223372036854775808", "ERR value is not an integer or out of range"),
        ("SET u8 0", "ERR syntax error"),
        ("GET u8", "ERR syntax error"),
        ("OVERFLOW", "ERR syntax error"),
        ("OVERFLOW MAYBE", "ERR Invalid OVERFLOW type specified"),
        ("SET u8 0 1 FOO", "ERR syntax error"),
    ],
)
def test_bitfield_errors_come_before_any_change(run: Watched, steps: str, error: str) -> None:
    assert run(f"BITFIELD k {steps}") == error
    assert run("EXISTS k") == 0


def test_bitfield_ro_changes_nothing(run: Watched) -> None:
    assert run("BITFIELD_RO k SET u8 0 1") == "ERR BITFIELD_RO only supports the GET subcommand"
    assert run("BITFIELD_RO k INCRBY u8 0 x") == "ERR value is not an integer or out of range"


@pytest.mark.parametrize(
    ("value", "reply"), [(-1, 255), (300, 255), (-9223372036854775808, 255)], ids=["minus one", "above", "lowest"]
)
def test_an_unsigned_field_takes_a_negative_number_for_a_large_one(run: Watched, value: int, reply: int) -> None:
    assert run(f"BITFIELD k OVERFLOW SAT SET u8 0 {value} GET u8 0") == [0, reply]


def test_a_signed_field_takes_the_lowest_number_for_too_low(run: Watched) -> None:
    assert run("BITFIELD k OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0") == [0, -128]


@given(st.integers(1, 64), st.booleans(), st.integers(-(1 << 65), 1 << 65))
def test_fit(width: int, signed: bool, value: int) -> None:
    lowest, highest = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    assert fit(value, width, signed, b"FAIL") == (value if lowest <= value <= highest else None)
    assert fit(value, width, signed, b"SAT") == min(max(value, lowest), highest)
    wrapped = fit(value, width, signed, b"WRAP")
    assert wrapped is not None
    assert lowest <= wrapped <= highest
    assert (wrapped - value) % (1 << width) == 0
