"""Traps of the chapter that no other file tries: its way fails here, and ours does not."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from tests.patterns.conftest import Toolkit
from tests.patterns.test_feeds import taken
from tests.patterns.test_products import Store
from tests.patterns.test_writes import Database
from tests.waiting import PATIENCE_S


def test_expire_get(toolkit: Toolkit) -> None:
    """Ours has it. Elsewhere the command is refused; `GETEX` or a script must do."""
    client = toolkit.client
    client.set("key", "value", ex=300)
    if type(toolkit.place).__name__ in ("Embedded", "Served"):
        # redis-py takes every reply to EXPIRE for a yes or no.
        client.response_callbacks.pop("EXPIRE")
        assert client.execute_command("EXPIRE", "key", 1800, "GET") == 300
        assert client.ttl("key") == 1800
        assert client.execute_command("EXPIRE", "nothing", 1800, "GET") == -2
    else:
        with pytest.raises(redis.ResponseError, match="Unsupported option"):
            client.execute_command("EXPIRE", "key", 1800, "GET")
        assert client.ttl("key") <= 300


class Killed(BaseException):
    """The process ends here."""


def test_write_behind_loses_nothing(toolkit: Toolkit) -> None:
    client = toolkit.client
    database = Database(ann={"city": "Rome"})

    def chapters_update(crash: bool) -> None:
        cached = json.loads(client.get("user:ann") or json.dumps(database.load("ann")))  # type: ignore[arg-type]
        client.set("user:ann", json.dumps(cached | {"city": "Oslo"}), ex=3600)
        if crash:
            raise Killed
        client.rpush("updates", json.dumps({"city": "Oslo"}))

    def chapters_worker(crash: bool) -> None:
        job = client.lpop("updates")
        if crash:
            raise Killed
        if job is not None:
            database.rows["ann"].update(json.loads(job))  # type: ignore[arg-type]

    with pytest.raises(Killed):
        chapters_update(crash=True)
    chapters_worker(crash=False)
    # Everybody sees a city that no database will ever have.
    assert json.loads(client.get("user:ann"))["city"] == "Oslo"  # type: ignore[arg-type]
    assert database.rows["ann"]["city"] == "Rome"
    chapters_update(crash=False)
    with pytest.raises(Killed):
        chapters_worker(crash=True)
    chapters_worker(crash=False)
    assert database.rows["ann"]["city"] == "Rome"

    writes = database.write
    died = []

    def dying(update: Any) -> None:
        if not died:
            died.append(update)
            raise Killed
        writes(update)

    lease = 5 * toolkit.unit
    behind = toolkit.make("WriteBehind", load=database.load, write=dying, lease=lease)
    behind.update("ann", {"city": "Oslo"})
    if toolkit.thread is None:
        with pytest.raises(Killed):
            behind.flush()
    else:
        died.append(None)
    toolkit.pass_time(6)
    behind.flush()
    assert database.rows["ann"]["city"] == "Oslo"


def test_one_refresh_at_a_time(live_toolkit: Toolkit) -> None:
    client = live_toolkit.client
    refreshes: list[str] = []
    everybody = threading.Barrier(8)

    def chapters_read(_: int) -> None:
        client.get("user:1")
        nearly_over = client.ttl("user:1") < 360
        everybody.wait(PATIENCE_S)
        if nearly_over:
            refreshes.append("chapter")

    client.set("user:1", "cached", ex=300)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(chapters_read, range(8)))
    assert refreshes == ["chapter"] * 8

    caches = [live_toolkit.make("Cache", ttl=1000.0, jitter=0.0, refresh_ahead=0.9999) for _ in range(4)]
    caches[0].set("user:1", "cached")
    time.sleep(0.2)

    def load() -> str:
        refreshes.append("ours")
        time.sleep(0.2)
        return "fresh"

    def read(number: int) -> str:
        return caches[number % 4].get_or_load("user:1", live_toolkit.slow(load))  # type: ignore[no-any-return]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(8))) == {"cached"}
    for cache in caches:
        cache.settled()
    assert refreshes.count("ours") == 1


def test_invalidating_all(toolkit: Toolkit) -> None:
    """KEYS looks at every key of the server while all wait, and the chapter's pattern does not match its listings."""
    client = toolkit.client
    client.hset("product:1", "stock", "5")
    client.set("products:list:1:20", "[5]")
    for key in client.keys("product:*"):
        client.delete(key)
    assert client.exists("product:1") == 0
    assert client.get("products:list:1:20") == b"[5]"

    store = Store()
    products = toolkit.make("ProductCache", store)
    products.get_product(1)
    products.get_products()
    store.products[1]["stock"] = 0
    products.invalidate_all()
    assert products.get_product(1)["stock"] == 0
    assert products.get_products()[0]["stock"] == 0


def test_each_hears_what_is_his(live_toolkit: Toolkit) -> None:
    client = live_toolkit.client
    # The chapter's one subscriber, and what its handler sends to each of the sockets.
    subscriber = client.pubsub(ignore_subscribe_messages=True)
    sockets: dict[str, list[bytes]] = {"ann": [], "bob": []}
    subscriber.subscribe(*(f"user:{user}:notifications" for user in sockets))
    until = time.monotonic() + PATIENCE_S
    while not all(sockets.values()):
        assert time.monotonic() < until
        client.publish("user:ann:notifications", "for ann only")
        message = subscriber.get_message(timeout=0.1)
        if message:
            for socket in sockets.values():
                socket.append(message["data"])
    assert b"for ann only" in sockets["bob"]
    subscriber.close()

    service = live_toolkit.make("NotificationService")
    with service.listen("ann") as ann, service.listen("bob") as bob:
        service.notify("ann", "for ann only")
        service.notify_all("for all")
        assert {one.data for one in taken(ann, 2)} == {"for ann only", "for all"}
        assert [one.data for one in taken(bob, 1)] == ["for all"]
        assert bob.get(0.01) is None
