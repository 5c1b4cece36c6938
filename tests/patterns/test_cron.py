"""Tests of schedules: what the five fields mean, where clocks are set, and that each time counts once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alcove.patterns import Cron, InvalidArgument, QueueFull, Schedule
from tests.patterns.conftest import Toolkit

BEGIN = datetime(2024, 2, 27, 23, 58, 30, tzinfo=UTC)  # a Tuesday


def times(schedule: Schedule, begin: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        begin = schedule.after(begin)
        found.append(begin)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["02-27 23:59", "02-28 00:00", "02-28 00:01"]),
        ("*/20 * * * *", ["02-28 00:00", "02-28 00:20", "02-28 00:40", "02-28 01:00"]),
        ("59 23 * * *", ["02-27 23:59", "02-28 23:59", "02-29 23:59", "03-01 23:59"]),
        ("5,35 9-17/4 * * *", ["02-28 09:05", "02-28 09:35", "02-28 13:05", "02-28 13:35", "02-28 17:05"]),
        ("0 12 29 2 *", ["02-29 12:00"]),
        ("0 0 31 * *", ["03-31 00:00", "05-31 00:00", "07-31 00:00"]),
        ("30 6 * * mon-fri", ["02-28 06:30", "02-29 06:30", "03-01 06:30", "03-04 06:30"]),
        ("0 0 * * 0", ["03-03 00:00", "03-10 00:00"]),
        ("0 0 * * 7", ["03-03 00:00", "03-10 00:00"]),
        ("0 0 * * FRI-7", ["03-01 00:00", "03-02 00:00", "03-03 00:00", "03-08 00:00"]),
        # Both days restricted: either is enough.
        ("0 0 13 * fri", ["03-01 00:00", "03-08 00:00", "03-13 00:00", "03-15 00:00"]),
        # A step over all is no restriction.
        ("0 0 */10 * wed", ["05-01 00:00", "07-31 00:00"]),
        ("0 8 1 jan,jul *", ["07-01 08:00"]),
        ("40/10 3 * * *", ["02-28 03:40", "02-28 03:50", "02-29 03:40"]),
        ("@hourly", ["02-28 00:00", "02-28 01:00"]),
        ("@Weekly", ["03-03 00:00"]),
        ("@yearly", []),
    ],
)
def test_when_schedules_are_due(text: str, expected: list[str]) -> None:
    assert [f"{due:%m-%d %H:%M}" for due in times(Schedule(text), BEGIN, len(expected))] == expected


def test_a_schedule_agrees_with_looking_at_every_minute() -> None:
    schedule = Schedule("*/7 0-12/5,22 1-15 * 1,3")
    minute = datetime(2024, 5, 1, tzinfo=UTC)
    by_hand = []
    for _ in range(14 * 1440):
        minute += timedelta(minutes=1)
        of_month, of_week = minute.day <= 15, minute.isoweekday() in (1, 3)
        if minute.minute % 7 == 0 and minute.hour in (0, 5, 10, 22) and (of_month or of_week):
            by_hand.append(minute)
    assert times(schedule, datetime(2024, 5, 1, tzinfo=UTC), len(by_hand)) == by_hand
    assert schedule.latest(by_hand[0], by_hand[40] + timedelta(seconds=30)) == by_hand[40]
    assert schedule.latest(by_hand[0], by_hand[1] - timedelta(seconds=1)) is None


def local(schedule: Schedule, begin: datetime, count: int, zone: ZoneInfo) -> list[str]:
    return [f"{due.astimezone(zone):%d %H:%M %Z}" for due in times(schedule, begin, count)]


def test_where_clocks_are_set_on() -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2024, 3, 30, 12, tzinfo=UTC)
    # There was no 2:30 on the 31st: it is due an hour later by the clock, and not left out.
    assert local(Schedule("30 2 * * *", zone), begin, 2, zone) == ["31 03:30 CEST", "01 02:30 CEST"]
    begin = datetime(2024, 3, 31, 0, 15, tzinfo=UTC)
    every = Schedule("*/30 * * * *", "Europe/Berlin")
    assert local(every, begin, 4, zone) == ["31 01:30 CET", "31 03:00 CEST", "31 03:30 CEST", "31 04:00 CEST"]


def test_where_clocks_are_set_back() -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2024, 10, 26, 23, 45, tzinfo=UTC)
    assert local(Schedule("30 2 * * *", zone), begin, 2, zone) == ["27 02:30 CEST", "28 02:30 CET"]
    every = Schedule("*/30 * * * *", zone)
    expected = ["27 02:00 CEST", "27 02:30 CEST", "27 02:00 CET", "27 02:30 CET", "27 03:00 CET"]
    assert local(every, begin, 5, zone) == expected


@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        # By half an hour, at midnight, and into the day before.
        ("Australia/Lord_Howe", datetime(2024, 4, 6, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2024, 10, 5, tzinfo=UTC)),
        ("America/Havana", datetime(2024, 3, 9, 12, tzinfo=UTC)),
        ("America/Santiago", datetime(2024, 4, 6, 12, tzinfo=UTC)),
    ],
)
def test_every_quarter_of_an_hour_comes(zone: str, begin: datetime) -> None:
    minutes = [begin + timedelta(minutes=number) for number in range(1, 1440)]
    expected = [minute for minute in minutes if minute.astimezone(ZoneInfo(zone)).minute % 15 == 0]
    assert times(Schedule("*/15 * * * *", zone), begin, len(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "*/-1 * * * *",
        "5-1 * * * *",
        "1, * * * *",
        "x * * * *",
        "1_0 * * * *",
        "٣ * * * *",
        "* * * foo *",
        "-1 * * * *",
        "1- * * * *",
        "1/ * * * *",
        "@never",
        "0 0 30 2 *",
        None,
        5,
    ],
)
def test_what_is_no_schedule(text: Any) -> None:
    with pytest.raises(InvalidArgument):
        Schedule(text)


def test_bad_zones_and_jobs() -> None:
    for zone in ("Europe/Atlantis", "", "../etc/passwd", 5):
        with pytest.raises(InvalidArgument):
            Schedule("* * * * *", zone)
    for wrong in ({"name": "a b"}, {"schedule": "* * * * *"}, {"catch_up": -1}, {"catch_up": 10**6}):
        with pytest.raises(InvalidArgument):
            Cron(**{"name": "n", "schedule": Schedule("@daily"), "queue": "q", **wrong})


def test_what_a_worker_sees_to() -> None:
    cron = Cron("hourly", Schedule("@hourly"), "q", catch_up=7200)
    now = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    assert cron.begin(now) == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert Cron("yearly", Schedule("@yearly"), "q", catch_up=60).begin(now) == now - timedelta(seconds=60)
    last = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert cron.due(last, now) == datetime(2024, 5, 1, 13, tzinfo=UTC)
    # The machine stood still: of what was missed the latest is due.
    assert cron.due(last, datetime(2024, 5, 1, 15, 10, tzinfo=UTC)) == datetime(2024, 5, 1, 15, tzinfo=UTC)
    punctual = Cron("punctual", Schedule("@hourly"), "q", catch_up=0)
    assert punctual.due(last, datetime(2024, 5, 1, 13, 0, 1, tzinfo=UTC)) == datetime(2024, 5, 1, 13, tzinfo=UTC)
    assert punctual.due(last, datetime(2024, 5, 1, 13, 30, tzinfo=UTC)) == datetime(2024, 5, 1, 14, tzinfo=UTC)


def server_time(queue: Any, cron: Cron) -> datetime:
    return queue.fire(cron, datetime(9999, 1, 1, tzinfo=UTC))[0]  # type: ignore[no-any-return]


def test_each_time_counts_once(toolkit: Toolkit) -> None:
    queue = toolkit.make("JobQueue")
    cron = Cron("report", Schedule("* * * * *"), "q", {"kind": "report"}, priority=3)
    now = server_time(queue, cron)
    first, second = now - timedelta(minutes=2), now - timedelta(minutes=1)
    # A schedule that is new begins, and puts nothing; what it is asked for again, it did.
    assert queue.fire(cron, first, is_beginning=True)[1] is False
    assert queue.fire(cron, first)[1] is False
    assert [queue.fire(cron, second)[1] for _ in range(3)] == [True, False, False]
    assert queue.fire(cron, first)[1] is False
    # What is not due yet is not done.
    assert queue.fire(cron, now + timedelta(hours=1))[1] is False
    job = queue.dequeue_priority("q")
    assert (job.payload, job.priority, queue.get_length("q")) == ({"kind": "report"}, 3, 0)
    # One that the server has forgotten while a worker saw to it goes on.
    other = Cron("other", Schedule("* * * * *"), "q")
    assert queue.fire(other, second)[1] is True


def test_a_full_queue_does_not_lose_the_time(toolkit: Toolkit) -> None:
    queue = toolkit.make("JobQueue", max_length=1)
    cron = Cron("report", Schedule("* * * * *"), "q")
    due = server_time(queue, cron) - timedelta(minutes=1)
    id = queue.enqueue("q", "in the way")
    with pytest.raises(QueueFull):
        queue.fire(cron, due)
    queue.cancel("q", id)
    assert queue.fire(cron, due)[1] is True


def test_many_see_to_one_schedule(live_toolkit: Toolkit) -> None:
    cron = Cron("report", Schedule("* * * * *"), "q")
    queue = live_toolkit.make("JobQueue")
    now = server_time(queue, cron)
    due = [now - timedelta(minutes=minutes) for minutes in (5, 4, 3)]
    fired: list[bool] = []

    def see_to_it() -> None:
        mine = live_toolkit.make("JobQueue")
        for time in due:
            fired.append(mine.fire(cron, time)[1])

    threads = [threading.Thread(target=see_to_it) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who is slow may find a time already behind; none is put twice.
    assert 1 <= sum(fired) <= 3
    jobs = queue.take("q", 10)
    assert len(jobs) == sum(fired)
    assert len({job.id for job in jobs}) == len(jobs)
