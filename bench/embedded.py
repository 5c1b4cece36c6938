"""The engine in the process: the methods of redis-py on it, over TCP to redis-server, and on fakeredis."""

from __future__ import annotations

import asyncio
import time
import timeit
from collections.abc import Callable
from typing import Any

import fakeredis
import redis
import redis.asyncio

import alcove
import alcove.asyncio
from bench.peers import REDIS, installed, running
from bench.report import Aim, Section, Table, figure, note, times

READING = """\
Microseconds per call, the least of several rounds in which the clients took turns; Python's collector was on. "Body" is
what redis-py's own Python takes for the method: a client whose `execute_command` returns at once, and a pipeline that
forgets its commands. "Above" is what Alcove adds to that. Pipelines are of a hundred commands. "redis-py" is redis-py
over TCP to a redis-server on this machine, "fakeredis" the pure Python imitation; the factors say how many times longer
they take than Alcove."""

TIMES_REDIS_PY = 40
TIMES_FAKEREDIS = 10
ABOVE_BODY_US = 1.0

# Statements are timed as they stand; `r` is the client. What is pushed is popped by the next one, the same number of
# times.
METHODS = [
    "r.get('key')",
    "r.set('key', 'value')",
    "r.set('key', 'value', ex=60)",
    "r.incr('counter')",
    "r.exists('key')",
    "r.expire('key', 60)",
    "r.mset(ten)",
    "r.mget(names)",
    "r.hset('hash', 'field', 'value')",
    "r.hget('hash', 'field')",
    "r.hgetall('hash')",
    "r.rpush('list', 'value')",
    "r.lpop('list')",
    "r.sadd('set', 'member')",
    "r.sismember('set', 'member')",
    "r.zadd('zset', {'member': 1})",
    "r.zrank('zset', 'member')",
    "r.zrange('zset', 0, 9)",
    "r.zincrby('zset', 1, 'member')",
]
TEN = {f"key:{number}": "value" for number in range(10)}
PIPELINES = {
    "pipeline of SET": "p = r.pipeline(transaction=False)\nfor _ in hundred: p.set('key', 'value')\np.execute()",
    "pipeline of GET": "p = r.pipeline(transaction=False)\nfor _ in hundred: p.get('key')\np.execute()",
    "MULTI of SET": "p = r.pipeline()\nfor _ in hundred: p.set('key', 'value')\np.execute()",
}
HUNDRED = range(100)
NAMES = {"ten": TEN, "names": list(TEN), "hundred": HUNDRED}
ASYNCIO = "await r.get('key') under asyncio"
CALLS = ["PING", "GET key", "SET key value", "INCR counter", "HGET hash field", "ZADD zset 1 member", "LRANGE list 0 9"]

BODY, ALCOVE, REDIS_PY, FAKEREDIS = "body", "alcove", "redis-py", "fakeredis"
# Microseconds by client.
Costs = dict[str, float]


class BodyPipeline(redis.client.Pipeline):
    """redis-py's pipeline, which forgets what it was told."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        self.command_stack.clear()
        return []


class Body(redis.Redis):
    """redis-py without anything behind it."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return None

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> BodyPipeline:
        return BodyPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class AsyncBody(redis.asyncio.Redis):
    """The same for asyncio."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return None


def run(quick: bool) -> Section:
    """Methods, pipelines and asyncio on all clients; then the engine's calls alone."""
    seconds, rounds = (0.02, 3) if quick else (0.05, 15)
    section = Section("In the process", READING)
    [real] = [peer for peer in installed() if peer.name == REDIS]
    with running([real]) as [server]:
        clients = {
            BODY: Body(),
            ALCOVE: alcove.open(),
            REDIS_PY: redis.Redis(port=server.port),
            FAKEREDIS: fakeredis.FakeRedis(),
        }
        numbers = {name: round(seconds / (cost_us("r.get('key')", r, 200) / 1e6)) for name, r in clients.items()}
        for client in clients.values():
            client.set("key", "value")
            client.rpush("filled", *HUNDRED)
        methods = {method: measure(method, clients, numbers, rounds) for method in METHODS}
        pipelines = measure_pipelines(clients, numbers, rounds)
        pipelines[ASYNCIO] = measure_asyncio(server.port, numbers, rounds)
    section.tables.append(clients_table("redis-py's methods, µs", methods))
    section.tables.append(clients_table("Pipelines and asyncio, µs per command", pipelines))
    section.tables.append(calls_table(numbers[ALCOVE], rounds))
    section.aims += aims(methods)
    return section


# Measuring


def cost_us(statement: str, client: redis.Redis, number: int) -> float:
    timer = timeit.Timer(statement, "import gc; gc.enable()", globals={"r": client, **NAMES})
    return timer.timeit(number) / number * 1e6


def measure(statement: str, clients: dict[str, Any], numbers: dict[str, int], rounds: int) -> Costs:
    note(f"embedded: {statement.splitlines()[-2:][0]}")
    taken = [{name: cost_us(statement, r, numbers[name]) for name, r in clients.items()} for _ in range(rounds)]
    return least(taken)


def least(taken: list[Costs]) -> Costs:
    return {name: min(costs[name] for costs in taken) for name in taken[0]}


def measure_pipelines(clients: dict[str, Any], numbers: dict[str, int], rounds: int) -> dict[str, Costs]:
    """Per command."""
    fewer = {name: max(number // len(HUNDRED), 1) for name, number in numbers.items()}
    return {
        name: {client: us / len(HUNDRED) for client, us in measure(statement, clients, fewer, rounds).items()}
        for name, statement in PIPELINES.items()
    }


def measure_asyncio(port: int, numbers: dict[str, int], rounds: int) -> Costs:
    """One GET after the other, each awaited."""
    note(f"embedded: {ASYNCIO}")
    openers: dict[str, Callable[[], Any]] = {
        BODY: AsyncBody,
        ALCOVE: alcove.asyncio.open,
        REDIS_PY: lambda: redis.asyncio.Redis(port=port),
        FAKEREDIS: fakeredis.FakeAsyncRedis,
    }
    return least(
        [
            {name: asyncio.run(awaited_us(opener, numbers[name])) for name, opener in openers.items()}
            for _ in range(rounds)
        ]
    )


async def awaited_us(opener: Callable[[], Any], number: int) -> float:
    client = opener()
    await client.set("key", "value")
    started = time.perf_counter()
    for _ in range(number):
        await client.get("key")
    cost = (time.perf_counter() - started) / number * 1e6
    await client.aclose()
    return cost


def call_us(words: str, number: int, rounds: int) -> tuple[float, float]:
    """One command by `call` under a lock held throughout, and by `execute`, which takes it each time."""
    client = alcove.open()
    client.hset("hash", "field", "value")
    client.rpush("list", *HUNDRED)
    engine = client.engine
    session = engine.connect("bench")
    names = {"call": engine.call, "execute": engine.execute, "session": session, "argv": words.encode().split()}
    engine.enter()
    try:
        call = min(timeit.repeat("call(session, argv)", repeat=rounds, number=number, globals=names))
    finally:
        engine.leave()
    execute = min(timeit.repeat("execute(session, argv)", repeat=rounds, number=number, globals=names))
    return call / number * 1e6, execute / number * 1e6


# Tables


def clients_table(title: str, results: dict[str, Costs]) -> Table:
    columns = ["", "Body", "Alcove", "Above", "redis-py", "Factor", "fakeredis", "Factor"]
    rows = []
    for name, costs in results.items():
        cells = [figure(costs[BODY]), figure(costs[ALCOVE]), figure(costs[ALCOVE] - costs[BODY])]
        for other in (REDIS_PY, FAKEREDIS):
            cells += [figure(costs[other]), times(costs[other] / costs[ALCOVE])]
        rows.append([name, *cells])
    return Table(title, columns, rows)


def calls_table(number: int, rounds: int) -> Table:
    """The engine without redis-py."""
    rows = []
    for words in CALLS:
        call, execute = call_us(words, number, rounds)
        rows.append([words, figure(call), figure(1 / call), figure(execute), figure(1 / execute)])
    columns = ["", "call, µs", "millions/s", "execute, µs", "millions/s"]
    return Table("engine.call, and engine.execute, which takes the lock each time", columns, rows)


def aims(methods: dict[str, Costs]) -> list[Aim]:
    get = methods["r.get('key')"]
    multiples = {REDIS_PY: TIMES_REDIS_PY, FAKEREDIS: TIMES_FAKEREDIS}
    found = [
        Aim(f"get: {wanted} times as fast as {name}", times(get[name] / get[ALCOVE]), get[name] >= wanted * get[ALCOVE])
        for name, wanted in multiples.items()
    ]
    above = {method: costs[ALCOVE] - costs[BODY] for method, costs in methods.items()}
    late = [f"{method} {figure(us)}" for method, us in above.items() if us > ABOVE_BODY_US]
    wanted = f"every method at most {figure(ABOVE_BODY_US)} µs above redis-py's body"
    return [*found, Aim(wanted, ", ".join(late) or f"{figure(max(above.values()))} at most", not late)]
