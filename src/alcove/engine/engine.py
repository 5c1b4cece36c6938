"""The engine: one call per command, whoever brings it, and the housekeeping between commands.

A front end (the server's loop, the in-process client) opens a session, and under the engine's lock hands it argument
lists: `call` answers the reply value, or `PARKED` when the session has to wait and `session.deliver` will bring it.
Every effective write is told to the sinks when its command, or the whole transaction, is done. Between commands the
front end calls `tick`, which expires keys, ends waits whose time is up, runs slices of long commands and frees what
was removed, a millisecond at a time.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

from alcove.engine.blocking import PARKED, Wait
from alcove.engine.channels import Channels
from alcove.engine.clock import Clock
from alcove.engine.config import Config
from alcove.engine.context import Context
from alcove.engine.declaration import (
    ADMIN,
    ALLOW_BUSY,
    DENYOOM,
    FAST,
    LOADING,
    NO_AUTH,
    NO_MULTI,
    READONLY,
    REGISTRY,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    WRITE,
    Command,
    Registry,
)
from alcove.engine.eviction import Eviction
from alcove.engine.keyspace import NEVER_MS, Keyspace
from alcove.engine.latency import LatencyMonitor
from alcove.engine.lock import EngineLock
from alcove.engine.monitors import MAY_REPLICATE, Monitors
from alcove.engine.notifications import Notifications
from alcove.engine.postponing import meets_snapshot, wait_for_snapshot
from alcove.engine.redaction import redacted
from alcove.engine.services import (
    GATE_BUSY,
    GATE_LOADING,
    GATE_MAXMEMORY,
    GATE_MISCONF,
    GATE_STEPS,
    Journal,
    Persistence,
    Sink,
)
from alcove.engine.session import IN_MULTI, MONITOR, MUTED, NO_TOUCH, SUBSCRIBER, UNAUTHENTICATED, Session, do_nothing
from alcove.engine.slowlog import SlowLog
from alcove.engine.tracking import Tracking
from alcove.engine.waits import Waits
from alcove.errors import (
    EXEC_ABORT,
    NOT_FOR_MONITORS,
    NOT_IN_MULTI,
    OUT_OF_MEMORY,
    CommandError,
    exec_refused,
    not_while_subscribed,
    unknown_command,
    unknown_subcommand,
    wrong_arity,
)
from alcove.errors import LOADING as LOADING_TEXT
from alcove.errors import (
    NO_AUTH as NO_AUTH_TEXT,
)
from alcove.types.limits import LIMIT_NAMES
from alcove.values import NO_REPLY, NULL_ARRAY, OK, QUEUED, Push, Replies

log = logging.getLogger(__name__)

# How long housekeeping may keep commands waiting.
SLICE_US = 1000
# When housekeeping comes at the latest to see what has become of effects that were written.
SYNC_MS = 1000
# How long housekeeping leaves alone what is not due, lest the machine's clock was set; and later than any time.
LOOK_EVERY_US = 100_000
NEVER_US = 2**62

# C variables of the compiled build, which asks for them in every command.
_CommandError = CommandError
_Push = Push
_Replies = Replies
_Wait = Wait

# How long other threads may have the lock, each time a long script lets them in.
LET_IN_SECONDS = 0.0002


class EngineClosed(RuntimeError):
    """The engine takes no more calls; the text says why."""


class Engine:
    """The data, the sessions and the rules of one Redis."""

    def __init__(
        self,
        config: Config | None = None,
        clock: Clock | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.config = config or Config()
        self.clock = clock or Clock()
        self.registry = registry or REGISTRY.copy()
        self.lock = EngineLock()
        self.space = Keyspace(self.config.databases)
        self.channels = Channels()
        self.monitors = Monitors()
        self.slowlog = SlowLog(self.config)
        self.latency = LatencyMonitor(self.config, self.clock)
        self.eviction = Eviction(self.space, self.config, self.clock, self.latency)
        # Whether the data had outgrown `maxmemory` when the last command came, with nothing to evict.
        self.out_of_memory = False
        self.notifications = Notifications(self.space, self.channels)
        self.sessions: dict[int, Session] = {}
        self.tracking = Tracking(self.space, self.sessions)
        self.waits = Waits(self, self.space)
        self.sinks: list[Sink] = []
        # The sink that answers wait for, and why writes are refused while the gate says so.
        self.journal: Journal | None = None
        self.misconf = ""
        # Who keeps the data on disk, for the commands that ask for it.
        self.persistence: Persistence | None = None
        # INFO's sections and other services, by name; what sits above the engine adds its own.
        self.info_sections: dict[str, Callable[[Engine], dict[str, object]]] = {}
        # Ends whoever serves the engine: called with whether a snapshot is to be taken first, None for what is usual,
        # and whether that may fail. Raises `CommandError` when it fails and may not.
        self.on_shutdown: Callable[[bool | None, bool], None] | None = None
        # What services do between commands: each works for as long as it is told that there is time, and answers after
        # how many microseconds it wants to be called again, 0 at once, -1 never. And what they do at the engine's end.
        self.chores: list[Callable[[Callable[[], bool]], int]] = []
        self.on_close: list[Callable[[], None]] = []
        # The runtime of scripts, which makes itself at first use; and what a long script has a front end do now and
        # then, with the lock, so that its other clients are answered: False when the script is to end.
        self.scripting: Any = None
        self.on_busy: Callable[[], bool] = go_on
        # How many bytes the front end's clients have sent that were not run, and were answered that they did not read.
        self.client_bytes: Callable[[], int] = int
        # Called, without the lock, when housekeeping is wanted sooner than `tick` said last.
        self.on_sooner: Callable[[], None] = do_nothing
        self.gate = 0
        self.run_id = os.urandom(20).hex()
        self.now_us = self.clock.now_us()
        self.started_us = self.now_us
        self.space.now_ms = self.now_us // 1000
        self.next_session = 1
        self.connections_received = self.commands_processed = 0
        self.error_counts: Counter[str] = Counter()
        self.unexpected_errors = 0
        self.expire_lag_ms = 0
        # The most bytes that the data has taken at any `tick`.
        self.peak_used = 0
        # DEBUG SET-ACTIVE-EXPIRE: whether keys go by themselves when their time has come.
        self.active_expire = True
        self.closed: str | None = None
        self._departed: list[Session] = []
        # Whether housekeeping was wanted sooner since it looked at everything; when it does so again, when it has
        # something to do, and when the slice in work ends, on the monotonic clock.
        self._unseen = True
        self._look_us = self._due_us = 0
        self._slice_ends_us = 0
        self._watch_config()

    def _watch_config(self) -> None:
        """Copies of settings that are read for every command, kept where reading is cheap."""
        self.config.watch(" ".join(name.replace("_", "-") for name in LIMIT_NAMES), self._limits_changed)
        self.config.watch("slowlog-log-slower-than slowlog-max-len latency-monitor-threshold", self._set_notable)
        self.config.watch("latency-tracking", self._tracking_changed)
        self.config.watch("maxmemory maxmemory-policy lfu-log-factor lfu-decay-time", self._maxmemory_changed)
        self.config.watch(
            "maxmemory-samples maxmemory-eviction-tenacity latency-monitor-threshold", self.eviction.configure
        )
        self.config.watch("notify-keyspace-events tracking-table-max-keys", self._watchers_changed)
        self._watchers_changed()
        self._limits_changed()
        self._set_notable()
        self._tracking_changed()
        self._maxmemory_changed()

    def _limits_changed(self) -> None:
        for name in LIMIT_NAMES:
            setattr(self.space.limits, name, getattr(self.config, name))

    def _set_notable(self) -> None:
        """From how many microseconds on somebody takes note of a command: with a monitor, from none."""
        self.notable_us = 0 if self.monitors.sessions else min(self.slowlog.threshold, self.latency.threshold_us)

    def _tracking_changed(self) -> None:
        self.latency_tracking = self.config.latency_tracking

    def _watchers_changed(self) -> None:
        self.notifications.choose(self.config.notify_keyspace_events)
        self.tracking.most_keys = self.config.tracking_table_max_keys

    def _maxmemory_changed(self) -> None:
        self.gate = self.gate & ~GATE_MAXMEMORY | (GATE_MAXMEMORY if self.config.maxmemory else 0)
        self.space.lfu = "lfu" in self.config.maxmemory_policy
        # Where it counts when keys changed, reading leaves no trace.
        self.reads_touch = self.space.touching = "lrm" not in self.config.maxmemory_policy
        self.eviction.configure()
        self.out_of_memory = False
        if self.config.maxmemory:
            self.space.sooner = True
        self.space.lfu_log_factor = self.config.lfu_log_factor
        self.space.lfu_decay_time = self.config.lfu_decay_time

    def attach(self, sink: Sink) -> None:
        """From now on `sink` is told of every effective write."""
        self.sinks.append(sink)
        self.space.recording = True

    def detach(self, sink: Sink) -> None:
        """`sink` is told nothing any more."""
        self.sinks.remove(sink)
        self.space.recording = bool(self.sinks)

    # Sessions

    def connect(self, kind: str, address: str = "", local_address: str = "") -> Session:
        """Opens a session; the front end sets its hooks and later calls `disconnect`."""
        session = Session(self.next_session, self.space.databases[0], kind, address, local_address)
        self.next_session += 1
        session.context = Context(self, session)
        session.created_us = session.active_us = self.clock.monotonic_us()
        if self.config.requirepass:
            session.gate |= UNAUTHENTICATED
        self.sessions[session.id] = session
        self.connections_received += 1
        return session

    def disconnect(self, session: Session) -> None:
        """Forgets a session: its transaction, its watches, what it tracks, listens to and waits for."""
        self.sessions.pop(session.id, None)
        self.discard(session)
        self.channels.leave(session)
        self.tracking.stop(session)
        self.unmonitor(session)
        if session.wait is not None:
            session.wait.withdraw()
            session.wait = None
        if session.slices is not None:
            session.slices.close()
            session.slices = None

    def depart(self, session: Session) -> None:
        """`disconnect` for who does not hold the lock and must not wait for it, such as a finalizer."""
        self._departed.append(session)
        self._see_off()

    def _see_off(self) -> None:
        """Disconnects who has departed. If the lock is taken, its holder does that when it leaves."""
        while self._departed and self.closed is None and self.lock.try_acquire():
            try:
                while self._departed:
                    self.disconnect(self._departed.pop())
            finally:
                self.lock.release()

    # Commands

    def execute(self, session: Session, argv: list[bytes]) -> Any:
        """`call` for a caller that does not hold the lock."""
        self.enter()
        try:
            reply = self.call(session, argv)
        finally:
            unsafe = self.leave()
        return unsafe or reply

    def enter(self) -> None:
        """Takes the lock for a turn, and the time for its first command. Raises `EngineClosed`."""
        if self.closed is None:
            self.lock.acquire()
            if self.closed is None:
                self.now_us = self.clock.now_us()
                return
            self.lock.release()
        raise EngineClosed(self.closed)

    def leave(self, settle: bool = True) -> CommandError | None:
        """Ends a turn: broadcasts which keys changed, and tells housekeeping if it has become more urgent.

        None when what the turn changed is as safe as the configuration asks; else the error that is to be answered
        instead of all its replies. Without `settle` the caller waits for the disk himself, by `await_disk`.
        """
        journal = self.journal
        unsafe: CommandError | None = None
        position = 0
        sooner = False
        try:
            if self.tracking.pending:
                self.tracking.broadcast()
            if journal is not None and journal.pending:
                unsafe = journal.flush()
                if settle and unsafe is None and (journal.always or journal.held):
                    position = journal.position
                if journal.everysec or journal.held:
                    self.space.wake_by(self.now_us // 1000 + SYNC_MS)
            elif journal is not None and settle and journal.always and journal.synced < journal.appended:
                # Others wait for the disk, and this turn may have seen what they wrote.
                position = 0 if journal.trouble is not None else journal.position
            sooner = self.space.sooner
            self.space.sooner = False
            self._unseen = self._unseen or sooner
        finally:
            self.lock.release()
        if position:
            unsafe = self.await_disk(position)
        if sooner or unsafe is not None:
            self.on_sooner()
        if self._departed:
            self._see_off()
        return unsafe

    def await_disk(self, position: int) -> CommandError | None:
        """Waits until all effects up to a place in the journal are as safe as the configuration asks: None, or the
        error that is to be answered. The lock is not held.
        """
        journal = self.journal
        while journal is not None and journal.appended < position:
            # The journal holds them until what was written before is on the disk.
            unsafe = journal.settle(journal.appended)
            if unsafe is None:
                with self.lock:
                    unsafe = journal.flush()
            if unsafe is not None:
                return unsafe
        return journal.settle(position) if journal is not None and journal.always else None

    def call(self, session: Session, argv: list[bytes]) -> Any:
        """Runs one command: the reply value, a `CommandError` if it failed, or `PARKED`. The lock is held."""
        command = self.registry.find(argv[0])
        count = len(argv)
        if command is not None and command.subcommands is not None and count > 1:
            command = command.find(argv[1])
        if command is None or count < command.least or count > command.most:
            refusal = self._refuse(session, command, self._misspelt(argv))
            return NO_REPLY if session.muted() else refusal
        if session.gate or self.gate:
            answer = self._admit(session, command, argv)
            if answer is not None:
                return NO_REPLY if session.muted() else answer
        session.running = True
        if session.tracker is not None:
            self.tracking.client = session
        try:
            reply = self.run(session, command, argv)
            space = self.space
            space.touching = self.reads_touch
            if command.sliced:
                reply = self.waits.first_slice(session, reply)
            if space.records:
                self.commit()
            if type(reply) is _Wait:
                reply = self.waits.park(session, reply)
            if space.ready:
                self.waits.serve_ready()
        finally:
            if self.tracking.client is not None:
                self.tracking.done(command)
            session.running = False
        if session.gate & MUTED and reply is not PARKED and session.muted() and not is_pushed(reply):
            reply = NO_REPLY
        if session.late:
            return session.with_late(reply)
        return reply

    def run(self, session: Session, command: Command, argv: list[bytes]) -> Any:
        """Runs a handler with all that surrounds it, and collects what it is to be recorded as."""
        space = self.space
        context = session.context
        context.recorded = False
        started_us = self.now_us
        if not session.executing:
            space.now_ms = started_us // 1000
        dirty = space.dirty
        try:
            reply = invoke(command.handler, context, argv, command.words)
            if command.sliced and session.executing:
                reply = finish(reply)
        except CommandError as error:
            # Its traceback would keep the arguments, and itself, until the next collection of garbage.
            reply = error.with_traceback(None)
        if type(reply) is _CommandError:
            command.failed += 1
            self.count_error(reply)
        if space.recording and space.dirty != dirty and not context.recorded:
            space.records.append((context.keys.number, argv))
        if self.tracking.client is not None and command.flags & READONLY:
            self.tracking.ran(command, argv)
        self.now_us = self.clock.now_us()
        # The machine's clock may have been set back.
        elapsed_us = self.now_us - started_us if self.now_us > started_us else 0
        command.calls += 1
        command.usec += elapsed_us
        if self.latency_tracking:
            command.latency.record(elapsed_us)
        session.commands += 1
        session.last_command = command.name
        self.commands_processed += 1
        if elapsed_us >= self.notable_us:
            self._take_note(session, command, argv, elapsed_us)
        return reply

    def _take_note(self, session: Session, command: Command, argv: list[bytes], elapsed_us: int) -> None:
        """What there is to do about a command that took long, or any that a monitor is to see."""
        flags = command.flags
        if self.monitors.sessions and not flags & (SKIP_MONITOR | ADMIN):
            self.show(session, command, argv)
        if elapsed_us >= self.slowlog.threshold and not flags & SKIP_SLOWLOG:
            self.slowlog.add(self.now_us, session, redacted(command.name, argv), elapsed_us)
        self.latency.add("fast-command" if flags & FAST else "command", elapsed_us // 1000)

    def show(self, session: Session, command: Command, argv: list[bytes]) -> None:
        """Shows a command to the monitors. Commands do so when they are done; a script, before those that it runs."""
        self.monitors.show(self.now_us, session, redacted(command.name, argv), self.config.unixsocket)

    def monitor(self, session: Session) -> None:
        """Has a session be shown every command from now on."""
        self.monitors.add(session)
        self._set_notable()

    def unmonitor(self, session: Session) -> None:
        """Does nothing if the session is no monitor."""
        if session.gate & MONITOR:
            self.monitors.discard(session)
            self._set_notable()

    def execute_queue(self, session: Session) -> Any:
        """EXEC: runs what was queued as one, or says why not."""
        for database, key in session.watched:
            database.find(key)
        refused, broken, queue = session.queue_refused, session.watch_broken, session.queue
        self.discard(session)
        if refused:
            raise CommandError(EXEC_ABORT)
        if broken:
            return NULL_ARRAY
        session.executing = True
        try:
            replies = [self.run(session, command, argv) for command, argv in queue]
            return [OK if reply is NO_REPLY else reply for reply in replies]
        finally:
            session.executing = False
            session.context.recorded = True

    def discard(self, session: Session) -> None:
        """Ends a transaction without running it, and all watches."""
        session.queue = []
        session.queue_refused = False
        session.gate &= ~IN_MULTI
        self.unwatch(session)

    def watch(self, session: Session, key: bytes) -> None:
        database = session.database
        database.find(key)
        if (database, key) not in session.watched:
            session.watched.append((database, key))
            database.watchers.setdefault(key, {})[session] = None

    def unwatch(self, session: Session) -> None:
        for database, key in session.watched:
            watchers = database.watchers[key]
            del watchers[session]
            if not watchers:
                del database.watchers[key]
        session.watched = []
        session.watch_broken = False

    def let_others_in(self) -> bool:
        """What a script that runs for long does now and then: others are told BUSY, and may end it; False if it has to.

        They neither see nor commit what the script has done so far. The lock is held before and after.
        """
        space = self.space
        kept = space.records, space.ready, space.now_ms, space.touching, self.now_us, self.tracking.client
        space.records, space.ready, self.tracking.client = [], [], None
        self.gate |= GATE_BUSY
        try:
            wanted = self.on_busy()
            self.lock.release()
            time.sleep(LET_IN_SECONDS)
            self.lock.acquire()
        finally:
            self.gate &= ~GATE_BUSY
            space.records, space.ready, space.now_ms, space.touching, self.now_us, self.tracking.client = kept
        return wanted and self.closed is None

    # What happens before and after a handler

    def _misspelt(self, argv: list[bytes]) -> str:
        """Why `argv` is no command."""
        command = self.registry.find(argv[0])
        if command is None:
            return unknown_command(argv[0], argv[1:])
        if command.subcommands is not None and len(argv) > 1:
            subcommand = command.find(argv[1])
            if subcommand is None:
                return unknown_subcommand(command.name, argv[1])
            command = subcommand
        return wrong_arity(command.name)

    def _refuse(self, session: Session, command: Command | None, text: str) -> CommandError:
        """A command that does not run; inside MULTI it spoils the transaction."""
        if command is not None and command.name == "exec":
            # An EXEC that is refused for whatever reason ends its transaction.
            text = exec_refused(text)
            self.discard(session)
            if self.monitors.sessions:
                self.show(session, command, [b"EXEC"])
        elif session.gate & IN_MULTI:
            session.queue_refused = True
        if session.tracker is not None:
            session.tracker.ended(command, session.in_multi)
        error = CommandError(text)
        if command is not None:
            command.rejected += 1
        self.count_error(error)
        return error

    def count_error(self, error: CommandError) -> None:
        self.error_counts[error.code] += 1

    def _admit(self, session: Session, command: Command, argv: list[bytes]) -> Any:
        """Whether a command may run now: None if so, else the reply that it gets instead."""
        flags = command.flags
        gate = session.gate
        if gate & UNAUTHENTICATED and not flags & NO_AUTH:
            return self._refuse(session, command, NO_AUTH_TEXT)
        if self.gate & GATE_MAXMEMORY and not self.gate & GATE_LOADING:
            self._make_room()
            if self.out_of_memory and self._needs_memory(session, command):
                return self._refuse(session, command, OUT_OF_MEMORY)
        if gate & SUBSCRIBER and session.protocol == 2 and command.name not in SUBSCRIBER_COMMANDS:
            return self._refuse(session, command, not_while_subscribed(command.name))
        if self.gate & GATE_MISCONF and (command.name == "ping" or self._writes(session, command)):
            return self._refuse(session, command, self.misconf)
        if self.gate & GATE_LOADING and not flags & LOADING:
            return self._refuse(session, command, LOADING_TEXT)
        if self.gate & GATE_BUSY and not flags & ALLOW_BUSY:
            return self._refuse(session, command, self.scripting.busy())
        if gate & MONITOR and (flags & (WRITE | READONLY) or command.name in MAY_REPLICATE):
            return self._refuse(session, command, NOT_FOR_MONITORS)
        if gate & IN_MULTI and command.name not in MULTI_COMMANDS:
            if flags & NO_MULTI:
                return self._refuse(session, command, NOT_IN_MULTI)
            session.queue.append((command, argv))
            return QUEUED
        if self.gate & GATE_STEPS and meets_snapshot(self, session, command, argv):
            return self.waits.park(session, wait_for_snapshot(self, session, command, argv))
        self.space.touching = self.reads_touch and (not gate & NO_TOUCH or command.name == "touch")
        return None

    def _make_room(self) -> None:
        """Evicts what there is too much of, as far as there is time."""
        self.out_of_memory = self.space.used > self.eviction.limit and not self.eviction.make_room()
        if self.space.records:
            self._commit_singly()

    def _needs_memory(self, session: Session, command: Command) -> bool:
        """Whether a command may grow the data, or what EXEC would run."""
        if command.name == "exec":
            return any(queued.flags & DENYOOM for queued, _ in session.queue)
        return bool(command.flags & DENYOOM)

    def _writes(self, session: Session, command: Command) -> bool:
        """Whether a command may write, or what EXEC would run."""
        if command.name == "exec":
            return any(queued.flags & WRITE for queued, _ in session.queue)
        return bool(command.flags & WRITE)

    def commit(self) -> None:
        """Hands the effects collected so far to the sinks, as one batch."""
        batch, self.space.records = self.space.records, []
        for sink in self.sinks:
            sink.commit(batch)

    def _commit_singly(self) -> None:
        """Hands over the effects collected so far as so many batches: what expired at once belongs not together."""
        records, self.space.records = self.space.records, []
        for record in records:
            for sink in self.sinks:
                sink.commit([record])

    # Housekeeping

    def tick(self) -> int:
        """One round of housekeeping, about a millisecond at most. The lock is held.

        Answers after how many microseconds it wants to be called again at the latest: 0 at once, -1 never.
        """
        if self.gate & GATE_BUSY:
            return SLICE_US
        space = self.space
        now_us = self.clock.monotonic_us()
        self._slice_ends_us = now_us + SLICE_US
        if self._unseen or space.sooner or now_us >= self._look_us:
            idle_us = self._keep_house(now_us)
            self._unseen = space.sooner = False
            self._due_us = NEVER_US if idle_us < 0 else now_us + idle_us
            self._look_us = min(self._due_us, now_us + LOOK_EVERY_US)
        due_us = self._due_us
        for chore in self.chores:
            idle_us = chore(self._in_time)
            if 0 <= idle_us < due_us - now_us:
                due_us = now_us + idle_us
        if space.ready:
            self.waits.serve_ready()
        if due_us == NEVER_US:
            space.wake_ms = NEVER_MS
            return -1
        space.wake_ms = (self.now_us + due_us - now_us) // 1000
        return due_us - now_us

    def _in_time(self) -> bool:
        """Whether the slice of housekeeping in work may go on."""
        return self.clock.monotonic_us() < self._slice_ends_us

    def _keep_house(self, started_us: int) -> int:
        """Sees to all but the chores; after how many microseconds there is something to do again, -1 for never."""
        in_time = self._in_time
        self.now_us = self.clock.now_us()
        self.peak_used = max(self.peak_used, self.space.used)
        done = True
        if not self.gate & GATE_LOADING:
            # While the data is loaded time stands still for it: nothing expires that later effects build on.
            self.space.now_ms = self.now_us // 1000
            self.waits.end_due(started_us)
            done = self._expire(in_time)
            if self.gate & GATE_MAXMEMORY:
                done = self.eviction.go_on(SLICE_US) and done
            self._commit_singly()
            done = self.waits.go_on(in_time) and done
        if self.space.ready:
            self.waits.serve_ready()
        done = self.space.bury(in_time) and done
        return self._idle_us(started_us) if done else 0

    def _idle_us(self, now_us: int) -> int:
        """After how many microseconds there is something to do again; -1 for never."""
        idle_us = -1
        deadline_ms = self.space.next_deadline() if self.active_expire else 0
        if deadline_ms:
            idle_us = max(deadline_ms * 1000 - self.now_us, 0)
        wait_us = self.waits.next_us()
        if wait_us:
            wait_us = max(wait_us - now_us, 0)
            idle_us = wait_us if idle_us < 0 else min(idle_us, wait_us)
        return idle_us

    def _expire(self, in_time: Callable[[], bool]) -> bool:
        first_ms = self.space.next_deadline() if self.active_expire else 0
        self.expire_lag_ms = max(self.space.now_ms - first_ms, 0) if first_ms else 0
        if not first_ms or first_ms > self.space.now_ms:
            return True
        began_us = self.clock.monotonic_us()
        done = self.space.expire_due(in_time)
        self.latency.add("expire-cycle", (self.clock.monotonic_us() - began_us) // 1000)
        return done

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.space.hits = self.space.misses = self.space.expired = 0
        self.eviction.evicted = self.eviction.exceeded_us = 0
        self.connections_received = self.commands_processed = self.unexpected_errors = 0
        self.error_counts.clear()
        for command in self.registry:
            command.calls = command.usec = command.rejected = command.failed = 0
            command.latency.clear()

    # Ending

    def close(self, why: str = "the engine is closed") -> None:
        """Refuses every further call, and ends the sessions that there are. The lock is not held."""
        with self.lock:
            self.closed = why
            for session in list(self.sessions.values()):
                session.close()
        for end in self.on_close:
            end()


def go_on() -> bool:
    """What a long script is told when no front end has clients to answer."""
    return True


# What a RESP2 subscriber may say, and what MULTI does not queue.
SUBSCRIBER_COMMANDS = frozenset(
    ["ping", "subscribe", "ssubscribe", "unsubscribe", "sunsubscribe", "psubscribe", "punsubscribe", "quit", "reset"]
)
MULTI_COMMANDS = frozenset(["exec", "discard", "multi", "watch", "quit", "reset"])


def invoke(handler: Callable[..., Any], context: Context, argv: list[bytes], words: int) -> Any:
    """Calls a handler with the arguments behind the name's `words`; short commands need no argument tuple."""
    count = len(argv)
    if words == 1:
        if count == 2:
            return handler(context, argv[1])
        if count == 3:
            return handler(context, argv[1], argv[2])
        if count == 4:
            return handler(context, argv[1], argv[2], argv[3])
        if count == 5:
            return handler(context, argv[1], argv[2], argv[3], argv[4])
    return handler(context, *argv[words:])


def is_pushed(reply: Any) -> bool:
    """Whether what a command answers are messages, as SUBSCRIBE's is, which CLIENT REPLY does not keep back."""
    return type(reply) is _Push or type(reply) is _Replies


def finish(slices: Generator[None, None, Any]) -> Any:
    """Runs a sliced command to its end at once."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value
