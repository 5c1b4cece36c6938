"""Pub/Sub: what subscribing answers and in which order, who gets a message, and what a subscriber may say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from alcove.engine.engine import Engine
from alcove.engine.glob import matches
from alcove.protocol.output import OutputBuffer
from alcove.protocol.writer import ReplyWriter

Words = bytes | str | int


class Peer:
    """A connection of its own: commands out, and replies and messages in, in the order in which they come."""

    def __init__(self, r: redis.Redis) -> None:
        self._pool = r.connection_pool
        self.connection: Any = self._pool.get_connection()

    def send(self, *words: Words) -> None:
        self.connection.send_command(*words)

    def next(self) -> Any:
        try:
            return self.connection.read_response(push_request=True)
        except redis.ResponseError as error:
            return error

    def call(self, *words: Words) -> Any:
        self.send(*words)
        return self.next()

    def error(self, *words: Words) -> str:
        reply = self.call(*words)
        assert isinstance(reply, redis.ResponseError), reply
        return str(reply)

    def got_nothing(self) -> bool:
        """Whether nothing has come before the reply to this."""
        return self.call("PING", "mark") in (b"mark", [b"pong", b"mark"])

    def close(self) -> None:
        self.connection.disconnect()
        self._pool.release(self.connection)


@pytest.fixture
def peer(r: redis.Redis) -> Iterator[Callable[[], Peer]]:
    """Opens connections."""
    peers: list[Peer] = []

    def open_one() -> Peer:
        peers.append(Peer(r))
        return peers[-1]

    yield open_one
    for each in peers:
        each.close()


@pytest.fixture
def one(peer: Callable[[], Peer]) -> Peer:
    return peer()


@pytest.fixture
def other(peer: Callable[[], Peer]) -> Peer:
    return peer()


def command(r: redis.Redis, *words: Words) -> Any:
    """What redis-py does not declare with types."""
    return r.execute_command(*words)  # type: ignore[no-untyped-call]


def protocol(peer: Peer) -> int:
    return int(peer.connection.get_protocol())


# Subscribing


def test_each_channel_is_answered_with_the_number_of_subscriptions(one: Peer) -> None:
    one.send("SUBSCRIBE", "a", "b", "a")
    assert [one.next() for _ in range(3)] == [
        [b"subscribe", b"a", 1],
        [b"subscribe", b"b", 2],
        [b"subscribe", b"a", 2],
    ]


def test_channels_and_patterns_count_together_and_shard_channels_apart(one: Peer) -> None:
    assert one.call("SUBSCRIBE", "a") == [b"subscribe", b"a", 1]
    assert one.call("PSUBSCRIBE", "a*") == [b"psubscribe", b"a*", 2]
    assert one.call("SSUBSCRIBE", "a") == [b"ssubscribe", b"a", 1]
    assert one.call("SUBSCRIBE", "b") == [b"subscribe", b"b", 3]
    assert one.call("PUNSUBSCRIBE", "a*") == [b"punsubscribe", b"a*", 2]
    assert one.call("SUNSUBSCRIBE", "a") == [b"sunsubscribe", b"a", 0]


@pytest.mark.parametrize("prefix", ["", "P", "S"])
def test_unsubscribing_from_all_answers_each(one: Peer, prefix: str) -> None:
    one.send(f"{prefix}SUBSCRIBE", "a", "b")
    one.next(), one.next()
    one.send(f"{prefix}UNSUBSCRIBE")
    kind = f"{prefix}unsubscribe".lower().encode()
    assert [one.next() for _ in range(2)] == [[kind, b"a", 1], [kind, b"b", 0]]
    assert one.got_nothing()


@pytest.mark.parametrize("prefix", ["", "P", "S"])
def test_unsubscribing_from_nothing_is_answered_once(one: Peer, prefix: str) -> None:
    kind = f"{prefix}unsubscribe".lower().encode()
    assert one.call(f"{prefix}UNSUBSCRIBE") == [kind, None, 0]
    assert one.call(f"{prefix}UNSUBSCRIBE", "x") == [kind, b"x", 0]
    assert one.call("PING") == b"PONG"


def test_unsubscribing_tells_how_many_of_the_other_kind_are_left(one: Peer) -> None:
    one.call("PSUBSCRIBE", "*")
    assert one.call("UNSUBSCRIBE") == [b"unsubscribe", None, 1]
    assert one.call("UNSUBSCRIBE", "x") == [b"unsubscribe", b"x", 1]
    assert one.call("SUNSUBSCRIBE") == [b"sunsubscribe", None, 0]


@pytest.mark.parametrize("name", ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
def test_a_subscription_needs_a_name(one: Peer, name: str) -> None:
    assert one.error(name) == f"wrong number of arguments for '{name.lower()}' command"


# Messages


def test_a_message_reaches_those_who_listen(r: redis.Redis, one: Peer, other: Peer) -> None:
    one.call("SUBSCRIBE", "news")
    other.call("SUBSCRIBE", "sports")
    assert r.publish("news", "hello") == 1
    assert one.next() == [b"message", b"news", b"hello"]
    assert one.got_nothing()
    assert other.got_nothing()
    assert r.publish("weather", "rain") == 0


def test_names_and_messages_are_any_bytes(r: redis.Redis, one: Peer) -> None:
    name, message = b"\0\r\n\xff ", bytes(range(256)) * 1000
    one.call("SUBSCRIBE", name)
    assert r.publish(name, message) == 1
    assert one.next() == [b"message", name, message]
    one.call("SUBSCRIBE", b"")
    assert r.publish(b"", b"") == 1
    assert one.next() == [b"message", b"", b""]


def test_a_message_comes_for_the_channel_and_for_every_pattern_it_fits(r: redis.Redis, one: Peer) -> None:
    one.call("SUBSCRIBE", "news:a")
    one.call("PSUBSCRIBE", "news:*")
    one.call("PSUBSCRIBE", "*:[a-c]")
    one.call("PSUBSCRIBE", "*:b")
    assert r.publish("news:a", "m") == 3
    assert one.next() == [b"message", b"news:a", b"m"]
    assert sorted([one.next(), one.next()]) == [
        [b"pmessage", b"*:[a-c]", b"news:a", b"m"],
        [b"pmessage", b"news:*", b"news:a", b"m"],
    ]
    assert one.got_nothing()


def test_who_unsubscribes_gets_no_more(r: redis.Redis, one: Peer) -> None:
    one.call("SUBSCRIBE", "a")
    one.call("PSUBSCRIBE", "a*")
    one.call("UNSUBSCRIBE", "a")
    assert r.publish("a", "1") == 1
    assert one.next() == [b"pmessage", b"a*", b"a", b"1"]
    one.call("PUNSUBSCRIBE", "a*")
    assert r.publish("a", "2") == 0
    assert one.call("GET", "a") is None


def test_shard_channels_are_apart_from_channels(r: redis.Redis, one: Peer) -> None:
    one.call("SSUBSCRIBE", "a")
    one.call("PSUBSCRIBE", "*")
    assert command(r, "SPUBLISH", "a", "sharded") == 1
    assert one.next() == [b"smessage", b"a", b"sharded"]
    assert r.publish("a", "plain") == 1
    assert one.next() == [b"pmessage", b"*", b"a", b"plain"]
    assert one.got_nothing()


def test_messages_cross_databases_and_are_in_order(r: redis.Redis, one: Peer, other: Peer) -> None:
    one.call("SUBSCRIBE", "a", "b")
    one.next()
    other.call("SELECT", 5)
    for number in range(100):
        other.call("PUBLISH", "ab"[number % 2], number)
    assert [one.next()[2] for _ in range(100)] == [b"%d" % number for number in range(100)]


def test_who_is_gone_is_no_receiver(r: redis.Redis, peer: Callable[[], Peer]) -> None:
    gone = peer()
    gone.call("SUBSCRIBE", "a")
    gone.call("PSUBSCRIBE", "*")
    assert r.publish("a", "m") == 2
    assert command(r, "CLIENT", "KILL", "TYPE", "pubsub") == 1
    assert r.publish("a", "m") == 0


# A command's own messages stand behind its reply


def test_a_subscriber_that_publishes_gets_the_reply_first(one: Peer) -> None:
    one.call("SUBSCRIBE", "a")
    if protocol(one) == 2:
        assert one.error("PUBLISH", "a", "m").startswith("Can't execute 'publish'")
        return
    one.send("PUBLISH", "a", "m")
    assert one.connection.read_response() == 1
    assert one.next() == [b"message", b"a", b"m"]


def test_in_a_transaction_messages_stand_behind_the_replies() -> None:
    engine = Engine()
    session = engine.connect("tcp")
    pushed: list[Any] = []
    session.push = pushed.append
    for argv in ([b"MULTI"], [b"SUBSCRIBE", b"a"], [b"PUBLISH", b"a", b"m"], [b"SSUBSCRIBE", b"a"]):
        engine.execute(session, argv)
    reply, *late = engine.execute(session, [b"EXEC"])
    assert reply[:2] == [[b"subscribe", b"a", 1], 1]
    assert str(reply[2]) == "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
    assert late == [[b"message", b"a", b"m"]]
    assert pushed == []


def test_subscribing_to_several_channels_in_a_transaction() -> None:
    """As on the real server there are more replies than EXEC's header says: it counts commands."""
    engine = Engine()
    session = engine.connect("tcp")
    for argv in ([b"MULTI"], [b"SUBSCRIBE", b"a", b"b"], [b"GET", b"x"]):
        engine.execute(session, argv)
    out = OutputBuffer()
    ReplyWriter(out).write(engine.execute(session, [b"EXEC"]))
    first, second = (b"*3\r\n$9\r\nsubscribe\r\n$1\r\n%b\r\n:%d\r\n" % pair for pair in ((b"a", 1), (b"b", 2)))
    assert out.take(len(out)) == b"*2\r\n" + first + second + b"$-1\r\n"


def test_client_reply_does_not_keep_messages_back(r: redis.Redis, one: Peer) -> None:
    one.send("CLIENT", "REPLY", "OFF")
    assert one.call("SUBSCRIBE", "a") == [b"subscribe", b"a", 1]
    one.send("PING")
    r.publish("a", "m")
    assert one.next() == [b"message", b"a", b"m"]


# What a subscriber may say


def test_on_resp2_a_subscriber_says_little(one: Peer) -> None:
    one.call("SUBSCRIBE", "a")
    if protocol(one) == 3:
        assert one.call("GET", "x") is None
        assert one.call("PING") == b"PONG"
        return
    allowed = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    assert one.error("GET", "x") == f"Can't execute 'get': {allowed}"
    assert one.error("CLIENT", "INFO") == f"Can't execute 'client|info': {allowed}"
    assert one.call("PING") == [b"pong", b""]
    assert one.call("PING", "hello") == [b"pong", b"hello"]
    one.call("UNSUBSCRIBE", "a")
    assert one.call("GET", "x") is None


def test_reset_ends_all_subscriptions_without_a_word(r: redis.Redis, one: Peer) -> None:
    for name in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
        one.call(name, "a")
    assert one.call("RESET") == b"RESET"
    assert one.call("PING") == b"PONG"
    assert r.publish("a", "m") == 0
    assert command(r, "SPUBLISH", "a", "m") == 0


def test_a_subscriber_may_quit(one: Peer) -> None:
    one.call("SUBSCRIBE", "a")
    assert one.call("QUIT") == b"OK"


# Asking


def test_pubsub_channels_and_numsub(r: redis.Redis, one: Peer, other: Peer) -> None:
    one.call("SUBSCRIBE", "news:a")
    other.call("SUBSCRIBE", "news:a")
    other.call("SUBSCRIBE", "sports")
    other.call("SSUBSCRIBE", "shard")
    assert sorted(r.pubsub_channels()) == [b"news:a", b"sports"]
    assert r.pubsub_channels("news:*") == [b"news:a"]
    assert r.pubsub_numsub("news:a", "sports", "none") == [(b"news:a", 2), (b"sports", 1), (b"none", 0)]
    assert r.pubsub_numsub() == []
    assert r.pubsub_shardchannels() == [b"shard"]
    assert r.pubsub_shardchannels("x*") == []
    assert r.pubsub_shardnumsub("shard", "news:a") == [(b"shard", 1), (b"news:a", 0)]


def test_pubsub_numpat_counts_patterns_and_not_their_listeners(r: redis.Redis, one: Peer, other: Peer) -> None:
    one.call("PSUBSCRIBE", "a*")
    other.call("PSUBSCRIBE", "a*")
    other.call("PSUBSCRIBE", "b*")
    assert r.pubsub_numpat() == 2


def test_pubsub_has_subcommands(one: Peer) -> None:
    assert one.error("PUBSUB", "foo") == "unknown subcommand 'foo'. Try PUBSUB HELP."
    text = "unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP."
    assert one.error("PUBSUB", "CHANNELS", "a", "b") == text
    lines = one.call("PUBSUB", "HELP")
    assert lines[0] == b"PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert b"NUMPAT" in lines


def test_what_others_see_of_a_subscriber(r: redis.Redis, one: Peer) -> None:
    identity = one.call("CLIENT", "ID")
    one.call("SUBSCRIBE", "a", "b")
    one.next()
    one.call("PSUBSCRIBE", "a*")
    one.call("SSUBSCRIBE", "c")
    row = next(row for row in r.client_list(_type="pubsub") if row["id"] == str(identity))
    assert (row["sub"], row["psub"], row["ssub"], row["flags"]) == ("2", "1", "1", "P")
    stats = r.info("stats")
    assert (stats["pubsub_channels"], stats["pubsub_patterns"], stats["pubsubshard_channels"]) == (2, 1, 1)
    assert r.info("clients")["pubsub_clients"] == 1


# Patterns that are made to take long


@pytest.mark.parametrize(
    ("pattern", "channel", "fits"),
    [
        (b"a*" * 10_000 + b"b", b"a" * 5_000, False),
        (b"*a" * 10_000, b"a" * 10_000, True),
        (b"*" * 100_000 + b"b", b"a" * 1_000, False),
        (b"*?" * 2_000, b"a" * 2_000, True),
        (b"*[a-b]" * 1_000 + b"c", b"a" * 3_000, False),
        (b"[" * 100_000, b"[", True),
        (b"\\*" * 1_000, b"*" * 1_000, True),
        (b"*" + b"a" * 500 + b"b", b"a" * 1_500, False),
    ],
)
def test_a_hostile_pattern_is_answered(r: redis.Redis, one: Peer, pattern: bytes, channel: bytes, fits: bool) -> None:
    one.call("PSUBSCRIBE", pattern)
    assert r.publish(channel, "m") == fits
    assert matches(pattern, channel) == fits


def test_many_patterns(r: redis.Redis, one: Peer) -> None:
    names = [f"channel:{number}:*" for number in range(2_000)]
    one.send("PSUBSCRIBE", *names)
    assert [one.next()[2] for _ in names] == list(range(1, 2_001))
    assert r.publish("channel:77:x", "m") == 1
    assert one.next() == [b"pmessage", b"channel:77:*", b"channel:77:x", b"m"]
    one.send("PUNSUBSCRIBE")
    assert [one.next()[2] for _ in names] == list(reversed(range(2_000)))
    assert r.pubsub_numpat() == 0
