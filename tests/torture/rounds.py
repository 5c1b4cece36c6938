"""What is killed: a server or an embedding program, begun again and again on the same folder, looked at each time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import alcove
from tests.torture.writers import Content, Ledger, Writer, contents
from tests.waiting import PATIENCE_S

WRITERS: Final = ("ada:", "bob:", "cyd:", "dan:")
# A program that has not begun after so long is taken for refused.
# The longest that writers are left to write before a kill, and how many kills in ten come while a program begins.
LONGEST_SECONDS: Final = 0.5
EARLY_IN_TEN: Final = 1
ROOT: Final = Path(__file__).parents[2]


class RefusedStart(Exception):
    """A program has not come up on what its predecessor has left."""


class Victim(Protocol):
    """A program that is to be killed."""

    def found(self) -> dict[str, Content]:
        """What it has found in its folder, once it is ready. Raises `RefusedStart`."""

    def write(self, begin: list[int]) -> None:
        """Has the writers go on, each behind a step."""

    def kill(self) -> None:
        """Ends it with SIGKILL, and returns when no writer writes any more."""


class Process:
    """A process, what it says on standard error being kept for whoever asks why."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.said = folder / "said"
        paths = os.pathsep.join((str(Path(alcove.__file__).parents[1]), str(ROOT)))
        with self.said.open("wb") as said:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, "PYTHONPATH": paths},
            )

    def refusal(self) -> RefusedStart:
        return RefusedStart(f"status {self.popen.poll()}: {self.said.read_text()[-2000:]}")

    def kill(self) -> None:
        """Kills it; a program that had ended by itself, or told of an unexpected error, is one that failed."""
        ended = self.popen.poll()
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        said = self.said.read_text()
        if ended is not None or "Traceback" in said:
            raise RuntimeError(f"the program failed, status {ended}: {said[-4000:]}")


class Embedding:
    """A program with the engine and the writers within."""

    def __init__(self, folder: Path, fsync: str) -> None:
        self._process = Process(folder, "tests.torture.embedder", str(folder), fsync, *WRITERS)

    def found(self) -> dict[str, Content]:
        line = pipe(self._process.popen.stdout).readline()
        if not line:
            self._process.popen.wait()
            raise self._process.refusal()
        found: dict[str, Content] = json.loads(line)
        return found

    def write(self, begin: list[int]) -> None:
        stdin = pipe(self._process.popen.stdin)
        stdin.write(json.dumps(begin) + "\n")
        stdin.flush()

    def kill(self) -> None:
        self._process.kill()


class Serving:
    """`alcove serve`, with writers here that are connected to it."""

    def __init__(self, folder: Path, fsync: str) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self._socket.unlink(missing_ok=True)
        data = folder / "data"
        data.mkdir(exist_ok=True)
        settings = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(data), "--save", ""]
        settings += ["--appendonly", "yes", "--appendfsync", fsync, "--logfile", "log"]
        self._process = Process(folder, "alcove", "serve", *settings)
        self._threads: list[threading.Thread] = []
        # What writers were told that is no acknowledgement.
        self._errors: list[str] = []

    def connect(self) -> Any:
        retry = Retry(NoBackoff(), 0)
        return redis.Redis(unix_socket_path=str(self._socket), decode_responses=True, retry=retry)

    def found(self) -> dict[str, Content]:
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and self._process.popen.poll() is None:
            with (
                contextlib.suppress(redis.ConnectionError, redis.exceptions.BusyLoadingError),
                self.connect() as client,
            ):
                client.dbsize()
                return contents(client)
            time.sleep(0.005)
        raise self._process.refusal()

    def write(self, begin: list[int]) -> None:
        jobs = [(self._write, (name, step)) for name, step in zip(WRITERS, begin, strict=True)]
        self._threads = [threading.Thread(target=job, args=arguments) for job, arguments in jobs]
        self._threads.append(threading.Thread(target=self._rewrite))
        for thread in self._threads:
            thread.start()

    def _write(self, name: str, step: int) -> None:
        writer, ledger = Writer(name), Ledger(self._folder / f"{name}ledger")
        try:
            with self.connect() as client:
                while True:
                    step += 1
                    writer.take(client, step)
                    ledger.note(step)
        except redis.ConnectionError:
            # It was killed.
            return
        except redis.RedisError as error:
            self._errors.append(f"{name} at step {step}: {error}")
        finally:
            ledger.close()

    def _rewrite(self) -> None:
        with contextlib.suppress(redis.ConnectionError), self.connect() as client:
            while True:
                time.sleep(random.uniform(0.02, 0.2))
                with contextlib.suppress(redis.ResponseError):
                    # The last one may be under way.
                    client.bgrewriteaof()

    def kill(self) -> None:
        self._process.kill()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise RuntimeError("; ".join(self._errors))


VICTIMS: Final[dict[str, type[Embedding] | type[Serving]]] = {"server": Serving, "embedded": Embedding}


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@dataclass
class Outcome:
    """What has come of many kills."""

    kind: str
    fsync: str
    kills: int = 0
    # How many of them while a program was loading or about to.
    early: int = 0
    acknowledged: int = 0
    rewrites: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.refused or self.failed)

    def __str__(self) -> str:
        troubles = [*self.lost, *self.refused, *self.failed]
        return "\n".join((
            f"{self.fsync:8} {self.kind:8} {self.kills} kills ({self.early} while starting), "
            f"{self.acknowledged} writes acknowledged, {self.rewrites} rewrites, {len(self.lost)} lost, "
            f"{len(self.refused)} refused starts, {len(self.failed)} failures, {self.seconds:.0f} s",
            *troubles,
        ))  # fmt: skip


def torture(kind: str, fsync: str, kills: int, folder: Path, seed: int) -> Outcome:
    """Kills a program so many times, and looks at what is there after each; ends early where something is wrong."""
    outcome = Outcome(kind, fsync)
    chance = random.Random(f"{seed} {kind} {fsync}")
    writers = [Writer(name) for name in WRITERS]
    ledgers = [Ledger(folder / f"{name}ledger") for name in WRITERS]
    began = time.monotonic()
    try:
        while outcome.good and outcome.kills < kills:
            one_kill(outcome, folder, writers, ledgers, chance)
        if outcome.good:
            # What the last kill has left.
            victim = VICTIMS[kind](folder, fsync)
            look(outcome, victim, writers, ledgers)
            victim.kill()
    except RefusedStart as refusal:
        outcome.refused.append(str(refusal))
    except RuntimeError as failure:
        outcome.failed.append(str(failure))
    outcome.acknowledged = sum(ledger.acknowledged for ledger in ledgers)
    outcome.rewrites = rewrites(folder)
    outcome.seconds = time.monotonic() - began
    for ledger in ledgers:
        ledger.close()
    return outcome


def one_kill(
    outcome: Outcome, folder: Path, writers: list[Writer], ledgers: list[Ledger], chance: random.Random
) -> None:
    victim: Victim = VICTIMS[outcome.kind](folder, outcome.fsync)
    if chance.randrange(10) < EARLY_IN_TEN:
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
        outcome.early += 1
    else:
        look(outcome, victim, writers, ledgers)
        victim.write([writer.step for writer in writers])
        time.sleep(chance.uniform(0, LONGEST_SECONDS))
    outcome.kills += 1
    victim.kill()


def look(outcome: Outcome, victim: Victim, writers: list[Writer], ledgers: list[Ledger]) -> None:
    """Compares what a program has found with what was acknowledged."""
    found = victim.found()
    for writer, ledger in zip(writers, ledgers, strict=True):
        trouble = writer.compare(found.pop(writer.name, {}), max(ledger.acknowledged, writer.step))
        if trouble:
            outcome.lost.append(f"kill {outcome.kills}, {trouble}")
    if found:
        outcome.lost.append(f"kill {outcome.kills}: there are keys of nobody: {sorted(found)}")


def rewrites(folder: Path) -> int:
    """How many rewrites have ended, by the base's number."""
    manifest = folder / "data" / "appendonlydir" / "appendonly.aof.manifest"
    found = re.search(r"\.(\d+)\.base\.", manifest.read_text() if manifest.exists() else "")
    return int(found[1]) if found else 0
