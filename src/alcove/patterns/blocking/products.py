# Derived from alcove/patterns/asyncio/products.py by derive_blocking.py: change it there.
"""The chapter's cache of products: details as hashes, stock written through, listings that follow what they show."""

from __future__ import annotations

from redis import Redis

from alcove.patterns.blocking.cache import Cache
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.products import Product, ProductStore


class ProductCache:
    """Products and listings of them, cached in front of a store (`ProductStore`).

        >>> import alcove
        >>> class Store:
        ...     stock = 5
        ...     def find_product(self, product_id): return {"id": product_id, "stock": self.stock}
        ...     def take_stock(self, product_id, quantity): self.stock -= quantity
        ...     def list_products(self, offset, limit): return [self.find_product(1)]
        >>> products = ProductCache(alcove.open(), Store())
        >>> (products.get_products())[0]["stock"], (products.get_product(1))["stock"]
        (5, 5)
        >>> products.update_inventory(1, 2)
        >>> (products.get_products())[0]["stock"], (products.get_product(1))["stock"]
        (3, 3)

    A product is kept for `ttl` seconds, a listing for `list_ttl`, and not longer than until the stock of one that it
    shows changes. That a product does not exist is remembered for `negative_ttl`. The guarantees are those of `Cache`.
    """

    def __init__(
        self,
        client: Redis,
        db: ProductStore,
        *,
        ttl: float = 7200.0,
        list_ttl: float = 300.0,
        negative_ttl: float | None = 30.0,
        shards: int = 1,
        namespace: str = "",
    ) -> None:
        self.db = db
        self.products = Cache(
            client, name="product", ttl=ttl, negative_ttl=negative_ttl, as_hash=True, shards=shards, namespace=namespace
        )
        self.listings = Cache(client, name="products:list", ttl=list_ttl, shards=shards, namespace=namespace)

    def get_product(self, product_id: Id) -> Product | None:
        """A product; None when the store has none of that id."""
        product: Product | None = self.products.get_or_load(
            id_text(product_id), lambda: self.db.find_product(product_id)
        )
        return product

    def update_inventory(self, product_id: Id, quantity: int) -> None:
        """Takes `quantity` from the stock, in the store and then in the cache; a negative one puts back."""
        if isinstance(quantity, bool) or not isinstance(quantity, int):
            raise InvalidArgument(f"a quantity is a whole number, not {quantity!r}")
        key = id_text(product_id)
        self.products.increment_through(key, "stock", -quantity, lambda: self.db.take_stock(product_id, quantity))
        self.listings.invalidate_tags(key)

    def get_products(self, page: int = 1, limit: int = 20) -> list[Product]:
        """A page of the listing."""
        if page < 1 or limit < 1:
            raise InvalidArgument(f"page and limit are at least 1, not {page} and {limit}")
        listing: list[Product] = self.listings.get_or_load(
            f"{page}:{limit}", lambda: self.db.list_products((page - 1) * limit, limit), tags=shown
        )
        return listing

    def invalidate_all(self) -> None:
        """Forgets all products and listings, at once and without looking for them."""
        self.products.invalidate_all()
        self.listings.invalidate_all()


def shown(listing: list[Product]) -> list[str]:
    """The products that a listing shows, as its tags."""
    return [id_text(product["id"]) for product in listing]
