"""A cart without a network: its lines and sums, prices in minor units, orders, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import plain_text
from alcove.patterns.core.scripts import Script, Word

READ: Final = Script("cart/read", with_=["cart/cart"])
CHANGE: Final = Script("cart/change", once=True, with_=["cart/cart"])
CLEAR: Final = Script("cart/clear", with_=["cart/cart"])
TAKE: Final = Script("cart/take", with_=["cart/cart"])
RECEIVE: Final = Script("cart/receive", with_=["cart/cart"])
SETTLE: Final = Script("cart/settle")
CHECKOUT: Final = Script("cart/checkout", with_=["cart/cart"])

# What a line may cost and how many there may be, so that no sum leaves the whole numbers of a double.
LARGEST_PRICE: Final = 10**12
LARGEST_QUANTITY: Final = 10**6
MOST_LINES: Final = 1000


class CartError(PatternError):
    """The root of what a cart refuses. Nothing was changed."""


class ItemNotInCart(CartError, LookupError):
    """The product is not in the cart."""


class CartLimitExceeded(CartError):
    """The cart would have more lines, or more of a product, than is allowed: `limit`."""

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class CartIsEmpty(CartError):
    """There is nothing to check out."""


class CartChanged(CartError):
    """The cart has another version than the one that was agreed to."""


class Line(msgspec.Struct, frozen=True):
    """A product in a cart."""

    id: str
    name: str
    # Of one piece, in the currency's unit.
    price: Decimal
    quantity: int
    # What else the product had when it was added.
    data: dict[str, Any] = {}

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


class Cart(msgspec.Struct, frozen=True):
    """What is in a cart, in the order in which it was added."""

    items: list[Line]
    total: Decimal
    # Changes with every change of the cart.
    version: str

    @property
    def item_count(self) -> int:
        """How many lines there are."""
        return len(self.items)

    @property
    def quantity(self) -> int:
        """How many pieces there are."""
        return sum(line.quantity for line in self.items)


class Merged(msgspec.Struct, frozen=True):
    """A user's cart after a merge, and how many of which product had no place in it."""

    cart: Cart
    left_out: dict[str, int]


class Order(msgspec.Struct, frozen=True):
    """What was checked out."""

    id: str
    items: list[Line]
    total: Decimal
    # When, in seconds since 1970, by the server's clock.
    created_at: float


def minor_units(price: Any, digits: int) -> int:
    """A price in minor units, such as cents: 19.99 is 1999 with two digits.

    Takes `Decimal`, whole numbers, text, and floats that have no more digits than that. Raises `InvalidArgument`.
    """
    if isinstance(price, bool) or not isinstance(price, Decimal | int | str | float):
        raise InvalidArgument(f"a price is a Decimal, a number or text, not {type(price).__name__}")
    try:
        minor = Decimal(str(price)).scaleb(digits)
    except InvalidOperation:
        raise InvalidArgument(f"a price is a number, not {price!r}") from None
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise InvalidArgument(f"a price has at most {digits} digits after the point, not {price!r}")
    if not 0 <= minor <= LARGEST_PRICE:
        raise InvalidArgument(f"a price is between 0 and {LARGEST_PRICE} minor units, not {price!r}")
    return int(minor)


def checked_quantity(quantity: Any, least: int) -> int:
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        raise InvalidArgument(f"a quantity is a whole number, not {quantity!r}")
    if not least <= quantity <= LARGEST_QUANTITY:
        raise InvalidArgument(f"a quantity is between {least} and {LARGEST_QUANTITY}, not {quantity}")
    return quantity


def product_text(product: Any) -> str:
    """A product's id as a cart has it. Raises `InvalidArgument`."""
    return plain_text(product, "a product's id")


def product_words(product: Any, digits: int, codec: Codec[Any]) -> tuple[str, int, bytes]:
    """A product's id, price in minor units, and the rest as bytes. Raises `InvalidArgument`."""
    if not isinstance(product, Mapping):
        product = {name: getattr(product, name, None) for name in ("id", "name", "price")}
    rest = {key: value for key, value in product.items() if key not in ("id", "price", "quantity")}
    name = rest.setdefault("name", "")
    if not isinstance(name, str):
        raise InvalidArgument(f"a product's name is text, not {name!r}")
    return product_text(product.get("id")), minor_units(product.get("price"), digits), codec.encode(rest)


class Ledger:
    """Reads what scripts answer of carts."""

    def __init__(self, codec: Codec[Any], digits: int) -> None:
        self.codec = codec
        self.digits = digits

    def lines(self, quantities: list[bytes], details: list[bytes]) -> list[Line]:
        quantity_of = dict(zip(quantities[::2], quantities[1::2], strict=True))
        found = []
        for product, text in zip(details[::2], details[1::2], strict=True):
            since, price, payload = text.split(b"|", 2)
            data = self.codec.decode(payload)
            name = data.pop("name")
            amount = Decimal(int(price)).scaleb(-self.digits)
            line = Line(product.decode(), name, amount, int(quantity_of[product]), data)
            found.append((int(since), line))
        found.sort(key=lambda one: one[0])
        return [line for _, line in found]

    def total(self, lines: list[Line]) -> Decimal:
        return sum((line.total for line in lines), Decimal(0).scaleb(-self.digits))

    def cart(self, contents: list[Any]) -> Cart:
        version, quantities, details = contents
        lines = self.lines(quantities, details)
        return Cart(lines, self.total(lines), version.decode())

    def order(self, id: str, answer: list[Any]) -> Order:
        _, when_ms, _, quantities, details = answer
        lines = self.lines(quantities, details)
        return Order(id, lines, self.total(lines), int(when_ms) / 1000)


def refusal(answer: list[Any], words: list[Word], limits: tuple[int, int]) -> CartError | None:
    """The error that an answer of the script `change` means, if it means one."""
    lines, quantity = limits
    match answer[0]:
        case b"absent":
            return ItemNotInCart(f"product {words[2]!r} is not in the cart")
        case b"quantity":
            return CartLimitExceeded(f"a cart has at most {quantity} of a product, not {answer[1]}", quantity)
        case b"lines":
            return CartLimitExceeded(f"a cart has at most {lines} products", lines)
    return None
