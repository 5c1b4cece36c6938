"""The thread that keeps house for an engine in this process: it expires keys, ends waits, and frees what is removed.

There is one for an engine, from the moment when the engine first has something to do. It sleeps until the engine
wants it, which is never when nothing expires and nobody waits, and holds the engine only weakly: an engine that
nobody uses any more is collected, and its thread ends.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

from alcove.engine.engine import Engine, EngineClosed
from alcove.engine.session import do_nothing

# How long others may have the lock between two slices of work, and how close to each other deadlines are met.
_PAUSE_US = 200
_LEAST_REST_US = 1000
# The longest sleep before a deadline: by then the machine's clock may have been set.
_LONGEST_REST_US = 60_000_000
# How long it leaves an engine alone that failed in an unexpected way.
_AFTER_FAILURE_US = 1_000_000

_FORKED = "this engine was opened before fork(); open it again in the child"

log = logging.getLogger(__name__)

_kept: weakref.WeakSet[Engine] = weakref.WeakSet()
_keeping = threading.Lock()


def keep_house(engine: Engine) -> None:
    """Has an engine's housekeeping done from now on, whatever other front ends it has."""
    with _keeping:
        if engine in _kept:
            return
        _kept.add(engine)
        wake = Housekeeper(engine).wake
        others = engine.on_sooner
        engine.on_sooner = wake if others is do_nothing else both(others, wake)
    if engine.commands_processed:
        wake()


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call


def _after_fork() -> None:
    """A child process has the data, but none of the threads, and perhaps a lock that nobody will release."""
    global _keeping  # noqa: PLW0603
    _keeping = threading.Lock()
    for engine in list(_kept):
        engine.lock.renew()
        engine.closed = _FORKED


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Housekeeper:
    """One engine's housekeeping."""

    def __init__(self, engine: Engine) -> None:
        # What is waited for: a queue may be written by a finalizer, wherever that happens to run.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._engine = weakref.ref(engine, self._engine_gone)

    def wake(self) -> None:
        """Has the engine's `tick` called soon. Any thread, without the engine's lock."""
        if self._thread is None:
            self._start()
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def _engine_gone(self, engine: object) -> None:
        self._bell.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="alcove-housekeeping", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # The interpreter is shutting down, and the engine with it.
                    log.debug("No housekeeping any more", exc_info=True)
                    return
                self._thread = thread

    def _run(self) -> None:
        while (rest_us := self._turn()) is not None:
            self._rest(rest_us)

    def _turn(self) -> int | None:
        """One slice of work; after how many microseconds the next is due, -1 for never. None at the engine's end."""
        engine = self._engine()
        if engine is None:
            return None
        try:
            engine.enter()
        except EngineClosed:
            return None
        try:
            return engine.tick()
        except Exception:
            log.exception("Housekeeping failed in an unexpected way")
            engine.unexpected_errors += 1
            return _AFTER_FAILURE_US
        finally:
            engine.leave()

    def _rest(self, rest_us: int) -> None:
        if rest_us == 0:
            rest_us = _PAUSE_US
        elif rest_us > 0:
            rest_us = min(max(rest_us, _LEAST_REST_US), _LONGEST_REST_US)
        try:
            self._bell.get(timeout=None if rest_us < 0 else rest_us / 1_000_000)
        except Empty:
            # The time has come.
            return
        finally:
            self._rung = False
