"""Recurrence in the clock time of a zone: rules are checked, and unrolled into moments.

Rules are a part of RFC 5545 (iCalendar): FREQ=DAILY, WEEKLY or MONTHLY, at most one start a day.
Where clocks change, section 3.3.5 of it is followed: a local time that does not exist is read with
the offset before the change (02:30 becomes 03:30), of one that exists twice the first is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrule, rrulestr

from livestudio.common.errors import InvalidInputError

FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY")
# Only what makes sense per frequency: other mixtures can have no date at all, and the search for
# one would run through 8,000 years of days.
_PARTS: Final = {
    "DAILY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL"}),
    "WEEKLY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}),
    "MONTHLY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS"}),
}
_DAYS: Final = {"DAILY": 1, "WEEKLY": 7}
INTERVAL_MAX: Final = 366
# A rule with a count is always unrolled from its first start on.
COUNT_MAX: Final = 1000
YEARS_MAX: Final = 10
# Local times differ from UTC by less than this.
_MARGIN: Final = timedelta(days=2)
_DAY: Final = r"[+-]?(?:0?[1-9]|[12][0-9]|3[01])"
_DAYS_OF_MONTH: Final = re.compile(rf"{_DAY}(?:,{_DAY})*")
_WEEKDAY: Final = "(?:MO|TU|WE|TH|FR|SA|SU)"
_NTH: Final = f"(?:[+-]?[1-5])?{_WEEKDAY}"
_DAYS_OF_WEEK: Final = {
    "DAILY": re.compile(_WEEKDAY),
    "WEEKLY": re.compile(f"{_WEEKDAY}(?:,{_WEEKDAY})*"),
    "MONTHLY": re.compile(f"{_NTH}(?:,{_NTH})*"),
}
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked recurrence. start, until: local times without zone; text: without COUNT, UNTIL."""

    text: str
    frequency: str
    interval: int
    start: datetime
    until: datetime | None
    count: int | None

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Local starts in first <= start <= last, in order; quick however old the rule is."""
        begin = self.start if self.count is not None else self._start_near(first)
        pattern = self._pattern(begin, last if self.until is None else min(last, self.until))
        yield from (local for local in islice(pattern, self.count) if local >= first)

    def _pattern(self, begin: datetime, until: datetime) -> rrule:
        pattern = rrulestr(self.text, dtstart=begin)
        if not isinstance(pattern, rrule):
            raise ValueError("several rules")
        return pattern.replace(until=until)

    def _start_near(self, first: datetime) -> datetime:
        """A start at or before `first` from which the rule goes on as from its own."""
        if first <= self.start:
            return self.start
        if self.frequency in _DAYS:
            step = self.interval * _DAYS[self.frequency]
            return self.start + timedelta(days=(first - self.start).days // step * step)
        months = (first.year - self.start.year) * 12 + first.month - self.start.month
        if (months := months // self.interval * self.interval) == 0:
            return self.start
        year, month = divmod(self.start.year * 12 + self.start.month - 1 + months, 12)
        return self.start.replace(year=year, month=month + 1, day=1)


def parse_rule(text: str, start: datetime, zone: ZoneInfo) -> Rule:
    """A rule such as `FREQ=WEEKLY;BYDAY=MO`. start: local, in `zone`. Raises InvalidInputError."""
    parts = _split(text)
    frequency = parts["FREQ"]
    until = _read_until(parts.pop("UNTIL", None), zone)
    count = _read_number(parts, "COUNT", COUNT_MAX)
    if until is not None and count is not None:
        raise refuse_rule("Give COUNT or UNTIL, not both.")
    parts.pop("COUNT", None)
    if frequency == "MONTHLY" and not {"BYDAY", "BYMONTHDAY"} & set(parts):
        parts["BYMONTHDAY"] = str(start.day)
    plain = ";".join(f"{name}={value}" for name, value in parts.items())
    interval = _read_number(parts, "INTERVAL", INTERVAL_MAX) or 1
    rule = Rule(plain, frequency, interval, start, until, count)
    try:
        has_date = next(rule.between(start, _years_later(start)), None) is not None
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        message = "The rule cannot be read. Write it as in FREQ=WEEKLY;BYDAY=MO,WE."
        raise refuse_rule(message) from error
    if not has_date:
        raise refuse_rule(f"No date within {YEARS_MAX} years fits this rule.")
    return rule


def unroll(
    rule: Rule | None, start: datetime, zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """(local, UTC) of the starts in since <= UTC < until, each moment once. No rule: `start`."""
    first, last = (_naive(at, zone) for at in (since, until))
    locals_ = iter([start]) if rule is None else rule.between(first - _MARGIN, last + _MARGIN)
    before: datetime | None = None
    for local in locals_:
        moment = to_utc(local, zone)
        if moment >= until:
            return
        # A day that a zone leaves out altogether (Apia, 2011-12-30) falls on the next one.
        if moment >= since and moment != before:
            yield local, moment
        before = moment


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a wall-clock time without zone."""
    # fold=0 is what RFC 5545 wants: the offset before a gap, the first of two.
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def is_zone(name: str) -> bool:
    """Whether the IANA database has this zone."""
    return name in zone_names()


def check_zone(name: str) -> ZoneInfo:
    """Raises InvalidInputError for a name that is not in the IANA database."""
    if not is_zone(name):
        message = f"There is no time zone {name[:64]!r}. Write it as in Asia/Shanghai."
        raise InvalidInputError.of("schedule.timezone", message)
    return ZoneInfo(name)


def refuse_rule(message: str) -> InvalidInputError:
    """The refusal of a rule, in words a host understands."""
    return InvalidInputError.of("schedule.rrule", message)


@lru_cache
def zone_names() -> frozenset[str]:
    """The time zones there are; "localtime" and its like differ from machine to machine."""
    # A look through some hundred files.
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def _naive(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _split(text: str) -> dict[str, str]:
    pairs = [part.partition("=")[::2] for part in text.upper().split(";") if part]
    parts = dict(pairs)
    if len(parts) != len(pairs):
        raise refuse_rule("Each part of the rule may be given once.")
    if parts.get("FREQ") not in FREQUENCIES:
        raise refuse_rule(
            "A show repeats by the day, the week or the month: "
            f"FREQ must be one of {', '.join(FREQUENCIES)}."
        )
    allowed = _PARTS[parts["FREQ"]]
    if unknown := sorted(set(parts) - allowed):
        names = ", ".join(name[:20] for name in unknown)
        raise refuse_rule(f"{names} cannot be used. Use {', '.join(sorted(allowed))}.")
    _check_days(parts)
    return parts


def _check_days(parts: dict[str, str]) -> None:
    for name in {"BYMONTHDAY", "BYSETPOS"} & set(parts):
        if not _DAYS_OF_MONTH.fullmatch(parts[name]):
            raise refuse_rule(f"{name} goes from 1 to 31, or from the end from -1 to -31.")
    pattern = _DAYS_OF_WEEK[parts["FREQ"]]
    if not pattern.fullmatch(parts.get("BYDAY", "MO")):
        message = "BYDAY takes MO,TU,WE,TH,FR,SA,SU; by the month also 1MO (first) and -1FR (last)."
        raise refuse_rule(message)


def _read_number(parts: dict[str, str], name: str, highest: int) -> int | None:
    text = parts.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= highest:
        raise refuse_rule(f"{name} goes from 1 to {highest}.")
    return int(text)


def _read_until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The last local moment. A date alone means all of that day; Z means UTC."""
    if text is None:
        return None
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        day = datetime.strptime(match[1], "%Y%m%d")  # noqa: DTZ007 - a wall-clock time
        if match[2] is None:
            return datetime.combine(day, time(23, 59, 59))
        clock = datetime.strptime(match[2], "%H%M%S").time()  # noqa: DTZ007 - as above
    except ValueError as error:
        message = "UNTIL is a day such as 20270331, or a time such as 20270331T200000."
        raise refuse_rule(message) from error
    until = datetime.combine(day, clock)
    return _naive(until.replace(tzinfo=UTC), zone) if match[3] else until


def _years_later(start: datetime) -> datetime:
    return start + timedelta(days=366 * YEARS_MAX)
