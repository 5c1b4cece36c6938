"""`maxmemory` beside the real servers: what is refused when there is no room, and what redis-py makes of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from alcove.engine.declaration import DENYOOM
from alcove.errors import CommandError
from tests.commands.watched import Watched
from tests.comparison.servers import RealServer
from tests.server.wire import Client

# None of them removes the key `a`, which is more than there is room for.
CHOICES = (
    *(
        "GET a",
        "SET b 1",
        "SET a 1",
        "GETSET a 1",
        "APPEND b x",
        "SETRANGE b 1 x",
        "INCR n",
        "MSET c 1 d 2",
        "DEL b c d",
    ),
    *(
        "EXPIRE a 1000",
        "PERSIST a",
        "LPUSH l x",
        "RPOP l",
        "LREM l 1 x",
        "SADD s x",
        "SREM s x",
        "SPOP s",
        "ZADD z 1 m",
    ),
    *("ZADD z 1 m", "ZREM z m", "HSET h f v", "HDEL h f", "HINCRBY h f 1", "XADD x 1-1 f v", "XDEL x 1-1"),
    *("RENAME b c", "COPY a c", "SETBIT b 1 1", "BITOP NOT c a", "PFADD p x", "GEOADD g 1 1 m", "SINTERSTORE t s s"),
    *("MULTI", "EXEC", "DISCARD", "WATCH a", "UNWATCH", "RESET", "PING", "ECHO x", "SELECT 0", "PUBLISH c m", "DBSIZE"),
    *(
        "CONFIG GET maxmemory",
        "CLIENT ID",
        "COMMAND COUNT",
        "EXEC x",
        "GET",
        "NOSUCH",
        "OBJECT HELP",
        "TYPE a",
        "INFO x",
    ),
)
SETTING_UP = (["FLUSHALL"], ["SET", "a", "1"], ["CONFIG", "SET", "maxmemory", "1"])


def refusal(reply: Any) -> str:
    """Why a command does not run, if memory or a spoilt transaction is the cause; what else it answers is not asked."""
    text = reply.text if isinstance(reply, CommandError) else ""
    return text if text.startswith(("OOM", "EXECABORT")) else ""


def needs_no_memory(run: Watched, words: list[str]) -> bool:
    command = run.engine.registry.resolve([word.encode() for word in words])
    return words[0] not in ("EXEC", "DISCARD", "RESET") and command is not None and not command.flags & DENYOOM


def test_the_same_is_refused_as_by_the_real_servers(real: RealServer) -> None:
    run = Watched()
    chance = random.Random(7)
    is_open = False
    with Client(str(real.path)) as client:
        for words in SETTING_UP:
            client.call(*words)
            run(*words)
        for _ in range(5000):
            words = chance.choice(CHOICES).split()
            if is_open and (words[0] in ("MULTI", "WATCH") or (real.kind == "redis" and needs_no_memory(run, words))):
                # The first spoil a transaction on Valkey, and not on Redis; the others the older Redis does not queue.
                continue
            theirs = refusal(client.call(*words))
            ours = run.engine.execute(run.session, [word.encode() for word in words])
            is_open = run.session.in_multi
            assert refusal(ours) == theirs, words


def test_redis_py(r: redis.Redis) -> None:
    r.set("a", "1")
    r.config_set("maxmemory", 1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        r.set("b", "1")
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        r.pipeline().set("b", "1").execute()
    assert r.get("a") == b"1"
    r.config_set("maxmemory-policy", "allkeys-lru")
    assert r.set("b", "1")
    assert r.info("stats")["evicted_keys"] >= 1
    r.config_set("maxmemory", 0)
    assert r.set("a", "1")
