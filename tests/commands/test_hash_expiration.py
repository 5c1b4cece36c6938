"""Deadlines of fields: replies, errors, what is recorded, the events, and that fields are gone on time."""

from __future__ import annotations

import pytest

from tests.commands.watched import Watched

NOW_MS = 1_700_000_000_000
LATEST_MS = 2**46 - 1
TWO_DEADLINES = "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"
DEADLINE_AND_KEEPTTL = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def run() -> Watched:
    run = Watched()
    run("HSET h a 1 b 2 c 3")
    return run


def tick(run: Watched) -> None:
    run.events, run.recorded = [], []
    run.engine.enter()
    while run.engine.tick() == 0:
        pass
    run.engine.leave()


# HEXPIRE and its kin


@pytest.mark.parametrize(
    ("command", "when_ms"),
    [
        ("HEXPIRE h 100 FIELDS 2 a x", NOW_MS + 100_000),
        ("HPEXPIRE h 100 FIELDS 2 a x", NOW_MS + 100),
        ("HEXPIREAT h 1700000200 FIELDS 2 a x", NOW_MS + 200_000),
        ("HPEXPIREAT h 1700000000300 FIELDS 2 a x", NOW_MS + 300),
    ],
)
def test_deadlines_are_set(run: Watched, command: str, when_ms: int) -> None:
    assert run(command) == [1, -2]
    assert run.recorded == [[b"HPEXPIREAT", b"h", b"%d" % when_ms, b"FIELDS", b"1", b"a"]]
    assert (run.events, run.changes) == (["hexpire h"], 1)
    assert run("HPEXPIRETIME h FIELDS 3 a b x") == [when_ms, -1, -2]
    assert run("HEXPIRETIME h FIELDS 1 a") == [(when_ms + 999) // 1000]
    assert run("HPTTL h FIELDS 3 a b x") == [when_ms - NOW_MS, -1, -2]
    assert run("HTTL h FIELDS 1 a") == [(when_ms - NOW_MS + 999) // 1000]
    assert run("OBJECT ENCODING h") == b"listpackex"


@pytest.mark.parametrize("command", ["HEXPIRE h 0", "HPEXPIRE h 0", "HEXPIREAT h 1", f"HPEXPIREAT h {NOW_MS}"])
def test_a_deadline_in_the_past_removes(run: Watched, command: str) -> None:
    assert run(f"{command} FIELDS 3 a x a") == [2, -2, -2]
    assert run.recorded == [[b"HDEL", b"h", b"a"]]
    assert (run.events, run.changes) == (["hdel h"], 1)
    assert run(f"{command} FIELDS 2 b c") == [2, 2]
    assert run.events == ["hdel h", "del h"]
    assert run("EXISTS h") == 0


def test_conditions(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 1 a")
    assert run("HEXPIRE h 200 NX FIELDS 2 a b") == [0, 1]
    assert run("HEXPIRE h 300 XX FIELDS 2 a c") == [1, 0]
    assert run.recorded == [[b"HPEXPIREAT", b"h", b"%d" % (NOW_MS + 300_000), b"FIELDS", b"1", b"a"]]
    assert run("HEXPIRE h 250 GT FIELDS 3 a b c") == [0, 1, 0]
    assert run("HEXPIRE h 250 gt FIELDS 1 b") == [0]
    assert (run.changes, run.recorded, run.events) == (0, [], [])
    assert run("HEXPIRE h 270 LT FIELDS 3 a b c") == [1, 0, 1]
    assert run("HTTL h FIELDS 3 a b c") == [270, 250, 270]
    assert run("HEXPIRE h 0 NX FIELDS 2 a x") == [0, -2]


def test_options_come_in_any_order(run: Watched) -> None:
    assert run("HEXPIRE h 100 FIELDS 2 a b NX") == [1, 1]
    assert run("HEXPIRE h 200 FIELDS 2 a b XX XX") == [1, 1]
    assert run("HEXPIRE h 300 fields 1 FIELDS") == [-2]


@pytest.mark.parametrize(
    ("rest", "error"),
    [
        ("x FIELDS 1 a", "ERR value is not an integer or out of range"),
        ("-1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
        (f"{LATEST_MS // 1000 + 1} FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
        (f"{LATEST_MS // 1000} FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
        ("9223372036854775807 FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
        ("10 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
        ("10 FIELDS x a", "ERR Parameter `numFields` should be greater than 0"),
        ("10 FIELDS 2 a", "ERR wrong number of arguments"),
        ("10 FIELDS 1 a b", "ERR unknown argument: b"),
        ("10 ZZ FIELDS 1 a", "ERR unknown argument: ZZ"),
        ("10 NX XX FIELDS 1 a", "ERR Multiple condition flags specified"),
        ("10 NX NX NX", "ERR missing FIELDS argument"),
        ("10 NX NX FIELDS", "ERR FIELDS requires at least numfields and one field argument"),
        ("10 FIELDS 1 a FIELDS 1 b", "ERR FIELDS keyword specified multiple times"),
    ],
)
def test_errors_of_hexpire(run: Watched, rest: str, error: str) -> None:
    assert run(f"HEXPIRE h {rest}") == error
    assert run(f"HEXPIRE none {rest}") == error
    assert run.changes == 0
    run("SET string x")
    assert run(f"HEXPIRE string {rest}") == WRONG_TYPE


def test_the_latest_deadline(run: Watched) -> None:
    assert run(f"HPEXPIREAT h {LATEST_MS} FIELDS 1 a") == [1]
    assert run("HPEXPIRETIME h FIELDS 1 a") == [LATEST_MS]
    assert run(f"HPEXPIREAT h {LATEST_MS + 1} FIELDS 1 a") == "ERR invalid expire time in 'hpexpireat' command"


def test_missing_keys(run: Watched) -> None:
    for command in ("HEXPIRE none 10", "HPERSIST none", "HTTL none", "HPTTL none", "HEXPIRETIME none"):
        assert run(f"{command} FIELDS 2 a b") == [-2, -2]
    for command in ("HGETEX none EX 10", "HGETDEL none"):
        assert run(f"{command} FIELDS 2 a b") == [None, None]
    assert run("EXISTS none") == 0


def test_hpersist(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 2 a b")
    assert run("HPERSIST h FIELDS 4 a c x a") == [1, -1, -2, -1]
    assert run.recorded == [[b"HPERSIST", b"h", b"FIELDS", b"1", b"a"]]
    assert (run.events, run.changes) == (["hpersist h"], 1)
    assert run("HPERSIST h FIELDS 1 a") == [-1]
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("HTTL h FIELDS 2 a b") == [-1, 100]


@pytest.mark.parametrize("command", ["HPERSIST", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HGETDEL"])
def test_errors_of_commands_with_fields_alone(run: Watched, command: str) -> None:
    assert run(f"{command} h FIELD 1 a") == ("ERR Mandatory argument FIELDS is missing or not at the right position")
    for number in ("0", "-1", "x", "9223372036854775808"):
        assert run(f"{command} h FIELDS {number} a") == "ERR Number of fields must be a positive integer"
    for number in (1, 3):
        assert run(f"{command} h FIELDS {number} a b") == (
            "ERR The `numfields` parameter must match the number of arguments"
        )
    run("SET string x")
    assert run(f"{command} string FIELDS 1 a") == WRONG_TYPE


# What other commands do to deadlines


def test_overwriting_takes_the_deadline_away(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 3 a b c")
    run("HSET h a 9")
    run("HINCRBY h b 1")
    assert run("HTTL h FIELDS 3 a b c") == [-1, 100, 100]
    run("HDEL h c")
    run("HSET h c 1")
    assert run("HTTL h FIELDS 1 c") == [-1]


def test_deadlines_are_copied_and_move_with_the_key(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 1 a")
    run("COPY h copy")
    run("RENAME h moved")
    run.clock.advance(100)
    tick(run)
    assert sorted(run.events) == ["hexpired copy", "hexpired moved"]
    assert run("HKEYS copy") == run("HKEYS moved") == [b"b", b"c"]


# On time


def test_a_field_is_gone_on_time(run: Watched) -> None:
    run("HPEXPIRE h 100 FIELDS 2 a b")
    run("HPEXPIRE h 50 FIELDS 1 c")
    run.clock.advance(0.049)
    tick(run)
    assert run.events == []
    run.clock.advance(0.001)
    tick(run)
    assert run.events == ["hexpired h"]
    assert run.recorded == [[b"HDEL", b"h", b"c"]]
    run.clock.advance(0.050)
    tick(run)
    assert run.events == ["hexpired h", "del h"]
    assert sorted(run.recorded[0][2:]) == [b"a", b"b"]
    assert run("EXISTS h") == 0


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("HGET h a", None),
        ("HMGET h a c", [None, b"3"]),
        ("HGETALL h", [b"c", b"3"]),
        ("HKEYS h", [b"c"]),
        ("HVALS h", [b"3"]),
        ("HLEN h", 1),
        ("HEXISTS h a", 0),
        ("HSTRLEN h a", 0),
        ("HRANDFIELD h 5", [b"c"]),
        ("HSCAN h 0", [b"0", [b"c", b"3"]]),
        ("HTTL h FIELDS 2 a c", [-2, -1]),
        ("HDEL h a b", 0),
        ("HSETNX h a 5", 1),
        ("HINCRBY h a 5", 5),
        ("HINCRBYFLOAT h a 0.5", b"0.5"),
        ("HPERSIST h FIELDS 1 a", [-2]),
        ("HEXPIRE h 10 FIELDS 1 a", [-2]),
        ("HGETEX h FIELDS 2 a c", [None, b"3"]),
        ("HGETDEL h FIELDS 2 a b", [None, None]),
        ("HSETEX h FXX FIELDS 1 a 5", 0),
        ("HSETEX h FNX FIELDS 1 a 5", 1),
    ],
)
def test_nobody_sees_a_field_whose_time_has_come(run: Watched, command: str, reply: object) -> None:
    run("HPEXPIRE h 100 FIELDS 2 a b")
    run.clock.advance(0.1)
    assert run(command) == reply
    assert run.recorded[0][:2] == [b"HDEL", b"h"]
    assert sorted(run.recorded[0][2:]) == [b"a", b"b"]
    assert run.events[0] == "hexpired h"


def test_the_key_goes_with_its_last_field_even_when_it_is_only_looked_at(run: Watched) -> None:
    run("HPEXPIRE h 100 FIELDS 3 a b c")
    run.clock.advance(0.1)
    assert run("HGET h a") is None
    assert run.events == ["hexpired h", "del h", "keymiss h"]
    assert run("HSET h d 4") == 1
    assert run("HKEYS h") == [b"d"]


def test_many_fields_at_once(run: Watched) -> None:
    run("HSET", "big", *(word for number in range(2000) for word in (f"f{number}", number)))
    run("HPEXPIRE", "big", 100, "FIELDS", 1999, *(f"f{number}" for number in range(1999)))
    run.clock.advance(0.1)
    assert run("HGETALL big") == [b"f1999", b"1999"]
    assert sum(len(argv) - 2 for argv in run.recorded) == 1999
    run.value("big")._check()


# HGETEX, HSETEX, HGETDEL


@pytest.mark.parametrize(
    ("option", "when_ms"),
    [
        ("EX 100", NOW_MS + 100_000),
        ("PX 100", NOW_MS + 100),
        ("EXAT 1700000200", NOW_MS + 200_000),
        ("pxat 1700000000300", NOW_MS + 300),
    ],
)
def test_hgetex_and_hsetex_set_deadlines(run: Watched, option: str, when_ms: int) -> None:
    assert run(f"HGETEX h {option} FIELDS 3 a x a") == [b"1", None, b"1"]
    assert run.recorded == [[b"HPEXPIREAT", b"h", b"%d" % when_ms, b"FIELDS", b"1", b"a"]]
    assert (run.events, run.changes) == (["hexpire h"], 1)
    assert run(f"HSETEX g {option} FIELDS 2 a 1 b 2") == 1
    assert run.recorded == [[b"HSETEX", b"g", b"PXAT", b"%d" % when_ms, *b"FIELDS 2 a 1 b 2".split()]]
    assert run.events == ["new g", "hset g", "hexpire g"]
    assert run("HPEXPIRETIME g FIELDS 2 a b") == [when_ms, when_ms]
    run.clock.advance(201)
    tick(run)
    assert sorted(run.events) == ["del g", "hexpired g", "hexpired h"]


def test_hgetex_without_a_deadline_only_reads(run: Watched) -> None:
    assert run("HGETEX h FIELDS 3 a x c") == [b"1", None, b"3"]
    assert (run.events, run.changes, run.recorded) == ([], 0, [])


def test_hgetex_persist(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 2 a b")
    assert run("HGETEX h FIELDS 3 a c a PERSIST") == [b"1", b"3", b"1"]
    assert run.recorded == [[b"HPERSIST", b"h", b"FIELDS", b"1", b"a"]]
    assert (run.events, run.changes) == (["hpersist h"], 1)
    assert run("HTTL h FIELDS 2 a b") == [-1, 100]


@pytest.mark.parametrize("option", ["EX 0", "PX 0", "EXAT 0", "PXAT 1"])
def test_deadlines_in_the_past(run: Watched, option: str) -> None:
    assert run(f"HGETEX h {option} FIELDS 2 a x") == [b"1", None]
    assert (run.events, run.recorded) == (["hdel h"], [[b"HDEL", b"h", b"a"]])
    assert run(f"HSETEX h {option} FIELDS 2 b 9 d 9") == 1
    assert (run.events, run.recorded) == (["hset h", "hdel h"], [[b"HDEL", b"h", b"b", b"d"]])
    assert run("HGETALL h") == [b"c", b"3"]
    assert run(f"HSETEX new {option} FIELDS 1 a 1") == 1
    assert run("EXISTS new") == 0


def test_hsetex_conditions(run: Watched) -> None:
    assert run("HSETEX h FNX FIELDS 2 a 9 x 9") == 0
    assert run("HSETEX h FXX FIELDS 2 a 9 x 9") == 0
    assert run("HSETEX none FXX FIELDS 1 a 9") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("HSETEX h FIELDS 2 x 9 y 9 FNX") == 1
    assert run.recorded == [[b"HSETEX", b"h", *b"FIELDS 2 x 9 y 9".split()]]
    assert run("HSETEX h EX 10 FXX FIELDS 1 x 8") == 1
    assert run("HMGET h a x y") == [b"1", b"8", b"9"]
    assert run("EXISTS none") == 0


def test_hsetex_keepttl(run: Watched) -> None:
    run("HEXPIRE h 100 FIELDS 2 a b")
    assert run("HSETEX h KEEPTTL FIELDS 2 a 9 x 9") == 1
    assert run.recorded == [[b"HSETEX", b"h", b"KEEPTTL", *b"FIELDS 2 a 9 x 9".split()]]
    assert run("HSETEX h FIELDS 1 b 9") == 1
    assert run("HTTL h FIELDS 3 a b x") == [100, -1, -1]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("HGETEX h EX x FIELDS 1 a", "ERR value is not an integer or out of range"),
        ("HGETEX h PX -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
        (f"HGETEX h PXAT {2**46} FIELDS 1 a", "ERR invalid expire time in 'hgetex' command"),
        ("HGETEX h FIELDS 0 a", "ERR invalid number of fields"),
        ("HGETEX h FIELDS 2 a", "ERR wrong number of arguments"),
        ("HGETEX h FIELDS 1 a b", "ERR unknown argument: b"),
        ("HGETEX h KEEPTTL FIELDS 1 a", "ERR unknown argument: KEEPTTL"),
        ("HGETEX h FNX FIELDS 1 a", "ERR unknown argument: FNX"),
        ("HGETEX h FIELDS 1 a EX", "ERR missing expire time"),
        ("HGETEX h EX 1 PERSIST", TWO_DEADLINES),
        ("HGETEX h EX 1 PX 1 FIELDS 1 a", TWO_DEADLINES),
        ("HGETEX h EX 1 FIELDS", "ERR FIELDS requires at least numfields and one field argument"),
        ("HSETEX h EX x FIELDS 1 a 1", "ERR value is not an integer or out of range"),
        ("HSETEX h EXAT 99999999999 FIELDS 1 a 1", "ERR invalid expire time in 'hsetex' command"),
        ("HSETEX none FXX EX -5 FIELDS 1 a 1", "ERR invalid expire time, must be >= 0"),
        ("HSETEX h FIELDS x a 1", "ERR invalid number of fields"),
        ("HSETEX h FIELDS 2 a 1", "ERR wrong number of arguments"),
        ("HSETEX h FIELDS 1 a 1 b 2", "ERR unknown argument: b"),
        ("HSETEX h PERSIST FIELDS 1 a 1", "ERR unknown argument: PERSIST"),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "ERR Only one of FXX or FNX arguments can be specified"),
        ("HSETEX h EX 1 KEEPTTL FIELDS 1 a 1", DEADLINE_AND_KEEPTTL),
        ("HSETEX h FIELDS 1 a 1 EX", "ERR missing expire time"),
        ("HSETEX h EX 5 KEEP FIELDS 1 a 1", "ERR unknown argument: KEEP"),
        ("HSETEX h EX 5 FNX", "ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h EX 5 FNX fields 1", "ERR FIELDS requires at least numfields and one field argument"),
    ],
)
def test_errors_of_hgetex_and_hsetex(run: Watched, command: str, error: str) -> None:
    assert run(command) == error
    assert run.changes == 0
    assert run("HGETALL h") == [b"a", b"1", b"b", b"2", b"c", b"3"]


def test_hgetdel(run: Watched) -> None:
    assert run("HGETDEL h FIELDS 3 a x a") == [b"1", None, None]
    assert run.recorded == [[b"HDEL", b"h", b"a"]]
    assert (run.events, run.changes) == (["hdel h"], 1)
    assert run("HGETDEL h FIELDS 1 x") == [None]
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("HGETDEL h FIELDS 2 b c") == [b"2", b"3"]
    assert run.events == ["hdel h", "del h"]


def test_memory_is_accounted(run: Watched) -> None:
    before = run.engine.space.used
    run("HSETEX", "big", "EX", 100, "FIELDS", 300, *(word for n in range(300) for word in (f"field {n}", n)))
    assert run.engine.space.used - before > 300 * 20
    assert run("HPERSIST", "big", "FIELDS", 300, *(f"field {n}" for n in range(300))) == [1] * 300
    run("DEL big")
    assert run.engine.space.used == before
