"""The server's one loop: in each turn, receive from all who sent, run their commands under the lock, send replies.

A turn takes the engine's lock once, for all commands that have come; the replies of a connection go out in one piece
when the lock is free again. The engine's housekeeping is done at the end of the locked part.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterable
from threading import RLock, get_ident

from alcove.engine.clock import Clock
from alcove.engine.config import Config
from alcove.engine.engine import Engine, go_on
from alcove.engine.session import UNAUTHENTICATED, do_nothing, ignore
from alcove.errors import PROTECTED_MODE, TOO_MANY_CLIENTS, CommandError
from alcove.server import poller as readiness
from alcove.server.agenda import Agenda
from alcove.server.connection import Connection
from alcove.server.listeners import Listener
from alcove.server.logs import VERBOSE
from alcove.server.poller import Poller, new_poller

# C variables of the compiled build.
_READ = readiness.READ
_WRITE = readiness.WRITE
# How long commands are run in one turn, before replies are sent and others may have the lock.
_TURN_US = 10_000
# How long messages are sent in one turn to those who get nothing else: ten thousand may listen to a channel.
_FAN_OUT_US = 2_000
# The longest rest: housekeeping that others have made necessary is not late by more.
_REST_US = 100_000
# How often all connections are looked at, for timeouts.
_ROUND_US = 1_000_000
# The same while there is a limit to what all of them hold.
_EVICTION_ROUND_US = 100_000
# How long accepting rests when there are no descriptors left.
_ACCEPT_REST_US = 100_000
# How long replies are still sent at the end.
_FAREWELL_US = 1_000_000

_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

log = logging.getLogger(__name__)


class Loop:
    """Serves the clients of one engine, in one thread. `wake`, `stop` and `post` may be called from any."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = Clock()
        self.poller: Poller = new_poller()
        self.connections: dict[int, Connection] = {}
        self.listeners: dict[int, Listener] = {}
        self.agenda = Agenda(engine.config, self.wake)
        self._arrivals: list[Listener] = []
        # The connection whose commands run, and those whose turn is still to come, the next one last.
        self._serving: Connection | None = None
        self._waiting: list[Connection] = []
        # For INFO.
        self.rejected = 0
        self.evicted = 0
        # When the engine wants to be called again, when all connections are looked at next, and when accepting goes
        # on that had to rest (0 if it does not rest).
        self._rest_us = 0
        self._next_round_us = 0
        self._accept_again_us = 0
        # A byte sent to the one ends the other's wait.
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._bell.setblocking(False)
        self._bell_fd = self._bell.fileno()
        # Who rings at the very end must not ring at somebody else's door. A signal handler may do so.
        self._alarm_lock = RLock()
        self._ringing = False
        self.poller.add(self._bell_fd, _READ)

    # From any thread

    def wake(self) -> None:
        """Ends the loop's rest."""
        if not self._ringing and get_ident() != self.agenda.thread:
            self._ringing = True
            self._ring()

    def _ring(self) -> None:
        with self._alarm_lock:
            if self._alarm.fileno() >= 0:
                try:
                    self._alarm.send(b"\0")
                except BlockingIOError:
                    log.debug("The alarm is ringing already")

    def stop(self) -> None:
        """Has `turn` answer that the end has come."""
        self.agenda.stopping = True
        self._ring()

    def alarm_fd(self) -> int:
        """The descriptor to which a byte can be written to end the loop's rest, for `signal.set_wakeup_fd`."""
        return self._alarm.fileno()

    # In the loop's thread

    def listen(self, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            self.listeners[listener.fd] = listener
            if self._accept_again_us == 0:
                self.poller.add(listener.fd, _READ)

    def unlisten(self, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            del self.listeners[listener.fd]
            if self._accept_again_us == 0:
                self.poller.remove(listener.fd)
            listener.close()

    def begin(self) -> None:
        """This thread is the loop's from now on."""
        self.agenda.thread = get_ident()
        self.engine.on_busy = self.turn_while_busy

    def turn(self) -> bool:
        """Waits until there is something to do and does it; False when the loop has been told to stop."""
        agenda = self.agenda
        engine = self.engine
        self._receive_all(self._patience_ms())
        engine.enter()
        try:
            self._work()
        finally:
            unsafe = engine.leave()
        if unsafe is not None:
            self._retract_replies(unsafe)
        self._send_replies()
        return not agenda.stopping

    def turn_while_busy(self) -> bool:
        """A turn inside a command, which a script that runs for long takes now and then: others are told BUSY.

        The lock is held. Whose command it is gets nothing else done; nor is anybody told of what awaits the disk.
        False when the loop has been told to stop.
        """
        agenda = self.agenda
        serving = self._serving
        if get_ident() != agenda.thread or serving is None:
            return not agenda.stopping
        engine = self.engine
        held: list[Connection] = []
        if engine.journal is not None and engine.journal.pending:
            held, agenda.unsent = agenda.unsent, held
        serving.parked = True
        try:
            while self._waiting:
                agenda.ready.append(self._waiting.pop())
            self._receive_all(0)
            engine.now_us = engine.clock.now_us()
            if agenda.mail:
                self._read_mail()
            if self._arrivals:
                self._accept_all()
            if agenda.ready:
                self._serve_ready()
            self._send_replies()
        finally:
            serving.parked = False
            self._serving = serving
            agenda.unsent += held
        return not agenda.stopping

    def _receive_all(self, patience_ms: int) -> None:
        """Takes in what has come, and sends what can be sent, once there is something or `patience_ms` are over."""
        agenda = self.agenda
        events = self.poller.wait(patience_ms)
        agenda.now_us = self.engine.clock.monotonic_us()
        for fd, happened in events:
            connection = self.connections.get(fd)
            if connection is None:
                self._not_a_client(fd)
                continue
            try:
                if happened & _WRITE:
                    connection.flush()
                if happened & ~_WRITE and not connection.ready:
                    connection.receive()
            except Exception:
                connection.give_up()

    def _patience_ms(self) -> int:
        agenda = self.agenda
        if agenda.ready or agenda.unsent or agenda.pushed or agenda.leaving or agenda.mail:
            return 0
        return (self._rest_us + 999) // 1000

    def _not_a_client(self, fd: int) -> None:
        if fd == self._bell_fd:
            self._bell.recv(4096)
            self._ringing = False
        elif fd in self.listeners:
            self._arrivals.append(self.listeners[fd])

    def _work(self) -> None:
        """The part of a turn under the engine's lock."""
        agenda = self.agenda
        if agenda.mail:
            self._read_mail()
        if self._arrivals:
            self._accept_all()
        if agenda.ready:
            self._serve_ready()
        self._keep_house()
        now_us = self.clock.monotonic_us()
        if now_us >= self._next_round_us:
            self._round(now_us)
        if self._accept_again_us and now_us >= self._accept_again_us:
            self._accept_again()
        if agenda.leaving:
            self._take_leave()

    def _read_mail(self) -> None:
        mail = self.agenda.mail
        while mail:
            function, argument = mail.popleft()
            try:
                function(argument)
            except Exception:
                log.exception("What another thread wanted done failed in an unexpected way")

    def _keep_house(self) -> None:
        try:
            rest_us = self.engine.tick()
        except Exception:
            log.exception("Housekeeping failed in an unexpected way")
            self.engine.unexpected_errors += 1
            rest_us = _REST_US
        self._rest_us = _REST_US if rest_us < 0 or rest_us > _REST_US else rest_us

    def _serve_ready(self) -> None:
        """Runs the commands of all connections that have some, or of as many as there is time for."""
        engine = self.engine
        agenda = self.agenda
        until_us = engine.now_us + _TURN_US
        waiting = agenda.ready
        agenda.ready = []
        waiting.reverse()
        self._waiting = waiting
        while waiting and engine.now_us <= until_us:
            connection = waiting.pop()
            connection.ready = False
            self._serving = connection
            connection.serve(engine, until_us)
        self._serving = None
        if waiting:
            # Those who had to wait come first next time.
            waiting.reverse()
            agenda.ready = waiting + agenda.ready

    def _retract_replies(self, error: CommandError) -> None:
        """What the commands of this turn did is not safe on disk: nobody is told that it was done."""
        for connection in self.agenda.unsent:
            if connection.replies:
                connection.retract(error)

    def _send_replies(self) -> None:
        agenda = self.agenda
        unsent = agenda.unsent
        agenda.unsent = []
        for connection in unsent:
            connection.unsent = False
            try:
                connection.flush()
            except Exception:
                connection.give_up()
        if agenda.pushed:
            self._send_messages()

    def _send_messages(self) -> None:
        """Sends messages to as many connections as there is time for, first come first served; the others wait.

        What is published meanwhile reaches them in the same piece, so that many listeners cost the less the busier a
        channel is.
        """
        agenda = self.agenda
        agenda.forget_message()
        pushed = agenda.pushed
        until_us = self.clock.monotonic_us() + _FAN_OUT_US
        while pushed:
            connection = pushed.popleft()
            connection.pushed = False
            try:
                connection.flush()
            except Exception:
                connection.give_up()
            if self.clock.monotonic_us() > until_us:
                break

    # Coming

    def _accept_all(self) -> None:
        arrivals = self._arrivals
        self._arrivals = []
        for listener in arrivals:
            if listener.fd in self.listeners:
                self._accept(listener)

    def _accept(self, listener: Listener) -> None:
        for _ in range(self.engine.config.max_new_connections_per_cycle):
            try:
                sock, peer = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("Accepting client connection: %s", error.strerror)
                if error.errno in _OUT_OF_RESOURCES:
                    self._rest_from_accepting()
                    return
                continue
            try:
                self._admit(sock, listener, peer)
            except (OSError, MemoryError) as error:
                # It is gone again, or too much.
                log.log(VERBOSE, "Error registering a new client: %s", error)
                sock.close()

    def _admit(self, sock: socket.socket, listener: Listener, peer: tuple[str, int] | str) -> None:
        engine = self.engine
        sock.setblocking(False)
        if len(self.connections) >= engine.config.maxclients:
            self._reject(sock, TOO_MANY_CLIENTS)
            return
        if listener.kind == "unix":
            address = local_address = f"{listener.host}:0"
            log.log(VERBOSE, "Accepted connection to %s", listener.host)
        else:
            address, local_address = endpoint(peer), endpoint(sock.getsockname())
            log.log(VERBOSE, "Accepted %s", address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(sock, engine.config.tcp_keepalive)
        self.poller.add(sock.fileno(), _READ)
        session = engine.connect(listener.kind, address, local_address)
        if engine.config.protected_mode and not session.gate & UNAUTHENTICATED and is_remote(listener, address):
            engine.disconnect(session)
            self.poller.remove(sock.fileno())
            self._reject(sock, PROTECTED_MODE)
            return
        self.connections[sock.fileno()] = Connection(sock, session, self.agenda, self.poller)

    def _reject(self, sock: socket.socket, why: str) -> None:
        """Says why and closes; who does not take that does not hear it."""
        self.rejected += 1
        try:
            sock.send(b"-%b\r\n" % CommandError(why).line)
        except OSError as error:
            log.log(VERBOSE, "Error writing to client: %s", error.strerror)
        sock.close()

    def _rest_from_accepting(self) -> None:
        """Without descriptors left the listening sockets would be ready all the time."""
        if self._accept_again_us == 0:
            for listener in self.listeners.values():
                self.poller.remove(listener.fd)
        self._accept_again_us = self.clock.monotonic_us() + _ACCEPT_REST_US

    def _accept_again(self) -> None:
        self._accept_again_us = 0
        for listener in self.listeners.values():
            self.poller.add(listener.fd, _READ)

    # Staying and going

    def _round(self, now_us: int) -> None:
        """Looks for clients that have been silent or have read nothing for too long."""
        limit = most_client_bytes(self.engine.config)
        self._next_round_us = now_us + (_EVICTION_ROUND_US if limit else _ROUND_US)
        if limit:
            self._evict_clients(limit)
        timeout_us = self.engine.config.timeout * 1_000_000
        before_us = self.engine.clock.monotonic_us() - timeout_us
        for connection in self.connections.values():
            connection.check_soft_limit()
            if timeout_us and connection.is_idle_since(before_us):
                log.log(VERBOSE, "Closing idle client")
                connection.leave()

    def _evict_clients(self, limit: int) -> None:
        """Ends the connections that hold most until what all hold fits, but for those with CLIENT NO-EVICT."""
        held = {
            connection: connection.held_bytes()
            for connection in self.connections.values()
            if not connection.left and not connection.session.no_evict
        }
        total = sum(held.values())
        for connection in sorted(held, key=held.__getitem__, reverse=True):
            if total <= limit:
                break
            log.log(VERBOSE, "Evicting client: %s", connection)
            total -= held[connection]
            self.evicted += 1
            connection.leave()

    def _take_leave(self) -> None:
        agenda = self.agenda
        leaving = agenda.leaving
        agenda.leaving = []
        for connection in leaving:
            del self.connections[connection.fd]
            self.poller.remove(connection.fd)
            session = connection.session
            self.engine.disconnect(session)
            session.deliver = session.push = ignore
            session.close = do_nothing
            session.buffers = dict
            connection.socket.close()

    def held_bytes(self) -> int:
        """What all connections hold: received and not run, and not sent."""
        held = 0
        for connection in self.connections.values():
            held += connection.held_bytes()
        return held

    def settings_changed(self) -> None:
        """CONFIG SET has changed limits of connections."""
        self.agenda.limits_changed(self.engine.config)
        for connection in self.connections.values():
            connection.reader.max_bulk = self.agenda.max_bulk

    def finish(self) -> None:
        """Stops listening, sends what can be sent soon, and closes every connection."""
        self.engine.on_busy = go_on
        self.unlisten(list(self.listeners.values()))
        self._say_farewell()
        self.engine.lock.acquire()
        try:
            for connection in self.connections.values():
                connection.leave()
            self._take_leave()
        finally:
            self.engine.lock.release()
            self.agenda.thread = 0
        self.poller.close()
        with self._alarm_lock:
            self._alarm.close()
            self._bell.close()

    def _say_farewell(self) -> None:
        """Sends the replies that are left to those who read them."""
        self.poller.remove(self._bell_fd)
        for connection in self.connections.values():
            connection.session.closing = True
            connection.flush()
        until_us = self.clock.monotonic_us() + _FAREWELL_US
        while len(self.agenda.leaving) < len(self.connections):
            left_us = until_us - self.clock.monotonic_us()
            if left_us <= 0:
                log.info("Some clients have not read all of their replies")
                break
            for fd, _ in self.poller.wait(left_us // 1000):
                self.connections[fd].flush()


def endpoint(address: tuple[str, int] | str) -> str:
    """An address as CLIENT LIST shows it."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def most_client_bytes(config: Config) -> int:
    """`maxmemory-clients` in bytes, 0 for no limit: it may be a percentage of `maxmemory`, a negative number then."""
    limit = config.maxmemory_clients
    return limit if limit >= 0 else config.maxmemory * -limit // 100


def is_remote(listener: Listener, address: str) -> bool:
    return listener.kind == "tcp" and not address.startswith(("127.", "[::1]"))


def keep_alive(sock: socket.socket, seconds: int) -> None:
    """Has the kernel probe a silent peer after `seconds`, three times; 0 for never."""
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(seconds // 3, 1))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
