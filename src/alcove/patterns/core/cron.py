"""Schedules in the five fields of cron: what they mean, and when they are due next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import name_text

MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# The name, least, most, and names of values of each field.
FIELDS: Final[list[tuple[str, int, int, list[str]]]] = [
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, WEEKDAYS),
]
# 29 February comes within eight years.
FURTHEST_DAYS: Final = 8 * 366 + 1
LATE_S: Final = 60.0
_DAY: Final = timedelta(days=1)
_SHORTEST_SPAN: Final = timedelta(minutes=2)


class Schedule:
    """When something is due: `minute hour day-of-month month day-of-week`, in a time zone.

        >>> Schedule("30 6 * * mon-fri").after(datetime(2024, 5, 3, 7, tzinfo=UTC)).isoformat()
        '2024-05-06T06:30:00+00:00'

    A field is `*`, a value, a range `a-b`, either with a step `/n`, or several of those with commas between. Months and
    days of the week have names, Sunday is 0 and 7. When both days are restricted, either is enough, as cron has it.
    `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are known too.

    Where clocks are set on, what was due in the hour left out is due when that has passed; where they are set back,
    what has hours of its own is due once, and what is due every hour in both. Raises `InvalidArgument` for what is
    none, or never due.
    """

    __slots__ = ("_days", "_either_day", "_hours", "_minutes", "_months", "_weekdays", "_zone", "text")

    def __init__(self, text: str, timezone: str | tzinfo = UTC) -> None:
        self.text = text
        self._zone = zone_of(timezone)
        fields = ALIASES.get(text.strip().lower(), text).split() if isinstance(text, str) else [text]
        if len(fields) != len(FIELDS):
            raise InvalidArgument(f"a schedule has five fields, not {text!r}")
        values = [parsed(field, *kind) for field, kind in zip(fields, FIELDS, strict=True)]
        minutes, hours, self._days, self._months, weekdays = values
        self._minutes, self._hours = sorted(minutes), sorted(hours)
        self._weekdays = {day % 7 for day in weekdays}
        self._either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
        if next(self._matching_days(datetime(2000, 1, 1)), None) is None:
            raise InvalidArgument(f"{text!r} is never due: there is no such day")

    def after(self, moment: datetime) -> datetime:
        """The first time after `moment` when it is due, in UTC."""
        local = moment.astimezone(self._zone)
        for day in self._matching_days(local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)):
            # Clocks are set by an hour at most.
            first_hour = local.hour - 1 if day.date() == local.date() else 0
            found = self._first_of(day, first_hour, moment)
            if found is not None:
                return found
        raise InvalidArgument(f"{self.text!r} is not due before the calendar ends")

    def latest(self, begin: datetime, end: datetime) -> datetime | None:
        """The last time after `begin`, up to `end`, when it was due."""
        # From the end, in longer and longer spans, so that few times are looked at however often it is due.
        span = _SHORTEST_SPAN
        while True:
            since = max(begin, end - span)
            due = self.after(since)
            if due <= end:
                break
            if since == begin:
                return None
            span *= 2
        while (following := self.after(due)) <= end:
            due = following
        return due

    def _matching_days(self, first: datetime) -> Iterator[datetime]:
        for number in range(FURTHEST_DAYS):
            day = first + number * _DAY
            in_month, in_week = day.day in self._days, (day.weekday() + 1) % 7 in self._weekdays
            fits = in_month or in_week if self._either_day else in_month and in_week
            if fits and day.month in self._months:
                yield day

    def _first_of(self, day: datetime, first_hour: int, moment: datetime) -> datetime | None:
        """The first time on a day that is after `moment`."""
        # What has hours of its own is due in the first pass only of an hour that comes twice.
        passes = (0, 1) if len(self._hours) == 24 else (0,)
        best: datetime | None = None
        for hour in self._hours:
            if hour < first_hour:
                continue
            for fold in passes:
                local = day.replace(hour=hour, fold=fold, tzinfo=self._zone)
                at = bisect_right(self._minutes, moment, key=lambda minute: in_utc(local, minute))
                if at == len(self._minutes):
                    continue
                due = in_utc(local, self._minutes[at])
                if best is None or due < best:
                    best, best_hour = due, hour
            if best is not None and hour > best_hour:
                break
        return best

    def __repr__(self) -> str:
        return f"Schedule({self.text!r}, {str(self._zone)!r})"


class Cron(msgspec.Struct, frozen=True):
    """A job that comes by the clock: a worker that knows of it puts `job` into `queue` whenever `schedule` is due.

    However many workers know of it, the job is put once for each time; the schedule is known to them by `name`. When
    none ran at the time, one that starts within `catch_up` seconds after it puts the job then; of several times missed,
    that is the last one. At most a day is caught up.
    """

    name: str
    schedule: Schedule
    queue: str
    job: Any = None
    priority: int = 0
    catch_up: float = 3600.0

    def __post_init__(self) -> None:
        name_text(self.name)
        if not isinstance(self.schedule, Schedule):
            raise InvalidArgument(f"the schedule of {self.name} is a Schedule, not {self.schedule!r}")
        if not 0 <= self.catch_up <= 86_400:
            raise InvalidArgument(f"catch_up is from 0 to 86400 seconds, not {self.catch_up}")

    def begin(self, now: datetime) -> datetime:
        """The time from which on a worker that starts now sees to it: the last one that it is to catch up."""
        since = now - timedelta(seconds=self.catch_up)
        return self.schedule.latest(since, now) or since

    def due(self, last: datetime, now: datetime) -> datetime:
        """What comes after the time seen to last: the latest that has passed meanwhile, or the next."""
        # A worker is a little late each time, and that does not count as missed.
        since = max(last, now - timedelta(seconds=max(self.catch_up, LATE_S)))
        return self.schedule.latest(since, now) or self.schedule.after(now)


def in_utc(hour: datetime, minute: int) -> datetime:
    return hour.replace(minute=minute).astimezone(UTC)


def zone_of(timezone: str | tzinfo) -> tzinfo:
    if isinstance(timezone, tzinfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise InvalidArgument(f"there is no time zone {timezone!r} on this machine") from error


def parsed(field: str, name: str, least: int, most: int, names: list[str]) -> set[int]:
    """The values of a field."""
    values: set[int] = set()
    for part in field.lower().split(","):
        span, slash, step_text = part.partition("/")
        step = number_of(step_text, name, [], 1, most) if slash else 1
        if span == "*":
            first, last = least, most
        else:
            first_text, dash, last_text = span.partition("-")
            first = number_of(first_text, name, names, least, most)
            last = number_of(last_text, name, names, least, most) if dash else most if slash else first
        if first > last:
            raise InvalidArgument(f"the {name} {part!r} ends before it begins")
        values.update(range(first, last + 1, step))
    return values


def number_of(text: str, name: str, names: list[str], least: int, most: int) -> int:
    if text in names:
        return names.index(text) + least
    if not (text.isascii() and text.isdigit() and len(text) <= 4) or not least <= int(text) <= most:
        raise InvalidArgument(f"the {name} is from {least} to {most}, not {text!r}")
    return int(text)
