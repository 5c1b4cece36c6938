"""Takes an object out of the garbage collector's sight; this plain twin leaves it where it is.

The containers of the compiled build own only bytes, numbers and other untracked objects, so no cycle can pass
through them; a million of them in the collector's lists would make a full collection stop the process.
"""

from __future__ import annotations


def untrack(owner: object) -> None:
    """Called at the end of `__init__` by classes whose instances can be as many as there are keys."""
