"""A job queue without a network: jobs, their states, when they are tried again, how the scripts' answers are read."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, get_args

import msgspec

from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import CannotDecode, InvalidArgument, PatternError
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.scripts import Script, Word

UniqueFor = Literal["waiting", "done"]
State = Literal["waiting", "delayed", "running", "dead", "done"]

ENQUEUE: Final = Script("queue/enqueue", once=True, with_=["queue/queue", "queue/put"])
# For the caller's own transaction, where nothing can be sent again by itself.
ENQUEUE_WITHIN: Final = Script("queue/enqueue", with_=["queue/queue", "queue/put"])
TAKE: Final = Script("queue/take", with_=["queue/queue"])
ACK: Final = Script("queue/ack", once=True, with_=["queue/queue"])
FAIL: Final = Script("queue/fail", once=True, with_=["queue/queue"])
RELEASE: Final = Script("queue/release", once=True, with_=["queue/queue"])
EXTEND: Final = Script("queue/extend", with_=["queue/queue"])
PEEK: Final = Script("queue/peek", with_=["queue/queue"])
COUNTS: Final = Script("queue/counts", with_=["queue/queue"])
STATUS: Final = Script("queue/status", with_=["queue/queue"])
LETTERS: Final = Script("queue/letters", with_=["queue/queue"])
REPLAY: Final = Script("queue/replay", once=True, with_=["queue/queue"])
PURGE: Final = Script("queue/purge", once=True, with_=["queue/queue"])
CANCEL: Final = Script("queue/cancel", once=True, with_=["queue/queue"])
FIRE: Final = Script("queue/fire", with_=["queue/queue", "queue/put"])
ROUSE: Final = Script("queue/rouse")

# Beyond, priority and sequence would not fit into a score.
HIGHEST_PRIORITY: Final = 255
# What one call carries at most: a script holds up everybody else.
MOST_AT_ONCE: Final = 1000
LONGEST_ERROR: Final = 2000
LONGEST_JOB_ID: Final = 200
_JOB_ID: Final = re.compile(r"[!-~]+")
# A hundred years: what is longer is a mistake in the unit.
LONGEST_S: Final = 100 * 365 * 86_400.0


class LeaseLost(PatternError):
    """The job is no longer this holder's: the lease ran out and the job was given to another, or it was cancelled.

    Nothing was changed. What the holder has done may be done again by another.
    """


class QueueFull(PatternError):
    """As many jobs wait as may. None was put into the queue."""


class JobNotFound(PatternError, LookupError):
    """There is neither a job of that id nor a result: it never was, was cancelled, or its result has expired."""


class JobFailed(PatternError):
    """The job was given up, and is a dead letter. The text says why its last attempt failed."""


class ResultTimeout(PatternError, TimeoutError):
    """The job was not done in time. It goes on."""


class RetryJob(Exception):
    """To be raised by a worker's handler: try again, `after` so many seconds or when the backoff says."""

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason or "its handler asked for another attempt")
        self.after = None if after is None else seconds("after", after)


class RejectJob(Exception):
    """To be raised by a worker's handler: no further attempt makes sense, the job is a dead letter."""


def seconds(name: str, value: float) -> float:
    """Checks a length of time. Raises `InvalidArgument` unless it is a number of seconds that makes sense."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_S:
        raise InvalidArgument(f"{name} is a number of seconds, at least 0, not {value!r}")
    return value


def counted(name: str, value: int, least: int = 1, most: int = 2**53) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidArgument(f"{name} is a whole number from {least} to {most}, not {value!r}")
    return value


def ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


class Job(msgspec.Struct, frozen=True):
    """A job, and the lease on it. Its own fields are `job["to"]`, or `job.to` where no other field has that name."""

    id: str
    queue: str
    # What was enqueued.
    payload: Any
    # Milliseconds of Unix time, by the server's clock.
    enqueued_at: int
    priority: int = 0
    # 1 for the first. With the id it makes a fencing number, higher than that of any holder whose lease ran out.
    attempt: int = 0
    max_attempts: int = 1
    # Proves who holds the lease; empty when nobody was given it.
    token: str = ""

    def __getitem__(self, name: Any) -> Any:
        return self.payload[name]

    def __getattr__(self, name: str) -> Any:
        payload = self.payload
        if isinstance(payload, dict):
            if name in payload:
                return payload[name]
        elif not name.startswith("__") and hasattr(payload, name):
            return getattr(payload, name)
        raise AttributeError(f"neither a job nor what this one is about has {name!r}")


class JobStatus(msgspec.Struct, frozen=True):
    """What is known of a job."""

    state: State
    # What was enqueued; None when it is done.
    job: Job | None
    # Milliseconds of Unix time: when a delayed job is due, until when a running one is leased, when a dead one died.
    time: int | None = None
    # What its worker reported last.
    progress: Any = None
    # Why the last attempt failed.
    error: str = ""


class DeadLetter(msgspec.Struct, frozen=True):
    """A job that was given up."""

    job: Job
    # Milliseconds of Unix time.
    died_at: int
    error: str


class Counts(msgspec.Struct, frozen=True):
    """How many jobs a queue has, by what becomes of them."""

    # To be taken now.
    waiting: int
    # Not due yet: delayed, or to be tried again.
    delayed: int
    running: int
    dead: int


class Backoff(msgspec.Struct, frozen=True):
    """When a failed job is tried again: after `first` seconds, then `factor` times as long each time.

    `jitter` is the part of that by which chance lengthens or shortens it, so that what failed together is not tried
    together.
    """

    first: float = 1.0
    factor: float = 2.0
    longest: float = 3600.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        seconds("first", self.first)
        seconds("longest", self.longest)
        if not 1 <= self.factor <= 1000 or not 0 <= self.jitter <= 1:
            raise InvalidArgument(f"factor is at least 1 and jitter at most 1, not {self.factor} and {self.jitter}")

    def delay(self, attempt: int) -> float:
        """The seconds after this attempt failed, the first being 1."""
        # A double ends a little above e^700.
        most_steps = 700 / math.log(self.factor) if self.factor > 1 else 0
        exact = min(self.longest, self.first * self.factor ** min(attempt - 1, most_steps))
        return exact * (1 + self.jitter * random.uniform(-1, 1))


BACKOFF: Final = Backoff()


class Rules(msgspec.Struct, frozen=True):
    """What a queue is bounded by, and how long it is patient."""

    lease: float
    max_attempts: int
    backoff: Backoff
    max_length: int
    max_dead: int
    dead_ttl: float
    result_ttl: float

    def __post_init__(self) -> None:
        if seconds("lease", self.lease) == 0:
            raise InvalidArgument("a lease is longer than 0 seconds")
        seconds("dead_ttl", self.dead_ttl)
        seconds("result_ttl", self.result_ttl)
        for name in ("max_attempts", "max_length", "max_dead"):
            counted(name, getattr(self, name), 0 if name == "max_dead" else 1)

    @property
    def words(self) -> tuple[Word, ...]:
        """What every script is told first."""
        return self.max_dead, ms(self.dead_ttl)


def job_id_text(value: str) -> str:
    """A job's id. Raises `InvalidArgument` unless it is ASCII without blanks, and not long."""
    if not isinstance(value, str) or len(value) > LONGEST_JOB_ID or not _JOB_ID.fullmatch(value):
        raise InvalidArgument(f"a job's id has at most {LONGEST_JOB_ID} characters of ASCII and no blanks: {value!r}")
    return value


def due_text(delay: float, at: datetime | None) -> str:
    """When a job is due, as the script is told it."""
    if at is None:
        return str(ms(seconds("delay", delay)))
    if delay:
        raise InvalidArgument("a job has a delay or a time, not both")
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise InvalidArgument(f"the time of a job is a datetime with a time zone, not {at!r}")
    return f"@{math.ceil(at.timestamp() * 1000)}"


class Uniqueness(msgspec.Struct, frozen=True):
    """In what a job is unique, and for how long."""

    name: str
    kind: str
    ttl_ms: int

    @property
    def words(self) -> tuple[Word, ...]:
        return self.kind, self.name, self.ttl_ms


NOT_UNIQUE: Final = Uniqueness("-", "-", 0)


def uniqueness(name: Id | None, until: UniqueFor | float) -> Uniqueness:
    if name is None:
        return NOT_UNIQUE
    if isinstance(until, str):
        if until not in get_args(UniqueFor):
            raise InvalidArgument(f"a job is unique while it is {' or not '.join(get_args(UniqueFor))}, or for seconds")
        return Uniqueness(id_text(name), until, 0)
    if seconds("unique_for", until) == 0:
        raise InvalidArgument("a job is unique for more than 0 seconds")
    return Uniqueness(id_text(name), "time", ms(until))


def job_words(job_id: str, payload: bytes, priority: int, due: str, max_attempts: int) -> tuple[Word, ...]:
    """What the script is told of a job to be put."""
    counted("priority", priority, -HIGHEST_PRIORITY, HIGHEST_PRIORITY)
    return job_id, payload, priority, due, counted("max_attempts", max_attempts)


def job_of(queue: str, id: bytes, payload: Any, state: bytes) -> Job:
    """A job from its fields. `payload` is what the codec made of it."""
    priority, enqueued_at, _, attempt, most, token, _, _ = state.decode().split(" ")
    holder = "" if token == "-" else token
    return Job(id.decode(), queue, payload, int(enqueued_at), int(priority), int(attempt), int(most), holder)


def jobs_of(queue: str, flat: Sequence[bytes], codec: Codec[Any]) -> Iterator[tuple[Job, CannotDecode | None]]:
    """The jobs of `id, payload, state ...`. One that cannot be read has its bytes as payload, and the error with it."""
    for at in range(0, len(flat), 3):
        id, data, state = flat[at : at + 3]
        error = None
        try:
            payload = codec.decode(data)
        except CannotDecode as raised:
            payload, error = data, raised
        yield job_of(queue, id, payload, state), error


def payload_or_bytes(data: bytes, codec: Codec[Any]) -> Any:
    """What was enqueued; its bytes where the codec cannot read them, so that dead letters can be looked at."""
    try:
        return codec.decode(data)
    except CannotDecode:
        return data


def status_of(queue: str, id: str, answer: list[Any], codec: Codec[Any]) -> JobStatus | None:
    """What a status script's answer says; None for a job that is not there."""
    if len(answer) == 2:
        return None if answer[1] is None or answer[1][0] != b"result" else JobStatus("done", None)
    state, time, payload, words, error, progress = answer[2:]
    return JobStatus(
        state.decode(),
        job_of(queue, id.encode(), payload_or_bytes(payload, codec), words),
        None if state == b"waiting" else int(float(time)),
        None if progress is None else JSON.decode(progress),
        (error or b"").decode("utf-8", "replace"),
    )


def letters_of(queue: str, flat: Sequence[Any], codec: Codec[Any]) -> list[DeadLetter]:
    letters = []
    for at in range(0, len(flat), 5):
        id, died_at, payload, state, error = flat[at : at + 5]
        job = job_of(queue, id, payload_or_bytes(payload, codec), state)
        letters.append(DeadLetter(job, int(float(died_at)), error.decode("utf-8", "replace")))
    return letters


def error_text(error: BaseException | str) -> str:
    """Why an attempt failed, short enough to be kept."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    # Whatever an exception's text holds must not stand in the way of saying so.
    return text[:LONGEST_ERROR].encode("utf-8", "replace").decode()
