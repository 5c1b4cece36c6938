"""Who is answered later: the sessions that wait for keys, and those whose long commands go on by slices.

The engine's lock is held for all that happens here.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from alcove.engine.blocking import NOT_READY, PARKED, Wait
from alcove.engine.keyspace import Database, Keyspace
from alcove.engine.session import Session
from alcove.errors import INTERNAL, UNBLOCKED, CommandError
from alcove.values import NO_REPLY

if TYPE_CHECKING:
    from alcove.engine.engine import Engine

log = logging.getLogger(__name__)

# A C variable of the compiled build.
_Wait = Wait


class Waits:
    """The waits and the sliced commands of one engine."""

    def __init__(self, engine: Engine, space: Keyspace) -> None:
        self._engine = engine
        self._space = space
        # Waits with a deadline, soonest first; the number keeps their order when deadlines are equal.
        self._deadlines: list[tuple[int, int, Wait]] = []
        self._deadline_number = 0
        self._sliced: deque[tuple[Session, Generator[None, None, Any]]] = deque()

    def park(self, session: Session, wait: Wait) -> Any:
        """Has a session wait from now on; answers `PARKED`."""
        session.wait = wait
        wait.enlist()
        self._arm(wait)
        return PARKED

    def serve_ready(self) -> None:
        """Retries the waits for keys that were written, until serving them writes to no awaited key any more."""
        ready = self._space.ready
        while ready:
            database, key = ready.pop(0)
            for wait, reply in self._served(database, key):
                self.resume(wait.session, reply)
        # What that took is not the next command's.
        self._engine.now_us = self._engine.clock.now_us()

    def resume(self, session: Session, reply: Any) -> None:
        """Ends a session's wait with a reply, or with the wait that its command begins now."""
        if session.wait is not None:
            session.wait.withdraw()
            session.wait = None
        if type(reply) is _Wait:
            self.park(session, reply)
        else:
            self._deliver(session, reply)

    def unblock(self, session: Session, with_error: bool) -> bool:
        """CLIENT UNBLOCK: ends a wait as by its timeout or with an error; False if the session does not wait."""
        if session.wait is None:
            return False
        self.resume(session, CommandError(UNBLOCKED) if with_error else session.wait.timeout_reply)
        return True

    def end_due(self, now_us: int) -> None:
        """Ends the waits whose time is up, and retries those that asked to be asked again by now."""
        while self._deadlines and (self._deadlines[0][0] <= now_us or self._deadlines[0][2].done):
            moment_us, _, wait = heapq.heappop(self._deadlines)
            if wait.done or moment_us != wait.armed_us:
                continue
            if wait.deadline_us and wait.deadline_us <= now_us:
                self.resume(wait.session, wait.timeout_reply)
                continue
            wait.armed_us = 0
            reply = self._retry(wait)
            if reply is NOT_READY:
                self._arm(wait)
            else:
                self.resume(wait.session, reply)

    def next_us(self) -> int:
        """When `end_due` has something to do again, on the monotonic clock; 0 for never."""
        while self._deadlines and self._deadlines[0][2].done:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else 0

    def _arm(self, wait: Wait) -> None:
        """Puts a wait in line for its deadline, or for the moment before that at which it wants to be asked again."""
        moment_us = wait.moment_us()
        if moment_us and moment_us != wait.armed_us:
            self._deadline_number += 1
            heapq.heappush(self._deadlines, (moment_us, self._deadline_number, wait))
            if self._deadlines[0][2] is wait:
                self._space.sooner = True
        wait.armed_us = moment_us

    def _served(self, database: Database, key: bytes) -> list[tuple[Wait, Any]]:
        """The waits that the present state of a key can end, first come first served, with their replies."""
        served = []
        present = database.find(key) is not None
        for wait in database.waiting.get(key, ()):
            if present or wait.on_removal:
                reply = self._retry(wait)
                if reply is not NOT_READY:
                    served.append((wait, reply))
                    present = database.find(key) is not None
                elif wait.wake_us is not None:
                    self._arm(wait)
        return served

    def _retry(self, wait: Wait) -> Any:
        engine, session = self._engine, wait.session
        before = engine.tracking.begin(session)
        session.context.recorded = False
        session.running = True
        try:
            return wait.retry()
        except CommandError as error:
            engine.count_error(error)
            return error
        except Exception:
            return self._unexpected("A wait")
        finally:
            engine.tracking.end(before)
            session.running = False
            if self._space.records:
                engine.commit()

    def _deliver(self, session: Session, reply: Any) -> None:
        if session.tracker is not None:
            session.tracker.ended(None, session.in_multi)
        session.deliver(NO_REPLY if session.muted() else reply)
        if session.late:
            session.with_late(PARKED)

    # Long commands

    def first_slice(self, session: Session, slices: Any) -> Any:
        """Starts a long command; if one slice is not enough, the session is parked and housekeeping goes on with it."""
        if isinstance(slices, CommandError):
            return slices
        done, reply = self._next_slice(session, slices)
        if done:
            return reply
        session.slices = slices
        self._sliced.append((session, slices))
        self._space.sooner = True
        return PARKED

    def go_on(self, in_time: Callable[[], bool]) -> bool:
        """Lets each long command go on in turn; True when none is left."""
        while self._sliced and in_time():
            session, slices = self._sliced.popleft()
            if session.slices is not slices:
                continue
            done, reply = self._next_slice(session, slices)
            if done:
                session.slices = None
                self._deliver(session, reply)
            else:
                self._sliced.append((session, slices))
        return not self._sliced

    def _next_slice(self, session: Session, slices: Generator[None, None, Any]) -> tuple[bool, Any]:
        """Whether this slice was the last one, and then the reply."""
        engine = self._engine
        before = engine.tracking.begin(session)
        session.context.recorded = False
        try:
            next(slices)
        except StopIteration as end:
            return True, end.value
        except CommandError as error:
            engine.count_error(error)
            return True, error
        except Exception:
            return True, self._unexpected("A slice of a command")
        finally:
            engine.tracking.end(before)
            if self._space.records:
                engine.commit()
        return False, None

    def _unexpected(self, what: str) -> CommandError:
        """The answer to a session whose command failed in the midst of other work, which has to go on."""
        log.exception("%s failed in an unexpected way", what)
        self._engine.unexpected_errors += 1
        return CommandError(INTERNAL)
