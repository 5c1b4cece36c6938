"""Client-side caching: which sessions are to be told that a key has changed, and how they are told.

In the usual mode the keys that a session reads are remembered in a table, until they change, and then forgotten: who
wants to hear of a key again reads it again. In broadcasting mode nothing is remembered: the session hears of every
key with one of its prefixes, whoever read it, once for all that changed in a turn. Keys are names here, whatever their
database, as on the real server.

The table is bounded. When it is full, keys by chance are reported as changed, and forgotten.
"""

from __future__ import annotations

import random

from alcove.engine.declaration import MOVABLEKEYS, Command
from alcove.engine.keys import keys_of
from alcove.engine.keyspace import Keyspace
from alcove.engine.session import SUBSCRIBER, Session
from alcove.types.dense_map import ByteMap
from alcove.values import Push

# Where a RESP2 client hears of changes, in the name of another.
CHANNEL = b"__redis__:invalidate"
# A session in the table: its id, so many bytes of it, the greatest first.
TOKEN_BYTES = 8
# How many keys one command makes room for when the table is too full, which it may be after CONFIG SET.
EVICTED_AT_ONCE = 100
# Read-only commands that read nothing themselves: what their scripts run does.
SCRIPTS = frozenset(("eval_ro", "evalsha_ro", "fcall_ro"))


class Tracker:
    """What a session has asked for with CLIENT TRACKING, and its state."""

    def __init__(self, session: Session) -> None:
        self.token = session.id.to_bytes(TOKEN_BYTES, "big")
        self.broadcast = False
        self.opt_in = False
        self.opt_out = False
        self.no_loop = False
        # The session that is told instead; 0 for this one. It may be gone, which is then noticed.
        self.redirect = 0
        self.redirect_broken = False
        # CLIENT CACHING: that the next command, or transaction, is an exception.
        self.caching = False
        # The prefixes that it hears of in broadcasting mode.
        self.prefixes: list[bytes] = []

    def remembers(self) -> bool:
        """Whether what is read now is to be remembered."""
        if self.opt_in:
            return self.caching
        return not self.broadcast and not (self.opt_out and self.caching)

    def ended(self, command: Command | None, in_multi: bool) -> None:
        """After a command, known or not, that was no CLIENT: an exception for it holds no longer.

        That for a transaction ends with the transaction.
        """
        if not in_multi and not (command is not None and command.name.startswith("client|")):
            self.caching = False


class Prefix:
    """Who hears of the keys with a prefix, and which of them have changed in this turn, by whose hand."""

    def __init__(self) -> None:
        self.listeners: dict[Session, Tracker] = {}
        self.changed: dict[bytes, Session | None] = {}


class Tracking:
    """The sessions of one engine that track keys. Its lock is held in every method."""

    def __init__(self, space: Keyspace, sessions: dict[int, Session]) -> None:
        self._space = space
        self._sessions = sessions
        # Who tracks; the keyspace tells of changes only while there is somebody.
        self.trackers: dict[Session, Tracker] = {}
        self._by_token: dict[bytes, Session] = {}
        # The sessions that have read a key: their tokens in ascending order, one behind the other.
        self.table = ByteMap()
        # How many tokens there are in the table, and how many keys there may be (0 for any number).
        self.items = 0
        self.most_keys = 0
        self.prefixes: dict[bytes, Prefix] = {}
        # Whether there are changes to be broadcast at the end of the turn.
        self.pending = False
        # Whose command runs, if it is one of those who track, and what it is to be told of its own changes.
        self.client: Session | None = None
        self._own: list[tuple[Tracker, Push]] = []

    # Who tracks

    def start(self, session: Session) -> Tracker:
        """Has a session track keys, if it does not yet; how, the caller says in what this returns."""
        if session.tracker is not None:
            return session.tracker
        tracker = Tracker(session)
        session.tracker = self.trackers[session] = tracker
        self._by_token[tracker.token] = session
        self._space.on_change = self.changed
        if session.running:
            self.client = session
        return tracker

    def listen(self, session: Session, prefix: bytes) -> None:
        """Has a session that tracks hear of all keys with a prefix."""
        tracker = self.trackers[session]
        heard = self.prefixes.setdefault(prefix, Prefix())
        if session not in heard.listeners:
            heard.listeners[session] = tracker
            tracker.prefixes.append(prefix)

    def stop(self, session: Session) -> None:
        """Tells a session of nothing more. Its tokens stay in the table until their keys change."""
        tracker = self.trackers.pop(session, None)
        if tracker is None:
            return
        session.tracker = None
        del self._by_token[tracker.token]
        for prefix in tracker.prefixes:
            heard = self.prefixes[prefix]
            del heard.listeners[session]
            if not heard.listeners:
                del self.prefixes[prefix]
        if not self.trackers:
            self._space.on_change = None
            self._empty()

    # Reading

    def ran(self, command: Command, argv: list[bytes]) -> None:
        """Remembers the keys of a read-only command that the present client has run, itself or by a script."""
        client = self.client
        tracker = None if client is None else client.tracker
        if tracker is None or not tracker.remembers():
            return
        first = command.first_key
        if command.flags & MOVABLEKEYS:
            if command.name not in SCRIPTS:
                for place, _ in keys_of(command, argv):
                    self._remember(argv[place], tracker.token)
        elif first > 0:
            last = command.last_key
            if last < 0:
                last += len(argv)
            for place in range(first, last + 1, command.step):
                self._remember(argv[place], tracker.token)

    def served(self, keys: list[bytes]) -> None:
        """Remembers the keys of a command that has waited, and now reads them once more."""
        client = self.client
        if client is not None and client.tracker is not None and client.tracker.remembers():
            for key in keys:
                self._remember(key, client.tracker.token)

    def done(self, command: Command) -> None:
        """The present client's command has come to its end."""
        client = self.client
        if self._own:
            self.end((None, []))
        self.client = None
        tracker = None if client is None else client.tracker
        if client is not None and tracker is not None and tracker.caching and not client.blocked:
            tracker.ended(command, client.in_multi)

    def begin(self, session: Session) -> tuple[Session | None, list[tuple[Tracker, Push]]]:
        """What happens until `end`, which is to be given what this returns, is a session's doing."""
        before = self.client, self._own
        self.client = None if session.tracker is None else session
        self._own = []
        return before

    def end(self, before: tuple[Session | None, list[tuple[Tracker, Push]]]) -> None:
        """Tells the present client of its own changes, by the options it has now, or had when it tracked."""
        client, own = self.client, self._own
        self.client, self._own = before
        if client is not None:
            for tracker, message in own:
                self._tell(client, client.tracker or tracker, message)

    def _remember(self, key: bytes, token: bytes) -> None:
        tokens = self.table.get(key)
        if tokens is None:
            self.table.set(key, token)
            self.items += 1
            if self.most_keys and len(self.table) > self.most_keys:
                self._evict()
        elif tokens != token:
            place = place_of(token, tokens)
            if tokens[place : place + TOKEN_BYTES] != token:
                self.table.set(key, tokens[:place] + token + tokens[place:])
                self.items += 1

    def _evict(self) -> None:
        for _ in range(EVICTED_AT_ONCE):
            if len(self.table) <= self.most_keys:
                break
            position = random.randrange(len(self.table))
            self._invalidate(self.table.key_at(position), self.table.value_at(position))

    # Changes

    def changed(self, key: bytes) -> None:
        """The keyspace's hook: a key has changed."""
        for prefix, heard in self.prefixes.items():
            if key.startswith(prefix):
                heard.changed[key] = self.client
                self.pending = True
        tokens = self.table.get(key)
        if tokens is not None:
            self._invalidate(key, tokens)

    def _invalidate(self, key: bytes, tokens: bytes) -> None:
        """Tells those who have read a key of its change, but for those who want to hear only of others' changes."""
        self.table.delete(key)
        self.items -= len(tokens) // TOKEN_BYTES
        message = Push((b"invalidate", [key]))
        for place in range(0, len(tokens), TOKEN_BYTES):
            token = tokens if len(tokens) == TOKEN_BYTES else tokens[place : place + TOKEN_BYTES]
            session = self._by_token.get(token)
            if session is None:
                # It is gone, or tracks no more.
                continue
            tracker = self.trackers[session]
            if tracker.broadcast:
                continue
            if session is not self.client:
                self._tell(session, tracker, message)
            elif not tracker.no_loop:
                self._own.append((tracker, message))

    def broadcast(self) -> None:
        """Tells of what has changed in this turn: all keys with a prefix in one message."""
        self.pending = False
        for prefix in sorted(self.prefixes):
            heard = self.prefixes[prefix]
            if not heard.changed:
                continue
            changed, heard.changed = heard.changed, {}
            message = Push((b"invalidate", sorted(changed)))
            for session, tracker in heard.listeners.items():
                if not tracker.no_loop:
                    self._tell(session, tracker, message)
                    continue
                of_others = [key for key in sorted(changed) if changed[key] is not session]
                if of_others:
                    self._tell(session, tracker, Push((b"invalidate", of_others)))

    def flushed(self) -> None:
        """A database has been emptied: everyone is to forget everything, whatever the mode."""
        message = Push((b"invalidate", None))
        for session, tracker in self.trackers.items():
            if session is self.client:
                self._own.append((tracker, message))
            else:
                self._tell(session, tracker, message)
        self._empty()

    def _empty(self) -> None:
        """Forgets all that was read; a big table is freed in slices."""
        self._space.dispose(self.table)
        self.table = ByteMap()
        self.items = 0

    def _tell(self, session: Session, tracker: Tracker, message: Push) -> None:
        """Sends a message to a session, or to the one that it named; RESP2 has no messages but those of channels."""
        redirect = tracker.redirect
        if redirect == 0:
            if session.protocol > 2:
                session.send(message)
            return
        target = self._sessions.get(redirect)
        if target is None:
            tracker.redirect_broken = True
            if session.protocol > 2:
                session.send(Push((b"tracking-redir-broken", redirect)))
        elif target.protocol > 2:
            target.send(message)
        elif target.gate & SUBSCRIBER:
            target.send(Push((b"message", CHANNEL, message[1])))


def place_of(token: bytes, tokens: bytes) -> int:
    """Where a token stands among those in ascending order, or where it would."""
    low, high = 0, len(tokens) // TOKEN_BYTES
    while low < high:
        middle = (low + high) // 2
        start = middle * TOKEN_BYTES
        if tokens[start : start + TOKEN_BYTES] < token:
            low = middle + 1
        else:
            high = middle
    return low * TOKEN_BYTES
