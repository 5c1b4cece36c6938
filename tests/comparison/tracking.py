"""Runs commands of several clients that track keys in all modes, and compares what every client hears after each."""

from __future__ import annotations

import random
import re
import select
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY
from tests.comparison.machine import Difference
from tests.comparison.servers import RealServer, Wire

KEYS = [b"a", b"ab", b"b", b"bc"]
# The clients: two on RESP3, one on RESP2 that listens to the channel of invalidations. Stands for a client's id.
CLIENTS = 3
LISTENER = 2
ID_OF = [b"<0>", b"<1>", b"<2>"]
# Ids are larger than any other number in a reply.
LEAST_ID = 2000
# Gives a client a new connection, and so a new id.
RECONNECT = b"RECONNECT"
# There is always somebody who tracks: without, Alcove forgets what was read, and the real server does not.
KEEPER = [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", b"never"]

Step = tuple[int, list[bytes]]


class Connection(Protocol):
    """One client's connection, on either side."""

    def answer(self, *argv: bytes) -> Any:
        """Runs a command: its reply, or a message if that comes first."""

    def heard(self) -> list[Any]:
        """What has come besides."""

    def close(self) -> None:
        """Ends it."""


class Theirs(Wire):
    """A connection to the real server."""

    def answer(self, *argv: bytes) -> Any:
        return self.run([[*argv]])[0]

    def heard(self) -> list[Any]:
        while select.select([self._socket], [], [], 0)[0]:
            self._reader.feed(self._socket.recv(1 << 16))
        return [*iter(self._reader.next, NO_REPLY)]


class Ours:
    """A connection to an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session = engine.connect("tcp")
        self._out = OutputBuffer()
        self._writer = ReplyWriter(self._out)
        self._reader = ReplyReader()
        self._session.push = self._session.deliver = self._write

    def _write(self, value: Any) -> None:
        self._writer.protocol = self._session.protocol
        self._writer.write(value)

    def answer(self, *argv: bytes) -> Any:
        self._engine.enter()
        self._write(self._engine.call(self._session, [*argv]))
        self._engine.leave()
        self._reader.feed(self._out.take(len(self._out)))
        return self._reader.next()

    def heard(self) -> list[Any]:
        self._reader.feed(self._out.take(len(self._out)))
        return [*iter(self._reader.next, NO_REPLY)]

    def close(self) -> None:
        self._engine.enter()
        self._engine.disconnect(self._session)
        self._engine.leave()


class Side:
    """The clients of one server."""

    def __init__(self, connect: Any) -> None:
        self._connect = connect
        self._keeper: Connection = connect()
        self._keeper.answer(b"FLUSHALL")
        self._keeper.answer(*KEEPER)
        self._clients: list[Connection] = [connect() for _ in range(CLIENTS)]
        self._ids = [b""] * CLIENTS
        # Whose ids these are or were.
        self._numbers: dict[int, bytes] = {}
        for number in range(CLIENTS):
            self._prepare(number)

    def _prepare(self, number: int) -> None:
        client = self._clients[number]
        self._ids[number] = b"%d" % client.answer(b"CLIENT", b"ID")
        self._numbers[int(self._ids[number])] = ID_OF[number]
        if number == LISTENER:
            client.answer(b"SUBSCRIBE", b"__redis__:invalidate")
        else:
            client.answer(b"HELLO", b"3")

    def step(self, number: int, argv: list[bytes]) -> list[Any]:
        """Runs a client's command: the reply, and what each client then hears."""
        if argv == [RECONNECT]:
            self._clients[number].close()
            # The server has noticed before it answers.
            self._keeper.answer(b"PING")
            self._clients[number] = self._connect()
            self._prepare(number)
            reply = None
        else:
            named = [self._ids[ID_OF.index(word)] if word in ID_OF else word for word in argv]
            reply = self._clients[number].answer(*named)
        # Another turn of the server's: by then, everybody has been sent everything.
        self._keeper.answer(b"PING")
        return [self._anonymous(argv, reply), *(self._anonymous(argv, client.heard()) for client in self._clients)]

    def _anonymous(self, argv: list[bytes], value: Any) -> Any:
        """A reply or messages with the numbers of clients for their ids, and of CLIENT INFO only what is compared."""
        if isinstance(value, CommandError):
            return value.text
        if isinstance(value, dict):
            return {key: self._anonymous(argv, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._anonymous(argv, each) for each in value]
        if isinstance(value, bytes) and value.startswith(b"id="):
            flags = re.search(rb"flags=(\S+)", value)
            redirect = re.search(rb"redir=(\S+)", value)
            assert flags is not None
            assert redirect is not None
            return [flags[1].replace(b"U", b"") or b"N", self._anonymous(argv, int(redirect[1]))]
        return self._numbers.get(value, value) if isinstance(value, int) else value

    def close(self) -> None:
        for client in (self._keeper, *self._clients):
            client.close()


@dataclass
class Trackers:
    """Several clients against one server."""

    server: RealServer
    ran: Counter[bytes] = field(default_factory=Counter)
    messages: int = 0

    def __post_init__(self) -> None:
        last = 0
        while last < LEAST_ID:
            with closing(Theirs(self.server.path)) as connection:
                last = connection.answer(b"CLIENT", b"ID")

    def run(self, steps: list[Step]) -> None:
        engine = Engine()
        engine.next_session = LEAST_ID
        theirs, ours = Side(lambda: Theirs(self.server.path)), Side(lambda: Ours(engine))
        try:
            in_transaction = [False] * CLIENTS
            for number, argv in steps:
                if argv[0] in (b"MULTI", b"EXEC", b"DISCARD", RECONNECT):
                    if in_transaction[number] and argv[0] == b"MULTI":
                        # Valkey and Redis disagree about it.
                        continue
                    in_transaction[number] = argv[0] == b"MULTI"
                if self.server.kind == "redis" and (ID_OF[0] in argv or ID_OF[1] in argv):
                    # Redis 7.0 lets messages in the name of another come in the midst of replies.
                    continue
                their_answers, our_answers = theirs.step(number, argv), ours.step(number, argv)
                if their_answers != our_answers:
                    raise Difference(f"client {number}: {b' '.join(argv).decode()}", their_answers, our_answers)
                self.ran[argv[0]] += 1
                self.messages += sum(map(len, their_answers[1:]))
        finally:
            theirs.close()
            ours.close()


def tracking_options(chance: random.Random) -> list[bytes]:
    options: list[bytes] = []
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        options += chance.choice(
            [
                *([b"OPTIN"], [b"OPTOUT"], [b"NOLOOP"], [b"NOLOOP"], [b"BCAST"], [b"BCAST"]),
                *([b"REDIRECT", ID_OF[LISTENER]], [b"REDIRECT", chance.choice(ID_OF)], [b"REDIRECT", b"x"]),
                [b"foo"],
            ]
        )
    # The real servers do as they are told after the error that their second prefix, or a later one, overlaps.
    prefixes = [[], [], [b"BCAST", b"PREFIX", chance.choice([b"a", b"b", b"", b"ab"])], [b"PREFIX", b"a"], [b"PREFIX"]]
    return [*options, *chance.choice([*prefixes, [b"BCAST", b"PREFIX", b"b", b"PREFIX", b"bc"]])]


def read(chance: random.Random) -> list[bytes]:
    return [chance.choice([b"GET", b"GET", b"STRLEN", b"TYPE", b"TTL"]), chance.choice(KEYS)]


def several(chance: random.Random) -> list[bytes]:
    return [chance.choice([b"MGET", b"EXISTS", b"DEL", b"SUNION"]), *chance.choices(KEYS, k=chance.randint(1, 4))]


def write(chance: random.Random) -> list[bytes]:
    one, other = chance.choice(KEYS), chance.choice(KEYS)
    return chance.choice(
        [
            *([b"SET", one, b"v"], [b"SET", one, b"v"], [b"APPEND", one, b"w"], [b"MSET", one, b"1", other, b"2"]),
            *([b"RENAME", one, other], [b"COPY", one, other, b"REPLACE"], [b"EXPIRE", one, b"-1"], [b"PERSIST", one]),
            *([b"EXPIRE", one, b"1000"], [b"GETDEL", one], [b"SINTERSTORE", one, other], [b"MOVE", one, b"1"]),
        ]
    )


def generate(chance: random.Random) -> Step:
    argv: list[bytes] = chance.choice(
        [
            *([read(chance)] * 5),
            *([several(chance)] * 3),
            *([write(chance)] * 5),
            [b"CLIENT", b"TRACKING", b"ON", *tracking_options(chance)],
            [b"CLIENT", b"TRACKING", b"ON", *tracking_options(chance)],
            chance.choice([[b"CLIENT", b"TRACKING", b"OFF"], [b"CLIENT", b"TRACKING", b"foo"]]),
            [b"CLIENT", b"CACHING", chance.choice([b"YES", b"NO", b"yes", b"x"])],
            [b"CLIENT", chance.choice([b"GETREDIR", b"TRACKINGINFO", b"INFO"])],
            [chance.choice([b"MULTI", b"EXEC", b"EXEC", b"DISCARD"])],
            chance.choice([[b"FLUSHALL"], [b"FLUSHDB"], [b"SWAPDB", b"0", b"1"], [b"SELECT", b"1"], [b"SELECT", b"0"]]),
            chance.choice([[RECONNECT], [b"PING"], [b"NOSUCH"], [b"GET"]]),
        ]
    )
    return (LISTENER, [RECONNECT]) if chance.random() < 0.02 else (chance.choice([0, 1]), argv)


def random_steps(seed: int, count: int) -> list[Step]:
    chance = random.Random(seed)
    return [generate(chance) for _ in range(count)]


def explain(trackers: Trackers, steps: list[Step]) -> str:
    """The fewest steps found that still show a difference, and the difference."""
    piece = len(steps) // 2
    while piece:
        start = 0
        while start < len(steps):
            without = steps[:start] + steps[start + piece :]
            if difference(trackers, without) is not None:
                steps = without
            else:
                start += piece
        piece //= 2
    lines = [f"{number}: {b' '.join(argv).decode()}" for number, argv in steps]
    return "\n".join([*lines, str(difference(trackers, steps))])


def difference(trackers: Trackers, steps: list[Step]) -> Difference | None:
    try:
        trackers.run(steps)
    except Difference as found:
        return found
    return None
