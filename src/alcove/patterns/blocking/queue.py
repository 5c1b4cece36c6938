# Derived from alcove/patterns/asyncio/queue.py by derive_blocking.py: change it there.
"""Job queues: jobs in order of priority and time, that are leased to workers, tried again, and never lost."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import monotonic
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.cron import Cron
from alcove.patterns.core.errors import InvalidArgument, OutcomeUnknown
from alcove.patterns.core.keys import Id
from alcove.patterns.core.queue import (
    ACK,
    BACKOFF,
    CANCEL,
    COUNTS,
    ENQUEUE,
    ENQUEUE_WITHIN,
    EXTEND,
    FAIL,
    FIRE,
    LETTERS,
    MOST_AT_ONCE,
    NOT_UNIQUE,
    PEEK,
    PURGE,
    RELEASE,
    REPLAY,
    ROUSE,
    STATUS,
    TAKE,
    Backoff,
    Counts,
    DeadLetter,
    Job,
    JobFailed,
    JobNotFound,
    JobStatus,
    LeaseLost,
    QueueFull,
    ResultTimeout,
    Rules,
    UniqueFor,
    counted,
    due_text,
    error_text,
    job_id_text,
    job_words,
    jobs_of,
    letters_of,
    ms,
    seconds,
    status_of,
    uniqueness,
)
from alcove.patterns.core.scripts import Script, Word

MONTH_S = 2_592_000.0
# A wait of 0 would be one without end.
SHORTEST_WAIT_S = 0.001
# The key that ends a worker's wait is kept for so long when there was no wait to end.
ROUSED_MS = 60_000


class JobQueue(Pattern):
    """Any number of queues, by name. `Worker` works them off.

        >>> import alcove
        >>> queue = JobQueue(alcove.open())
        >>> id = queue.enqueue("email", {"to": "ann@example.com"})
        >>> urgent = queue.enqueue_priority("email", {"to": "bob@example.com"}, 5)
        >>> job = queue.dequeue("email")
        >>> job.id == urgent, job.to, job.attempt
        (True, 'bob@example.com', 1)
        >>> queue.ack(job)

    A queue gives the job of the highest priority, and among equals the one put in line first; delayed jobs get in line
    when they are due. Whoever takes a job holds a lease on it of `lease` seconds, which `extend` and `report` renew.
    `ack` ends the job. `fail` has it tried again after `backoff`, and at the last of `max_attempts` makes it a dead
    letter. A lease that runs out counts as an attempt too, so that a job that kills its workers is given up as well.

    **Guarantee**: at least once. A job whose `enqueue` returned is done, or becomes a dead letter, as long as the
    server keeps its data; it is done twice when a worker dies, or is thought dead, after the work and before the
    `ack`. Two never hold a job at once: when a lease ran out and the job was given to another, `ack`, `fail`, `release`
    and `report` of the former holder raise `LeaseLost` and change nothing. What a handler writes elsewhere can be
    fenced in the same way by `job.attempt`, which is higher than that of any holder whose lease ran out, until a dead
    letter is replayed.

    Killed worker: its jobs come again when their leases run out. Server restarted: what it kept of its data counts; a
    job may be lost or come again that it had not yet on disk. Network cut: calls are sent again and applied once; one
    that raises `OutcomeUnknown` may be repeated, `enqueue` with an `id` of your own. A job that such a `dequeue` took
    comes again after its lease. Clocks: only the server's counts; when that jumps, leases and delays do.

    Every operation is one trip, and atomic; waiting is by wake-up, not polling. Memory is bounded: `max_length` jobs
    wait in a queue (else `QueueFull`), the latest `max_dead` dead letters are kept, for `dead_ttl` seconds, results for
    `result_ttl` seconds (0 for none). All keys of a queue are on one node of a cluster. `codec` is that of jobs,
    `result_codec` that of results.
    """

    def __init__(
        self,
        client: Redis,
        *,
        lease: float = 60.0,
        max_attempts: int = 5,
        backoff: Backoff = BACKOFF,
        max_length: int = 1_000_000,
        max_dead: int = 10_000,
        dead_ttl: float = MONTH_S,
        result_ttl: float = 600.0,
        codec: Codec[Any] = JSON,
        result_codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        self.rules = Rules(lease, max_attempts, backoff, max_length, max_dead, dead_ttl, result_ttl)
        self.codec = codec
        self.result_codec = result_codec

    # Putting jobs in

    def enqueue(
        self,
        queue: Id,
        job: Any,
        *,
        priority: int = 0,
        delay: float = 0.0,
        at: datetime | None = None,
        id: str | None = None,
        unique: Id | None = None,
        unique_for: UniqueFor | float = "done",
        max_attempts: int | None = None,
        pipeline: Any = None,
    ) -> str:
        """Puts a job into a queue; answers its id.

        It can be taken `delay` seconds from now or `at` a time. Priorities are whole numbers from -255 to 255, higher
        ones come first. With an `id` of your own, a job that is there already is left as it is, and not put again. With
        `unique`, no second job of that name is put while one is "waiting" to be taken, or not "done" (nor dead), or for
        so many seconds: the answer is the id of the one there is.

        With a `pipeline` of redis-py's the job is put when that is executed, for one in a transaction together with its
        other commands. In a cluster their keys then need the queue's hash tag: `{email}` for the queue "email". What
        the pipeline answers for it is `[id]`; a full queue is an error there.

        Raises `QueueFull`, and `CannotEncode` before anything was sent.
        """
        how = uniqueness(unique, unique_for)
        job_id = uuid.uuid4().hex if id is None else job_id_text(id)
        most = self.rules.max_attempts if max_attempts is None else max_attempts
        words = [*how.words, *job_words(job_id, self.codec.encode(job), priority, due_text(delay, at), most)]
        keys = [self.keys.tagged("queue", queue, "unique", how.name)] if how.kind == "time" else []
        if pipeline is not None:
            if getattr(pipeline, "watching", False) and not getattr(pipeline, "explicit_transaction", False):
                raise InvalidArgument("after WATCH a pipeline carries commands out at once: call its multi() first")
            where, told = self._call(queue, [self.rules.max_length, *words], keys)
            pipeline.execute_command(*ENQUEUE_WITHIN.by_text(where, told))
            return job_id
        answer = self._ask(ENQUEUE, queue, [self.rules.max_length, *words], keys)
        there: str = answer[0].decode()
        return there

    def enqueue_priority(self, queue: Id, job: Any, priority: int) -> str:
        """Puts a job before all of lower priority, from -255 to 255. That of other jobs is 0."""
        return self.enqueue(queue, job, priority=priority)

    def enqueue_many(
        self, queue: Id, jobs: Iterable[Any], *, priority: int = 0, delay: float = 0.0, at: datetime | None = None
    ) -> list[str]:
        """Puts up to 1000 jobs into a queue in one step, all or none; answers their ids."""
        encoded = [self.codec.encode(job) for job in jobs]
        counted("the number of jobs", len(encoded), 0, MOST_AT_ONCE)
        if not encoded:
            return []
        due, most = due_text(delay, at), self.rules.max_attempts
        words: list[Word] = [self.rules.max_length, *NOT_UNIQUE.words]
        for data in encoded:
            words += job_words(uuid.uuid4().hex, data, priority, due, most)
        return [id.decode() for id in self._ask(ENQUEUE, queue, words)]

    # Taking them out

    def dequeue(self, queue: Id, timeout: float = 0, *, lease: float | None = None) -> Job | None:
        """Takes the next job, and waits for one up to `timeout` seconds, 0 for as long as it takes; else None.

        It is leased for `lease` seconds: `ack` it before, or it is given to somebody else.
        """
        give_up = monotonic() + timeout if seconds("timeout", timeout) else None
        while True:
            jobs, wait = self.take_or_wait(queue, 1, lease)
            if jobs:
                return jobs[0]
            if give_up is not None:
                left = give_up - monotonic()
                if left <= 0:
                    return None
                wait = min(wait, left)
            self.wait_for_jobs(queue, wait)

    def dequeue_priority(self, queue: Id, *, lease: float | None = None) -> Job | None:
        """Takes the job of the highest priority, the first among equals; None when there is none now."""
        jobs = self.take(queue, 1, lease=lease)
        return jobs[0] if jobs else None

    def take(self, queue: Id, count: int = 1, *, lease: float | None = None) -> list[Job]:
        """Takes up to `count` jobs that are there now, in one trip."""
        return (self.take_or_wait(queue, count, lease))[0]

    def take_or_wait(self, queue: Id, count: int, lease: float | None = None) -> tuple[list[Job], float]:
        """Jobs, and for how many seconds at most one may wait before asking again. For loops such as a worker's.

        A job that the codec cannot read becomes a dead letter at once.
        """
        lease_ms = ms(self.rules.lease if lease is None else seconds("lease", lease))
        words: list[Word] = [secrets.token_urlsafe(12), counted("count", count, 1, MOST_AT_ONCE), max(1, lease_ms)]
        due_ms, flat = self._ask(TAKE, queue, words)
        jobs = []
        for job, error in jobs_of(str(queue), flat, self.codec):
            if error is None:
                jobs.append(job)
            else:
                # If that does not arrive, its lease runs out, and it comes here again. The others are to be returned.
                with suppress(OutcomeUnknown, LeaseLost):
                    self._fail(job, error, -1)
        longest = self._longest_wait()
        return jobs, longest if due_ms < 0 else min(longest, max(SHORTEST_WAIT_S, due_ms / 1000))

    def wait_for_jobs(self, queue: Id, timeout: float, *others: str) -> None:
        """Waits until there may be something to take, up to `timeout` seconds, or until an element in another list."""
        wake = self.keys.tagged("queue", queue, "wake")
        self._command("BLPOP", wake, *others, f"{max(SHORTEST_WAIT_S, timeout):.3f}")

    # What becomes of those taken. All raise `LeaseLost` when the job is somebody else's by now, or cancelled.

    def ack(self, job: Job, result: Any = None) -> None:
        """The job is done. `result` is what `wait_result` answers, for `result_ttl` seconds."""
        words: list[Word] = [job.id, job.token, self.result_codec.encode(result), ms(self.rules.result_ttl)]
        self._ask(ACK, job.queue, words, [self._result(job.queue, job.id)])

    def fail(
        self, job: Job, error: BaseException | str = "", *, delay: float | None = None, retry: bool = True
    ) -> bool:
        """The attempt failed: the job is tried again after `delay` seconds, by default as `backoff` says.

        True when it became a dead letter instead, since that was the last attempt or `retry` is false.
        """
        wait = self.rules.backoff.delay(job.attempt) if delay is None else seconds("delay", delay)
        return self._fail(job, error, ms(wait) if retry else -1)

    def _fail(self, job: Job, error: BaseException | str, delay_ms: int) -> bool:
        words: list[Word] = [job.id, job.token, error_text(error), delay_ms, ms(self.rules.result_ttl)]
        return bool(self._ask(FAIL, job.queue, words, [self._result(job.queue, job.id)]))

    def release(self, job: Job, *, delay: float = 0.0) -> None:
        """Gives the job back to its old place, or `delay` seconds from now. The attempt does not count."""
        self._ask(RELEASE, job.queue, [job.id, job.token, ms(seconds("delay", delay))])

    def extend(self, job: Job, lease: float | None = None) -> None:
        """Renews the lease: it lasts `lease` seconds from now, by default as long as at first."""
        if not (self.extend_all(job.queue, [job], lease))[0]:
            raise LeaseLost(f"the lease of job {job.id} is no longer held")

    def extend_all(self, queue: Id, jobs: Sequence[Job], lease: float | None = None) -> list[bool]:
        """Renews the leases on jobs of one queue, in one trip. False for each that is lost."""
        held = [word for job in jobs for word in (job.id, job.token)]
        return [bool(still) for still in self._ask(EXTEND, queue, [self._lease_ms(lease), "", *held])]

    def report(self, job: Job, progress: Any) -> None:
        """Says how far the job is, for `get_status` to be seen, and renews the lease. `progress` is written as JSON."""
        words: list[Word] = [self._lease_ms(None), JSON.encode(progress), job.id, job.token]
        if not (self._ask(EXTEND, job.queue, words))[0]:
            raise LeaseLost(f"the lease of job {job.id} is no longer held")

    def _lease_ms(self, lease: float | None) -> int:
        return max(1, ms(self.rules.lease if lease is None else seconds("lease", lease)))

    # Looking

    def get_length(self, queue: Id) -> int:
        """How many jobs can be taken now."""
        return (self.get_counts(queue)).waiting

    def get_counts(self, queue: Id) -> Counts:
        """How many jobs wait, are delayed, are being done, and are dead."""
        return Counts(*self._ask(COUNTS, queue, []))

    def peek(self, queue: Id) -> Job | None:
        """The job that is next, without taking it. One the codec cannot read has its bytes as payload."""
        flat = self._ask(PEEK, queue, [1])
        return next((job for job, _ in jobs_of(str(queue), flat, self.codec)), None)

    def get_status(self, queue: Id, id: str) -> JobStatus | None:
        """What is known of a job: its state, progress and last error. None when it is not there, nor its result."""
        answer = self._ask(STATUS, queue, [job_id_text(id)], [self._result(queue, id)])
        return status_of(str(queue), id, answer, self.codec)

    def wait_result(self, queue: Id, id: str, timeout: float = 0) -> Any:
        """What the job's worker answered, waiting for it up to `timeout` seconds, 0 for as long as it takes.

        Any number may wait for the same job. Raises `JobFailed` when it became a dead letter, `JobNotFound` when there
        is neither the job nor its result any more, and `ResultTimeout`.
        """
        give_up = monotonic() + timeout if seconds("timeout", timeout) else None
        result = self._result(queue, job_id_text(id))
        while True:
            answer = self._ask(STATUS, queue, [id], [result])
            status = status_of(str(queue), id, answer, self.codec)
            if status is None:
                raise JobNotFound(f"there is neither a job {id} nor its result")
            if status.state == "done":
                return self.result_codec.decode(answer[1][1])
            if status.state == "dead":
                raise JobFailed(status.error)
            wait = self._longest_wait()
            if give_up is not None:
                wait = min(wait, give_up - monotonic())
                if wait <= 0:
                    raise ResultTimeout(f"job {id} is {status.state} after {timeout} seconds")
            # From the last news on: of a job that was replayed there are old ones.
            self._command("XREAD", "COUNT", 1, "BLOCK", max(1, ms(wait)), "STREAMS", result, answer[0])

    # Setting right

    def cancel(self, queue: Id, id: str) -> bool:
        """Takes a job out, also one that is delayed or dead. Whoever is doing it hears so at the next heartbeat.

        False when it is not there.
        """
        words: list[Word] = [job_id_text(id), ms(self.rules.result_ttl)]
        return bool(self._ask(CANCEL, queue, words, [self._result(queue, id)]))

    def dead_letters(self, queue: Id, limit: int = 20, offset: int = 0) -> list[DeadLetter]:
        """Jobs that were given up, the latest first."""
        words: list[Word] = [counted("offset", offset, 0), counted("limit", limit, 1, MOST_AT_ONCE)]
        return letters_of(str(queue), self._ask(LETTERS, queue, words), self.codec)

    def replay(self, queue: Id, *ids: str, limit: int = 100) -> int:
        """Puts dead letters in line again, with all their attempts: those of the ids, else the oldest `limit`.

        Answers how many.
        """
        counted("limit", limit, 1, MOST_AT_ONCE)
        counted("the number of ids", len(ids), 0, MOST_AT_ONCE)
        words: list[Word] = [0, *map(job_id_text, ids)] if ids else [limit]
        return int(self._ask(REPLAY, queue, words))

    def purge_dead(self, queue: Id, limit: int = 100) -> int:
        """Forgets the oldest `limit` dead letters; answers how many there were."""
        return int(self._ask(PURGE, queue, [counted("limit", limit, 1, MOST_AT_ONCE)]))

    # For workers

    def rouse(self, queue: Id, other: str) -> None:
        """Ends a `wait_for_jobs` by one of its other lists."""
        self._run(ROUSE, [other], [ROUSED_MS])

    def fire(self, cron: Cron, due: datetime, *, is_beginning: bool = False) -> tuple[datetime, bool]:
        """Puts a schedule's job of that time, unless that was done. Answers the server's time, and whether it was.

        One that the server does not know yet only begins at that time, `is_beginning`. Raises `QueueFull`.
        """
        due_ms = ms(due.timestamp())
        id, most = job_id_text(f"{cron.name}:{due_ms}"), self.rules.max_attempts
        job = job_words(id, self.codec.encode(cron.job), cron.priority, "0", most)
        begin = "begin" if is_beginning else ""
        words = [cron.name, due_ms, begin, self.rules.max_length, *NOT_UNIQUE.words, *job]
        now_ms, was_put = self._ask(FIRE, cron.queue, words, [self.keys.tagged("queue", cron.queue, "cron")])
        return datetime.fromtimestamp(now_ms / 1000, UTC), bool(was_put)

    # Scripts and keys

    def _ask(self, script: Script, queue: Id, words: Sequence[Word], keys: Sequence[str] = ()) -> Any:
        """What a script answers about a queue."""
        where, told = self._call(queue, words, keys)
        if script.once:
            where.append(self.keys.tagged("queue", queue, "calls"))
        try:
            return self._run(script, where, told)
        except ResponseError as error:
            kind, _, text = str(error).partition(" ")
            if kind == "LEASELOST":
                raise LeaseLost(text) from None
            if kind == "QUEUEFULL":
                raise QueueFull(text) from None
            raise

    def _call(self, queue: Id, words: Sequence[Word], keys: Sequence[str]) -> tuple[list[str], list[Word]]:
        base = self.keys.tagged("queue", queue)
        parts = ("jobs", "waiting", "delayed", "leases", "dead", "wake")
        return [*(f"{base}:{part}" for part in parts), *keys], [*self.rules.words, *words]

    def _result(self, queue: Id, id: str) -> str:
        return self.keys.tagged("queue", queue, "result", id)
