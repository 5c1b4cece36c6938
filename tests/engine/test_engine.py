"""The call of a command and the housekeeping: gates, transactions, waits, slices, expiry, recording."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine import events
from alcove.engine.blocking import NOT_READY, PARKED
from alcove.engine.clock import ManualClock
from alcove.engine.context import Context
from alcove.engine.declaration import REGISTRY, Registry
from alcove.engine.engine import Engine
from alcove.engine.session import Session
from alcove.errors import INTERNAL, OUT_OF_MEMORY, UNBLOCKED, CommandError
from alcove.values import NO_REPLY, NULL_ARRAY, OK, QUEUED

FACTS = {"since": "1.0.0", "complexity": "O(1)", "group": "generic"}


def registry_with_test_commands() -> Registry:
    """All commands, and: TAKE waits for a string key and removes it; COUNTDOWN works in slices; BREAK fails badly."""
    registry = REGISTRY.copy()

    @registry.command("TAKE key timeout", flags="write blocking", **FACTS)
    def take(ctx: Context, key: bytes, timeout: bytes) -> Any:
        """Removes a key as soon as it is there, and answers its value."""

        def attempt() -> Any:
            value = ctx.keys.edit_string(key)
            if value is None:
                return NOT_READY
            ctx.keys.remove(key)
            ctx.record(b"DEL", key)
            return value

        found = attempt()
        return ctx.wait([key], int(timeout), attempt, NULL_ARRAY) if found is NOT_READY else found

    @registry.command("COUNTDOWN key steps", flags="write", sliced=True, **FACTS)
    def countdown(ctx: Context, key: bytes, steps: bytes) -> Generator[None, None, int]:
        """Sets a key once a slice."""
        for step in range(int(steps)):
            ctx.keys.put(key, b"%d" % step, events.STRING, b"set")
            ctx.record(b"SET", key, b"%d" % step)
            yield
        if key == b"bad":
            raise CommandError("ERR bad end")
        return int(steps)

    @registry.command("BREAK key", flags="write blocking", **FACTS)
    def break_(ctx: Context, key: bytes) -> Any:
        """Waits for a key, and then fails as only a mistake of ours does."""
        return ctx.wait([key], 0, lambda: 1 // 0, None)

    return registry


class House:
    """An engine on a clock of its own, some sessions, and what came late."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = Engine(clock=self.clock, registry=registry_with_test_commands())
        self.late: list[tuple[int, Any]] = []
        self.batches: list[list[tuple[int, list[bytes]]]] = []
        self.engine.attach(self)

    def commit(self, batch: list[tuple[int, list[bytes]]]) -> None:
        self.batches.append(batch)

    def session(self) -> Session:
        session = self.engine.connect("embedded")
        session.deliver = lambda reply: self.late.append((session.id, reply))
        return session

    def run(self, session: Session, line: str) -> Any:
        reply = self.engine.execute(session, line.encode().split())
        return reply.text if isinstance(reply, CommandError) else reply

    def tick(self) -> int:
        self.engine.enter()
        try:
            return self.engine.tick()
        finally:
            self.engine.leave()

    @property
    def recorded(self) -> list[bytes]:
        return [b" ".join(argv) for batch in self.batches for _, argv in batch]


@pytest.fixture
def house() -> House:
    return House()


# Recording


def test_a_command_that_changes_nothing_is_not_recorded(house: House) -> None:
    session = house.session()
    house.run(session, "SET a 1")
    house.run(session, "SETNX a 2")
    house.run(session, "GET a")
    house.run(session, "DEL nothing")
    assert house.recorded == [b"SET a 1"]


def test_a_transaction_is_one_batch_with_the_databases_of_its_effects(house: House) -> None:
    session = house.session()
    for line in ("MULTI", "SET a 1", "GET a", "SELECT 3", "INCR b"):
        house.run(session, line)
    assert house.batches == []
    assert house.run(session, "EXEC") == [OK, b"1", OK, 1]
    assert house.batches == [[(0, [b"SET", b"a", b"1"]), (3, [b"INCR", b"b"])]]


def test_what_expires_during_a_command_is_recorded_before_it(house: House) -> None:
    session = house.session()
    house.run(session, "SET a 1 PX 100")
    house.clock.advance(0.2)
    house.run(session, "INCR a")
    assert house.recorded[1:] == [b"DEL a", b"INCR a"]
    assert len(house.batches) == 2


# Transactions


def test_watch_sees_expiry_flush_swap_and_other_sessions(house: House) -> None:
    mine, other = house.session(), house.session()
    for change in ("SET w 2", "DEL w", "FLUSHALL", "SWAPDB 0 1", "EXPIRE w -1", "RENAME w x"):
        house.run(mine, "SET w 1")
        house.run(mine, "WATCH w")
        house.run(other, change)
        house.run(mine, "MULTI")
        house.run(mine, "SET done 1")
        assert house.run(mine, "EXEC") is NULL_ARRAY, change
    house.run(mine, "SET w 1 PX 10")
    house.run(mine, "WATCH w")
    house.clock.advance(1)
    house.run(mine, "MULTI")
    assert house.run(mine, "EXEC") is NULL_ARRAY


def test_a_key_that_had_expired_before_watch_breaks_nothing(house: House) -> None:
    session = house.session()
    house.run(session, "SET w 1 PX 10")
    house.clock.advance(1)
    house.run(session, "WATCH w")
    house.run(session, "MULTI")
    assert house.run(session, "EXEC") == []


def test_a_refused_command_spoils_the_transaction(house: House) -> None:
    session = house.session()
    house.run(session, "MULTI")
    assert house.run(session, "SET a 1") is QUEUED
    assert "wrong number" in house.run(session, "GET")
    assert house.run(session, "EXEC").startswith("EXECABORT")
    assert house.run(session, "EXISTS a") == 0


def test_disconnecting_leaves_no_watch(house: House) -> None:
    session = house.session()
    house.run(session, "WATCH a b")
    house.engine.disconnect(session)
    assert house.engine.space.databases[0].watchers == {}


# Waiting


def test_waits_are_served_first_come_first_served_within_the_call(house: House) -> None:
    first, second, giver = house.session(), house.session(), house.session()
    assert house.run(first, "TAKE k 0") is PARKED
    assert house.run(second, "TAKE k 0") is PARKED
    house.run(giver, "SET k one")
    assert house.late == [(first.id, b"one")]
    house.run(giver, "SET k two")
    assert house.late[1:] == [(second.id, b"two")]
    assert house.engine.space.databases[0].waiting == {}
    assert house.recorded == [b"SET k one", b"DEL k", b"SET k two", b"DEL k"]


def test_a_wait_ends_at_its_deadline_and_not_before(house: House) -> None:
    session = house.session()
    house.run(session, "TAKE k 5000")
    house.clock.advance(0.004999)
    assert house.tick() == 1
    assert house.late == []
    house.clock.advance(0.000001)
    house.tick()
    assert house.late == [(session.id, NULL_ARRAY)]


def test_waiting_never_happens_inside_a_transaction(house: House) -> None:
    session = house.session()
    house.run(session, "MULTI")
    house.run(session, "TAKE k 0")
    assert house.run(session, "EXEC") == [NULL_ARRAY]


def test_keys_written_in_a_transaction_wake_only_when_it_is_done(house: House) -> None:
    waiting, session = house.session(), house.session()
    house.run(waiting, "TAKE k 0")
    for line in ("MULTI", "SET k 1", "DEL k", "SET k 2"):
        house.run(session, line)
    assert house.run(session, "EXEC") == [OK, 1, OK]
    assert house.late == [(waiting.id, b"2")]


@pytest.mark.parametrize("how", ["RENAME other k", "SWAPDB 0 1", "COPY other k", "MSET a 1 k 5"])
def test_whatever_brings_a_key_wakes(house: House, how: str) -> None:
    waiting, session = house.session(), house.session()
    house.run(session, "SET other 5")
    house.run(session, "SELECT 1")
    house.run(session, "SET k 5")
    house.run(session, "SELECT 0")
    house.run(waiting, "TAKE k 0")
    house.run(session, how)
    assert house.late == [(waiting.id, b"5")]


def test_a_mistake_in_one_wait_is_its_own(house: House) -> None:
    broken, waiting, session = house.session(), house.session(), house.session()
    house.run(broken, "BREAK k")
    house.run(waiting, "TAKE k 0")
    assert house.run(session, "SET k 1") is OK
    assert house.late[0][0] == broken.id
    assert house.late[0][1].text == INTERNAL
    assert house.late[1] == (waiting.id, b"1")


def test_unblock_ends_a_wait_as_asked(house: House) -> None:
    waiting, session = house.session(), house.session()
    house.run(waiting, "TAKE k 0")
    assert house.run(session, f"CLIENT UNBLOCK {waiting.id} TIMEOUT") == 1
    house.run(waiting, "TAKE k 0")
    assert house.run(session, f"CLIENT UNBLOCK {waiting.id} ERROR") == 1
    assert house.run(session, f"CLIENT UNBLOCK {waiting.id}") == 0
    assert house.late[0] == (waiting.id, NULL_ARRAY)
    assert house.late[1][1].text == UNBLOCKED


def test_disconnecting_leaves_no_wait(house: House) -> None:
    waiting, session = house.session(), house.session()
    house.run(waiting, "TAKE k 0")
    house.engine.disconnect(waiting)
    house.run(session, "SET k 1")
    assert house.late == []
    assert house.run(session, "GET k") == b"1"


# Slices


def test_a_long_command_lets_others_in_between(house: House) -> None:
    slow, other = house.session(), house.session()
    assert house.run(slow, "COUNTDOWN k 3") is PARKED
    assert house.run(other, "GET k") == b"0"
    house.run(other, "SET k mine")
    while not house.late:
        house.tick()
    assert house.late == [(slow.id, 3)]
    assert house.recorded == [b"SET k 0", b"SET k mine", b"SET k 1", b"SET k 2"]


def test_a_long_command_that_fails_in_a_later_slice_answers_the_error(house: House) -> None:
    session = house.session()
    house.run(session, "COUNTDOWN bad 2")
    while not house.late:
        house.tick()
    assert house.late[0][1].text == "ERR bad end"


def test_a_long_command_stops_when_its_client_goes(house: House) -> None:
    session = house.session()
    house.run(session, "COUNTDOWN k 1000000")
    house.engine.disconnect(session)
    house.tick()
    assert len(house.recorded) == 1


def test_in_a_transaction_a_long_command_runs_to_its_end(house: House) -> None:
    session = house.session()
    house.run(session, "MULTI")
    house.run(session, "COUNTDOWN k 3")
    assert house.run(session, "EXEC") == [3]
    assert len(house.batches) == 1


def test_delmatch_deletes_what_matches_in_slices(house: House) -> None:
    session, other = house.session(), house.session()
    for number in range(1000):
        house.run(other, f"MSET a:{number} 1 b:{number} 1")
    house.batches.clear()
    reply = house.run(session, "DELMATCH a:*")
    while reply is PARKED:
        house.tick()
        if house.late:
            reply = house.late.pop()[1]
    assert reply == 1000
    assert house.run(other, "DBSIZE") == 1000
    assert all(len(batch) == 1 and batch[0][1][0] == b"DEL" for batch in house.batches)
    assert len(house.batches) > 3


# Housekeeping


def test_keys_expire_by_themselves_with_their_event(house: House) -> None:
    heard: list[tuple[bytes, bytes]] = []
    house.engine.space.event_mask = events.EXPIRED
    house.engine.space.listener = lambda _database, _class, event, key: heard.append((event, key))
    session = house.session()
    house.run(session, "SET a 1 PX 50")
    house.run(session, "SET b 1 PX 100")
    house.run(session, "SET c 1")
    assert house.tick() == 50_000
    house.clock.advance(0.06)
    house.tick()
    assert heard == [(b"expired", b"a")]
    house.clock.advance(10)
    assert house.tick() == -1
    assert house.run(session, "DBSIZE") == 1


def test_expiry_goes_by_the_wall_clock_and_timeouts_do_not(house: House) -> None:
    session, waiting = house.session(), house.session()
    house.run(session, "SET a 1 EX 100")
    house.run(waiting, "TAKE k 1000000")
    house.clock.jump(1000)
    house.tick()
    assert house.run(session, "EXISTS a") == 0
    assert house.late == []


def test_big_values_are_freed_in_slices(house: House) -> None:
    session = house.session()
    for number in range(5000):
        house.run(session, f"SET k{number} v")
    house.run(session, "FLUSHALL")
    assert house.engine.space.graveyard
    assert house.run(session, "DBSIZE") == 0
    while house.tick() == 0:
        pass
    assert not house.engine.space.graveyard


def test_memory_is_accounted_and_comes_back(house: House) -> None:
    session = house.session()
    house.run(session, "SET a " + "x" * 1000)
    assert house.engine.space.used > 1000
    house.run(session, "APPEND a " + "y" * 5000)
    assert house.engine.space.used > 6000
    house.run(session, "RENAME a b")
    house.run(session, "COPY b c")
    assert house.engine.space.used > 12000
    house.run(session, "DEL b c")
    assert house.engine.space.used == 0


def test_maxmemory_refuses_what_needs_memory(house: House) -> None:
    session = house.session()
    house.run(session, "SET a " + "x" * 1000)
    house.run(session, "CONFIG SET maxmemory 500")
    assert house.run(session, "SET b 1") == OUT_OF_MEMORY
    assert house.run(session, "GET a") == b"x" * 1000
    assert house.run(session, "DEL a") == 1
    assert house.run(session, "SET b 1") is OK


def test_authentication_comes_first(house: House) -> None:
    house.run(house.session(), "CONFIG SET requirepass secret")
    session = house.session()
    assert house.run(session, "GET a").startswith("NOAUTH")
    assert house.run(session, "HELLO 3").startswith("NOAUTH HELLO")
    assert house.run(session, "AUTH wrong").startswith("WRONGPASS")
    assert house.run(session, "AUTH other secret").startswith("WRONGPASS")
    assert house.run(session, "AUTH secret") is OK
    assert house.run(session, "GET a") is None


def test_client_reply_keeps_replies_back(house: House) -> None:
    session = house.session()
    assert house.run(session, "CLIENT REPLY OFF") is NO_REPLY
    assert house.run(session, "PING") is NO_REPLY
    assert house.run(session, "CLIENT REPLY ON") is OK
    assert house.run(session, "CLIENT REPLY SKIP") is NO_REPLY
    assert house.run(session, "SET a 1") is NO_REPLY
    assert house.run(session, "GET a") == b"1"


def test_a_call_from_inside_a_command_raises(house: House) -> None:
    session = house.session()
    caught: list[str] = []

    def listener(*event: object) -> None:
        try:
            house.run(session, "GET a")
        except RuntimeError as error:
            caught.append(str(error))

    house.engine.space.event_mask = events.STRING
    house.engine.space.listener = listener
    house.run(session, "SET a 1")
    assert len(caught) == 1
    assert "inside one of its own commands" in caught[0]
    assert house.run(session, "GET a") == b"1"


def test_many_threads_share_an_engine() -> None:
    engine = Engine()

    def work() -> None:
        session = engine.connect("embedded")
        for _ in range(500):
            engine.execute(session, [b"INCR", b"n"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.execute(engine.connect("embedded"), [b"GET", b"n"]) == b"4000"
