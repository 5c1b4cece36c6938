"""The end of the program: engines that nobody has closed are closed then, if they would take a last snapshot."""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol


class Ended(Protocol):
    """Whoever has something to do at the end of the program."""

    def end_with_program(self) -> None:
        """Threads of pools are gone by now; others may still be at work."""


_ended: weakref.WeakSet[Ended] = weakref.WeakSet()


def remember(ended: Ended) -> None:
    """Has `ended.end_with_program` called, if there still is such an object then."""
    if not _ended:
        # Anew each time, for what was registered last is called first: before weakref's finalizers close the files.
        atexit.unregister(_end)
        atexit.register(_end)
    _ended.add(ended)


def _end() -> None:
    for ended in list(_ended):
        ended.end_with_program()
