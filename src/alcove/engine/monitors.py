"""MONITOR: the sessions that are shown every command, and the line in which they see it."""

from __future__ import annotations

from typing import Final

from alcove.engine.config_kinds import BufferLimit, BufferLimits
from alcove.engine.session import MONITOR, SUBSCRIBER, Session
from alcove.quoting import quoted
from alcove.values import Status

# Commands that neither monitors nor read-only scripts may give, although they write nothing themselves.
MAY_REPLICATE: Final = frozenset(("publish", "spublish", "eval", "evalsha", "fcall", "pfcount"))
# What a monitor may leave unread where its class has no limit: it gets what it did not ask for.
MOST_UNREAD_BYTES: Final = 64 * 1024 * 1024


class Monitors:
    """The monitors of one engine, in the order in which they came. Its lock is held in every method."""

    def __init__(self) -> None:
        self.sessions: dict[Session, None] = {}

    def add(self, session: Session) -> None:
        self.sessions[session] = None
        session.gate |= MONITOR

    def discard(self, session: Session) -> None:
        """Does nothing if the session is no monitor."""
        if session.gate & MONITOR:
            del self.sessions[session]
            session.gate &= ~MONITOR

    def show(self, now_us: int, session: Session, argv: list[bytes], socket_path: str) -> None:
        """Sends a command of `session` to every monitor, as one line made once."""
        line = Status(line_of(now_us, session, argv, socket_path))
        # Who does not read may be cut off while he is being told.
        for monitor in list(self.sessions):
            monitor.send(line)


def output_limit(gate: int, limits: BufferLimits) -> BufferLimit:
    """What a session of this state may leave unread: subscribers are a class of their own, monitors are normal."""
    if gate & SUBSCRIBER:
        return limits.pubsub
    if gate & MONITOR and not limits.normal.hard_bytes:
        return limits.normal._replace(hard_bytes=MOST_UNREAD_BYTES)
    return limits.normal


def line_of(now_us: int, session: Session, argv: list[bytes], socket_path: str) -> bytes:
    """`1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`: seconds since 1970, database, client, quoted words."""
    if session.kind == "script":
        client = "lua"
    elif session.kind == "unix":
        client = f"unix:{socket_path}"
    else:
        client = session.address
    seconds, microseconds = divmod(now_us, 1_000_000)
    head = f"{seconds}.{microseconds:06d} [{session.database.number} {client}] "
    return head.encode("utf-8", "surrogateescape") + b" ".join([quoted(word) for word in argv])
