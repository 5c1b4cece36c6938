"""Changes of a database, as whoever caches what is in it hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from alcove.patterns.core.errors import CannotDecode, InvalidArgument
from alcove.patterns.core.keys import name_text

Operation = Literal["insert", "update", "delete", "truncate", "unknown"]
# A channel's name goes into SQL, where it cannot be an argument.
LONGEST_NAME: Final = 63


class Change(msgspec.Struct, frozen=True):
    """A row that was changed, by its key as text; the whole table, or all of them, when `key` or `table` is None."""

    table: str | None
    operation: Operation = "unknown"
    key: str | None = None


EVERYTHING: Final = Change(None)


Rule = Callable[[Any], Iterable[str]]


def entity_keys(change: Change) -> list[str]:
    """The cache's keys by the chapter's convention: `table:key`."""
    return [] if change.table is None or change.key is None else [f"{change.table}:{change.key}"]


def entity_tags(change: Change) -> list[str]:
    """The table's name, for what shows any of its rows."""
    return [] if change.table is None else [change.table]


def change_of(payload: str) -> Change:
    """A change from what a trigger sends. Raises `CannotDecode`."""
    try:
        return msgspec.json.decode(payload, type=Change)
    except msgspec.MsgspecError as error:
        raise CannotDecode(f"no trigger of ours has sent this: {payload!r:.100}") from error


def quoted(name: str) -> str:
    """A name for SQL. Raises `InvalidArgument` when it is longer than PostgreSQL's names, or odd."""
    if len(name) > LONGEST_NAME or ":" in name_text(name) or "-" in name:
        raise InvalidArgument(f"{name!r} is no name for SQL")
    return ".".join(f'"{part}"' for part in name.split("."))


def trigger_sql(table: str, key: str, channel: str) -> list[str]:
    """What has PostgreSQL tell of each change of a table, on a channel, when it is committed.

    One function for all tables; the trigger has the key's column as its argument. What is installed again replaces
    what was there.
    """
    function = quoted(f"{channel}_notify")
    each = quoted(f"{channel}_each")
    whole = quoted(f"{channel}_whole")
    return [
        f"""
        CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            changed jsonb;
            before jsonb;
        BEGIN
            IF TG_LEVEL = 'STATEMENT' THEN
                PERFORM pg_notify('{channel}', json_build_object(
                    'table', TG_TABLE_NAME, 'operation', lower(TG_OP), 'key', NULL)::text);
                RETURN NULL;
            END IF;
            IF TG_OP <> 'INSERT' THEN
                before := to_jsonb(OLD);
            END IF;
            changed := CASE WHEN TG_OP = 'DELETE' THEN before ELSE to_jsonb(NEW) END;
            PERFORM pg_notify('{channel}', json_build_object(
                'table', TG_TABLE_NAME, 'operation', lower(TG_OP), 'key', changed ->> TG_ARGV[0])::text);
            IF TG_OP = 'UPDATE' AND before ->> TG_ARGV[0] <> changed ->> TG_ARGV[0] THEN
                PERFORM pg_notify('{channel}', json_build_object(
                    'table', TG_TABLE_NAME, 'operation', 'delete', 'key', before ->> TG_ARGV[0])::text);
            END IF;
            RETURN NULL;
        END $$
        """,
        f"DROP TRIGGER IF EXISTS {each} ON {quoted(table)}",
        f"DROP TRIGGER IF EXISTS {whole} ON {quoted(table)}",
        f"CREATE TRIGGER {each} AFTER INSERT OR UPDATE OR DELETE ON {quoted(table)} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}('{key}')",
        f"CREATE TRIGGER {whole} AFTER TRUNCATE ON {quoted(table)} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}('{key}')",
    ]


def removal_sql(tables: Iterable[str], channel: str) -> list[str]:
    """Takes the triggers and their function away."""
    drops = [
        f"DROP TRIGGER IF EXISTS {quoted(f'{channel}_{what}')} ON {quoted(table)}"
        for table in tables
        for what in ("each", "whole")
    ]
    return [*drops, f"DROP FUNCTION IF EXISTS {quoted(f'{channel}_notify')}()"]
