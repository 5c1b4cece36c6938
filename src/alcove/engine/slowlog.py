"""The command logs: the last commands that took long, were large or were answered at length, with shortened arguments.

Long is what takes more than `slowlog-log-slower-than` microseconds; `commandlog-request-larger-than` and
`commandlog-reply-larger-than` are bytes as they go over a network, so commands in the process are never large.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from alcove.engine.config import Config
from alcove.engine.declaration import SKIP_SLOWLOG, Registry
from alcove.engine.redaction import redacted
from alcove.engine.session import Session

# Of a longer command so many arguments are kept, the last of them saying how many more there were.
MOST_ARGUMENTS: Final = 32
# Of a longer argument so many bytes are kept.
MOST_BYTES: Final = 128
# What no command takes.
NEVER: Final = 2**62


class Entry(NamedTuple):
    """One command; `cost` is what it is here for, microseconds or bytes."""

    id: int
    time_s: int
    cost: int
    argv: list[bytes]
    address: str
    name: bytes


class CommandLog:
    """Commands of one kind, newest first, as many as a directive allows."""

    def __init__(self, longest: Callable[[], int], least: Callable[[], int]) -> None:
        """`longest` answers how many entries are kept, `least` what a command must cost to be logged, -1 for none."""
        self._longest = longest
        self._least = least
        self._next_id = 0
        self.entries: deque[Entry] = deque()

    @property
    def threshold(self) -> int:
        """What a command must cost to be logged."""
        least = self._least()
        return NEVER if least < 0 or self._longest() == 0 else least

    def add(self, now_us: int, session: Session, argv: list[bytes], cost: int) -> None:
        """Logs a command that `session`, or a script that it runs, has given."""
        client = session.caller or session
        entry = Entry(self._next_id, now_us // 1_000_000, cost, shortened(argv), client.address, client.name)
        self._next_id += 1
        self.entries.appendleft(entry)
        while len(self.entries) > self._longest():
            self.entries.pop()


class SlowLog(CommandLog):
    """The slow commands of one engine, and beside them the logs of the large ones."""

    def __init__(self, config: Config) -> None:
        super().__init__(lambda: config.slowlog_max_len, lambda: config.slowlog_log_slower_than)
        self.requests = CommandLog(
            lambda: config.commandlog_large_request_max_len, lambda: config.commandlog_request_larger_than
        )
        self.replies = CommandLog(
            lambda: config.commandlog_large_reply_max_len, lambda: config.commandlog_reply_larger_than
        )


def note_large(
    log: CommandLog, registry: Registry, now_us: int, session: Session, argv: list[bytes], size: int
) -> None:
    """Logs a command whose request or reply has `size` bytes, if that is large and the command may be shown."""
    if size < log.threshold:
        return
    command = registry.find(argv[0])
    if command is not None and command.subcommands is not None and len(argv) > 1:
        command = command.find(argv[1])
    if command is not None and not command.flags & SKIP_SLOWLOG:
        log.add(now_us, session, redacted(command.name, argv), size)


def request_bytes(argv: list[bytes]) -> int:
    """How many bytes a command has on the network, as redis-py and others send it."""
    return len(b"*%d\r\n" % len(argv)) + sum(len(b"$%d\r\n\r\n" % len(word)) + len(word) for word in argv)


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
