"""Commands that would change what a snapshot has to have first, and cannot at once: they wait for that, alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcove.engine.blocking import NOT_READY, Wait
from alcove.engine.declaration import MOVABLEKEYS, WRITE, Command
from alcove.engine.keys import keys_of
from alcove.engine.monitors import MAY_REPLICATE
from alcove.engine.services import SAVED
from alcove.engine.session import Session
from alcove.engine.snapshot import Snapshot
from alcove.engine.table import Table
from alcove.errors import UNBLOCKED, CommandError

if TYPE_CHECKING:
    from alcove.engine.engine import Engine


def meets_snapshot(engine: Engine, session: Session, command: Command, argv: list[bytes]) -> bool:
    """Whether a command may change what a snapshot has to have first.

    In the process no command is put off, for there many share a session: what is to be changed is saved at once.
    """
    snapshot = engine.space.snapshot
    if snapshot is None or session.kind == "embedded":
        return False
    if command.name != "exec":
        return _meets(snapshot, session.database.table, command, argv)
    meets = False
    for member, call in session.queue:
        meets = meets or _meets(snapshot, session.database.table, member, call)
    return meets


def _meets(snapshot: Snapshot, table: Table, command: Command, argv: list[bytes]) -> bool:
    if not (command.flags & WRITE or command.name in MAY_REPLICATE) or command.sliced:
        return False
    if command.first_key == 1 and command.last_key == 1 and not command.flags & MOVABLEKEYS:
        # Most commands have one key, in the first place.
        return snapshot.comes_first(table, argv[1])
    meets = False
    for place, _ in keys_of(command, argv):
        meets = meets or snapshot.comes_first(table, argv[place])
    return meets


def wait_for_snapshot(engine: Engine, session: Session, command: Command, argv: list[bytes]) -> Wait:
    """What a command waits for that meets the snapshot: then it runs."""
    kept = engine.persistence
    assert kept is not None

    def retry() -> Any:
        return NOT_READY if meets_snapshot(engine, session, command, argv) else engine.run(session, command, argv)

    return Wait(session, kept.waiting_room, [SAVED], 0, retry, CommandError(UNBLOCKED), True)
