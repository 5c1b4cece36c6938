"""Listening: one subscriber for many, queues with an end, and feeds that are resumed without gap or duplicate."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from alcove.patterns import Closed, InvalidArgument, SlowListener
from tests.patterns.conftest import Toolkit
from tests.waiting import PATIENCE_S, eventually

# Nobody waits for so long in a test that passes.


def taken(source: Any, count: int) -> list[Any]:
    found = []
    while len(found) < count:
        one = source.get(PATIENCE_S)
        assert one is not None, f"only {len(found)} of {count} arrived"
        found.append(one)
    return found


# Broadcaster


@pytest.fixture
def broadcaster(live_toolkit: Toolkit) -> Any:
    made = live_toolkit.make("Broadcaster")
    yield made
    getattr(made, "close" if live_toolkit.thread is None else "aclose")()


def close(live_toolkit: Toolkit, thing: Any) -> None:
    getattr(thing, "close" if live_toolkit.thread is None else "aclose")()


def publisher(live_toolkit: Toolkit) -> Any:
    """A client whose messages keep their order: a cluster's sends each to whatever node."""
    client: Any = live_toolkit.client
    if hasattr(client, "get_default_node"):
        return client.get_redis_connection(client.get_default_node())
    return client


def test_one_connection_for_many_listeners(live_toolkit: Toolkit, broadcaster: Any) -> None:
    """The chapter subscribes one connection to everybody's channels and sends all to every socket."""
    client = live_toolkit.client
    listeners = [broadcaster.listen([f"user:{number % 5}", "all"]) for number in range(20)]
    assert client.pubsub_numsub("all") == [(b"all", 1)] or live_toolkit.place.__class__.__name__ == "Cluster"
    for number in range(5):
        client.publish(f"user:{number}", f"for {number}")
    client.publish("all", "for all")
    for number, listener in enumerate(listeners):
        assert sorted(taken(listener, 2)) == [("all", b"for all"), (f"user:{number % 5}", f"for {number % 5}".encode())]
    assert all(listener.get(0.01) is None for listener in listeners)


def test_what_is_published_after_listen_returned_arrives(live_toolkit: Toolkit, broadcaster: Any) -> None:
    for number in range(15):
        listener = broadcaster.listen(["news"])
        live_toolkit.client.publish("news", str(number))
        assert taken(listener, 1) == [("news", str(number).encode())]
        close(live_toolkit, listener)
        with pytest.raises(Closed):
            listener.get(1)


def test_threads_come_and_go(live_toolkit: Toolkit, broadcaster: Any) -> None:
    failures = []

    def visit(number: int) -> None:
        for turn in range(8):
            listener = broadcaster.listen(["news", f"own:{number}"], timeout=PATIENCE_S)
            live_toolkit.client.publish(f"own:{number}", str(turn))
            while (message := listener.get(PATIENCE_S)) is not None:
                if message == (f"own:{number}", str(turn).encode()):
                    break
            else:
                failures.append((number, turn))
            close(live_toolkit, listener)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("overflow", "left", "dropped"), [("drop_oldest", [b"7", b"8", b"9"], 7), ("drop_newest", [b"0", b"1", b"2"], 7)]
)
def test_a_slow_listener_drops(
    live_toolkit: Toolkit, broadcaster: Any, overflow: str, left: list[bytes], dropped: int
) -> None:
    slow, quick = broadcaster.listen(["c"], limit=3, overflow=overflow), broadcaster.listen(["c"])
    client = publisher(live_toolkit)
    for number in range(10):
        client.publish("c", str(number))
    assert [data for _, data in taken(quick, 10)] == [str(number).encode() for number in range(10)]
    assert [data for _, data in taken(slow, 3)] == left
    assert slow.dropped == dropped


def test_a_slow_listener_is_disconnected(live_toolkit: Toolkit, broadcaster: Any) -> None:
    slow, quick = broadcaster.listen(["c"], limit=3, overflow="disconnect"), broadcaster.listen(["c"])
    client = publisher(live_toolkit)
    for number in range(5):
        client.publish("c", str(number))
    taken(quick, 5)
    assert [data for _, data in taken(slow, 3)] == [b"0", b"1", b"2"]
    with pytest.raises(SlowListener):
        slow.get(1)


def kill_subscribers(live_toolkit: Toolkit) -> None:
    """Breaks the connections that subscribe."""
    client: Any = live_toolkit.client
    if hasattr(client, "get_primaries"):
        for node in client.get_primaries():
            client.execute_command("CLIENT KILL TYPE PUBSUB", target_nodes=node)
    else:
        client.execute_command("CLIENT KILL", "TYPE", "pubsub")


def test_a_lost_connection_is_told_and_made_again(live_toolkit: Toolkit, broadcaster: Any) -> None:
    listener = broadcaster.listen(["c"])
    live_toolkit.client.publish("c", "before")
    assert taken(listener, 1) == [("c", b"before")]
    kill_subscribers(live_toolkit)
    eventually(lambda: listener.interrupted)
    listener.interrupted = False
    live_toolkit.client.publish("c", "after")
    assert taken(listener, 1) == [("c", b"after")]


def test_listening_to_nothing(broadcaster: Any) -> None:
    for wrong in ([], "news", [""], [5]):
        with pytest.raises(InvalidArgument):
            broadcaster.listen(wrong)
    for options in ({"limit": 0}, {"overflow": "explode"}):
        with pytest.raises(InvalidArgument):
            broadcaster.listen(["c"], **options)


def test_a_closed_broadcaster(live_toolkit: Toolkit) -> None:
    made = live_toolkit.make("Broadcaster")
    listener = made.listen(["c"])
    live_toolkit.client.publish("c", "last")
    assert taken(listener, 1) == [("c", b"last")]
    close(live_toolkit, made)
    with pytest.raises(Closed):
        listener.get(1)
    with pytest.raises(Closed):
        made.listen(["c"])


# Feeds


@pytest.fixture
def feeds(live_toolkit: Toolkit) -> Any:
    return live_toolkit.make("Feeds", "feed")


def payloads(entries: Any) -> list[Any]:
    return [entry.payload for entry in entries]


def test_what_is_posted_is_kept_and_heard(live_toolkit: Toolkit, feeds: Any) -> None:
    first = feeds.post("a", {"n": 1})
    with feeds.subscribe({"a": None}) as subscription:
        second = feeds.post("a", {"n": 2})
        (heard,) = taken(subscription, 1)
        assert (heard.id, heard.payload, heard.feed) == (second.id, {"n": 2}, "a")
        assert abs(heard.timestamp - time.time()) < 60
        feeds.announce("a", "not kept")
        assert (taken(subscription, 1)[0].id, subscription.get(0.01)) == ("", None)
    assert payloads(feeds.latest("a")) == [{"n": 1}, {"n": 2}]
    assert payloads(feeds.latest("a", 1)) == [{"n": 2}]
    assert payloads(feeds.latest("a", before=second.id)) == [{"n": 1}]
    assert payloads(feeds.after("a", first.id)) == [{"n": 2}]
    assert feeds.latest("b") == []


def test_an_id_of_the_callers_is_posted_once(live_toolkit: Toolkit, feeds: Any) -> None:
    with feeds.subscribe({"a": None}) as subscription:
        first = feeds.post("a", 1, id="order-7")
        assert feeds.post("a", 1, id="order-7").id == first.id
        feeds.post("a", 2)
        assert payloads(taken(subscription, 2)) == [1, 2]
    assert payloads(feeds.latest("a")) == [1, 2]


def test_history_has_an_end(live_toolkit: Toolkit) -> None:
    feeds = live_toolkit.make("Feeds", "feed", history=100, ttl=100)
    for number in range(500):
        feeds.post("a", number)
    kept = feeds.latest("a", 1000)
    assert 100 <= len(kept) <= 300
    assert kept[-1].payload == 499
    assert 90_000 < live_toolkit.client.pttl("feed:{a}") <= 100_000
    with feeds.subscribe({"a": "1-0"}) as subscription:
        taken(subscription, 100)
        assert subscription.missed


@pytest.mark.parametrize("seed", range(2))
def test_no_gap_and_no_duplicate(live_toolkit: Toolkit, seed: int) -> None:
    """Writers write, connections break, listeners leave and come back where they were: each hears each message once."""
    chance = random.Random(seed)
    writer, reader = (live_toolkit.make("Feeds", "feed") for _ in range(2))
    total = 120
    done = threading.Event()

    def write() -> None:
        for number in range(total):
            writer.post("ab"[number % 2], number)
            if number % 40 == 20:
                kill_subscribers(live_toolkit)
        done.set()

    places: dict[str, str] = {"a": "0-0", "b": "0-0"}
    heard: list[int] = []
    thread = threading.Thread(target=write)
    thread.start()
    give_up = time.monotonic() + PATIENCE_S
    while len(heard) < total:
        assert time.monotonic() < give_up, f"{len(heard)} of {total} heard"
        with reader.subscribe(dict(places), limit=chance.choice([2, 5, 1000])) as subscription:
            for _ in range(chance.randrange(1, 60)):
                entry = subscription.get(0.2)
                if entry is not None:
                    heard.append(entry.payload)
                if done.is_set() and len(heard) >= total:
                    break
            places = dict(subscription.places)
    thread.join()
    assert sorted(heard) == list(range(total))
    for parity in (0, 1):
        assert [number for number in heard if number % 2 == parity] == list(range(parity, total, 2))


def test_places_that_are_none(feeds: Any) -> None:
    for wrong in ("", "x", "5", "1-x", 5):
        with pytest.raises(InvalidArgument):
            feeds.after("a", wrong)
    with pytest.raises(InvalidArgument):
        feeds.latest("a", 0)
    with pytest.raises(InvalidArgument):
        feeds.post("a", 1, id="")
