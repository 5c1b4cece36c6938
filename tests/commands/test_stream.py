"""The stream commands on entries: replies, effects and errors that the comparison with real servers does not show."""

from __future__ import annotations

import pytest

from alcove.values import OK
from tests.commands.watched import Watched

BAD_ID = "ERR Invalid stream ID specified as stream command argument"
NOW = 1_700_000_000_000


@pytest.fixture
def run() -> Watched:
    return Watched()


def fill(run: Watched, count: int, node: int = 100) -> None:
    run.engine.space.limits.stream_node_max_entries = node
    for ms in range(1, count + 1):
        run("XADD", "s", f"{ms}-0", "f", ms)


def ids(run: Watched) -> list[int]:
    return [int(entry[0].split(b"-")[0]) for entry in run("XRANGE s - +")]


def test_xadd_is_recorded_with_its_id(run: Watched) -> None:
    assert run("XADD s * a b") == b"%d-0" % NOW
    assert (run.events, run.changes) == (["new s", "xadd s"], 1)
    assert run.recorded == [[b"XADD", b"s", b"%d-0" % NOW, b"a", b"b"]]
    assert run("XADD s * a b") == b"%d-1" % NOW
    run.clock.advance(0.005)
    assert run("XADD s * a b") == b"%d-0" % (NOW + 5)
    assert run("XADD", "s", f"{NOW + 5}-*", "a", "b") == b"%d-1" % (NOW + 5)
    assert run.recorded[0][2] == b"%d-1" % (NOW + 5)
    assert run("XADD s NOMKSTREAM 9999999999999 a b") == b"9999999999999-0"
    assert run.recorded == [[b"XADD", b"s", b"9999999999999-0", b"a", b"b"]]


def test_xadd_makes_no_key_when_it_fails(run: Watched) -> None:
    assert run("XADD s NOMKSTREAM * a b") is None
    assert run("XADD s 0-0 a b") == "ERR The ID specified in XADD must be greater than 0-0"
    assert run("XADD s * a b c") == "ERR wrong number of arguments for 'xadd' command"
    assert run("XADD s x a b") == run("XADD s x-* a b") == run("XADD s - a b") == BAD_ID
    assert run("EXISTS s") == 0
    assert run("XADD s 0-* a b") == b"0-1"


def test_no_id_is_mistaken_for_a_sign(run: Watched) -> None:
    """The bytes of this ID end like `ms-*`."""
    assert run("XADD s 5-11562 a b") == b"5-11562"
    assert run("XADD", "s", int.from_bytes(b"-*", "big"), "a", "b") == b"11562-0"


def test_ids_end(run: Watched) -> None:
    last = "18446744073709551615-18446744073709551615"
    assert run("XADD s 7-18446744073709551615 a b")
    assert run("XADD s 7-* a b") == run("XADD s 7-1 a b")
    assert run("XADD s 7-1 a b").startswith("ERR The ID specified in XADD is equal or smaller")
    assert run(f"XADD s {last} a b") == last.encode()
    assert run("XADD s * a b") == "ERR The stream has exhausted the last possible ID, unable to add more items"
    assert run(f"XADD s {last} a b") == "ERR The stream has exhausted the last possible ID, unable to add more items"
    assert run("XTRIM s MAXLEN 0") == 2
    assert run.recorded == [[b"XTRIM", b"s", b"MAXLEN", b"=", b"0"]]


def test_trimming_is_recorded_as_what_it_did(run: Watched) -> None:
    fill(run, 9, node=4)
    assert run("XADD s MAXLEN ~ 5 10 a b") == b"10-0"
    assert (run.events, run.changes) == (["xadd s", "xtrim s"], 1)
    assert run.recorded == [[b"XADD", b"s", b"MINID", b"=", b"4-1", b"10-0", b"a", b"b"]]
    assert run("XADD s MAXLEN ~ 5 11 a b") == b"11-0"
    assert (run.events, run.recorded) == (["xadd s"], [[b"XADD", b"s", b"11-0", b"a", b"b"]])
    assert run("XTRIM s MAXLEN 6") == 1
    assert (run.events, run.changes, run.recorded) == (["xtrim s"], 1, [[b"XTRIM", b"s", b"MINID", b"=", b"5-1"]])
    assert run("XTRIM s MINID ~ 99 LIMIT 3") == 3
    assert run.changes == 3
    assert run("XTRIM s MINID ~ 99 LIMIT 2") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert ids(run) == [9, 10, 11]


def test_approximate_trimming_has_a_limit_of_its_own(run: Watched) -> None:
    fill(run, 350, node=1)
    run.engine.space.limits.stream_node_max_entries = 2
    assert run("XTRIM s MAXLEN ~ 0") == 200
    assert run("XTRIM s MAXLEN ~ 0 LIMIT 0") == 150
    assert run("XINFO STREAM s")[b"last-generated-id"] == b"350-0"


def test_deleting(run: Watched) -> None:
    fill(run, 5)
    assert run("XDEL s 2 4 4 9") == 2
    assert (run.events, run.changes) == (["xdel s"], 2)
    assert run.recorded == [[b"XDEL", b"s", b"2", b"4", b"4", b"9"]]
    assert run("XDEL s 2") == 0
    assert (run.events, run.changes) == ([], 0)
    assert run("XDEL s 1 x") == BAD_ID
    assert ids(run) == [1, 3, 5]
    assert run("XDEL s 1 3 5") == 3
    assert (run("XLEN s"), run("EXISTS s")) == (0, 1)


def test_xdelex(run: Watched) -> None:
    fill(run, 6)
    assert run("XDELEX missing IDS 2 1-1 2-2") == [-1, -1]
    assert run("XDELEX s IDS 2 1 9") == [1, -1]
    assert (run.events, run.changes) == (["xdel s"], 1)
    assert run("XDELEX s ACKED IDS 2 2 9") == [2, -1]
    run("XGROUP CREATE s g 0")
    run("XREADGROUP GROUP g alice COUNT 3 STREAMS s >")
    run("XACK s g 2")
    assert run("XDELEX s ACKED IDS 3 2 3 6") == [1, 2, 2]
    assert run("XDELEX s KEEPREF IDS 1 3") == [1]
    assert run("XPENDING s g")[0] == 2
    assert run("XDELEX s IDS 2 3 4 DELREF") == [-1, 1]
    assert run("XPENDING s g")[0] == 0
    assert ids(run) == [5, 6]


def test_xdelex_that_only_dereferences_is_a_change(run: Watched) -> None:
    fill(run, 1)
    run("XGROUP CREATE s g 0")
    run("XREADGROUP GROUP g alice STREAMS s >")
    run("XDEL s 1")
    assert run("XDELEX s DELREF IDS 1 1") == [-1]
    assert (run.events, run.changes) == ([], 1)
    assert run.recorded == [[b"XDELEX", b"s", b"DELREF", b"IDS", b"1", b"1"]]
    assert run("XPENDING s g")[0] == 0


@pytest.mark.parametrize("command", ["XDELEX s", "XACKDEL s g"])
def test_deletion_options(run: Watched, command: str) -> None:
    fill(run, 1)
    run("XGROUP CREATE s g 0")
    for number in ("abc", "0", "-5", "99999999999999999999"):
        assert run(f"{command} IDS {number} 1-1") == "ERR Number of IDs must be a positive integer"
    too_many = "ERR The `numids` parameter must match the number of arguments"
    assert run(f"{command} IDS 3 1-1 2-2") == too_many
    wrong = [
        "IDS 1 1-1 2-2",
        "KEEPREF DELREF IDS 1 1",
        "ACKED ACKED IDS 1 1",
        "IDS 1 1 IDS 1 1",
        "KEEPREF x IDS 1",
        "a b c",
    ]
    for options in wrong:
        assert run(f"{command} {options}") == "ERR syntax error"
    assert run(f"{command} IDS 1 x") == BAD_ID
    assert run("XLEN s") == 1


def test_trimming_with_references(run: Watched) -> None:
    fill(run, 6)
    assert run("XADD s MAXLEN = 6 ACKED 7 f v") == b"7-0"
    run("XGROUP CREATE s g 0")
    assert run("XADD s ACKED MAXLEN = 1 8 f v") == b"8-0"
    assert run.recorded == [[b"XADD", b"s", b"8-0", b"f", b"v"]]
    run("XREADGROUP GROUP g alice COUNT 3 STREAMS s >")
    run("XACK s g 2 4")
    assert run("XTRIM s MAXLEN 1 ACKED") == 2
    assert run.recorded == [[b"XTRIM", b"s", b"MINID", b"=", b"4-1", b"ACKED"]]
    assert ids(run) == [3, 5, 6, 7, 8]
    assert run("XTRIM s DELREF MINID 5") == 1
    assert run.recorded == [[b"XTRIM", b"s", b"MINID", b"=", b"3-1", b"DELREF"]]
    assert run("XPENDING s g")[0] == 0
    assert run("XTRIM s MAXLEN 1 KEEPREF DELREF") == "ERR syntax error"


def test_approximate_trimming_with_references_goes_node_by_node(run: Watched) -> None:
    fill(run, 6, node=2)
    run("XGROUP CREATE s g 0")
    run("XREADGROUP GROUP g alice STREAMS s >")
    run("XACK s g 1 2 3 6")
    assert run("XTRIM s MINID ~ 6 ACKED") == 3
    assert ids(run) == [4, 5, 6]
    assert run("XTRIM s MINID ~ 6 DELREF") == 1
    assert run.recorded == [[b"XTRIM", b"s", b"MINID", b"=", b"4-1", b"DELREF"]]
    assert run("XPENDING s g - + 9")[0][0] == b"5-0"


def test_ranges(run: Watched) -> None:
    fill(run, 5)
    assert run("XRANGE s 2 (4-0") == [[b"2-0", [b"f", b"2"]], [b"3-0", [b"f", b"3"]]]
    assert [entry[0] for entry in run("XREVRANGE s + (3 COUNT 1")] == [b"5-0"]
    assert run("XRANGE missing - +") == []
    assert run("XRANGE s - + COUNT 1 COUNT") == "ERR syntax error"
    assert run("XRANGE s (18446744073709551615-18446744073709551615 +") == "ERR invalid start ID for the interval"
    assert run("XRANGE s - (0-0") == "ERR invalid end ID for the interval"
    assert run("XREVRANGE s (- -") == BAD_ID


def test_unusual_spellings_of_ids_are_those_of_the_real_server(run: Watched) -> None:
    for spelling, meant in [
        (b" 5-1", b"5-1"),
        (b"6-+2", b"6-2"),
        (b"6-007", b"6-7"),
        (b"6-\t9", b"6-9"),
        (b"8-8\x00rest", b"8-8"),
        (b"9- -1", b"9-18446744073709551615"),
        (b"18446744073709551614", b"18446744073709551614-0"),
    ]:
        assert run("XADD", "s", spelling, "f", "v") == meant
    for spelling in (b"", b"-", b"+", b"1-2-3", b"1--2", b"0x1", b"1_0", b"1" * 128, b"18446744073709551616", b"1 "):
        assert run("XADD", "s", spelling, "f", "v") == BAD_ID


def test_xsetid(run: Watched) -> None:
    fill(run, 3)
    assert run("XSETID s 9-9 ENTRIESADDED 50 MAXDELETEDID 4-4") == OK
    assert (run.events, run.changes) == (["xsetid s"], 1)
    facts = run("XINFO STREAM s")
    assert [facts[name] for name in (b"last-generated-id", b"entries-added", b"max-deleted-entry-id")] == [
        b"9-9",
        50,
        b"4-4",
    ]
    assert run("XSETID missing 1-1") == "ERR no such key"
    assert run("XSETID s 4-3") == "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    assert run("XSETID s 9-9 ENTRIESADDED 2").startswith("ERR The entries_added specified in XSETID is smaller")


def test_the_configuration_says_when_a_node_is_full(run: Watched) -> None:
    run("CONFIG SET stream-node-max-entries 2")
    for _ in range(5):
        run("XADD s * f v")
    assert run("XINFO STREAM s")[b"radix-tree-keys"] == 3
    run("CONFIG SET stream-node-max-entries 0 stream-node-max-bytes 100")
    for _ in range(5):
        run("XADD", "s", "*", "f", "v" * 40)
    assert run("XINFO STREAM s")[b"radix-tree-keys"] == 7


def test_memory_is_accounted_for(run: Watched) -> None:
    before = run.engine.space.used
    fill(run, 2000)
    run("XGROUP CREATE s g 0")
    run("XREADGROUP GROUP g alice STREAMS s >")
    assert 200_000 < run.engine.space.used - before < 300_000
    run("DEL s")
    assert run.engine.space.used == before


def test_an_empty_stream_stays(run: Watched) -> None:
    assert run("XADD s MAXLEN 0 5-5 f v") == b"5-5"
    assert run.recorded == [[b"XADD", b"s", b"MINID", b"=", b"5-6", b"5-5", b"f", b"v"]]
    assert (run("EXISTS s"), run("XLEN s"), run("TYPE s"), run("OBJECT ENCODING s")) == (1, 0, b"stream", b"stream")
    assert run("XADD s 5-5 f v").startswith("ERR The ID specified")
