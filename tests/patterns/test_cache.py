"""The cache: who loads, what is served meanwhile, what invalidation means, and that nothing old comes back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from alcove.patterns import Cache, CannotEncode, InvalidArgument, MessagePack
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded


class Source:
    """A store that counts how often it is asked."""

    def __init__(self, value: Any = "value", takes: float = 0.0) -> None:
        self.value = value
        self.takes = takes
        self.loads = 0
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.loads += 1
            number = self.loads
        value = self.value
        time.sleep(self.takes)
        return f"{value}{number}" if value == "numbered" else value


def steady(toolkit: Toolkit, **options: Any) -> Any:
    """A cache in which nothing is left to chance; its times are in the toolkit's units."""
    times = {name: options.pop(name) * toolkit.unit for name in ("ttl", "stale", "negative_ttl") if name in options}
    return toolkit.make("Cache", **{"jitter": 0.0, "beta": 0.0, **times, **options})


# Cache-aside


def test_what_is_there_is_not_loaded(toolkit: Toolkit) -> None:
    cache, source = steady(toolkit), Source({"name": "Ann", "tags": [1, 2]})
    assert cache.get("user:1") is None
    assert cache.get("user:1", "none") == "none"
    for _ in range(3):
        assert cache.get_or_load("user:1", source) == {"name": "Ann", "tags": [1, 2]}
    assert cache.get("user:1") == {"name": "Ann", "tags": [1, 2]}
    assert source.loads == 1


def test_what_has_expired_is_loaded_again(toolkit: Toolkit) -> None:
    cache, source = steady(toolkit, ttl=10), Source("numbered")
    assert cache.get_or_load("k", source) == "numbered1"
    toolkit.pass_time(9)
    assert cache.get_or_load("k", source) == "numbered1"
    toolkit.pass_time(2)
    assert cache.get_or_load("k", source) == "numbered2"
    assert cache.get_or_load("brief", source, ttl=2 * toolkit.unit) == "numbered3"
    toolkit.pass_time(3)
    assert cache.get_or_load("brief", source) == "numbered4"


def test_a_load_that_fails_is_raised_and_the_next_one_loads(toolkit: Toolkit) -> None:
    cache = steady(toolkit)

    def failing() -> Any:
        raise LookupError("the database is away")

    with pytest.raises(LookupError, match="away"):
        cache.get_or_load("k", failing)
    assert cache.get_or_load("k", lambda: 5) == 5


def test_nothing_is_kept_of_none_unless_it_is_wished(toolkit: Toolkit) -> None:
    source = Source(None)
    cache = steady(toolkit)
    for _ in range(2):
        assert cache.get_or_load("k", source) is None
    assert source.loads == 2
    cache, source = steady(toolkit, ttl=100, negative_ttl=5, name="negative"), Source(None)
    for _ in range(2):
        assert cache.get_or_load("k", source) is None
    assert cache.get("k", "not there") is None
    assert source.loads == 1
    toolkit.pass_time(6)
    cache.get_or_load("k", source)
    assert source.loads == 2


def test_chance_spreads_the_ends(toolkit: Toolkit) -> None:
    cache = toolkit.make("Cache", ttl=1000.0, jitter=0.5)
    for number in range(30):
        cache.set(f"k{number}", 1)
    ends = [toolkit.client.pttl(f"cache:{{0}}:entry:k{number}") for number in range(30)]
    assert all(500_000 <= end <= 1_500_000 for end in ends)
    assert max(ends) - min(ends) > 100_000


# One loads, the others wait


@pytest.mark.parametrize("negative", [False, True])
def test_of_many_at_once_one_loads(live_toolkit: Toolkit, negative: bool) -> None:
    caches = [live_toolkit.make("Cache", beta=0.0) for _ in range(3)]
    source = Source(None if negative else "value", takes=0.15)
    load = live_toolkit.slow(source.__call__)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda number: caches[number % 3].get_or_load("k", load), range(24)))
    assert set(answers) == {source.value}
    # Nothing is kept of None: each of the processes that the three stand for has to find out.
    assert source.loads <= (6 if negative else 1)


def test_those_who_wait_hear_of_the_failure_or_load_themselves(live_toolkit: Toolkit) -> None:
    caches = [live_toolkit.make("Cache", beta=0.0) for _ in range(2)]
    began = threading.Event()
    attempts = []

    def failing() -> Any:
        attempts.append(1)
        began.set()
        time.sleep(0.1)
        raise LookupError("away")

    def ask(number: int) -> str:
        began.wait(0.0 if number == 0 else 5)
        try:
            caches[number % 2].get_or_load("k", live_toolkit.slow(failing))
        except LookupError:
            return "away"
        return "loaded"

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == ["away"] * 6
    assert len(attempts) < 6


def test_when_the_loader_dies_the_next_one_loads(live_toolkit: Toolkit) -> None:
    cache = live_toolkit.make("Cache", lease=0.2, beta=0.0)
    # What a process leaves behind that took the turn to load, and was killed.
    dead = live_toolkit.make("Cache", lease=0.2, beta=0.0)
    began = time.monotonic()
    assert dead._read(["k"], "another", 0.2)["k"].state == "load"
    source = Source()
    assert cache.get_or_load("k", source) == "value"
    assert 0.1 < time.monotonic() - began < 10
    assert source.loads == 1


def test_who_asks_again_because_the_answer_was_lost_has_the_turn_still(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    first, again, another = (cache._read_one("k", token, 10) for token in ("one", "one", "another"))
    assert (first.state, again.state, another.state) == ("load", "load", "wait")
    assert first.turn == again.turn


def test_a_question_that_comes_late_does_not_make_an_old_load_new(toolkit: Toolkit) -> None:
    """The network has held a copy of it up, until what is loaded since was invalidated."""
    cache = steady(toolkit)
    turn = cache._read_one("k", "one", 10).turn
    cache.invalidate("k")
    assert cache._read_one("k", "one", 10).state == "load"
    assert cache._store({"k": "old"}, {"k": turn}, None, (), 0) == set()
    assert cache.get("k") is None


def test_stale_is_served_while_one_loads_anew(toolkit: Toolkit) -> None:
    cache, source = steady(toolkit, ttl=5, stale=20), Source("numbered")
    assert cache.get_or_load("k", source) == "numbered1"
    toolkit.pass_time(6)
    assert cache.get_or_load("k", source) == "numbered1"
    cache.settled()
    assert cache.get_or_load("k", source) == "numbered2"
    toolkit.pass_time(26)
    assert cache.get_or_load("k", source) == "numbered3"


def test_a_refresh_that_fails_leaves_the_stale_value(toolkit: Toolkit, caplog: pytest.LogCaptureFixture) -> None:
    cache = steady(toolkit, ttl=5, stale=20)
    cache.set("k", "old")
    toolkit.pass_time(6)

    def failing() -> Any:
        raise LookupError("away")

    assert cache.get_or_load("k", failing) == "old"
    cache.settled()
    assert "could not load" in caplog.text
    assert cache.get_or_load("k", lambda: "new") == "old"
    cache.settled()
    assert cache.get("k") == "new"


def test_refresh_ahead_is_done_by_one(toolkit: Toolkit) -> None:
    """The chapter's way starts a refresh for each reader; here one of them does, and nobody waits."""
    cache = steady(toolkit, ttl=10, refresh_ahead=0.5)
    cache.set("k", "old")
    source = Source("new", takes=0.1)
    toolkit.pass_time(3)
    assert cache.get_or_load("k", source) == "old"
    assert source.loads == 0
    toolkit.pass_time(3)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: cache.get_or_load("k", source), range(8))) <= {"old", "new"}
    cache.settled()
    assert source.loads == 1
    assert cache.get("k") == "new"


def test_what_takes_long_is_loaded_early_by_chance(toolkit: Toolkit) -> None:
    cache = toolkit.make("Cache", ttl=1.0 * toolkit.unit, beta=1e9, jitter=0.0)
    source = Source("numbered", takes=0.003)
    cache.get_or_load("k", source)
    for _ in range(5):
        cache.get_or_load("k", source)
        cache.settled()
    assert source.loads >= 3


# Invalidation


def test_what_is_invalidated_is_not_there(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    cache.invalidate("a", "b")
    assert [cache.get(key) for key in "abc"] == [None, None, "c"]
    cache.invalidate()
    assert cache.get("c") == "c"


@pytest.mark.parametrize("shards", [1, 7])
def test_tags_and_all(toolkit: Toolkit, shards: int) -> None:
    cache = steady(toolkit, shards=shards)
    for number in range(20):
        cache.set(f"k{number}", number, tags=["even" if number % 2 == 0 else "odd", "number"])
    cache.set("untagged", 1)
    cache.invalidate_tags("even")
    assert [number for number in range(20) if cache.get(f"k{number}") is not None] == list(range(1, 20, 2))
    cache.set("k0", 0, tags=["even"])
    assert cache.get("k0") == 0
    cache.invalidate_tags("number", "even")
    assert not any(cache.get(f"k{number}") is not None for number in range(20))
    assert cache.get("untagged") == 1
    cache.invalidate_all()
    assert cache.get("untagged") is None
    cache.set("k1", 1)
    assert cache.get("k1") == 1


def test_a_listing_is_invalidated_by_what_it_shows(toolkit: Toolkit) -> None:
    """The chapter deletes `products:list:*`: DEL takes no pattern, so its listings stay."""
    toolkit.client.set("products:list:1:20", "old")
    assert toolkit.client.delete("products:list:*") == 0
    assert toolkit.client.exists("products:list:1:20") == 1
    cache = steady(toolkit)
    products = {1: {"id": 1, "stock": 5}, 2: {"id": 2, "stock": 6}, 3: {"id": 3, "stock": 7}}

    def page(*ids: int) -> Callable[[], Any]:
        return lambda: [dict(products[id]) for id in ids]

    def shown(listing: list[dict[str, int]]) -> list[str]:
        return [f"product:{product['id']}" for product in listing]

    first = cache.get_or_load("list:1", page(1, 2), tags=shown)
    assert [product["stock"] for product in first] == [5, 6]
    cache.get_or_load("list:2", page(3), tags=shown)
    products[2]["stock"] = products[3]["stock"] = 0
    cache.invalidate_tags("product:2")
    assert [product["stock"] for product in cache.get_or_load("list:1", page(1, 2), tags=shown)] == [5, 0]
    assert [product["stock"] for product in cache.get_or_load("list:2", page(3), tags=shown)] == [7]


@pytest.mark.parametrize("act", ["invalidate", "invalidate_tags", "invalidate_all", "set"])
def test_a_slow_loader_does_not_bring_back_the_old(live_toolkit: Toolkit, act: str) -> None:
    """The chapter's cache-aside stores what it read, however long ago: `naive` shows it."""
    client, cache, other = live_toolkit.client, *(live_toolkit.make("Cache", beta=0.0) for _ in range(2))
    has_read, may_store = threading.Event(), threading.Event()
    database = {"value": "old"}

    def load() -> str:
        value = database["value"]
        has_read.set()
        assert may_store.wait(10)
        return value

    def naive() -> None:
        client.set("naive", json.dumps(load()), ex=100)

    for reader in (naive, lambda: cache.get_or_load("k", live_toolkit.slow(load), tags=["t"])):
        database["value"] = "old"
        has_read.clear()
        may_store.clear()
        thread = threading.Thread(target=reader)
        thread.start()
        assert has_read.wait(10)
        database["value"] = "new"
        if reader is naive:
            client.delete("naive")
        elif act == "set":
            other.set("k", "new")
        else:
            getattr(other, act)(*{"invalidate": ["k"], "invalidate_tags": ["t"], "invalidate_all": []}[act])
        may_store.set()
        thread.join()
    assert json.loads(client.get("naive")) == "old"  # type: ignore[arg-type]
    assert cache.get_or_load("k", lambda: database["value"], tags=["t"]) == "new"


def test_a_reader_after_the_invalidation_does_not_join_a_load_from_before(live_toolkit: Toolkit) -> None:
    cache = live_toolkit.make("Cache", beta=0.0)
    has_read, may_store = threading.Event(), threading.Event()

    def old() -> str:
        has_read.set()
        assert may_store.wait(10)
        return "old"

    thread = threading.Thread(target=lambda: cache.get_or_load("k", live_toolkit.slow(old)))
    thread.start()
    assert has_read.wait(10)
    cache.invalidate("k")
    assert cache.get_or_load("k", lambda: "new") == "new"
    may_store.set()
    thread.join()
    assert cache.get("k") == "new"


def test_marks_that_were_evicted_invalidate_all(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    cache.set("k", 1, tags=["t"])
    cache.invalidate_tags("t")
    cache.set("j", 2)
    toolkit.pass_time(1)
    assert toolkit.client.delete("cache:{0}:marks") == 1
    assert cache.get("k") is None
    assert cache.get("j") is None
    assert cache.get_or_load("j", lambda: 3) == 3
    assert cache.get("k") is None


def test_marks_do_not_pile_up(toolkit: Toolkit) -> None:
    if toolkit.unit != 1.0:
        pytest.skip("nobody waits for minutes")
    cache = steady(toolkit, ttl=10)
    cache.set("k", 1)
    for number in range(50):
        cache.invalidate_tags(f"t{number}")
        toolkit.pass_time(10)
    assert toolkit.client.zcard("cache:{0}:marks") < 20
    toolkit.pass_time(10_000)
    assert toolkit.client.keys("*") == []


def test_the_clock_may_jump(toolkit: Toolkit) -> None:
    if toolkit.unit != 1.0:
        pytest.skip("nobody sets the machine's clock")
    cache = steady(toolkit, ttl=1000)
    cache.set("k", "old", tags=["t"])
    toolkit.pass_time(-500)
    cache.invalidate_tags("t")
    assert cache.get("k") is None
    cache.set("k", "new", tags=["t"])
    assert cache.get("k") == "new"


# Writing


def test_write_through(toolkit: Toolkit) -> None:
    cache, database = steady(toolkit), {"name": "Ann"}

    def write() -> dict[str, str]:
        database["name"] = "Bob"
        return dict(database)

    cache.get_or_load("user", lambda: dict(database))
    assert cache.write_through("user", write) == {"name": "Bob"}
    assert cache.get("user") == {"name": "Bob"}


def test_a_write_that_fails_leaves_nothing(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    cache.set("k", "old")

    def failing() -> Any:
        raise LookupError("half done, for all we know")

    with pytest.raises(LookupError):
        cache.write_through("k", failing)
    assert cache.get("k") is None
    assert cache.get_or_load("k", lambda: "new") == "new"


def test_of_writes_that_overlap_nobodys_value_is_kept(live_toolkit: Toolkit) -> None:
    caches = [live_toolkit.make("Cache", beta=0.0) for _ in range(2)]
    database: dict[str, str] = {}
    both = threading.Barrier(2)

    def write(name: str) -> Callable[[], str]:
        def write() -> str:
            both.wait(10)
            database["value"] = name
            return name

        return write

    with ThreadPoolExecutor(2) as pool:
        for number in range(2):
            pool.submit(caches[number].write_through, "k", live_toolkit.slow(write(f"writer {number}")))
    assert caches[0].get("k") in (None, database["value"])
    assert caches[0].get_or_load("k", lambda: database["value"]) == database["value"]


def test_what_is_read_during_a_write_is_not_kept(toolkit: Toolkit) -> None:
    cache, reader = steady(toolkit), steady(toolkit)
    seen = []

    def write() -> str:
        seen.append(reader.get_or_load("k", lambda: "from before"))
        return "written"

    assert cache.write_through("k", toolkit.slow(write)) == "written"
    assert seen == ["from before"]
    assert cache.get("k") == "written"


def test_a_writer_that_dies_blocks_nobody_for_long(toolkit: Toolkit) -> None:
    cache = steady(toolkit, ttl=100)
    keys = [f"cache:{{0}}:{tail}" for tail in ("marks", "clock", "entry:k", "bell:k")]
    from alcove.patterns.core.cache import WRITE

    toolkit.client.execute_command(*WRITE.by_text(keys, ["begin", int(5000 * toolkit.unit)]))
    source = Source()
    for _ in range(2):
        assert cache.get_or_load("k", source) == "value"
    assert source.loads == 2
    toolkit.pass_time(6)
    for _ in range(2):
        assert cache.get_or_load("k", source) == "value"
    assert source.loads == 3


def test_fields_and_increments(toolkit: Toolkit) -> None:
    cache = steady(toolkit, as_hash=True)
    product = {"name": "Lamp", "stock": 5, "sizes": [1, 2]}
    assert cache.get_or_load("p:1", lambda: product) == product
    assert cache.get("p:1") == product
    assert cache.increment("p:1", "stock", -2) == 3
    assert cache.get("p:1") == product | {"stock": 3}
    assert cache.increment("p:1", "colour") is None
    with pytest.raises(CannotEncode):
        cache.set("p:2", ["no", "mapping"])
    with pytest.raises(CannotEncode):
        cache.set("p:2", {1: 2})


def test_a_counter_of_nothing_is_not_made(toolkit: Toolkit) -> None:
    """The chapter's HINCRBY on a product that was evicted makes one of nothing but its stock."""
    assert toolkit.client.hincrby("product:1", "stock", -1) == -1
    assert toolkit.client.hgetall("product:1") == {b"stock": b"-1"}
    cache = steady(toolkit, as_hash=True)
    assert cache.increment("product:1", "stock", -1) is None
    assert cache.get("product:1") is None
    assert cache.get_or_load("product:1", lambda: {"stock": 4}) == {"stock": 4}


# Many


def test_many_are_loaded_by_one_call(toolkit: Toolkit) -> None:
    cache = steady(toolkit, shards=3)
    cache.set("k1", "there")
    asked: list[list[str]] = []

    def load(keys: list[str]) -> dict[str, str]:
        asked.append(sorted(keys))
        return {key: f"loaded {key}" for key in keys if key != "k3"}

    found = cache.get_many(["k1", "k2", "k3", "k2"], load)
    assert found == {"k1": "there", "k2": "loaded k2", "k3": None}
    assert asked == [["k2", "k3"]]
    assert cache.get_many(["k1", "k2"], load) == {"k1": "there", "k2": "loaded k2"}
    assert len(asked) == 1
    assert cache.get_many([], load) == {}


def test_many_at_once_for_many_keys(live_toolkit: Toolkit) -> None:
    caches = [live_toolkit.make("Cache", beta=0.0) for _ in range(3)]
    loads: dict[str, int] = {}
    lock = threading.Lock()

    def load(keys: list[str]) -> dict[str, str]:
        with lock:
            for key in keys:
                loads[key] = loads.get(key, 0) + 1
        time.sleep(0.05)
        return {key: key for key in keys}

    def ask(number: int) -> bool:
        wanted = [f"k{(number + offset) % 8}" for offset in range(4)]
        return caches[number % 3].get_many(wanted, live_toolkit.slow(load)) == {key: key for key in wanted}  # type: ignore[no-any-return]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(24)))
    assert loads == {f"k{number}": 1 for number in range(8)}


# Decoration


def test_a_decorated_function(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    asked = []

    @cache.cached("user:{user_id}:{page}", tags=["users"])
    def user(user_id: Any, page: int = 1) -> dict[str, Any]:
        asked.append(user_id)
        return {"id": user_id, "page": page}

    assert user(7) == user(user_id=7, page=1) == {"id": 7, "page": 1}
    assert user(7, 2) == {"id": 7, "page": 2}
    assert asked == [7, 7]
    assert user.key("a:1", 2) == "user:a%3A1:2"
    user.invalidate(7)
    user(7)
    assert asked == [7, 7, 7]
    cache.invalidate_tags("users")
    user(7, 2)
    assert len(asked) == 4
    with pytest.raises(InvalidArgument, match="does not take"):
        cache.cached("user:{nobody}")(lambda user_id: None)


# Failures and bad input


class Away:
    """A client whose server cannot be reached."""

    def execute_command(self, *words: Any, **options: Any) -> Any:
        raise redis.ConnectionError("nobody listens")


def test_without_the_server_values_are_loaded() -> None:
    cache = Cache(Away())  # type: ignore[arg-type]
    assert cache.get_or_load("k", lambda: 5) == 5
    assert cache.get_many(["a"], lambda keys: dict.fromkeys(keys, 1)) == {"a": 1}
    for call in (lambda: cache.invalidate("k"), lambda: cache.write_through("k", lambda: 1), lambda: cache.set("k", 1)):
        with pytest.raises(redis.ConnectionError):
            call()
    with pytest.raises(redis.ConnectionError):
        Cache(Away(), fail_open=False).get_or_load("k", lambda: 5)  # type: ignore[arg-type]


def test_what_another_codec_has_written_is_loaded_anew(toolkit: Toolkit) -> None:
    old, new = steady(toolkit, compress_above=None), steady(toolkit, codec=MessagePack(dict[str, int]))
    old.set("k", {"a": "text"})
    assert new.get("k") is None
    assert new.get_or_load("k", lambda: {"a": 1}) == {"a": 1}
    assert new.get("k") == {"a": 1}


def test_long_values_are_compressed(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    cache.set("k", "x" * 100_000)
    assert toolkit.client.hstrlen("cache:{0}:entry:k", ".") < 2000
    assert cache.get("k") == "x" * 100_000


def test_a_value_that_cannot_be_written_stores_nothing(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    with pytest.raises(CannotEncode):
        cache.get_or_load("k", object)
    assert cache.get_or_load("k", lambda: 1) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": float("inf")},
        {"stale": -1},
        {"lease": 0},
        {"jitter": 1},
        {"beta": -1},
        {"refresh_ahead": 1},
        {"negative_ttl": 0},
        {"shards": 0},
        {"name": "a b"},
    ],
)
def test_settings_that_make_no_sense(toolkit: Toolkit, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        toolkit.make("Cache", **wrong)


def test_arguments_that_make_no_sense(toolkit: Toolkit) -> None:
    cache = steady(toolkit)
    for call in (
        lambda: cache.get(""),
        lambda: cache.get(5),
        lambda: cache.get("x" * 5000),
        lambda: cache.set("k", 1, ttl=0),
        lambda: cache.set("k", 1, tags="users"),
        lambda: cache.set("k", 1, tags=[""]),
        lambda: cache.invalidate_tags(5),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []


def test_a_program_can_end_while_it_refreshes() -> None:
    place = Embedded()
    with place.client() as client:
        cache = Cache(client, ttl=1000, refresh_ahead=0.99)
        cache.set("k", 1)
        cache.get_or_load("k", lambda: time.sleep(30))
        assert all(not task.done for task in cache._refreshes)
