"""Fenced writes to Redis itself: a key takes no command from a holder when a later one has been there."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from alcove.patterns.asyncio.pattern import Pattern
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.locks import FENCED, MOST_ARGUMENTS, StaleFence
from alcove.patterns.core.scripts import Word


class FencedKeys(Pattern):
    """Writes keys on behalf of lock holders, and refuses those that have been overtaken.

        >>> import alcove.asyncio
        >>> client = alcove.asyncio.open()
        >>> report = FencedKeys(client)
        >>> await report.execute(7, "SET", "report", "by the holder with fence 7")
        b'OK'
        >>> await report.execute(6, "SET", "report", "late")
        Traceback (most recent call last):
        alcove.patterns.core.locks.StaleFence: fence 6 is stale: the holder with 7 has been here

    A key's last fence is kept beside it, in `<key>:fence` with the key's hash tag, for a week after the last write.
    The check and the command are one step. It is applied once, though it be sent again after a lost connection. When it
    raises `OutcomeUnknown`, it may be tried again if the command may.
    """

    async def execute(self, fence: int, command: str, key: str, *args: Word) -> Any:
        """A command on one key, which stands first: "SET", "HSET", "INCRBY", "XADD", ... Answers as scripts do.

        Texts are bytes. Raises `StaleFence`, and then nothing was written.
        """
        if isinstance(fence, bool) or not isinstance(fence, int) or fence < 1:
            raise InvalidArgument(f"a fence is a whole number above 0, not {fence!r}")
        if not key or len(args) > MOST_ARGUMENTS:
            raise InvalidArgument(f"a fenced command has a key and at most {MOST_ARGUMENTS} arguments behind it")
        beside = beside_of(key)
        try:
            return await self._run(FENCED, [key, f"{beside}:fence", f"{beside}:calls"], [fence, command, *args])
        except ResponseError as error:
            if str(error).startswith("FENCED "):
                raise StaleFence(fence, int(str(error).split()[1])) from None
            raise


def beside_of(key: str) -> str:
    """What the names of keys begin with that are on the same node of a cluster as `key`."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    if opened and closed and tag:
        return key
    if "{" in key or "}" in key:
        raise InvalidArgument(f"a fenced key with braces has a hash tag, unlike {key!r}")
    return f"{{{key}}}"
