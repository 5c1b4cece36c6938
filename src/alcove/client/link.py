"""What an in-process connection has in place of a socket: a session of the engine, and an inbox of its replies.

Commands go in as argument lists and run at once, in the thread that sends them, unless the session waits for the
reply of an earlier one; then they stand behind it, and run when that reply is read. Replies and messages come into
the inbox in the engine's order, from whatever thread runs the engine then. Of messages that nobody reads the inbox
takes as much as `client-output-buffer-limit` allows a client of its class; then the connection is cut off.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from alcove.engine.blocking import PARKED
from alcove.engine.engine import Engine, EngineClosed
from alcove.engine.monitors import output_limit
from alcove.engine.services import Journal
from alcove.engine.session import do_nothing, ignore
from alcove.errors import CommandError
from alcove.protocol.reader import ProtocolError, RequestReader
from alcove.values import NO_REPLY, Replies

# A reply or message, the protocol it was given on, and the size of a message. The value None stands for the
# connection's end, NO_REPLY for one that is not to be seen.
Item: TypeAlias = tuple[Any, int, int]
END: Item = (None, 0, 0)
# What a message takes besides its bytes, about.
MESSAGE_BYTES = 64

log = logging.getLogger(__name__)


class Link(ABC):
    """One end of an in-process connection; the subclasses say how its replies are waited for."""

    # Whether who sends waits for the disk, where replies have to; else who reads does.
    settles = True

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._backlog: deque[list[bytes]] = deque()
        self._packed: RequestReader | None = None
        # Of all messages so far. The one is written under the engine's lock and the other by the reader.
        self._pushed_bytes = 0
        self._read_bytes = 0
        # Since when there are more unread messages than the soft limit allows.
        self._over_soft_us = 0
        # The place in the journal behind what replies in the inbox tell of; 0 for none.
        self._owed = 0
        enter(engine)
        try:
            session = engine.connect("embedded")
        finally:
            engine.leave()
        self.session = session
        session.address = f"embedded:{session.id}"
        session.deliver = self.arrive
        session.push = self.push
        session.close = self._end
        session.buffers = self.buffers

    @property
    def closed(self) -> bool:
        return self.session.closing

    # Commands

    def sendall(self, command: list[bytes] | bytes) -> None:
        """Takes an argument list, or bytes of the protocol with any number of commands, whole or in parts."""
        commands = [command] if isinstance(command, list) else self._unpacked(command)
        engine = self.engine
        enter(engine)
        try:
            self.session.active_us = engine.clock.monotonic_us()
            for argv in commands:
                self._run(argv)
        finally:
            unsafe = engine.leave(self.settles)
        self._need(unsafe)

    def _need(self, unsafe: CommandError | None) -> None:
        """What was done is to be safe on disk. If it is not, no reply may say that it was done: that is the end."""
        if unsafe is not None:
            self.close()
            raise ResponseError(unsafe.text)

    def _run(self, argv: list[bytes]) -> None:
        session = self.session
        if session.closing:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        if self._backlog or session.blocked:
            self._backlog.append(argv)
        else:
            self._call(argv)

    def _call(self, argv: list[bytes]) -> None:
        reply = self.engine.call(self.session, argv)
        if reply is not NO_REPLY and reply is not PARKED:
            self.arrive(reply)
        if self.session.closing:
            self._end()

    def _unpacked(self, data: bytes) -> list[list[bytes]]:
        """The commands that are whole with these bytes."""
        reader = self._packed = self._packed or RequestReader()
        reader.feed(bytes(data))
        commands = []
        try:
            while (argv := reader.next()) is not None:
                commands.append(argv)
        except ProtocolError as error:
            raise RedisConnectionError(str(error)) from error
        return commands

    def _catch_up(self) -> bool:
        """Runs what stood behind a reply that has come; False when there was nothing to run."""
        if not self._backlog:
            return False
        engine = self.engine
        ran = False
        enter(engine)
        try:
            while self._backlog and not self.session.blocked and not self.session.closing:
                ran = True
                self._call(self._backlog.popleft())
        finally:
            unsafe = engine.leave(self.settles)
        self._need(unsafe)
        return ran

    # Replies

    def arrive(self, reply: Any) -> None:
        """Puts a reply into the inbox. Any thread; the engine's lock is held."""
        if type(reply) is Replies:
            for each in reply:
                self.arrive(each)
        else:
            journal = self.engine.journal
            if journal is not None and journal.pending:
                self._owed = journal.position
            self._put((reply, self.session.protocol, 0))

    def push(self, message: Any) -> None:
        """Puts a message into the inbox, if there is room for it. Any thread; the engine's lock is held."""
        size = size_of(message)
        self._pushed_bytes += size
        if self._over_limit():
            self._cut_off()
        else:
            self._put((message, self.session.protocol, size))

    @property
    def unread_bytes(self) -> int:
        """The size of the messages in the inbox."""
        return self._pushed_bytes - self._read_bytes

    def _over_limit(self) -> bool:
        """Whether there are more unread messages than a client of its class may have, as on a server."""
        limits = self.engine.config.client_output_buffer_limit
        hard_bytes, soft_bytes, soft_seconds = output_limit(self.session.gate, limits)
        unread = self.unread_bytes
        if hard_bytes and unread >= hard_bytes:
            return True
        if not soft_bytes or unread < soft_bytes:
            self._over_soft_us = 0
            return False
        now_us = self.engine.clock.monotonic_us()
        self._over_soft_us = self._over_soft_us or now_us
        return now_us - self._over_soft_us > soft_seconds * 1_000_000

    def _cut_off(self) -> None:
        """Ends the connection of a reader that does not read. What it has not read is gone, as on a server."""
        log.warning("Client %s closed for overcoming of output buffer limits.", self.session.address)
        self._fall_silent()
        # Not now: whoever sends the message is walking through those who listen.
        self.engine.depart(self.session)
        self._drop()
        self._put(END)

    def buffers(self) -> dict[str, int]:
        """What CLIENT LIST shows of the connection, in its words."""
        unread = self.unread_bytes
        return {"omem": unread, "tot-mem": unread}

    def _noted(self, item: Item) -> Item:
        """An item that the reader has taken."""
        self._read_bytes += item[2]
        return item

    def _take_debt(self) -> int:
        """Up to where the disk must have effects before a reply is read: 0 if there is nothing to wait for."""
        owed, self._owed = self._owed, 0
        return place_to_await(self.engine.journal, owed)

    @abstractmethod
    def _drop(self) -> None:
        """Empties the inbox. Any thread."""

    @abstractmethod
    def _put(self, item: Item) -> None:
        """Puts something into the inbox. Any thread."""

    def _gone(self) -> RedisConnectionError:
        """What a reader gets when there is nothing more to come."""
        return RedisConnectionError(self.engine.closed or SERVER_CLOSED_CONNECTION_ERROR)

    # The end

    def close(self) -> None:
        """Ends the connection from this side. It never waits, so that a finalizer may do it, in any thread."""
        if not self.session.closing:
            self._fall_silent()
            self.engine.depart(self.session)
            self._put(END)

    def _end(self) -> None:
        """Ends the connection from the engine's side, or because the session did not wait. The lock is held."""
        self._fall_silent()
        self.engine.disconnect(self.session)
        self._put(END)

    def _fall_silent(self) -> None:
        session = self.session
        session.closing = True
        session.deliver = session.push = ignore
        session.close = do_nothing
        session.buffers = dict
        self._backlog.clear()

    def _give_up(self) -> bool:
        """Takes back what the session waits for; False if the reply has come meanwhile.

        Both are decided under the lock, so that no element is popped for a reader that has left.
        """
        engine = self.engine
        try:
            engine.enter()
        except EngineClosed:
            return True
        try:
            if not self.session.blocked:
                return False
            self._end()
            return True
        finally:
            engine.leave()


class SyncLink(Link):
    """The link of a connection whose reader is a thread."""

    def __init__(self, engine: Engine) -> None:
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        # What was taken from the inbox only to see that there is something.
        self._next: Item | None = None
        super().__init__(engine)

    def _put(self, item: Item) -> None:
        self._inbox.put(item)

    def _drop(self) -> None:
        while self._poll() is not None:
            pass

    def shutdown(self, how: int) -> None:
        """What redis-py calls before `close`."""
        self.close()

    def has_reply(self, timeout: float | None) -> bool:
        """Whether there is something to read, waiting up to `timeout` seconds for it."""
        if self._next is None:
            self._next = self._take(timeout)
        return self._next is not None

    def receive(self, timeout: float | None, give_up: bool) -> Item | None:
        """The next reply or message; None when there is none in `timeout` seconds, or ever without them.

        With `give_up` the connection then ends if the session still waits, and what it waited for is not taken.
        """
        item, self._next = self._next or self._take(timeout), None
        if item is None and give_up and self.session.blocked and not self._give_up():
            item = self._take(0)
        position = self._take_debt()
        if item is not None and position:
            # Another thread has brought it, which may be waiting for the disk itself.
            unsafe = self.engine.await_disk(position)
            if unsafe is not None and not item[2]:
                raise ResponseError(unsafe.text)
        return item

    def _take(self, timeout: float | None) -> Item | None:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            item = self._poll()
            if item is None:
                if self._catch_up():
                    continue
                item = self._wait(until)
                if item is None:
                    return None
            if item is END:
                # For whoever reads after this.
                self._inbox.put(END)
                raise self._gone()
            if item[0] is not NO_REPLY:
                return self._noted(item)

    def _poll(self) -> Item | None:
        try:
            return self._inbox.get_nowait()
        except Empty:
            return None

    def _wait(self, until: float | None) -> Item | None:
        if until is None:
            return self._inbox.get()
        try:
            return self._inbox.get(timeout=max(until - time.monotonic(), 0))
        except Empty:
            return None


class AsyncLink(Link):
    """The link of a connection whose reader is a task."""

    settles = False

    def __init__(self, engine: Engine) -> None:
        self._inbox: deque[Item] = deque()
        # What the reader waits for, and the thread of its loop.
        self._waiter: asyncio.Future[None] | None = None
        self._thread = 0
        super().__init__(engine)

    def _put(self, item: Item) -> None:
        self._inbox.append(item)
        waiter = self._waiter
        if waiter is None:
            return
        if threading.get_ident() == self._thread:
            wake(waiter)
            return
        try:
            waiter.get_loop().call_soon_threadsafe(wake, waiter)
        except RuntimeError:
            # The loop is closed, and the reader gone with it.
            self._waiter = None

    def _drop(self) -> None:
        self._inbox.clear()

    def writelines(self, commands: list[list[bytes] | bytes]) -> None:
        for command in commands:
            self.sendall(command)

    async def wait_closed(self) -> None:
        """Closing is done at once."""

    def has_reply(self) -> bool:
        """Whether a read would not wait."""
        return bool(self._inbox)

    async def receive(self) -> Item:
        """The next reply or message.

        When the task is cancelled the session waits no longer. If its reply has come at that very moment, an element
        may have been popped for it: then the reply is returned, and the cancellation strikes where the task waits
        next.
        """
        while True:
            while (item := self._poll()) is not None:
                if item is END:
                    self._inbox.append(END)
                    raise self._gone()
                if item[0] is not NO_REPLY:
                    self._noted(item)
                    await safe_on_disk(self.engine, self._take_debt())
                    return item
            if not self._catch_up():
                await self._wait()

    def _poll(self) -> Item | None:
        try:
            return self._inbox.popleft()
        except IndexError:
            return None

    async def _wait(self) -> None:
        blocked = self.session.blocked
        self._thread = threading.get_ident()
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            # Another thread may have put something there before it could see the waiter.
            if not self._inbox:
                await waiter
        except asyncio.CancelledError:
            if not blocked or self._give_up():
                raise
            cancel_later()
        finally:
            self._waiter = None


def size_of(message: Any) -> int:
    """What a message takes in memory, about: what it says, if it is a list the elements of that."""
    if isinstance(message, bytes):
        return len(message) + MESSAGE_BYTES
    return MESSAGE_BYTES + sum(len(element) for element in message if isinstance(element, bytes))


def place_to_await(journal: Journal | None, owed: int) -> int:
    """Up to where the disk must have effects before a reply is given that tells of those up to `owed`; 0 if it has.

    Under `appendfsync always` others' effects count too, which the reply may tell of, unless the disk is known to fail:
    what there is can be read then.
    """
    if journal is None or not (journal.always or journal.held):
        return 0
    if not journal.always:
        return owed if owed > journal.appended else 0
    position = owed if journal.trouble is not None else journal.position
    return position if position > journal.synced else 0


async def safe_on_disk(engine: Engine, position: int) -> None:
    """Waits, without holding up the event loop, for what `place_to_await` has answered.

    Raises ResponseError if the disk does not get it. A cancellation that comes meanwhile strikes at the next wait: the
    reply is there.
    """
    if not position:
        return
    waiting = asyncio.get_running_loop().run_in_executor(None, engine.await_disk, position)
    try:
        unsafe = await asyncio.shield(waiting)
    except asyncio.CancelledError:
        cancel_later()
        unsafe = await waiting
    if unsafe is not None:
        raise ResponseError(unsafe.text)


def wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def cancel_later() -> None:
    """For a task that catches its cancellation because it holds what must not be lost: lets it strike at the next wait.

    Unless it is taken back by then. `asyncio.timeout` takes it back when its block ends: the result was in time.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().call_soon(repeat_cancellation, task)


def repeat_cancellation(task: asyncio.Task[Any]) -> None:
    if task.cancelling() and not task.done():
        # The count of requests stays what it was: those who made them expect it.
        task.uncancel()
        task.cancel()


def enter(engine: Engine) -> None:
    """`engine.enter`, with the error that users of redis-py expect."""
    try:
        engine.enter()
    except EngineClosed as error:
        raise RedisConnectionError(str(error)) from None
