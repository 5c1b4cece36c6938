"""The toolkit beside its peers: operations a second and trips to the server, on redis-server and in the process."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from unittest.mock import patch

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.connection import AbstractConnection

import alcove
import alcove.asyncio
from alcove import patterns
from alcove.patterns.core.limits import Algorithm
from bench import patterns_peers as peers
from bench.patterns_peers import LIMIT, VALUE, Operation, load, load_async, users
from bench.peers import REDIS, Server, installed, on_load_processor, running
from bench.report import NONE, Aim, Section, Table, figure, note, ratio, times

READING = """\
One client, one operation after the other, uncontended, all in short turns; a tenth of the turns were faster than said
here. Peers work on the same redis-server over loopback, and so does the toolkit by redis-py; "embedded" is the toolkit
on an engine in the process. Trips are how often an operation sends something and waits for the answer, scripts being
known to the server already. Operations a second are thousands, the factor is the toolkit's on redis-server as a
multiple of the peer's. CPU is the client's and the server's time for an operation together, in microseconds.

Where a peer does the same in more calls, these are counted: the toolkit's miss has a lock across processes, its hit of
a rate limit says what is left, its reading of a session moves the end, its update writes one field of four, the peer
all. Where a row says "beside", the peer does less. The peer's jobs are worked off by its worker that does not fork."""

# How often an operation is done to count its trips, before which it is done as often, to be known to the server.
COUNTED = 20
# How often it is done before it is the next one's turn: so that all are disturbed alike by what else the machine does.
AT_ONCE = 20
PLAYERS = 1000


@dataclass(frozen=True)
class Case:
    """An operation of the toolkit: what makes it for a client, and what makes its nearest peer's.

    One that is made by a coroutine is one itself.
    """

    name: str
    ours: Callable[[Any], Any]
    # As few trips as are possible.
    least: float = 1.0
    peer: str = ""
    theirs: Callable[[Any], Any] | None = None

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.ours)

    @property
    def peer_title(self) -> str:
        if not self.peer:
            return NONE
        try:
            return f"{self.peer} {version(self.peer)}"
        except PackageNotFoundError:
            return f"{self.peer} (not installed)"

    @property
    def has_peer(self) -> bool:
        return self.theirs is not None and "not installed" not in self.peer_title


@dataclass(frozen=True)
class Result:
    """Operations a second; microseconds of CPU and trips for each."""

    rate: float
    cpu_us: float
    trips: float


# By whose operation it is: "ours", "theirs", "embedded".
Results = dict[str, Result]


# Operations of the toolkit


def cache_hit(client: redis.Redis) -> Operation:
    cache = patterns.Cache(client, ttl=3600)
    return lambda: cache.get_or_load("user:1", load)


def cache_miss(client: redis.Redis) -> Operation:
    cache, numbers = patterns.Cache(client, ttl=3600), itertools.count()
    return lambda: cache.get_or_load(f"user:{next(numbers)}", load)


async def cache_hit_async(client: redis.asyncio.Redis) -> Operation:
    cache = patterns.asyncio.Cache(client, ttl=3600)
    return lambda: cache.get_or_load("user:1", load_async)


async def cache_miss_async(client: redis.asyncio.Redis) -> Operation:
    cache, numbers = patterns.asyncio.Cache(client, ttl=3600), itertools.count()
    return lambda: cache.get_or_load(f"user:{next(numbers)}", load_async)


def write_behind(client: redis.Redis) -> Operation:
    behind = patterns.WriteBehind(client, load=lambda key: VALUE, write=lambda update: None)
    name = users()
    return lambda: behind.update(name(), {"city": "Oslo"})


def board(client: redis.Redis) -> patterns.Leaderboard:
    made = patterns.Leaderboard(client)
    for player in range(PLAYERS):
        made.update_score("chess", player, player * 7 % PLAYERS)
    return made


def update_score(client: redis.Redis) -> Operation:
    made, numbers = board(client), itertools.count()

    def update() -> Any:
        number = next(numbers)
        return made.update_score("chess", number * 13 % PLAYERS, number % 977)

    return update


def get_top_players(client: redis.Redis) -> Operation:
    made = board(client)
    return lambda: made.get_top_players("chess", 10)


def hit(algorithm: Algorithm, *, once: bool = True) -> Callable[[redis.Redis], Operation]:
    def made(client: redis.Redis) -> Operation:
        limiter = patterns.RateLimiter(client, limit=LIMIT, window=3600, algorithm=algorithm, once=once)
        name = users()
        return lambda: limiter.hit(name())

    return made


def hold(client: redis.Redis) -> Operation:
    lock = patterns.DistributedLock(client)

    def held() -> None:
        with lock.hold("resource"):
            pass

    return held


def enqueue(client: redis.Redis) -> Operation:
    queue = patterns.JobQueue(client)
    return lambda: queue.enqueue("email", {"to": "ann@example.com"})


def work(client: redis.Redis) -> Operation:
    queue = patterns.JobQueue(client)

    def worked() -> None:
        queue.enqueue("email", {"to": "ann@example.com"})
        (job,) = queue.take("email")
        queue.ack(job, peers.deliver(job.to))

    return worked


async def session_get(client: redis.asyncio.Redis) -> Operation:
    store = patterns.asyncio.SessionStore(client)
    session_id = await store.create("ann", VALUE)
    return lambda: store.get(session_id)


async def session_update(client: redis.asyncio.Redis) -> Operation:
    store, numbers = patterns.asyncio.SessionStore(client), itertools.count()
    session_id = await store.create("ann", VALUE)
    return lambda: store.update(session_id, {"visits": next(numbers)})


def add_item(client: redis.Redis) -> Operation:
    carts = patterns.ShoppingCart(client, max_quantity=1_000_000)
    name, numbers = users(), itertools.cycle(range(10))
    return lambda: carts.add_item(name(), {"id": next(numbers), "name": "Lamp", "price": "19.99"})


def send(client: redis.Redis) -> Operation:
    room = patterns.ChatRoom(client, "lobby")
    return lambda: room.send("ann", "hello")


FIXED, COUNTER, LOG = "FixedWindowRateLimiter", "SlidingWindowCounterRateLimiter", "MovingWindowRateLimiter"
CASES = [
    Case("Cache.get_or_load, hit", cache_hit, 1, "dogpile.cache", peers.dogpile_hit),
    Case("Cache.get_or_load, miss", cache_miss, 2, "dogpile.cache", peers.dogpile_miss),
    Case("Cache.get_or_load, hit, asyncio", cache_hit_async, 1, "cashews", peers.cashews_hit),
    Case("Cache.get_or_load, miss, asyncio", cache_miss_async, 2, "cashews", peers.cashews_miss),
    Case("WriteBehind.update", write_behind),
    Case("SessionStore.get, asyncio", session_get, 1, "starsessions", peers.starsessions_rolling),
    Case("SessionStore.get, asyncio, beside a bare read", session_get, 1, "starsessions", peers.starsessions_read),
    Case("SessionStore.update, asyncio", session_update, 1, "starsessions", peers.starsessions_update),
    Case("RateLimiter.hit, fixed-window", hit("fixed-window"), 1, "limits", peers.limits_hit(FIXED)),
    Case("RateLimiter.hit, sliding-counter", hit("sliding-counter"), 1, "limits", peers.limits_hit(COUNTER)),
    Case("RateLimiter.hit, sliding-log", hit("sliding-log"), 1, "limits", peers.limits_hit(LOG)),
    Case(
        "RateLimiter.hit, once=False, beside a bare hit",
        hit("fixed-window", once=False),
        1,
        "limits",
        peers.limits_hit(FIXED, with_stats=False),
    ),
    Case("RateLimiter.hit, gcra", hit("gcra")),
    Case("DistributedLock.hold", hold, 2, "redis", peers.redis_lock),
    Case("JobQueue.enqueue", enqueue, 1, "rq", peers.rq_enqueue),
    Case("JobQueue.enqueue, take, ack", work, 3, "rq", peers.rq_work),
    Case("Leaderboard.update_score", update_score),
    Case("Leaderboard.get_top_players", get_top_players),
    Case("ShoppingCart.add_item", add_item),
    Case("ChatRoom.send", send),
]


# Measuring


def run(quick: bool) -> Section:
    """All operations, each in turns with its peer's."""
    turns = 15 if quick else 200
    results: dict[str, Results] = {}
    server_only = [peer for peer in installed() if peer.name == REDIS]
    with running(server_only) as (server,), on_load_processor():
        for case in CASES:
            note(f"patterns: {case.name}")
            if case.theirs is not None and not case.has_peer:
                note(f"patterns: {case.peer} is not installed, and is left out")
            results[case.name] = measure(case, server, turns)
    section = Section("The toolkit", READING)
    section.tables.append(table(results))
    section.aims += aims(results)
    return section


def measure(case: Case, server: Server, turns: int) -> Results:
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        url = f"redis://127.0.0.1:{server.port}"
        with redis.Redis.from_url(url) as wiping:
            wiping.flushall()
        makes = {"ours": (url, case.ours), "embedded": ("memory:", case.ours)}
        if case.has_peer:
            makes["theirs"] = (url, case.theirs)
        subjects = {
            whose: stack.enter_context(Subject(make, place, runner if case.is_async else None))
            for whose, (place, make) in makes.items()
        }
        costs = {whose: Cost(subject, server) for whose, subject in subjects.items()}
        for _ in range(turns):
            for cost in costs.values():
                cost.add_turn()
        return {whose: cost.result() for whose, cost in costs.items()}


class Cost:
    """What an operation takes, from turn to turn."""

    def __init__(self, subject: Subject, server: Server) -> None:
        self._subject = subject
        self._server = server
        self._trips = subject.trips()
        self._taken_s: list[float] = []
        self._cpu_us = 0.0

    def add_turn(self) -> None:
        before_us = self._cpu_so_far_us()
        self._taken_s.append(self._subject.repeat(AT_ONCE) / AT_ONCE)
        self._cpu_us += self._cpu_so_far_us() - before_us

    def result(self) -> Result:
        # Whatever else the machine does, a tenth of the turns is hardly disturbed.
        first_decile_s = statistics.quantiles(self._taken_s, n=10)[0]
        return Result(1 / first_decile_s, self._cpu_us / len(self._taken_s) / AT_ONCE, self._trips)

    def _cpu_so_far_us(self) -> float:
        return time.process_time() * 1e6 + self._server.cpu_us()


class Subject:
    """An operation that is ready to be repeated, with a client of its own."""

    def __init__(self, make: Callable[[Any], Any], place: str, runner: asyncio.Runner | None) -> None:
        self._runner = runner
        self._client: Any
        if runner is None:
            self._client = alcove.from_url(place)
            self._operation: Operation = make(self._client)
        else:
            self._client = alcove.asyncio.from_url(place)
            self._operation = runner.run(make(self._client))
        self.repeat(COUNTED)

    def repeat(self, count: int) -> float:
        """How many seconds it takes so often."""
        if self._runner is not None:
            return self._runner.run(repeated(self._operation, count))
        operation = self._operation
        started = time.perf_counter()
        for _ in range(count):
            operation()
        return time.perf_counter() - started

    def trips(self) -> float:
        with trips_counted() as sent:
            self.repeat(COUNTED)
        return len(sent) / COUNTED

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *error: object) -> None:
        if self._runner is None:
            self._client.close()
        else:
            self._runner.run(self._client.aclose())


async def repeated(operation: Callable[[], Awaitable[Any]], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        await operation()
    return time.perf_counter() - started


@contextmanager
def trips_counted() -> Iterator[list[object]]:
    """What redis-py's connections send, whoever has made them: a pipeline goes in one piece."""
    sent: list[object] = []
    send_packed, send_packed_async = AbstractConnection.send_packed_command, AsyncConnection.send_packed_command

    def counted(connection: AbstractConnection, command: Any, **options: Any) -> Any:
        sent.append(connection)
        return send_packed(connection, command, **options)

    async def counted_async(connection: AsyncConnection, command: Any, **options: Any) -> Any:
        sent.append(connection)
        return await send_packed_async(connection, command, **options)

    with (
        patch.object(AbstractConnection, "send_packed_command", counted),
        patch.object(AsyncConnection, "send_packed_command", counted_async),
    ):
        yield sent


# Tables


def table(results: dict[str, Results]) -> Table:
    columns = ["", "Peer", "Trips", "K/s", "CPU", "The toolkit: trips", "K/s", "CPU", "Factor", "Embedded K/s", "CPU"]
    rows = []
    for case in CASES:
        taken = results[case.name]
        theirs = figures(taken["theirs"]) if "theirs" in taken else [NONE] * 3
        embedded = figures(taken["embedded"])[1:]
        rows.append([case.name, case.peer_title, *theirs, *figures(taken["ours"]), times(factor(taken)), *embedded])
    return Table("Operations of one client", columns, rows)


def figures(result: Result) -> list[str]:
    return [f"{result.trips:g}", figure(result.rate / 1000), figure(result.cpu_us)]


def factor(taken: Results) -> float | None:
    return ratio(taken["ours"].rate, taken["theirs"].rate) if "theirs" in taken else None


def aims(results: dict[str, Results]) -> list[Aim]:
    more = [case.name for case in CASES if results[case.name]["ours"].trips > case.least]
    compared = {name: found for name, taken in results.items() if (found := factor(taken)) is not None}
    slower = [f"{name} {times(found)}" for name, found in compared.items() if found < 1]
    fewest = "one trip for each operation: two for a load and a lock, three for a job from its put to its end"
    found = [Aim(fewest, ", ".join(more) or "all", not more)]
    if compared:
        found.append(Aim("faster than the peer", ", ".join(slower) or "all", not slower))
    return found
