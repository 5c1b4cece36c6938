"""The near-cache without a network: what is kept in the process, for how long, and when it may be believed."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final
from weakref import WeakSet

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError

from alcove.patterns.core.cache import Data
from alcove.patterns.core.errors import InvalidArgument

# How often a node is asked for a sign of life, and how long what it was last heard of is believed, in seconds.
PULSE_S: Final = 1.0
PATIENCE_S: Final = 3.0
# Where a connection that redirects its tracking to itself hears of changes on RESP2.
CHANNEL: Final = "__redis__:invalidate"
# Keys share numbers of changes: a change that has the number of another key costs a trip, and nothing else.
_STRIPES: Final = 256

_all: WeakSet[Near] = WeakSet()


class Kept(msgspec.Struct, frozen=True):
    """An encoded value, until when it is fresh by our own clock, how many seconds its load took, and its tags."""

    data: Data
    until: float
    took: float
    tags: tuple[str, ...] = ()


class Near:
    """Values that are kept in the process, the last used of them, while the server tells of what changes.

    It is off, and empty, until each of the `nodes` that hold the cache has confirmed that it tells, and again from the
    moment on that one of them is lost. A node that says nothing any more is believed for `PATIENCE_S` seconds.

    A value is kept only if nothing was heard of its key between `numbers`, before it was read, and `keep`: a message
    may overtake the answer to a read that came before the change. All may be called from any thread.
    """

    def __init__(self, prefix: str, size: int) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidArgument(f"near is None, or how many entries are kept in the process, not {size!r}")
        self.prefix = prefix
        self.size = size
        self.closed = False
        # Who listens to which node.
        self.tasks: dict[str, Any] = {}
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._numbers = [0] * _STRIPES
        # The keys of what has a tag, and how often something was heard of any.
        self._tagged: dict[str, set[str]] = {}
        self._tags_told = 0
        # The nodes that somebody listens to, and when what they have confirmed was asked; None while they have not.
        self._heard: dict[str, float | None] = {}
        self._nodes: frozenset[str] = frozenset()
        self._believed_until = -math.inf

    def __len__(self) -> int:
        return len(self._kept)

    # Nodes

    def claimed(self, nodes: Iterable[str]) -> list[str]:
        """Those of all nodes there are that nobody listens to yet; the caller is to do so."""
        names = frozenset(nodes)
        with self._lock:
            if self.closed:
                return []
            if names != self._nodes:
                self._nodes = names
                self._forget_all()
                self._reckon()
            new = [name for name in names if name not in self._heard]
            self._heard.update(dict.fromkeys(new))
        return new

    def is_wanted(self, node: str) -> bool:
        return not self.closed and node in self._nodes and node in self._heard

    def heard(self, node: str, asked: float) -> None:
        """A node has confirmed what it was asked at this moment: all that had changed before is known."""
        with self._lock:
            if node not in self._heard:
                return
            if self._heard[node] is None:
                # Nothing that was read before counts.
                self._forget_all()
            self._heard[node] = asked
            self._reckon()

    def note(self, node: str, message: list[Any], asked: float) -> None:
        """A node sends the names of keys that have changed, or answers that it is alive, as it was asked."""
        if message[0] == b"message":
            self.told(message[2])
        elif message[0] == b"pong":
            self.heard(node, asked)

    def lost(self, node: str) -> None:
        """A node tells of changes no more, until it is `heard` again."""
        with self._lock:
            if node in self._heard:
                self._heard[node] = None
            self._forget_all()
            self._reckon()

    def left(self, node: str) -> None:
        """Nobody listens to a node any more."""
        self.lost(node)
        with self._lock:
            self._heard.pop(node, None)
            self.tasks.pop(node, None)

    def _reckon(self) -> None:
        asked = [self._heard.get(node) for node in self._nodes]
        known = [moment for moment in asked if moment is not None]
        self._believed_until = min(known) + PATIENCE_S if known and len(known) == len(asked) else -math.inf

    def close(self) -> None:
        with self._lock:
            self.closed = True
            self._nodes = frozenset()
            self._forget_all()
            self._reckon()
        for task in list(self.tasks.values()):
            task.cancel()

    # Values

    def get(self, key: str, times: float, ahead: float) -> Data | None:
        """The encoded value of a key that is fresh, and not to be loaded early: `times` what its load took, or `ahead`
        seconds before its end.
        """
        now = time.monotonic()
        with self._lock:
            if now >= self._believed_until:
                return None
            kept = self._kept.get(key)
            if kept is None:
                return None
            left = kept.until - now
            if left > max(kept.took * times, ahead):
                self._kept.move_to_end(key)
                return kept.data
            if left <= 0:
                self._forget(key)
            return None

    def numbers(self, keys: Iterable[str]) -> list[tuple[int, int]]:
        """How often something was heard of these keys, and of those that share their numbers; and of tags."""
        with self._lock:
            return [(self._numbers[hash(key) % _STRIPES], self._tags_told) for key in keys]

    def keep(self, key: str, numbers: tuple[int, int], kept: Kept) -> None:
        """Keeps what was read since these `numbers`."""
        of_key, of_tags = numbers
        with self._lock:
            if time.monotonic() >= self._believed_until or self._numbers[hash(key) % _STRIPES] != of_key:
                return
            if kept.tags and self._tags_told != of_tags:
                return
            self._forget(key)
            self._kept[key] = kept
            for tag in kept.tags:
                self._tagged.setdefault(tag, set()).add(key)
            if len(self._kept) > self.size:
                self._forget(next(iter(self._kept)))

    def drop(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._numbers[hash(key) % _STRIPES] += 1
                self._forget(key)

    def drop_tags(self, tags: Iterable[str]) -> None:
        with self._lock:
            self._tags_told += 1
            for tag in tags:
                for key in list(self._tagged.get(tag, ())):
                    self._forget(key)

    def drop_all(self) -> None:
        with self._lock:
            self._forget_all()

    def _forget(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        for tag in kept.tags if kept is not None else ():
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]

    def _forget_all(self) -> None:
        self._numbers = [number + 1 for number in self._numbers]
        self._tags_told += 1
        self._kept.clear()
        self._tagged.clear()

    def told(self, names: list[bytes] | None) -> None:
        """The server's message: these of its keys have changed, or all.

        Of one with the prefix, behind the shard stands what it is. Marks change when tags or everything is invalidated,
        and then the message says which; when it does not, they were lost.
        """
        if names is None:
            self.drop_all()
            return
        changed: dict[str, list[str]] = {"entry": [], "tag": [], "marks": [], "all": []}
        for name in names:
            kind, _, rest = name[len(self.prefix) :].decode(errors="replace").partition("}:")[2].partition(":")
            if kind in changed:
                changed[kind].append(rest)
        if changed["all"] or (changed["marks"] and not changed["tag"]):
            self.drop_all()
            return
        if changed["tag"]:
            self.drop_tags(changed["tag"])
        self.drop(changed["entry"])


def node_names(client: Any) -> list[str]:
    """The nodes that hold keys: those of a cluster, as far as the client knows, or the one server, without a name."""
    primaries = getattr(client, "get_primaries", None)
    return [""] if primaries is None else [node.name for node in primaries()]


def own_connection(client: Any, node: str) -> Any:
    """A connection to a node as the client makes them, but on RESP2, and outside of all pools.

    On RESP2 a message is an answer like any other, whatever the client does with those of RESP3.
    """
    place = client
    if node:
        place = next((primary for primary in client.get_primaries() if primary.name == node), None)
        if place is None:
            raise RedisConnectionError(f"{node} holds no keys any more")
        if hasattr(place, "redis_connection"):
            place = client.get_redis_connection(place)
    pool = getattr(place, "connection_pool", place)
    # Maintenance is told of on RESP3 only, and where messages arrive nobody asks for the connection's health.
    options = {name: value for name, value in pool.connection_kwargs.items() if "maint_notifications" not in name}
    patience = min(PATIENCE_S, options.get("socket_timeout") or PATIENCE_S)
    options.update(protocol=2, decode_responses=False, socket_timeout=patience, retry=None)
    if "health_check_interval" in options:
        options["health_check_interval"] = 0
    return pool.connection_class(**options)


def _after_fork() -> None:
    """In the child of a fork nobody listens."""
    for near in list(_all):
        near._begin()


os.register_at_fork(after_in_child=_after_fork)
