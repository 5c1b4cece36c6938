"""Names of keys: `object:id:attribute` with a namespace, safe for any id, and with one hash tag per object."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from alcove.patterns.core.errors import InvalidArgument

# What would change a key's meaning, or could not be read in a log, inside an id: separators, tags, blanks, controls.
_UNSAFE = re.compile(r"[:{}%*?\[\]\\\s\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*")
# Longer ones are somebody's whole document by mistake.
LONGEST_ID = 1024

Id = str | int


def id_text(value: Id) -> str:
    """An id as part of a key. No two ids have the same text, and none contains a separator.

        >>> id_text("alice"), id_text(42), id_text("a:b {c}")
        ('alice', '42', 'a%3Ab%20%7Bc%7D')

    Raises `InvalidArgument` when it is empty, too long, or neither text nor a whole number.
    """
    if not isinstance(value, str) and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidArgument(f"an id is text or a whole number, not {type(value).__name__}")
    text = str(value)
    if not text:
        raise InvalidArgument("an id is not empty")
    if len(text) > LONGEST_ID:
        raise InvalidArgument(f"an id has at most {LONGEST_ID} characters, not {len(text)}")
    return _safe(text)


@lru_cache(4096)
def _safe(text: str) -> str:
    # Every operation has some ids, and most come again soon.
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def plain_text(value: Any, what: str) -> str:
    """An id that stands as it is, in a field or a member. Raises `InvalidArgument` for an empty one, or none."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise InvalidArgument(f"{what} is text or a whole number, and not empty: {value!r}")
    return str(value)


def name_text(value: str) -> str:
    """A name that a program chooses, such as "user" or "cache:page". Raises `InvalidArgument` for odd ones."""
    if not isinstance(value, str) or not _is_name(value):
        raise InvalidArgument(f"a name has letters, digits, '_', '-', '.' and ':' between them, not {value!r}")
    return value


@lru_cache(256)
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


class Keys:
    """The keys of a program, named as `namespace:object:id:attribute`.

        >>> keys = Keys("shop")
        >>> keys("user", 1, "profile")
        'shop:user:1:profile'
        >>> keys.tagged("cart", "alice"), keys.tagged("cart", "alice", "calls")
        ('shop:cart:{alice}', 'shop:cart:{alice}:calls')

    `object` and `attribute` are names in the program's text, ids come from outside and may be anything; `id_text`
    keeps them apart.
    """

    __slots__ = ("_prefix", "namespace")

    def __init__(self, namespace: str = "") -> None:
        self.namespace = name_text(namespace) if namespace else ""
        self._prefix = f"{namespace}:" if namespace else ""

    def __call__(self, kind: str, *ids: Id) -> str:
        """The key of an object and, if more follows, of something in it."""
        return ":".join((self._prefix + name_text(kind), *map(id_text, ids)))

    def tagged(self, kind: str, id: Id, *attributes: Id) -> str:
        """The same with the id as hash tag, so that all keys of the object are on one node of a cluster."""
        place = f"{self._prefix}{name_text(kind)}:{{{id_text(id)}}}"
        return ":".join((place, *map(id_text, attributes))) if attributes else place

    def __repr__(self) -> str:
        return f"Keys({self.namespace!r})"
