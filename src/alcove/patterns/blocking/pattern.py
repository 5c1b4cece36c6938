# Derived from alcove/patterns/asyncio/pattern.py by derive_blocking.py: change it there.
"""What all patterns stand on: a client, names for keys, a codec, and the sending of commands and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.core.errors import OutcomeUnknown
from alcove.patterns.core.keys import Keys
from alcove.patterns.core.scripts import Lanes, Script, Word
from alcove.patterns.core.waiting import longest_wait


class Pattern:
    """A pattern over a client.

    `client` is a redis-py client of any kind, with `decode_responses` or without. `namespace` comes before all of the
    pattern's keys: programs that share a server are kept apart by it.
    """

    def __init__(self, client: Redis, *, namespace: str = "") -> None:
        self.client = client
        self.keys = Keys(namespace)
        self._lanes = Lanes()

    def _command(self, *words: Word, **options: Any) -> Any:
        """The reply to a command, its texts as bytes whatever the client does."""
        options[NEVER_DECODE] = True
        return self.client.execute_command(*words, **options)  # type: ignore[no-untyped-call]

    def _run(self, script: Script, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """What a script answers, in one trip, or two for the first time on a server.

        A script that is applied once wants its hash of calls as the last of `keys`. Raises `OutcomeUnknown` when the
        connection was lost and nobody knows whether it was applied.
        """
        try:
            if not script.once:
                return self._sent(script, keys, args)
            with self._lanes.call() as (lane, number):
                return self._sent(script, keys, (*args, lane, number))
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise OutcomeUnknown(f"the connection was lost during {script.name}: {error}") from error

    def _sent(self, script: Script, keys: Sequence[str], args: Sequence[Word]) -> Any:
        try:
            return self._command(*script.by_sha(keys, args))
        except NoScriptError:
            return self._command(*script.by_text(keys, args))

    def _longest_wait(self) -> float:
        """For how many seconds a command may block before the client takes the connection for dead."""
        return longest_wait(self.client)
