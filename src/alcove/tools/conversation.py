"""Asks and answers over one connection of redis-py, to an engine in this process or to a server, many at a time.

What is to be done with a key is a generator: it yields the commands it needs next and gets their replies. `drive` has
many of them go on together, so that one pipeline carries the commands of all.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from redis.cluster import RedisCluster
from redis.exceptions import ResponseError

from alcove.client.local import from_url
from alcove.client.local import open as open_engine
from alcove.engine.engine import Engine

Command = Sequence[bytes]
Result = TypeVar("Result")
# Yields commands, is sent their replies, where errors are values, and returns what it was for.
Task = Generator[list[Command], list[Any], Result]


class Refused(Exception):
    """A command failed that must not; the text is the error's."""


class Conversation:
    """One connection. It is a context manager, which gives the connection back. Raises redis-py's ConnectionError."""

    def __init__(self, place: str | Engine) -> None:
        self._client = open_engine(engine=place) if isinstance(place, Engine) else from_url(place)
        if isinstance(self._client, RedisCluster):
            raise Refused("a cluster cannot be talked to as a whole; name one of its servers by redis://")
        pool = self._client.connection_pool
        # The database that the URL names, None for all.
        self.database: int | None = pool.connection_kwargs.get("db")
        pool.connection_kwargs.update(protocol=2, db=0)
        self._connection: Any = pool.get_connection()
        self._number = 0
        try:
            self._known = self._probe(b"PEXPIRETIME", b"HPEXPIRETIME", b"FUNCTION")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.disconnect()
        self._client.connection_pool.release(self._connection)
        self._client.close()

    def knows(self, command: bytes) -> bool:
        """Whether the server has one of the commands that not all have."""
        return command in self._known

    def _probe(self, *names: bytes) -> frozenset[bytes]:
        (found,) = self.ask([(b"COMMAND", b"INFO", *names)])
        if isinstance(found, Exception):
            raise Refused(str(found))
        return frozenset(name for name, facts in zip(names, found, strict=True) if facts)

    def select(self, number: int) -> None:
        if number != self._number:
            (reply,) = self.ask([(b"SELECT", b"%d" % number)])
            if isinstance(reply, Exception):
                raise Refused(f"database {number}: {reply}")
            self._number = number

    def ask(self, commands: list[Command]) -> list[Any]:
        """The replies to some commands, sent as one pipeline. Error replies are values."""
        self._connection.send_packed_command(self._connection.pack_commands([tuple(each) for each in commands]))
        return [self._reply() for _ in commands]

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error

    def drive(self, tasks: list[Task[Result]]) -> list[Result | Refused]:
        """Has all tasks done, together; what each returns, or the `Refused` that it raised."""
        results: dict[int, Result | Refused] = {}
        answers: dict[int, list[Any] | None] = dict.fromkeys(range(len(tasks)))
        while answers:
            asked: list[tuple[int, list[Command]]] = []
            for place, replies in answers.items():
                try:
                    asked.append((place, next(tasks[place]) if replies is None else tasks[place].send(replies)))
                except StopIteration as end:
                    results[place] = end.value
                except Refused as refused:
                    results[place] = refused
            found = iter(self.ask([command for _, commands in asked for command in commands]))
            answers = {place: [next(found) for _ in commands] for place, commands in asked}
        return [results[place] for place in range(len(tasks))]


def transaction(commands: list[Command]) -> Task[list[Any]]:
    """Does all commands at once, or none; their replies, where errors are values."""
    replies = yield [(b"MULTI",), *commands, (b"EXEC",)]
    done = replies[-1]
    if isinstance(done, list):
        return done
    # An error of EXEC only says that there was one before.
    for reply in replies:
        if isinstance(reply, Exception):
            raise Refused(str(reply))
    raise Refused("the server did not carry out a transaction")
