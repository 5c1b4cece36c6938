"""What all patterns stand on: a client, names for keys, a codec, and the sending of commands and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.core.errors import OutcomeUnknown
from alcove.patterns.core.keys import Keys
from alcove.patterns.core.scripts import Lanes, Script, Word
from alcove.patterns.core.waiting import longest_wait

# Replies' texts are bytes, whatever the client does.
UNDECODED = {NEVER_DECODE: True}


class Pattern:
    """A pattern over a client.

    `client` is a redis-py client of any kind, with `decode_responses` or without. `namespace` comes before all of the
    pattern's keys: programs that share a server are kept apart by it.
    """

    def __init__(self, client: Redis, *, namespace: str = "") -> None:
        self.client = client
        self.keys = Keys(namespace)
        self._lanes = Lanes()

    async def _command(self, *words: Word, **options: Any) -> Any:
        """The reply to a command, its texts as bytes whatever the client does."""
        options[NEVER_DECODE] = True
        return await self.client.execute_command(*words, **options)  # type: ignore[no-untyped-call]

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """What a script answers, in one trip, or two for the first time on a server.

        A script that is applied once wants its hash of calls as the last of `keys`. Raises `OutcomeUnknown` when the
        connection was lost and nobody knows whether it was applied.
        """
        lane = self._lanes.take() if script.once else None
        words = args if lane is None else (*args, *lane.words)
        # Not by `_command`: every operation comes this way, and each call on it takes its time.
        send = self.client.execute_command
        try:
            try:
                answer = await send("EVALSHA", script.sha, b"%d" % len(keys), *keys, *words, **UNDECODED)  # type: ignore[no-untyped-call]
            except NoScriptError:
                answer = await self._command(*script.by_text(keys, words))
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise OutcomeUnknown(f"the connection was lost during {script.name}: {error}") from error
        if lane is not None:
            self._lanes.give_back(lane)
        return answer

    def _longest_wait(self) -> float:
        """For how many seconds a command may block before the client takes the connection for dead."""
        return longest_wait(self.client)
