"""What a cache of products asks of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from alcove.patterns.core.keys import Id

Product = Mapping[str, Any]


class ProductStore(Protocol):
    """A store of products; its methods may be plain or, for asyncio, coroutines."""

    def find_product(self, product_id: Id) -> Any:
        """A product as a mapping with at least "id" and "stock"; None when there is none."""

    def take_stock(self, product_id: Id, quantity: int) -> Any:
        """Takes so many from the stock, in one step of the database."""

    def list_products(self, offset: int, limit: int) -> Any:
        """A list of the products that are for sale, at most `limit` from the offset on."""
