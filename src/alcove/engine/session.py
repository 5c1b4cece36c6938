"""The state of one client's connection, whatever carries it: a socket, the same process, or a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alcove.engine.blocking import PARKED
from alcove.values import NO_REPLY, Replies

if TYPE_CHECKING:
    from collections.abc import Generator

    from alcove.engine.blocking import Wait
    from alcove.engine.context import Context
    from alcove.engine.declaration import Command
    from alcove.engine.keyspace import Database
    from alcove.engine.tracking import Tracker

# Why a command of this session cannot simply run: the bits of `Session.gate`.
UNAUTHENTICATED = 1
IN_MULTI = 2
SUBSCRIBER = 4
NO_TOUCH = 8
MUTED = 16
MONITOR = 32


class Session:
    """One client. The front end that owns it sets `deliver`, `push` and `close`; messages come by `send`."""

    def __init__(
        self, identity: int, database: Database, kind: str, address: str = "", local_address: str = ""
    ) -> None:
        self.id = identity
        self.database = database
        # "tcp", "unix", "embedded" or "script".
        self.kind = kind
        self.address = address
        self.local_address = local_address
        self.context: Context
        self.protocol = 2
        self.gate = 0
        self.user = "default"
        # Of a script's session, the client that runs the script.
        self.caller: Session | None = None
        self.name = b""
        self.lib_name = b""
        self.lib_version = b""
        self.no_evict = False
        # CLIENT REPLY, with the gate's MUTED bit: how many more commands get no reply, -1 for all.
        self.muted_commands = 0
        # MULTI: the commands queued so far, whether one of them was refused, and how many writes there are.
        self.queue: list[tuple[Command, list[bytes]]] = []
        self.queue_refused = False
        self.executing = False
        # WATCH: the keys, and whether one of them changed.
        self.watched: list[tuple[Database, bytes]] = []
        self.watch_broken = False
        # CLIENT TRACKING: what it asked for, or None.
        self.tracker: Tracker | None = None
        # The wait or the sliced command that this session's later commands stand behind.
        self.wait: Wait | None = None
        self.slices: Generator[None, None, Any] | None = None
        # For CLIENT LIST: when it came and when it last spoke, in microseconds on the monotonic clock.
        self.created_us = 0
        self.active_us = 0
        self.last_command = "NULL"
        self.commands = 0
        # Whether a command of its own runs, and the messages that came meanwhile: they go behind its reply.
        self.running = False
        self.late: list[Any] = []
        # CLIENT KILL of its own session, QUIT: close once the replies so far are out.
        self.closing = False
        # How the front end gets a reply that comes later, and messages that answer nothing; and how it is told to
        # end the connection.
        self.deliver: Callable[[Any], None] = ignore
        self.push: Callable[[Any], None] = ignore
        self.close: Callable[[], None] = do_nothing
        # What only the front end knows, for CLIENT LIST: buffer sizes by their names there.
        self.buffers: Callable[[], Mapping[str, object]] = dict

    def muted(self) -> bool:
        """Whether CLIENT REPLY keeps back the reply that is due now; counts off the commands of SKIP."""
        if not self.gate & MUTED:
            return False
        if self.muted_commands > 0:
            self.muted_commands -= 1
            if self.muted_commands == 0:
                self.gate &= ~MUTED
        return True

    def send(self, message: Any) -> None:
        """Gives it a message that answers nothing: at once, or behind the reply of the command that it is running."""
        if self.running:
            self.late.append(message)
        else:
            self.push(message)

    def with_late(self, reply: Any) -> Any:
        """A reply and the messages that came while its command ran: what the front end is to get now."""
        late, self.late = self.late, []
        if reply is NO_REPLY:
            return Replies(late)
        if reply is not PARKED:
            return Replies((reply, *late))
        for message in late:
            self.push(message)
        return reply

    @property
    def blocked(self) -> bool:
        return self.wait is not None or self.slices is not None

    @property
    def in_multi(self) -> bool:
        return bool(self.gate & IN_MULTI)


def ignore(value: Any) -> None:
    """The hook of a session without a front end."""


def do_nothing() -> None:
    """The hook of a session without a front end."""
