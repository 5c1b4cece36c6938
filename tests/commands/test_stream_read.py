"""XREAD and XREADGROUP: positions, waiting, and claiming what is idle."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.engine.session import Session
from alcove.errors import CommandError
from alcove.values import NULL_ARRAY, Keyed
from tests.commands.watched import Watched

NOW = 1_700_000_000_000


@pytest.fixture
def run() -> Watched:
    return Watched()


class Reader:
    """A second session that may wait."""

    def __init__(self, run: Watched, command: str) -> None:
        self.run = run
        self.session: Session = run.engine.connect("embedded")
        self.replies: list[Any] = []
        self.session.deliver = self.replies.append
        self.first = run.engine.execute(self.session, [word.encode() for word in command.split()])

    @property
    def waits(self) -> bool:
        return self.session.blocked

    def reply(self) -> Any:
        """What the wait ended with."""
        assert len(self.replies) == 1
        reply = self.replies[0]
        return reply.text if isinstance(reply, CommandError) else reply


def add(run: Watched, key: str, *ids: int) -> None:
    for ms in ids:
        run("XADD", key, f"{ms}-0", "f", ms)


def entry(ms: int) -> list[Any]:
    return [b"%d-0" % ms, [b"f", b"%d" % ms]]


def tick(run: Watched, seconds: float = 0) -> None:
    run.clock.advance(seconds)
    run.engine.enter()
    run.engine.tick()
    run.engine.leave()


def test_reading_behind_an_id(run: Watched) -> None:
    add(run, "s", 1, 2, 3)
    add(run, "t", 1)
    assert run("XREAD COUNT 2 STREAMS s t 1 1") == [[b"s", [entry(2), entry(3)]]]
    assert run("XREAD COUNT 1 STREAMS s t 0 0") == [[b"s", [entry(1)]], [b"t", [entry(1)]]]
    assert run("XREAD STREAMS s missing $ 0") is NULL_ARRAY
    assert run("XREAD COUNT -5 STREAMS s 18446744073709551615-18446744073709551615") is NULL_ARRAY
    assert run("XREAD COUNT 9 STREAMS s missing + +") == [[b"s", [entry(3)]]]
    run("XDEL s 3")
    assert run("XREAD STREAMS s +") == [[b"s", [entry(2)]]]


def test_the_reply_is_a_map_in_resp3(run: Watched) -> None:
    add(run, "s", 1)
    assert type(run("XREAD STREAMS s 0")) is Keyed


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("XREAD COUNT 1 BLOCK 1", "ERR syntax error"),
        ("XREAD STREAMS s t 0", "list of streams: for each stream key an ID, '+', or '$' must be specified."),
        ("XREADGROUP GROUP g c STREAMS s t 0", "for each stream key an ID or '>' must be specified."),
        ("XREAD GROUP g c STREAMS s 0", "ERR The GROUP option is only supported by XREADGROUP."),
        ("XREAD NOACK STREAMS s 0", "ERR The NOACK option is only supported by XREADGROUP."),
        ("XREAD COUNT 2 CLAIM 10 STREAMS s 0", "ERR The CLAIM option is only supported by XREADGROUP."),
        ("XREAD STREAMS s >", "ERR The > ID can be specified only when calling XREADGROUP"),
        ("XREAD BLOCK -1 STREAMS s 0", "ERR timeout is negative"),
        ("XREAD BLOCK 1.5 STREAMS s 0", "ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK 9223372036854775807 STREAMS s 0", "ERR timeout is out of range"),
        ("XREADGROUP NOACK COUNT 1 BLOCK 1 STREAMS s 0", "ERR Missing GROUP option for XREADGROUP"),
        ("XREADGROUP GROUP g c STREAMS s $", "ERR The $ ID is meaningless in the context of XREADGROUP"),
        ("XREADGROUP GROUP g c STREAMS s +", "ERR The + ID is meaningless in the context of XREADGROUP"),
        ("XREADGROUP GROUP h c STREAMS s >", "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP"),
        ("XREADGROUP GROUP g c STREAMS missing >", "NOGROUP No such key 'missing' or consumer group 'g'"),
        ("XREADGROUP GROUP g c CLAIM x STREAMS s >", "ERR min-idle-time is not an integer"),
        ("XREADGROUP GROUP g c CLAIM -0 STREAMS s >", "ERR min-idle-time is not an integer"),
        ("XREADGROUP GROUP g c CLAIM -1 STREAMS s >", "ERR min-idle-time must be a positive integer"),
        ("XREADGROUP GROUP g CLAIM 50 c STREAMS s >", "ERR syntax error"),
    ],
)
def test_errors(run: Watched, command: str, error: str) -> None:
    add(run, "s", 1)
    run("XGROUP CREATE s g 0")
    assert error in run(command)
    assert (run.changes, run.recorded) == (0, [])
    assert run("XINFO CONSUMERS s g") == []


def test_an_error_in_one_stream_changes_none(run: Watched) -> None:
    add(run, "s", 1)
    run("XGROUP CREATE s g 0")
    run("SET text x")
    assert run("XREADGROUP GROUP g c STREAMS s text > >").startswith("WRONGTYPE")
    assert run("XREADGROUP GROUP g c STREAMS s s > x").startswith("ERR Invalid stream ID")
    assert run("XPENDING s g")[0] == 0


def test_waiting_for_entries(run: Watched) -> None:
    add(run, "s", 1)
    readers = [Reader(run, "XREAD BLOCK 0 COUNT 1 STREAMS s t $ $") for _ in range(2)]
    assert all(reader.waits for reader in readers)
    run("MULTI")
    run("XADD s 2 f 2")
    run("XADD s 3 f 3")
    run("EXEC")
    assert [reader.reply() for reader in readers] == [[[b"s", [entry(2)]]]] * 2


def test_the_dollar_means_the_time_of_the_call(run: Watched) -> None:
    add(run, "s", 5)
    reader = Reader(run, "XREAD BLOCK 0 STREAMS s $")
    run("MULTI")
    run("DEL s")
    run("XADD s 4 f 4")
    run("EXEC")
    assert reader.waits
    add(run, "s", 6)
    assert reader.reply() == [[b"s", [entry(6)]]]


def test_the_plus_means_the_last_entry_whenever_there_is_one(run: Watched) -> None:
    reader = Reader(run, "XREAD BLOCK 0 STREAMS s +")
    run("MULTI")
    add(run, "s", 1, 2)
    run("EXEC")
    assert reader.reply() == [[b"s", [entry(2)]]]


def test_other_values_do_not_end_the_wait_of_xread(run: Watched) -> None:
    reader = Reader(run, "XREAD BLOCK 0 STREAMS s t 0 0")
    run("SET s text")
    run("RPUSH t element")
    assert reader.waits
    run("DEL s t")
    add(run, "t", 1)
    assert reader.reply() == [[b"t", [entry(1)]]]


def test_a_wait_ends_in_an_error_where_asking_would(run: Watched) -> None:
    reader = Reader(run, "XREAD BLOCK 0 STREAMS s t 0 0")
    run("SET s text")
    add(run, "t", 1)
    assert reader.reply().startswith("WRONGTYPE")


def test_the_wait_ends_with_its_time(run: Watched) -> None:
    reader = Reader(run, "XREAD BLOCK 100 STREAMS s 0")
    tick(run, 0.099)
    assert reader.waits
    tick(run, 0.002)
    assert reader.reply() is NULL_ARRAY


def test_nothing_waits_in_a_transaction(run: Watched) -> None:
    run("MULTI")
    run("XREAD BLOCK 0 STREAMS s $")
    assert run("EXEC") == [NULL_ARRAY]


def test_waiting_as_a_consumer(run: Watched) -> None:
    run("XGROUP CREATE s g $ MKSTREAM")
    first = Reader(run, "XREADGROUP GROUP g alice BLOCK 0 STREAMS s >")
    second = Reader(run, "XREADGROUP GROUP g bob BLOCK 0 STREAMS s >")
    add(run, "s", 1)
    assert first.reply() == [[b"s", [entry(1)]]]
    assert second.waits
    facts = [b"TIME", b"%d" % NOW, b"RETRYCOUNT", b"1", b"FORCE", b"JUSTID"]
    assert run.recorded[1:] == [
        [b"XCLAIM", b"s", b"g", b"alice", b"0", b"1-0", *facts],
        [b"XGROUP", b"SETID", b"s", b"g", b"1-0", b"ENTRIESREAD", b"1"],
    ]
    add(run, "s", 2)
    assert second.reply() == [[b"s", [entry(2)]]]


NO_GROUP = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("DEL s", NO_GROUP),
        ("XGROUP DESTROY s g", NO_GROUP),
        ("RENAME s t", NO_GROUP),
        ("FLUSHALL", NO_GROUP),
        ("PEXPIRE s -1", NO_GROUP),
        ("MOVE s 1", NO_GROUP),
        ("SWAPDB 0 1", NO_GROUP),
        ("SET s text", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_a_consumer_learns_that_its_group_is_gone(run: Watched, command: str, error: str) -> None:
    run("XGROUP CREATE s g $ MKSTREAM")
    reader = Reader(run, "XREADGROUP GROUP g alice BLOCK 0 STREAMS s >")
    run(command)
    assert reader.reply() == error


def test_a_consumer_deleted_while_it_waits_comes_back(run: Watched) -> None:
    run("XGROUP CREATE s g $ MKSTREAM")
    reader = Reader(run, "XREADGROUP GROUP g alice BLOCK 0 STREAMS s >")
    run("XGROUP DELCONSUMER s g alice")
    add(run, "s", 1)
    assert reader.reply() == [[b"s", [entry(1)]]]
    assert run("XPENDING s g")[3] == [[b"alice", b"1"]]


# CLAIM


@pytest.fixture
def group(run: Watched) -> Watched:
    """Three entries, two of them given to alice."""
    add(run, "s", 1, 2, 3)
    run("XGROUP CREATE s g 0")
    run("XREADGROUP GROUP g alice COUNT 2 STREAMS s >")
    return run


def test_claiming_comes_before_reading(group: Watched) -> None:
    group.clock.advance(0.1)
    reply = group("XREADGROUP GROUP g bob CLAIM 50 STREAMS s >")
    assert reply == [[b"s", [[*entry(1), 100, 1], [*entry(2), 100, 1], [*entry(3), 0, 0]]]]
    facts = [b"TIME", b"%d" % (NOW + 100), b"RETRYCOUNT"]
    assert group.recorded == [
        [b"XGROUP", b"CREATECONSUMER", b"s", b"g", b"bob"],
        [b"XCLAIM", b"s", b"g", b"bob", b"0", b"1-0", b"2-0", *facts, b"2", b"FORCE", b"JUSTID"],
        [b"XCLAIM", b"s", b"g", b"bob", b"0", b"3-0", *facts, b"1", b"FORCE", b"JUSTID"],
        [b"XGROUP", b"SETID", b"s", b"g", b"3-0", b"ENTRIESREAD", b"3"],
    ]
    assert group("XREADGROUP GROUP g bob CLAIM 50 STREAMS s >") is NULL_ARRAY


def test_the_count_is_for_both(group: Watched) -> None:
    assert len(group("XREADGROUP GROUP g bob COUNT 1 CLAIM 0 STREAMS s >")[0][1]) == 1
    assert len(group("XREADGROUP GROUP g bob COUNT 3 CLAIM 0 STREAMS s >")[0][1]) == 3
    assert group("XPENDING s g - + 9") == [
        [b"1-0", b"bob", 0, 3],
        [b"2-0", b"bob", 0, 2],
        [b"3-0", b"bob", 0, 1],
    ]


def test_the_longest_idle_come_first(group: Watched) -> None:
    group("XCLAIM s g alice 0 2 IDLE 50000 JUSTID")
    group("XCLAIM s g alice 0 3 IDLE 30000 FORCE JUSTID")
    reply = group("XREADGROUP GROUP g bob CLAIM 10000 COUNT 9 STREAMS s >")
    assert [item[0] for item in reply[0][1]] == [b"2-0", b"3-0", b"3-0"]


def test_what_is_not_idle_enough_stays(group: Watched) -> None:
    group.clock.advance(0.1)
    assert group("XREADGROUP GROUP g bob CLAIM 9223372036854775807 STREAMS s >") == [[b"s", [[*entry(3), 0, 0]]]]
    assert group("XREADGROUP GROUP g bob CLAIM 101 STREAMS s >") is NULL_ARRAY


def test_deleted_entries_are_passed_over(group: Watched) -> None:
    for ms in range(4, 400):
        group("XADD", "s", f"{ms}-0", "f", ms)
    group("XREADGROUP GROUP g alice STREAMS s >")
    group("XTRIM s MINID 390")
    reply = group("XREADGROUP GROUP g bob CLAIM 0 COUNT 3 STREAMS s >")
    assert [item[0] for item in reply[0][1]] == [b"390-0", b"391-0", b"392-0"]
    group("XTRIM s MAXLEN 0")
    assert group("XREADGROUP GROUP g bob CLAIM 0 STREAMS s >") is NULL_ARRAY
    assert group("XPENDING s g")[0] == 399


def test_noack_is_for_new_entries_only(group: Watched) -> None:
    reply = group("XREADGROUP GROUP g bob NOACK CLAIM 0 STREAMS s >")
    assert reply == [[b"s", [[*entry(1), 0, 1], [*entry(2), 0, 1], [*entry(3), 0, 0]]]]
    assert group("XPENDING s g")[3] == [[b"bob", b"2"]]


def test_waiting_until_something_is_idle(group: Watched) -> None:
    group("XREADGROUP GROUP g alice STREAMS s >")
    first = Reader(group, "XREADGROUP GROUP g bob BLOCK 0 CLAIM 1000 COUNT 1 STREAMS s >")
    second = Reader(group, "XREADGROUP GROUP g carol BLOCK 1500 CLAIM 1000 COUNT 9 STREAMS s >")
    tick(group, 0.999)
    assert first.waits
    tick(group, 0.001)
    assert first.reply() == [[b"s", [[*entry(1), 1000, 1]]]]
    assert second.reply() == [[b"s", [[*entry(2), 1000, 1], [*entry(3), 1000, 1]]]]


def test_the_moment_of_claiming_follows_what_happens(group: Watched) -> None:
    group("XREADGROUP GROUP g alice STREAMS s >")
    reader = Reader(group, "XREADGROUP GROUP g bob BLOCK 1500 CLAIM 1000 STREAMS s >")
    group("XDEL s 1")
    group("XACK s g 2")
    tick(group, 0.5)
    group("XCLAIM s g alice 0 3 JUSTID")
    tick(group, 0.5)
    assert reader.waits
    group("XCLAIM s g alice 0 3 IDLE 900 JUSTID")
    tick(group, 0.1)
    assert reader.reply() == [[b"s", [[*entry(3), 1000, 1]]]]


def test_the_wait_for_idle_entries_has_an_end(group: Watched) -> None:
    reader = Reader(group, "XREADGROUP GROUP g bob BLOCK 300 CLAIM 1000 STREAMS s 9")
    assert reader.first == [[b"s", []]]
    group("XREADGROUP GROUP g alice STREAMS s >")
    reader = Reader(group, "XREADGROUP GROUP g bob BLOCK 300 CLAIM 1000 STREAMS s >")
    tick(group, 0.299)
    assert reader.waits
    tick(group, 0.001)
    assert reader.reply() is NULL_ARRAY


def test_claim_says_nothing_to_history(group: Watched) -> None:
    assert group("XREADGROUP GROUP g alice CLAIM 0 STREAMS s 0") == [[b"s", [entry(1), entry(2)]]]
