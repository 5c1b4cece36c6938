"""A cache without a network: its settings, what a read answers, keys from templates, and values as fields."""

from __future__ import annotations

import inspect
import logging
import math
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any, Final, Literal
from zlib import crc32

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import CannotDecode, CannotEncode, InvalidArgument
from alcove.patterns.core.keys import id_text, name_text
from alcove.patterns.core.scripts import Script, Word

READ: Final = Script("cache/read", with_=["cache/hit", "cache/entry"])
REFRESH: Final = Script("cache/refresh", with_=["cache/entry"])
STORE: Final = Script("cache/store", with_=["cache/entry"])
RELEASE: Final = Script("cache/release", with_=["cache/entry"])
SET: Final = Script("cache/set", with_=["cache/entry"])
WRITE: Final = Script("cache/write", with_=["cache/entry"])
INVALIDATE: Final = Script("cache/invalidate", with_=["cache/entry"])
INCREMENT: Final = Script("cache/increment", once=True, with_=["cache/entry"])

log = logging.getLogger("alcove.patterns")

State = Literal["here", "load", "wait", "miss", "unreadable"]
# Longer keys are documents by mistake.
LONGEST_KEY: Final = 4096
# As the protocol bounds the arguments of a call.
MOST_TAGS: Final = 1000


class Missing:
    """What there is no value for."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


class About(msgspec.Struct, frozen=True):
    """When a value's load began, for how many seconds it is fresh from when it was read, and how many its load took."""

    stamp: str
    left: float
    took: float
    packed_tags: bytes = b""

    @property
    def tags(self) -> tuple[str, ...]:
        return msgspec.msgpack.decode(self.packed_tags, type=tuple[str, ...]) if self.packed_tags else ()


class Settings(msgspec.Struct, frozen=True):
    """How long things are kept, in seconds; see `Cache`."""

    ttl: float
    jitter: float
    stale: float
    negative_ttl: float | None
    lease: float
    beta: float
    ahead: float

    def __post_init__(self) -> None:
        for name in ("ttl", "lease"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidArgument(f"{name} is more than 0 seconds, not {getattr(self, name)}")
        for name in ("stale", "beta"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidArgument(f"{name} is at least 0, not {getattr(self, name)}")
        if self.negative_ttl is not None and not 0 < self.negative_ttl < math.inf:
            raise InvalidArgument(f"negative_ttl is None or more than 0 seconds, not {self.negative_ttl}")
        if not (0 <= self.jitter < 1 and 0 <= self.ahead < 1):
            raise InvalidArgument("jitter and refresh_ahead are shares of the ttl: from 0 to less than 1")

    def fresh_ms(self, ttl: float | None, is_negative: bool) -> int:
        """For how many milliseconds something is fresh that is stored now; 0 when it is not to be stored."""
        if is_negative:
            if self.negative_ttl is None:
                return 0
            ttl = self.negative_ttl
        elif ttl is None:
            ttl = self.ttl
        elif not 0 < ttl < math.inf:
            raise InvalidArgument(f"ttl is more than 0 seconds, not {ttl}")
        spread = 1 + self.jitter * random.uniform(-1, 1)
        return max(1, round(ttl * spread * 1000))

    def is_early(self, about: About) -> bool:
        """Whether a value is to be loaded anew: it is stale, or will be soon."""
        return about.left <= max(about.took * self.earliness(), self.ahead * self.ttl)

    def earliness(self) -> float:
        """How many times the duration of the last load before its end an entry is loaded anew, by chance.

        Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (2015), call it XFetch.
        """
        return -self.beta * math.log(1 - random.random()) if self.beta else 0.0


# A value as an entry has it: as one, or the names and values of its fields.
Data = bytes | list[bytes]


class Answer(msgspec.Struct, frozen=True):
    """What a read found: the value, if it is there, and what the caller is to do."""

    state: State
    value: Any = MISSING
    # The value as it is stored, and what it is about, when the state is "here".
    data: Data = b""
    about: About | None = None
    # The stamp of the caller's turn to load it, when the state is "load".
    turn: str = ""
    # How many milliseconds somebody else may take to load it, when the state is "wait".
    wait_ms: int = 0


class Fields:
    """How a value stands in an entry: as one, by the codec, or as a field for each of its own."""

    def __init__(self, codec: Codec[Any], as_hash: bool) -> None:
        self.codec = codec
        self.as_hash = as_hash

    def words(self, value: Any) -> list[Word]:
        """How many fields, and their names and values. Raises `CannotEncode`."""
        if not self.as_hash or value is None:
            return [1, "", self.codec.encode(value)]
        if not isinstance(value, Mapping):
            raise CannotEncode(f"a value in fields is a mapping, not {type(value).__name__}")
        words: list[Word] = [len(value)]
        for name, part in value.items():
            if not isinstance(name, str) or not name:
                raise CannotEncode(f"a field's name is text and not empty, not {name!r}")
            words += (name, self.codec.encode(part))
        return words

    def value(self, data: Data) -> Any:
        """The value that is stored as these. Raises `CannotDecode`."""
        if isinstance(data, bytes):
            return self.codec.decode(data)
        if not self.as_hash:
            raise CannotDecode("the entry has fields: another kind of cache has written it")
        pairs = zip(data[::2], data[1::2], strict=True)
        return {name.decode(): self.codec.decode(part) for name, part in pairs}


def new_token() -> str:
    return os.urandom(9).hex()


def answer_of(raw: Data, fields: Fields) -> Answer:
    """An answer of the script `read`. What another codec has written is "unreadable"."""
    data: Data
    packed_tags = b""
    if isinstance(raw, bytes):
        line, _, data = raw.partition(b"\n")
    else:
        (line, _, packed_tags), data = raw[0].partition(b"\n"), raw[1:]
    state, *words = line.decode().split(" ")
    if state == "load":
        return Answer("load", turn=words[0])
    if state == "wait":
        return Answer("wait", wait_ms=int(words[0]))
    if state == "miss":
        return Answer("miss")
    seconds, microseconds, stamp, fresh, took, *size = words
    if size and isinstance(data, bytes):
        packed_tags, data = data[: int(size[0])], data[int(size[0]) :]
    left = int(fresh) / 1000 - int(seconds) - int(microseconds) / 1_000_000
    try:
        return Answer("here", fields.value(data), data, About(stamp, left, int(took) / 1000, packed_tags))
    except CannotDecode as error:
        log.warning("an entry of the cache is taken for missing: %s", error)
        return Answer("unreadable")


def checked_key(key: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        raise InvalidArgument(f"a cache's key is text of 1 to {LONGEST_KEY} characters, not {key!r:.60}")
    return key


def checked_tags(tags: Iterable[str]) -> list[str]:
    if isinstance(tags, str):
        raise InvalidArgument(f"tags are several texts, not one: {tags!r}")
    checked = list(tags)
    if len(checked) > MOST_TAGS:
        raise InvalidArgument(f"an entry has at most {MOST_TAGS} tags, not {len(checked)}")
    for tag in checked:
        if not isinstance(tag, str) or not tag:
            raise InvalidArgument(f"a tag is text and not empty, not {tag!r}")
    return checked


class Places:
    """The keys of a cache's entries, over its shards.

    A shard's keys have one hash tag, so that an entry and the marks of its tags are on one node and are read together.
    A cache on one server needs one shard; on a cluster, some per node spread it.
    """

    def __init__(self, namespace: str, name: str, shards: int) -> None:
        if not isinstance(shards, int) or not 1 <= shards <= 1024:
            raise InvalidArgument(f"shards are 1 to 1024, not {shards!r}")
        prefix = f"{name_text(namespace)}:" if namespace else ""
        # What all keys of the cache begin with.
        self.prefix = f"{prefix}{name_text(name)}:{{"
        self.shards = shards
        # What the keys of each shard begin with.
        self._heads = [f"{self.prefix}{shard}}}:" for shard in range(shards)]

    def shard(self, key: str) -> int:
        return crc32(key.encode()) % self.shards if self.shards > 1 else 0

    def marks(self, shard: int) -> list[str]:
        """What every script gets: the marks of a shard, and its clock."""
        head = self._heads[shard]
        return [f"{head}marks", f"{head}clock"]

    def entry(self, key: str) -> str:
        return f"{self._heads[self.shard(key)]}entry:{key}"

    def bell(self, key: str) -> str:
        return f"{self._heads[self.shard(key)]}bell:{key}"

    def calls(self, shard: int) -> str:
        return f"{self._heads[shard]}calls"

    def touched(self, shard: int, tags: Sequence[str]) -> list[str]:
        """The keys by which near-caches hear that tags are invalidated; without tags, everything."""
        return [f"{self._heads[shard]}tag:{tag}" for tag in tags] or [f"{self._heads[shard]}all"]

    def pairs(self, keys: Sequence[str]) -> list[str]:
        """The marks and the clock of the keys' shard, and each entry with its bell."""
        names = self.marks(self.shard(keys[0]))
        for key in keys:
            names += (self.entry(key), self.bell(key))
        return names

    def by_shard(self, keys: Iterable[str]) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for key in keys:
            groups.setdefault(self.shard(key), []).append(key)
        return groups


class Template:
    """A key with places for a function's arguments, such as "user:{user_id}:page:{page}" or "order:{order.id}"."""

    def __init__(self, text: str, function: Callable[..., Any]) -> None:
        self.text = text
        self._signature = inspect.signature(function)
        self._parts = list(Formatter().parse(text))
        for _, field, _, _ in self._parts:
            if field is not None and field.partition(".")[0].partition("[")[0] not in self._signature.parameters:
                raise InvalidArgument(f"{text!r} wants {field!r}, which {function.__name__} does not take")

    def key(self, args: tuple[Any, ...], options: dict[str, Any]) -> str:
        """The key of a call. Arguments are written so that no two calls have the same key."""
        bound = self._signature.bind(*args, **options)
        bound.apply_defaults()
        formatter = Formatter()
        parts = []
        for literal, field, _, _ in self._parts:
            parts.append(literal)
            if field is not None:
                value, _ = formatter.get_field(field, (), bound.arguments)
                parts.append(id_text(value) if isinstance(value, str | int) and value != "" else f"%{value!r}")
        return "".join(parts)
