"""Commands that would change a big container while a snapshot is in the midst of it: they wait for that, alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcove.engine.blocking import NOT_READY, Wait
from alcove.engine.declaration import WRITE, Command
from alcove.engine.keys import keys_of
from alcove.engine.monitors import MAY_REPLICATE
from alcove.engine.services import SAVED
from alcove.engine.session import Session
from alcove.errors import UNBLOCKED, CommandError

if TYPE_CHECKING:
    from alcove.engine.engine import Engine


def meets_snapshot(engine: Engine, session: Session, command: Command, argv: list[bytes]) -> bool:
    """Whether a command may change the container that is being saved.

    In the process no command is put off, for there many share a session: the rest is saved at once.
    """
    snapshot = engine.space.snapshot
    key = None if snapshot is None else snapshot.key_in_work
    if key is None or session.kind == "embedded":
        return False
    calls = session.queue if command.name == "exec" else [(command, argv)]
    return any(
        key == call[place]
        for member, call in calls
        if (member.flags & WRITE or member.name in MAY_REPLICATE) and not member.sliced
        for place, _ in keys_of(member, call)
    )


def wait_for_snapshot(engine: Engine, session: Session, command: Command, argv: list[bytes]) -> Wait:
    """What a command waits for that meets the snapshot: then it runs."""
    kept = engine.persistence
    assert kept is not None

    def retry() -> Any:
        return NOT_READY if meets_snapshot(engine, session, command, argv) else engine.run(session, command, argv)

    return Wait(session, kept.waiting_room, [SAVED], 0, retry, CommandError(UNBLOCKED), True)
