"""The hash commands: what they cause besides their replies, draws, and walks. Replies: tests/comparison/hash.py."""

from __future__ import annotations

from collections import Counter

import pytest

from alcove.values import Pairs
from tests.commands.watched import Watched


@pytest.fixture
def run() -> Watched:
    return Watched()


def test_hset_and_hdel(run: Watched) -> None:
    assert run("HSET h a 1 b 2 a 3") == 2
    assert (run.events, run.changes) == (["new h", "hset h"], 3)
    assert run.recorded == [[b"HSET", b"h", b"a", b"1", b"b", b"2", b"a", b"3"]]
    assert run("HGETALL h") == [b"a", b"3", b"b", b"2"]
    assert run("HDEL h a x") == 1
    assert (run.events, run.changes) == (["hdel h"], 1)
    assert run("HDEL h b") == 1
    assert run.events == ["hdel h", "del h"]
    assert run("EXISTS h") == 0
    assert run("HDEL h b") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])


@pytest.mark.parametrize("name", ["HSET", "HMSET"])
def test_a_field_without_value(run: Watched, name: str) -> None:
    assert run(f"{name} h a 1 b") == f"ERR wrong number of arguments for '{name.lower()}' command"
    assert run("EXISTS h") == 0


def test_hsetnx_changes_nothing_that_is_there(run: Watched) -> None:
    assert run("HSETNX h a 1") == 1
    assert (run.events, run.changes) == (["new h", "hset h"], 1)
    assert run("HSETNX h a 2") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("HGET h a") == b"1"


def test_increments(run: Watched) -> None:
    assert run("HINCRBY h a 5") == 5
    assert (run.events, run.recorded) == (["new h", "hincrby h"], [[b"HINCRBY", b"h", b"a", b"5"]])
    assert run("HINCRBYFLOAT h a 0.1") == b"5.1"
    assert (run.events, run.recorded) == (["hincrbyfloat h"], [[b"HSET", b"h", b"a", b"5.1"]])
    assert run("HINCRBY h a 1") == "ERR hash value is not an integer"
    run("HSET h n 9223372036854775807")
    assert run("HINCRBY h n 1") == "ERR increment or decrement would overflow"
    assert run.changes == 0
    assert run("HINCRBYFLOAT none a inf") == "ERR value is NaN or Infinity"
    assert run("EXISTS none") == 0
    assert run("HINCRBYFLOAT none a 0x1p4") == b"16"


def test_an_increment_of_a_field_with_a_deadline_keeps_it_in_replay(run: Watched) -> None:
    run("HSET h a 1")
    run("HEXPIRE h 100 FIELDS 1 a")
    assert run("HINCRBYFLOAT h a 0.5") == b"1.5"
    assert run.recorded == [[b"HSETEX", b"h", b"KEEPTTL", b"FIELDS", b"1", b"a", b"1.5"]]
    assert run("HTTL h FIELDS 1 a") == [100]
    assert run("HINCRBY h a 1") == "ERR hash value is not an integer"


@pytest.mark.parametrize("fields", [5, 1000])
def test_draws_are_uniform_and_of_the_hash(run: Watched, fields: int) -> None:
    run("HSET", "h", *(word for number in range(fields) for word in (f"f{number}", f"v{number}")))
    drawn = Counter(run("HRANDFIELD h") for _ in range(2000)) + Counter(run("HRANDFIELD h -3000"))
    assert set(drawn) <= set(run("HKEYS h"))
    assert max(drawn.values()) < 12 * 5000 / fields
    few = run("HRANDFIELD h 4")
    assert len(few) == len(set(few)) == 4
    assert sorted(run("HRANDFIELD h 100000")) == sorted(run("HKEYS h"))
    pairs = run("HRANDFIELD h -50 WITHVALUES")
    assert type(pairs) is Pairs
    assert len(pairs) == 50
    assert all(value == b"v" + field[1:] for field, value in pairs)


def test_draws_beyond_all_memory_are_refused(run: Watched) -> None:
    run("HSET h a 1")
    for count in (-(2**26) - 1, -(2**62), -(2**63) + 1):
        assert run(f"HRANDFIELD h {count}") == "ERR value is out of range"
    assert run(f"HRANDFIELD h {2**62 + 1} WITHVALUES") == "ERR value is out of range"
    assert run(f"HRANDFIELD none {-(2**62)}") == []


def test_a_walk_meets_what_stays(run: Watched) -> None:
    run("HSET", "h", *(word for number in range(1000) for word in (f"stays{number}", number)))
    run("HSET", "h", *(word for number in range(1000) for word in (f"goes{number}", number)))
    cursor, seen, steps = b"0", {}, 0
    while cursor != b"0" or not steps:
        cursor, flat = run("HSCAN", "h", cursor, "COUNT", 37)
        seen.update(zip(flat[::2], flat[1::2], strict=True))
        run(f"HDEL h goes{steps * 3} goes{steps * 7} goes{999 - steps}")
        steps += 1
    assert steps > 20
    assert all(seen.get(b"stays%d" % number) == b"%d" % number for number in range(1000))


def test_a_walk_by_pattern_and_without_values(run: Watched) -> None:
    run("HSET h one 1 two 2 three 3")
    assert run("HSCAN h 0 MATCH t*") == [b"0", [b"two", b"2", b"three", b"3"]]
    assert run("HSCAN h 0 MATCH t* NOVALUES COUNT 1") == [b"0", [b"two", b"three"]]
    assert run("HSCAN", "h", "0", "MATCH", "") == [b"0", []]
    assert run("HSCAN none 0 NOVALUES") == [b"0", []]


def test_replies_are_lists_of_their_own(run: Watched) -> None:
    run("HSET h a 1")
    run("HKEYS h").append(b"x")
    run("HGETALL h").append(b"y")
    assert run("HKEYS h") == [b"a"]
    assert run("HGETALL h") == [b"a", b"1"]


def test_the_form_follows_the_configuration(run: Watched) -> None:
    run("CONFIG SET hash-max-listpack-entries 2")
    run("HSET h a 1 b 2")
    assert run("OBJECT ENCODING h") == b"listpack"
    run("HSET h c 3")
    assert run("OBJECT ENCODING h") == b"hashtable"
    run("HSET g a 1 a 2 a 3")
    assert run("OBJECT ENCODING g") == b"hashtable"
