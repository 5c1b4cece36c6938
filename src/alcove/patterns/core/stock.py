"""A stock without a network: its scripts, and what goes wrong."""

from __future__ import annotations

from typing import Final

from alcove.patterns.core.errors import PatternError
from alcove.patterns.core.scripts import Script

CHANGE: Final = Script("stock/change", once=True, with_=["stock/stock"])


class OutOfStock(PatternError):
    """There is not as much as was asked for. `missing` says of which products, and how many there are of them."""

    def __init__(self, missing: dict[str, int]) -> None:
        parts = ", ".join(f"{product} ({there} there)" for product, there in missing.items())
        super().__init__(f"not in stock: {parts}")
        self.missing = missing


class ReservationGone(PatternError):
    """The reservation has ended, and what was reserved may be somebody else's by now."""
