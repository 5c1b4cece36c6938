"""Writing behind: what is seen at once, what reaches the store, in which order, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

import alcove
from alcove.patterns import CannotEncode, InvalidArgument, TooMuchPending, WriteBehind
from tests.patterns.conftest import Toolkit
from tests.waiting import eventually


class Database:
    """Rows in memory, what was written to them, and how often that is to fail."""

    def __init__(self, **rows: dict[str, Any]) -> None:
        self.rows = rows
        self.updates: list[Any] = []
        self.failures = 0
        self.loads = 0
        self._lock = threading.Lock()

    def load(self, key: str) -> dict[str, Any] | None:
        self.loads += 1
        row = self.rows.get(key)
        return None if row is None else dict(row)

    def write(self, update: Any) -> None:
        with self._lock:
            if self.failures:
                self.failures -= 1
                raise LookupError("the database is away")
            self.updates.append(update)
            self.rows.setdefault(update.key, {}).update(update.changes)


def made(toolkit: Toolkit, database: Database, **options: Any) -> Any:
    settings = {"delay": 1.0 * toolkit.unit, "retry_after": 1.0 * toolkit.unit, "lease": 20.0 * toolkit.unit, **options}
    return toolkit.make("WriteBehind", load=database.load, write=database.write, **settings)


def test_a_change_is_seen_at_once_and_written_soon(toolkit: Toolkit) -> None:
    database = Database(ann={"name": "Ann", "city": "Rome"})
    behind = made(toolkit, database)
    assert behind.get("ann") == {"name": "Ann", "city": "Rome"}
    behind.update("ann", {"city": "Oslo"})
    assert behind.get("ann") == {"name": "Ann", "city": "Oslo"}
    assert database.rows["ann"]["city"] == "Rome"
    lag = behind.lag()
    assert (lag.pending, lag.flying, lag.dead) == (1, 0, 0)
    toolkit.pass_time(2)
    assert behind.lag().seconds >= 1.9 * toolkit.unit
    behind.flush()
    assert database.rows["ann"] == {"name": "Ann", "city": "Oslo"}
    assert behind.get("ann") == {"name": "Ann", "city": "Oslo"}
    assert behind.lag().seconds == 0.0
    assert behind.get("nobody") is None
    behind.update("new", {"name": "New"})
    assert behind.get("new") == {"name": "New"}
    assert database.loads >= 3


def test_changes_of_a_key_are_written_together_in_order(toolkit: Toolkit) -> None:
    database = Database()
    behind = made(toolkit, database)
    for number in range(5):
        behind.update("a", {"n": number, f"f{number}": True})
        behind.update("b", {"n": number})
    behind.flush()
    assert sorted((update.key, update.changes["n"]) for update in database.updates) == [("a", 4), ("b", 4)]
    assert len(database.updates[0].changes) + len(database.updates[1].changes) == 7
    behind.update("a", {"n": 5})
    behind.flush()
    first, second = (update for update in database.updates if update.key == "a")
    assert first.version < second.version
    assert first.id != second.id


def test_what_comes_while_it_is_written_follows(toolkit: Toolkit) -> None:
    database = Database()
    behind, other = made(toolkit, database), made(toolkit, database)
    write = database.write
    seen: list[Any] = []

    def slow(update: Any) -> None:
        if not seen:
            seen.append(update)
            other.update("a", {"n": 2})
            # Nobody else is given the key meanwhile.
            other.flush()
            assert other.get("a") == {"n": 2}
        write(update)

    database.write = slow  # type: ignore[method-assign]
    behind = made(toolkit, database)
    behind.update("a", {"n": 1})
    behind.flush()
    assert [update.changes for update in database.updates] == [{"n": 1}, {"n": 2}]


def test_a_write_that_fails_is_tried_again(toolkit: Toolkit) -> None:
    database = Database()
    database.failures = 2
    behind = made(toolkit, database)
    behind.update("a", {"n": 1})
    behind.flush()
    assert database.updates == []
    assert behind.get("a") == {"n": 1}
    behind.update("a", {"n": 2})
    for _ in range(6):
        toolkit.pass_time(2)
        behind.flush()
    assert [(update.changes, update.attempt) for update in database.updates] == [({"n": 1}, 3), ({"n": 2}, 1)]


def test_what_is_given_up_is_a_dead_letter(toolkit: Toolkit) -> None:
    database = Database()
    database.failures = 2
    behind = made(toolkit, database, attempts=2)
    behind.update("a", {"n": 1, "m": 1})
    for _ in range(3):
        behind.flush()
        toolkit.pass_time(3)
    (dead,) = behind.dead_letters()
    assert (dead.update.key, dead.update.changes, dead.error) == (
        "a",
        {"n": 1, "m": 1},
        "LookupError: the database is away",
    )
    assert behind.lag().dead == 1
    assert behind.get("a") == {"n": 1, "m": 1}
    behind.update("a", {"n": 2})
    assert behind.replay("a", "nobody") == 1
    behind.flush()
    assert database.rows["a"] == {"n": 2, "m": 1}
    assert behind.dead_letters() == []
    database.failures = 2
    behind.update("b", {"n": 1})
    for _ in range(3):
        behind.flush()
        toolkit.pass_time(3)
    assert behind.discard("b") == 1
    assert behind.get("b") is None


def test_an_update_whose_writer_died_is_made_by_another(toolkit: Toolkit) -> None:
    database = Database()
    behind = made(toolkit, database, lease=5 * toolkit.unit)
    behind.update("a", {"n": 1})
    toolkit.pass_time(2)
    # What a process leaves behind that was killed just before, or just after the store had the changes.
    target = behind._target if toolkit.thread else behind
    from alcove.patterns.core.writes import CLAIM

    words = ["dead", round(5000 * toolkit.unit), 10, 8, "", "lane", 1]
    claimed = toolkit.client.execute_command(*CLAIM.by_text([*target._parts(0), target._calls(0)], words))
    assert len(claimed[1]) == 1
    behind.flush()
    assert database.updates == []
    assert behind.get("a") == {"n": 1}
    toolkit.pass_time(6)
    behind.flush()
    (update,) = database.updates
    assert (update.attempt, update.version) == (2, claimed[1][0][1])
    assert behind._settle(0, "dead", update, ["done"]) is False


def is_drained(behind: Any) -> bool:
    """Whether all updates have reached the store."""
    lag = behind.lag()
    return not lag.pending + lag.flying


def test_writers_beside_their_program(live_toolkit: Toolkit) -> None:
    database = Database()
    options = {"delay": 0.01, "retry_after": 0.01, "shards": 2}
    writers = [made(live_toolkit, database, **options) for _ in range(2)]
    for writer in writers:
        writer.start()
    changer = made(live_toolkit, database, **options)

    def change(number: int) -> None:
        changer.update(f"k{number % 7}", {f"f{number}": number})
        assert changer.get(f"k{number % 7}")[f"f{number}"] == number

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(150)))
    eventually(lambda: is_drained(changer))
    for writer in writers:
        getattr(writer, "close" if live_toolkit.thread is None else "aclose")()
    for number in range(150):
        assert database.rows[f"k{number % 7}"][f"f{number}"] == number
    for key in database.rows:
        versions = [update.version for update in database.updates if update.key == key]
        assert versions == sorted(set(versions))


WRITER = """
import os, sys, json
import alcove
from alcove.patterns import WriteBehind
from pathlib import Path

url, folder = sys.argv[1:]

def write(update):
    # A store that keeps what it has by whole files, and remembers which updates it made.
    path = Path(folder, update.key)
    row = json.loads(path.read_text()) if path.exists() else {}
    row |= update.changes
    with open(Path(folder, "log"), "a") as log:
        log.write(f"{update.id}\\n")
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(row))
    new.rename(path)

behind = WriteBehind(alcove.from_url(url), load=lambda key: None, write=write, delay=0.001, lease=0.3, retry_after=0.01)
print("ready", flush=True)
behind.start()
sys.stdin.read()
"""


def test_no_acknowledged_change_is_lost_when_writers_are_killed(live_toolkit: Toolkit, tmp_path: Path) -> None:
    url = live_toolkit.place.url()
    if not url or live_toolkit.thread:
        pytest.skip("another process cannot reach it, or the processes are the same")
    behind = WriteBehind(alcove.from_url(url), load=lambda key: None, write=print, lease=0.3)
    acknowledged: dict[str, dict[str, int]] = {}
    number = 0
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            number += 1
            behind.update(f"k{number % 5}", {f"f{number % 40}": number})
            acknowledged.setdefault(f"k{number % 5}", {})[f"f{number % 40}"] = number
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    eventually(lambda: is_drained(behind))
    writer.kill()
    writer.communicate()
    assert {key: json.loads((tmp_path / key).read_text()) for key in acknowledged} == acknowledged
    assert behind.lag().dead == 0
    behind.client.close()


def test_a_bound_on_what_is_pending(toolkit: Toolkit) -> None:
    behind = made(toolkit, Database(), max_pending=2)
    behind.update("a", {"n": 1})
    behind.update("b", {"n": 1})
    behind.update("a", {"n": 2})
    with pytest.raises(TooMuchPending):
        behind.update("c", {"n": 1})
    assert behind.get("c") is None


class Away:
    def execute_command(self, *words: Any, **options: Any) -> Any:
        raise redis.ConnectionError("nobody listens")


def test_bad_input(toolkit: Toolkit) -> None:
    behind = made(toolkit, Database())
    for changes in ({}, [], "x", None, {1: 2}, {"": 1}):
        with pytest.raises(InvalidArgument):
            behind.update("a", changes)
    with pytest.raises(CannotEncode):
        behind.update("a", {"n": object()})
    with pytest.raises(InvalidArgument):
        behind.update("", {"n": 1})
    for wrong in ({"delay": -1}, {"lease": 0}, {"attempts": 0}, {"shards": 0}, {"batch": 0}):
        with pytest.raises(InvalidArgument):
            made(toolkit, Database(), **wrong)
    assert toolkit.client.keys("*") == []
    with pytest.raises(redis.ConnectionError):
        WriteBehind(Away(), load=print, write=print).update("a", {"n": 1})  # type: ignore[arg-type]
