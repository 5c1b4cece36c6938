"""redis-py's PubSub objects over an engine in this process: messages, threads, tasks, and what ends them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis import exceptions

import alcove
import alcove.asyncio
from alcove.engine.clock import ManualClock
from tests.waiting import PATIENCE_S, eventually

KB = 1024


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def decode(request: pytest.FixtureRequest) -> bool:
    answer: bool = request.param
    return answer


@pytest.fixture
def client(protocol: int, decode: bool) -> Iterator[alcove.Redis]:
    with alcove.open(protocol=protocol, decode_responses=decode) as client:
        yield client


def seen(client: Any, text: str) -> Any:
    """How a text comes out of a client that decodes, or does not."""
    return text if client.get_encoder().decode_responses else text.encode()


def message(kind: str, pattern: Any, channel: Any, data: Any) -> dict[str, Any]:
    return {"type": kind, "pattern": pattern, "channel": channel, "data": data}


# One after the other


def test_a_message_and_what_came_before_it(client: alcove.Redis) -> None:
    with client.pubsub() as listener:
        listener.subscribe("a")
        assert listener.get_message(timeout=PATIENCE_S) == message("subscribe", None, seen(client, "a"), 1)
        assert listener.get_message() is None
        assert client.publish("a", "hello") == 1
        expected = message("message", None, seen(client, "a"), seen(client, "hello"))
        assert listener.get_message(timeout=PATIENCE_S) == expected
        assert listener.get_message() is None


def test_patterns_and_shard_channels(client: alcove.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("n*")
        listener.ssubscribe("news")
        assert listener.get_message(timeout=PATIENCE_S) is None
        assert listener.get_message(timeout=PATIENCE_S) is None
        client.publish("news", "plain")
        client.spublish("news", "sharded")
        news = seen(client, "news")
        first, second = (listener.get_message(timeout=PATIENCE_S) for _ in range(2))
        assert first == message("pmessage", seen(client, "n*"), news, seen(client, "plain"))
        assert second == message("smessage", None, news, seen(client, "sharded"))


def test_get_message_waits_for_what_another_thread_publishes(client: alcove.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("a")
        assert listener.get_message() is None
        timer = threading.Timer(0.05, client.publish, ("a", "late"))
        timer.start()
        got = listener.get_message(timeout=PATIENCE_S)
        timer.join()
    assert got is not None
    assert got["data"] == seen(client, "late")


def test_listen_ends_with_the_last_subscription(client: alcove.Redis) -> None:
    with client.pubsub() as listener:
        listener.subscribe("a", "b")
        kinds = []
        for got in listener.listen():
            kinds.append((got["type"], got["data"]))
            if kinds[-1] == ("subscribe", 2):
                client.publish("b", "m")
            elif got["type"] == "message":
                listener.unsubscribe()
    assert kinds == [
        ("subscribe", 1),
        ("subscribe", 2),
        ("message", seen(client, "m")),
        ("unsubscribe", 1),
        ("unsubscribe", 0),
    ]


def test_handlers_by_channel_pattern_and_shard_channel(client: alcove.Redis) -> None:
    handled: list[tuple[str, Any]] = []

    def handler(name: str) -> Any:
        return lambda got: handled.append((name, got["data"]))

    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(a=handler("channel"))
        listener.psubscribe(**{"a*": handler("pattern")})
        listener.ssubscribe(a=handler("shard"))
        client.publish("a", "1")
        client.spublish("a", "2")
        eventually(lambda: listener.get_message() is None and len(handled) == 3)
    one, two = seen(client, "1"), seen(client, "2")
    assert handled == [("channel", one), ("pattern", one), ("shard", two)]


def test_a_ping_is_answered_between_messages(protocol: int) -> None:
    with alcove.open(protocol=protocol) as client, client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("a")
        assert listener.get_message() is None
        listener.ping("here")
        got = listener.get_message(timeout=PATIENCE_S)
        assert got is not None
        assert (got["type"], got["data"]) == ("pong", b"here")


def test_a_closed_listener_is_no_receiver(client: alcove.Redis) -> None:
    listener = client.pubsub()
    listener.subscribe("a")
    assert client.publish("a", "m") == 1
    listener.close()
    assert client.publish("a", "m") == 0
    assert client.pubsub_channels() == []


# In a thread


def test_run_in_thread_until_it_is_stopped(client: alcove.Redis) -> None:
    got: list[Any] = []
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(a=lambda each: got.append(each["data"]))
    worker = listener.run_in_thread(sleep_time=0.01)
    for number in range(100):
        client.publish("a", number)
    eventually(lambda: len(got) == 100)
    worker.stop()
    worker.join(PATIENCE_S)
    assert not worker.is_alive()
    assert got == [seen(client, str(number)) for number in range(100)]
    assert client.publish("a", "m") == 0


def test_run_in_thread_hands_errors_to_the_handler(client: alcove.Redis) -> None:
    errors: list[BaseException] = []

    def fail(got: Any) -> None:
        raise ValueError("of a handler")

    def note(error: BaseException, listener: Any, worker: Any) -> None:
        errors.append(error)
        worker.stop()

    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(a=fail)
    worker = listener.run_in_thread(sleep_time=0.01, exception_handler=note)
    client.publish("a", "m")
    worker.join(PATIENCE_S)
    assert not worker.is_alive()
    assert [str(error) for error in errors] == ["of a handler"]


def test_threads_that_publish_and_threads_that_listen(client: alcove.Redis) -> None:
    """Each listener gets all messages of each publisher in the order in which that one sent them."""
    count, publishers = 300, 3
    listeners = [client.pubsub(ignore_subscribe_messages=True) for _ in range(4)]
    got: list[list[tuple[int, int]]] = [[] for _ in listeners]

    def listen(listener: Any, into: list[tuple[int, int]]) -> None:
        while len(into) < count * publishers:
            each = listener.get_message(timeout=PATIENCE_S)
            if each is not None:
                who, number = each["data"].split() if isinstance(each["data"], str) else each["data"].decode().split()
                into.append((int(who), int(number)))

    def publish(who: int) -> None:
        for number in range(count):
            client.publish("a", f"{who} {number}")

    for listener in listeners:
        listener.subscribe("a")
    threads = [
        *(threading.Thread(target=listen, args=pair) for pair in zip(listeners, got, strict=True)),
        *(threading.Thread(target=publish, args=(who,)) for who in range(publishers)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for listener, received in zip(listeners, got, strict=True):
        listener.close()
        for who in range(publishers):
            assert [number for each, number in received if each == who] == list(range(count))


# What ends a connection, and what comes after


def test_who_is_killed_subscribes_again(client: alcove.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("a")
        listener.psubscribe("b*")
        listener.ssubscribe("c")
        assert listener.get_message() is None
        client.client_kill_filter(_type="pubsub")
        assert client.publish("a", "lost") == 0
        assert listener.get_message(timeout=0.01) is None
        eventually(lambda: listener.get_message() is None and client.pubsub_numpat() == 1)
        assert client.publish("a", "1") + client.publish("bb", "2") + client.spublish("c", "3") == 3
        data: list[Any] = []
        while len(data) < 3:
            got = listener.get_message(timeout=PATIENCE_S)
            if got is not None:
                data.append(got["data"])
        assert data == [seen(client, number) for number in "123"]


def test_a_closed_engine_ends_listeners(client: alcove.Redis) -> None:
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("a")
    closing = threading.Timer(0.05, client.engine.close, ("the end",))
    closing.start()
    with pytest.raises(exceptions.ConnectionError, match="the end"):
        for _ in listener.listen():
            pass
    closing.join()


def limited(hard: int, soft: int = 0, seconds: int = 0, **options: Any) -> alcove.Redis:
    return alcove.open(config={"client-output-buffer-limit": f"pubsub {hard} {soft} {seconds}"}, **options)


def test_who_does_not_read_is_cut_off(protocol: int) -> None:
    with limited(100 * KB, protocol=protocol) as client:
        lazy, keen = client.pubsub(), client.pubsub(ignore_subscribe_messages=True)
        lazy.subscribe("a")
        keen.subscribe("a")
        keen.get_message()
        link = lazy.connection.link
        taken = 0
        while not link.closed:
            assert link.unread_bytes < 100 * KB
            assert client.publish("a", b"x" * KB) == 2
            assert keen.get_message(timeout=PATIENCE_S) is not None
            taken += 1
        assert 80 < taken < 101
        assert client.pubsub_numsub("a")[0][1] == 1
        assert link._inbox.qsize() == 1
        # It comes back by itself, as after any loss of its connection, and what it had not read is gone.
        lazy.get_message(timeout=0.01)
        eventually(lambda: lazy.get_message() is None and client.pubsub_numsub("a")[0][1] == 2)


def test_the_soft_limit_lasts_a_while() -> None:
    clock = ManualClock()
    with limited(0, 10 * KB, 60, clock=clock) as client:
        lazy = client.pubsub()
        lazy.subscribe("a")
        for _ in range(20):
            client.publish("a", b"x" * KB)
        clock.advance(59)
        assert client.publish("a", "m") == 1
        clock.advance(2)
        assert client.publish("a", "too much") == 1
        assert client.publish("a", "m") == 0


def test_a_reader_that_catches_up_starts_afresh() -> None:
    clock = ManualClock()
    with limited(0, 10 * KB, 60, clock=clock) as client:
        slow = client.pubsub()
        slow.subscribe("a")
        for _ in range(20):
            client.publish("a", b"x" * KB)
        while slow.get_message() is not None:
            pass
        assert slow.connection.link.unread_bytes == 0
        clock.advance(61)
        assert client.publish("a", "m") == 1
        assert client.publish("a", "m") == 1


def test_what_others_see_of_unread_messages() -> None:
    with alcove.open() as client, client.pubsub() as lazy:
        lazy.subscribe("a")
        client.publish("a", b"x" * KB)
        (row,) = client.client_list(_type="pubsub")
        assert KB < int(row["tot-mem"]) < 2 * KB


# Asynchronously


Test = Callable[[alcove.asyncio.Redis], Awaitable[None]]


@pytest.fixture
def run(protocol: int, decode: bool) -> Callable[[Test], None]:
    """Runs a test with a client."""

    async def main(test: Test) -> None:
        async with alcove.asyncio.open(protocol=protocol, decode_responses=decode) as client:
            async with asyncio.timeout(PATIENCE_S):
                await test(client)

    return lambda test: asyncio.run(main(test))


def test_asynchronous_messages(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        async with aio.pubsub() as listener:
            await listener.subscribe("a")
            await listener.psubscribe("a*")
            got = [await listener.get_message(timeout=PATIENCE_S) for _ in range(2)]
            assert [(each["type"], each["data"]) for each in got if each] == [("subscribe", 1), ("psubscribe", 2)]
            assert await listener.get_message() is None
            assert await aio.publish("a", "hello") == 2
            first, second = [await listener.get_message(timeout=PATIENCE_S) for _ in range(2)]
            a, hello = seen(aio, "a"), seen(aio, "hello")
            assert first == message("message", None, a, hello)
            assert second == message("pmessage", seen(aio, "a*"), a, hello)

    run(test)


def test_asynchronous_shard_channels(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        async with aio.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.ssubscribe("a")
            assert await aio.execute_command("SPUBLISH", "a", "m") == 1
            got = None
            while got is None:
                got = await listener.get_message(timeout=PATIENCE_S)
            assert got == message("smessage", None, seen(aio, "a"), seen(aio, "m"))

    run(test)


def test_get_message_awaits_what_another_task_publishes(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        async with aio.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe("a")
            await listener.get_message()
            waiting = asyncio.create_task(listener.get_message(timeout=PATIENCE_S))
            await asyncio.sleep(0)
            await aio.publish("a", "late")
            got = await waiting
            assert got is not None
            assert got["data"] == seen(aio, "late")

    run(test)


def test_asynchronous_listen(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        async with aio.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe("a")

            async def publish() -> None:
                for number in range(50):
                    await aio.publish("a", number)

            publishing = asyncio.create_task(publish())
            data: list[Any] = []
            async for got in listener.listen():
                data.append(got["data"])
                if len(data) == 50:
                    break
            await publishing
        assert data == [seen(aio, str(number)) for number in range(50)]

    run(test)


def test_asynchronous_run(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        data: list[Any] = []
        enough = asyncio.Event()

        async def handle(got: Any) -> None:
            data.append(got["data"])
            if len(data) == 2:
                enough.set()

        async with aio.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe(a=handle)
            running = asyncio.create_task(listener.run(poll_timeout=0.01))
            await aio.publish("a", "1")
            await aio.publish("a", "2")
            await asyncio.wait_for(enough.wait(), PATIENCE_S)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert data == [seen(aio, "1"), seen(aio, "2")]

    run(test)


def test_a_thread_publishes_to_a_task(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        with alcove.open(engine=aio.engine) as client:
            async with aio.pubsub(ignore_subscribe_messages=True) as listener:
                await listener.subscribe("a")
                await listener.get_message()
                await asyncio.to_thread(lambda: [client.publish("a", number) for number in range(200)])
                data = []
                while len(data) < 200:
                    got = await listener.get_message(timeout=PATIENCE_S)
                    if got is not None:
                        data.append(got["data"])
        assert data == [seen(aio, str(number)) for number in range(200)]

    run(test)


def test_who_is_killed_subscribes_again_asynchronously(run: Callable[[Test], None]) -> None:
    async def test(aio: alcove.asyncio.Redis) -> None:
        async with aio.pubsub(ignore_subscribe_messages=True) as listener:
            await listener.subscribe("a")
            await listener.get_message()
            await aio.client_kill_filter(_type="pubsub")
            while (await aio.pubsub_numsub("a"))[0][1] == 0:
                assert await listener.get_message(timeout=0.01) is None
            await aio.publish("a", "m")
            got = None
            while got is None:
                got = await listener.get_message(timeout=PATIENCE_S)
            assert got["data"] == seen(aio, "m")

    run(test)


def test_a_task_that_does_not_read_is_cut_off(protocol: int) -> None:
    async def main() -> None:
        config = {"client-output-buffer-limit": f"pubsub {100 * KB} 0 0"}
        async with alcove.asyncio.open(config=config, protocol=protocol) as client:
            lazy = client.pubsub()
            await lazy.subscribe("a")
            link = lazy.connection.link
            receivers = [await client.publish("a", b"x" * KB) for _ in range(200)]
            assert 80 < sum(receivers) < 101
            assert link.closed
            assert len(link._inbox) == 1
            await lazy.aclose()

    asyncio.run(main())
