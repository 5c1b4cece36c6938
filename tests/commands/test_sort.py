"""SORT: orders that a comparison with real servers cannot see, what is stored, and what is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.watched import Watched

NOT_A_WEIGHT = "ERR One or more scores can't be converted into double"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def run() -> Watched:
    run = Watched()
    run("RPUSH list 3 1 10 2")
    run("SADD set 3 1 10 2")
    run("ZADD zset 1 3 2 1 3 10 4 2")
    run("MSET w_1 40 w_2 30 w_3 20 w_10 10")
    run("HSET h_1 f one g 1")
    return run


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("SORT list", "1 2 3 10"),
        ("SORT set DESC", "10 3 2 1"),
        ("SORT zset ALPHA", "1 10 2 3"),
        ("SORT list ALPHA DESC", "3 2 10 1"),
        ("SORT list DESC ASC", "1 2 3 10"),
        ("SORT list LIMIT 1 2", "2 3"),
        ("SORT list LIMIT -5 2", "1 2"),
        ("SORT list LIMIT 2 -1", "3 10"),
        ("SORT list LIMIT 9 1", ""),
        ("SORT list BY w_*", "10 3 2 1"),
        ("SORT list BY w_* DESC LIMIT 0 1", "1"),
        ("SORT list BY nosort", "3 1 10 2"),
        ("SORT list BY nosort DESC LIMIT 1 2", "10 1"),
        ("SORT zset BY nosort", "3 1 10 2"),
        ("SORT zset BY nosort DESC LIMIT 1 2", "10 1"),
        ("SORT list BY w_* BY nosort", "3 1 10 2"),
        ("SORT list BY nosort BY w_* DESC", "2 10 1 3"),
        ("SORT list BY w_* GET w_* GET #", "10 10 20 3 30 2 40 1"),
        ("SORT_RO list LIMIT 0 2 GET w_*", "40 30"),
        ("SORT missing", ""),
    ],
)
def test_sort(run: Watched, command: str, reply: str) -> None:
    assert run(command) == reply.encode().split()
    assert run.changes == 0


def test_missing_values_are_null(run: Watched) -> None:
    assert run("SORT list GET h_*->f GET h_*->x GET w_*->f GET constant LIMIT 0 1") == [b"one", None, None, None]
    assert run("SORT set BY h_*->g") == [b"10", b"2", b"3", b"1"]
    assert run("SORT list BY h_*->f ALPHA") == [b"3", b"10", b"2", b"1"]


def test_equal_texts_stay_in_their_order(run: Watched) -> None:
    run("RPUSH names c a b a")
    run("MSET n_a same n_b same n_c same")
    assert run("SORT names BY n_* ALPHA") == [b"c", b"a", b"b", b"a"]
    assert run("SORT names BY n_* ALPHA DESC") == [b"c", b"a", b"b", b"a"]


def test_equal_numbers_are_ordered_by_their_bytes(run: Watched) -> None:
    run("RPUSH same 1.0 1 01 1e0")
    assert run("SORT same") == [b"01", b"1", b"1.0", b"1e0"]
    assert run("SORT same DESC") == [b"1e0", b"1.0", b"1", b"01"]


@pytest.mark.parametrize(
    ("weight", "reply"),
    [
        (b"", [b"", b"1"]),
        (b" 5", [b"1", b" 5"]),
        (b"\t-5", [b"\t-5", b"1"]),
        (b"2\0x", [b"1", b"2\0x"]),
        (b"inf", [b"1", b"inf"]),
    ]
    + [(weight, NOT_A_WEIGHT) for weight in (b"x", b"1x", b"1 ", b" ", b"nan", b"1e999", b"1_0", b"0x")],
)
def test_what_is_a_number(run: Watched, weight: bytes, reply: Any) -> None:
    run("RPUSH", "numbers", weight, 1)
    assert run("SORT numbers") == reply


def test_fields_whose_time_has_come_are_missing(run: Watched) -> None:
    run("HPEXPIRE h_1 1000 FIELDS 1 f")
    assert run("SORT list LIMIT 0 1 GET h_*->f GET h_*->g") == [b"one", b"1"]
    run.clock.advance(1)
    assert run("SORT list LIMIT 0 1 GET h_*->f GET h_*->g") == [None, b"1"]


def test_store(run: Watched) -> None:
    run("SET stored x EX 100")
    assert run("SORT list STORE stored GET h_*->f GET #") == 8
    assert run.events[-1] == "sortstore stored"
    assert run.changes == 8
    elements = [b"one", b"1", b"", b"2", b"", b"3", b"", b"10"]
    assert run.recorded == [[b"DEL", b"stored"], [b"RPUSH", b"stored", *elements]]
    assert run("LRANGE stored 0 -1") == elements
    assert run("TTL stored") == -1
    assert run("OBJECT ENCODING stored") == b"listpack"


def test_an_empty_result_removes_the_destination(run: Watched) -> None:
    run("SET stored x")
    assert run("SORT list LIMIT 0 0 STORE stored") == 0
    assert (run.events, run.changes) == (["del stored"], 1)
    assert run("SORT missing STORE stored") == 0
    assert run.changes == 0


def test_a_set_is_stored_in_order_even_if_not_to_be_sorted(run: Watched) -> None:
    assert run("SORT set BY nosort STORE stored") == 4
    assert run("LRANGE stored 0 -1") == [b"1", b"10", b"2", b"3"]
    assert sorted(run("SORT set BY nosort")) == [b"1", b"10", b"2", b"3"]


def test_the_source_may_be_the_destination(run: Watched) -> None:
    assert run("SORT list DESC STORE list") == 4
    assert run("LRANGE list 0 -1") == [b"10", b"3", b"2", b"1"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("SORT list FOO", "ERR syntax error"),
        ("SORT list LIMIT 1", "ERR syntax error"),
        ("SORT list LIMIT 1 x", "ERR value is not an integer or out of range"),
        ("SORT list STORE", "ERR syntax error"),
        ("SORT_RO list STORE stored", "ERR syntax error"),
        ("SORT w_1 FOO", "ERR syntax error"),
        ("SORT w_1", WRONG_TYPE),
        ("SORT h_1 BY nosort", WRONG_TYPE),
        ("SORT list BY h_*->f", NOT_A_WEIGHT),
        ("SORT list BY h_*->f STORE stored", NOT_A_WEIGHT),
    ],
)
def test_errors(run: Watched, command: str, error: str) -> None:
    assert run(command) == error
    assert run("EXISTS stored") == 0
