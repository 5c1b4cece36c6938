# Derived from alcove/patterns/asyncio/writes.py by derive_blocking.py: change it there.
"""Writing behind: changes are seen at once and written to their store soon, none lost, in order for each key."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from redis import Redis
from redis.exceptions import RedisError

from alcove.patterns.blocking.cache import Cache
from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import Event, Task, called, happened, monotonic, spawn
from alcove.patterns.core.cache import checked_key
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.scripts import Word
from alcove.patterns.core.writes import (
    CLAIM,
    OVERLAY,
    SETTLE,
    WATCH,
    WRITE,
    DeadUpdate,
    Lag,
    TooMuchPending,
    Update,
    backoff_s,
    change_words,
    changes_of,
    parts,
    update_of,
)

log = logging.getLogger("alcove.patterns")

Value = Mapping[str, Any]


class WriteBehind(Pattern):
    """A cache of mappings whose changes are written to a store by the way.

        >>> import alcove
        >>> users = {"1": {"name": "Ann", "city": "Rome"}}
        >>> def write(update): users[update.key] |= update.changes
        >>> behind = WriteBehind(alcove.open(), load=users.get, write=write)
        >>> behind.update("1", {"city": "Oslo"})
        1
        >>> behind.get("1"), users["1"]["city"]
        ({'name': 'Ann', 'city': 'Oslo'}, 'Rome')
        >>> behind.flush()
        >>> users["1"]["city"], (behind.lag()).pending
        ('Oslo', 0)

    `load(key)` answers a mapping or None, and `write(update)` makes the changes of an `Update`; both may be plain or
    coroutines. What `update` returned for is kept by the server until the store has it: no process that is killed, at
    whatever point, loses it. Changes of a key that come within `delay` seconds are written together, the later ones
    counting, and those of a key one after the other. A write that raises is tried again, `attempts` times in all with
    growing pauses, and then kept as a dead letter until it is replayed or discarded; reads see it all the same.

    **Guarantee**: at least once. A writer that dies after the store has made the changes leaves them to be made again,
    under the same `update.id`. One that stands still for longer than `lease` seconds may come late: `update.version`
    tells a store what is older. What the server loses, because it is not durable, is lost here.

    Any number of processes may `start` writing; `get` and `update` work without.
    """

    def __init__(
        self,
        client: Redis,
        *,
        load: Callable[[str], Value | None],
        write: Callable[[Update], Any],
        name: str = "writes",
        delay: float = 0.2,
        lease: float = 30.0,
        attempts: int = 8,
        retry_after: float = 0.5,
        longest_pause: float = 60.0,
        batch: int = 32,
        max_pending: int = 1_000_000,
        ttl: float = 3600.0,
        shards: int = 1,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        if delay < 0 or lease <= 0 or retry_after <= 0 or longest_pause <= 0:
            raise InvalidArgument("delay is at least 0, and lease, retry_after and longest_pause more than 0 seconds")
        if attempts < 1 or batch < 1 or max_pending < 1 or not 1 <= shards <= 1024:
            raise InvalidArgument("attempts, batch and max_pending are at least 1, and shards 1 to 1024")
        self._load = load
        self._write = write
        self._codec = codec
        self._delay_ms = round(delay * 1000)
        self._lease_ms = round(lease * 1000)
        self._attempts = attempts
        self._retry_after = retry_after
        self._longest_pause = longest_pause
        self._batch = batch
        self._max_pending = max_pending
        self._name = name
        self._shards = shards
        self._stopping = Event()
        self._tasks: list[Task] = []
        self.cache = Cache(
            client, name=f"{name}:cache", ttl=ttl, as_hash=True, codec=codec, shards=shards, namespace=namespace
        )

    # Reading and changing

    def get(self, key: str) -> dict[str, Any] | None:
        """The value of a key with all changes that were made; None when there is none of either."""
        # The changes first: what the store gets of them meanwhile is then in what is loaded.
        flat = self._run(OVERLAY, self._parts(self._shard(key)), [checked_key(key)])
        value = self.cache.get_or_load(key, lambda: self._load(key))
        if value is None and not flat:
            return None
        return {**(value or {}), **changes_of(flat, self._codec)}

    def update(self, key: str, changes: Value) -> int:
        """Changes fields of a key; answers the version of that. Raises `TooMuchPending`, and changes nothing.

        When it raises `OutcomeUnknown` it can be repeated: the changes are the same.
        """
        shard = self._shard(checked_key(key))
        words: list[Word] = [key, self._delay_ms, self._max_pending, *change_words(changes, self._codec)]
        version: int | None = self._run(WRITE, [*self._parts(shard), self._bell(shard), self._calls(shard)], words)
        if version is None:
            raise TooMuchPending(f"more than {self._max_pending} keys wait for the store")
        return version

    # Writing

    def start(self) -> None:
        """Begins to write, beside the caller, until this is closed."""
        if not self._tasks:
            self._stopping.clear()
            self._tasks = [spawn(f"alcove writer {shard}", self._write_on, shard) for shard in range(self._shards)]

    def close(self) -> None:
        """Writes what is being written to its end, and no more; the rest stays for others, or for later."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        for shard in range(len(tasks)):
            self._command("LPUSH", self._bell(shard), "1")
        for task in tasks:
            task.join()

    def __enter__(self) -> WriteBehind:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def flush(self) -> None:
        """Writes all that is pending, however young. It does not wait for what others write, or what has failed."""
        for shard in range(self._shards):
            while (self._write_batch(shard, "early"))[0]:
                pass

    def _write_on(self, shard: int) -> None:
        pause = self._retry_after
        while not self._stopping.is_set():
            try:
                count, wait_ms = self._write_batch(shard, "")
                if not count:
                    self._until_due(shard, wait_ms)
                pause = self._retry_after
            except RedisError as error:
                log.warning("the writer of %s lost its server: %s", self._name, error)
                happened(self._stopping, pause)
                pause = min(2 * pause, self._longest_pause)

    def _until_due(self, shard: int, wait_ms: int) -> None:
        """Waits for something to write: until it is due, or else for the bell."""
        longest = min(1.0, self._longest_wait())
        if 0 <= wait_ms <= longest * 1000:
            happened(self._stopping, wait_ms / 1000)
        else:
            self._command("BLPOP", self._bell(shard), longest)

    def _write_batch(self, shard: int, early: str) -> tuple[int, int]:
        """Writes what is due. Answers how many updates that were, and after how many ms there is more, or -1."""
        token = secrets.token_urlsafe(9)
        words: list[Word] = [token, self._lease_ms, self._batch, self._attempts, early]
        claimed_at = monotonic()
        wait_ms, raw = self._run(CLAIM, [*self._parts(shard), self._calls(shard)], words)
        for one in raw:
            update = update_of(one, self._codec)
            took_long = monotonic() - claimed_at > self._lease_ms / 3000
            if not took_long or self._settle(shard, token, update, ["extend", self._lease_ms]):
                self._make(shard, token, update)
        return len(raw), wait_ms

    def _make(self, shard: int, token: str, update: Update) -> None:
        """Has the store make an update, and says what became of it."""
        try:
            called(self._write, update)
        except Exception as error:
            log.warning("%s could not be written, attempt %d", update.id, update.attempt, exc_info=True)
            pause = backoff_s(update.attempt, self._retry_after, self._longest_pause)
            reason = f"{type(error).__name__}: {error}"[:1000]
            self._settle(shard, token, update, ["failed", round(pause * 1000), self._attempts, reason])
            return
        # Before the changes are forgotten, so that whoever does not find them loads what has them.
        self.cache.invalidate(update.key)
        self._settle(shard, token, update, ["done"])

    def _settle(self, shard: int, token: str, update: Update, words: list[Word]) -> bool:
        keys = [*self._parts(shard), self._calls(shard)]
        return bool(self._run(SETTLE, keys, [token, update.key, update.version, *words]))

    # Watching

    def lag(self) -> Lag:
        """How far the store is behind. It looks at all that is pending."""
        pending = flying = dead = 0
        oldest_ms = -1
        for shard in range(self._shards):
            waiting, going, given_up, first = self._watch(shard, "lag")
            pending, flying, dead = pending + waiting, flying + going, dead + given_up
            if (first_ms := int(first)) >= 0 and (oldest_ms < 0 or first_ms < oldest_ms):
                oldest_ms = first_ms
        now_s, now_us = self._command("TIME")
        age = 0.0 if oldest_ms < 0 else int(now_s) + int(now_us) / 1e6 - oldest_ms / 1000
        return Lag(pending, flying, dead, max(0.0, age))

    def dead_letters(self, limit: int = 100) -> list[DeadUpdate]:
        """Updates that were given up, and why."""
        found: list[DeadUpdate] = []
        for shard in range(self._shards):
            for raw in self._watch(shard, "dead", limit - len(found)):
                found.append(DeadUpdate(update_of(raw, self._codec), raw[5].decode()))
        return found

    def replay(self, *keys: str) -> int:
        """Has the dead letters of keys written once more; changes made since count over them. Answers how many."""
        return sum([self._watch(self._shard(checked_key(key)), "replay", key) for key in keys])

    def discard(self, *keys: str) -> int:
        """Forgets the dead letters of keys. Answers how many."""
        return sum([self._watch(self._shard(checked_key(key)), "discard", key) for key in keys])

    def _watch(self, shard: int, *words: Word) -> Any:
        return self._run(WATCH, [*self._parts(shard), self._calls(shard)], words)

    # Keys

    def _shard(self, key: str) -> int:
        return crc32(key.encode()) % self._shards

    def _parts(self, shard: int) -> list[str]:
        return parts(self.keys, self._name, shard)

    def _bell(self, shard: int) -> str:
        return self.keys.tagged(self._name, shard, "bell")

    def _calls(self, shard: int) -> str:
        return self.keys.tagged(self._name, shard, "calls")
