"""The asynchronous client: waiting in the event loop, cancelling, taking turns, messages, and pipelines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

import alcove
import alcove.asyncio
from alcove.client.aio_clients import COMMANDS_IN_A_ROW
from alcove.client.link import AsyncLink
from tests.client.engines import is_waiting, pushing_engine
from tests.waiting import PATIENCE_S, eventually

NO_RETRY = Retry(NoBackoff(), 0)
Test = Callable[[alcove.asyncio.Redis], Awaitable[None]]


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Runs a test in an event loop, with a client over an engine of its own."""

    async def main(test: Test) -> None:
        async with alcove.asyncio.open(engine=pushing_engine(), protocol=request.param) as client:
            async with asyncio.timeout(PATIENCE_S):
                await test(client)

    return lambda test: asyncio.run(main(test))


async def until_waiting(client: alcove.asyncio.Redis) -> None:
    while not is_waiting(client.engine):
        await asyncio.sleep(0.001)


def started(client: alcove.asyncio.Redis, *keys: str) -> asyncio.Task[Any]:
    return asyncio.create_task(client.blpop(list(keys), 0))


def test_commands(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        assert isinstance(client, redis.asyncio.Redis)
        assert await client.set("a", 1)
        assert await asyncio.gather(*(client.incr("a") for _ in range(100))) == list(range(2, 102))
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            await client.lpush("a", 1)
        assert [key async for key in client.scan_iter()] == [b"a"]

    run(test)


def test_nothing_happens_before_it_is_awaited(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        setting: Coroutine[Any, Any, Any] = client.set("a", 1)
        assert await client.get("a") is None
        assert await setting

    run(test)


def test_waiting_tasks_are_woken(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        first = started(client, "q", "p")
        await until_waiting(client)
        await client.rpush("p", "x")
        assert list(await first) == [b"p", b"x"]
        second = started(client, "q")
        await until_waiting(client)
        threading.Thread(target=alcove.open(engine=client).rpush, args=("q", "y")).start()
        assert list(await second) == [b"q", b"y"]

    run(test)


def test_waiting_in_vain(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        assert await client.blpop(["q"], 0.01) is None
        impatient = alcove.asyncio.open(engine=client, socket_timeout=0.01, retry=NO_RETRY)
        with pytest.raises(exceptions.TimeoutError):
            await impatient.blpop(["q"], 0)
        assert not is_waiting(client.engine)

    run(test)


def test_client_unblock(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        waiting = started(client, "q")
        await until_waiting(client)
        blocked = next(row["id"] for row in await client.client_list() if "b" in row["flags"])
        await client.client_unblock(int(blocked), error=True)
        with pytest.raises(redis.ResponseError, match="UNBLOCKED"):
            await waiting

    run(test)


def test_a_cancelled_task_leaves_nothing_behind(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        for cancel in (lambda task: task.cancel(), None):
            task = started(client, "q")
            await until_waiting(client)
            if cancel:
                cancel(task)
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(task, 0)
            assert not is_waiting(client.engine)
            assert client.engine.space.databases[0].waiting == {}
            await client.rpush("q", "x")
            assert await client.lpop("q") == b"x"

    run(test)


def test_a_task_cancelled_before_it_begins(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        task = started(client, "q")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.rpush("q", "x")
        assert await client.llen("q") == 1

    run(test)


def test_an_element_that_came_as_the_task_was_cancelled(run: Callable[[Test], None]) -> None:
    """The task gets it, and is cancelled where it waits next."""

    async def test(client: alcove.asyncio.Redis) -> None:
        got = []

        async def work() -> None:
            while True:
                got.append((await client.blpop(["q"], 0))[1])
                await asyncio.sleep(0)
                got.append(b"it went on")

        task = asyncio.create_task(work())
        await until_waiting(client)
        await client.rpush("q", "x")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert got == [b"x"]
        assert task.cancelled()
        assert await client.llen("q") == 0

    run(test)


def test_an_element_that_came_as_the_task_ended(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        task = started(client, "q")
        await until_waiting(client)
        await client.rpush("q", "x")
        task.cancel()
        assert list(await task) == [b"q", b"x"]

    run(test)


def test_an_element_that_came_as_the_time_was_up(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            waiting = client.blpop(["q"], 0)

            def too_late() -> None:
                alcove.open(engine=client).rpush("q", "x")
                limit.reschedule(loop.time())

            loop.call_later(0.01, too_late)
            popped = await waiting
        assert list(popped) == [b"q", b"x"]
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 0

    run(test)


def test_a_task_group_that_fails_ends_its_waiting_tasks(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        async def fail() -> None:
            await until_waiting(client)
            await client.rpush("q", "x")
            raise ZeroDivisionError

        popped = []

        async def pop() -> None:
            popped.append(await client.blpop(["q"], 0))
            await client.blpop(["q"], 0)

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(pop())
                group.create_task(fail())

        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        assert len(popped) + await client.llen("q") == 1
        assert not is_waiting(client.engine)

    run(test)


def test_cancelled_at_random_nothing_is_lost(run: Callable[[Test], None]) -> None:
    """Consumers come and go while elements come from another thread: each is popped once, or still there."""

    async def test(client: alcove.asyncio.Redis) -> None:
        other = alcove.open(engine=client)
        producer = threading.Thread(target=lambda: [other.rpush("q", number) for number in range(500)])
        got: list[int] = []
        producer.start()
        while producer.is_alive() or await client.llen("q"):
            tasks = [asyncio.create_task(client.blpop(["q"], 0)) for _ in range(4)]
            for _ in range(3):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(result, BaseException):
                    got.append(int(result[1]))
        producer.join()
        assert sorted(got) == list(range(500))

    run(test)


def test_commands_that_never_wait_let_others_run(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for _ in range(10 * COMMANDS_IN_A_ROW):
            await client.get("a")
        assert turns >= 9
        task.cancel()

    run(test)


def test_a_response_is_not_lost_while_others_have_their_turn(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        got = []

        async def work() -> None:
            got.append(await client.lpop("q"))
            await asyncio.sleep(0)
            got.append(b"it went on")

        await client.rpush("q", "x")
        for _ in range(COMMANDS_IN_A_ROW - 2):
            await client.ping()
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        assert (got, await client.llen("q")) == ([], 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert got == [b"x"]

    run(test)


def test_pipelines(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        for transaction in (False, True):
            async with client.pipeline(transaction=transaction) as pipe:
                assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]
                pipe.set("a", "x").incr("a")
                with pytest.raises(redis.ResponseError, match=r"Command # 2 \(INCRBY a 1\) of pipeline"):
                    await pipe.execute()
        await client.set("a", 1)
        async with client.pipeline() as pipe:
            await pipe.watch("a")
            assert await pipe.get("a") == b"1"
            pipe.multi()
            pipe.set("a", 2)
            await client.set("a", 9)
            with pytest.raises(exceptions.WatchError):
                await pipe.execute()

        async def double(pipe: Any) -> None:
            value = int(await pipe.get("a"))
            pipe.multi()
            pipe.set("a", 2 * value)

        assert await client.transaction(double, "a") == [True]
        assert await client.get("a") == b"18"

    run(test)


def test_awaitable_response_callbacks(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        async def shout(response: bytes, **options: Any) -> bytes:
            await asyncio.sleep(0)
            return response.upper()

        client.set_response_callback("GET", shout)
        await client.set("a", "quiet")
        assert await client.get("a") == b"QUIET"
        assert await client.pipeline().get("a").execute() == [b"QUIET"]
        assert await client.pipeline(transaction=False).get("a").execute() == [b"QUIET"]

    run(test)


def test_subscribing(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        async with client.pubsub() as listener:
            await listener.subscribe("news")
            assert (await listener.get_message(timeout=1))["type"] == "subscribe"
            assert await listener.get_message(timeout=0.01) is None
            other = alcove.open(engine=client)
            waiting = asyncio.create_task(listener.get_message(timeout=PATIENCE_S))
            await asyncio.sleep(0.01)
            threading.Thread(target=other.publish, args=("news", "extra")).start()
            assert (await waiting)["data"] == b"extra"
            waiting = asyncio.create_task(listener.get_message(timeout=PATIENCE_S))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await client.publish("news", "later")
            assert (await listener.get_message(timeout=1))["data"] == b"later"
            await client.client_kill_filter(_id=listener.connection.link.session.id)
            assert (await listener.get_message(timeout=1))["type"] == "subscribe"
            await client.publish("news", "again")
            assert (await listener.get_message(timeout=1))["data"] == b"again"

    run(test)


def test_monitor(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        async with client.monitor() as monitor:
            await client.execute_command("SHOW", '1700000000.000001 [0 embedded:7] "GET" "a"')
            assert (await monitor.next_command())["command"] == "GET a"

    run(test)


def test_messages_between_replies() -> None:
    async def test() -> None:
        async with alcove.asyncio.open(engine=pushing_engine(), protocol=3) as client:
            connection = await client.connection_pool.get_connection()
            handled = []

            async def handle(message: list[Any]) -> None:
                handled.append(message)

            connection._parser.set_invalidation_push_handler(handle)
            await connection.send_command("CLIENT", "TRACKING", "ON")
            assert await connection.read_response() == b"OK"
            await client.execute_command("INVALIDATE", "a")
            await connection.process_invalidation_messages()
            assert handled == [[b"invalidate", [b"a"]]]
            await connection.send_packed_command(b"*1\r\n$4\r\nPING\r\n")
            assert await connection.read_response() == b"PONG"
            await connection.disconnect()

    asyncio.run(test())


def test_killed_connections(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        await client.ping()
        killed = await client.client_id()
        for identity in list(client.engine.sessions):
            assert await client.client_kill_filter(_id=identity, skipme=False) == 1
            assert await client.set("a", 1)
        assert await client.client_id() != killed
        other = alcove.asyncio.open(engine=client, retry=NO_RETRY)
        waiting = asyncio.create_task(other.blpop(["q"], 0))
        await until_waiting(client)
        await client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(redis.ConnectionError, match=r"Connection closed by server\."):
            await waiting
        connection = await client.connection_pool.get_connection()
        await client.client_kill_filter(_id=connection.link.session.id)
        with pytest.raises(redis.ConnectionError, match=r"Error 32 while writing to socket\. Broken pipe\."):
            await connection.send_command("PING")
        await client.connection_pool.release(connection)

    run(test)


def test_a_single_connection(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        async with client.client() as single:
            await single.execute_command("SELECT", 3)
            await single.set("a", 1)
            assert await single.client_id() == await single.client_id()
        assert await client.get("a") is None

    run(test)


def test_a_loop_that_ends_while_a_task_waits_harms_nobody() -> None:
    client = alcove.open()

    async def begin() -> None:
        asynchronous = alcove.asyncio.open(engine=client)
        connection = await asynchronous.connection_pool.get_connection()
        await connection.send_command("BLPOP", "q", 0)
        waiting.append(connection.link)
        reading = connection.link.receive()
        reading.send(None)
        waiting.append(reading)

    waiting: list[Any] = []
    asyncio.run(begin())
    assert client.rpush("q", "x") == 1
    assert client.ping()
    waiting.pop().close()


def test_several_loops_share_an_engine() -> None:
    client = alcove.open()

    async def pop() -> Any:
        async with alcove.asyncio.open(engine=client) as asynchronous:
            return await asynchronous.blpop(["q"], 0)

    popped: list[Any] = []
    threads = [threading.Thread(target=lambda: popped.append(asyncio.run(pop()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(client.engine.space.databases[0].waiting.get(b"q", ())) == 3)
    client.rpush("q", "x", "y", "z")
    for thread in threads:
        thread.join()
    assert sorted(element for _, element in popped) == [b"x", b"y", b"z"]


def test_one_client_in_several_loops() -> None:
    client = alcove.asyncio.open()
    for element in (b"x", b"y"):

        async def pop(element: bytes = element) -> Any:
            waiting = started(client, "q")
            await until_waiting(client)
            await client.rpush("q", element)
            return await waiting

        assert list(asyncio.run(pop())) == [b"q", element]


def test_what_the_link_says_when_there_is_something_to_read(run: Callable[[Test], None]) -> None:
    async def test(client: alcove.asyncio.Redis) -> None:
        connection = await client.connection_pool.get_connection()
        link = connection.link
        assert isinstance(link, AsyncLink)
        assert not await connection.can_read()
        await connection.send_command("PING")
        assert await connection.can_read()
        await client.connection_pool.release(connection)
        assert await client.execute_command("CLIENT GETNAME") is None

    run(test)
