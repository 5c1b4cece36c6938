"""What the loop has to do next: the lists in which connections enter themselves, and the mail of other threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alcove.engine.config import Config
from alcove.engine.config_kinds import BufferLimit
from alcove.engine.monitors import output_limit
from alcove.engine.session import MONITOR
from alcove.engine.slowlog import NEVER
from alcove.protocol.output import OutputBuffer
from alcove.protocol.writer import ReplyWriter

if TYPE_CHECKING:
    from alcove.server.connection import Connection

# Without a hard limit for its class, a client that reads no replies gets no further ones above this.
PAUSE_BYTES = 64 * 1024 * 1024
# A reply of this size takes time to write.
LONG_REPLY_BYTES = 64 * 1024
# What an object in the mail takes beside its bytes.
OBJECT_BYTES = 64


class Agenda:
    """Belongs to the loop's thread, but for `post`."""

    def __init__(self, config: Config, wake: Callable[[], None]) -> None:
        # The thread that runs the loop; 0 while none does, and then nothing is handed over.
        self.thread = 0
        self.wake = wake
        # Connections: with commands that can run, with replies to send, and to be closed. Each stands in a list once.
        self.ready: list[Connection] = []
        self.unsent: list[Connection] = []
        self.leaving: list[Connection] = []
        # Connections that have only messages to send, which wait when others have replies. Each stands here once.
        self.pushed: deque[Connection] = deque()
        # What other threads want to have done, in the order in which they held the engine's lock.
        self.mail: deque[tuple[Callable[[Any], None], Any]] = deque()
        # Microseconds on the monotonic clock, of this turn.
        self.now_us = 0
        self.stopping = False
        # The message that was encoded last, and its bytes on RESP2 and RESP3, as far as somebody wanted them.
        self._message: object = None
        self._resp2: bytes | None = None
        self._resp3: bytes | None = None
        self._writer = ReplyWriter(OutputBuffer())
        # For INFO.
        self.input_bytes = 0
        self.output_bytes = 0
        self.limits_changed(config)

    def limits_changed(self, config: Config) -> None:
        """Copies of settings that are compared with for every reply, kept where reading is cheap."""
        limits = config.client_output_buffer_limit
        self.normal_limit: BufferLimit = limits.normal
        self.pubsub_limit: BufferLimit = limits.pubsub
        self.monitor_limit = output_limit(MONITOR, limits)
        sizes = [self.normal_limit[:2], self.pubsub_limit[:2], self.monitor_limit[:2]]
        # Shorter output than this breaks no limit.
        self.least_limit = min(size for pair in sizes for size in pair if size)
        # Commands of such sizes are looked at; a reply of this size also takes time to write.
        large_request, large_reply = config.commandlog_request_larger_than, config.commandlog_reply_larger_than
        self.large_request = large_request if large_request >= 0 else NEVER
        self.long_reply = min(large_reply, LONG_REPLY_BYTES) if large_reply >= 0 else LONG_REPLY_BYTES
        self.query_limit = config.client_query_buffer_limit
        self.max_bulk = config.proto_max_bulk_len

    def encoded(self, message: object, protocol: int) -> bytes:
        """The bytes of a message, made once on each protocol however many connections are to have it in a row."""
        if message is not self._message:
            self._message = message
            self._resp2 = self._resp3 = None
        if protocol == 3:
            if self._resp3 is None:
                self._resp3 = self._encode(message, 3)
            return self._resp3
        if self._resp2 is None:
            self._resp2 = self._encode(message, 2)
        return self._resp2

    def _encode(self, message: object, protocol: int) -> bytes:
        writer = self._writer
        writer.protocol = protocol
        writer.write(message)
        return writer.out.take(len(writer.out))

    def forget_message(self) -> None:
        """At the end of a turn: the message may be large, and the next one is another."""
        self._message = self._resp2 = self._resp3 = None

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        """Has the loop call `function(argument)` under the engine's lock. From any thread."""
        self.mail.append((function, argument))
        self.wake()


def weight(message: object) -> int:
    """About how many bytes a message takes that waits in the mail."""
    if isinstance(message, bytes):
        return OBJECT_BYTES + len(message)
    if isinstance(message, list | tuple):
        return OBJECT_BYTES + sum(map(weight, message))
    return OBJECT_BYTES
