"""The organization's day: where it begins, and which one a moment lies in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NOW = "now"


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The day in which a moment lies."""
    return moment.astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Its first moment. Where midnight is skipped by a change of clocks: the first after it."""
    return datetime.combine(day, time(), tzinfo=zone)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of the next day."""
    return start_of(day + timedelta(days=1), zone)


def seconds_by_day(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[date, int]]:
    """Each day that a stretch of time touches, with its whole seconds of it."""
    day, last = day_of(begin, zone), day_of(end, zone)
    while day <= last:
        since, until = max(begin, start_of(day, zone)), min(end, end_of(day, zone))
        # By timestamps: a day with a change of clocks has 23 or 25 hours.
        yield day, max(0, int(until.timestamp() - since.timestamp()))
        day += timedelta(days=1)
