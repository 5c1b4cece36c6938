"""The chapter's cache of products, in front of a store that counts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alcove.patterns import InvalidArgument
from tests.patterns.conftest import Toolkit


class Store:
    """Products in memory, and how often they were asked for."""

    def __init__(self) -> None:
        self.products = {number: {"id": number, "name": f"p{number}", "stock": 1000} for number in range(1, 6)}
        self.finds = 0
        self.lists = 0
        self._lock = threading.Lock()

    def find_product(self, product_id: int) -> dict[str, Any] | None:
        self.finds += 1
        product = self.products.get(product_id)
        return None if product is None else dict(product)

    def take_stock(self, product_id: int, quantity: int) -> None:
        with self._lock:
            self.products[product_id]["stock"] -= quantity  # type: ignore[operator]

    def list_products(self, offset: int, limit: int) -> list[dict[str, Any]]:
        self.lists += 1
        return [dict(product) for product in list(self.products.values())[offset : offset + limit]]


def test_the_chapters_example(toolkit: Toolkit) -> None:
    store = Store()
    cache = toolkit.make("ProductCache", store)
    for _ in range(2):
        assert cache.get_product(1) == {"id": 1, "name": "p1", "stock": 1000}
        assert [product["id"] for product in cache.get_products(1, 2)] == [1, 2]
        assert [product["id"] for product in cache.get_products(page=2, limit=2)] == [3, 4]
    assert (store.finds, store.lists) == (1, 2)
    cache.update_inventory(1, 3)
    assert cache.get_product(1)["stock"] == 997
    assert store.finds == 1
    assert cache.get_products(1, 2)[0]["stock"] == 997
    cache.get_products(2, 2)
    assert store.lists == 3
    cache.invalidate_all()
    cache.get_product(1)
    cache.get_products(2, 2)
    assert (store.finds, store.lists) == (2, 4)


def test_the_stock_of_what_is_not_cached(toolkit: Toolkit) -> None:
    store = Store()
    cache = toolkit.make("ProductCache", store)
    cache.update_inventory(1, 3)
    assert cache.get_product(1)["stock"] == 997
    assert cache.get_product(99) is None
    assert cache.get_product(99) is None
    assert store.finds == 2


def test_the_stock_is_exact_whoever_reads_and_writes(live_toolkit: Toolkit) -> None:
    store = Store()
    caches = [live_toolkit.make("ProductCache", store) for _ in range(3)]

    def buy(number: int) -> None:
        cache = caches[number % 3]
        cache.get_product(1)
        cache.update_inventory(1, 1)
        if number % 5 == 0:
            cache.products.invalidate("1")
        assert cache.get_product(1)["stock"] <= 1000

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(buy, range(120)))
    assert store.products[1]["stock"] == 880
    assert caches[0].get_product(1)["stock"] == 880


def test_a_sale_that_fails_leaves_nothing_in_the_cache(toolkit: Toolkit) -> None:
    store = Store()
    cache = toolkit.make("ProductCache", store)
    cache.get_product(1)
    with pytest.raises(KeyError):
        cache.update_inventory(77, 1)
    assert cache.get_product(1)["stock"] == 1000
    for wrong in (1.5, "1", True):
        with pytest.raises(InvalidArgument):
            cache.update_inventory(1, wrong)
    with pytest.raises(InvalidArgument):
        cache.get_products(0)
    assert store.products[1]["stock"] == 1000
