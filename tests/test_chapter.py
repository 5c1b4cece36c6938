"""The chapter's redis-cli transcripts: the same replies by redis-cli over the wire, and by a client in the process.

Replies are written as redis-cli shows them. Where the chapter's own transcript is mistaken (it counts two players
between 900 and 1000 where there are three), the reply is the real server's.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
import redis
import redis.asyncio

import alcove
import alcove.asyncio

STRINGS = """
SET user:1:name "Alice Johnson"                              | OK
GET user:1:name                                              | "Alice Johnson"
MSET user:1:email "alice@example.com" user:1:age "28"        | OK
MGET user:1:name user:1:email user:1:age                     | 1) "Alice Johnson" 2) "alice@example.com" 3) "28"
SET page:views 100                                           | OK
INCR page:views                                              | (integer) 101
INCRBY page:views 10                                         | (integer) 111
DECR page:views                                              | (integer) 110
SET greeting "Hello"                                         | OK
APPEND greeting " World"                                     | (integer) 11
GET greeting                                                 | "Hello World"
SETEX session:abc123 3600 "user-data"                        | OK
SETNX user:1:name "Bob"                                      | (integer) 0
EXISTS user:1:name                                           | (integer) 1
DEL user:1:age                                               | (integer) 1
"""

HASHES = """
HSET user:1 name "Alice Johnson"                             | (integer) 1
HGET user:1 name                                             | "Alice Johnson"
HMSET user:1 email "alice@example.com" age 28 city "New York" | OK
HGETALL user:1 | 1) "name" 2) "Alice Johnson" 3) "email" 4) "alice@example.com" 5) "age" 6) "28" 7) "city" 8) "New York"
HMGET user:1 name email                                      | 1) "Alice Johnson" 2) "alice@example.com"
HDEL user:1 city                                             | (integer) 1
HEXISTS user:1 name                                          | (integer) 1
HSET product:1 views 100                                     | (integer) 1
HINCRBY product:1 views 1                                    | (integer) 101
HKEYS user:1                                                 | 1) "name" 2) "email" 3) "age"
HVALS user:1                                                 | 1) "Alice Johnson" 2) "alice@example.com" 3) "28"
HLEN user:1                                                  | (integer) 3
HMSET session:abc123 userId "507f1f77bcf86cd799439011" username "alice" loginTime "2024-01-15T10:00:00Z" | OK
HSET session:abc123 lastActivity "2024-01-15T10:35:00Z"      | (integer) 1
EXPIRE session:abc123 3600                                   | (integer) 1
"""

LISTS = """
LPUSH queue:tasks "task1"                                    | (integer) 1
RPUSH queue:tasks "task2" "task3"                            | (integer) 3
LRANGE queue:tasks 0 -1                                      | 1) "task1" 2) "task2" 3) "task3"
LRANGE queue:tasks 0 1                                       | 1) "task1" 2) "task2"
LPOP queue:tasks                                             | "task1"
RPOP queue:tasks                                             | "task3"
LLEN queue:tasks                                             | (integer) 1
RPUSH mylist "a" "b" "c"                                     | (integer) 3
LINDEX mylist 1                                              | "b"
LSET mylist 1 "B"                                            | OK
RPUSH numbers 1 2 3 4 5                                      | (integer) 5
LTRIM numbers 0 2                                            | OK
LRANGE numbers 0 -1                                          | 1) "1" 2) "2" 3) "3"
BLPOP queue:tasks 10                                         | 1) "queue:tasks" 2) "task2"
LPUSH feed:user:1 "Alice liked your post"                    | (integer) 1
LPUSH feed:user:1 "Bob commented on your photo"              | (integer) 2
LPUSH feed:user:1 "Carol started following you"              | (integer) 3
LRANGE feed:user:1 0 9 | 1) "Carol started following you" 2) "Bob commented on your photo" 3) "Alice liked your post"
LTRIM feed:user:1 0 99                                       | OK
LLEN feed:user:1                                             | (integer) 3
"""

SETS = """
SADD tags:post:1 "mongodb" "nosql" "database"                | (integer) 3
SADD tags:post:1 "mongodb"                                   | (integer) 0
SMEMBERS tags:post:1                                         | 1) "mongodb" 2) "nosql" 3) "database"
SISMEMBER tags:post:1 "mongodb"                              | (integer) 1
SREM tags:post:1 "database"                                  | (integer) 1
SCARD tags:post:1                                            | (integer) 2
SADD set1 "a" "b" "c"                                        | (integer) 3
SADD set2 "b" "c" "d"                                        | (integer) 3
SINTER set1 set2                                             | 1) "b" 2) "c"
SUNION set1 set2                                             | 1) "a" 2) "b" 3) "c" 4) "d"
SDIFF set1 set2                                              | 1) "a"
SINTERSTORE common set1 set2                                 | (integer) 2
SADD visitors:2024-01-15 "user:1" "user:2" "user:3"          | (integer) 3
SADD visitors:2024-01-16 "user:2" "user:3" "user:4"          | (integer) 3
SCARD visitors:2024-01-15                                    | (integer) 3
SINTER visitors:2024-01-15 visitors:2024-01-16               | 1) "user:2" 2) "user:3"
SUNION visitors:2024-01-15 visitors:2024-01-16               | 1) "user:1" 2) "user:2" 3) "user:3" 4) "user:4"
"""

SORTED_SETS = """
ZADD leaderboard 1000 "alice" 850 "bob" 950 "carol"          | (integer) 3
ZRANGE leaderboard 0 -1                                      | 1) "bob" 2) "carol" 3) "alice"
ZRANGE leaderboard 0 -1 WITHSCORES          | 1) "bob" 2) "850" 3) "carol" 4) "950" 5) "alice" 6) "1000"
ZREVRANGE leaderboard 0 2 WITHSCORES        | 1) "alice" 2) "1000" 3) "carol" 4) "950" 5) "bob" 6) "850"
ZRANK leaderboard "bob"                                      | (integer) 0
ZREVRANK leaderboard "alice"                                 | (integer) 0
ZSCORE leaderboard "alice"                                   | "1000"
ZINCRBY leaderboard 50 "bob"                                 | "900"
ZCOUNT leaderboard 900 1000                                  | (integer) 3
ZRANGEBYSCORE leaderboard 900 1000 WITHSCORES | 1) "bob" 2) "900" 3) "carol" 4) "950" 5) "alice" 6) "1000"
ZREM leaderboard "bob"                                       | (integer) 1
ZCARD leaderboard                                            | (integer) 2
ZADD game:leaderboard 15000 "player1" 12000 "player2" 18000 "player3" | (integer) 3
ZREVRANGE game:leaderboard 0 9 WITHSCORES | 1) "player3" 2) "18000" 3) "player1" 4) "15000" 5) "player2" 6) "12000"
ZREVRANK game:leaderboard "player1"                          | (integer) 1
ZINCRBY game:leaderboard 500 "player1"                       | "15500"
ZRANGEBYSCORE game:leaderboard 15000 20000 WITHSCORES        | 1) "player1" 2) "15500" 3) "player3" 4) "18000"
"""

EXPIRATION = """
SETEX session:abc123 3600 "user-data"                        | OK
SET mykey "value"                                            | OK
EXPIRE mykey 300                                             | (integer) 1
TTL mykey                                                    | (integer) 300
PEXPIRE mykey 500000                                         | (integer) 1
EXPIREAT mykey 4102444800                                    | (integer) 1
SET mykey "value"                                            | OK
EXPIRE mykey 3600 NX                                         | (integer) 1
EXPIRE mykey 7200 XX                                         | (integer) 1
EXPIRE mykey 1800 GET                                        | (integer) 7200
TTL mykey                                                    | (integer) 1800
SET persistent-key 1                                         | OK
TTL persistent-key                                           | (integer) -1
TTL nonexistent                                              | (integer) -2
PERSIST mykey                                                | (integer) 1
TTL mykey                                                    | (integer) -1
"""

TRANSACTIONS = """
MULTI                                                        | OK
SET key1 value1                                              | QUEUED
INCR counter                                                 | QUEUED
EXEC                                                         | 1) OK 2) (integer) 1
MULTI                                                        | OK
SET key1 other                                               | QUEUED
DISCARD                                                      | OK
GET key1                                                     | "value1"
WATCH key1                                                   | OK
UNWATCH                                                      | OK
"""

# The lock of section 3.2.4: set if nobody has it, released only by who has it.
_RELEASE = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end'
LOCK = f"""
SET lock:resource mine PX 10000 NX       | OK
SET lock:resource other PX 10000 NX      | (nil)
EVAL '{_RELEASE}' 1 lock:resource other  | (integer) 0
EVAL '{_RELEASE}' 1 lock:resource mine   | (integer) 1
EXISTS lock:resource                     | (integer) 0
"""

TRANSCRIPTS = {
    "lock": LOCK,
    "strings": STRINGS,
    "hashes": HASHES,
    "lists": LISTS,
    "sets": SETS,
    "sorted sets": SORTED_SETS,
    "expiration": EXPIRATION,
    "transactions": TRANSACTIONS,
}
WITHOUT_ORDER = {"SMEMBERS", "SINTER", "SUNION"}


def steps(transcript: str) -> list[tuple[str, str]]:
    pairs = (line.split("|") for line in transcript.strip().splitlines())
    return [(command.strip(), reply.strip()) for command, reply in pairs]


def shown(reply: Any) -> str:
    """A reply on RESP2 as redis-cli shows it, on one line."""
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, list):
        return " ".join(f"{place}) {shown(item)}" for place, item in enumerate(reply, 1))
    text = reply.decode()
    return text if text in ("OK", "QUEUED") else f'"{text}"'


def alike(command: str, reply: str, expected: str) -> bool:
    if command.split(maxsplit=1)[0] not in WITHOUT_ORDER:
        return reply == expected
    items = [set(text.split('"')[1::2]) for text in (reply, expected)]
    return items[0] == items[1]


@pytest.mark.parametrize("section", TRANSCRIPTS)
def test_in_the_process(section: str) -> None:
    with alcove.open(protocol=2, single_connection_client=True) as client:
        client.response_callbacks.clear()
        for command, expected in steps(TRANSCRIPTS[section]):
            reply = shown(client.execute_command(*shlex.split(command)))
            assert alike(command, reply, expected), (command, reply)


@pytest.mark.parametrize("section", TRANSCRIPTS)
def test_by_redis_cli(section: str) -> None:
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    commands = steps(TRANSCRIPTS[section])
    with alcove.serve(port=0) as server:
        # An echo ends each reply; in a transaction it would be queued.
        mark = "" if section == "transactions" else "ECHO --\n"
        lines = "".join(f"{command}\n{mark}" for command, _ in commands)
        output = subprocess.run(
            ["redis-cli", "--no-raw", "-p", str(server.port)],
            input=lines,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    if not mark:
        assert output.split() == " ".join(expected for _, expected in commands).split()
        return
    replies = [" ".join(part.split()) for part in output.split('"--"')[:-1]]
    for (command, expected), reply in zip(commands, replies, strict=True):
        assert alike(command, reply, " ".join(expected.split())), (command, reply)


# Section 3.2.3: messages. The first is published while `news` is listened to, the others while `news:*` is.
NEWS = "Breaking: MongoDB 7.0 released!"
MORE_NEWS = {"news:tech": "New tech article", "news:sports": "Game results", "news:weather": "Sunny today"}


def test_messages_by_redis_cli() -> None:
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    with alcove.serve(port=0) as server:
        cli = ["redis-cli", "--no-raw", "-p", str(server.port)]

        def publish(channel: str, message: str) -> str:
            words = [*cli, "PUBLISH", channel, message]
            return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout.strip()

        with subprocess.Popen([*cli, "SUBSCRIBE", "news"], stdout=subprocess.PIPE, text=True) as first:
            assert lines_of(first, 4)[1:] == ['1) "subscribe"', '2) "news"', "3) (integer) 1"]
            assert publish("news", NEWS) == "(integer) 1"
            assert lines_of(first, 3) == ['1) "message"', '2) "news"', f'3) "{NEWS}"']
            first.kill()
        with subprocess.Popen([*cli, "PSUBSCRIBE", "news:*"], stdout=subprocess.PIPE, text=True) as second:
            assert lines_of(second, 4)[1:] == ['1) "psubscribe"', '2) "news:*"', "3) (integer) 1"]
            for channel, message in MORE_NEWS.items():
                assert publish(channel, message) == "(integer) 1"
                assert lines_of(second, 4) == ['1) "pmessage"', '2) "news:*"', f'3) "{channel}"', f'4) "{message}"']
            second.kill()


def lines_of(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


@contextmanager
def opened(leg: str) -> Iterator[redis.Redis]:
    """redis-py's client of an engine in the process, or of a server."""
    if leg == "process":
        with alcove.open(decode_responses=True) as client:
            yield client
    else:
        with alcove.serve(port=0) as server, redis.Redis(port=server.port, decode_responses=True) as client:
            yield client


@pytest.mark.parametrize("leg", ["process", "server"])
def test_messages_by_redis_py(leg: str) -> None:
    with opened(leg) as client, client.pubsub() as subscriber:
        subscriber.subscribe("news")
        subscriber.psubscribe("news:*")
        assert [subscriber.get_message(timeout=30)["data"] for _ in range(2)] == [1, 2]
        assert client.publish("news", NEWS) == 1
        assert [client.publish(channel, message) for channel, message in MORE_NEWS.items()] == [1, 1, 1]
        received = {}
        for message in subscriber.listen():
            received[message["channel"]] = message["data"]
            if len(received) == 4:
                break
        assert received == {"news": NEWS, **MORE_NEWS}
        subscriber.unsubscribe("news")
        subscriber.punsubscribe("news:*")
        assert [subscriber.get_message(timeout=30)["data"] for _ in range(2)] == [1, 0]
        assert client.publish("news", NEWS) == client.publish("news:tech", NEWS) == 0


@pytest.mark.parametrize("leg", ["process", "server"])
def test_messages_in_a_thread(leg: str) -> None:
    with opened(leg) as client:
        received: Queue[tuple[str, str]] = Queue()
        subscriber = client.pubsub(ignore_subscribe_messages=True)
        subscriber.psubscribe(**{"news:*": lambda message: received.put((message["channel"], message["data"]))})
        worker = subscriber.run_in_thread(sleep_time=0.01)
        while client.pubsub_numpat() == 0:
            time.sleep(0.01)
        assert [client.publish(channel, message) for channel, message in MORE_NEWS.items()] == [1, 1, 1]
        assert [received.get(timeout=30) for _ in MORE_NEWS] == list(MORE_NEWS.items())
        worker.stop()
        worker.join(30)
        assert not worker.is_alive()


@pytest.mark.parametrize("leg", ["process", "server"])
def test_messages_by_redis_py_asynchronously(leg: str) -> None:
    async def run(client: redis.asyncio.Redis) -> None:
        async with client, client.pubsub() as subscriber:
            await subscriber.subscribe("news")
            await subscriber.psubscribe("news:*")
            assert [(await subscriber.get_message(timeout=30))["data"] for _ in range(2)] == [1, 2]
            assert await client.publish("news", NEWS) == 1
            assert [await client.publish(channel, text) for channel, text in MORE_NEWS.items()] == [1, 1, 1]
            received = {}
            async for message in subscriber.listen():
                received[message["channel"]] = message["data"]
                if len(received) == 4:
                    break
            assert received == {"news": NEWS, **MORE_NEWS}
            await subscriber.unsubscribe("news")
            await subscriber.punsubscribe("news:*")
            assert [(await subscriber.get_message(timeout=30))["data"] for _ in range(2)] == [1, 0]
            assert await client.publish("news", NEWS) == await client.publish("news:tech", NEWS) == 0

    async def main() -> None:
        if leg == "process":
            await run(alcove.asyncio.open(decode_responses=True))
        else:
            with alcove.serve(port=0) as server:
                await run(redis.asyncio.Redis(port=server.port, decode_responses=True))

    asyncio.run(main())
