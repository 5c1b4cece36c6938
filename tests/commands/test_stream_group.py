"""Consumer groups: delivering, acknowledging, taking over, and what is recorded of it."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.values import NULL_ARRAY, OK
from tests.commands.watched import Watched

NOW = 1_700_000_000_000


@pytest.fixture
def run() -> Watched:
    run = Watched()
    for ms in range(1, 6):
        run("XADD", "s", f"{ms}-0", "f", ms)
    run("XGROUP CREATE s g 0")
    return run


def entry(ms: int) -> list[Any]:
    return [b"%d-0" % ms, [b"f", b"%d" % ms]]


def claimed(consumer: str, count: int, *ids: bytes, at: int = NOW) -> list[bytes]:
    """The record of a delivery."""
    facts = [b"TIME", b"%d" % at, b"RETRYCOUNT", b"%d" % count, b"FORCE", b"JUSTID"]
    return [b"XCLAIM", b"s", b"g", consumer.encode(), b"0", *ids, *facts]


def setid(ms: int, entries_read: int) -> list[bytes]:
    return [b"XGROUP", b"SETID", b"s", b"g", b"%d-0" % ms, b"ENTRIESREAD", b"%d" % entries_read]


def created(consumer: str) -> list[bytes]:
    return [b"XGROUP", b"CREATECONSUMER", b"s", b"g", consumer.encode()]


def pending(run: Watched) -> list[list[Any]]:
    return [[item[0], item[1], item[3]] for item in run("XPENDING s g - + 100")]


def test_making_and_ending_groups(run: Watched) -> None:
    assert run("XGROUP CREATE s g 0") == "BUSYGROUP Consumer Group name already exists"
    assert run("XGROUP CREATE t g $ MKSTREAM") == OK
    assert (run.events, run.changes) == (["new t", "xgroup-create t"], 1)
    assert run("XGROUP CREATE s h $ ENTRIESREAD 9999") == OK
    assert (run.events, run.changes) == (["xgroup-create s"], 1)
    assert run.recorded == [[b"XGROUP", b"CREATE", b"s", b"h", b"$", b"ENTRIESREAD", b"9999"]]
    assert run("XINFO GROUPS s")[1][b"entries-read"] == 5
    assert run("XGROUP SETID s h 2-0 ENTRIESREAD 2") == OK
    assert (run.events, run.changes) == (["xgroup-setid s"], 1)
    assert run("XINFO GROUPS s")[1][b"lag"] == 3
    assert run("XGROUP DESTROY s h") == 1
    assert (run.events, run.changes) == (["xgroup-destroy s"], 1)
    assert run("XGROUP DESTROY s h") == 0
    assert run.changes == 0
    assert run("XGROUP CREATE missing g $").startswith("ERR The XGROUP subcommand requires the key to exist.")
    assert run("XGROUP SETID s h 0") == "NOGROUP No such consumer group 'h' for key name 's'"
    wrong = "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."
    assert run("XGROUP SETID s g 0 MKSTREAM") == wrong


def test_consumers(run: Watched) -> None:
    assert run("XGROUP CREATECONSUMER s g alice") == 1
    assert (run.events, run.changes, run.recorded) == (["xgroup-createconsumer s"], 1, [created("alice")])
    assert run("XGROUP CREATECONSUMER s g alice") == 0
    run("XREADGROUP GROUP g alice COUNT 2 STREAMS s >")
    assert run("XGROUP DELCONSUMER s g alice") == 2
    assert (run.events, run.changes) == (["xgroup-delconsumer s"], 1)
    assert run("XGROUP DELCONSUMER s g alice") == 0
    assert run("XPENDING s g") == [0, None, None, NULL_ARRAY]


def test_reading_new_entries(run: Watched) -> None:
    assert run("XREADGROUP GROUP g alice COUNT 2 STREAMS s >") == [[b"s", [entry(1), entry(2)]]]
    assert (run.events, run.changes) == (["xgroup-createconsumer s"], 2)
    assert run.recorded == [created("alice"), claimed("alice", 1, b"1-0", b"2-0"), setid(2, 2)]
    assert run("XREADGROUP GROUP g bob NOACK STREAMS s >") == [[b"s", [entry(3), entry(4), entry(5)]]]
    assert run.recorded == [created("bob"), setid(5, 5)]
    assert run("XREADGROUP GROUP g alice STREAMS s >") is NULL_ARRAY
    assert (run.changes, run.recorded) == (0, [])
    assert run("XREADGROUP GROUP g carol STREAMS s >") is NULL_ARRAY
    assert (run.changes, run.recorded) == (1, [created("carol")])
    assert pending(run) == [[b"1-0", b"alice", 1], [b"2-0", b"alice", 1]]


def test_reading_ones_own_history(run: Watched) -> None:
    run("XREADGROUP GROUP g alice COUNT 3 STREAMS s >")
    run("XREADGROUP GROUP g bob COUNT 1 STREAMS s >")
    run("XDEL s 2")
    run.clock.advance(1)
    assert run("XREADGROUP GROUP g alice STREAMS s 0") == [[b"s", [entry(1), [b"2-0", NULL_ARRAY], entry(3)]]]
    assert (run.events, run.changes) == ([], 1)
    assert run.recorded == [claimed("alice", 2, b"1-0", b"3-0", at=NOW + 1000)]
    assert run("XREADGROUP GROUP g alice COUNT 1 STREAMS s 1") == [[b"s", [[b"2-0", NULL_ARRAY]]]]
    assert run("XREADGROUP GROUP g bob BLOCK 0 STREAMS s 4-0") == [[b"s", []]]
    assert pending(run)[0] == [b"1-0", b"alice", 2]


def test_an_entry_that_is_read_again_gets_a_new_owner(run: Watched) -> None:
    run("XREADGROUP GROUP g alice STREAMS s >")
    run("XGROUP SETID s g 3")
    run("XREADGROUP GROUP g bob STREAMS s >")
    assert pending(run)[2:] == [[b"3-0", b"alice", 1], [b"4-0", b"bob", 1], [b"5-0", b"bob", 1]]


def test_acknowledging(run: Watched) -> None:
    run("XREADGROUP GROUP g alice STREAMS s >")
    assert run("XACK s g 1 3 3 9") == 2
    assert (run.events, run.changes) == ([], 2)
    assert run.recorded == [[b"XACK", b"s", b"g", b"1", b"3", b"3", b"9"]]
    assert run("XACK s g 1 x").startswith("ERR Invalid stream ID")
    assert run("XACK s missing x") == run("XACK missing g x") == 0


def test_xackdel(run: Watched) -> None:
    run("XGROUP CREATE s h 0")
    run("XREADGROUP GROUP g alice STREAMS s >")
    run("XREADGROUP GROUP h bob STREAMS s >")
    assert run("XACKDEL s g IDS 2 1 9") == [1, -1]
    assert (run.events, run.changes) == (["xdel s"], 1)
    assert run("XACKDEL s g ACKED IDS 1 2") == [2]
    assert (run.events, run.changes) == ([], 1)
    assert run("XACKDEL s h ACKED IDS 2 1 2") == [1, 1]
    assert run("XACKDEL s g DELREF IDS 2 2 3") == [-1, 1]
    assert [item[0] for item in run("XPENDING s h - + 9")] == [b"4-0", b"5-0"]
    assert run("XACKDEL s missing IDS 1 4") == run("XACKDEL missing g IDS 1 4") == [-1]
    assert run("XLEN s") == 2


def test_pending_entries(run: Watched) -> None:
    run("XREADGROUP GROUP g alice COUNT 3 STREAMS s >")
    run.clock.advance(0.1)
    run("XREADGROUP GROUP g bob STREAMS s >")
    assert run("XPENDING s g") == [5, b"1-0", b"5-0", [[b"alice", b"3"], [b"bob", b"2"]]]
    assert run("XPENDING s g (1 3 9") == [[b"2-0", b"alice", 100, 1], [b"3-0", b"alice", 100, 1]]
    assert [item[0] for item in run("XPENDING s g IDLE 50 - + 9 alice")] == [b"1-0", b"2-0", b"3-0"]
    assert run("XPENDING s g IDLE 50 - + 9 bob") == run("XPENDING s g - + 9 nobody") == []
    assert run("XPENDING s g - + -1") == []
    assert run("XPENDING s h") == "NOGROUP No such key 's' or consumer group 'h'"
    assert run("XPENDING s g - +") == run("XPENDING s g IDLE 1 - +") == "ERR syntax error"


def test_more_pending_entries_than_a_page(run: Watched) -> None:
    for ms in range(6, 506):
        run("XADD", "s", f"{ms}-0", "f", ms)
    run("XREADGROUP GROUP g alice STREAMS s >")
    assert [item[0] for item in run("XPENDING s g - + 1000")] == [b"%d-0" % ms for ms in range(1, 506)]
    assert len(run("XPENDING s g 100 450 1000 alice")) == 351
    cursor, entries, deleted = run("XAUTOCLAIM s g bob 0 - COUNT 300 JUSTID")
    assert (cursor, len(entries), deleted) == (b"301-0", 300, [])
    assert len(run("XREADGROUP GROUP g bob STREAMS s 0")[0][1]) == 300


def test_claiming(run: Watched) -> None:
    run("XREADGROUP GROUP g alice COUNT 3 STREAMS s >")
    run.clock.advance(0.1)
    assert run("XCLAIM s g bob 1000 1 2") == []
    assert run.recorded == [created("bob")]
    assert run("XCLAIM s g bob 100 1 2 4 JUSTID") == [b"1-0", b"2-0"]
    assert run.changes == 2
    assert run.recorded == [claimed("bob", 1, b"1-0", b"2-0", at=NOW + 100)]
    assert run("XCLAIM s g bob 0 4 3 FORCE IDLE 40") == [entry(4), entry(3)]
    assert run.recorded == [claimed("bob", 2, b"4-0", b"3-0", at=NOW + 60)]
    assert run("XCLAIM s g carol 0 1 RETRYCOUNT 7 TIME 5000") == [entry(1)]
    assert run.recorded == [created("carol"), claimed("carol", 7, b"1-0", at=5000)]
    run("XDEL s 2")
    assert run("XCLAIM s g carol 0 2") == []
    assert (run.changes, run.recorded) == (1, [[b"XACK", b"s", b"g", b"2-0"]])
    assert pending(run) == [[b"1-0", b"carol", 7], [b"3-0", b"bob", 2], [b"4-0", b"bob", 2]]


def test_claiming_moves_the_group_on(run: Watched) -> None:
    assert run("XCLAIM s g alice 0 9 LASTID 3-0") == []
    assert (run.changes, run.recorded) == (2, [setid(3, -1), created("alice")])
    assert run("XINFO GROUPS s")[0][b"last-delivered-id"] == b"3-0"
    assert run("XCLAIM s g alice 0 9 LASTID 2-0") == []
    assert run.changes == 0


def test_claiming_what_is_idle(run: Watched) -> None:
    run("XREADGROUP GROUP g alice STREAMS s >")
    run("XDEL s 2 4")
    run.clock.advance(0.1)
    assert run("XAUTOCLAIM s g bob 1000 0") == [b"0-0", [], [b"2-0", b"4-0"]]
    assert run.recorded == [created("bob"), [b"XACK", b"s", b"g", b"2-0", b"4-0"]]
    assert run("XAUTOCLAIM s g bob 50 0 COUNT 1") == [b"3-0", [entry(1)], []]
    assert run.recorded == [claimed("bob", 2, b"1-0", at=NOW + 100)]
    assert run("XAUTOCLAIM s g bob 0 (1 JUSTID") == [b"0-0", [b"3-0", b"5-0"], []]
    assert run.recorded == [claimed("bob", 1, b"3-0", b"5-0", at=NOW + 100)]
    assert run("XAUTOCLAIM s g bob 0 0 COUNT 0") == "ERR COUNT must be > 0"


def test_xautoclaim_looks_at_ten_times_its_count(run: Watched) -> None:
    for ms in range(6, 41):
        run("XADD", "s", f"{ms}-0", "f", ms)
    run("XREADGROUP GROUP g alice STREAMS s >")
    assert run("XAUTOCLAIM s g bob 1000 0 COUNT 2") == [b"21-0", [], []]


def test_information(run: Watched) -> None:
    run("XREADGROUP GROUP g alice COUNT 2 STREAMS s >")
    run.clock.advance(0.1)
    run("XREADGROUP GROUP g alice STREAMS s 9")
    run("XGROUP CREATECONSUMER s g bob")
    run.clock.advance(0.1)
    assert run("XINFO CONSUMERS s g") == [
        {b"name": b"alice", b"pending": 2, b"idle": 100, b"inactive": 200},
        {b"name": b"bob", b"pending": 0, b"idle": 100, b"inactive": -1},
    ]
    assert run("XINFO GROUPS s") == [
        {
            b"name": b"g",
            b"consumers": 2,
            b"pending": 2,
            b"last-delivered-id": b"2-0",
            b"entries-read": 2,
            b"lag": 3,
        }
    ]
    facts = run("XINFO STREAM s FULL COUNT 1")
    assert facts[b"entries"] == [entry(1)]
    assert facts[b"groups"][0][b"pending"] == [[b"1-0", b"alice", NOW, 1]]
    assert facts[b"groups"][0][b"consumers"][0] == {
        b"name": b"alice",
        b"seen-time": NOW + 100,
        b"active-time": NOW,
        b"pel-count": 2,
        b"pending": [[b"1-0", NOW, 1]],
    }
    assert len(run("XINFO STREAM s FULL COUNT 0")[b"entries"]) == 5
    assert run("XINFO STREAM s")[b"last-entry"] == entry(5)
    assert run("XINFO CONSUMERS s h") == "NOGROUP No such consumer group 'h' for key name 's'"


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("XACK s g 1", False),
        ("XREADGROUP GROUP g bob STREAMS s >", False),
        ("XCLAIM s g bob 0 1", False),
        ("XGROUP CREATE s h 0", False),
        ("XGROUP DESTROY s g", False),
        ("XACKDEL s g IDS 1 1", True),
        ("XDEL s 1", True),
        ("XTRIM s MAXLEN 1", True),
    ],
)
def test_watch_sees_changes_of_entries_only(run: Watched, command: str, seen: bool) -> None:
    run("XREADGROUP GROUP g alice COUNT 2 STREAMS s >")
    run("WATCH s")
    run(command)
    run("MULTI")
    run("PING")
    assert (run("EXEC") is NULL_ARRAY) == seen


def test_copies_share_nothing(run: Watched) -> None:
    run("XREADGROUP GROUP g alice STREAMS s >")
    assert run("COPY s t") == 1
    run("XACK t g 1 2 3")
    assert run("XPENDING s g")[0] == 5
    assert run("XPENDING t g")[0] == 2
