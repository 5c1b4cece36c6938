"""Rate limits: the chapter's class, each algorithm against a model, several rules at once, refunds, failures."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import OutOfMemoryError

import alcove.asyncio
import alcove.patterns.asyncio
from alcove.patterns import (
    Decision,
    InvalidArgument,
    NeverAllowed,
    OutcomeUnknown,
    RateLimiter,
    RateLimitExceeded,
    Rule,
    RulesApart,
)
from alcove.patterns.core.limits import LARGEST_LOG, UNKNOWN_WAIT_S
from tests.conftest import TestClock
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded

# A window that does not end while a test runs, nor gives back anything.
YEAR_S = 365 * 86_400
ALGORITHMS = ["fixed-window", "sliding-log", "sliding-counter", "token-bucket", "gcra"]


# The chapter's class


@pytest.mark.parametrize("method", ["check_limit", "check_sliding_window"])
def test_the_chapters_way(toolkit: Toolkit, method: str) -> None:
    check = getattr(toolkit.make("RateLimiter", limit=3, window=20 * toolkit.unit), method)
    for left in (2, 1, 0):
        decision = check("user1")
        assert (decision.allowed, decision.remaining, decision.limit, decision.retry_after) == (True, left, 3, 0)
        assert 15 * toolkit.unit < decision.reset_in <= 20 * toolkit.unit
    with pytest.raises(RateLimitExceeded, match=r"Rate limit exceeded. Try again in \d+ seconds.") as caught:
        check("user1")
    assert 15 * toolkit.unit < caught.value.retry_after <= 20 * toolkit.unit
    assert check("user2").remaining == 2
    toolkit.pass_time(20.1)
    assert check("user1").remaining == 2


def test_the_defaults_are_the_chapters(toolkit: Toolkit) -> None:
    decision = toolkit.make("RateLimiter").check_limit(42)
    assert (decision.limit, decision.remaining, decision.reset_in) == (100, 99, 3600)


def test_a_crash_between_two_trips_limits_for_ever_by_the_chapter_and_not_here(toolkit: Toolkit) -> None:
    """INCR, and the process is gone before EXPIRE: the count stays. Here is no between, and no key without an end."""
    client = toolkit.client
    assert client.incr("ratelimit:theirs") == 1
    limiter = toolkit.make("RateLimiter", limit=1, window=5 * toolkit.unit)
    limiter.check_limit("ours")
    toolkit.pass_time(5.1)
    assert client.incr("ratelimit:theirs") == 2
    assert client.ttl("ratelimit:theirs") == -1
    assert limiter.check_limit("ours").allowed
    assert [client.pttl(key) > 0 for key in client.scan_iter("ratelimit:{ours}*")] == [True, True]


def at_once(count: int, act: Any) -> list[Any]:
    """What so many threads get, that begin together."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        results.append(act())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_concurrent_callers_pass_the_chapters_window_and_not_ours(live_toolkit: Toolkit) -> None:
    """Trim, count and add are three trips there: all count before one adds."""
    client = live_toolkit.client
    counted = threading.Barrier(6)

    def chapters_check() -> bool:
        if client.zcard("ratelimit:theirs") >= 3:
            return False
        counted.wait()
        client.zadd("ratelimit:theirs", {str(threading.get_ident()): 1})
        return True

    assert sum(at_once(6, chapters_check)) == 6
    limiter = live_toolkit.make("RateLimiter", rules=[Rule(limit=3, window=60, algorithm="sliding-log")])
    assert sum(at_once(6, lambda: limiter.hit("ours").allowed)) == 3


# Algorithms


class Model:
    """What each algorithm allows, on a clock in milliseconds and with fractions that are exact."""

    def __init__(self, algorithm: str, limit: int, window: int, burst: int) -> None:
        self.algorithm = algorithm
        self.limit, self.window, self.burst = limit, window, burst
        self.hits: list[tuple[int, int]] = []
        self.began = -window
        self.level, self.since = 0, 0

    def used(self, now: int) -> float:
        if self.algorithm == "fixed-window":
            return sum(cost for when, cost in self.hits if self.began <= when) if now < self.began + self.window else 0
        if self.algorithm == "sliding-log":
            return sum(cost for when, cost in self.hits if when > now - self.window)
        if self.algorithm == "sliding-counter":
            current = now // self.window
            in_current = sum(cost for when, cost in self.hits if when // self.window == current)
            before = sum(cost for when, cost in self.hits if when // self.window == current - 1)
            return in_current + before * (self.window - now % self.window) / self.window
        level = max(0, self.level - (now - self.since) * self.limit)
        return level / self.window

    def most(self) -> int:
        return self.burst if self.algorithm in ("token-bucket", "gcra") else self.limit

    def allows(self, now: int, cost: int) -> bool:
        return self.used(now) + cost <= self.most()

    def hit(self, now: int, cost: int) -> bool:
        if not self.allows(now, cost):
            return False
        if now >= self.began + self.window:
            self.began = now
        self.level = max(0, self.level - (now - self.since) * self.limit) + cost * self.window
        self.since = now
        self.hits.append((now, cost))
        return True


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def client(clock: TestClock) -> Iterator[redis.Redis]:
    place = Embedded(clock)
    clock.engine = place.engine
    with place.client() as client:
        yield client


def milliseconds(client: redis.Redis) -> int:
    seconds, micros = client.time()  # type: ignore[misc]
    return int(seconds * 1000 + micros // 1000)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(4))
def test_a_model_agrees(client: redis.Redis, clock: TestClock, algorithm: str, seed: int) -> None:
    """Random costs at random times; and what is told of waiting is exact to the millisecond."""
    chance = random.Random(seed)
    limit, window = chance.choice([(7, 1000), (1, 64), (20, 333), (5, 4096)])
    is_bucket = algorithm in ("token-bucket", "gcra")
    burst = chance.randint(1, 2 * limit) if is_bucket else limit
    rule = Rule(limit=limit, window=window / 1000, algorithm=algorithm, burst=burst if is_bucket else None)  # type: ignore[arg-type]
    limiter = RateLimiter(client, rules=[rule])
    model = Model(algorithm, limit, window, burst)
    for _ in range(150):
        clock.advance(chance.randrange(window // 2) / 1024)
        now = milliseconds(client)
        cost = chance.randint(1, burst)
        expected = model.hit(now, cost)
        decision = limiter.hit("ann", cost)
        assert decision.allowed == expected
        assert decision.at_ms == now
        assert decision.remaining == max(0, math.floor(model.most() - model.used(now) + 1e-9))
        if not expected:
            wait = round(decision.retry_after * 1000)
            assert wait > 0
            assert not model.allows(now + wait - 1, cost)
            assert model.allows(now + wait, cost)
        quiet = round(decision.reset_in * 1000)
        assert model.used(now + quiet) == 0
        assert quiet == 0 or model.used(now + quiet - 1) > 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_states_end_by_themselves(toolkit: Toolkit, algorithm: str) -> None:
    limiter = toolkit.make("RateLimiter", 5, 5 * toolkit.unit, algorithm=algorithm, once=False)
    decision = limiter.hit("ann", 3)
    assert len([*toolkit.client.scan_iter()]) == 1
    toolkit.pass_time(decision.reset_in / toolkit.unit + 0.2)
    assert [*toolkit.client.scan_iter()] == []
    assert limiter.peek("ann").remaining == 5


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_told_to_wait_is_enough(toolkit: Toolkit, algorithm: str) -> None:
    limiter = toolkit.make("RateLimiter", 4, 2 * toolkit.unit, algorithm=algorithm)
    while (decision := limiter.hit("ann", 2)).allowed:
        pass
    toolkit.pass_time(decision.retry_after / toolkit.unit)
    assert limiter.hit("ann", 2).allowed


def test_a_log_keeps_no_more_than_the_limit(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 50, 8 * toolkit.unit, algorithm="sliding-log")
    for _ in range(2):
        for cost in (20, 20, 20, 9, 1, 1):
            limiter.hit("ann", cost)
        assert toolkit.client.zcard(f"ratelimit:{{ann}}:sliding-log:{round(8000 * toolkit.unit)}") == 50
        toolkit.pass_time(8.1)


def test_a_log_takes_large_costs(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 5000, 60, algorithm="sliding-log")
    assert limiter.hit("ann", 3500).remaining == 1500
    assert not limiter.hit("ann", 1501).allowed
    assert limiter.hit("ann", 1500).remaining == 0


def test_a_burst_may_be_smaller_and_larger_than_the_limit(client: redis.Redis, clock: TestClock) -> None:
    for burst in (2, 30):
        limiter = RateLimiter(client, 10, 10, algorithm="gcra", burst=burst)
        assert [limiter.hit(burst).allowed for _ in range(burst + 1)] == [True] * burst + [False]
        assert limiter.peek(burst).retry_after == 1
        clock.advance(1)
        assert [limiter.hit(burst).allowed for _ in range(2)] == [True, False]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_limit_counts_what_was_used_under_the_old(client: redis.Redis, algorithm: Any) -> None:
    RateLimiter(client, 10, 60, algorithm=algorithm).hit("ann", 8)
    assert not RateLimiter(client, 5, 60, algorithm=algorithm).hit("ann").allowed
    assert RateLimiter(client, 5, 60, algorithm=algorithm).peek("ann").remaining == 0
    assert RateLimiter(client, 20, 60, algorithm=algorithm).peek("ann").remaining >= 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_clock_set_back_makes_nobody_wait_for_it(client: redis.Redis, clock: TestClock, algorithm: Any) -> None:
    """The state of a future that will not come, as the server's clock went back by a day."""
    now = milliseconds(client) + 86_400_000
    states = {"fixed-window": "3", "sliding-counter": f"{now // 10_000} 3 3", "token-bucket": f"30000 {now}"}
    states["gcra"] = states["token-bucket"]
    key = f"ratelimit:{{ann}}:{algorithm}:10000"
    if algorithm == "sliding-log":
        client.zadd(key, {f"{now}-{number:07}": now for number in range(3)})
    else:
        client.set(key, states[algorithm], pxat=now)
    limiter = RateLimiter(client, 3, 10, algorithm=algorithm)
    decision = limiter.hit("ann")
    assert not decision.allowed
    assert decision.reset_in <= (20 if algorithm == "sliding-counter" else 10)
    clock.advance(decision.retry_after - 0.125)
    assert limiter.hit("ann").retry_after <= 0.2
    clock.advance(0.125)
    assert limiter.hit("ann").allowed


# Several rules


def some_rules() -> list[Rule]:
    return [
        Rule(by="user", limit=3, window=600),
        Rule(by="ip", limit=5, window=600, algorithm="sliding-log"),
        Rule(by="all", name="global", limit=7, window=600, algorithm="gcra"),
    ]


def test_several_rules_count_together_or_not_at_all(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", rules=some_rules(), tag="api")

    def hit(user: str, ip: str) -> Decision:
        return limiter.hit({"user": user, "ip": ip, "all": "all"})

    assert [hit("ann", "1").allowed for _ in range(4)] == [True, True, True, False]
    decision = hit("ann", "1")
    assert [verdict.rule.label for verdict in decision.denied_by] == ["user"]
    # What denied nothing has counted nothing.
    assert [verdict.remaining for verdict in decision.verdicts] == [0, 2, 4]
    assert [hit("bob", "1").allowed for _ in range(3)] == [True, True, False]
    assert [verdict.remaining for verdict in hit("bob", "1").verdicts] == [1, 0, 2]
    assert [hit("cy", "2").allowed for _ in range(3)] == [True, True, False]
    # A hit may have no id of some kind: nobody is signed in.
    assert limiter.peek({"ip": "3"}).remaining == 5


def test_ids_on_several_nodes_are_told(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", rules=some_rules(), on_failure="allow")
    who = {"user": "ann", "ip": "10.0.0.1", "all": "all"}
    if "cluster" not in toolkit.place.url():
        assert limiter.hit(who).allowed
        return
    with pytest.raises(RulesApart):
        limiter.hit(who)
    assert limiter.hit({"user": "ann"}).remaining == 2
    assert limiter.reset(who) is None


def test_several_rules_for_one_id(toolkit: Toolkit) -> None:
    rules = [Rule(name="burst", limit=2, window=60), Rule(name="hourly", limit=100, window=3600)]
    limiter = toolkit.make("RateLimiter", rules=rules)
    limiter.hit("ann")
    limiter.hit("ann")
    decision = limiter.hit("ann")
    assert (decision.allowed, decision.limit, decision.remaining) == (False, 2, 0)
    assert decision.verdicts[1].remaining == 98


def test_many_at_once_are_counted_exactly(live_toolkit: Toolkit) -> None:
    rules = [Rule(by="user", limit=25, window=60), Rule(by="all", limit=60, window=60, algorithm="sliding-log")]
    limiter = live_toolkit.make("RateLimiter", rules=rules, tag="t")
    users = iter(["ann", "bob", "cy"] * 4)

    def play() -> tuple[str, int]:
        user = next(users)
        return user, sum(limiter.hit({"user": user, "all": 1}).allowed for _ in range(15))

    allowed = at_once(12, play)
    assert sum(count for _, count in allowed) == 60
    for user in ("ann", "bob", "cy"):
        count = sum(count for name, count in allowed if name == user)
        assert limiter.peek({"user": user}).remaining == 25 - count


PROCESS = """
import sys, alcove
from alcove.patterns import RateLimiter
limiter = RateLimiter(alcove.from_url(sys.argv[1]), 50, int(sys.argv[2]), algorithm="sliding-log")
print(sum(limiter.hit("ann").allowed for _ in range(30)))
"""


def test_many_processes_are_counted_exactly(live_toolkit: Toolkit) -> None:
    url = live_toolkit.place.url()
    limiter = live_toolkit.make("RateLimiter", 50, YEAR_S, algorithm="sliding-log")
    # A process that keeps its data to itself has no others on the same limit.
    others = 2 if url else 0
    command = [sys.executable, "-c", PROCESS, url, str(YEAR_S)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(others)]
    ours = sum(limiter.hit("ann").allowed for _ in range(30 if others else 60))
    assert ours + sum(int(process.communicate(timeout=60)[0]) for process in processes) == 50


# Costs, refunds, trials


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_refunds(toolkit: Toolkit, algorithm: str) -> None:
    limiter = toolkit.make("RateLimiter", 10, YEAR_S, algorithm=algorithm)
    first = limiter.hit("ann", 6)
    limiter.hit("ann", 3)
    assert not limiter.hit("ann", 2).allowed
    limiter.refund(first, 4)
    assert limiter.peek("ann").remaining == 5
    limiter.refund(first, 2)
    assert limiter.peek("ann").remaining == 7
    assert limiter.hit("ann", 7).allowed
    limiter.refund(limiter.hit("ann", 5))
    assert limiter.peek("ann").remaining == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_can_be_given_back(toolkit: Toolkit, algorithm: str) -> None:
    limiter = toolkit.make("RateLimiter", 3, YEAR_S, algorithm=algorithm)
    for _ in range(3):
        limiter.refund(limiter.hit("ann", 3))
    assert limiter.hit("ann", 3).remaining == 0


@pytest.mark.parametrize("algorithm", ["fixed-window", "sliding-log"])
def test_what_is_over_cannot_be_given_back(client: redis.Redis, clock: TestClock, algorithm: Any) -> None:
    limiter = RateLimiter(client, 10, 60, algorithm=algorithm)
    old = limiter.hit("ann", 4)
    clock.advance(61)
    limiter.hit("ann", 5)
    limiter.refund(old)
    assert limiter.peek("ann").remaining == 5


def test_a_refund_is_for_the_window_of_the_hit(client: redis.Redis, clock: TestClock) -> None:
    limiter = RateLimiter(client, 10, 60, algorithm="sliding-counter")
    clock.advance(60 - milliseconds(client) % 60_000 / 1000)
    old = limiter.hit("ann", 8)
    clock.advance(60)
    assert limiter.hit("ann", 2).remaining == 0
    limiter.refund(old)
    assert limiter.peek("ann").remaining == 8
    clock.advance(120)
    limiter.hit("ann", 3)
    limiter.refund(old)
    assert limiter.peek("ann").remaining == 7


def test_a_rule_on_trial_denies_nothing(toolkit: Toolkit) -> None:
    rules = [
        Rule(name="old", limit=4, window=60),
        Rule(name="new", limit=2, window=YEAR_S, algorithm="sliding-counter", shadow=True),
    ]
    limiter = toolkit.make("RateLimiter", rules=rules)
    decisions = [limiter.hit("ann") for _ in range(5)]
    assert [decision.allowed for decision in decisions] == [True] * 4 + [False]
    assert [[verdict.rule.label for verdict in decision.denied_by] for decision in decisions] == [
        [],
        [],
        ["new"],
        ["new"],
        ["old", "new"],
    ]
    assert decisions[2].remaining == 1
    assert "new" not in decisions[2].headers()["RateLimit"]
    # A cost that it would never allow is a matter of the trial too.
    assert toolkit.make("RateLimiter", rules=rules).hit("bob", 3).denied_by[0].retry_after == math.inf


def test_a_limiter_on_trial(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 1, 60, shadow=True)
    assert limiter.hit("ann").denied_by == ()
    decision = limiter.hit("ann")
    assert decision.allowed
    assert decision.retry_after == 0
    assert len(decision.denied_by) == 1
    assert decision.rate_limit_fields() == {}
    assert [limiter.check_limit("bob").denied_by == () for _ in range(2)] == [True, False]


def test_reset_forgets(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 1, 60, algorithm="gcra")
    for check in (limiter.hit, limiter.check_limit, limiter.check_sliding_window):
        check("ann")
    limiter.reset("ann")
    for check in (limiter.hit, limiter.check_limit, limiter.check_sliding_window):
        assert check("ann").allowed


def test_peek_counts_nothing(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 2, 60)
    for _ in range(5):
        decision = limiter.peek("ann", 2)
        assert (decision.allowed, decision.remaining, decision.reset_in) == (True, 2, 0)
    assert [*toolkit.client.scan_iter()] == []


# Calls of others


def test_a_decorator(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 2, 60)
    calls: list[int] = []

    def note(user: str, number: int) -> int:
        """Notes."""
        calls.append(number)
        return number

    limited = limiter.limited(lambda user, number: user, cost=2)(note)
    assert limited("ann", 1) == 1
    with pytest.raises(RateLimitExceeded):
        limited("ann", 2)
    assert limited("bob", number=3) == 3
    assert calls == [1, 3]
    all_of_them = limiter.limited("all")(note)
    assert all_of_them("ann", 4) == 4
    assert limiter.peek("all").remaining == 1


def test_tasks_and_coroutines() -> None:
    """Many tasks of one loop on one limit, and a decorated coroutine."""

    async def play() -> None:
        async with alcove.asyncio.open(engine=Embedded().engine) as client:
            limiter = alcove.patterns.asyncio.RateLimiter(client, 20, YEAR_S)

            @limiter.limited(lambda user: user)
            async def greet(user: str) -> str:
                await asyncio.sleep(0)
                return f"hello {user}"

            greetings = await asyncio.gather(*(greet("ann") for _ in range(50)), return_exceptions=True)
            assert greetings.count("hello ann") == 20
            assert sum(isinstance(greeting, RateLimitExceeded) for greeting in greetings) == 30

    asyncio.run(play())


def test_waiting_for_ones_turn(live_toolkit: Toolkit) -> None:
    limiter = live_toolkit.make("RateLimiter", 1, 0.05, algorithm="gcra")
    began = limiter.wait("ann").at_ms
    times = [limiter.wait("ann").at_ms - began for _ in range(3)]
    assert all(time >= 50 * number for number, time in enumerate(times, 1))
    slow = live_toolkit.make("RateLimiter", 1, 60)
    slow.wait("bob", timeout=0)
    with pytest.raises(RateLimitExceeded):
        slow.wait("bob", timeout=0.5)


# Failures


class Cut:
    """A client whose server cannot be reached, or whose answers are lost after it has done what was asked."""

    def __init__(self, client: redis.Redis, *, lost: int = 0, resent: int = 0) -> None:
        self._client = client
        self.lost = lost
        self.resent = resent

    def execute_command(self, *words: Any, **options: Any) -> Any:
        if self.lost:
            raise redis.ConnectionError("Connection refused")
        reply = self._client.execute_command(*words, **options)
        while self.resent:
            self.resent -= 1
            reply = self._client.execute_command(*words, **options)
        return reply


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_hit_that_is_sent_again_counts_once(client: redis.Redis, algorithm: Any) -> None:
    limiter = RateLimiter(Cut(client, resent=3), 10, 60, algorithm=algorithm)  # type: ignore[arg-type]
    decision = limiter.hit("ann", 2)
    assert decision.remaining == 8
    assert RateLimiter(client, 10, 60, algorithm=algorithm).peek("ann").remaining == 8
    again = RateLimiter(Cut(client, resent=3), 10, 60, algorithm=algorithm)  # type: ignore[arg-type]
    again.refund(decision, 1)
    assert again.peek("ann").remaining == 9


def test_those_who_are_denied_leave_nothing_behind(toolkit: Toolkit) -> None:
    toolkit.make("RateLimiter", 1, 60).hit("ann")
    calls = toolkit.client.hgetall("ratelimit:{ann}:calls")
    other = toolkit.make("RateLimiter", 1, 60)
    assert not any(other.hit("ann").allowed for _ in range(5))
    assert toolkit.client.hgetall("ratelimit:{ann}:calls") == calls


def test_open_closed_or_raised(client: redis.Redis) -> None:
    cut: Any = Cut(client, lost=1)
    with pytest.raises(OutcomeUnknown):
        RateLimiter(cut).hit("ann")
    with pytest.raises(redis.ConnectionError):
        RateLimiter(cut).check_limit("ann")
    allowed = RateLimiter(cut, on_failure="allow").check_limit("ann")
    assert (allowed.allowed, allowed.remaining, allowed.retry_after) == (True, 100, 0)
    assert isinstance(allowed.error, OutcomeUnknown)
    closed = RateLimiter(cut, on_failure="deny")
    denied = closed.hit("ann")
    assert (denied.allowed, denied.remaining, denied.retry_after) == (False, 0, UNKNOWN_WAIT_S)
    assert denied.headers()["Retry-After"] == "1"
    with pytest.raises(RateLimitExceeded):
        closed.check_limit("ann")
    cut.lost = 0
    # What was allowed without being counted is not given back.
    closed.refund(allowed)
    assert closed.hit("ann").remaining == 99


def test_a_server_that_is_gone() -> None:
    client = redis.Redis(port=1, socket_timeout=0.2, retry=None)
    assert RateLimiter(client, on_failure="allow").hit("ann").allowed
    assert not RateLimiter(client, on_failure="deny").hit("ann").allowed


def test_a_server_that_has_no_memory_left(client: redis.Redis) -> None:
    client.set("ballast", b"x" * 100_000)
    client.config_set("maxmemory", 1000)
    with pytest.raises(OutOfMemoryError):
        RateLimiter(client).hit("ann")
    assert RateLimiter(client, on_failure="allow").hit("ann").allowed


# Headers


def test_headers() -> None:
    place = Embedded(TestClock())
    with place.client() as client:
        rules = [Rule(by="user", limit=100, window=3600), Rule(by="ip", limit=2, window=0.5, algorithm="gcra", burst=8)]
        limiter = RateLimiter(client, rules=rules)
        decision = limiter.hit({"user": "ann", "ip": "::1"}, 7)
        assert decision.rate_limit_fields() == {
            "RateLimit-Policy": '"user";q=100;w=3600, "ip";q=8;w=2',
            "RateLimit": '"user";r=93;t=3600, "ip";r=1;t=2',
        }
        assert decision.x_rate_limit_headers() == {
            "X-RateLimit-Limit": "8",
            "X-RateLimit-Remaining": "1",
            "X-RateLimit-Reset": "2",
        }
        epoch = int(decision.x_rate_limit_headers(epoch=True)["X-RateLimit-Reset"])
        assert epoch == math.ceil(decision.at_ms / 1000 + 1.75)
        assert "Retry-After" not in decision.headers()
        denied = limiter.hit({"user": "ann", "ip": "::1"}, 8)
        assert denied.retry_after_header() == {"Retry-After": "2"}
        assert set(denied.headers()) == {
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
        }


def test_an_error_travels(client: redis.Redis) -> None:
    limiter = RateLimiter(client, 1, 60)
    limiter.hit("ann")
    with pytest.raises(RateLimitExceeded) as caught:
        limiter.check_limit("ann")
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert travelled.retry_after == caught.value.retry_after
    assert travelled.decision == caught.value.decision


# Bad input


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": 1.5},
        {"limit": True},
        {"limit": "5"},
        {"limit": 10**10},
        {"limit": LARGEST_LOG + 1, "algorithm": "sliding-log"},
        {"window": 0},
        {"window": -1},
        {"window": float("nan")},
        {"window": float("inf")},
        {"window": 1e12},
        {"window": "hour"},
        {"window": True},
        {"algorithm": "leaky"},
        {"burst": 5},
        {"burst": 0, "algorithm": "gcra"},
        {"on_failure": "shrug"},
        {"rules": []},
        {"rules": [Rule(limit=1, window=1), Rule(limit=2, window=2)]},
        {"tag": ""},
    ],
)
def test_arguments_that_make_no_sense(client: redis.Redis, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        RateLimiter(client, **wrong)


def test_hits_that_make_no_sense(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", rules=some_rules())
    for who in ("", None, {}, {"usr": "ann"}, {"user": ""}, {"user": "ann", "host": "x"}, b"ann"):
        with pytest.raises(InvalidArgument):
            limiter.hit(who)
    for cost in (0, -1, 1.5, True, "2"):
        with pytest.raises(InvalidArgument):
            limiter.hit({"user": "ann"}, cost)
    with pytest.raises(NeverAllowed, match=r"cost of 4 is never allowed by user, which has 3 at most"):
        limiter.hit({"user": "ann", "ip": "1"}, 4)
    with pytest.raises(InvalidArgument):
        limiter.refund(toolkit.make("RateLimiter").hit("bob", 2), 3)
    limiter.reset({"user": "ann"})
    assert [*toolkit.client.scan_iter("*ann*")] == []


def test_any_id_has_a_count_of_its_own(toolkit: Toolkit) -> None:
    limiter = toolkit.make("RateLimiter", 1, 60)
    for user in ("a:b", "{x}", "x", "a", "calls", 42, "snow ☃"):
        assert limiter.hit(user).allowed
        assert not limiter.hit(user).allowed
    assert not limiter.hit("42").allowed
