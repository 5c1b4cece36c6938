"""What the tests of the in-process client compare: results with their types, and errors with all they say."""

from __future__ import annotations

from typing import Any


def exact(value: Any) -> Any:
    """A form in which `==` sees types and what exceptions say."""
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(element)) for key, element in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [exact(element) for element in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, value))
    if isinstance(value, BaseException):
        return type(value).__name__, value.args
    return type(value).__name__, repr(value)
