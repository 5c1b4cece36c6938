"""One client of the server: its socket, its buffers and its session, its commands in and its replies out."""

from __future__ import annotations

import logging
import os
import socket
from threading import get_ident
from typing import TYPE_CHECKING, Any

from alcove.engine import session as states
from alcove.engine.blocking import PARKED
from alcove.engine.config_kinds import BufferLimit
from alcove.engine.declaration import Registry
from alcove.engine.engine import Engine
from alcove.engine.session import Session
from alcove.engine.slowlog import note_large, request_bytes
from alcove.errors import INTERNAL, CommandError
from alcove.protocol.output import OutputBuffer, recv
from alcove.protocol.reader import ProtocolError, RequestReader
from alcove.protocol.writer import ReplyWriter
from alcove.server import poller as readiness
from alcove.server.agenda import PAUSE_BYTES, Agenda, weight
from alcove.server.logs import VERBOSE
from alcove.values import Push

if TYPE_CHECKING:
    from alcove.server.poller import Poller

# C variables of the compiled build.
_CommandError = CommandError
_PARKED = PARKED
_Push = Push
_READ = readiness.READ
_WRITE = readiness.WRITE
_UNAUTHENTICATED = states.UNAUTHENTICATED
_SUBSCRIBER = states.SUBSCRIBER
_MONITOR = states.MONITOR
# Whose sessions may get something else than one reply to one command.
_TALKATIVE = states.SUBSCRIBER | states.MONITOR | states.MUTED
_PAUSE_BYTES = PAUSE_BYTES
# The most that is received at once: usually, and of a bulk that is longer.
_RECEIVE_BYTES = 64 * 1024
_BULK_RECEIVE_BYTES = 1024 * 1024
# What one connection gets done in one turn, at most.
_TURN_COMMANDS = 1000
# How many commands are read at once.
_AHEAD_COMMANDS = 16
# The keys of more would drive each other out of the cache again.
_AHEAD_KEYS = 256
_TURN_REPLY_BYTES = 1024 * 1024
# How much is received before the size of the query buffer is looked at again.
_QUERY_CHECK_BYTES = 256 * 1024
# Unread replies of a client that has not authenticated itself: it has nothing to receive but errors.
_UNAUTHENTICATED_BYTES = 16 * 1024
# The reply buffer that the real server has for each client, and in the units of which CLIENT LIST counts.
_REPLY_BLOCK_BYTES = 16 * 1024

# How much of a command's name is logged.
_NAME_BYTES = 64

# What browsers send when a web page makes them talk to this port.
_HTTP_WORDS = frozenset((b"post", b"host:"))

log = logging.getLogger(__name__)


class Connection:
    """A client's connection. All methods run in the loop's thread, but for the session's hooks.

    `left` says that it is over, and only waits to be taken leave of; `session.closing`, that nothing more is read or
    run and it ends when its replies are sent.
    """

    def __init__(self, sock: socket.socket, session: Session, agenda: Agenda, poller: Poller) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        # What bytes are received from and sent to: the descriptor where that is faster, and possible.
        self.channel: int | socket.socket = self.fd if os.name == "posix" else sock
        self.session = session
        self.agenda = agenda
        self.poller = poller
        self.reader = RequestReader()
        self.reader.max_bulk = agenda.max_bulk
        # The commands read last, and how many of them have been run.
        self.ahead: list[list[bytes]] = []
        self.ran = 0
        # Whether there may be a large request among them.
        self.is_much = False
        self.out = OutputBuffer()
        self.writer = ReplyWriter(self.out)
        self.interest = _READ
        self.received_bytes = 0
        # In `agenda.ready`, `agenda.unsent`, `agenda.pushed` and `agenda.leaving`.
        self.ready = False
        self.unsent = False
        self.pushed = False
        self.left = False
        # A command's reply is still to come; or has come before the engine's call came back.
        self.parked = False
        self.answered = False
        # Too many replies are unread.
        self.paused = False
        # How many commands were answered since the last sending, and how many bytes were left to send by then.
        self.replies = 0
        self.old_bytes = 0
        # About how many bytes of messages other threads have sent that are still in the mail, and whether that was too
        # much.
        self.mailed_bytes = 0
        self.overrun = False
        # Since when there are more unread replies than the soft limit allows.
        self.over_soft_us = 0
        self.reader.authenticated = session.gate & _UNAUTHENTICATED == 0
        session.deliver = self.deliver
        session.push = self.push
        session.close = self.close
        session.buffers = self.buffers

    # Receiving

    def receive(self) -> None:
        """Takes in what has come."""
        session = self.session
        if self.left or session.closing:
            # Nothing more is awaited: the event was an error, or the peer's end.
            self.leave()
            return
        limit = min(max(self.reader.wants(), _RECEIVE_BYTES), _BULK_RECEIVE_BYTES)
        try:
            data = recv(self.channel, limit)
        except OSError as error:
            log.log(VERBOSE, "Reading from client: %s", error.strerror)
            self.leave()
            return
        if data is None:
            return
        if len(data) == 0:
            self._end_of_input()
            return
        agenda = self.agenda
        agenda.input_bytes += len(data)
        session.active_us = agenda.now_us
        self.reader.feed(data)
        self.received_bytes += len(data)
        if self.received_bytes >= _QUERY_CHECK_BYTES:
            self._check_query_size()
        if not self.parked:
            self.be_ready()

    def _end_of_input(self) -> None:
        """The peer sends no more; it may still read what it asked for."""
        log.log(VERBOSE, "Client closed connection %s", self)
        if self.parked or len(self.out) == 0:
            self.leave()
        else:
            self._end_after_replies()

    def _end_after_replies(self) -> None:
        self.session.closing = True
        self.be_unsent()

    def _check_query_size(self) -> None:
        self.received_bytes = 0
        if self.reader.buffered > self.agenda.query_limit:
            log.warning("Closing client that reached max query buffer length: %s", self)
            self.leave()

    # Commands

    def serve(self, engine: Engine, until_us: int) -> None:
        """Runs the commands that have come, up to what one turn allows. The engine's lock is held."""
        reader = self.reader
        session = self.session
        out = self.out
        unread = len(out)
        most_bytes = unread + _TURN_REPLY_BYTES
        long_reply = self.agenda.long_reply
        commands = 0
        try:
            while not (self.parked or self.left or session.closing or self.agenda.stopping):
                if commands == _TURN_COMMANDS or unread >= most_bytes or engine.now_us > until_us:
                    self.be_ready()
                    break
                if unread >= _PAUSE_BYTES and self._limit().hard_bytes == 0:
                    self.paused = True
                    break
                if self.ran == len(self.ahead) and not self._read_ahead(engine):
                    break
                argv = self.ahead[self.ran]
                self.ran += 1
                self._run(engine, argv)
                if self.is_much:
                    note_request(engine, session, argv)
                written = len(out) - unread
                unread += written
                if written >= long_reply:
                    # The time that writing it took is not the next command's.
                    engine.now_us = engine.clock.now_us()
                    note_reply(engine, session, argv, written)
                reader.authenticated = session.gate & _UNAUTHENTICATED == 0
                commands += 1
        except ProtocolError as error:
            self._refuse(error)
        except Exception:
            self.give_up()
        self.replies += commands
        if len(out) != 0 or session.closing:
            self.be_unsent()

    def _read_ahead(self, engine: Engine) -> bool:
        """Reads the next commands; False when none has come.

        They are several so that the processor can fetch at once what they all look up: what a pipeline's commands take
        is mostly the waiting for memory.
        """
        reader = self.reader
        # Nothing that fits into less is a large request.
        self.is_much = reader.buffered >= self.agenda.large_request
        self.ahead = reader.read_ahead(_AHEAD_COMMANDS if reader.authenticated else 1)
        self.ran = 0
        keys = keys_of(self.ahead, engine.registry)
        if len(keys) > 1:
            self.session.database.fetch(keys)
        return len(self.ahead) > 0

    def _run(self, engine: Engine, argv: list[bytes]) -> None:
        """One command: its reply is written, unless it comes later."""
        writer = self.writer
        try:
            reply = engine.call(self.session, argv)
            if reply is _PARKED:
                self.parked = not self.answered
                self.answered = False
            elif type(reply) is _CommandError and argv[0].lower() in _HTTP_WORDS:
                self._abort_http()
            else:
                writer.protocol = self.session.protocol
                writer.write(reply)
        except Exception:
            log.exception("Command %r failed in an unexpected way", argv[0][:_NAME_BYTES])
            engine.unexpected_errors += 1
            writer.write(CommandError(INTERNAL))

    def _refuse(self, error: ProtocolError) -> None:
        """The peer does not speak the protocol: it is told so, and that is the end."""
        log.log(VERBOSE, "Protocol error (%s) from client: %s", error, self)
        self.writer.write(error)
        self._end_after_replies()

    def _abort_http(self) -> None:
        log.warning(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Alcove. "
            "This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Alcove "
            "instance. Connection from %s aborted.",
            self.session.address,
        )
        self.leave()

    # The session's hooks, from any thread: others hold the engine's lock when they call, so their order is one

    def deliver(self, reply: Any) -> None:
        """The reply that the session waited for."""
        agenda = self.agenda
        if get_ident() != agenda.thread:
            agenda.post(self.deliver, reply)
            return
        if self.left:
            return
        self._write(reply)
        self.replies += 1
        if self.parked:
            self.parked = False
            self.be_ready()
        else:
            self.answered = True

    def push(self, value: Any) -> None:
        """A message that answers nothing."""
        agenda = self.agenda
        if get_ident() != agenda.thread:
            self._mail(value)
            return
        if self.left or self.session.closing:
            return
        if type(value) is _Push:
            self._append(value)
        else:
            self._write(value)
        if len(self.out) >= agenda.least_limit and self._over_limit():
            self.cut_off()

    def _mail(self, message: Any) -> None:
        """Hands a message to the loop's thread; a client that would have more to read than it may is cut off."""
        if self.overrun:
            return
        size = weight(message)
        hard_bytes = self._limit().hard_bytes
        if hard_bytes and len(self.out) + self.mailed_bytes + size >= hard_bytes:
            self.overrun = True
            self.agenda.post(cut_off, self)
            return
        self.mailed_bytes += size
        self.agenda.post(self._read_mail, (message, size))

    def _read_mail(self, mail: tuple[Any, int]) -> None:
        message, size = mail
        self.mailed_bytes -= size
        self.push(message)

    def close(self) -> None:
        """Ends the connection as it is."""
        agenda = self.agenda
        if get_ident() != agenda.thread:
            agenda.post(close, self)
        else:
            self.leave()

    def _write(self, value: Any) -> None:
        """What cannot be written is this connection's misfortune alone, not of the command that brings it."""
        writer = self.writer
        writer.protocol = self.session.protocol
        try:
            writer.write(value)
        except Exception:
            log.exception("A reply could not be written")
            writer.write(CommandError(INTERNAL))
        self.be_unsent()

    def _append(self, message: Push) -> None:
        """The same for a message that others get too, and that is sent when there is time."""
        agenda = self.agenda
        try:
            self.out.append(agenda.encoded(message, self.session.protocol))
        except Exception:
            self.give_up()
            return
        if not self.pushed and not self.unsent:
            self.pushed = True
            agenda.pushed.append(self)

    def retract(self, error: CommandError) -> None:
        """Answers every command of this turn with an error instead, for what they did is not safe.

        Where messages may stand between the replies nobody can tell them apart any more: then that is the end.
        """
        session = self.session
        self.out.truncate(self.old_bytes)
        is_plain = not session.gate & _TALKATIVE and session.tracker is None and not self.pushed
        for _ in range(self.replies if is_plain else 1):
            self._write(error)
        if not is_plain:
            self._end_after_replies()

    def held_bytes(self) -> int:
        """What has been received and not run, and what has not been sent."""
        return self.reader.buffered + len(self.out)

    def buffers(self) -> dict[str, Any]:
        """What CLIENT LIST shows of the connection, in its words."""
        unread = len(self.out)
        first = min(unread, _REPLY_BLOCK_BYTES)
        query = self.reader.buffered
        return {
            "fd": self.fd,
            "qbuf": query,
            "qbuf-free": 0,
            "argv-mem": 0,
            "multi-mem": 0,
            "rbs": _REPLY_BLOCK_BYTES,
            "rbp": first,
            "obl": first,
            "oll": -((first - unread) // _REPLY_BLOCK_BYTES),
            "omem": unread - first,
            "tot-mem": query + unread,
            "events": ("r" if self.interest & _READ else "") + ("w" if self.interest & _WRITE else ""),
        }

    # Sending

    def flush(self) -> None:
        """Sends what the peer takes now; the poller says when it takes the rest."""
        if self.left:
            return
        out = self.out
        unread = len(out)
        if unread >= self.agenda.least_limit or self.session.gate & _UNAUTHENTICATED:
            if self._over_limit():
                self.cut_off()
                return
        else:
            self.over_soft_us = 0
        try:
            sent = out.send(self.channel)
        except OSError as error:
            log.log(VERBOSE, "Error writing to client: %s", error.strerror)
            self.leave()
            return
        if sent > 0:
            self.agenda.output_bytes += sent
        self.replies = 0
        self.old_bytes = len(out)
        if sent == unread:
            if self.session.closing:
                self.leave()
            else:
                self._await(_READ)
        else:
            self._await(_WRITE if self.session.closing else _READ | _WRITE)
        if self.paused and len(out) < _PAUSE_BYTES:
            self.paused = False
            self.be_ready()

    def _await(self, interest: int) -> None:
        if interest != self.interest:
            self.interest = interest
            self.poller.change(self.fd, interest)

    def _limit(self) -> BufferLimit:
        gate = self.session.gate
        if gate & _SUBSCRIBER:
            return self.agenda.pubsub_limit
        return self.agenda.monitor_limit if gate & _MONITOR else self.agenda.normal_limit

    def _over_limit(self) -> bool:
        """Whether there are more unread replies than the client's class may have."""
        unread = len(self.out)
        if self.session.gate & _UNAUTHENTICATED and unread > _UNAUTHENTICATED_BYTES:
            return True
        hard_bytes, soft_bytes, soft_seconds = self._limit()
        if hard_bytes and unread >= hard_bytes:
            return True
        if not soft_bytes or unread < soft_bytes:
            self.over_soft_us = 0
            return False
        now_us = self.agenda.now_us
        if self.over_soft_us == 0:
            self.over_soft_us = now_us
        return now_us - self.over_soft_us > soft_seconds * 1_000_000

    def check_soft_limit(self) -> None:
        """Now and then, for those who read nothing and get nothing either."""
        if self.over_soft_us and self._over_limit():
            self.cut_off()

    def cut_off(self) -> None:
        log.warning("Client %s closed for overcoming of output buffer limits.", self)
        self.leave()

    # What the loop has to do next

    def be_ready(self) -> None:
        """Has its commands run, in this turn or the next."""
        if not self.ready:
            self.ready = True
            self.agenda.ready.append(self)

    def be_unsent(self) -> None:
        """Has its replies sent at the end of the turn."""
        if not self.unsent:
            self.unsent = True
            self.agenda.unsent.append(self)

    def leave(self) -> None:
        """Has it closed at the end of the turn; until then it does nothing any more."""
        if not self.left:
            self.left = True
            self.agenda.leaving.append(self)

    def give_up(self) -> None:
        """After an unexpected failure, such as one of memory, others are served on."""
        log.exception("A connection failed in an unexpected way: %s", self)
        self.leave()

    def is_idle_since(self, before_us: int) -> bool:
        """Whether its client said nothing since then, and does not just wait for what it asked for."""
        session = self.session
        return session.active_us < before_us and not self.parked and not session.gate & _SUBSCRIBER

    def __str__(self) -> str:
        session = self.session
        name = session.name.decode("utf-8", "backslashreplace")
        return f"id={session.id} addr={session.address} laddr={session.local_address} fd={self.fd} name={name}"


def note_request(engine: Engine, session: Session, argv: list[bytes]) -> None:
    """Logs a command that may be large."""
    note_large(engine.slowlog.requests, engine.registry, engine.now_us, session, argv, request_bytes(argv))


def note_reply(engine: Engine, session: Session, argv: list[bytes], size: int) -> None:
    """Logs a command whose reply may be large."""
    note_large(engine.slowlog.replies, engine.registry, engine.now_us, session, argv, size)


def keys_of(commands: list[list[bytes]], registry: Registry) -> list[bytes]:
    """Keys of these commands, not too many, where they stand in a row."""
    keys: list[bytes] = []
    for argv in commands:
        command = registry.find(argv[0])
        if command is not None and command.first_key > 0:
            end = len(argv) if command.last_key < 0 else min(len(argv), command.last_key + 1)
            place = command.first_key
            while place < end and len(keys) < _AHEAD_KEYS:
                keys.append(argv[place])
                place += command.step
    return keys


def close(connection: Connection) -> None:
    """What `Connection.close` posts from another thread."""
    connection.leave()


def cut_off(connection: Connection) -> None:
    """What `Connection.push` posts from another thread when there is too much to read."""
    if not connection.left:
        connection.cut_off()
