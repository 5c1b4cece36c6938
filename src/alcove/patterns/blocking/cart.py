# Derived from alcove/patterns/asyncio/cart.py by derive_blocking.py: change it there.
"""Shopping carts: lines that two tabs can change at once, exact sums, merging, stock and checkout."""

from __future__ import annotations

import secrets
from typing import Any

from redis import Redis

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.stock import Stock
from alcove.patterns.core.cart import (
    CHANGE,
    CHECKOUT,
    CLEAR,
    LARGEST_QUANTITY,
    MOST_LINES,
    READ,
    RECEIVE,
    SETTLE,
    TAKE,
    Cart,
    CartChanged,
    CartIsEmpty,
    Ledger,
    Line,
    Merged,
    Order,
    checked_quantity,
    product_text,
    product_words,
    refusal,
)
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.scripts import Word
from alcove.patterns.core.stock import OutOfStock, ReservationGone

WEEK_S = 604_800
DAY_S = 86_400


class ShoppingCart(Pattern):
    """The carts of users.

        >>> import alcove
        >>> carts = ShoppingCart(alcove.open())
        >>> cart = carts.add_item("ann", {"id": 7, "name": "Lamp", "price": "19.99"}, quantity=3)
        >>> cart.item_count, cart.total
        (1, Decimal('59.97'))

    A product is a mapping, or an object, with `id`, `name` and `price`; what else a mapping has is kept as `data`.
    Prices are exact: a `Decimal`, a whole number, text, or a float with no more than `digits` digits after the point.
    A cart has at most `max_lines` products and `max_quantity` of each, and is kept for `ttl` seconds after its
    last use.

    Every change of a line is one step on the server, so that nothing is lost when two make one at the same time, and
    is applied once, although it may be sent again. A change that raises `OutcomeUnknown` can be repeated where it sets,
    removes or clears; where it adds, look at the cart first. All keys of a cart are on one node of a cluster; what
    concerns two carts or the stock is done in steps that can be repeated as a whole by the same id.
    """

    def __init__(
        self,
        client: Redis,
        *,
        ttl: float = WEEK_S,
        max_lines: int = 100,
        max_quantity: int = 1000,
        digits: int = 2,
        order_ttl: float = DAY_S,
        codec: Codec[Any] = JSON,
        stock: Stock | None = None,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        if ttl <= 0 or order_ttl <= 0:
            raise InvalidArgument("ttl and order_ttl are more than 0 seconds")
        if not (1 <= max_lines <= MOST_LINES and 1 <= max_quantity <= LARGEST_QUANTITY and 0 <= digits <= 6):
            raise InvalidArgument(
                f"max_lines is 1 to {MOST_LINES}, max_quantity 1 to {LARGEST_QUANTITY}, digits 0 to 6"
            )
        self.max_lines = max_lines
        self.max_quantity = max_quantity
        self.stock = stock
        self._digits = digits
        self._ledger = Ledger(codec, digits)
        self._codec = codec
        self._ttl_ms = round(ttl * 1000)
        self._order_ttl_ms = round(order_ttl * 1000)

    # Lines

    def add_item(self, user_id: Id, product: Any, quantity: int = 1) -> Cart:
        """Adds so many of a product to what is there of it. Its name and price become those given.

        Raises `CartLimitExceeded`.
        """
        id, price, payload = product_words(product, self._digits, self._codec)
        words: list[Word] = [
            "add",
            id,
            checked_quantity(quantity, 1),
            price,
            payload,
            self.max_lines,
            self.max_quantity,
        ]
        return self._change(user_id, words)

    def update_quantity(self, user_id: Id, product_id: Id, quantity: int) -> Cart:
        """Sets how many there are of a product; 0 removes it. Raises `ItemNotInCart` and `CartLimitExceeded`."""
        words: list[Word] = ["set", product_text(product_id), checked_quantity(quantity, 0), self.max_quantity]
        return self._change(user_id, words)

    def remove_item(self, user_id: Id, product_id: Id) -> Cart:
        """Removes a product, if it is there."""
        return self._change(user_id, ["remove", product_text(product_id)])

    def _change(self, user_id: Id, words: list[Word]) -> Cart:
        words = [self._ttl_ms, *words]
        answer = self._run(CHANGE, [*self._keys(user_id), self._keys(user_id)[0] + ":calls"], words)
        if error := refusal(answer, words, (self.max_lines, self.max_quantity)):
            raise error
        return self._ledger.cart(answer)

    def get_cart(self, user_id: Id) -> Cart:
        """What is in a cart; nothing for one that there is not."""
        return self._ledger.cart(self._run(READ, self._keys(user_id), [self._ttl_ms]))

    def clear(self, user_id: Id) -> bool:
        """Empties a cart. False when it was empty."""
        return bool(self._run(CLEAR, self._keys(user_id), [self._ttl_ms]))

    # What concerns more than one cart

    def merge(self, guest_id: Id, user_id: Id) -> Merged:
        """Puts what is in a guest's cart into a user's, as at sign-in: of what both have, the sum.

        What is above the limits stays out and is told. When this was interrupted, calling it again goes on, and counts
        nothing twice. Each merge is received once, whoever calls it.
        """
        guest = self._keys(guest_id)
        if guest == self._keys(user_id):
            return Merged(self.get_cart(user_id), {})
        while True:
            id = secrets.token_urlsafe(12)
            taken = self._run(TAKE, [*guest, f"{guest[0]}:aside"], [self._ttl_ms, id, str(user_id)])
            if taken is None:
                return Merged(self.get_cart(user_id), {})
            # It is an earlier one's, maybe for another user, if that was interrupted.
            id, receiver, contents = taken[0].decode(), taken[1].decode(), taken[2]
            merged = self._received(receiver, id, contents)
            self._run(SETTLE, [f"{guest[0]}:aside"], [id])
            if receiver == str(user_id):
                return merged

    def _received(self, user_id: Id, id: str, contents: bytes) -> Merged:
        keys = self._keys(user_id)
        words: list[Word] = [self._ttl_ms, id, contents, self.max_lines, self.max_quantity]
        answer, left = self._run(RECEIVE, [*keys, f"{keys[0]}:received"], words)
        left_out = {product.decode(): quantity for product, quantity in zip(left[::2], left[1::2], strict=True)}
        return Merged(self._ledger.cart(answer), left_out)

    def reserve(self, user_id: Id, checkout_id: Id, *, ttl: float = 900.0) -> Cart:
        """Reserves all that is in a cart, for `ttl` seconds, under the id of a checkout. Needs `stock`.

        Raises `OutOfStock` with all that is missing, and reserves nothing then; or `CartIsEmpty`.
        """
        if self.stock is None:
            raise InvalidArgument("this cart was made without a stock")
        cart = self.get_cart(user_id)
        if not cart.items:
            raise CartIsEmpty(f"the cart of {user_id} is empty")
        self._reserved(self.stock, cart.items, reservation_of(user_id, checkout_id), ttl)
        return cart

    def _reserved(self, stock: Stock, lines: list[Line], reservation: str, ttl: float = 900.0) -> None:
        missing: dict[str, int] = {}
        for line in lines:
            try:
                stock.reserve(line.id, line.quantity, reservation, ttl=ttl)
            except OutOfStock as error:
                missing |= error.missing
        if missing:
            self._released(stock, lines, reservation)
            raise OutOfStock(missing)

    def _released(self, stock: Stock, lines: list[Line], reservation: str) -> None:
        for line in lines:
            stock.release(line.id, reservation)

    def checkout(self, user_id: Id, checkout_id: Id, *, version: str | None = None) -> Order:
        """Makes an order of what is in a cart, and empties it. The same id again answers the same order.

        With `version` it is that cart or none: `CartChanged` is raised when it has changed since it was shown. With a
        `stock`, all of it is reserved first, or `OutOfStock` is raised; when it is ordered it is confirmed. Raises
        `CartIsEmpty`. An order is kept for `order_ttl` seconds. A checkout that was interrupted goes on when it is
        called again with its id; what it reserved is free after a quarter of an hour if it is not.
        """
        reservation = reservation_of(user_id, checkout_id)
        while True:
            lines: list[Line] = []
            expected = version or ""
            if self.stock is not None and not self._command("EXISTS", self._order(user_id, checkout_id)):
                cart = self.get_cart(user_id)
                lines, expected = cart.items, version or cart.version
                self._reserved(self.stock, lines, reservation)
            words: list[Word] = [self._ttl_ms, self._order_ttl_ms, expected]
            answer = self._run(CHECKOUT, [*self._keys(user_id), self._order(user_id, checkout_id)], words)
            if answer[0] == b"order":
                break
            if self.stock is not None:
                self._released(self.stock, lines, reservation)
            if answer[0] == b"empty":
                raise CartIsEmpty(f"the cart of {user_id} is empty")
            if version:
                raise CartChanged(f"the cart of {user_id} has version {answer[1].decode()}, not {version}")
        order = self._ledger.order(str(checkout_id), answer)
        if self.stock is not None:
            self._confirmed(self.stock, order, reservation)
        return order

    def _confirmed(self, stock: Stock, order: Order, reservation: str) -> None:
        for line in order.items:
            try:
                stock.confirm(line.id, reservation)
            except ReservationGone:
                # The checkout was interrupted for so long that the reservation ended.
                stock.reserve(line.id, line.quantity, reservation)
                stock.confirm(line.id, reservation)

    def _order(self, user_id: Id, checkout_id: Id) -> str:
        return self.keys.tagged("cart", user_id, "order", checkout_id)

    def _keys(self, user_id: Id) -> list[str]:
        cart = self.keys.tagged("cart", user_id)
        return [cart, f"{cart}:lines"]


def reservation_of(user_id: Id, checkout_id: Id) -> str:
    """What a checkout reserves goes by this: two users may have checkouts of the same id."""
    return f"{id_text(user_id)}:{id_text(checkout_id)}"
