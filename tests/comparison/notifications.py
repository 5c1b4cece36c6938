"""Runs commands of all families on a real server and on Alcove, and compares what each of them told others.

One connection runs the commands, and tracks the keys, all of which it reads before each command; another listens to
keyspace events, and to marks between which those of one command stand.
"""

from __future__ import annotations

import importlib
import random
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

from alcove.engine.blocking import PARKED
from alcove.engine.engine import Engine
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY, Push
from tests.comparison.machine import KEYS, Difference, Known
from tests.comparison.servers import RealServer, Wire, packed

NAMES = ["bitmap", "generic", "geo", "hash", "hyperloglog", "list", "set", "sort", "sorted_set", "stream", "string"]
FAMILIES = [importlib.import_module(f"tests.comparison.{name}") for name in NAMES]
# A command and its family, and the events before each mark.
Step: TypeAlias = tuple[ModuleType, list[bytes]]
Events: TypeAlias = dict[bytes, list[Push]]
WORKING = [
    [b"FLUSHALL"],
    [b"HELLO", b"3"],
    [b"CONFIG", b"SET", b"notify-keyspace-events", b"KEAmn"],
    [b"CLIENT", b"TRACKING", b"ON"],
]
LISTENING = [[b"HELLO", b"3"], [b"PSUBSCRIBE", b"__key*__:*"], [b"SUBSCRIBE", b"mark"]]
READING = [b"EXISTS", *KEYS]
# What ends a batch, with a mark outside of any transaction.
END = [b"DISCARD"], [b"PUBLISH", b"mark", b"end"]
# A command whose choice is made known to us is run by another name here.
MIRRORED = {b"spop": b"srem"}


KNOWN = [
    Known(
        "Redis 7.0 looked for the key before it read the options",
        lambda argv, theirs, ours: argv[0] in (b"BITCOUNT", b"BITPOS") and names(theirs) == [b"keymiss"] and not ours,
        ("redis",),
    ),
    Known(
        "Redis 7.0 makes a consumer only when there is something for it",
        lambda argv, theirs, ours: (
            argv[0] in (b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM") and without(b"xgroup-createconsumer", ours) == theirs
        ),
        ("redis",),
    ),
    Known(
        "SORT looks for weights in the order of a hash table, and for what GET names of any of equal elements",
        lambda argv, theirs, ours: (
            argv[0].upper() in (b"SORT", b"SORT_RO") and without(b"keymiss", theirs) == without(b"keymiss", ours)
        ),
    ),
    Known(
        "a corrupt HyperLogLog that the real servers do not recognise keeps us from looking for the other keys",
        lambda argv, theirs, ours: argv[0] == b"PFCOUNT" and theirs[: len(ours)] == ours and len(argv) > 2,
    ),
    Known(
        "Redis 7.0 does not know the ID `+`",
        lambda argv, theirs, ours: (
            argv[0] == b"XREAD" and b"+" in argv and {*names(theirs), *names(ours)} == {b"keymiss"}
        ),
        ("redis",),
    ),
]


class Talk(Wire):
    """A connection on which there are messages among the replies."""

    def exchange(self, commands: list[list[bytes]]) -> list[tuple[Any, list[Push]]]:
        """Runs commands as one pipeline: each reply, and the messages behind it."""
        self._socket.sendall(b"".join(map(packed, commands)))
        answers: list[tuple[Any, list[Push]]] = []
        while len(answers) < len(commands):
            value = self._next()
            if type(value) is Push:
                answers[-1][1].append(value)
            else:
                answers.append((value, []))
        return answers

    def listen(self, commands: list[list[bytes]]) -> None:
        self._socket.sendall(b"".join(map(packed, commands)))
        while self._next() != [b"subscribe", b"mark", 2]:
            pass

    def heard(self) -> list[Push]:
        """All messages up to the last mark."""
        messages = [self._next()]
        while messages[-1] != [b"message", b"mark", b"end"]:
            messages.append(self._next())
        return messages


class Ours:
    """The same two connections to an engine."""

    def __init__(self) -> None:
        self.engine = Engine()
        self._messages: list[Push] = []
        self.working, self.listening = self.engine.connect("tcp"), self.engine.connect("tcp")
        self._late: list[Any] = []
        self.working.deliver = self.working.push = self._late.append
        self.listening.push = self._messages.append

    def run(self, argv: list[bytes]) -> tuple[Any, list[Push]]:
        reply = self.engine.execute(self.working, argv)
        while self.working.blocked:
            self.engine.enter()
            self.engine.tick()
            self.engine.leave()
        out = OutputBuffer()
        writer = ReplyWriter(out, 3)
        for value in (reply, *self._late):
            if value is not PARKED:
                writer.write(value)
        self._late.clear()
        reader = ReplyReader()
        reader.feed(out.take(len(out)))
        values = [*iter(reader.next, NO_REPLY)]
        return next(value for value in values if type(value) is not Push), [v for v in values if type(v) is Push]

    def heard(self) -> list[Push]:
        messages = self._messages[:]
        self._messages.clear()
        return messages


@dataclass
class Notifications:
    """All families at once against one server."""

    server: RealServer
    ran: Counter[bytes] = field(default_factory=Counter)
    events: Counter[bytes] = field(default_factory=Counter)

    def run(self, commands: list[Step], batch: int = 50) -> None:
        """Runs commands on both sides from empty and compares, after each batch, what every one of them told."""
        ours = Ours()
        with closing(Talk(self.server.path)) as working, closing(Talk(self.server.path)) as listening:
            working.run(WORKING)
            listening.listen(LISTENING)
            for argv in WORKING:
                ours.run(argv)
            for argv in LISTENING:
                ours.engine.execute(ours.listening, argv)
            for start in range(0, len(commands), batch):
                self.compare(working, listening, ours, commands[start : start + batch])

    def compare(self, working: Talk, listening: Talk, ours: Ours, commands: list[Step]) -> None:
        sent: list[list[bytes]] = []
        for number, (_, argv) in enumerate(commands):
            sent += [READING, [b"PUBLISH", b"mark", b"before %d" % number], argv, [b"PUBLISH", b"mark", b"%d" % number]]
        families = [family for family, _ in commands for _ in range(4)]
        answers = working.exchange([*sent, *END])
        for family, argv, (theirs, their_changes) in zip(families, sent, answers, strict=False):
            _, our_changes = ours.run(mirrored(family, argv, theirs, self.server.kind))
            if their_changes != our_changes and (their_changes or not is_half_done(argv, theirs)):
                raise Difference(f"the changes by {shown(argv)}", their_changes, our_changes)
        for argv in END:
            ours.run(argv)
        self.compare_events(commands, by_mark(listening.heard()), by_mark(ours.heard()))
        self.ran.update(argv[0].upper() for _, argv in commands)

    def compare_events(
        self,
        commands: list[Step],
        theirs: Events,
        ours: Events,
    ) -> None:
        """Messages by the mark behind them; what a transaction told stands before its last mark."""
        for mark, their_events in theirs.items():
            self.events.update(names(their_events))
            our_events = ours[mark]
            if their_events == our_events:
                continue
            argv = commands[int(mark)][1] if mark.isdigit() else [mark]
            if any(
                known.applies(argv, their_events, our_events) for known in KNOWN if self.server.kind in known.servers
            ):
                continue
            raise Difference(f"the events of {shown(argv)}", their_events, our_events)


def mirrored(family: ModuleType, argv: list[bytes], theirs: Any, kind: str) -> list[bytes]:
    """The command as we run it: with what the server made up, and not at all if the server does not know it."""
    error = getattr(theirs, "text", "")
    if argv[0].upper() in getattr(family, "NEWER", ()) and error.startswith("ERR unknown"):
        return [b"NOSUCH"]
    if argv[0].upper() in (b"ZRANK", b"ZREVRANK") and error.startswith("ERR wrong number") and kind == "redis":
        # Redis 7.0 does not know WITHSCORE.
        return [b"NOSUCH"]
    mirror = getattr(family, "mirror", None)
    return argv if mirror is None else mirror(argv, theirs)


def is_half_done(argv: list[bytes], theirs: Any) -> bool:
    """What the real server tells nobody although the value may have changed: PFADD stopped by a corrupt value, and
    BITFIELD of which every step overflowed, but which has added zeros.
    """
    if argv[0] == b"PFADD":
        return getattr(theirs, "text", "").startswith("INVALIDOBJ")
    return argv[0] == b"BITFIELD" and isinstance(theirs, list) and None in theirs


def by_mark(messages: list[Push]) -> Events:
    """The events before each mark, in their order."""
    found: Events = {}
    events: list[Push] = []
    for message in messages:
        if message[0] == b"message":
            found[message[2]] = events
            events = []
        else:
            events.append(Push(renamed(word) for word in message))
    return found


def names(messages: list[Push]) -> list[bytes]:
    """The names of events, in their order."""
    return [message[-1] for message in messages if message[2].startswith(b"__keyspace")]


def without(event: bytes, messages: list[Push]) -> list[Push]:
    return [message for message in messages if not message[2].endswith(event) and message[3] != event]


def renamed(word: bytes) -> bytes:
    """The name of an event, alone or behind that of its channel, as of the command that we run."""
    head, colon, event = word.rpartition(b":")
    return head + colon + MIRRORED.get(event, event)


def shown(argv: list[bytes]) -> str:
    return b" ".join(argv).decode("latin-1")


def random_commands(seed: int, count: int) -> list[Step]:
    chance = random.Random(seed)
    families = [chance.choice(FAMILIES) for _ in range(count)]
    return [(family, family.generate(chance)) for family in families]


def explain(notifications: Notifications, commands: list[Step]) -> str:
    """The fewest commands found that still show a difference, and the difference."""
    piece = len(commands) // 2
    while piece:
        start = 0
        while start < len(commands):
            without = commands[:start] + commands[start + piece :]
            if difference(notifications, without) is not None:
                commands = without
            else:
                start += piece
        piece //= 2
    return "\n".join([*(shown(argv) for _, argv in commands), str(difference(notifications, commands))])


def difference(notifications: Notifications, commands: list[Step]) -> Difference | None:
    try:
        notifications.run(commands, 1)
    except Difference as found:
        return found
    return None
