"""What every write asks of a value that is made of elements, whatever its type."""

from __future__ import annotations


class Container:
    """What a key holds unless it is a string."""

    def footprint(self) -> int:
        """Bytes of memory with all elements, this object's own included."""
        return 0
