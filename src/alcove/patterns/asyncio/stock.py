"""Stock: how many there are of a product, and reservations that end by themselves."""

from __future__ import annotations

from redis.asyncio import Redis

from alcove.patterns.asyncio.pattern import Pattern
from alcove.patterns.core.cart import LARGEST_QUANTITY, checked_quantity
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.scripts import Word
from alcove.patterns.core.stock import CHANGE, OutOfStock, ReservationGone

# For how long it is remembered that a reservation was confirmed, in seconds.
REMEMBERED_S = 86_400


class Stock(Pattern):
    """How many there are of each product.

        >>> import alcove.asyncio
        >>> stock = Stock(alcove.asyncio.open())
        >>> await stock.set("lamp", 5)
        >>> await stock.reserve("lamp", 3, "order-1", ttl=900)
        >>> await stock.available("lamp")
        2
        >>> await stock.confirm("lamp", "order-1")

    A reservation takes from the stock; it comes back after `ttl` seconds unless it is confirmed. Reservations go by
    ids that the caller makes up: to reserve, confirm or release again by the same id changes nothing more, so that what
    was interrupted can be repeated as a whole. Each operation is one step on one product; those of several products
    may be on several nodes.
    """

    def __init__(self, client: Redis, *, namespace: str = "") -> None:
        super().__init__(client, namespace=namespace)

    async def set(self, product_id: Id, quantity: int) -> None:
        """Sets how many there are, beside what is reserved."""
        await self._change(product_id, "set", checked_quantity(quantity, 0))

    async def add(self, product_id: Id, quantity: int) -> int:
        """Adds to the stock, or takes from it; answers how many there are. Raises `OutOfStock`, and takes nothing."""
        return await self._change(product_id, "add", checked_quantity(quantity, -LARGEST_QUANTITY))

    async def available(self, product_id: Id) -> int:
        """How many are there and not reserved."""
        return await self._change(product_id, "count")

    async def reserve(self, product_id: Id, quantity: int, reservation: Id, *, ttl: float = 900.0) -> None:
        """Reserves so many for `ttl` seconds. Raises `OutOfStock`, and reserves nothing."""
        if not 0 < ttl < 1e9:
            raise InvalidArgument(f"ttl is more than 0 seconds, not {ttl}")
        words: list[Word] = ["reserve", id_text(reservation), checked_quantity(quantity, 1), round(ttl * 1000)]
        await self._change(product_id, *words)

    async def confirm(self, product_id: Id, reservation: Id) -> None:
        """What was reserved is sold. Raises `ReservationGone` when the reservation has ended before."""
        await self._change(product_id, "confirm", id_text(reservation), REMEMBERED_S * 1000)

    async def release(self, product_id: Id, reservation: Id) -> bool:
        """Gives back what was reserved. False when there is nothing to give back."""
        outcome, _ = await self._outcome(product_id, "release", id_text(reservation))
        return outcome == "ok"

    async def _change(self, product_id: Id, *words: Word) -> int:
        outcome, there = await self._outcome(product_id, *words)
        if outcome == "short":
            raise OutOfStock({str(product_id): there})
        if outcome == "gone":
            raise ReservationGone(f"reservation {words[1]!r} of product {product_id} has ended")
        return there

    async def _outcome(self, product_id: Id, *words: Word) -> tuple[str, int]:
        stock = self.keys.tagged("stock", product_id)
        outcome, there = await self._run(CHANGE, [stock, f"{stock}:reserved", f"{stock}:ends", f"{stock}:calls"], words)
        return outcome.decode(), there
