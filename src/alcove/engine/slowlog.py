"""The slow log: the last commands that took longer than `slowlog-log-slower-than`, with shortened arguments."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from alcove.engine.config import Config
from alcove.engine.session import Session

# Of a longer command so many arguments are kept, the last of them saying how many more there were.
MOST_ARGUMENTS: Final = 32
# Of a longer argument so many bytes are kept.
MOST_BYTES: Final = 128
# What no command takes.
NEVER_US: Final = 2**62


class Entry(NamedTuple):
    """One slow command."""

    id: int
    time_s: int
    elapsed_us: int
    argv: list[bytes]
    address: str
    name: bytes


class SlowLog:
    """The entries of one engine, newest first."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._next_id = 0
        self.entries: deque[Entry] = deque()

    @property
    def threshold_us(self) -> int:
        """How long a command must take to be logged."""
        slower_than_us = self._config.slowlog_log_slower_than
        return NEVER_US if slower_than_us < 0 or self._config.slowlog_max_len == 0 else slower_than_us

    def add(self, now_us: int, session: Session, argv: list[bytes], elapsed_us: int) -> None:
        """Logs a command that `session`, or a script that it runs, has given."""
        client = session.caller or session
        entry = Entry(self._next_id, now_us // 1_000_000, elapsed_us, shortened(argv), client.address, client.name)
        self._next_id += 1
        self.entries.appendleft(entry)
        while len(self.entries) > self._config.slowlog_max_len:
            self.entries.pop()


def shortened(argv: list[bytes]) -> list[bytes]:
    """What is kept of a command's words."""
    kept = argv if len(argv) <= MOST_ARGUMENTS else argv[: MOST_ARGUMENTS - 1]
    words = [shortened_word(word) for word in kept]
    if len(kept) < len(argv):
        words.append(b"... (%d more arguments)" % (len(argv) - len(kept)))
    return words


def shortened_word(word: bytes) -> bytes:
    if len(word) <= MOST_BYTES:
        return word
    return b"%b... (%d more bytes)" % (word[:MOST_BYTES], len(word) - MOST_BYTES)
