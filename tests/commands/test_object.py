"""OBJECT IDLETIME and FREQ: what eviction goes by, and the settings that it follows."""

from __future__ import annotations

import pytest
import redis

from tests.conftest import TestClock

MINUTE = 60


@pytest.fixture
def lfu(r: redis.Redis) -> redis.Redis:
    r.config_set("maxmemory-policy", "allkeys-lfu")
    return r


def test_idle_time_is_since_the_last_use(r: redis.Redis, clock: TestClock) -> None:
    r.set("key", "value")
    clock.advance(30)
    assert r.object("IDLETIME", "key") == 30
    r.get("key")
    assert r.object("IDLETIME", "key") == 0


def test_a_new_key_has_time_to_be_used(lfu: redis.Redis, clock: TestClock) -> None:
    lfu.set("key", "value")
    assert lfu.object("FREQ", "key") == 5


def test_with_factor_zero_every_use_counts(lfu: redis.Redis, clock: TestClock) -> None:
    lfu.config_set("lfu-log-factor", 0)
    lfu.rpush("key", "element")
    for _ in range(20):
        lfu.lrange("key", 0, -1)
    assert lfu.object("FREQ", "key") == 25
    for _ in range(240):
        lfu.lrange("key", 0, -1)
    assert lfu.object("FREQ", "key") == 255


@pytest.mark.parametrize("command", ["INCR key", "INCRBYFLOAT key 1.5", "EXPIRE key 100", "PERSIST key", "SET key 1"])
def test_a_write_is_one_use(lfu: redis.Redis, clock: TestClock, command: str) -> None:
    lfu.config_set("lfu-log-factor", 0)
    lfu.set("key", "123456")
    lfu.execute_command(*command.split())
    assert lfu.object("FREQ", "key") == 6


def test_with_a_high_factor_only_the_first_use_counts(lfu: redis.Redis, clock: TestClock) -> None:
    lfu.config_set("lfu-log-factor", 2**31 - 1)
    lfu.set("key", "value")
    for _ in range(50):
        lfu.get("key")
    assert lfu.object("FREQ", "key") == 6


@pytest.mark.parametrize(("decay_time", "left"), [(1, 0), (2, 1), (3, 2), (10, 5), (0, 5)])
def test_counters_fade_by_the_decay_time(lfu: redis.Redis, clock: TestClock, decay_time: int, left: int) -> None:
    lfu.config_set("lfu-decay-time", decay_time)
    lfu.set("key", "value")
    clock.advance(9 * MINUTE)
    assert lfu.object("FREQ", "key") == left


def test_what_has_faded_is_gone_with_the_next_use(lfu: redis.Redis, clock: TestClock) -> None:
    lfu.config_set("lfu-log-factor", 0, "lfu-decay-time", 2)
    lfu.set("key", "value")
    clock.advance(4 * MINUTE)
    lfu.get("key")
    assert lfu.object("FREQ", "key") == 4
