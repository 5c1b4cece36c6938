"""Lua scripts: one atomic step each, with declared keys, sent by digest; and those that are applied only once.

redis-py sends a command again when the connection breaks or times out before the answer came, and by then the server
may have applied it. A script made with `once=True` is safe from that. The caller gives each call a lane and a number
(`Lanes`). Per object, in the hash `calls`, the server keeps what the last call in each lane answered: a repeated
number gets that answer, and nothing is applied again. So what is kept is bounded by how many calls are under way at a
time, not by how many there were. NFS 4.1 does it in this way (RFC 8881, section 2.10.6).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from itertools import count

Word = str | bytes | int | float


@cache
def lua(name: str) -> str:
    """The text of `lua/<name>.lua`."""
    return files("alcove.patterns").joinpath("lua", *f"{name}.lua".split("/")).read_text("utf-8")


class Script:
    """A script from `lua/<name>.lua`, with `lua/common.lua` and those that `with_` names before it.

    The body sees KEYS and ARGV as ever, and `now()`, the server's time in milliseconds, which stands still in it. One
    that is applied `once` gets a last key, `calls`, and two last arguments; its body does not see them. It checks
    everything before it changes anything, and answers with what it would say again.
    """

    __slots__ = ("name", "once", "sha", "text")

    def __init__(self, name: str, *, once: bool = False, with_: Iterable[str] = ()) -> None:
        self.name = name
        self.once = once
        body = "\n".join(map(lua, (*with_, name)))
        if once:
            body = lua("once").replace("--BODY--\n", body)
        self.text = lua("common") + body
        # As it is sent: clients take longer for texts.
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest().encode()

    def by_text(self, keys: Sequence[str], args: Sequence[Word]) -> tuple[Word, ...]:
        return ("EVAL", self.text, len(keys), *keys, *args)

    def __repr__(self) -> str:
        return f"Script({self.name!r})"


def words_of(whole: bytes | list[bytes]) -> list[bytes]:
    """The texts that a script has made one of, by `lua/whole.lua`."""
    return whole.split(b"\n") if isinstance(whole, bytes) else whole


class Lane:
    """What the server knows a row of calls by, and the number of the last one."""

    __slots__ = ("name", "number")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.number = 0

    @property
    def words(self) -> tuple[bytes, bytes]:
        """What a script is told last."""
        return self.name, b"%d" % self.number


class Lanes:
    """Gives each call under way a lane of its own, and the calls in a lane ascending numbers.

    Who was answered gives his lane back. One whose call was not answered, be it cancelled or given up, is not used
    again: the call may still arrive.
    """

    __slots__ = ("_free", "_name", "_opened", "_process")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._name = secrets.token_urlsafe(9).encode()
        self._opened = count()
        self._free: list[Lane] = []

    def take(self) -> Lane:
        """A lane, with the number of the next call."""
        if os.getpid() != self._process:
            # A fork must not go on with its parent's numbers.
            self._begin()
        # Taken, opened and given back by single steps of C, so that threads need no lock.
        try:
            lane = self._free.pop()
        except IndexError:
            lane = Lane(b"%b%d" % (self._name, next(self._opened)))
        lane.number += 1
        return lane

    def give_back(self, lane: Lane) -> None:
        """The call in a lane was answered."""
        self._free.append(lane)
