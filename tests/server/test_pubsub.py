"""Subscribers of a running server: many of one channel, slow ones, and those who publish from the process."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
import redis

import alcove
from alcove.server.server import Server
from alcove.values import OK, Push
from tests.server.wire import Client
from tests.waiting import eventually

Connect = Callable[[], Client]
Start = Callable[..., Server]

KB = 1024
MB = 1024 * KB


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def subscriber(connect: Connect, protocol: int = 2) -> Client:
    client = connect()
    if protocol == 3:
        client.call("HELLO", 3)
    assert client.call("SUBSCRIBE", "a") == (
        [b"subscribe", b"a", 1] if protocol == 2 else Push([b"subscribe", b"a", 1])
    )
    return client


def test_a_thousand_subscribers_get_everything_in_order(many_files: None, client: Client, connect: Connect) -> None:
    subscribers = [subscriber(connect, 2 + number % 2) for number in range(1000)]
    for number in range(20):
        client.send("PUBLISH", "a", number)
    assert [client.reply() for _ in range(20)] == [1000] * 20
    for each in subscribers:
        assert [each.reply()[2] for _ in range(20)] == [b"%d" % number for number in range(20)]


def test_each_protocol_has_its_form(client: Client, connect: Connect) -> None:
    old, new, other = subscriber(connect, 2), subscriber(connect, 3), subscriber(connect, 2)
    assert client.call("PUBLISH", "a", "m") == 3
    for each, kind in ((old, list), (new, Push), (other, list)):
        message = each.reply()
        assert type(message) is kind
        assert message == [b"message", b"a", b"m"]


def test_messages_and_replies_of_one_connection_keep_their_order(connect: Connect) -> None:
    one = subscriber(connect, 3)
    for number in range(100):
        one.send("PUBLISH", "a", number)
        one.send("ECHO", number)
    for number in range(100):
        echoed = b"%d" % number
        assert [one.reply() for _ in range(3)] == [1, [b"message", b"a", echoed], echoed]


def test_who_does_not_read_is_cut_off_and_others_are_served(start: Start) -> None:
    server = start(client_output_buffer_limit="pubsub 2mb 0 0")
    with ExitStack() as opened:
        connect = lambda: opened.enter_context(Client(server))  # noqa: E731
        lazy = [subscriber(connect) for _ in range(10)]
        keen, publisher = subscriber(connect), connect()
        received = 0
        while publisher.call("PUBLISH", "a", b"x" * 100 * KB) > 1:
            assert keen.reply()[2] == b"x" * 100 * KB
            received += 1
            assert received < 1000, "nobody is cut off"
            sizes = [int(row["tot-mem"]) for row in rows(publisher)]
            assert max(sizes) < 3 * MB
        assert received * 100 * KB > 2 * MB
        assert keen.reply()[0] == b"message"
        for each in lazy:
            assert each.reply()[0] == b"message"
        assert [row["id"] for row in rows(publisher)] == [str(identity(publisher, keen))]


def until_closed(client: Client) -> list[object]:
    """What comes before the server closes the connection."""
    received = []
    with suppress(EOFError, ConnectionResetError):
        while True:
            received.append(client.reply())
    return received


def rows(client: Client) -> list[dict[str, str]]:
    """The subscribers in CLIENT LIST."""
    lines = client.call("CLIENT", "LIST", "TYPE", "pubsub").decode().splitlines()
    return [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]


def identity(client: Client, other: Client) -> int:
    lines = client.call("CLIENT", "LIST").decode().splitlines()
    return next(int(line.split("=")[1].split(" ")[0]) for line in lines if f"addr={other.address} " in line)


def test_other_classes_have_other_limits(start: Start) -> None:
    server = start(client_output_buffer_limit="pubsub 1mb 0 0")
    with Client(server) as client:
        assert len(client.call("FILL", 2 * MB)) == 2 * MB
        client.call("SUBSCRIBE", "a")
        client.call("UNSUBSCRIBE")
        assert len(client.call("FILL", 2 * MB)) == 2 * MB


def test_a_large_message(client: Client, connect: Connect) -> None:
    one, other = subscriber(connect), subscriber(connect, 3)
    text = bytes(range(256)) * (16 * KB)
    assert client.call("PUBLISH", "a", text) == 2
    assert one.reply()[2] == other.reply()[2] == text


def test_a_client_of_the_process_publishes_to_those_of_the_server(server: Server, connect: Connect) -> None:
    subscribers = [subscriber(connect, 2 + number % 2) for number in range(20)]
    with alcove.open(engine=server.engine) as here:
        for number in range(200):
            assert here.publish("a", number) == 20
    for each in subscribers:
        assert [each.reply()[2] for _ in range(200)] == [b"%d" % number for number in range(200)]


def test_what_the_process_publishes_waits_for_slow_readers_only_up_to_their_limit(start: Start) -> None:
    """While a thread of the process has the lock nothing is sent; what is to be sent is bounded all the same."""
    server = start(client_output_buffer_limit="pubsub 1mb 0 0")
    with Client(server) as one, Client(server) as other, alcove.open(engine=server.engine) as here:
        for each, channel in ((one, "a"), (other, "b")):
            each.call("SUBSCRIBE", channel)
        with here.pipeline() as pipe:
            for _ in range(100):
                pipe.publish("a", b"x" * 100 * KB)
            assert pipe.publish("b", "m").execute() == [1] * 101
        assert other.reply()[2] == b"m"
        assert len(until_closed(one)) <= 10
        eventually(lambda: here.publish("a", "m") == 0)
        assert here.publish("b", "n") == 1
        assert other.reply()[2] == b"n"
        # What stays below the limit is there in order, however often.
        for number in range(50):
            here.publish("b", b"%d" % number * 10 * KB)
            assert other.reply()[2] == b"%d" % number * 10 * KB


def test_clients_of_the_server_publish_to_one_of_the_process(server: Server, client: Client) -> None:
    with alcove.open(engine=server.engine) as here, here.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("a")
        for number in range(100):
            client.send("PUBLISH", "a", number)
        assert [client.reply() for _ in range(100)] == [1] * 100
        data = []
        while len(data) < 100:
            if (message := listener.get_message(timeout=1)) is not None:
                data.append(int(message["data"]))
    assert data == list(range(100))


def test_subscribers_come_and_go_while_others_publish(server: Server) -> None:
    stop = threading.Event()

    def publish() -> None:
        with redis.Redis(port=server.port) as publisher:
            while not stop.is_set():
                publisher.publish("a", "m")

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(50):
        with Client(server) as each:
            each.call("SUBSCRIBE", "a")
            assert each.reply() == [b"message", b"a", b"m"]
            if number % 2:
                each.send("RESET")
                while (reply := each.reply()) == [b"message", b"a", b"m"]:
                    pass
                assert reply == b"RESET"
                assert each.call("SET", "key", "value") == OK
    stop.set()
    for thread in threads:
        thread.join()
    with Client(server) as client:
        eventually(lambda: client.call("PUBSUB", "NUMSUB", "a") == [b"a", 0])
