"""The list commands: what they cause besides their replies, and the forms. Replies: tests/comparison/list.py."""

from __future__ import annotations

import pytest

from alcove.values import NULL_ARRAY
from tests.commands.watched import Watched


@pytest.fixture
def run() -> Watched:
    return Watched()


def effects(run: Watched) -> tuple[list[str], int]:
    return run.events, run.changes


def test_pushes(run: Watched) -> None:
    assert run("LPUSH l a b c") == 3
    assert effects(run) == (["new l", "lpush l"], 3)
    assert run.recorded == [[b"LPUSH", b"l", b"a", b"b", b"c"]]
    assert run("RPUSH l d") == 4
    assert effects(run) == (["rpush l"], 1)
    assert run("LRANGE l 0 -1") == [b"c", b"b", b"a", b"d"]
    assert run("LPUSHX none a") == run("RPUSHX none a") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("LPUSHX l e f") == 6
    assert effects(run) == (["lpush l"], 2)


def test_pops(run: Watched) -> None:
    run("RPUSH l a b c d e")
    assert run("LPOP l") == b"a"
    assert effects(run) == (["lpop l"], 1)
    assert run("RPOP l 2") == [b"e", b"d"]
    assert effects(run) == (["rpop l"], 2)
    assert run("LPOP l 0") == []
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("LPOP l 10") == [b"b", b"c"]
    assert effects(run) == (["lpop l", "del l"], 2)
    assert run("LPOP l") is None
    assert run("LPOP l 1") is NULL_ARRAY
    assert run("LPOP l 0") is NULL_ARRAY


def test_edits(run: Watched) -> None:
    run("RPUSH l a b c b")
    assert run("LSET l -1 x") == b"OK"
    assert effects(run) == (["lset l"], 1)
    assert run("LINSERT l BEFORE b y") == 5
    assert effects(run) == (["linsert l"], 1)
    assert run("LINSERT l AFTER x z") == 6
    assert run("LINSERT l AFTER none z") == -1
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("LRANGE l 0 -1") == [b"a", b"y", b"b", b"c", b"x", b"z"]
    assert run("LSET l 6 x") == run("LSET l -7 x") == "ERR index out of range"
    assert run("LSET none 0 x") == "ERR no such key"


def test_lrem_and_ltrim(run: Watched) -> None:
    run("RPUSH l a b a c a")
    assert run("LREM l -2 a") == 2
    assert effects(run) == (["lrem l"], 2)
    assert run("LRANGE l 0 -1") == [b"a", b"b", b"c"]
    assert run("LREM l 0 none") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("LTRIM l 0 1") == b"OK"
    assert effects(run) == (["ltrim l"], 1)
    assert run("LTRIM l 5 9") == b"OK"
    assert effects(run) == (["ltrim l", "del l"], 2)
    assert run("LTRIM l 0 1") == b"OK"
    assert (run.events, run.changes) == ([], 0)


def test_a_trim_that_cuts_nothing_still_tells_its_event(run: Watched) -> None:
    run("RPUSH l a b")
    assert run("LTRIM l 0 -1") == b"OK"
    assert (run.events, run.changes, run.recorded) == (["ltrim l"], 0, [])


def test_moves(run: Watched) -> None:
    run("RPUSH src a b c")
    assert run("LMOVE src dst LEFT RIGHT") == b"a"
    assert effects(run) == (["new dst", "rpush dst", "lpop src"], 1)
    assert run.recorded == [[b"LMOVE", b"src", b"dst", b"LEFT", b"RIGHT"]]
    assert run("RPOPLPUSH src dst") == b"c"
    assert run("LRANGE dst 0 -1") == [b"c", b"a"]
    assert run("LMOVE src dst RIGHT LEFT") == b"b"
    assert run.events == ["lpush dst", "rpop src", "del src"]
    assert run("LMOVE dst dst LEFT RIGHT") == b"b"
    assert run("LRANGE dst 0 -1") == [b"c", b"a", b"b"]
    assert run("LMOVE none dst LEFT LEFT") is None
    run("RPUSH single x")
    run("EXPIRE single 100")
    assert run("RPOPLPUSH single single") == b"x"
    assert run.events == ["lpush single", "rpop single"]
    assert run("TTL single") == 100


def test_a_move_to_another_type_changes_nothing(run: Watched) -> None:
    run("RPUSH src a")
    run("SET dst x")
    assert run("LMOVE src dst LEFT LEFT").startswith("WRONGTYPE")
    assert run("LRANGE src 0 -1") == [b"a"]
    assert run("LMOVE none dst LEFT LEFT") is None


def test_lmpop(run: Watched) -> None:
    run("RPUSH two a b c")
    assert run("LMPOP 2 one two LEFT COUNT 2") == [b"two", [b"a", b"b"]]
    assert run.recorded == [[b"LPOP", b"two", b"2"]]
    assert effects(run) == (["lpop two"], 2)
    assert run("LMPOP 2 one two RIGHT COUNT 9") == [b"two", [b"c"]]
    assert run.recorded == [[b"RPOP", b"two", b"1"]]
    assert run.events == ["rpop two", "del two"]
    assert run("LMPOP 2 one two RIGHT") is NULL_ARRAY
    assert (run.events, run.changes, run.recorded) == ([], 0, [])


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("LPOS l c", 2),
        ("LPOS l c RANK 2", 6),
        ("LPOS l c RANK -1", 7),
        ("LPOS l c COUNT 2", [2, 6]),
        ("LPOS l c RANK -1 COUNT 2", [7, 6]),
        ("LPOS l c COUNT 0", [2, 6, 7]),
        ("LPOS l c RANK -2 COUNT 0", [6, 2]),
        ("LPOS l c COUNT 0 MAXLEN 7", [2, 6]),
        ("LPOS l c RANK -1 COUNT 0 MAXLEN 1", [7]),
        ("LPOS l x", None),
        ("LPOS l x COUNT 1", []),
        ("LPOS l c RANK 9", None),
        ("LPOS none c", None),
        ("LPOS none c COUNT 0", []),
    ],
)
def test_lpos(run: Watched, command: str, reply: object) -> None:
    run("RPUSH l a b c 1 2 3 c c")
    assert run(command) == reply


def test_the_form_grows_and_shrinks(run: Watched) -> None:
    run("RPUSH l a b")
    assert run("OBJECT ENCODING l") == b"listpack"
    run("RPUSH", "l", *["x" * 100] * 100)
    assert run("OBJECT ENCODING l") == b"quicklist"
    run("LTRIM l 0 20")
    assert run("OBJECT ENCODING l") == b"listpack"
    run("CONFIG SET list-max-listpack-size 21")
    run("RPUSH l a")
    assert run("OBJECT ENCODING l") == b"quicklist"


def test_memory_is_accounted(run: Watched) -> None:
    before = run.engine.space.used
    for number in range(300):
        run("RPUSH", "l", "x" * (number * 7 % 400))
    assert run.engine.space.used - before > 300 * 150
    for _ in range(300):
        run("LPOP l")
    assert run.engine.space.used == before


def test_a_reply_is_a_list_of_its_own(run: Watched) -> None:
    run("RPUSH l a b")
    run("LRANGE l 0 -1").append(b"x")
    assert run("LRANGE l 0 -1") == [b"a", b"b"]
