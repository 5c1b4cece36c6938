"""CLIENT TRACKING inside the engine: what is remembered, who hears of what and in which order, the bounded table."""

from __future__ import annotations

import gc
import random
from typing import Any

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.blocking import PARKED
from alcove.engine.clock import ManualClock
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.values import Push, Replies


class Client:
    """A client of an engine: what it is answered, and what it hears besides, in the order in which it gets it."""

    def __init__(self, engine: Engine, protocol: int = 3) -> None:
        self.engine = engine
        self.session = engine.connect("tcp")
        self.session.protocol = protocol
        self.inbox: list[Any] = []
        self.session.push = self.session.deliver = self.inbox.append

    def __call__(self, *words: str) -> list[Any]:
        """Runs a command, given as one string or as its words: all that has come then."""
        if len(words) == 1:
            words = tuple(words[0].split())
        reply = self.engine.execute(self.session, [word.encode() for word in words])
        came = list(reply) if isinstance(reply, Replies) else [] if reply is PARKED else [reply]
        return [*self.heard(), *(each.text if isinstance(each, CommandError) else each for each in came)]

    def heard(self) -> list[Any]:
        came = self.inbox[:]
        self.inbox.clear()
        return came


def changed(*keys: bytes) -> Push:
    return Push((b"invalidate", list(keys)))


def clients(*options: str) -> tuple[Client, Client]:
    """One that tracks keys, and another."""
    engine = Engine(clock=ManualClock())
    one, other = Client(engine), Client(engine)
    assert one("CLIENT", "TRACKING", "ON", *options) == [b"OK"]
    return one, other


def test_a_key_that_was_read_is_told_of_once() -> None:
    one, other = clients()
    one("MGET a b")
    other("MSET a 1 c 2")
    assert one.heard() == [changed(b"a")]
    other("SET a 2")
    assert one.heard() == []
    other("DEL b")
    assert one.heard() == []
    one("GET b")
    other("SET b 1")
    assert one.heard() == [changed(b"b")]


def test_all_that_changes_a_key_is_told_of() -> None:
    one, other = clients()
    other("SET a 1")
    changes = {
        "RENAME a b": {b"a", b"b"},
        "COPY b a": {b"a"},
        "EXPIRE a 100": {b"a"},
        "PERSIST a": {b"a"},
        "GETDEL a": {b"a"},
        "RPUSH a x": {b"a"},
        "LMOVE a b LEFT LEFT": set(),
        "DEL b": {b"b"},
        "LPOP a": {b"a"},
        "PFADD a x": {b"a"},
        "MOVE a 1": {b"a"},
    }
    for command, keys in changes.items():
        one("EXISTS a b")
        other(command)
        assert {message[1][0] for message in one.heard()} == keys, command


def test_what_reads_without_keys_or_writes_is_not_remembered() -> None:
    one, _ = clients()
    for command in ("SET a 1", "KEYS *", "SCAN 0", "INCR a", "DBSIZE", "PING"):
        one(command)
    assert len(one.engine.tracking.table) == 0
    one("XREAD STREAMS s t 0 0")
    one("SINTERCARD 2 u v")
    one("SORT_RO w")
    assert sorted(one.engine.tracking.table.keys()) == [b"s", b"t", b"u", b"v", b"w"]


def test_what_a_script_reads_is_remembered_for_its_client() -> None:
    one, _ = clients()
    script = "redis.call('set', KEYS[2], 1) return redis.call('get', KEYS[1])"
    assert one("EVAL", script, "2", "a", "b") == [None]
    assert one("EVAL_RO", "return 1", "1", "c") == [1]
    assert one.engine.tracking.table.keys() == [b"a"]
    assert one("EVAL", "return redis.call('set', KEYS[1], 1)", "1", "a") == [b"OK", changed(b"a")]


def test_keys_that_are_evicted_are_told_of() -> None:
    one, other = clients()
    other("SET a 1")
    one("GET a")
    other("CONFIG SET maxmemory-policy allkeys-random")
    other("CONFIG SET maxmemory 1")
    other("PING")
    assert one.heard() == [changed(b"a")]


def test_a_client_hears_of_its_own_changes_behind_the_reply() -> None:
    one, _ = clients()
    one("GET a")
    assert one("SET a 1") == [b"OK", changed(b"a")]
    one("MULTI")
    one("GET a")
    one("SET a 2")
    one("GET a")
    assert one("EXEC") == [[b"1", b"OK", b"2"], changed(b"a")]
    assert one("SET a 3") == [b"OK", changed(b"a")]


def test_without_a_loop_it_hears_only_of_others() -> None:
    one, other = clients("NOLOOP")
    one("GET a")
    assert one("SET a 1") == [b"OK"]
    one("GET a")
    other("SET a 2")
    assert one.heard() == [changed(b"a")]


def test_a_client_that_waited_gets_its_reply_first() -> None:
    for options, expected in (([], [b"a", changed(b"target")]), (["NOLOOP"], [b"a"])):
        one, other = clients(*options)
        one("LLEN target")
        assert one("BLMOVE list target LEFT LEFT 0") == []
        other("RPUSH list a")
        assert one.heard() == expected


def test_what_a_client_waited_for_is_remembered_again() -> None:
    one, other = clients()
    assert one("XREAD BLOCK 0 STREAMS s t $ $") == []
    other("XADD s 1-1 a b")
    told, reply = one.heard()
    assert told == changed(b"s")
    assert list(reply) == [[b"s", [[b"1-1", [b"a", b"b"]]]]]
    other("XADD s 2-1 a b")
    assert one.heard() == [changed(b"s")]
    other("XADD s 3-1 a b")
    assert one.heard() == []
    other("XADD t 1-1 a b")
    assert one.heard() == [changed(b"t")]


def test_an_exception_lasts_until_a_command_that_waits_is_done() -> None:
    one, other = clients("OPTIN")
    one("CLIENT CACHING YES")
    assert one("XREAD BLOCK 0 STREAMS s $") == []
    other("XADD s 1-1 a b")
    assert one.heard()[0] == changed(b"s")
    other("XADD s 2-1 a b")
    assert one.heard() == [changed(b"s")]
    one("GET a")
    other("SET a 1")
    assert one.heard() == []


def test_what_a_client_did_not_want_to_be_remembered_is_not_when_it_has_waited() -> None:
    for options in (("OPTIN",), ("BCAST", "PREFIX", "other")):
        one, other = clients(*options)
        assert one("XREAD BLOCK 0 STREAMS s $") == []
        other("XADD s 1-1 a b")
        assert len(one.heard()) == 1
        other("XADD s 2-1 a b")
        assert one.heard() == []


def test_exceptions_for_the_next_command() -> None:
    one, other = clients("OPTIN")
    one("GET a")
    one("CLIENT CACHING YES")
    one("CLIENT ID")
    one("GET b")
    one("GET c")
    other("MSET a 1 b 2 c 3")
    assert one.heard() == [changed(b"b")]
    one, other = clients("OPTOUT")
    one("CLIENT CACHING NO")
    one("MULTI")
    one("GET a")
    one("GET b")
    one("EXEC")
    one("GET c")
    other("MSET a 1 b 2 c 3")
    assert one.heard() == [changed(b"c")]


def test_broadcasting_tells_once_of_all_keys_of_a_turn() -> None:
    one, other = clients("BCAST", "PREFIX", "user:", "PREFIX", "item:")
    other("MSET user:2 a user:1 b item:1 c other d")
    assert one.heard() == [changed(b"item:1"), changed(b"user:1", b"user:2")]
    engine = one.engine
    engine.enter()
    for _ in range(3):
        engine.call(other.session, [b"INCR", b"user:3"])
        engine.call(other.session, [b"INCR", b"user:4"])
    assert one.heard() == []
    engine.leave()
    assert one.heard() == [changed(b"user:3", b"user:4")]
    assert len(engine.tracking.table) == 0


def test_broadcasting_without_a_loop_goes_by_who_changed_a_key_last() -> None:
    one, other = clients("BCAST", "NOLOOP")
    one("SET a 1")
    assert one.heard() == []
    engine = one.engine
    engine.enter()
    engine.call(one.session, [b"MSET", b"a", b"1", b"b", b"1"])
    engine.call(other.session, [b"SET", b"b", b"2"])
    engine.leave()
    assert one.heard() == [changed(b"b")]


def test_messages_go_to_another_client() -> None:
    engine = Engine()
    one, listener = Client(engine, 2), Client(engine, 2)
    listener("SUBSCRIBE __redis__:invalidate")
    assert one(f"CLIENT TRACKING ON REDIRECT {listener.session.id}") == [b"OK"]
    one("GET a")
    assert one("SET a 1") == [b"OK"]
    assert listener.heard() == [Push((b"message", b"__redis__:invalidate", [b"a"]))]
    assert one("CLIENT GETREDIR") == [listener.session.id]
    one("FLUSHALL")
    assert listener.heard() == [Push((b"message", b"__redis__:invalidate", None))]


def test_a_redirection_that_is_broken_is_told_of() -> None:
    engine = Engine()
    one, listener = Client(engine), Client(engine)
    target = listener.session.id
    one(f"CLIENT TRACKING ON REDIRECT {target}")
    one("GET a")
    engine.disconnect(listener.session)
    assert one("SET a 1") == [b"OK", Push((b"tracking-redir-broken", target))]
    (info,) = one("CLIENT TRACKINGINFO")
    assert info[b"flags"] == [b"on", b"broken_redirect"]
    assert b" flags=tR " in one("CLIENT INFO")[0]


def test_flushing_makes_everyone_forget_everything() -> None:
    one, other = clients()
    broadcast = Client(one.engine)
    broadcast("CLIENT TRACKING ON BCAST PREFIX x")
    one("GET a")
    other("FLUSHDB")
    nothing = Push((b"invalidate", None))
    assert one.heard() == broadcast.heard() == [nothing]
    assert len(one.engine.tracking.table) == 0
    assert one("FLUSHALL") == [b"OK", nothing]


def test_keys_that_expire_are_told_of() -> None:
    one, other = clients()
    clock = one.engine.clock
    assert isinstance(clock, ManualClock)
    other("SET a 1 PX 100")
    other("HSET hash f 1 g 2")
    other("HPEXPIRE hash 100 FIELDS 1 f")
    one("EXISTS a hash")
    clock.advance(0.1)
    one.engine.enter()
    one.engine.tick()
    one.engine.leave()
    assert sorted(message[1] for message in one.heard()) == [[b"a"], [b"hash"]]


def test_a_full_table_forgets_keys_and_says_so() -> None:
    one, other = clients()
    other("CONFIG SET tracking-table-max-keys 10")
    told = []
    for number in range(100):
        told += [message[1][0] for message in one(f"GET key:{number}") if isinstance(message, Push)]
    table = one.engine.tracking.table
    assert len(table) == one.engine.tracking.items == 10
    assert len(told) == 90
    assert set(told) | set(table.keys()) == {b"key:%d" % number for number in range(100)}
    other("CONFIG SET tracking-table-max-keys 0")
    one("MGET a b c d e f g h i j")
    assert len(table) == 20
    other("CONFIG SET tracking-table-max-keys 5")
    one("GET k")
    assert len(table) == 5


def test_who_tracks_no_more_hears_nothing() -> None:
    one, other = clients()
    third = Client(one.engine)
    third("CLIENT TRACKING ON BCAST")
    one("GET a")
    one("CLIENT TRACKING OFF")
    other("SET a 1")
    assert one.heard() == []
    third("RESET")
    other("SET a 2")
    assert third.heard() == []
    engine = one.engine
    assert engine.space.on_change is None
    assert (engine.tracking.items, len(engine.tracking.prefixes)) == (0, 0)


def test_who_is_gone_is_forgotten() -> None:
    one, other = clients()
    one.engine.disconnect(one.session)
    assert not one.engine.tracking.trackers
    other("SET a 1")
    assert one.heard() == []


def test_info_counts_clients_keys_and_readers() -> None:
    one, other = clients()
    other("CLIENT TRACKING ON")
    for client in (one, other):
        client("MGET a b")
    one("GET c")
    lines = one("INFO everything")[0].split(b"\r\n")
    assert {b"tracking_clients:2", b"tracking_total_keys:3", b"tracking_total_items:5"} < set(lines)


def test_what_reads_the_same_key_stands_in_order_once() -> None:
    engine = Engine()
    engine.next_session = 250
    readers = [Client(engine) for _ in range(20)]
    for reader in readers:
        reader("CLIENT TRACKING ON")
    chance = random.Random(1)
    for reader in chance.choices(readers, k=200):
        reader("GET a")
    tokens = engine.tracking.table.get(b"a")
    assert tokens is not None
    singly = [tokens[at : at + 8] for at in range(0, len(tokens), 8)]
    assert singly == sorted(set(singly))
    assert len(singly) == engine.tracking.items
    readers[0]("SET a 1")
    told = [reader.session.id.to_bytes(8, "big") for reader in readers[1:] if reader.heard() == [changed(b"a")]]
    assert set(told) == set(singly) - {readers[0].session.id.to_bytes(8, "big")}


def test_no_key_of_the_table_is_an_object_of_the_collector() -> None:
    one, _ = clients()
    one("GET first")
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        one(f"GET key:{number}")
    gc.collect()
    assert len(gc.get_objects()) - before < 100
