# Derived from alcove/patterns/asyncio/changes.py by derive_blocking.py: change it there.
"""Invalidation by events: what a program commits, what PostgreSQL tells, or any stream of changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError

from alcove.patterns.blocking.cache import Cache
from alcove.patterns.blocking.runtime import in_session, sleep
from alcove.patterns.core.changes import (
    EVERYTHING,
    Change,
    Rule,
    change_of,
    entity_keys,
    entity_tags,
    quoted,
    removal_sql,
    trigger_sql,
)

log = logging.getLogger("alcove.patterns")

# How long it takes to connect to a database again: at first, and at most, in seconds.
SHORT_PAUSE_S = 0.1
LONG_PAUSE_S = 10.0


def invalidate_from(
    changes: Iterable[Any], cache: Cache, *, keys: Rule = entity_keys, tags: Rule = entity_tags
) -> None:
    """Invalidates what changes concern, for as long as there are any.

        with client.shop.users.watch() as stream:      # a change stream of MongoDB
            invalidate_from(stream, cache, keys=lambda change: [f"user:{change['documentKey']['_id']}"],
                                  tags=lambda change: [])

    `changes` is anything to iterate over. `keys` and `tags` say of each change which keys and tags of the cache it
    concerns; as they stand, a `Change` of the row 7 of users concerns the key "users:7" and the tag "users". A `Change`
    of all tables forgets everything.
    """
    for change in changes:
        if change == EVERYTHING:
            cache.invalidate_all()
            continue
        cache.invalidate(*keys(change))
        cache.invalidate_tags(*tags(change))


class PostgresChanges:
    """Changes of tables in PostgreSQL, told by triggers when they are committed, whoever made them (wants psycopg).

        changes = PostgresChanges("postgresql://localhost/shop", {"users": "id"})
        changes.install()
        invalidate_from(changes, cache)

    `tables` names tables and the columns that their rows go by. When the connection is lost, it is made again, and as
    nobody knows what was missed, a change of everything is told. So it is at the beginning, when it listens.
    """

    def __init__(self, conninfo: str, tables: Mapping[str, str], *, channel: str = "alcove_changes") -> None:
        self.conninfo = conninfo
        self.tables = dict(tables)
        self.channel = channel
        for name in (channel, *self.tables, *self.tables.values()):
            quoted(name)
        self._closed = False

    def install(self) -> None:
        """Makes the triggers, in one transaction. What is there of an earlier time is replaced."""
        statements = [sql for table, key in self.tables.items() for sql in trigger_sql(table, key, self.channel)]
        self._execute(statements)

    def remove(self) -> None:
        """Takes the triggers away."""
        self._execute(removal_sql(self.tables, self.channel))

    def _execute(self, statements: list[str]) -> None:
        from psycopg import Connection

        with Connection.connect(self.conninfo) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def __iter__(self) -> Iterator[Change]:
        from psycopg import Connection, OperationalError

        pause = SHORT_PAUSE_S
        while not self._closed:
            try:
                with Connection.connect(self.conninfo, autocommit=True) as connection:
                    connection.execute(f"LISTEN {quoted(self.channel)}".encode())
                    yield EVERYTHING
                    pause = SHORT_PAUSE_S
                    while not self._closed:
                        for notice in connection.notifies(timeout=0.5):
                            yield change_of(notice.payload)
            except OperationalError as error:
                log.warning("the connection to the database was lost: %s", error)
                sleep(pause)
                pause = min(2 * pause, LONG_PAUSE_S)

    def close(self) -> None:
        """Ends the iteration, within half a second."""
        self._closed = True


def invalidate_on_commit(sessions: Any, cache: Cache, *, keys: Rule = entity_keys, tags: Rule = entity_tags) -> None:
    """Invalidates what SQLAlchemy's sessions change, when they have committed it (wants SQLAlchemy).

        Session = async_sessionmaker(engine)
        invalidate_on_commit(Session, cache)

    `sessions` is a sessionmaker, or a class of sessions. `keys` and `tags` say of each `Change` what it concerns, as
    for `invalidate_from`; statements that change many rows at once are changes of the whole table. A change of the key
    itself concerns the old one, too. What is rolled back is not told.

    When the cache cannot be reached after the commit, that is logged, and what it has is old until it expires; so it is
    when the process dies in between. `PostgresChanges` hears of those as well.
    """
    from alcove.patterns.core.orm import watch_sessions

    def committed(changes: list[Change]) -> None:
        in_session(forget(changes))

    def forget(changes: list[Change]) -> bool:
        try:
            cache.invalidate(*dict.fromkeys(key for change in changes for key in keys(change)))
            cache.invalidate_tags(*dict.fromkeys(tag for change in changes for tag in tags(change)))
        except RedisError:
            log.exception("the cache was not told of %d committed changes", len(changes))
            return False
        return True

    watch_sessions(sessions, committed)
