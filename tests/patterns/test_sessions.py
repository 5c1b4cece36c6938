"""Sessions: the chapter's class, what ends them and what cannot bring them back, versions, rotation, users' lists."""

from __future__ import annotations

import pickle
import random
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from alcove.patterns import (
    CannotDecode,
    CannotEncode,
    InvalidArgument,
    MessagePack,
    OutcomeUnknown,
    SessionConflict,
    SessionGone,
    SessionStore,
)
from alcove.patterns.core.sessions import CREATE, handle_of, new_id, tag_in, tag_of
from tests.conftest import TestClock
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded


@pytest.fixture
def store(toolkit: Toolkit) -> Any:
    return toolkit.make("SessionStore", idle=10 * toolkit.unit)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def client(clock: TestClock) -> Iterator[redis.Redis]:
    place = Embedded(clock)
    clock.engine = place.engine
    with place.client() as client:
        yield client


class Counting:
    """A client that counts its trips and notes the commands; each may be sent again, or its answer be lost."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.sent: list[tuple[Any, ...]] = []
        self.resent = 0
        self.lost = 0

    def execute_command(self, *words: Any, **options: Any) -> Any:
        self.sent.append(words)
        reply = self._client.execute_command(*words, **options)
        for _ in range(self.resent):
            reply = self._client.execute_command(*words, **options)
        if self.lost:
            self.lost -= 1
            raise redis.TimeoutError("no answer")
        return reply


# The chapter's class


def test_the_chapters_way(toolkit: Toolkit, store: Any) -> None:
    session_id = store.create("user1", {"email": "a@b.c", "cart": [1, 2]})
    session = store.get(session_id)
    assert (session.user_id, session.data) == ("user1", {"email": "a@b.c", "cart": [1, 2]})
    seconds, _ = (
        toolkit.client.time(target_nodes="random") if "cluster" in toolkit.place.url() else toolkit.client.time()
    )
    assert abs(session.created_at - seconds) < 20
    assert store.update(session_id, {"email": "x@y.z", "theme": "dark"}) == 2
    assert store.get(session_id).data == {"email": "x@y.z", "cart": [1, 2], "theme": "dark"}
    assert 5 * toolkit.unit < store.get_expiration(session_id) <= 10 * toolkit.unit
    assert store.destroy(session_id) is True
    assert store.get(session_id) is None
    assert store.get_expiration(session_id) is None


def test_the_default_is_half_an_hour(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore")
    assert 1799 < store.get_expiration(store.create("ann")) <= 1800


def test_a_late_update_brings_the_chapters_session_back_and_not_ours(toolkit: Toolkit, store: Any) -> None:
    """Read, log out elsewhere, write: HMSET and EXPIRE make half a session of nobody's."""
    client = toolkit.client
    client.hset("session:theirs", mapping={"userId": "ann"})
    client.delete("session:theirs")
    client.hset("session:theirs", mapping={"theme": "dark"})
    client.expire("session:theirs", 1800)
    assert client.hgetall("session:theirs") == {b"theme": b"dark"}

    session_id = store.create("ann", {"a": 1})
    session = store.get(session_id)
    store.destroy(session_id)
    session.data["theme"] = "dark"
    for late in (lambda: store.update(session_id, {"theme": "dark"}), lambda: store.save(session)):
        with pytest.raises(SessionGone):
            late()
    assert store.get(session_id) is None
    assert store.sessions("ann") == []


# Ends


def test_idle_sessions_end_and_others_do_not(toolkit: Toolkit, store: Any) -> None:
    used, idle = store.create("ann"), store.create("ann")
    for _ in range(3):
        toolkit.pass_time(4)
        assert store.get(used) is not None
    assert store.get(idle) is None
    assert store.get(idle, touch=False) is None
    with pytest.raises(SessionGone):
        store.update(idle, {"a": 1})
    assert store.destroy(idle) is False
    assert [session.handle for session in store.sessions("ann")] == [handle_of(used)]


def test_looking_does_not_keep_a_session(toolkit: Toolkit, store: Any) -> None:
    session_id = store.create("ann")
    toolkit.pass_time(3)
    for _ in range(2):
        assert store.get(session_id, touch=False).expires_in <= 7 * toolkit.unit
        assert store.get_expiration(session_id) <= 7 * toolkit.unit
    toolkit.pass_time(7.5)
    assert store.get_expiration(session_id) is None


def test_a_session_ends_in_any_case(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore", idle=10 * toolkit.unit, absolute=15 * toolkit.unit)
    session_id = store.create("ann")
    for _ in range(3):
        toolkit.pass_time(3)
        store.update(session_id, {"seen": True})
    assert store.get(session_id).expires_in <= 6 * toolkit.unit
    toolkit.pass_time(6.2)
    assert store.get(session_id) is None


def test_nothing_is_left_behind(toolkit: Toolkit) -> None:
    if toolkit.unit != 1.0:
        # Tombstones are kept for ten minutes: here by a clock that is ours.
        return
    store = toolkit.make("SessionStore", idle=100)
    kept, destroyed, rotated = (store.create("ann", {"a": 1}) for _ in range(3))
    store.update(kept, {"b": 1})
    store.destroy(destroyed)
    store.rotate(rotated, grace=5)
    store.create(None)
    store.revoke_all("ann")
    toolkit.pass_time(700)
    assert [*toolkit.client.scan_iter()] == []


def test_most_reads_write_nothing(client: redis.Redis, clock: TestClock) -> None:
    store = SessionStore(client, idle=1000, touch=0.5)
    session_id = store.create("ann", {"a": 1})
    with client.pipeline() as watching:
        watching.watch(*client.keys("*"))
        for _ in range(4):
            clock.advance(100)
            assert store.get(session_id).data == {"a": 1}  # type: ignore[union-attr]
        watching.multi()
        assert watching.ping().execute() == [True]
        watching.watch(*client.keys("*"))
        clock.advance(101)
        assert store.get(session_id).expires_in == 1000  # type: ignore[union-attr]
        watching.multi()
        with pytest.raises(redis.WatchError):
            watching.ping().execute()


def test_touch_is_a_part_of_idle(client: redis.Redis, clock: TestClock) -> None:
    """1 moves the end at each read, 0 never."""
    for touch, left in ((1, 100), (0.9, 95), (0, 95)):
        store = SessionStore(client, idle=100, touch=touch)
        session_id = store.create("ann")
        clock.advance(5)
        store.get(session_id)
        assert store.get_expiration(session_id) == left
        clock.advance(6)
        store.get(session_id)
        assert store.get_expiration(session_id) == (89 if touch == 0 else 100)


def test_an_evicted_record_is_a_session_that_is_gone(toolkit: Toolkit, store: Any) -> None:
    session_id = store.create("ann", {"a": 1})
    toolkit.client.delete(f"session:{{{tag_of('ann')}}}:{handle_of(session_id)}")
    assert store.get(session_id) is None
    assert store.get_expiration(session_id) is None
    assert store.sessions("ann") == []
    for call in (lambda: store.update(session_id, {"b": 1}), lambda: store.rotate(session_id)):
        with pytest.raises(SessionGone):
            call()


# Changes


def test_only_what_was_changed_is_written(client: redis.Redis) -> None:
    counting: Any = Counting(client)
    store = SessionStore(counting)
    session_id = store.create("ann", {"big": "x" * 1000, "list": [1], "gone": 1, "same": {"a": [1, 2]}})
    session = store.get(session_id)
    assert session is not None
    counting.sent.clear()
    assert store.save(session) == 1
    assert counting.sent == []
    session.data["list"].append(2)
    session.data["new"] = None
    del session.data["gone"]
    assert store.save(session) == 2
    assert not any("x" * 10 in str(word) for word in counting.sent[-1])
    assert not any("same" in str(word) for word in counting.sent[-1])
    changed = store.get(session_id)
    assert changed is not None
    assert changed.data == {"big": "x" * 1000, "list": [1, 2], "new": None, "same": {"a": [1, 2]}}


def test_two_tabs_lose_nothing(store: Any) -> None:
    session_id = store.create("ann", {"a": 1, "b": 1})
    one, other = store.get(session_id), store.get(session_id)
    one.data["a"] = 2
    other.data["b"] = 2
    assert [store.save(one), store.save(other)] == [2, 3]
    assert store.get(session_id).data == {"a": 2, "b": 2}


def test_versions(store: Any) -> None:
    session_id = store.create("ann", {"a": 1})
    session = store.get(session_id)
    assert session.version == 1
    assert store.update(session_id, {"a": 2}, expected_version=1) == 2
    with pytest.raises(SessionConflict, match="version 2, not 1") as caught:
        store.update(session_id, {"a": 3}, expected_version=1)
    assert (caught.value.expected_version, caught.value.version) == (1, 2)
    session.data["b"] = 1
    with pytest.raises(SessionConflict):
        store.save(session, strict=True)
    assert store.get(session_id).data == {"a": 2}
    travelled = pickle.loads(pickle.dumps(caught.value))
    assert (travelled.version, str(travelled)) == (2, str(caught.value))


def test_removing_fields(store: Any) -> None:
    session_id = store.create("ann", {"a": 1, "b": 2, "c": 3})
    store.update(session_id, {"b": 4, "d": 5}, remove=["a", "b", "unknown"])
    assert store.get(session_id).data == {"b": 4, "c": 3, "d": 5}


def test_many_fields_and_odd_names(store: Any) -> None:
    data = {"": 0, "#user": "mallory", "#version": 99, "snow ☃": 1, ".": 2, "\n": 3} | {f"f{n}": n for n in range(2500)}
    session_id = store.create("ann", data)
    session = store.get(session_id)
    assert session.data == data
    assert (session.user_id, session.version) == ("ann", 1)
    store.update(session_id, {"#user": "eve"}, remove=list(data))
    assert store.get(session_id).user_id == "ann"
    assert store.get(session_id).data == {"#user": "eve"}


def test_codecs(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore", codec=MessagePack(), client_options={"decode_responses": True})
    session_id = store.create("ünï", {"raw": b"\x00\xff"})
    assert store.get(session_id).data == {"raw": b"\x00\xff"}
    store.update(session_id, {"several lines": b"\n\xff\n"})
    assert store.get(session_id).data == {"raw": b"\x00\xff", "several lines": b"\n\xff\n"}
    assert store.get(session_id).user_id == "ünï"
    with pytest.raises(CannotDecode):
        toolkit.make("SessionStore").get(session_id)


def test_updates_at_the_same_time_are_all_there(live_toolkit: Toolkit) -> None:
    store = live_toolkit.make("SessionStore")
    session_id = store.create("ann")

    def write(number: int) -> None:
        for step in range(20):
            store.update(session_id, {f"f{number}": step})
            store.get(session_id)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session = store.get(session_id)
    assert session.data == {f"f{number}": 19 for number in range(6)}
    assert session.version == 121


def test_one_of_those_who_expect_a_version_wins(live_toolkit: Toolkit) -> None:
    store = live_toolkit.make("SessionStore")
    session_id = store.create("ann", {"count": 0})

    def add() -> None:
        added = 0
        while added < 5:
            session = store.get(session_id)
            session.data["count"] += 1
            try:
                store.save(session, strict=True)
                added += 1
            except SessionConflict:
                pass

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(session_id).data == {"count": 20}


# Calls that come again, or late


def test_calls_that_are_sent_again_are_applied_once(client: redis.Redis) -> None:
    counting: Any = Counting(client)
    store = SessionStore(counting)
    counting.resent = 2
    session_id = store.create("ann", {"a": 1})
    assert store.update(session_id, {"a": 2}, expected_version=1) == 2
    new = store.rotate(session_id)
    assert store.get(new).data == {"a": 2}  # type: ignore[union-attr]
    assert store.destroy(new) is True
    store.create("ann")
    assert store.revoke_all("ann") == 1


def test_a_late_create_brings_nothing_back(toolkit: Toolkit, store: Any) -> None:
    """The first of two copies of a call was held up in the network until after the logout."""
    session_id = new_id(tag_of("ann"))
    keys = [f"session:{{{tag_of('ann')}}}", f"session:{{{tag_of('ann')}}}:{handle_of(session_id)}"]
    words = [handle_of(session_id), 10_000, 0, 0, "ann", ".a", b"1"]
    late = CREATE.by_text(keys, words)
    assert toolkit.client.execute_command(*late) == [b"created"]
    assert store.get(session_id).data == {"a": 1}
    store.destroy(session_id)
    assert toolkit.client.execute_command(*late) == [b"gone"]
    assert store.get(session_id) is None


def test_a_lost_answer_is_told(client: redis.Redis) -> None:
    counting: Any = Counting(client)
    store = SessionStore(counting)
    session_id = store.create("ann")
    for call in (
        lambda: store.update(session_id, {"a": 1}),
        lambda: store.get(session_id),
        lambda: store.destroy(session_id),
    ):
        counting.lost = 1
        with pytest.raises(OutcomeUnknown):
            call()
    assert store.destroy(session_id) is True
    other = store.create("ann")
    # All have ended, though their memory could not be freed at once.
    counting.lost = 0
    counting.execute_command, ask = failing_at(counting, "UNLINK"), counting.execute_command
    assert store.revoke_all("ann") == 1
    counting.execute_command = ask
    assert store.get(other) is None


def failing_at(client: Any, name: str) -> Any:
    ask = client.execute_command

    def execute_command(*words: Any, **options: Any) -> Any:
        if words[0] == name:
            raise redis.ConnectionError("cut")
        return ask(*words, **options)

    return execute_command


# Ids


def test_ids_are_not_in_the_database(toolkit: Toolkit, store: Any) -> None:
    ids = [store.create("ann", {"a": 1}), store.create(None)]
    ids.append(store.rotate(ids[0], grace=9 * toolkit.unit))
    dump = b""
    for key in toolkit.client.scan_iter():
        dump += key
        if toolkit.client.type(key) == b"hash":
            dump += b"".join(name + value for name, value in toolkit.client.hgetall(key).items())
        else:
            dump += b"".join(toolkit.client.zrange(key, 0, -1))
    for session_id in ids:
        secret = session_id.partition(".")[2]
        assert len(secret) == 32
        assert secret.encode() not in dump
        assert handle_of(session_id).encode() in dump
    assert all(session_id not in repr(store.get(session_id)) for session_id in ids[1:])
    # What the database holds opens nothing.
    for text in re.findall(rb"[A-Za-z0-9_-]{32}", dump):
        assert store.get(f"{tag_of('ann')}.{text.decode()}") is None


def test_ids_differ_and_sessions_of_a_user_share_a_tag(store: Any) -> None:
    ids = [store.create("ann") for _ in range(20)]
    assert len(set(ids)) == 20
    assert {tag_in(session_id) for session_id in ids} == {tag_of("ann")}
    assert tag_of("ann") != tag_of("bob")
    assert tag_in(store.create(None)) != tag_in(store.create(None))
    assert "ann" not in ids[0][:16]


@pytest.mark.parametrize("wrong", [None, "", "x", "a.b", "x" * 10_000, "{x}" * 6 + ".", 5, b"x", "é" * 49])
def test_whatever_a_cookie_holds(toolkit: Toolkit, store: Any, wrong: Any) -> None:
    assert store.get(wrong) is None
    assert store.get_expiration(wrong) is None
    assert store.destroy(wrong) is False
    for call in (lambda: store.update(wrong, {"a": 1}), lambda: store.rotate(wrong)):
        with pytest.raises(SessionGone):
            call()
    assert [*toolkit.client.scan_iter()] == []


def test_an_id_that_was_made_up(toolkit: Toolkit, store: Any) -> None:
    made_up = new_id(tag_of("ann"))
    assert store.get(made_up) is None
    assert store.destroy(made_up) is False
    with pytest.raises(SessionGone):
        store.update(made_up, {"a": 1})
    assert [*toolkit.client.scan_iter()] == []


# Rotation and signing in


def test_rotation(store: Any) -> None:
    old = store.create("ann", {"a": 1})
    new = store.rotate(old)
    assert old != new
    assert store.get(old) is None
    assert store.get(new).data == {"a": 1}
    with pytest.raises(SessionGone):
        store.update(old, {"a": 2})
    with pytest.raises(SessionGone):
        store.rotate(old)
    assert [session.handle for session in store.sessions("ann")] == [handle_of(new)]


def test_rotation_with_a_grace(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore", idle=30 * toolkit.unit)
    first = store.create("ann", {"a": 1})
    second = store.rotate(first, grace=8 * toolkit.unit)
    third = store.rotate(first, grace=8 * toolkit.unit)
    # All lead to one session.
    assert store.update(first, {"a": 2}) == 2
    assert store.get(second).data == store.get(third).data == {"a": 2}
    assert store.get(first).handle == handle_of(third)
    assert store.get_expiration(first) > 0
    assert len(store.sessions("ann")) == 1
    toolkit.pass_time(8.2)
    assert store.get(first) is None
    assert store.get(second) is None
    assert store.get(third).data == {"a": 2}
    with pytest.raises(SessionGone):
        store.update(first, {"a": 3})


def test_a_logout_by_the_old_id_ends_the_session(toolkit: Toolkit, store: Any) -> None:
    old = store.create("ann")
    new = store.rotate(old, grace=9 * toolkit.unit)
    assert store.destroy(old) is True
    assert store.get(new) is None
    assert store.get(old) is None


def test_rotation_keeps_the_end_in_any_case(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore", idle=20 * toolkit.unit, absolute=20 * toolkit.unit)
    session_id = store.create("ann")
    toolkit.pass_time(10)
    session_id = store.rotate(session_id)
    assert store.get_expiration(session_id) <= 10 * toolkit.unit
    toolkit.pass_time(10.2)
    assert store.get(session_id) is None


def test_signing_in(store: Any) -> None:
    visitor = store.create(None, {"cart": [1], "theme": "dark"})
    assert store.get(visitor).user_id is None
    session_id = store.sign_in(visitor, "ann", {"theme": "light", "name": "Ann"})
    assert store.get(visitor) is None
    session = store.get(session_id)
    assert (session.user_id, session.data) == ("ann", {"cart": [1], "theme": "light", "name": "Ann"})
    assert len(store.sessions("ann")) == 1
    for nothing in (None, visitor, "x"):
        assert store.get(store.sign_in(nothing, "bob", {"a": 1})).data == {"a": 1}


def test_a_sign_in_takes_over_nothing_of_another_user(store: Any) -> None:
    anns = store.create("ann", {"secret": 1})
    bobs = store.sign_in(anns, "bob", {"a": 1})
    assert (store.get(bobs).user_id, store.get(bobs).data) == ("bob", {"a": 1})
    assert store.get(anns) is None
    # Of one's own, one does.
    again = store.sign_in(bobs, "bob")
    assert store.get(again).data == {"a": 1}
    assert len(store.sessions("bob")) == 1


def test_a_sign_in_follows_what_is_changed_meanwhile(client: redis.Redis) -> None:
    store = SessionStore(client)
    visitor = store.create(None, {"a": 1, "b": 1})
    changing: Any = Counting(client)
    ask = changing.execute_command
    changes = iter([{"a": 2}, {"c": 3}])

    def meddling(*words: Any, **options: Any) -> Any:
        reply = ask(*words, **options)
        change = next(changes, None)
        if change:
            store.update(visitor, change, remove=["b"])
        return reply

    changing.execute_command = meddling
    session = store.get(SessionStore(changing).sign_in(visitor, "ann", {"d": 4}))
    assert session is not None
    assert session.data == {"a": 2, "c": 3, "d": 4}
    assert store.get(visitor) is None


def test_a_sign_in_that_is_never_left_in_peace(client: redis.Redis) -> None:
    store = SessionStore(client)
    visitor = store.create(None, {"a": 1})
    changing: Any = Counting(client)
    ask = changing.execute_command

    def meddling(*words: Any, **options: Any) -> Any:
        reply = ask(*words, **options)
        store.update(visitor, {"a": 2})
        return reply

    changing.execute_command = meddling
    with pytest.raises(SessionConflict):
        SessionStore(changing).sign_in(visitor, "ann")
    assert store.get(visitor).data == {"a": 2}  # type: ignore[union-attr]
    assert store.sessions("ann") == []


# All sessions of a user


def test_lists(toolkit: Toolkit, store: Any) -> None:
    ids = []
    for number in range(3):
        ids.append(store.create("ann", {"number": number}))
        toolkit.pass_time(1)
    store.create("bob")
    sessions = store.sessions("ann")
    assert [session.data for session in sessions] == [{"number": 2}, {"number": 1}, {"number": 0}]
    assert [session.handle for session in sessions] == [handle_of(session_id) for session_id in reversed(ids)]
    assert {session.id for session in sessions} == {""}
    assert [session.data for session in store.sessions("ann", 1)] == [{"number": 2}]
    with pytest.raises(InvalidArgument):
        store.save(sessions[0])
    assert store.revoke("ann", sessions[1].handle) is True
    assert store.revoke("bob", sessions[0].handle) is False
    assert [store.get(session_id) is None for session_id in ids] == [False, True, False]


def test_revoking_all(toolkit: Toolkit, store: Any) -> None:
    ids = [store.create("ann", {"a": 1}) for _ in range(4)]
    others = store.create("bob")
    assert store.revoke_all("ann", except_id=ids[2]) == 3
    assert [store.get(session_id) is None for session_id in ids] == [True, True, False, True]
    with pytest.raises(SessionGone):
        store.update(ids[0], {"a": 2})
    assert store.revoke_all("ann") == 1
    assert store.revoke_all("ann") == 0
    assert store.get(ids[2]) is None
    assert store.get(others) is not None
    records = [key for key in toolkit.client.scan_iter(f"session:{{{tag_of('ann')}}}:*") if not key.endswith(b":calls")]
    assert records == []
    assert store.get(store.create("ann")) is not None


def test_revoking_all_but_one_that_was_rotated(toolkit: Toolkit, store: Any) -> None:
    old, other = store.create("ann"), store.create("ann")
    new = store.rotate(old, grace=9 * toolkit.unit)
    assert store.revoke_all("ann", except_id=old) == 1
    assert store.get(new) is not None
    assert store.get(other) is None


def test_thousands_of_sessions_are_revoked_together(client: redis.Redis) -> None:
    store = SessionStore(client)
    ids = [store.create("ann") for _ in range(1200)]
    assert len(store.sessions("ann", 5000)) == 1200
    assert store.revoke_all("ann", except_id=ids[7]) == 1199
    assert [session.handle for session in store.sessions("ann")] == [handle_of(ids[7])]


def test_a_user_has_so_many_sessions_at_most(toolkit: Toolkit) -> None:
    store = toolkit.make("SessionStore", most_per_user=2)
    ids = [store.create("ann") for _ in range(2)]
    toolkit.pass_time(0.2)
    ids.append(store.create("ann"))
    assert len(store.sessions("ann")) == 2
    assert store.get(ids[2]) is not None
    assert sum(store.get(session_id) is None for session_id in ids) == 1
    assert all(store.get(store.create("bob")) for _ in range(4))


def test_one_trip_is_enough(client: redis.Redis) -> None:
    counting: Any = Counting(client)
    store = SessionStore(counting)
    for _ in range(2):
        counting.sent.clear()
        session_id = store.create("ann", {"a": 1})
        store.get(session_id)
        store.update(session_id, {"a": 2})
        store.get_expiration(session_id)
        store.destroy(store.rotate(session_id))
    assert len(counting.sent) == 6


@pytest.mark.parametrize("seed", range(6))
def test_a_model_agrees(client: redis.Redis, clock: TestClock, seed: int) -> None:
    """Random calls at random times: who lives, until when, and with what data."""
    chance = random.Random(seed)
    store = SessionStore(client, idle=100, absolute=300, touch=1)
    # Of each id ever given: when its session was made and ends, its user and data; None when it is known to be dead.
    model: dict[str, list[Any] | None] = {}
    now = 0.0

    def living(session_id: str) -> list[Any] | None:
        known = model[session_id]
        return known if known and known[1] > now else None

    def extended(known: list[Any]) -> None:
        known[1] = min(now + 100, known[0] + 300)

    for _ in range(150):
        step = chance.randrange(60)
        clock.advance(step)
        now += step
        user = chance.choice(["ann", "bob"])
        act = chance.choice(["create", "get", "get", "update", "update", "destroy", "rotate", "revoke_all"])
        if act == "create" or not model:
            model[store.create(user, {"a": 0})] = [now, now + 100, user, {"a": 0}]
        elif act == "revoke_all":
            ended = [known for known in model if (living(known) or [0, 0, ""])[2] == user]
            spared = chance.choice([None, *ended])
            assert store.revoke_all(user, except_id=spared) == len(ended) - (spared is not None)
            model.update(dict.fromkeys((known for known in ended if known != spared), None))
        else:
            session_id = chance.choice(list(model)[-6:])
            known = living(session_id)
            if act == "get":
                session = store.get(session_id)
                assert (session and session.data) == (known and known[3])
                if known:
                    extended(known)
            elif act == "destroy":
                assert store.destroy(session_id) or not known
                model[session_id] = None
            elif known is None:
                with pytest.raises(SessionGone):
                    store.update(session_id, {"a": 1})
            elif act == "update":
                store.update(session_id, {"a": step})
                known[3] = {"a": step}
                extended(known)
            else:
                model[store.rotate(session_id)] = known
                model[session_id] = None
                extended(known)
        for name in ("ann", "bob"):
            alive = {known: living(known) for known in model}
            expected = {
                handle_of(known): about[1] - now for known, about in alive.items() if about and about[2] == name
            }
            assert {session.handle: session.expires_in for session in store.sessions(name)} == expected


# Bad input


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle": 0},
        {"idle": -5},
        {"idle": float("inf")},
        {"idle": float("nan")},
        {"idle": True},
        {"idle": "30"},
        {"absolute": 0},
        {"touch": 1.5},
        {"touch": -0.1},
        {"touch": "half"},
        {"most_per_user": 0},
        {"most_per_user": 2.5},
        {"namespace": "a b"},
    ],
)
def test_arguments_that_make_no_sense(client: redis.Redis, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        SessionStore(client, **wrong)


def test_calls_that_make_no_sense(toolkit: Toolkit, store: Any) -> None:
    session_id = store.create("ann", {"a": 1})
    for call in (
        lambda: store.create("", {}),
        lambda: store.create("bob", {5: 1}),
        lambda: store.create("bob", {"\ud800": 1}),
        lambda: store.create("bob", ["a"]),
        lambda: store.create(True),
        lambda: store.create("bob", []),
        lambda: store.update(session_id, {"a": 2}, remove="a"),
        lambda: store.update(session_id, {"a": 2}, remove=[5]),
        lambda: store.rotate(session_id, grace=-1),
        lambda: store.sessions("ann", 0),
        lambda: store.sessions(""),
        lambda: store.revoke("ann", "x"),
        lambda: store.revoke_all("bob", except_id=session_id),
        lambda: store.revoke_all("ann", except_id="x"),
    ):
        with pytest.raises(InvalidArgument):
            call()
    for call in (
        lambda: store.create("bob", {"a": object()}),
        lambda: store.update(session_id, {"b": 1, "a": object()}),
    ):
        with pytest.raises(CannotEncode):
            call()
    assert store.get(session_id).data == {"a": 1}
    assert store.sessions("bob") == []
