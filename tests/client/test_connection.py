"""The connection without a socket: waiting, messages, timeouts, being killed, authentication, and errors."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.cache import CacheConfig
from redis.retry import Retry

import alcove
from alcove.client.connection import EngineConnection
from alcove.client.link import SyncLink
from alcove.engine.engine import Engine
from alcove.values import Push, Status
from tests.client.compare import exact
from tests.client.engines import declare_inside, is_waiting, pushing_engine
from tests.conftest import TestClock
from tests.memory_socket import MemoryConnection
from tests.waiting import PATIENCE_S, eventually

NO_RETRY = Retry(NoBackoff(), 0)


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def client(protocol: int) -> Iterator[alcove.Redis]:
    with alcove.open(engine=pushing_engine(), protocol=protocol) as client:
        yield client


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor


@pytest.fixture
def connection(client: alcove.Redis) -> Iterator[EngineConnection]:
    """A connection of the client's pool."""
    connection = client.connection_pool.get_connection()
    yield connection
    client.connection_pool.release(connection)


def answer(connection: Any, *args: Any) -> Any:
    connection.send_command(*args)
    return connection.read_response()


# Waiting


def test_a_blocked_thread_is_woken_and_others_go_on(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    waiting = thread.submit(client.blpop, ["q", "p"], 0)
    eventually(lambda: is_waiting(client.engine))
    assert client.set("a", 1)
    assert client.client_list(_type="normal")
    client.rpush("p", "x", "y")
    assert waiting.result(PATIENCE_S) in ([b"p", b"x"], (b"p", b"x"))
    assert client.lrange("p", 0, -1) == [b"y"]


def test_waiting_in_vain(thread: ThreadPoolExecutor, protocol: int) -> None:
    clock = TestClock()
    client = alcove.open(clock=clock, protocol=protocol)
    clock.engine = client.engine
    waiting = thread.submit(client.blpop, "q", 5)
    eventually(lambda: is_waiting(client.engine))
    clock.advance(4.999)
    assert is_waiting(client.engine)
    clock.advance(0.001)
    assert waiting.result(PATIENCE_S) is None


@pytest.mark.parametrize("error", [False, True])
def test_client_unblock(client: alcove.Redis, thread: ThreadPoolExecutor, error: bool) -> None:
    waiting = thread.submit(client.blpop, "q", 0)
    eventually(lambda: is_waiting(client.engine))
    blocked = next(row["id"] for row in client.client_list() if "b" in row["flags"])
    assert client.client_unblock(int(blocked), error=error)
    if error:
        with pytest.raises(redis.ResponseError, match="UNBLOCKED client unblocked via CLIENT UNBLOCK"):
            waiting.result(PATIENCE_S)
    else:
        assert waiting.result(PATIENCE_S) is None


def test_many_wait_first_come_first_served(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    results = []
    for number in range(5):
        results.append(thread.submit(client.blpop, "q", 0))
        eventually(lambda number=number: len(client.engine.space.databases[0].waiting.get(b"q", ())) == number + 1)
    client.rpush("q", *range(5))
    assert [result.result(PATIENCE_S)[1] for result in results] == [b"0", b"1", b"2", b"3", b"4"]


def test_commands_behind_one_that_waits(client: alcove.Redis, connection: EngineConnection) -> None:
    connection.send_packed_command(
        connection.pack_commands([("BLPOP", "q", 0), ("SET", "a", 1), ("BLPOP", "q", 0), ("GET", "a")])
    )
    assert client.get("a") is None
    client.rpush("q", "x", "y")
    assert connection.read_response() == [b"q", b"x"]
    assert connection.read_response() == b"OK"
    assert connection.read_response() == [b"q", b"y"]
    assert connection.read_response() == b"1"
    assert not connection.can_read()


def test_a_muted_session_goes_on_when_its_wait_is_over(client: alcove.Redis, connection: EngineConnection) -> None:
    for command in (("CLIENT", "REPLY", "OFF"), ("BLPOP", "q", 0), ("SET", "a", 1), ("CLIENT", "REPLY", "ON")):
        connection.send_command(*command)
    client.rpush("q", "x")
    assert connection.read_response() == b"OK"
    assert client.get("a") == b"1"


def test_a_pipeline_that_waits(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    pipeline = client.pipeline(transaction=False).set("a", 1).blpop("q", 0).get("a")
    waiting = thread.submit(pipeline.execute)
    eventually(lambda: is_waiting(client.engine))
    client.rpush("q", "x")
    first, popped, last = waiting.result(PATIENCE_S)
    assert (first, list(popped), last) == (True, [b"q", b"x"], b"1")


def test_what_waits_in_a_transaction_does_not_wait(client: alcove.Redis) -> None:
    assert client.pipeline().blpop("q", 0).set("a", 1).execute() == [None, True]


# Timeouts of reads


def test_a_read_that_times_out_takes_nothing(client: alcove.Redis) -> None:
    impatient = alcove.open(engine=client, socket_timeout=0.05, retry=NO_RETRY)
    with pytest.raises(exceptions.TimeoutError, match="Timeout reading from socket"):
        impatient.blpop("q", 0)
    assert not is_waiting(client.engine)
    client.rpush("q", "x")
    assert client.llen("q") == 1
    assert impatient.lpop("q") == b"x"


def test_a_reply_that_comes_as_the_time_is_up(monkeypatch: pytest.MonkeyPatch, client: alcove.Redis) -> None:
    """The element has been popped for this reader: it gets it."""

    def too_late(link: SyncLink, until: float | None) -> None:
        client.rpush("q", "x")

    monkeypatch.setattr(SyncLink, "_wait", too_late)
    impatient = alcove.open(engine=client, socket_timeout=0.05, retry=NO_RETRY)
    assert list(impatient.blpop("q", 0)) == [b"q", b"x"]
    assert client.llen("q") == 0


def test_a_read_with_a_timeout_of_its_own_can_be_repeated(client: alcove.Redis, connection: EngineConnection) -> None:
    connection.send_command("BLPOP", "q", 0)
    for _ in range(2):
        with pytest.raises(exceptions.TimeoutError):
            connection.read_response(timeout=0, disconnect_on_error=False)
    assert not connection.can_read(timeout=0.01)
    client.rpush("q", "x")
    assert connection.can_read(timeout=PATIENCE_S)
    assert connection.read_response(timeout=0) == [b"q", b"x"]


# The end of connections


def test_a_killed_connection_is_replaced(client: alcove.Redis) -> None:
    client.ping()
    of_pool = client.client_id()
    (of_all,) = client.engine.sessions.keys() - {of_pool}
    for killed in (of_pool, of_all):
        assert client.client_kill_filter(_id=killed, skipme=False) == 1
        assert killed not in client.engine.sessions
        assert client.set("a", 1)
        assert client.client_id() != killed


def test_a_killed_connection_raises_once(client: alcove.Redis, connection: EngineConnection) -> None:
    identity = answer(connection, "CLIENT", "ID")
    client.client_kill_filter(_id=identity)
    with pytest.raises(redis.ConnectionError, match=r"Error 32 while writing to socket\. Broken pipe\."):
        connection.send_command("PING")
    assert answer(connection, "PING") == b"PONG"
    assert answer(connection, "CLIENT", "ID") != identity


def test_a_connection_killed_while_it_waits(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    other = alcove.open(engine=client, retry=NO_RETRY)
    waiting = thread.submit(other.blpop, "q", 0)
    eventually(lambda: is_waiting(client.engine))
    client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(redis.ConnectionError, match=r"Connection closed by server\."):
        waiting.result(PATIENCE_S)
    client.rpush("q", "x")
    assert client.llen("q") == 1


def test_the_engine_closed_while_a_connection_waits(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    waiting = thread.submit(client.blpop, "q", 0)
    eventually(lambda: is_waiting(client.engine))
    client.engine.close("closed for a test")
    with pytest.raises(redis.ConnectionError, match="closed for a test"):
        waiting.result(PATIENCE_S)


def test_disconnecting_in_another_thread(client: alcove.Redis, thread: ThreadPoolExecutor) -> None:
    connection = client.connection_pool.get_connection()
    connection.send_command("BLPOP", "q", 0)
    reading = thread.submit(connection.read_response)
    eventually(lambda: is_waiting(client.engine))
    connection.disconnect()
    with pytest.raises(redis.ConnectionError, match=r"Connection closed by server\."):
        reading.result(PATIENCE_S)
    assert not is_waiting(client.engine)


def test_quit(connection: EngineConnection) -> None:
    assert answer(connection, "QUIT") == b"OK"
    with pytest.raises(redis.ConnectionError):
        connection.read_response()


def test_killing_itself(client: alcove.Redis, connection: EngineConnection) -> None:
    identity = answer(connection, "CLIENT", "ID")
    assert answer(connection, "CLIENT", "KILL", "ID", identity, "SKIPME", "no") == 1
    assert identity not in client.engine.sessions
    with pytest.raises(redis.ConnectionError):
        connection.read_response()


def test_the_pool_notices_unread_replies(client: alcove.Redis) -> None:
    connection = client.connection_pool.get_connection()
    connection.send_command("PING")
    client.connection_pool.release(connection)
    assert client.execute_command("CLIENT GETNAME") is None


def test_health_checks(client: alcove.Redis) -> None:
    checked = alcove.open(engine=client, health_check_interval=1000)
    connection = checked.connection_pool.get_connection()
    assert connection.next_health_check > 0
    connection.next_health_check = 0
    assert answer(connection, "CLIENT", "GETNAME") is None
    assert connection.next_health_check > 0


def test_a_client_dropped_inside_a_command_leaves_when_the_command_is_done(client: alcove.Redis) -> None:
    """As a finalizer may do it anywhere."""
    dropped = [alcove.open(engine=client)]
    dropped[0].set("a", 1)
    dropped[0].client_id()
    client.ping()
    before = len(client.engine.sessions)
    declare_inside(client.engine, dropped.clear)
    assert client.execute_command("INSIDE") == b"OK"
    gc.collect()
    assert len(client.engine.sessions) == before - 2


def test_a_call_inside_a_command_is_an_error(client: alcove.Redis) -> None:
    declare_inside(client.engine, lambda: client.get("a"))
    with pytest.raises(RuntimeError, match="from inside one of its own commands"):
        client.execute_command("INSIDE")
    assert client.ping()


# Bytes of the protocol


def test_packed_commands(client: alcove.Redis, connection: EngineConnection) -> None:
    connection.send_packed_command(
        [b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1", memoryview(b"\r\nx\r\n*1\r\n$4\r\nPI"), b"NG\r\n"]
    )
    assert (connection.read_response(), connection.read_response()) == (b"OK", b"PONG")
    with pytest.raises(redis.ConnectionError, match="invalid bulk length"):
        connection.send_packed_command([b"*1\r\n$x\r\n"])
    assert answer(connection, "GET", "a") == b"x"


def test_packing_one_command(connection: EngineConnection) -> None:
    assert connection.pack_command("CONFIG GET", "save") == [[b"CONFIG", b"GET", b"save"]]
    assert connection.pack_commands([("GET", "é"), (b"SET", 1, 2.5)]) == [
        [b"GET", "é".encode()],
        [b"SET", b"1", b"2.5"],
    ]


# Messages


def test_subscribing(client: alcove.Redis, protocol: int) -> None:
    with client.pubsub() as listener:
        listener.subscribe("news")
        assert listener.get_message(timeout=1) == {"type": "subscribe", "pattern": None, "channel": b"news", "data": 1}
        assert listener.get_message() is None
        assert listener.get_message(timeout=0.01) is None
        assert client.publish("news", "extra") == 1
        expected = {"type": "message", "pattern": None, "channel": b"news", "data": b"extra"}
        assert listener.get_message(timeout=1) == expected
        client.publish("news", "again")
        assert next(listener.listen())["data"] == b"again"
        listener.unsubscribe("news")
        assert listener.get_message(timeout=1)["type"] == "unsubscribe"
        assert not listener.subscribed


def test_a_subscriber_in_a_thread(client: alcove.Redis) -> None:
    heard: list[Any] = []
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(news=lambda message: heard.append(message["data"]))
    worker = listener.run_in_thread(sleep_time=0.01)
    client.publish("news", "extra")
    eventually(lambda: heard)
    worker.stop()
    worker.join(PATIENCE_S)
    assert heard == [b"extra"]


def test_a_killed_subscriber_subscribes_again(client: alcove.Redis) -> None:
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    assert listener.get_message(timeout=1) is None
    client.client_kill_filter(_id=listener.connection.link.session.id)
    assert listener.get_message(timeout=1) is None
    assert client.publish("news", "extra") >= 1
    assert listener.get_message(timeout=1)["data"] == b"extra"


def test_messages_between_replies() -> None:
    with alcove.open(engine=pushing_engine(), protocol=3) as client:
        connection = client.connection_pool.get_connection()
        handled = []
        connection._parser.set_invalidation_push_handler(handled.append)
        assert answer(connection, "CLIENT", "TRACKING", "ON") == b"OK"
        client.execute_command("INVALIDATE", "a")
        assert answer(connection, "PING") == b"PONG"
        assert handled == [[b"invalidate", [b"a"]]]


def test_monitor(client: alcove.Redis) -> None:
    with client.monitor() as monitor:
        client.execute_command("SHOW", '1700000000.000001 [0 embedded:7] "SET" "a" "1"')
        assert monitor.next_command() == {
            "time": 1700000000.000001,
            "db": 0,
            "client_address": "embedded",
            "client_port": "7",
            "client_type": "tcp",
            "command": "SET a 1",
        }


def test_what_is_pushed_by_the_protocol(client: alcove.Redis, connection: EngineConnection, protocol: int) -> None:
    """In RESP2 messages are replies; in RESP3 they are not, except to who asks for them."""
    session = connection.link.session
    client.engine.enter()
    session.push(Push([b"kind", 1]))
    session.push(Status(b"line"))
    client.engine.leave()
    if protocol == 3:
        assert connection.read_response(push_request=True) == [b"kind", 1]
    else:
        assert connection.read_response() == [b"kind", 1]
    assert connection.read_response() == b"line"


def test_the_client_side_cache() -> None:
    with alcove.open(engine=pushing_engine(), protocol=3, cache_config=CacheConfig(max_size=10)) as client:
        client.set("a", 1)
        assert [client.get("a"), client.get("a")] == [b"1", b"1"]
        assert client.get_cache().size == 1
        with alcove.open(engine=client) as other:
            other.set("a", 2)
            assert client.get("a") == b"1"
            other.execute_command("INVALIDATE", "a")
        assert client.get("a") == b"2"


# Who may


def test_passwords() -> None:
    engine = alcove.open(config={"requirepass": "secret"}).engine
    for single in (False, True):
        options = {"engine": engine, "single_connection_client": single, "retry": NO_RETRY}
        with pytest.raises(exceptions.AuthenticationError):
            alcove.open(**options).ping()
        with pytest.raises(exceptions.AuthenticationError):
            alcove.open(password="wrong", **options).ping()
        with alcove.open(password="secret", **options) as client:
            assert client.ping()
            assert client.pipeline().set("a", 1).get("a").execute() == [True, b"1"]
        with alcove.open(username="default", password="secret", protocol=2, **options) as client:
            assert client.ping()


def test_the_short_way_has_the_clients_database_and_name(client: alcove.Redis) -> None:
    with alcove.open(engine=client, db=5, client_name="five") as five:
        five.set("a", 5)
        five.pipeline().set("b", 5).execute()
        assert (client.get("a"), five.dbsize()) == (None, 2)
        names = {(row["name"], row["db"]) for row in client.client_list()}
        assert ("five", "5") in names


# Errors

TEXTS = [
    "ERR plain",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOPERM this user has no permissions to run the 'get' command",
    "NOSCRIPT No matching script.",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "EXECABORT Transaction discarded because of previous errors.",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "CLUSTERDOWN The cluster is down",
    "ERR max number of clients reached",
    "ERR invalid password",
    "ERR Error loading the extension. Please check the server logs.",
    "LOADING Redis is loading the dataset in memory",
    "NOAUTH Authentication required.",
    "ERR with \r\n lines and é",
]


@pytest.mark.parametrize("text", TEXTS)
def test_errors_are_those_of_redis_py(text: str, protocol: int) -> None:
    engine = pushing_engine()
    pool = redis.ConnectionPool(MemoryConnection, engine=engine, protocol=protocol, retry=NO_RETRY)
    clients = [
        redis.Redis.from_pool(pool),
        alcove.open(engine=engine, protocol=protocol, retry=NO_RETRY),
        alcove.open(engine=engine, protocol=protocol, retry=NO_RETRY, single_connection_client=True),
    ]
    raised = []
    for client in clients:
        with pytest.raises(exceptions.RedisError) as caught:
            client.execute_command("FAIL", text)
        raised.append((exact(caught.value), vars(caught.value)))
        for transaction in (False, True):
            pipeline = client.pipeline(transaction=transaction).set("a", 1)
            pipeline.execute_command("FAIL", text)
            with pytest.raises(exceptions.RedisError) as caught:
                pipeline.get("a").execute()
            raised.append((exact(caught.value), vars(caught.value)))
    assert raised[:3] == raised[3:6] == raised[6:]


def test_empty_response(client: alcove.Redis) -> None:
    assert client.execute_command("FAIL", "ERR no", EMPTY_RESPONSE="nothing") == "nothing"
    assert client.execute_command("ECHO", "x", EMPTY_RESPONSE="nothing") == b"x"


def test_never_decode(client: alcove.Redis) -> None:
    with alcove.open(engine=client, decode_responses=True) as decoding:
        assert decoding.execute_command("ECHO", b"\xff", NEVER_DECODE=[]) == b"\xff"
        assert decoding.execute_command("ECHO", "x") == "x"
        with pytest.raises(UnicodeDecodeError):
            decoding.execute_command("ECHO", b"\xff")


def test_other_encodings(client: alcove.Redis) -> None:
    with alcove.open(engine=client, encoding="latin-1", decode_responses=True) as latin:
        latin.set("é", "ü")
        assert latin.get("é") == "ü"
        assert client.get(b"\xe9") == b"\xfc"
    with alcove.open(engine=client, encoding_errors="replace", decode_responses=True) as forgiving:
        assert forgiving.get(b"\xe9") == "�"


def test_response_callbacks(client: alcove.Redis) -> None:
    client.set_response_callback("get", lambda response, **options: (response, options))
    client.set("a", 1)
    assert client.get("a") == (b"1", {})
    assert client.execute_command("GET", "a", colour="red") == (b"1", {"colour": "red"})
    assert client.pipeline().get("a").execute() == [(b"1", {})]
    assert client.pipeline(transaction=False).get("a").execute() == [(b"1", {})]
    del client.response_callbacks["GET"]
    assert client.get("a") == b"1"


def test_what_breaks_inside_a_command_is_raised_as_it_is(client: alcove.Redis, connection: EngineConnection) -> None:
    with pytest.raises(ZeroDivisionError):
        client.execute_command("BREAK")
    with pytest.raises(ZeroDivisionError):
        connection.send_command("BREAK")
    assert client.ping()
    assert answer(connection, "PING") == b"PONG"


# Threads


def test_threads_share_a_client() -> None:
    client = alcove.open()

    def count() -> None:
        for _ in range(200):
            client.incr("n")
            client.pipeline().incr("m").incr("m").execute()

    threads = [threading.Thread(target=count) for _ in range(32)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (client.get("n"), client.get("m")) == (b"6400", b"12800")


def test_threads_pass_elements_on() -> None:
    """Every element is popped once, by somebody, whatever else goes on."""
    client = alcove.open(engine=Engine())

    def pass_on(source: str, target: str, number: int) -> None:
        for _ in range(number):
            client.rpush(target, client.blpop(source, 0)[1])

    workers = [threading.Thread(target=pass_on, args=("q0", "q1", 50)) for _ in range(4)]
    workers += [threading.Thread(target=pass_on, args=("q1", "q2", 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(200):
        client.rpush("q0", number)
    for worker in workers:
        worker.join()
    assert sorted(map(int, client.lrange("q2", 0, -1))) == list(range(200))
