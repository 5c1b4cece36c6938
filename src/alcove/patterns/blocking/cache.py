# Derived from alcove/patterns/asyncio/cache.py by derive_blocking.py: change it there.
"""The cache: loaded once for all who ask, never older than the last invalidation, stale rather than slow."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.blocking.near import listen
from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import Event, Task, happened, monotonic, result_of, spawn
from alcove.patterns.core.cache import (
    INCREMENT,
    INVALIDATE,
    MISSING,
    READ,
    REFRESH,
    RELEASE,
    SET,
    STORE,
    WRITE,
    Answer,
    Fields,
    Places,
    Settings,
    Template,
    answer_of,
    checked_key,
    checked_tags,
    new_token,
)
from alcove.patterns.core.codecs import JSON, Codec, Compressed
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.near import Kept, Near
from alcove.patterns.core.scripts import Script, Word

T = TypeVar("T")
Loader = Callable[[], T]
ManyLoader = Callable[[list[str]], Mapping[str, T]]
Tags = Iterable[str] | Callable[[Any], Iterable[str]]

log = logging.getLogger("alcove.patterns")


class Flight:
    """A load that several callers in this process wait for."""

    __slots__ = ("error", "landed", "value")

    def __init__(self) -> None:
        self.landed = Event()
        self.value: Any = MISSING
        self.error: Exception | None = None


def one_of(loader: Loader[T]) -> ManyLoader[T]:
    """A loader of one value as one of several."""

    def load(keys: list[str]) -> dict[str, T]:
        return {key: result_of(loader()) for key in keys}

    return load


class Cache(Pattern):
    """A cache of what a function loads, by key.

        >>> import alcove
        >>> cache = Cache(alcove.open(), ttl=3600)
        >>> cache.get_or_load("user:1", lambda: {"name": "Ann"}, tags=["users"])
        {'name': 'Ann'}
        >>> cache.invalidate("user:1")

    Of many who ask for what is not there one loads it, in this process and in all others, and the rest wait for it.
    The one has a lease of `lease` seconds; when it fails or dies, the next one loads. For `stale` seconds after its
    `ttl` an entry is served while it is loaded anew. It is loaded early, too, while it is served: when less than the
    share `refresh_ahead` of its ttl is left, or by chance, the sooner the longer its load takes (`beta`; 1 is usual).
    `jitter` spreads the ttl by that share, so that what was stored together does not end together. None is stored for
    `negative_ttl` seconds, by default not at all.

    What is invalidated, by its key, by a tag or with everything, is not served any more from the moment on that the
    call returns; a load that began before is not stored. Tags cost nothing until they are invalidated, which is O(1).
    Reads, stores and invalidations are one trip each.

    Values are written by `codec`, compressed above `compress_above` bytes; with `as_hash=True` they are mappings, and
    each of their fields is one of a hash, which `increment` can change. `shards` spreads the cache over a cluster.

    With `near` the last so many entries that were read are kept in the process as well, encoded, and are served without
    a trip while they are fresh and not to be loaded early. The server tells of every change over a connection of the
    cache's own (one to each node of a cluster), from the first read on until `close`: what another process invalidates
    is served no more when its message has arrived, usually in less than a millisecond; what this cache object does, it
    sees when the call returns. While that connection is lost nothing is served in this way; if nobody notices, because
    the network or the event loop stands still, for at most three seconds.

    When the server cannot be reached, or forgets everything, values are loaded and not stored (`fail_open=False`
    raises instead); an invalidation raises always. When the server's clock jumps, entries live longer or shorter;
    invalidations hold nevertheless.
    """

    def __init__(
        self,
        client: Redis,
        *,
        name: str = "cache",
        ttl: float = 300.0,
        jitter: float = 0.1,
        stale: float = 0.0,
        negative_ttl: float | None = None,
        lease: float = 10.0,
        beta: float = 1.0,
        refresh_ahead: float = 0.0,
        codec: Codec[Any] = JSON,
        compress_above: int | None = 1024,
        as_hash: bool = False,
        shards: int = 1,
        near: int | None = None,
        fail_open: bool = True,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        self.settings = Settings(ttl, jitter, stale, negative_ttl, lease, beta, refresh_ahead)
        packed = codec if as_hash or compress_above is None else Compressed(codec, compress_above)
        self.fail_open = fail_open
        self._fields = Fields(packed, as_hash)
        self._places = Places(namespace, name, shards)
        self._near = Near(self._places.prefix, near) if near else None
        self._flights: dict[str, Flight] = {}
        # Who loads which keys anew.
        self._refreshes: dict[Task, Iterable[str]] = {}

    # Reading

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, fresh or stale; `default` when there is none."""
        answer = self._read_one(checked_key(key), "-", 0)
        return answer.value if answer.state == "here" else default

    def get_or_load(self, key: str, loader: Loader[T], *, ttl: float | None = None, tags: Tags = ()) -> T:
        """The value of a key, loaded by `loader()` if need be: cache-aside.

        `tags` are texts, or a function of the value that gives them: so a list is tagged with what it shows. What the
        loader raises is raised here, also for those who waited for it.
        """
        checked_key(key)
        token = new_token()
        while True:
            flight = self._flights.get(key)
            if flight is not None and happened(flight.landed, self.settings.lease):
                if flight.error is not None:
                    raise flight.error
                if flight.value is not MISSING:
                    return flight.value  # type: ignore[no-any-return]
            try:
                answer = self._read_one(key, token, self.settings.lease)
            except (RedisConnectionError, RedisTimeoutError):
                if not self.fail_open:
                    raise
                value: T = result_of(loader())
                return value
            if answer.state == "here":
                if answer.about is not None and self.settings.is_early(answer.about):
                    self._refresh({key: answer.about.stamp}, one_of(loader), ttl, tags)
                return answer.value  # type: ignore[no-any-return]
            if answer.state == "load":
                return self._loaded(key, answer.turn, loader, ttl, tags)
            if answer.state == "unreadable":
                self.invalidate(key)
            elif key not in self._flights:
                self._until_loaded(key, answer.wait_ms)

    def get_many(
        self, keys: Iterable[str], loader: ManyLoader[T], *, ttl: float | None = None, tags: Tags = ()
    ) -> dict[str, T]:
        """The values of several keys; what is missing is loaded by one call of `loader(missing)`.

        The loader answers a mapping; the value of a key that is not in it is None. What somebody else is loading is
        waited for.
        """
        wanted = list(dict.fromkeys(map(checked_key, keys)))
        found: dict[str, T] = {}
        token = new_token()
        while wanted:
            flights = [flight for key in wanted if (flight := self._flights.get(key)) is not None]
            for flight in flights:
                happened(flight.landed, self.settings.lease)
            try:
                answers = self._read(wanted, token, self.settings.lease)
            except (RedisConnectionError, RedisTimeoutError):
                if not self.fail_open:
                    raise
                loaded: Mapping[str, Any] = result_of(loader(wanted))
                return found | {key: loaded.get(key) for key in wanted}  # type: ignore[return-value]
            found |= {key: answer.value for key, answer in answers.items() if answer.state == "here"}
            early = {
                key: answer.about.stamp
                for key, answer in answers.items()
                if answer.about is not None and self.settings.is_early(answer.about)
            }
            if early:
                self._refresh(early, loader, ttl, tags)
            if ours := {key: answer.turn for key, answer in answers.items() if answer.state == "load"}:
                found |= (self._load_and_store(ours, loader, ttl, tags))[0]
            self.invalidate(*(key for key, answer in answers.items() if answer.state == "unreadable"))
            wanted = [key for key, answer in answers.items() if answer.state in ("wait", "unreadable")]
            if wanted and wanted[0] not in self._flights and answers[wanted[0]].state == "wait":
                self._until_loaded(wanted[0], answers[wanted[0]].wait_ms)
        return found

    def _read(self, keys: list[str], token: str, lease: float) -> dict[str, Answer]:
        """What is there of keys, for one who would have the turn to load for `lease` seconds; 0: he would not."""
        answers = {} if self._near is None else self._found_near(self._near, keys)
        for shard, group in self._places.by_shard(key for key in keys if key not in answers).items():
            answers.update(zip(group, self._asked(shard, group, token, lease), strict=True))
        return answers

    def _read_one(self, key: str, token: str, lease: float) -> Answer:
        """The same of one key, which most calls ask for."""
        if self._near is not None and (found := self._found_near(self._near, [key])):
            return found[key]
        (answer,) = self._asked(self._places.shard(key), [key], token, lease)
        return answer

    def _asked(self, shard: int, keys: list[str], token: str, lease: float) -> list[Answer]:
        near = self._near
        asked, numbers = (monotonic(), near.numbers(keys)) if near is not None else (0.0, [])
        names = [*self._places.marks(shard), *map(self._places.entry, keys)]
        raw = self._run(READ, names, [f"{token} {lease * 1000:.0f}"])
        answers = [answer_of(each, self._fields) for each in (raw if len(keys) > 1 else [raw])]
        if near is not None:
            listen(self.client, near)
            for key, answer, number in zip(keys, answers, numbers, strict=True):
                about = answer.about
                if about is not None and about.left > 0:
                    near.keep(key, number, Kept(answer.data, asked + about.left, about.took, about.tags))
        return answers

    def _found_near(self, near: Near, keys: list[str]) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        times, ahead = self.settings.earliness(), self.settings.ahead * self.settings.ttl
        for key in keys:
            data = near.get(key, times, ahead)
            if data is not None:
                found[key] = Answer("here", self._fields.value(data))
        return found

    def _until_loaded(self, key: str, wait_ms: int) -> None:
        """Waits until somebody else has loaded a key, or has had the time to: one here waits for all who ask here."""
        flight = self._flights.setdefault(key, Flight())
        try:
            self._command("BLPOP", self._places.bell(key), max(0.01, min(wait_ms / 1000, self._longest_wait())))
        except (RedisConnectionError, RedisTimeoutError):
            if not self.fail_open:
                raise
        finally:
            self._land(key, flight)

    def _land(self, key: str, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.landed.set()

    # Loading

    def _loaded(self, key: str, turn: str, loader: Loader[T], ttl: float | None, tags: Tags) -> T:
        """Loads what it is this caller's turn to load, for all in this process who ask meanwhile."""
        flight = self._flights[key] = Flight()
        try:
            values, held = self._load_and_store({key: turn}, one_of(loader), ttl, tags)
            if key in held:
                flight.value = values[key]
            return values[key]
        except Exception as error:
            flight.error = error
            raise
        finally:
            self._land(key, flight)

    def _load_and_store(
        self, turns: Mapping[str, str], loader: ManyLoader[T], ttl: float | None, tags: Tags
    ) -> tuple[dict[str, T], set[str]]:
        """Loads keys and stores them. Answers the values, and of which keys they are what others may have as well.

        Gives the turns back if that fails.
        """
        began = monotonic()
        is_settled = False
        try:
            loaded = result_of(loader([*turns]))
            values: dict[str, Any] = {key: loaded.get(key) for key in turns}
            held = self._store(values, turns, ttl, tags, round((monotonic() - began) * 1000))
            is_settled = True
        finally:
            if not is_settled:
                self._release(turns)
        return values, held

    def _store(
        self, values: Mapping[str, Any], turns: Mapping[str, str], ttl: float | None, tags: Tags, took_ms: int
    ) -> set[str]:
        described = {key: self._described(value, ttl, tags, took_ms) for key, value in values.items()}
        held: set[str] = set()
        try:
            for group in self._places.by_shard(key for key in values if described[key]).values():
                words: list[Word] = []
                for key in group:
                    words += (turns[key], *described[key])
                stored = self._change(STORE, group, words)
                held |= {key for key, is_stored in zip(group, stored, strict=True) if is_stored}
        except (RedisConnectionError, RedisTimeoutError):
            if not self.fail_open:
                raise
            log.warning("the cache could not store %s", list(values))
        return held | self._release({key: turns[key] for key in values if not described[key]})

    def _described(self, value: Any, ttl: float | None, tags: Tags, took_ms: int) -> list[Word]:
        """What scripts are told of a value; nothing when it is not to be stored."""
        fresh_ms = self.settings.fresh_ms(ttl, value is None)
        if not fresh_ms:
            return []
        texts = checked_tags(tags(value) if callable(tags) else tags)
        stale_ms = round(self.settings.stale * 1000)
        return [fresh_ms, stale_ms, took_ms, len(texts), *texts, *self._fields.words(value)]

    def _release(self, turns: Mapping[str, str]) -> set[str]:
        """Gives turns back. Answers which keys nobody has invalidated since."""
        held: set[str] = set()
        try:
            for group in self._places.by_shard(turns).values():
                answers = self._run(RELEASE, self._places.pairs(group), [turns[key] for key in group])
                held |= {key for key, is_held in zip(group, answers, strict=True) if is_held}
        except (RedisConnectionError, RedisTimeoutError):
            # They end by themselves.
            log.warning("the cache could not give back the turn to load %s", list(turns))
        return held

    def _refresh(self, stamps: Mapping[str, str], loader: ManyLoader[Any], ttl: float | None, tags: Tags) -> None:
        """Loads anew beside the caller, who goes on with the values that are there, if it is this process's turn."""
        for task in list(self._refreshes):
            if task.done:
                self._refreshes.pop(task, None)
        going_on = {key for keys in list(self._refreshes.values()) for key in keys}
        stamps = {key: stamp for key, stamp in stamps.items() if key not in going_on}
        if not stamps:
            return

        def refresh() -> None:
            try:
                for group in self._places.by_shard(stamps).values():
                    if turns := self._turns({key: stamps[key] for key in group}):
                        self._load_and_store(turns, loader, ttl, tags)
            except Exception:
                log.exception("the cache could not load %s anew", list(stamps))

        self._refreshes[spawn("refresh of the cache", refresh)] = stamps

    def _turns(self, stamps: Mapping[str, str]) -> dict[str, str]:
        """The stamps of this caller's turns to load anew what had these stamps when it was seen."""
        (shard,) = {self._places.shard(key) for key in stamps}
        names = [*self._places.marks(shard), *map(self._places.entry, stamps)]
        words: list[Word] = [new_token(), round(self.settings.lease * 1000), *stamps.values()]
        turns = self._run(REFRESH, names, words)
        return {key: turn.decode() for key, turn in zip(stamps, turns, strict=True) if turn}

    def settled(self) -> None:
        """Waits for the loads that go on beside their callers."""
        for task in list(self._refreshes):
            task.join()

    def close(self) -> None:
        """Ends the near-cache: from now on every read is a trip."""
        if self._near is not None:
            self._near.close()

    # Writing

    def set(self, key: str, value: Any, *, ttl: float | None = None, tags: Tags = ()) -> None:
        """Sets a value; loads that have begun before do not replace it."""
        described = self._described(value, ttl, tags, 0)
        if not described:
            self.invalidate(key)
            return
        self._flights.pop(checked_key(key), None)
        self._change(SET, [key], described)

    def write_through(
        self, key: str, write: Loader[T], *, ttl: float | None = None, tags: Tags = (), at_most: float = 30.0
    ) -> T:
        """Writes to the store by `write()`, which answers the value as it is there now, and then to the cache.

        Of writes that overlap nobody's value is kept, as nobody knows which came last in the store: the next reader
        loads it. When the write raises or takes longer than `at_most` seconds, nothing is kept either. A reader who
        loads meanwhile gets what the store answers, and it is not kept.
        """
        value, stamp = self._written(checked_key(key), write, at_most)
        try:
            described = self._described(value, ttl, tags, 0)
        except Exception:
            self._change(WRITE, [key], ["abort", stamp])
            raise
        self._flights.pop(key, None)
        self._change(WRITE, [key], ["end", stamp, *described] if described else ["abort", stamp])
        return value

    def _written(self, key: str, write: Loader[T], at_most: float) -> tuple[T, str]:
        """What `write()` answers, and the stamp of the write, which is still going on. If it raises, it is over."""
        stamp = (self._change(WRITE, [key], ["begin", round(at_most * 1000)])).decode()
        is_written = False
        try:
            value: T = result_of(write())
            is_written = True
        finally:
            if not is_written:
                self._change(WRITE, [key], ["abort", stamp])
        return value, stamp

    def increment(self, key: str, field: str, by: int = 1) -> int | None:
        """Adds to a whole number in a field of a value that is there, in a cache with `as_hash`; None when it is not.

        A load that began before is not stored: it may have seen the number from before or after.
        """
        return self._increment(key, field, by, "")

    def increment_through(
        self, key: str, field: str, by: int, write: Callable[[], Any], *, at_most: float = 30.0
    ) -> int | None:
        """Adds to a number in the store by `write()`, and then in the cache, if the value is there.

        Several may do so at the same time. When the write raises, nobody knows what the store has, and nothing is kept.
        """
        _, stamp = self._written(checked_key(key), write, at_most)
        return self._increment(key, field, by, stamp)

    def _increment(self, key: str, field: str, by: int, stamp: str) -> int | None:
        if isinstance(by, bool) or not isinstance(by, int):
            raise InvalidArgument(f"a field is incremented by a whole number, not {by!r}")
        calls = self._places.calls(self._places.shard(checked_key(key)))
        self._flights.pop(key, None)
        sum_: int | None = self._change(INCREMENT, [key], [field, by, stamp], calls)
        return sum_

    def _change(self, script: Script, keys: list[str], words: Sequence[Word], *names: str) -> Any:
        """Runs a script that changes entries of one shard; `names` are those of further keys that it has."""
        try:
            return self._run(script, [*self._places.pairs(keys), *names], words)
        finally:
            # Behind it: what is read while it runs may be from before.
            if self._near is not None:
                self._near.drop(keys)

    # Invalidation

    def invalidate(self, *keys: str) -> None:
        """Forgets the values of keys."""
        for key in map(checked_key, keys):
            self._flights.pop(key, None)
        for group in self._places.by_shard(keys).values():
            self._change(INVALIDATE, group, [""])

    def invalidate_tags(self, *tags: str) -> None:
        """Forgets the values of all keys that have one of these tags, however many there are."""
        if checked := checked_tags(tags):
            self._invalidate_everywhere(checked)

    def invalidate_all(self) -> None:
        """Forgets all values."""
        self._invalidate_everywhere([])

    def _invalidate_everywhere(self, tags: list[str]) -> None:
        """Forgets what has one of these tags; without tags, everything."""
        self._flights.clear()
        try:
            for shard in range(self._places.shards):
                names = [*self._places.marks(shard), *self._places.touched(shard, tags)]
                self._run(INVALIDATE, names, ["" if tags else "all", *tags])
        finally:
            if self._near is not None and tags:
                self._near.drop_tags(tags)
            elif self._near is not None:
                self._near.drop_all()

    # Decoration

    def cached(
        self, template: str, *, ttl: float | None = None, tags: Tags | Callable[..., Iterable[str]] = ()
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Caches what a function answers, under a key made of its arguments.

            @cache.cached("user:{user_id}", ttl=60)
            def user(user_id): ...

        The function gets `.key(...)`, the key of a call, and `.invalidate(...)`, which forgets what it answered.
        """

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            keys = Template(template, function)

            @functools.wraps(function)
            def cached(*args: Any, **options: Any) -> Any:
                return self.get_or_load(keys.key(args, options), lambda: function(*args, **options), ttl=ttl, tags=tags)

            def invalidate(*args: Any, **options: Any) -> None:
                self.invalidate(keys.key(args, options))

            cached.key = lambda *args, **options: keys.key(args, options)  # type: ignore[attr-defined]
            cached.invalidate = invalidate  # type: ignore[attr-defined]
            return cached

        return decorate
