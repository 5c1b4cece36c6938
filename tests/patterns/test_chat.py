"""Chat rooms and notifications: who hears what, who is there, what is unread."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alcove.patterns import InvalidArgument
from tests.patterns.conftest import Toolkit
from tests.patterns.test_feeds import close, kill_subscribers, taken
from tests.waiting import PATIENCE_S, eventually

# Rooms


def test_two_rooms(live_toolkit: Toolkit) -> None:
    one, other = live_toolkit.make("ChatRoom", 1), live_toolkit.make("ChatRoom", 2)
    with one.join("ann") as ann, one.join("bob") as bob, other.join("cy") as cy:
        sent = one.send("ann", "hello", data={"colour": "red"})
        other.send("cy", "anybody?")
        for seat in (ann, bob):
            (message,) = taken(seat, 1)
            assert (message.room, message.user, message.text, message.data) == ("1", "ann", "hello", {"colour": "red"})
            assert message.id == sent.id == seat.last_seen
            assert seat.get(0.01) is None
        assert taken(cy, 1)[0].text == "anybody?"
        assert (one.present(), other.present()) == (["ann", "bob"], ["cy"])
    assert one.present() == []
    assert [message.text for message in one.history()] == ["hello"]


def test_whoever_comes_back_hears_what_was_said(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r")
    with room.join() as seat:
        room.send("ann", "1")
        taken(seat, 1)
        last_seen = seat.last_seen
    for number in range(2, 6):
        room.send("ann", str(number))
    with room.join(after=last_seen) as seat:
        room.send("ann", "6")
        assert [message.text for message in taken(seat, 5)] == ["2", "3", "4", "5", "6"]
        assert seat.get(0.01) is None
        kill_subscribers(live_toolkit)
        room.send("ann", "7")
        assert [message.text for message in taken(seat, 1)] == ["7"]
        assert not seat.missed


def test_whoever_is_slow_misses_nothing(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r")
    with room.join(limit=3) as slow:
        for number in range(50):
            room.send("ann", str(number))
        assert [message.text for message in taken(slow, 50)] == [str(number) for number in range(50)]


def test_a_message_that_is_sent_twice_is_said_once(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r")
    assert room.send("ann", "hello", id="m1") == room.send("ann", "hello", id="m1")
    assert len(room.history()) == 1


def test_iteration_ends_when_the_seat_is_closed(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r")
    seat = room.join("ann")
    heard = []

    def listen() -> None:
        heard.extend(message.text for message in seat)

    thread = threading.Thread(target=listen)
    thread.start()
    room.send("ann", "hello")
    eventually(lambda: heard == ["hello"])
    close(live_toolkit, seat)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_whoever_vanishes_is_gone_when_the_lease_ends(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r", lease=1)
    room.presence("enter", "token vanished one")
    with room.join("ann"):
        assert room.present() == ["ann", "vanished one"]
        eventually(lambda: room.present() == ["ann"])
        time.sleep(1.2)
        assert room.present() == ["ann"]


def test_two_devices_are_one_user(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r")
    with room.join("ann"):
        with room.join("ann"):
            assert room.present() == ["ann"]
        assert room.present() == ["ann"]


def test_what_no_room_takes(live_toolkit: Toolkit) -> None:
    room = live_toolkit.make("ChatRoom", "r", longest=10)
    for call in (
        lambda: room.send("", "x"),
        lambda: room.send("ann", ""),
        lambda: room.send("ann", "x" * 11),
        lambda: room.send("ann", 5),
        lambda: room.join(""),
        lambda: room.history(before="x"),
        lambda: live_toolkit.make("ChatRoom", ""),
        lambda: live_toolkit.make("ChatRoom", "r", history=0),
        lambda: live_toolkit.make("ChatRoom", "r", lease=0),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert room.history() == []


# Notifications


def data(notifications: Any) -> list[Any]:
    return [one.data for one in notifications]


def test_whom_a_notification_reaches(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    with service.listen("ann", roles=["admin"]) as ann, service.listen("bob") as bob:
        service.notify("ann", "for ann")
        service.notify("bob", "for bob")
        service.notify_by_role("admin", "for admins")
        service.notify_all("for all")
        assert sorted(data(taken(ann, 3))) == ["for admins", "for all", "for ann"]
        assert sorted(data(taken(bob, 2))) == ["for all", "for bob"]
        assert ann.get(0.01) is None
        assert bob.get(0.01) is None


def test_unread_until_it_is_marked(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    for send in (
        lambda: service.notify("ann", "own 0"),
        lambda: service.notify("ann", "own 1"),
        lambda: service.notify("ann", "own 2"),
        lambda: service.notify_all("for all"),
        lambda: service.notify_by_role("admin", "for admins"),
    ):
        send()
        # Of two in the same millisecond, in different feeds, either may come first.
        time.sleep(0.003)
    assert service.unread_count("ann") == 4
    assert service.unread_count("ann", roles=["admin"]) == 5
    assert service.unread_count("bob") == 1
    inbox = service.inbox("ann", roles=["admin"])
    assert data(inbox) == ["for admins", "for all", "own 2", "own 1", "own 0"]
    assert [one.audience for one in inbox[:3]] == ["role:admin", "all", "user:ann"]
    assert not any(one.is_read for one in inbox)
    service.mark_read("ann", inbox[1], inbox[3])
    assert [one.is_read for one in service.inbox("ann", roles=["admin"])] == [False, True, False, True, False]
    assert service.unread_count("ann", roles=["admin"]) == 3
    assert service.unread_count("bob") == 1
    service.mark_all_read("ann", roles=["admin"])
    assert service.unread_count("ann", roles=["admin"]) == 0
    service.notify("ann", "new")
    assert service.unread_count("ann") == 1
    assert data(service.inbox("ann", limit=1)) == ["new"]


def test_what_was_not_acknowledged_comes_again(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    service.notify("ann", 1)
    service.notify("ann", 2)
    with service.listen("ann") as ann:
        first, _ = taken(ann, 2)
        ann.mark_read(first)
    service.notify("ann", 3)
    with service.listen("ann") as ann:
        assert data(taken(ann, 2)) == [2, 3]
        assert ann.get(0.01) is None


def test_what_is_not_kept(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    service.notify("ann", "nobody listens", keep=False)
    with service.listen("ann") as ann:
        service.notify("ann", "now", keep=False)
        assert data(taken(ann, 1)) == ["now"]
    assert service.inbox("ann") == []
    assert service.unread_count("ann") == 0


def test_a_notification_that_is_sent_twice_comes_once(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    with ThreadPoolExecutor(6) as pool:
        sent = list(pool.map(lambda _: service.notify("ann", "hello", id="n1"), range(12)))
    assert len({one.id for one in sent}) == 1
    assert service.unread_count("ann") == 1


def test_ids_of_users_and_roles_may_be_anything(live_toolkit: Toolkit) -> None:
    service = live_toolkit.make("NotificationService")
    service.notify("all", "for a user of that name")
    service.notify_by_role("x", "for the role")
    service.notify("role:x", "for a user of that name")
    assert data(service.inbox("bob", roles=["y"])) == []
    assert data(service.inbox("bob", roles=["x"])) == ["for the role"]
    assert data(service.inbox("role:x")) == ["for a user of that name"]
    for call in (
        lambda: service.notify("", 1),
        lambda: service.inbox("a", roles="x"),
        lambda: service.inbox("a", limit=0),
    ):
        with pytest.raises(InvalidArgument):
            call()
