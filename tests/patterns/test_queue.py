"""Tests of job queues: order, leases, retries, dead letters, unique jobs, results, and what many do at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis

from alcove.patterns import (
    Backoff,
    CannotEncode,
    InvalidArgument,
    Job,
    JobFailed,
    JobNotFound,
    Json,
    LeaseLost,
    QueueFull,
    ResultTimeout,
)
from tests.patterns.conftest import KINDS, Toolkit

EXACT = Backoff(jitter=0.0)


def made(toolkit: Toolkit, **options: Any) -> Any:
    """A queue whose times are in units of the test's."""
    unit = toolkit.unit
    options.setdefault("backoff", Backoff(first=2 * unit, factor=1.5, longest=100 * unit, jitter=0.0))
    return toolkit.make("JobQueue", **options)


@pytest.fixture
def queue(toolkit: Toolkit) -> Any:
    return made(toolkit)


def drained(queue: Any, name: str = "q") -> list[Any]:
    """What is there to be taken, in order."""
    payloads = []
    while (job := queue.dequeue_priority(name)) is not None:
        payloads.append(job.payload)
        queue.ack(job)
    return payloads


def in_threads(count: int, function: Any) -> None:
    threads = [threading.Thread(target=function, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_chapters_example(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    before = int(time.time() * 1000)
    id = queue.enqueue("email", {"to": "ann@example.com", "subject": "Hi", "body": "..."})
    assert queue.get_length("email") == 1
    assert queue.peek("email").id == id
    job = queue.dequeue("email", 5)
    assert (job.id, job.to, job.subject, job["body"]) == (id, "ann@example.com", "Hi", "...")
    assert before - 1000 <= job.enqueued_at <= time.time() * 1000 + 1000
    assert queue.get_length("email") == 0
    assert queue.peek("email") is None
    queue.ack(job)
    for name, priority in [("low", 1), ("high", 10), ("middle", 5)]:
        queue.enqueue_priority("email", {"name": name}, priority)
    assert [queue.dequeue_priority("email").name for _ in range(3)] == ["high", "middle", "low"]
    assert queue.dequeue_priority("email") is None


def test_the_chapters_queue_loses_the_job_of_a_worker_that_dies_and_this_one_does_not(toolkit: Toolkit) -> None:
    client = toolkit.client
    client.rpush("queue:email", "a job")
    assert client.blpop(["queue:email"], 1) is not None
    # Here the worker dies. Nothing is left of the job.
    toolkit.pass_time(2.5)
    assert client.llen("queue:email") == 0

    queue = made(toolkit, lease=2 * toolkit.unit)
    id = queue.enqueue("email", "a job")
    assert queue.dequeue_priority("email").id == id
    # Here too.
    toolkit.pass_time(2.5)
    again = queue.dequeue_priority("email")
    assert (again.id, again.payload, again.attempt) == (id, "a job", 2)


def test_first_in_first_out_within_a_priority(queue: Any) -> None:
    for number in range(5):
        queue.enqueue("q", f"b{number}")
    for number in range(3):
        queue.enqueue("q", f"c{number}", priority=-7)
        queue.enqueue("q", f"a{number}", priority=255)
    assert drained(queue) == ["a0", "a1", "a2", "b0", "b1", "b2", "b3", "b4", "c0", "c1", "c2"]


def test_queues_are_apart(queue: Any) -> None:
    queue.enqueue("a:b", 1)
    queue.enqueue("a", 2)
    queue.enqueue(7, 3)
    assert drained(queue, "a") == [2]
    assert drained(queue, "a:b") == [1]
    assert drained(queue, "7") == [3]


def test_many_are_put_and_taken_in_one_step(queue: Any) -> None:
    ids = queue.enqueue_many("q", [{"n": number} for number in range(250)], priority=3)
    assert len(set(ids)) == 250
    taken = queue.take("q", 200)
    assert [job.id for job in taken] == ids[:200]
    assert {job.token for job in taken} == {taken[0].token}
    for job in taken[:100]:
        queue.ack(job)
    assert queue.get_counts("q").running == 100
    assert [job.n for job in queue.take("q", 200)] == list(range(200, 250))
    assert queue.enqueue_many("q", []) == []


def test_delayed_jobs_come_when_they_are_due(toolkit: Toolkit, queue: Any) -> None:
    unit = toolkit.unit
    queue.enqueue("q", "late", delay=4 * unit, priority=9)
    queue.enqueue("q", "soon", delay=2 * unit)
    queue.enqueue("q", "now")
    assert (queue.get_length("q"), queue.get_counts("q").delayed) == (1, 2)
    assert drained(queue) == ["now"]
    toolkit.pass_time(2.5)
    assert queue.peek("q").payload == "soon"
    queue.enqueue("q", "behind")
    assert drained(queue) == ["soon", "behind"]
    toolkit.pass_time(2.5)
    assert queue.get_length("q") == 1
    assert drained(queue) == ["late"]


def test_a_job_for_a_time(toolkit: Toolkit, queue: Any) -> None:
    seconds, microseconds = toolkit.client.execute_command("TIME", **at_one_node(toolkit))
    now = datetime.fromtimestamp(int(seconds) + int(microseconds) / 1e6, UTC)
    queue.enqueue("q", "later", at=now + timedelta(seconds=3 * toolkit.unit))
    queue.enqueue("q", "overdue", at=now - timedelta(days=1))
    assert drained(queue) == ["overdue"]
    toolkit.pass_time(3.5)
    assert drained(queue) == ["later"]


def at_one_node(toolkit: Toolkit) -> dict[str, Any]:
    return {"target_nodes": "random"} if isinstance(toolkit.client, redis.RedisCluster) else {}


def test_more_are_due_than_one_call_puts_in_line(toolkit: Toolkit, queue: Any) -> None:
    queue.enqueue_many("q", range(350), delay=toolkit.unit)
    toolkit.pass_time(2)
    assert queue.get_length("q") == 350
    taken: list[int] = []
    while jobs := queue.take("q", 100):
        taken += [job.payload for job in jobs]
    assert sorted(taken) == list(range(350))


def test_a_lease_runs_out_and_its_holder_is_fenced(toolkit: Toolkit) -> None:
    queue = made(toolkit, lease=2 * toolkit.unit)
    queue.enqueue("q", "work")
    zombie = queue.dequeue_priority("q")
    toolkit.pass_time(2.5)
    holder = queue.dequeue_priority("q")
    assert (holder.id, holder.attempt) == (zombie.id, zombie.attempt + 1)
    for claim in (
        lambda: queue.ack(zombie, "mine"),
        lambda: queue.fail(zombie),
        lambda: queue.release(zombie),
        lambda: queue.extend(zombie),
        lambda: queue.report(zombie, 1),
    ):
        with pytest.raises(LeaseLost):
            claim()
    assert queue.get_status("q", holder.id).state == "running"
    queue.ack(holder, "done")
    assert queue.wait_result("q", holder.id) == "done"
    with pytest.raises(LeaseLost):
        queue.ack(holder)


def test_a_lease_that_ran_out_counts_until_somebody_else_takes_the_job(toolkit: Toolkit) -> None:
    queue = made(toolkit, lease=2 * toolkit.unit)
    queue.enqueue("q", "work")
    slow = queue.dequeue_priority("q")
    toolkit.pass_time(2.5)
    queue.ack(slow, "late, but done")
    assert queue.dequeue_priority("q") is None
    assert queue.wait_result("q", slow.id) == "late, but done"


def test_a_heartbeat_keeps_the_job(toolkit: Toolkit) -> None:
    queue = made(toolkit, lease=4 * toolkit.unit)
    queue.enqueue("q", "long")
    job = queue.dequeue_priority("q")
    for step in range(3):
        toolkit.pass_time(2)
        if step % 2:
            queue.extend(job)
        else:
            queue.report(job, {"step": step})
        assert queue.dequeue_priority("q") is None
    assert queue.get_status("q", job.id).progress == {"step": 2}
    queue.extend(job, 50 * toolkit.unit)
    toolkit.pass_time(5)
    assert queue.dequeue_priority("q") is None
    queue.ack(job)


def test_failures_are_tried_again_after_longer_and_longer(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_attempts=3)
    id = queue.enqueue("q", "flaky")
    for attempt, wait in ((1, 2), (2, 3)):
        job = queue.dequeue_priority("q")
        assert job.attempt == attempt
        assert queue.fail(job, ValueError("no luck")) is False
        status = queue.get_status("q", id)
        assert (status.state, status.error) == ("delayed", "ValueError: no luck")
        toolkit.pass_time(wait - 1)
        assert queue.dequeue_priority("q") is None
        toolkit.pass_time(1.5)
    job = queue.dequeue_priority("q")
    assert queue.fail(job, "the last time") is True
    assert queue.get_status("q", id).state == "dead"
    [letter] = queue.dead_letters("q")
    assert (letter.job.id, letter.job.payload, letter.job.attempt, letter.error) == (id, "flaky", 3, "the last time")
    with pytest.raises(JobFailed, match="the last time"):
        queue.wait_result("q", id)


def test_backoff() -> None:
    assert [EXACT.delay(attempt) for attempt in (1, 2, 3, 12, 13, 10**6)] == [1, 2, 4, 2048, 3600, 3600]
    assert Backoff(first=1, factor=1000, jitter=0.0).delay(10**6) == 3600
    assert Backoff(first=1, factor=1.01, jitter=0.0).delay(501) == pytest.approx(1.01**500)
    assert Backoff(first=1, factor=1, jitter=0.0).delay(10**6) == 1
    assert Backoff(first=0, jitter=0.0).delay(10**6) == 0
    assert {round(Backoff(jitter=0.5).delay(3)) for _ in range(200)} == {2, 3, 4, 5, 6}
    for wrong in ({"first": -1}, {"factor": 0.5}, {"jitter": 2}, {"longest": float("nan")}):
        with pytest.raises(InvalidArgument):
            Backoff(**wrong)


def test_a_failure_may_say_when_and_whether(toolkit: Toolkit, queue: Any) -> None:
    queue.enqueue_many("q", ["again", "never"])
    again, never = queue.take("q", 2)
    assert queue.fail(again, delay=0) is False
    assert queue.fail(never, "hopeless", retry=False) is True
    assert drained(queue) == ["again"]
    assert [letter.error for letter in queue.dead_letters("q")] == ["hopeless"]


def test_a_job_that_kills_its_workers_is_given_up(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_attempts=3, lease=2 * toolkit.unit)
    id = queue.enqueue("q", "poison")
    for attempt in (1, 2, 3):
        assert queue.dequeue_priority("q").attempt == attempt
        toolkit.pass_time(2.5)
    assert queue.dequeue_priority("q") is None
    [letter] = queue.dead_letters("q")
    assert letter.job.id == id
    assert "lease ran out" in letter.error
    with pytest.raises(JobFailed):
        queue.wait_result("q", id)


def test_a_job_given_back_is_as_if_it_had_not_been_taken(toolkit: Toolkit, queue: Any) -> None:
    queue.enqueue_many("q", ["first", "second"])
    job = queue.dequeue_priority("q")
    queue.release(job)
    assert [(next_job.payload, next_job.attempt) for next_job in queue.take("q", 2)] == [("first", 1), ("second", 1)]
    queue.enqueue("other", "x")
    queue.release(queue.dequeue_priority("other"), delay=2 * toolkit.unit)
    assert queue.dequeue_priority("other") is None
    toolkit.pass_time(3)
    assert queue.dequeue_priority("other").attempt == 1


def test_dead_letters_are_replayed_and_forgotten(toolkit: Toolkit, queue: Any) -> None:
    ids = queue.enqueue_many("q", range(5))
    for job in queue.take("q", 5):
        queue.fail(job, f"error {job.payload}", retry=False)
        # Those of one millisecond would be in order of their ids.
        toolkit.pass_time(0.02)
    assert [letter.job.payload for letter in queue.dead_letters("q")] == [4, 3, 2, 1, 0]
    assert [letter.error for letter in queue.dead_letters("q", 2, 1)] == ["error 3", "error 2"]
    assert queue.replay("q", ids[3], "no-such-job") == 1
    assert queue.replay("q", limit=2) == 2
    assert queue.get_counts("q").dead == 2
    jobs = queue.take("q", 10)
    assert [(job.payload, job.attempt) for job in jobs] == [(3, 1), (0, 1), (1, 1)]
    queue.ack(jobs[0], "at last")
    assert queue.wait_result("q", ids[3]) == "at last"
    assert queue.purge_dead("q", 1) == 1
    assert [letter.job.payload for letter in queue.dead_letters("q")] == [4]
    assert queue.cancel("q", ids[4]) is True
    assert queue.get_counts("q").dead == 0


def test_dead_letters_are_bounded(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_dead=3, dead_ttl=8 * toolkit.unit)
    queue.enqueue_many("q", range(7))
    for job in queue.take("q", 5):
        queue.fail(job, retry=False)
        toolkit.pass_time(0.02)
    assert [letter.job.payload for letter in queue.dead_letters("q")] == [4, 3, 2]
    toolkit.pass_time(9)
    queue.fail(queue.dequeue_priority("q"), retry=False)
    assert [letter.job.payload for letter in queue.dead_letters("q")] == [5]
    none = made(toolkit, max_dead=0)
    none.fail(none.dequeue_priority("q"), retry=False)
    assert none.get_counts("q").dead == 0


def test_a_full_queue_takes_no_more(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_length=3)
    queue.enqueue("q", 1)
    queue.enqueue("q", 2, delay=toolkit.unit)
    with pytest.raises(QueueFull):
        queue.enqueue_many("q", [3, 4])
    queue.enqueue("q", 3)
    with pytest.raises(QueueFull):
        queue.enqueue("q", 4)
    assert tuple(msgspec.structs.astuple(queue.get_counts("q"))) == (2, 1, 0, 0)


def test_nothing_is_left_of_what_is_done(toolkit: Toolkit) -> None:
    queue = made(toolkit, result_ttl=0)
    for number in range(20):
        queue.enqueue("q", number, delay=number % 2 * toolkit.unit, unique=number)
    toolkit.pass_time(2)
    assert sorted(drained(queue)) == list(range(20))
    for job_id in queue.enqueue_many("q", range(5)):
        queue.cancel("q", job_id)
    keys = {key for key in toolkit.client.keys("*") if not key.endswith(b":calls")}
    assert keys == set()


def test_an_id_of_ones_own_counts_once(queue: Any) -> None:
    assert queue.enqueue("q", "first", id="order:7") == "order:7"
    assert queue.enqueue("q", "second", id="order:7") == "order:7"
    job = queue.dequeue_priority("q")
    assert job.payload == "first"
    # While it is being done too.
    queue.enqueue("q", "third", id="order:7")
    queue.ack(job)
    assert queue.dequeue_priority("q") is None


def test_what_is_there_already_takes_no_room_and_no_name(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_length=1)
    queue.enqueue("q", 1, id="a")
    assert queue.enqueue("q", 1, id="a", unique="u") == "a"
    job = queue.dequeue_priority("q")
    assert queue.enqueue("q", 2, id="b", unique="u") == "b"
    queue.ack(job)


def test_unique_while_waiting(queue: Any) -> None:
    first = queue.enqueue("q", 1, unique="report {1}", unique_for="waiting")
    assert queue.enqueue("q", 2, unique="report {1}", unique_for="waiting") == first
    assert queue.enqueue("q", 3, unique="report {2}", unique_for="waiting") != first
    job = queue.dequeue_priority("q")
    second = queue.enqueue("q", 4, unique="report {1}", unique_for="waiting")
    assert second != first
    # The end of the first is not the end of the second's being unique.
    queue.ack(job)
    assert queue.enqueue("q", 5, unique="report {1}", unique_for="waiting") == second
    assert drained(queue) == [3, 4]


def test_unique_until_it_is_done(toolkit: Toolkit) -> None:
    queue = made(toolkit, max_attempts=2)
    first = queue.enqueue("q", 1, unique="u")
    job = queue.dequeue_priority("q")
    assert queue.enqueue("q", 2, unique="u") == first
    queue.fail(job)
    assert queue.enqueue("q", 2, unique="u") == first
    toolkit.pass_time(3)
    queue.ack(queue.dequeue_priority("q"))
    second = queue.enqueue("q", 3, unique="u")
    assert second != first
    # What is dead stands in nobody's way.
    queue.fail(queue.dequeue_priority("q"), retry=False)
    third = queue.enqueue("q", 4, unique="u")
    assert third not in (first, second)
    queue.cancel("q", third)
    assert queue.enqueue("q", 5, unique="u") not in (first, second, third)


def test_unique_for_a_time(toolkit: Toolkit, queue: Any) -> None:
    first = queue.enqueue("q", 1, unique="u", unique_for=3 * toolkit.unit)
    assert drained(queue) == [1]
    assert queue.enqueue("q", 2, unique="u", unique_for=3 * toolkit.unit) == first
    toolkit.pass_time(4)
    assert queue.enqueue("q", 3, unique="u", unique_for=3 * toolkit.unit) != first
    assert drained(queue) == [3]


def test_results(toolkit: Toolkit) -> None:
    queue = made(toolkit, result_ttl=4 * toolkit.unit)
    id, nothing = queue.enqueue_many("q", ["a", "b"])
    assert queue.get_status("q", id).state == "waiting"
    for job in queue.take("q", 2):
        queue.ack(job, {"sum": 3} if job.id == id else None)
    assert queue.get_status("q", id).state == "done"
    assert queue.wait_result("q", id) == {"sum": 3}
    assert queue.wait_result("q", nothing) is None
    toolkit.pass_time(5)
    assert queue.get_status("q", id) is None
    with pytest.raises(JobNotFound):
        queue.wait_result("q", id)


def test_many_wait_for_one_result(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    id = queue.enqueue("q", "work")
    results: list[Any] = []
    errors: list[Exception] = []

    kinds = [{}, {"decode_responses": True}, {"protocol": 2}]

    def wait(options: dict[str, Any]) -> None:
        waiting = live_toolkit.make("JobQueue", client_options=options)
        try:
            results.append(waiting.wait_result("q", id, 20))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=wait, args=(options,)) for options in kinds]
    for thread in threads:
        thread.start()
    job = queue.dequeue("q", 5)
    time.sleep(0.05)
    queue.ack(job, 42)
    for thread in threads:
        thread.join()
    assert (results, errors) == ([42] * 3, [])
    failing = queue.enqueue("q", "bad")
    threading.Timer(0.05, lambda: queue.fail(queue.dequeue("q", 5), "broken", retry=False)).start()
    with pytest.raises(JobFailed, match="broken"):
        queue.wait_result("q", failing, 20)
    # A replayed job has old news, and new ones come.
    queue.replay("q", failing)
    threading.Timer(0.05, lambda: queue.ack(queue.dequeue("q", 5), "repaired")).start()
    assert queue.wait_result("q", failing, 20) == "repaired"
    slow = queue.enqueue("q", "slow")
    with pytest.raises(ResultTimeout):
        queue.wait_result("q", slow, 0.05)


def test_a_cancelled_job_is_nobodys(queue: Any) -> None:
    waiting, running = queue.enqueue_many("q", [1, 2])
    assert queue.cancel("q", waiting) is True
    job = queue.dequeue_priority("q")
    assert job.id == running
    assert queue.cancel("q", running) is True
    assert queue.cancel("q", running) is False
    with pytest.raises(LeaseLost):
        queue.ack(job)
    assert queue.get_status("q", running) is None
    with pytest.raises(JobNotFound):
        queue.wait_result("q", running)


def test_a_wait_ends_when_a_job_comes(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    assert queue.dequeue("q", 0.02) is None
    threading.Timer(0.05, lambda: queue.enqueue("q", "hello")).start()
    assert queue.dequeue("q").payload == "hello"
    # One that is delayed, and put while somebody waits, ends the wait in its time.
    began = time.monotonic()
    threading.Timer(0.02, lambda: queue.enqueue("q", "later", delay=0.1)).start()
    job = queue.dequeue("q", 20)
    assert job.payload == "later"
    # Far below what a wait that is not ended would take.
    assert 0.1 <= time.monotonic() - began < 10
    # So does one that its holder gives back, or lets expire.
    threading.Timer(0.02, lambda: queue.release(job)).start()
    job = queue.dequeue("q", 20, lease=0.1)
    assert job is not None
    assert queue.dequeue("q", 20).id == job.id


def test_every_job_is_given_to_one_of_many_who_wait(live_toolkit: Toolkit) -> None:
    queue = live_toolkit.make("JobQueue")
    got: Counter[int] = Counter()
    lock = threading.Lock()

    def consume(number: int) -> None:
        mine = live_toolkit.make("JobQueue")
        while (job := mine.dequeue("q", 20)).payload is not None:
            with lock:
                got[job.payload] += 1
            mine.ack(job)
        mine.ack(job)

    consumers = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
    for consumer in consumers:
        consumer.start()
    in_threads(3, lambda number: [queue.enqueue("q", number * 30 + each) for each in range(30)])
    for _ in consumers:
        queue.enqueue("q", None, priority=-1)
    for consumer in consumers:
        consumer.join(30)
    assert got == Counter(range(90))
    assert msgspec.structs.astuple(queue.get_counts("q")) == (0, 0, 0, 0)


def test_a_call_that_is_sent_again_takes_no_second_job(queue: Any, toolkit: Toolkit, monkeypatch: Any) -> None:
    """As redis-py does when the connection breaks before the answer comes."""
    monkeypatch.setattr("secrets.token_urlsafe", lambda count: "the-same-token")
    queue.enqueue_many("q", [1, 2, 3])
    assert [job.payload for job in queue.take("q", 2)] == [1, 2]
    jobs = queue.take("q", 2)
    assert [(job.payload, job.attempt) for job in jobs] == [(1, 1), (2, 1)]
    assert queue.get_counts("q").running == 2
    # Once the jobs are on their way, what is left of the call is forgotten.
    queue.ack(jobs[0])
    assert [job.payload for job in queue.take("q", 2)] == [3]


def test_within_a_transaction_of_the_callers(toolkit: Toolkit) -> None:
    client = toolkit.client
    queue = made(toolkit, client_options={"decode_responses": True})
    blocking = toolkit.thread is None

    def together(job: Any, **options: Any) -> str:
        """Writes an order and its job, or neither."""
        if blocking:
            with queue.client.pipeline(transaction=True) as pipe:
                pipe.set("order:{orders}:7", "paid")
                id = queue.enqueue("orders", job, pipeline=pipe, **options)
                pipe.execute()
            return str(id)
        return str(toolkit.thread.run(asyncio_together(job, **options)))

    async def asyncio_together(job: Any, **options: Any) -> str:
        own = queue._target
        async with own.client.pipeline(transaction=True) as pipe:
            pipe.set("order:{orders}:7", "paid")
            id = await own.enqueue("orders", job, pipeline=pipe, **options)
            await pipe.execute()
        return str(id)

    id = together({"order": 7}, unique="order 7")
    assert client.get("order:{orders}:7") == b"paid"
    job = queue.dequeue_priority("orders")
    assert (job.id, job.order) == (id, 7)
    # The transaction is repeated, as after a lost answer: the job is put once.
    together({"order": 7}, id=id)
    assert queue.dequeue_priority("orders") is None
    client.delete("order:{orders}:7")
    with pytest.raises(CannotEncode):
        together(object())
    assert client.get("order:{orders}:7") is None


@pytest.mark.parametrize("toolkit", [kind for kind in KINDS if not kind.startswith("cluster")], indirect=True)
def test_within_a_pipeline_that_watches(toolkit: Toolkit) -> None:
    queue = toolkit.make("JobQueue")
    if toolkit.thread is None:
        with queue.client.pipeline() as pipe:
            pipe.watch("order:7")
            with pytest.raises(InvalidArgument, match="multi"):
                queue.enqueue("orders", 7, pipeline=pipe)
            pipe.multi()
            queue.enqueue("orders", 7, pipeline=pipe)
            pipe.execute()
    else:

        async def watching() -> None:
            own = queue._target
            async with own.client.pipeline() as pipe:
                await pipe.watch("order:7")
                with pytest.raises(InvalidArgument, match="multi"):
                    await own.enqueue("orders", 7, pipeline=pipe)
                pipe.multi()
                await own.enqueue("orders", 7, pipeline=pipe)
                await pipe.execute()

        toolkit.thread.run(watching())
    assert drained(queue, "orders") == [7]


def test_jobs_of_a_type(toolkit: Toolkit) -> None:
    class Mail(msgspec.Struct):
        to: str

    queue = made(toolkit, codec=Json(Mail), client_options={"decode_responses": True})
    queue.enqueue("q", Mail("ann"))
    made(toolkit).enqueue("q", {"no": "mail"})
    queue.enqueue("q", Mail("bob"))
    assert queue.peek("q").to == "ann"
    # What is no mail does not stand in the way of what is.
    jobs = queue.take("q", 3)
    assert [job.payload for job in jobs] == [Mail("ann"), Mail("bob")]
    assert jobs[0].to == "ann"
    [letter] = queue.dead_letters("q")
    assert letter.job.payload == b'{"no":"mail"}'
    assert "CannotDecode" in letter.error


def test_a_jobs_own_fields() -> None:
    job = Job("1", "q", {"to": "ann", "id": "another"}, 0)
    assert (job.to, job["to"], job.id, job["id"]) == ("ann", "ann", "1", "another")
    assert not hasattr(job, "subject")
    assert not hasattr(Job("1", "q", None, 0), "subject")
    with pytest.raises(KeyError):
        job["subject"]


def test_what_cannot_be_written_is_not_sent(queue: Any, toolkit: Toolkit) -> None:
    for job in (object(), {1j}, [float]):
        with pytest.raises(CannotEncode):
            queue.enqueue("q", job)
        with pytest.raises(CannotEncode):
            queue.enqueue_many("q", ["good", job])
    assert toolkit.client.keys("*") == []
    queue.enqueue("q", "good")
    job = queue.dequeue_priority("q")
    with pytest.raises(CannotEncode):
        queue.ack(job, object())
    queue.ack(job)


def test_arguments_that_make_no_sense(toolkit: Toolkit, queue: Any) -> None:
    for wrong in (
        {"lease": 0},
        {"lease": float("inf")},
        {"max_attempts": 0},
        {"max_length": True},
        {"result_ttl": -1},
        {"max_dead": 1.5},
    ):
        with pytest.raises(InvalidArgument):
            toolkit.make("JobQueue", **wrong)
    job = Job("1", "q", None, 0)
    for call in (
        lambda: queue.enqueue("", 1),
        lambda: queue.enqueue("q", 1, priority=256),
        lambda: queue.enqueue("q", 1, priority=1.5),
        lambda: queue.enqueue("q", 1, delay=-1),
        lambda: queue.enqueue("q", 1, delay=float("nan")),
        lambda: queue.enqueue("q", 1, at=datetime(2024, 1, 1)),
        lambda: queue.enqueue("q", 1, at=datetime.now(UTC), delay=1),
        lambda: queue.enqueue("q", 1, id=""),
        lambda: queue.enqueue("q", 1, id="a b"),
        lambda: queue.enqueue("q", 1, id="x" * 300),
        lambda: queue.enqueue("q", 1, unique=""),
        lambda: queue.enqueue("q", 1, unique="u", unique_for="ever"),
        lambda: queue.enqueue("q", 1, unique="u", unique_for=0),
        lambda: queue.enqueue("q", 1, max_attempts=0),
        lambda: queue.enqueue_many("q", range(1001)),
        lambda: queue.dequeue("q", -1),
        lambda: queue.take("q", 0),
        lambda: queue.dead_letters("q", 0),
        lambda: queue.dead_letters("q", 10, -1),
        lambda: queue.replay("q", limit=0),
        lambda: queue.replay("q", "a b"),
        lambda: queue.purge_dead("q", 10**6),
        lambda: queue.cancel("q", ""),
        lambda: queue.wait_result("q", "x", -1),
        lambda: queue.fail(job, delay=-1),
        lambda: queue.extend(job, -1),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []
    with pytest.raises(LeaseLost):
        queue.ack(job)


@pytest.mark.parametrize("seed", range(2))
def test_a_model_agrees(toolkit: Toolkit, seed: int) -> None:
    import random

    chance = random.Random(seed)
    queue = made(toolkit)
    waiting: list[tuple[int, int, str]] = []
    held: dict[str, Any] = {}
    sequence = 0
    for _ in range(120):
        act = chance.random()
        if act < 0.4:
            priority = chance.randint(-2, 2)
            sequence += 1
            waiting.append((-priority, sequence, queue.enqueue("q", sequence, priority=priority)))
        elif act < 0.65:
            job = queue.dequeue_priority("q")
            assert (job and job.id) == (min(waiting)[2] if waiting else None)
            if job is not None:
                held[job.id] = (job, min(waiting))
                waiting.remove(min(waiting))
        elif held:
            id = chance.choice(sorted(held))
            job, place = held.pop(id)
            end = chance.random()
            if end < 0.4:
                queue.ack(job)
            elif end < 0.7:
                queue.release(job)
                waiting.append(place)
            else:
                assert queue.cancel("q", id) is True
    counts = queue.get_counts("q")
    assert (counts.waiting, counts.running) == (len(waiting), len(held))
    assert [job.id for job in queue.take("q", 1000)] == [place[2] for place in sorted(waiting)]
