"""Runs commands of several clients that subscribe and publish, and compares what every client gets after each."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from alcove.engine.engine import Engine
from alcove.engine.session import IN_MULTI, MUTED, SUBSCRIBER
from alcove.errors import CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY, Push
from tests.comparison.machine import Difference, equal
from tests.comparison.servers import RealServer, Wire, packed

CLIENTS = 4
CHANNELS = [b"a", b"b", b"ab", b"abc", b"", b"a\r\nb", b"*"]
PATTERNS = [b"*", b"a*", b"?", b"[ab]", b"a?c", b"\\*", b"*b*", b"", b"[^a]*", b"a[b", b"*\n*"]
MESSAGES = [b"", b"m", b"x" * 100, b"\0\r\n\xff"]
MARK = [b"PING", b"the end"]

# Which client says what.
Step = tuple[int, list[bytes]]


class Theirs(Wire):
    """A connection to the real server."""

    def send(self, argv: list[bytes]) -> None:
        self._socket.sendall(packed(argv))

    def take(self, count: int) -> list[Any]:
        return [self._next() for _ in range(count)]


class Ours:
    """A connection to an engine, with the bytes on its way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._out = OutputBuffer()
        self._writer = ReplyWriter(self._out)
        self._reader = ReplyReader()
        self.session = engine.connect("unix")
        self.session.push = self._write

    def _write(self, value: Any) -> None:
        self._writer.protocol = self.session.protocol
        self._writer.write(value)

    def send(self, argv: list[bytes]) -> None:
        self._write(self._engine.execute(self.session, argv))

    def take_all(self) -> list[Any]:
        self._reader.feed(self._out.take(len(self._out)))
        return [*iter(self._reader.next, NO_REPLY)]


@dataclass
class Subscribers:
    """The comparison with one server: four clients, two of which begin on RESP3."""

    server: RealServer
    ran: Counter[bytes] = field(default_factory=Counter)
    messages: int = 0

    def run(self, chance: random.Random, length: int) -> None:
        with ExitStack() as opened:
            theirs = [opened.enter_context(closing(Theirs(self.server.path))) for _ in range(CLIENTS)]
            engine = Engine()
            ours = [Ours(engine) for _ in range(CLIENTS)]
            story: list[Step] = []
            try:
                for client in range(CLIENTS):
                    protocol = [b"HELLO", b"%d" % (2 + client % 2)]
                    self._both(theirs[client], ours[client], protocol)
                    theirs[client].take(len(ours[client].take_all()))
                for _ in range(length):
                    client = chance.randrange(CLIENTS)
                    argv = self._chosen(chance, ours[client])
                    story.append((client, argv))
                    self._step(client, argv, theirs, ours)
                self._finish(theirs, ours)
            except (Difference, TimeoutError) as difference:
                told = "\n".join(f"{client}: {b' '.join(argv)!r}" for client, argv in story[-40:])
                raise Difference(f"after\n{told}\n{difference}", None, None) from difference

    def _both(self, theirs: Theirs, ours: Ours, argv: list[bytes]) -> None:
        theirs.send(argv)
        ours.send(argv)

    def _chosen(self, chance: random.Random, ours: Ours) -> list[bytes]:
        """A command that both servers answer alike, whatever the client's state."""
        gate = ours.session.gate
        while True:
            argv = generate(chance)
            name = argv[0]
            if gate & IN_MULTI and (name in NOT_IN_MULTI or (self.server.kind == "redis" and name in PUBLISHING)):
                # In a transaction the older server has messages before the replies; and has nested replies counted.
                continue
            if name == b"MULTI" and gate & MUTED:
                continue
            if name in LEAVING and self.server.kind == "valkey" and (gate & IN_MULTI or not gate & SUBSCRIBER):
                # Valkey 8.0 refuses that; Redis, and Valkey again later, do not.
                continue
            return argv

    def _step(self, client: int, argv: list[bytes], theirs: list[Theirs], ours: list[Ours]) -> None:
        """Runs a command on both sides, and compares what each client gets of it."""
        self._both(theirs[client], ours[client], argv)
        self.ran[argv[0]] += 1
        for other in range(CLIENTS):
            mine = ours[other].take_all()
            self.messages += sum(map(is_message, mine))
            got = theirs[other].take(len(mine))
            if argv[0] == b"HELLO" and mine and not isinstance(mine[0], CommandError):
                # Who the servers are, is theirs.
                continue
            if not self._same(argv, got, mine):
                raise Difference(f"client {other} after {client}: {argv!r}", got, mine)

    def _same(self, argv: list[bytes], theirs: list[Any], ours: list[Any]) -> bool:
        """Whether a client got the same: replies in order, messages that come at once in any order of patterns.

        A server from before Redis 7.2 lets a client's own messages overtake the reply.
        """
        if self.server.kind != "redis" and list(map(is_message, theirs)) != list(map(is_message, ours)):
            return False
        their_messages, our_messages = (sorted(map(repr, filter(is_message, side))) for side in (theirs, ours))
        if their_messages != our_messages:
            return False
        their_replies, our_replies = ([value for value in side if not is_message(value)] for side in (theirs, ours))
        if argv[0] in LEAVING and len(argv) == 1:
            their_replies, our_replies = without_order(their_replies), without_order(our_replies)
        ordered = argv[:2] not in ([b"PUBSUB", b"CHANNELS"], [b"PUBSUB", b"SHARDCHANNELS"])
        return len(their_replies) == len(our_replies) and all(
            equal(their, our, ordered) for their, our in zip(their_replies, our_replies, strict=True)
        )

    def _finish(self, theirs: list[Theirs], ours: list[Ours]) -> None:
        """Nobody gets anything more."""
        for their, our in zip(theirs, ours, strict=True):
            for argv in ([b"RESET"], MARK):
                self._both(their, our, argv)
            expected = our.take_all()
            got = their.take(len(expected))
            if not equal(got, expected):
                raise Difference("what is left at the end", got, expected)


def is_message(value: Any) -> bool:
    return isinstance(value, (list, Push)) and value[:1] in ([b"message"], [b"pmessage"], [b"smessage"])


def without_order(replies: list[Any]) -> list[Any]:
    """The answers to UNSUBSCRIBE from everything: in any order, but the counts go down."""
    if not all(isinstance(reply, list) for reply in replies):
        return replies
    return [sorted(map(repr, (reply[1] for reply in replies))), [(reply[0], reply[2]) for reply in replies]]


def generate(chance: random.Random) -> list[bytes]:
    name = chance.choices(NAMES, WEIGHTS)[0]
    return [name, *GENERATORS[name][1](chance)]


def channel(chance: random.Random) -> bytes:
    return chance.choice(CHANNELS)


def channels(chance: random.Random) -> list[bytes]:
    return chance.choices(CHANNELS, k=chance.choice([0, 1, 1, 1, 2, 3]))


def patterns(chance: random.Random) -> list[bytes]:
    return chance.choices(PATTERNS, k=chance.choice([0, 1, 1, 1, 2, 3]))


def publication(chance: random.Random) -> list[bytes]:
    return (
        chance.choice([[], [channel(chance)]]) if chance.random() < 0.02 else [channel(chance), chance.choice(MESSAGES)]
    )


def question(chance: random.Random) -> list[bytes]:
    word = chance.choice([b"CHANNELS", b"SHARDCHANNELS", b"NUMSUB", b"SHARDNUMSUB", b"NUMPAT", b"numpat", b"foo"])
    if word.endswith(b"CHANNELS"):
        return [word, *chance.choice([[], [chance.choice(PATTERNS)], [b"a", b"b"]])]
    return [word, *(channels(chance) if word.endswith(b"NUMSUB") else [])]


# How often a command comes, and its arguments.
GENERATORS: dict[bytes, tuple[int, Any]] = {
    b"SUBSCRIBE": (10, channels),
    b"PSUBSCRIBE": (10, patterns),
    b"SSUBSCRIBE": (6, channels),
    b"UNSUBSCRIBE": (5, channels),
    b"PUNSUBSCRIBE": (5, patterns),
    b"SUNSUBSCRIBE": (4, channels),
    b"PUBLISH": (30, publication),
    b"SPUBLISH": (10, publication),
    b"PUBSUB": (10, question),
    b"PING": (4, lambda chance: chance.choice([[], [b"hi"], [b"a", b"b"]])),
    b"ECHO": (2, lambda chance: [b"here"]),
    b"RESET": (1, lambda chance: []),
    b"HELLO": (2, lambda chance: [chance.choice([b"2", b"3", b"3", b"4"])]),
    b"CLIENT": (3, lambda chance: [b"REPLY", chance.choice([b"ON", b"ON", b"OFF", b"SKIP"])]),
    b"MULTI": (2, lambda chance: []),
    b"EXEC": (3, lambda chance: []),
    b"DISCARD": (1, lambda chance: []),
    b"NOSUCH": (1, channels),
}
NAMES = list(GENERATORS)
WEIGHTS = [weight for weight, _ in GENERATORS.values()]
LEAVING = {b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"}
PUBLISHING = {b"PUBLISH", b"SPUBLISH"}
# What only one of the servers refuses there, or what answers without order.
NOT_IN_MULTI = {b"MULTI", b"CLIENT", b"HELLO", b"PUBSUB", *LEAVING}
