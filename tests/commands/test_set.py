"""The set commands: what they cause besides their replies, draws, and walks. Replies: tests/comparison/set.py."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from alcove.values import Members
from tests.commands.watched import Watched


@pytest.fixture
def run() -> Watched:
    return Watched()


def effects(run: Watched) -> tuple[list[str], int]:
    return run.events, run.changes


def test_sadd_and_srem(run: Watched) -> None:
    assert run("SADD s a b a") == 2
    assert effects(run) == (["new s", "sadd s"], 2)
    assert run.recorded == [[b"SADD", b"s", b"a", b"b", b"a"]]
    assert run("SADD s a") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("SREM s a x") == 1
    assert effects(run) == (["srem s"], 1)
    assert run("SREM s b") == 1
    assert effects(run) == (["srem s", "del s"], 1)
    assert run("SREM s b") == 0


def test_smove(run: Watched) -> None:
    run("SADD src a b")
    run("SADD dst b")
    assert run("SMOVE src dst a") == 1
    assert effects(run) == (["srem src", "sadd dst"], 2)
    assert run("SMOVE src dst b") == 1
    assert effects(run) == (["srem src", "del src"], 1)
    assert run("SMOVE dst dst b") == 1
    assert run("SMOVE dst dst x") == 0
    assert run("SMOVE none dst b") == 0
    assert run("SMOVE dst new x") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("EXISTS new") == 0
    run("SET string x")
    assert run("SMOVE dst string b").startswith("WRONGTYPE")
    assert run("SCARD dst") == 2


@pytest.mark.parametrize("members", [1, 50, 200, 600])
@pytest.mark.parametrize("form", ["%d", "member %d"])
def test_spop_takes_what_it_answers(run: Watched, members: int, form: str) -> None:
    everything = {(form % number).encode() for number in range(members)}
    run("SADD", "s", *everything)
    popped = run("SPOP s")
    assert run.recorded == [[b"SREM", b"s", popped]]
    assert run.events == (["spop s"] if members > 1 else ["spop s", "del s"])
    left = everything - {popped}
    several = run("SPOP s 7")
    assert type(several) is Members
    assert len(several) == min(7, len(left))
    assert set(several) <= left
    if members > 8:
        assert run.recorded == [[b"SREM", b"s", *several]]
        assert effects(run) == (["spop s"], 7)
    left -= set(several)
    assert set(run("SMEMBERS s")) == left
    assert set(run("SPOP s 100000")) == left
    assert run("EXISTS s") == 0
    assert run("SPOP s") is None
    assert run("SPOP s 5") == []
    assert (run.events, run.changes, run.recorded) == ([], 0, [])


def test_spop_of_most_makes_a_set_small_again(run: Watched) -> None:
    run("SADD", "s", *(f"member {number}" for number in range(600)))
    run("SPOP s 400")
    assert run("OBJECT ENCODING s") == b"hashtable"
    run("SPOP s 180")
    assert run("OBJECT ENCODING s") == b"listpack"
    run.value("s")._check()
    assert run("SCARD s") == 20


@pytest.mark.parametrize("members", [5, 300, 1000])
def test_draws_are_uniform_and_of_the_set(run: Watched, members: int) -> None:
    run("SADD", "s", *range(members))
    drawn = Counter(run("SRANDMEMBER s") for _ in range(2000)) + Counter(run("SRANDMEMBER s -3000"))
    assert set(drawn) <= {b"%d" % number for number in range(members)}
    assert max(drawn.values()) < 12 * 5000 / members
    few = run("SRANDMEMBER s 4")
    assert len(few) == len(set(few)) == 4
    assert sorted(run("SRANDMEMBER s 100000")) == sorted(run("SMEMBERS s"))
    assert run("SRANDMEMBER s 0") == []
    assert run("SRANDMEMBER none") is None
    assert run("SRANDMEMBER none -5") == []


def test_counts_at_the_edge(run: Watched) -> None:
    run("SADD s a")
    assert run(f"SRANDMEMBER s {-(2**63)}") == (
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    )
    assert run(f"SRANDMEMBER s {-(2**63) + 1}") == "ERR value is out of range"
    assert run(f"SRANDMEMBER s {2**63 - 1}") == [b"a"]
    assert run("SPOP s -1") == "ERR value is out of range, must be positive"
    assert run(f"SPOP s {2**63 - 1}") == [b"a"]


def test_a_walk_meets_what_stays(run: Watched) -> None:
    run("SADD", "s", *(f"stays{number}" for number in range(1000)), *(f"goes{number}" for number in range(1000)))
    chance = random.Random(1)
    cursor, seen, steps = b"0", set(), 0
    while cursor != b"0" or not steps:
        cursor, members = run("SSCAN", "s", cursor, "COUNT", 29)
        seen.update(members)
        run(f"SREM s goes{chance.randrange(1000)} goes{chance.randrange(1000)}")
        run(f"SADD s new{steps}")
        steps += 1
    assert steps > 30
    assert seen.issuperset({b"stays%d" % number for number in range(1000)})


def test_stores_replace_what_was_there(run: Watched) -> None:
    run("SADD a 1 2 3")
    run("SADD b 2 3 4")
    run("SET dst x")
    run("EXPIRE dst 100")
    assert run("SINTERSTORE dst a b") == 2
    assert effects(run) == (["sinterstore dst"], 1)
    assert run.recorded == [[b"SINTERSTORE", b"dst", b"a", b"b"]]
    assert run("TTL dst") == -1
    assert run("OBJECT ENCODING dst") == b"intset"
    assert run("SUNIONSTORE a a b") == 4
    assert effects(run) == (["sunionstore a"], 1)
    assert run("SDIFFSTORE b a b") == 1
    assert effects(run) == (["sdiffstore b"], 1)
    assert run("SMEMBERS b") == [b"1"]
    assert run("SINTERSTORE dst a none") == 0
    assert effects(run) == (["keymiss none", "del dst"], 1)
    assert run("SDIFFSTORE dst none a") == 0
    assert (run.changes, run.recorded) == (0, [])


def test_a_wrong_type_is_found_behind_a_missing_key(run: Watched) -> None:
    run("SADD a 1")
    run("SET string x")
    for command in ("SINTER none string", "SUNION a none string", "SDIFF none string", "SINTERCARD 2 none string"):
        assert run(command).startswith("WRONGTYPE")
    assert run("SDIFFSTORE string a") == 1


@pytest.mark.parametrize(
    ("options", "reply"), [("", 50), ("LIMIT 0", 50), ("LIMIT 7", 7), ("LIMIT 1000", 50), ("LIMIT 7 LIMIT 8", 8)]
)
def test_sintercard(run: Watched, options: str, reply: int) -> None:
    run("SADD", "a", *range(100))
    run("SADD", "b", *range(50, 200))
    assert run(f"SINTERCARD 2 a b {options}") == reply


def test_members_are_a_set_of_their_own(run: Watched) -> None:
    run("SADD s a b")
    for command in ("SMEMBERS s", "SINTER s", "SUNION s", "SDIFF s"):
        reply = run(command)
        assert type(reply) is Members
        reply.append(b"x")
    assert run("SMEMBERS s") == [b"a", b"b"]


def test_the_form_follows_the_configuration(run: Watched) -> None:
    run("CONFIG SET set-max-intset-entries 2 set-max-listpack-entries 3")
    run("SADD s 1 2")
    assert run("OBJECT ENCODING s") == b"intset"
    run("SADD s a")
    assert run("OBJECT ENCODING s") == b"listpack"
    run("SADD s b")
    assert run("OBJECT ENCODING s") == b"hashtable"
    run("SADD t a a a a")
    assert run("OBJECT ENCODING t") == b"hashtable"
    assert run("SCARD t") == 1


def test_memory_is_accounted(run: Watched) -> None:
    before = run.engine.space.used
    run("SADD", "s", *(f"member {number}" for number in range(500)))
    assert run.engine.space.used - before > 500 * 40
    run("SPOP s 450")
    run("SPOP s 50")
    assert run.engine.space.used == before
