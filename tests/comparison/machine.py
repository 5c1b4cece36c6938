"""Runs one sequence of commands on a real server and on Alcove, and says where they differ."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.engine import Engine
from alcove.errors import SYNTAX, CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from tests.comparison.servers import RealServer

# The keys of all families: few, so that commands meet each other's values.
KEYS = [b"a", b"b", b"c", b"d", b"{e}1", b"{e}2"]
# The databases whose contents are compared.
DATABASES = [b"0", b"1", b"9"]
Run = Callable[[list[list[bytes]]], Any]
# Replies that are a time left or a moment may differ by this much, in their unit.
TIMES = {
    **dict.fromkeys((b"TTL", b"EXPIRETIME", b"HTTL", b"HEXPIRETIME", b"OBJECT"), 5),
    **dict.fromkeys((b"PTTL", b"PEXPIRETIME", b"HPTTL", b"HPEXPIRETIME"), 5000),
}
# How the value of each type is read to compare final contents, and whether the order of the reply counts.
READERS: dict[bytes, tuple[list[bytes], bool]] = {
    b"string": ([b"GET"], True),
    b"list": ([b"LRANGE", b"0", b"-1"], True),
    b"set": ([b"SMEMBERS"], False),
    b"zset": ([b"ZRANGE", b"0", b"-1", b"WITHSCORES"], True),
    b"hash": ([b"HGETALL"], False),
    b"stream": ([b"XRANGE", b"-", b"+"], True),
}


@dataclass(frozen=True)
class Known:
    """A difference that is meant. `applies` gets the command, their reply and ours."""

    reason: str
    applies: Callable[[list[bytes], Any, Any], bool]
    servers: tuple[str, ...] = ("redis", "valkey")


def leaves_out_values(argv: list[bytes], theirs: Any, ours: Any) -> bool:
    words = {word.upper() for word in argv[2:]}
    return (
        argv[0].endswith(b"SCAN") and getattr(theirs, "text", "") == SYNTAX and bool(words & {b"NOVALUES", b"NOSCORES"})
    )


NAMES_ALONE = Known("NOVALUES is of Redis 7.4, NOSCORES of Valkey 8", leaves_out_values, ("redis",))


class Difference(AssertionError):
    """Both answered, but not the same."""

    def __init__(self, what: str, theirs: Any, ours: Any) -> None:
        super().__init__(f"{what}\n  theirs: {theirs!r}\n  ours:   {ours!r}")


class Alcove:
    """A connection to an engine behind the same wire format as the real server's: what is compared is what clients
    see.
    """

    def __init__(self, engine: Engine, protocol: int) -> None:
        self.engine = engine
        self.session = engine.connect("tcp")
        self.session.protocol = protocol
        self._late: list[Any] = []
        self.session.deliver = self._late.append

    def run(self, commands: list[list[bytes]]) -> list[Any]:
        return [self.run_one(argv) for argv in commands]

    def run_one(self, argv: list[bytes]) -> Any:
        reply = self.engine.execute(self.session, argv)
        while self.session.blocked:
            self.engine.enter()
            self.engine.tick()
            self.engine.leave()
        if self._late:
            reply = self._late.pop()
        out = OutputBuffer()
        ReplyWriter(out, self.session.protocol).write(reply)
        reader = ReplyReader()
        reader.feed(out.take(len(out)))
        return reader.next()


@dataclass
class Comparison:
    """One family against one server."""

    family: ModuleType
    server: RealServer
    protocol: int = 2
    ran: Counter[bytes] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.known: list[Known] = getattr(self.family, "KNOWN", [])
        self.unordered: set[bytes] = getattr(self.family, "UNORDERED", set())
        self.newer: set[bytes] = getattr(self.family, "NEWER", set())
        self.mirror = getattr(self.family, "mirror", lambda argv, theirs: argv)
        self.accept = getattr(self.family, "accept", None)

    def run(self, commands: list[list[bytes]], batch: int = 200) -> None:
        """Runs the commands on both sides from empty, and compares every reply and what is there after each batch.

        The contents are read over connections of their own, so that where a batch ends changes nothing.
        """
        hello = [b"HELLO", b"%d" % self.protocol]
        engine = Engine()
        ours, our_contents = Alcove(engine, self.protocol), Alcove(engine, self.protocol)
        with closing(self.server.connect()) as wire, closing(self.server.connect()) as contents:
            wire.run([[b"FLUSHALL"], [b"FUNCTION", b"FLUSH"], [b"SCRIPT", b"FLUSH"], hello])
            contents.run([hello])
            for start in range(0, len(commands), batch):
                part = commands[start : start + batch]
                for argv, theirs in zip(part, wire.run(part), strict=True):
                    self.step(ours, argv, theirs)
                self.compare_contents(contents.run, our_contents.run)

    def step(self, ours: Alcove, argv: list[bytes], theirs: Any) -> None:
        name = argv[0].upper()
        if name in self.newer and isinstance(theirs, CommandError) and "unknown" in theirs.text:
            return
        self.ran[name] += 1
        mine = ours.run_one(self.mirror(argv, theirs))
        if not self.same(argv, theirs, mine):
            raise Difference(b" ".join(argv).decode("latin-1"), theirs, mine)

    def same(self, argv: list[bytes], theirs: Any, ours: Any) -> bool:
        if self.accept is not None and self.accept(argv, theirs, ours):
            return True
        name = argv[0].upper()
        if name in TIMES and isinstance(theirs, (int, list)):
            return close(theirs, ours, TIMES[name])
        ordered = name not in self.unordered
        if equal(theirs, ours, ordered):
            return True
        return self.meant(argv, theirs, ours)

    def meant(self, argv: list[bytes], theirs: Any, ours: Any) -> bool:
        """Whether the family says that a command's replies may differ so."""
        return any(known.applies(argv, theirs, ours) for known in self.known if self.server.kind in known.servers)

    def compare_contents(self, theirs: Run, ours: Run) -> None:
        """Every key's type, value and deadline, in every database that the families use."""
        for database in DATABASES:
            for both in (theirs, ours):
                both([[b"SELECT", database]])
            self.compare_database(theirs, ours)

    def compare_database(self, theirs: Run, ours: Run) -> None:
        their_keys, our_keys = sorted(theirs([[b"KEYS", b"*"]])[0]), sorted(ours([[b"KEYS", b"*"]])[0])
        if their_keys != our_keys:
            raise Difference("the keys at the end", their_keys, our_keys)
        for key in their_keys:
            ask_encoding = [b"OBJECT", b"ENCODING", key]
            questions = [[b"TYPE", key], [b"PTTL", key], ask_encoding]
            their_type, their_ttl, their_encoding = theirs(questions)
            our_type, our_ttl, our_encoding = ours(questions)
            if their_type != our_type:
                raise Difference(f"the type of {key!r}", their_type, our_type)
            if not close(their_ttl, our_ttl, 5000):
                raise Difference(f"the deadline of {key!r}", their_ttl, our_ttl)
            if their_encoding != our_encoding and not self.meant(ask_encoding, their_encoding, our_encoding):
                raise Difference(f"the encoding of {key!r}", their_encoding, our_encoding)
            words, ordered = READERS[bytes(our_type)]
            question = [words[0], key, *words[1:]]
            their_value, our_value = theirs([question])[0], ours([question])[0]
            if not equal(their_value, our_value, ordered) and not self.meant(question, their_value, our_value):
                raise Difference(f"the value of {key!r}", their_value, our_value)


def equal(theirs: Any, ours: Any, ordered: bool = True) -> bool:
    """Whether two replies are the same; errors by their text, and without order if the command has none."""
    if isinstance(theirs, CommandError) or isinstance(ours, CommandError):
        return isinstance(ours, CommandError) and isinstance(theirs, CommandError) and theirs.text == ours.text
    if type(theirs) is not type(ours):
        return False
    if isinstance(theirs, list):
        if not ordered:
            return Counter(map(repr, theirs)) == Counter(map(repr, ours))
        return len(theirs) == len(ours) and all(map(equal, theirs, ours))
    if isinstance(theirs, dict):
        return theirs.keys() == ours.keys() and all(equal(theirs[key], ours[key]) for key in theirs)
    if isinstance(theirs, float) and math.isnan(theirs):
        return math.isnan(ours)
    return bool(theirs == ours)


def close(theirs: Any, ours: Any, tolerance: int) -> bool:
    if isinstance(theirs, list):
        return (
            isinstance(ours, list)
            and len(theirs) == len(ours)
            and all(close(their, our, tolerance) for their, our in zip(theirs, ours, strict=True))
        )
    if isinstance(theirs, int) and isinstance(ours, int) and theirs > 0 and ours > 0:
        return abs(theirs - ours) <= tolerance
    return equal(theirs, ours)


def shrunk(comparison: Comparison, commands: list[list[bytes]], seconds: float = 60) -> list[list[bytes]]:
    """The fewest commands found in so many seconds that still show a difference.

    Pieces are left out as long as it stays, the largest first and from the end backwards: what came after the cause
    goes at once, and what is left runs faster.
    """
    give_up = time.monotonic() + seconds
    piece = len(commands) // 2
    while piece:
        stop = len(commands)
        while stop > 0 and time.monotonic() < give_up:
            start = max(stop - piece, 0)
            without = commands[:start] + commands[stop:]
            if difference(comparison, without) is not None:
                commands = without
            stop = start
        piece //= 2
    return commands


def difference(comparison: Comparison, commands: list[list[bytes]]) -> Difference | None:
    """The first difference that the commands show, in one batch: contents count at the end only."""
    try:
        comparison.run(commands, batch=len(commands) or 1)
    except Difference as found:
        return found
    return None


def explain(comparison: Comparison, commands: list[list[bytes]]) -> str:
    """The shortest way to a difference, and the difference."""
    few = shrunk(comparison, commands)
    lines = [
        b" ".join(b"%r" % word if b" " in word or not word else word for word in argv).decode("latin-1") for argv in few
    ]
    return "\n".join([*lines, str(difference(comparison, few))])


def random_commands(family: ModuleType, seed: int, count: int) -> list[list[bytes]]:
    chance = random.Random(seed)
    return [family.generate(chance) for _ in range(count)]
