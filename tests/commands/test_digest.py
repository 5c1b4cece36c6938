"""DEBUG DIGEST: the same for the same contents, however they came to be, and another for any others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import alcove

FILL = [
    "SET string value",
    "SET number 12345 PX 100000000",
    "RPUSH list a b 3",
    "SADD set 3 1 2",
    "SADD names b a c",
    "ZADD zset 1.5 a 2 b",
    "HSET hash f 1 g 2",
    "HPEXPIREAT hash 9999999999999 FIELDS 1 f",
    "XADD stream 1-1 f v",
    "XADD stream 2-1 f v",
    "XGROUP CREATE stream g 0",
    "XREADGROUP GROUP g c COUNT 1 STREAMS stream >",
]
CHANGES = [
    "APPEND string x",
    "PERSIST number",
    "LSET list 0 b",
    "SREM set 3",
    "ZADD zset 1.25 a",
    "HSET hash g 3",
    "HPERSIST hash FIELDS 1 f",
    "XADD stream 3-1 f v",
    "XACK stream g 1-1",
    "RENAME string other",
    "MOVE string 3",
    "DEL zset",
]


def opened(folder: Path | None = None, **config: object) -> alcove.Redis:
    return alcove.open(folder, config={"enable-debug-command": "yes", **config})


def digest(client: alcove.Redis) -> bytes:
    answer: bytes = client.execute_command("DEBUG", "DIGEST")
    return answer


@pytest.fixture
def filled() -> Iterator[alcove.Redis]:
    with opened() as client:
        for line in FILL:
            client.execute_command(*line.split())
        yield client


def test_nothing_has_zeros() -> None:
    with opened() as client:
        assert digest(client) == b"0" * 40
        client.set("a", 1)
        assert digest(client) != b"0" * 40
        client.delete("a")
        assert digest(client) == b"0" * 40


def test_it_does_not_matter_how_contents_came_to_be(filled: alcove.Redis) -> None:
    small = {"hash-max-listpack-entries": 0, "set-max-intset-entries": 0, "zset-max-listpack-entries": 0}
    with opened(**small) as other:
        for line in ["SADD names c b a", "HSET hash g 2 f 1", *FILL]:
            other.execute_command(*line.split())
        # Deadlines are told in time from now.
        other.execute_command("PEXPIREAT", "number", filled.execute_command("PEXPIRETIME", "number"))
        assert filled.object("encoding", "hash") != other.object("encoding", "hash")
        keys = filled.keys("*")
        values = filled.execute_command("DEBUG", "DIGEST-VALUE", *keys)
        theirs = other.execute_command("DEBUG", "DIGEST-VALUE", *keys)
        pending = keys.index(b"stream")
        # When it was delivered belongs to what is pending.
        assert [each for at, each in enumerate(values) if at != pending] == [
            each for at, each in enumerate(theirs) if at != pending
        ]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(filled: alcove.Redis, change: str) -> None:
    before = digest(filled)
    assert digest(filled) == before
    filled.execute_command(*change.split())
    assert digest(filled) != before


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    client = opened(tmp_path)
    for line in FILL:
        client.execute_command(*line.split())
    before = digest(client)
    for rewrite in (False, True):
        client.engine.close()
        client = opened(tmp_path)
        assert digest(client) == before
        if rewrite:
            client.bgrewriteaof()
    client.engine.close()


def test_values_of_keys(filled: alcove.Redis) -> None:
    one, none, other = filled.execute_command("DEBUG", "DIGEST-VALUE", "string", "nothing", "list")
    assert none == b"0" * 40
    assert len({one, none, other}) == 3
