"""What SQLAlchemy's sessions change, and when it is committed (wants SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.attributes import get_history

from alcove.patterns.core.changes import Change, Operation

# Where a session keeps what it has changed and not yet committed.
_CHANGES = "alcove changes"


def watch_sessions(sessions: Any, committed: Callable[[list[Change]], None]) -> None:
    """Calls back with what a transaction has changed, once it is committed and there was anything.

    `sessions` is a sessionmaker, a class of sessions, or one of either for asyncio.
    """
    target = session_class(sessions)
    event.listen(target, "after_flush", note_flush)
    event.listen(target, "do_orm_execute", note_statement)

    @event.listens_for(target, "after_commit")
    def tell(session: Session) -> None:
        # A savepoint's end comes here too: the transaction it is in may still be rolled back.
        if session.in_nested_transaction():
            return
        changes = session.info.pop(_CHANGES, [])
        if changes:
            committed(list(dict.fromkeys(changes)))

    @event.listens_for(target, "after_rollback")
    def drop(session: Session) -> None:
        # After a savepoint's, what was changed before it may still be committed; to tell of the rest does no harm.
        if not session.in_nested_transaction():
            session.info.pop(_CHANGES, None)


def session_class(sessions: Any) -> Any:
    """What events are to be listened to on."""
    made = getattr(sessions, "class_", sessions)
    options = getattr(sessions, "kw", {})
    return options.get("sync_session_class") or getattr(made, "sync_session_class", None) or sessions


def note(session: Session, change: Change) -> None:
    session.info.setdefault(_CHANGES, []).append(change)


def note_flush(session: Session, _: Any) -> None:
    for objects, operation in ((session.new, "insert"), (session.dirty, "update"), (session.deleted, "delete")):
        for one in objects:
            for change in changes_of(one, operation):  # type: ignore[arg-type]
                note(session, change)


def changes_of(one: Any, operation: Operation) -> list[Change]:
    """What became of an object: its row, by its key, and by the one that it had before."""
    mapper = inspect(one).mapper
    table = mapper.local_table.name
    now, before = [], []
    for column in mapper.primary_key:
        name = mapper.get_property_by_column(column).key
        value = getattr(one, name)
        deleted = get_history(one, name).deleted
        now.append(str(value))
        before.append(str(deleted[0] if deleted else value))
    return [Change(table, operation, key) for key in dict.fromkeys((":".join(now), ":".join(before)))]


def note_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        table = getattr(state.statement, "table", None)
        if table is not None:
            operation: Operation = "insert" if state.is_insert else "update" if state.is_update else "delete"
            note(state.session, Change(table.name, operation, None))
