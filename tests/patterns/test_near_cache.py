"""The near-cache: what costs no trip, and that nothing is served in the process that has changed elsewhere."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alcove.patterns import InvalidArgument
from alcove.patterns.core import near as core
from alcove.patterns.core.near import PULSE_S, Kept, Near
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Cluster
from tests.waiting import PATIENCE_S, eventually


class Trips:
    """Counts what a cache's client sends."""

    def __init__(self, cache: Any) -> None:
        # Behind the facade of the asyncio classes.
        self.client = getattr(cache, "_target", cache).client
        self.count = 0
        self._send = self.client.execute_command
        self.client.execute_command = self._counted

    def _counted(self, *words: Any, **options: Any) -> Any:
        self.count += 1
        return self._send(*words, **options)

    def of(self, function: Callable[[], Any]) -> int:
        before = self.count
        function()
        return self.count - before


def made(toolkit: Toolkit, **options: Any) -> tuple[Any, Trips]:
    cache = toolkit.make("Cache", **{"beta": 0.0, "near": 100, **options})
    return cache, Trips(cache)


def warm(cache: Any, trips: Trips, *keys: str) -> None:
    """Reads until all is in the process: the server has confirmed, and told of all that was done before."""
    eventually(lambda: trips.of(lambda: cache.get_many(keys, lambda missing: {})) == 0)


def near_of(cache: Any) -> Near:
    near: Near = getattr(cache, "_target", cache)._near
    return near


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 2}, {"protocol": 3}])
def test_a_hit_costs_no_trip(live_toolkit: Toolkit, options: dict[str, Any]) -> None:
    cache, trips = made(live_toolkit, client_options=options)
    cache.set("k", {"a": [1]})
    warm(cache, trips, "k")

    def read() -> None:
        # Each gets an object of its own.
        cache.get("k")["a"].append(2)
        assert cache.get("k") == {"a": [1]}
        assert cache.get_or_load("k", lambda: "never") == {"a": [1]}
        assert cache.get_many(["k"], lambda keys: {}) == {"k": {"a": [1]}}

    assert trips.of(read) == 0


def test_many_cost_a_trip_for_those_that_are_not_near(live_toolkit: Toolkit) -> None:
    cache, trips = made(live_toolkit, as_hash=True)
    cache.set("a", {"n": 1})
    warm(cache, trips, "a")
    cache.set("b", {"n": 2})
    assert cache.get_many(["a", "b"], lambda keys: {}) == {"a": {"n": 1}, "b": {"n": 2}}
    warm(cache, trips, "a", "b")
    assert cache.get_many(["b", "a"], lambda keys: {}) == {"a": {"n": 1}, "b": {"n": 2}}


@pytest.mark.parametrize("near", [None, 0])
def test_without_it_each_read_is_a_trip(live_toolkit: Toolkit, near: int | None) -> None:
    cache, trips = made(live_toolkit, near=near)
    cache.set("k", 1)
    cache.get("k")
    assert [trips.of(lambda: cache.get("k")) for _ in range(3)] == [1, 1, 1]
    close(live_toolkit, cache)


def close(toolkit: Toolkit, cache: Any) -> None:
    if toolkit.thread is None:
        cache.close()
    else:
        cache.aclose()


ACTS: dict[str, Callable[[Any, list[str]], Any]] = {
    "invalidate": lambda cache, keys: cache.invalidate(*keys),
    "tags": lambda cache, keys: cache.invalidate_tags("t"),
    "all": lambda cache, keys: cache.invalidate_all(),
    "set": lambda cache, keys: [cache.set(key, "new") for key in keys],
    "write_through": lambda cache, keys: [cache.write_through(key, lambda: "new") for key in keys],
}


@pytest.mark.parametrize("act", ACTS)
def test_what_another_one_does_is_seen(live_toolkit: Toolkit, act: str) -> None:
    """On every node of a cluster: the keys are spread over all of them."""
    (cache, trips), other = made(live_toolkit, shards=16), live_toolkit.make("Cache", shards=16)
    keys = [f"k{number}" for number in range(30)]
    for key in keys:
        cache.set(key, "old", tags=["t"])
    warm(cache, trips, *keys)
    ACTS[act](other, keys)
    expected = "new" if act in ("set", "write_through") else None
    eventually(lambda: set(cache.get_many(keys, lambda missing: {}).values()) == {expected})


@pytest.mark.parametrize("act", ACTS)
def test_what_it_does_itself_is_seen_at_once(live_toolkit: Toolkit, act: str) -> None:
    cache, trips = made(live_toolkit)
    cache.set("k", "old", tags=["t"])
    warm(cache, trips, "k")
    expected = "new" if act in ("set", "write_through") else None
    for _ in range(20):
        cache.set("k", "old", tags=["t"])
        assert cache.get("k") == "old"
        ACTS[act](cache, ["k"])
        assert cache.get("k") == expected


@pytest.mark.parametrize("who", ["another", "itself"])
def test_a_tag_takes_only_what_has_it(live_toolkit: Toolkit, who: str) -> None:
    cache, trips = made(live_toolkit, as_hash=True)
    for key, tags in {"a": ["t", "u"], "b": ["u", "ü:{1} "], "c": []}.items():
        cache.set(key, {"is": key}, tags=tags)
    warm(cache, trips, "a", "b", "c")
    (live_toolkit.make("Cache", as_hash=True) if who == "another" else cache).invalidate_tags("t")
    eventually(lambda: cache.get("a") is None)
    assert trips.of(lambda: cache.get("b")) == 0
    (live_toolkit.make("Cache", as_hash=True) if who == "another" else cache).invalidate_tags("ü:{1} ")
    eventually(lambda: cache.get("b") is None)
    assert trips.of(lambda: cache.get("c")) == 0
    assert cache.get("c") == {"is": "c"}


def test_an_increment_is_seen(live_toolkit: Toolkit) -> None:
    (cache, trips), other = made(live_toolkit, as_hash=True), live_toolkit.make("Cache", as_hash=True)
    cache.set("k", {"stock": 5})
    warm(cache, trips, "k")
    cache.increment("k", "stock")
    assert cache.get("k") == {"stock": 6}
    other.increment("k", "stock")
    eventually(lambda: cache.get("k") == {"stock": 7})


def test_the_loads_of_others_drop_nothing_else(live_toolkit: Toolkit) -> None:
    (cache, trips), other = made(live_toolkit), live_toolkit.make("Cache")
    cache.set("k", 1)
    cache.set("last", 1)
    warm(cache, trips, "k", "last")
    for number in range(10):
        other.get_or_load(f"other{number}", lambda: 1, tags=["t"])
    other.invalidate("other1")
    other.set("last", 2)
    # Messages come in order.
    eventually(lambda: cache.get("last") == 2)
    assert trips.of(lambda: cache.get("k")) == 0


@pytest.mark.parametrize("tail", ["entry:k", "marks"])
def test_what_is_evicted_or_deleted_from_outside_is_gone(live_toolkit: Toolkit, tail: str) -> None:
    cache, trips = made(live_toolkit)
    cache.set("k", 1)
    warm(cache, trips, "k")
    assert live_toolkit.client.delete(f"cache:{{0}}:{tail}") == 1
    eventually(lambda: cache.get("k") is None)
    cache.set("k", 2)
    warm(cache, trips, "k")
    live_toolkit.client.flushall()
    eventually(lambda: cache.get("k") is None)


def test_what_has_expired_is_not_served(live_toolkit: Toolkit) -> None:
    cache, trips = made(live_toolkit, jitter=0.0)
    began = time.monotonic()
    cache.set("k", 1, ttl=0.3)
    eventually(lambda: cache.get("k") is None)
    assert time.monotonic() - began >= 0.2
    assert cache.get_or_load("k", lambda: 2) == 2
    # Stale is served by the server only, which knows who loads.
    stale, trips = made(live_toolkit, name="stale", ttl=0.05, jitter=0.0, stale=100.0)
    stale.set("k", 1)
    time.sleep(0.1)
    for _ in range(3):
        assert stale.get("k") == 1
    assert trips.of(lambda: stale.get("k")) == 1


def test_it_is_loaded_early_nevertheless(live_toolkit: Toolkit) -> None:
    loads: list[int] = []

    def load() -> int:
        loads.append(1)
        time.sleep(0.003)
        return len(loads)

    ahead, _ = made(live_toolkit, name="ahead", ttl=100.0, jitter=0.0, refresh_ahead=0.998)
    assert ahead.get_or_load("k", load) == 1
    eventually(lambda: ahead.get_or_load("k", load) == 2)
    by_chance, _ = made(live_toolkit, name="chance", beta=1e9)
    loads.clear()
    by_chance.get_or_load("k", load)
    eventually(lambda: by_chance.get_or_load("k", load) >= 3)


def kill_listeners(toolkit: Toolkit) -> int:
    if isinstance(toolkit.place, Cluster):
        killed = toolkit.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub", target_nodes="primaries")  # type: ignore[no-untyped-call]
        return sum(killed.values()) if isinstance(killed, dict) else int(killed)
    return int(toolkit.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub"))  # type: ignore[no-untyped-call]


def test_when_its_connection_is_lost_it_forgets_all_until_it_has_another(live_toolkit: Toolkit) -> None:
    (cache, trips), other = made(live_toolkit), live_toolkit.make("Cache")
    for value in range(3):
        other.set("k", value)
        eventually(lambda value=value: cache.get("k") == value)  # type: ignore[misc]
        warm(cache, trips, "k")
        assert kill_listeners(live_toolkit) >= 1
        other.set("k", f"after {value}")
        eventually(lambda value=value: cache.get("k") == f"after {value}")  # type: ignore[misc]


def test_it_keeps_as_many_as_it_may(live_toolkit: Toolkit) -> None:
    cache, trips = made(live_toolkit, near=3)
    for number in range(6):
        cache.set(f"k{number}", number)
    warm(cache, trips, "k0")
    for _ in range(2):
        for number in range(6):
            assert cache.get("k0") == 0
            assert cache.get(f"k{number}") == number
    assert 1 <= len(near_of(cache)) <= 3
    # What is used stays.
    warm(cache, trips, "k0", "k1")
    for number in range(2, 6):
        cache.get("k0")
        cache.get(f"k{number}")
    assert trips.of(lambda: cache.get("k0")) == 0


def test_threads_that_write_and_read(live_toolkit: Toolkit) -> None:
    """Who writes reads what he wrote; in the end all that is kept is what the server has."""
    (cache, trips), other = made(live_toolkit, shards=4), live_toolkit.make("Cache", shards=4)
    stop = threading.Event()
    shared = [f"shared{number}" for number in range(4)]

    def write(number: int) -> None:
        for value in range(30):
            cache.set(f"own{number}", value)
            assert cache.get(f"own{number}") == value

    def write_elsewhere() -> None:
        for value in range(60):
            other.set(shared[value % 4], value)

    def read() -> None:
        while not stop.is_set():
            cache.get_many(shared, lambda missing: {})

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        writers = [*(pool.submit(write, number) for number in range(4)), pool.submit(write_elsewhere)]
        for writer in writers:
            writer.result(PATIENCE_S)
        eventually(lambda: cache.get_many(shared, lambda missing: {}) == dict(zip(shared, range(56, 60), strict=True)))
        stop.set()
        for reader in readers:
            reader.result(PATIENCE_S)
    warm(cache, trips, *shared)
    assert cache.get_many(shared, lambda missing: {}) == dict(zip(shared, range(56, 60), strict=True))


def test_a_cache_that_is_closed_goes_on_without(live_toolkit: Toolkit) -> None:
    cache, trips = made(live_toolkit)
    cache.set("k", 1)
    warm(cache, trips, "k")
    close(live_toolkit, cache)
    assert [trips.of(lambda: cache.get("k")) for _ in range(3)] == [1, 1, 1]
    eventually(lambda: not near_of(cache).tasks)


def test_who_listens_ends_with_the_cache(live_toolkit: Toolkit) -> None:
    cache, trips = made(live_toolkit)
    cache.set("k", 1)
    warm(cache, trips, "k")
    near = near_of(cache)
    (task, *_) = near.tasks.values()
    del near, cache, trips
    gc.collect()
    eventually(lambda: gc.collect() is not None and task.done)


@pytest.mark.parametrize("near", [-1, True, 1.5, "many"])
def test_sizes_that_make_no_sense(live_toolkit: Toolkit, near: Any) -> None:
    with pytest.raises(InvalidArgument):
        live_toolkit.make("Cache", near=near)


# Without a server


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr(core, "time", hand)
    return hand


def confirmed(hand: Hand, *nodes: str, size: int = 10) -> Near:
    near = Near("cache:{", size)
    assert sorted(near.claimed(nodes)) == sorted(nodes)
    for node in nodes:
        near.heard(node, hand.now)
    return near


def kept(near: Near, hand: Hand, key: str = "k", left: float = 100.0) -> bool:
    near.keep(key, near.numbers([key])[0], Kept([b"", b"1"], hand.now + left, 1.0))
    return near.get(key, 0.0, 0.0) is not None


def test_nothing_counts_that_was_read_before_all_nodes_have_confirmed(hand: Hand) -> None:
    near = Near("cache:{", 10)
    assert not kept(near, hand)
    assert len(near.claimed(["a", "b"])) == 2
    assert near.claimed(["b", "a"]) == []
    near.heard("a", hand.now)
    assert not kept(near, hand)
    (number,) = near.numbers(["k"])
    near.heard("b", hand.now)
    near.keep("k", number, Kept(b"", hand.now + 100, 0.0))
    assert len(near) == 0
    assert kept(near, hand)
    # A node that comes is to confirm first, too.
    assert near.claimed(["a", "b", "c"]) == ["c"]
    assert len(near) == 0
    assert not kept(near, hand)


@pytest.mark.parametrize("message", [[b"cache:{0}:entry:k", b"cache:{0}:clock"], [b"cache:{0}:marks"], None])
def test_what_was_read_before_a_message_is_not_kept_behind_it(hand: Hand, message: list[bytes] | None) -> None:
    near = confirmed(hand, "a")
    (number,) = near.numbers(["k"])
    near.told(message)
    near.keep("k", number, Kept(b"", hand.now + 100, 0.0))
    assert len(near) == 0
    assert kept(near, hand)
    others = [b"cache:{0}:clock", b"cache:{0}:bell:k", b"cache:{0}:entry:j", b"cache:{0}:entry:entry:k", b"cache:{\xff"]
    near.told(others)
    assert len(near) == 1
    near.told(message)
    assert len(near) == 0


def test_messages_of_tags(hand: Hand) -> None:
    near = confirmed(hand, "a")

    def keep(key: str, *tags: str) -> None:
        (number,) = near.numbers([key])
        near.keep(key, number, Kept(b"", hand.now + 100, 0.0, tags))

    for key, tags in {"a": "t", "b": "tu", "c": "u", "d": ""}.items():
        keep(key, *tags)
    near.told([b"cache:{0}:marks", b"cache:{0}:tag:t"])
    assert [key for key in "abcd" if near.get(key, 0.0, 0.0) is not None] == ["c", "d"]
    # What was read before the message is not kept behind it, if it has tags.
    with_tags, without = near.numbers(["a", "b"])
    near.told([b"cache:{1}:tag:x", b"cache:{1}:marks"])
    near.keep("a", with_tags, Kept(b"", hand.now + 100, 0.0, ("t",)))
    near.keep("b", without, Kept(b"", hand.now + 100, 0.0))
    assert [key for key in "abcd" if near.get(key, 0.0, 0.0) is not None] == ["b", "c", "d"]
    keep("c", "v")
    near.told([b"cache:{0}:tag:u", b"cache:{0}:marks"])
    assert near.get("c", 0.0, 0.0) is not None
    near.told([b"cache:{0}:marks", b"cache:{0}:all"])
    assert len(near) == 0
    near.told([b"cache:{0}:tag:v"])


def test_a_key_may_look_like_anything(hand: Hand) -> None:
    near = confirmed(hand, "a")
    for key in ("marks", "a}:entry:b", "é:{x}", " "):
        assert kept(near, hand, key)
        near.told([f"cache:{{0}}:entry:{key}".encode()])
        assert near.get(key, 0.0, 0.0) is None


def test_a_node_that_says_nothing_is_not_believed_for_long(hand: Hand) -> None:
    near = confirmed(hand, "a", "b")
    assert kept(near, hand)
    hand.now += core.PATIENCE_S - 0.1
    near.heard("a", hand.now)
    assert near.get("k", 0.0, 0.0) is not None
    hand.now += 0.2
    assert near.get("k", 0.0, 0.0) is None
    assert not kept(near, hand, "j")
    near.heard("b", hand.now)
    assert near.get("k", 0.0, 0.0) is not None
    near.lost("a")
    assert len(near) == 0
    assert not kept(near, hand)
    assert PULSE_S < core.PATIENCE_S


def test_it_is_fresh_until_its_time_and_loaded_early_before(hand: Hand) -> None:
    near = confirmed(hand, "a")
    assert kept(near, hand, left=2.5)
    for times, ahead, is_served in ((0.0, 0.0, True), (2.0, 2.0, True), (2.6, 0.0, False), (0.0, 2.6, False)):
        assert (near.get("k", times, ahead) is not None) is is_served
    hand.now += 2.5
    assert near.get("k", 0.0, 0.0) is None
    assert len(near) == 0


def test_in_the_child_of_a_fork_it_is_empty_and_off(hand: Hand) -> None:
    near = confirmed(hand, "a")
    assert kept(near, hand)
    child = os.fork()
    if child == 0:
        os._exit(0 if len(near) == 0 and not kept(near, hand) and near.claimed(["a"]) == ["a"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert kept(near, hand)
