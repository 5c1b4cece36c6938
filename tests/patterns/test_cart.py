"""Carts: two tabs, exact sums, guests who sign in, stock that others want too, and checkouts that are repeated."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcove.patterns import (
    CartChanged,
    CartIsEmpty,
    CartLimitExceeded,
    InvalidArgument,
    ItemNotInCart,
    OutOfStock,
    ReservationGone,
)
from alcove.patterns.core.cart import minor_units
from tests.patterns.conftest import Toolkit

LAMP = {"id": 7, "name": "Lamp", "price": "19.99", "colour": "red"}
BULB = {"id": "b", "name": "Bulb", "price": Decimal("0.10")}


def shown(cart: Any) -> list[tuple[str, int]]:
    return [(line.id, line.quantity) for line in cart.items]


@pytest.fixture
def carts(toolkit: Toolkit) -> Any:
    return toolkit.make("ShoppingCart")


def test_the_chapters_example(carts: Any) -> None:
    cart = carts.add_item("ann", LAMP)
    assert (cart.item_count, cart.total) == (1, Decimal("19.99"))
    carts.add_item("ann", BULB)
    cart = carts.update_quantity("ann", 7, 3)
    assert cart == carts.get_cart("ann")
    assert shown(cart) == [("7", 3), ("b", 1)]
    assert (cart.item_count, cart.quantity, cart.total) == (2, 4, Decimal("60.07"))
    line = cart.items[0]
    assert (line.name, line.price, line.total, line.data) == (
        "Lamp",
        Decimal("19.99"),
        Decimal("59.97"),
        {"colour": "red"},
    )
    assert shown(carts.remove_item("ann", 7)) == [("b", 1)]
    assert shown(carts.remove_item("ann", 7)) == [("b", 1)]
    assert carts.clear("ann") is True
    assert carts.clear("ann") is False
    cart = carts.get_cart("ann")
    assert (cart.items, cart.item_count, str(cart.total)) == ([], 0, "0.00")


def test_a_product_that_is_added_again_is_more(carts: Any) -> None:
    carts.add_item("ann", LAMP, 2)
    carts.add_item("ann", BULB)
    cart = carts.add_item("ann", {"id": 7, "name": "New lamp", "price": 20}, 3)
    assert shown(cart) == [("7", 5), ("b", 1)]
    assert (cart.items[0].name, cart.items[0].price) == ("New lamp", Decimal("20.00"))
    assert shown(carts.update_quantity("ann", 7, 0)) == [("b", 1)]


def test_two_tabs_lose_nothing(live_toolkit: Toolkit) -> None:
    """The chapter reads, changes and writes back: of two who do so at once, one is lost. `naive` shows it."""
    client = live_toolkit.client
    client.hset("cart:naive", "item:7", json.dumps({"quantity": 0}))
    both = threading.Barrier(2)

    def naive(_: int) -> None:
        item = json.loads(client.hget("cart:naive", "item:7"))  # type: ignore[arg-type]
        both.wait(10)
        item["quantity"] += 1
        client.hset("cart:naive", "item:7", json.dumps(item))

    carts = live_toolkit.make("ShoppingCart")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(naive, range(2)))
        list(pool.map(lambda number: carts.add_item("ann", LAMP if number % 2 else BULB), range(80)))
    assert json.loads(client.hget("cart:naive", "item:7")) == {"quantity": 1}  # type: ignore[arg-type]
    assert sorted(shown(carts.get_cart("ann"))) == [("7", 40), ("b", 40)]


def test_a_cart_is_kept_for_as_long_as_it_is_used(toolkit: Toolkit) -> None:
    carts = toolkit.make("ShoppingCart", ttl=5 * toolkit.unit)
    carts.add_item("ann", LAMP)
    for _ in range(3):
        toolkit.pass_time(3)
        assert carts.get_cart("ann").item_count == 1
    toolkit.pass_time(6)
    assert carts.get_cart("ann").item_count == 0
    assert toolkit.client.keys("cart:{ann}") == []


def test_limits_change_nothing(toolkit: Toolkit) -> None:
    carts = toolkit.make("ShoppingCart", max_lines=2, max_quantity=5)
    before = carts.add_item("ann", LAMP, 4)
    for call, limit in (
        (lambda: carts.add_item("ann", LAMP, 2), 5),
        (lambda: carts.update_quantity("ann", 7, 6), 5),
    ):
        with pytest.raises(CartLimitExceeded) as caught:
            call()
        assert caught.value.limit == limit
    assert carts.get_cart("ann") == before
    carts.add_item("ann", BULB)
    with pytest.raises(CartLimitExceeded) as caught:
        carts.add_item("ann", {"id": "c", "name": "C", "price": 1})
    assert caught.value.limit == 2
    with pytest.raises(ItemNotInCart):
        carts.update_quantity("ann", "c", 1)
    assert carts.get_cart("ann").item_count == 2


@given(st.integers(0, 10**11), st.integers(0, 4))
def test_prices_are_exact(minor: int, digits: int) -> None:
    price = Decimal(minor).scaleb(-digits)
    assert minor_units(price, digits) == minor_units(str(price), digits) == minor
    if minor < 10**9:
        assert minor_units(float(price), digits) == minor


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 1000)), min_size=1, max_size=20))
def test_sums_are_exact(lines: list[tuple[int, int]]) -> None:
    from alcove.patterns.core.cart import Ledger, Line
    from alcove.patterns.core.codecs import JSON

    made = [Line(str(number), "", Decimal(price).scaleb(-2), many) for number, (price, many) in enumerate(lines)]
    assert Ledger(JSON, 2).total(made) * 100 == sum(price * many for price, many in lines)


@pytest.mark.parametrize("price", [-1, "x", "", None, 1.999, "0.001", float("nan"), float("inf"), True, 10**12, [1]])
def test_prices_that_are_none(carts: Any, price: Any) -> None:
    with pytest.raises(InvalidArgument):
        carts.add_item("ann", {"id": 1, "name": "X", "price": price})
    assert carts.get_cart("ann").items == []


def test_arguments_that_make_no_sense(toolkit: Toolkit, carts: Any) -> None:
    for call in (
        lambda: carts.add_item("", LAMP),
        lambda: carts.add_item("ann", {"name": "no id", "price": 1}),
        lambda: carts.add_item("ann", {"id": 1, "name": 5, "price": 1}),
        lambda: carts.add_item("ann", LAMP, 0),
        lambda: carts.add_item("ann", LAMP, 1.5),
        lambda: carts.update_quantity("ann", 7, -1),
        lambda: carts.remove_item("ann", ""),
        lambda: carts.reserve("ann", "order"),
        lambda: toolkit.make("ShoppingCart", max_lines=0),
        lambda: toolkit.make("ShoppingCart", ttl=0),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []


# Guests


def test_a_guest_who_signs_in(carts: Any) -> None:
    carts.add_item("guest", LAMP, 2)
    carts.add_item("guest", BULB)
    carts.add_item("ann", {"id": 7, "name": "Old lamp", "price": 10})
    merged = carts.merge("guest", "ann")
    assert shown(merged.cart) == [("7", 3), ("b", 1)]
    assert merged.cart.items[0].name == "Lamp"
    assert merged.left_out == {}
    assert carts.get_cart("guest").items == []
    assert shown(carts.merge("guest", "ann").cart) == [("7", 3), ("b", 1)]
    assert shown(carts.merge("ann", "ann").cart) == [("7", 3), ("b", 1)]


def test_what_has_no_place_is_told(toolkit: Toolkit) -> None:
    carts = toolkit.make("ShoppingCart", max_lines=2, max_quantity=5)
    carts.add_item("ann", LAMP, 4)
    carts.add_item("guest", LAMP, 3)
    carts.add_item("guest", BULB, 2)
    carts.add_item("other", {"id": "c", "name": "C", "price": 1}, 2)
    merged = carts.merge("guest", "ann")
    assert shown(merged.cart) == [("7", 5), ("b", 2)]
    assert merged.left_out == {"7": 2}
    assert carts.merge("other", "ann").left_out == {"c": 2}


@pytest.mark.parametrize("broken_after", [1, 2])
def test_a_merge_that_was_interrupted_goes_on(toolkit: Toolkit, broken_after: int) -> None:
    carts = toolkit.make("ShoppingCart")
    carts.add_item("guest", LAMP, 2)
    guest = carts._keys("guest")
    aside = f"{guest[0]}:aside"
    # What a process has done that was killed between the steps.
    from alcove.patterns.core.cart import TAKE

    ttl = 10_000
    _, _, contents = toolkit.client.execute_command(*TAKE.by_text([*guest, aside], [ttl, "m1", "ann"]))
    if broken_after == 2:
        carts._received("ann", "m1", contents)
    merged = carts.merge("guest", "ann")
    assert shown(merged.cart) == [("7", 2)]
    assert toolkit.client.exists(aside) == 0
    # Another user signs in with the same guest's cart, of which the first one has not got all.
    carts.add_item("guest", BULB)
    toolkit.client.execute_command(*TAKE.by_text([*guest, aside], [ttl, "m2", "ann"]))
    carts.add_item("guest", LAMP)
    assert shown(carts.merge("guest", "bob").cart) == [("7", 1)]
    assert shown(carts.get_cart("ann")) == [("7", 2), ("b", 1)]


def test_merges_at_the_same_time_count_once(live_toolkit: Toolkit) -> None:
    carts = live_toolkit.make("ShoppingCart")
    for number in range(5):
        carts.add_item("guest", {"id": number, "name": "", "price": 1}, number + 1)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: carts.merge("guest", "ann"), range(12)))
    assert sorted(shown(carts.get_cart("ann"))) == [(str(number), number + 1) for number in range(5)]


# Stock and checkout


def test_an_order_is_made_once(carts: Any) -> None:
    carts.add_item("ann", LAMP, 2)
    carts.add_item("ann", BULB)
    order = carts.checkout("ann", "order-1")
    assert [(line.id, line.quantity) for line in order.items] == [("7", 2), ("b", 1)]
    assert order.total == Decimal("40.08")
    assert carts.get_cart("ann").items == []
    carts.add_item("ann", BULB)
    assert carts.checkout("ann", "order-1") == order
    assert carts.get_cart("ann").item_count == 1
    carts.clear("ann")
    with pytest.raises(CartIsEmpty):
        carts.checkout("ann", "order-2")


def test_what_was_agreed_to_is_ordered(carts: Any) -> None:
    agreed = carts.add_item("ann", LAMP)
    assert carts.get_cart("ann").version == agreed.version
    carts.add_item("ann", BULB)
    with pytest.raises(CartChanged):
        carts.checkout("ann", "o", version=agreed.version)
    now = carts.get_cart("ann")
    assert now.item_count == 2
    assert carts.checkout("ann", "o", version=now.version).total == now.total


def test_stock(toolkit: Toolkit) -> None:
    stock = toolkit.make("Stock")
    stock.set(7, 5)
    stock.reserve(7, 3, "a", ttl=5 * toolkit.unit)
    stock.reserve(7, 3, "a", ttl=5 * toolkit.unit)
    assert stock.available(7) == 2
    with pytest.raises(OutOfStock) as caught:
        stock.reserve(7, 3, "b")
    assert caught.value.missing == {"7": 2}
    stock.reserve(7, 4, "a", ttl=5 * toolkit.unit)
    assert stock.available(7) == 1
    toolkit.pass_time(6)
    assert stock.available(7) == 5
    with pytest.raises(ReservationGone):
        stock.confirm(7, "a")
    stock.reserve(7, 2, "c")
    stock.confirm(7, "c")
    stock.confirm(7, "c")
    assert stock.release(7, "c") is False
    assert stock.available(7) == 3
    stock.reserve(7, 1, "d")
    assert stock.release(7, "d") is True
    assert stock.release(7, "d") is False
    assert stock.add(7, -3) == 0
    with pytest.raises(OutOfStock):
        stock.add(7, -1)
    for call in (lambda: stock.set(7, -1), lambda: stock.reserve(7, 0, "x"), lambda: stock.reserve(7, 1, "x", ttl=0)):
        with pytest.raises(InvalidArgument):
            call()


def with_stock(toolkit: Toolkit, **stocks: int) -> tuple[Any, Any]:
    stock = toolkit.make("Stock")
    for product, quantity in stocks.items():
        stock.set(product, quantity)
    # The cart wants the stock itself, and not what hides that it is asynchronous.
    return toolkit.make("ShoppingCart", stock=getattr(stock, "__dict__", {}).get("_target", stock)), stock


def product(id: str, price: int = 1) -> dict[str, Any]:
    return {"id": id, "name": id, "price": price}


def test_a_checkout_takes_from_the_stock(toolkit: Toolkit) -> None:
    carts, stock = with_stock(toolkit, a=5, b=1)
    carts.add_item("ann", product("a"), 3)
    carts.add_item("ann", product("b"), 2)
    with pytest.raises(OutOfStock) as caught:
        carts.checkout("ann", "o")
    assert caught.value.missing == {"b": 1}
    assert (stock.available("a"), stock.available("b")) == (5, 1)
    carts.update_quantity("ann", "b", 1)
    carts.reserve("ann", "o")
    assert (stock.available("a"), stock.available("b")) == (2, 0)
    order = carts.checkout("ann", "o")
    assert carts.checkout("ann", "o") == order
    toolkit.pass_time(2000 if toolkit.unit == 1.0 else 0)
    assert (stock.available("a"), stock.available("b")) == (2, 0)
    with pytest.raises(CartIsEmpty):
        carts.checkout("ann", "o2")


def test_nothing_is_sold_twice(live_toolkit: Toolkit) -> None:
    carts, stock = with_stock(live_toolkit, a=10)
    sold = []

    def buy(number: int) -> None:
        carts.add_item(f"user{number}", product("a"), 3)
        try:
            order = carts.checkout(f"user{number}", "o")
        except OutOfStock:
            return
        sold.append(order.items[0].quantity)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(buy, range(8)))
    assert sum(sold) == 9
    assert stock.available("a") == 1
