"""When a show airs: recurrence rules in local time, and the rows of planned airings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import tz
from dateutil.rrule import rrule, rrulestr
from django.db import transaction

from livestudio.common.errors import InvalidInputError
from streams.models import Occurrence, Schedule, Show
from streams.models.schedule import CatchUp

FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY")
# Only what makes sense per frequency: other mixtures can have no date at all, and the search for
# one would run through 8,000 years of days.
_PARTS: Final = {
    "DAILY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL"}),
    "WEEKLY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}),
    "MONTHLY": frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS"}),
}
INTERVAL_MAX: Final = 366
LISTED_MAX: Final = 366
# A rule may skip over most of what it generates; this bounds the work of one look.
GENERATED_MAX: Final = 20_000
WINDOW_MAX: Final = timedelta(days=366)
MATERIALISE_AHEAD: Final = timedelta(hours=48)
EXDATES_MAX: Final = 366


def check_schedule(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Schedule`, checked and in their stored form.

    values: starts_at_local, timezone, rrule, exdates, catch_up as the API takes them. Raises
    InvalidInputError naming the field below `schedule`.
    """
    start = _local(values["starts_at_local"], "schedule.starts_at_local")
    zone = _check_zone(values["timezone"])
    rule = str(values.get("rrule") or "").removeprefix("RRULE:")
    if rule and next(iter(parse_rule(rule, start)), None) is None:
        raise _refuse_rule("No date fits this rule.")
    exdates = [
        _local(text, f"schedule.exdates.{index}").isoformat()
        for index, text in enumerate(_exdates(values))
    ]
    return {
        "starts_at_local": start.isoformat(),
        "timezone": zone,
        "rrule": rule,
        "exdates": exdates,
        "catch_up": values.get("catch_up") or CatchUp.SKIP,
    }


def parse_rule(text: str, start: datetime) -> rrule:
    """The recurrence of a rule such as `FREQ=WEEKLY;BYDAY=MO`. Raises InvalidInputError."""
    parts = dict(part.partition("=")[::2] for part in text.upper().split(";") if part)
    if parts.get("FREQ") not in FREQUENCIES:
        raise _refuse_rule(f"FREQ must be one of {', '.join(FREQUENCIES)}.")
    allowed = _PARTS[parts["FREQ"]]
    if unknown := sorted(set(parts) - allowed):
        raise _refuse_rule(
            f"{', '.join(unknown)} cannot be used. Use {', '.join(sorted(allowed))}."
        )
    # UNTIL with a zone cannot be compared with local starts; RFC 5545 local time is meant here.
    plain = ";".join(f"{name}={value.removesuffix('Z')}" for name, value in parts.items())
    try:
        rule = rrulestr(plain, dtstart=start)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise _refuse_rule(f"The rule cannot be read: {error}.") from error
    if not isinstance(rule, rrule) or not 1 <= int(parts.get("INTERVAL", "1")) <= INTERVAL_MAX:
        raise _refuse_rule(f"INTERVAL goes from 1 to {INTERVAL_MAX}.")
    return rule


def list_starts(schedule: Schedule, since: datetime, until: datetime) -> list[datetime]:
    """Starts in since <= start < until (aware), as aware UTC times, at most LISTED_MAX."""
    zone = ZoneInfo(schedule.timezone)
    left_out = set(schedule.exdates)
    starts: list[datetime] = []
    for local in _local_starts(schedule):
        start = _to_utc(local, zone)
        if start >= until or len(starts) >= LISTED_MAX:
            break
        if start >= since and local.isoformat() not in left_out:
            starts.append(start)
    return starts


def materialise_occurrences(show: Show, now: datetime) -> list[Occurrence]:
    """Make sure that the airings of the next 48 hours have rows; any number may call it at once."""
    schedule = Schedule.objects.filter(show=show).first()
    if schedule is None or show.archived_at is not None:
        return []
    rows = [
        Occurrence(show=show, starts_at=start)
        for start in list_starts(schedule, now, now + MATERIALISE_AHEAD)
    ]
    Occurrence.objects.bulk_create(rows, ignore_conflicts=True)
    return list(show.occurrences.filter(starts_at__gte=now, starts_at__lt=now + MATERIALISE_AHEAD))


def replace_schedule(show: Show, values: Mapping[str, Any] | None) -> None:
    """Set or clear the schedule of a show; airings that were planned but not begun are dropped."""
    with transaction.atomic():
        show.occurrences.filter(state="scheduled").delete()
        if values is None:
            Schedule.objects.filter(show=show).delete()
            return
        Schedule.objects.update_or_create(show=show, defaults=check_schedule(values))


def _local_starts(schedule: Schedule) -> Iterator[datetime]:
    start = datetime.fromisoformat(schedule.starts_at_local)
    if not schedule.rrule:
        yield start
        return
    for count, local in enumerate(parse_rule(schedule.rrule, start)):
        if count >= GENERATED_MAX:
            return
        yield local


def _to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    # 02:30 does not exist on the night clocks go forward: it becomes 03:30, not an error.
    return tz.resolve_imaginary(local.replace(tzinfo=zone)).astimezone(tz.UTC)


def _local(text: Any, field: str) -> datetime:
    try:
        value = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise _refuse_local(field) from error
    if value.tzinfo is not None or value.year < 2000:
        raise _refuse_local(field)
    return value.replace(microsecond=0)


def _refuse_local(field: str) -> InvalidInputError:
    message = "Give a local time without zone, such as 2026-01-31T20:00:00."
    return InvalidInputError.of(field, message)


def _refuse_rule(message: str) -> InvalidInputError:
    return InvalidInputError.of("schedule.rrule", message)


def _check_zone(name: Any) -> str:
    try:
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"There is no time zone {str(name)!r}. Write it as in Asia/Shanghai."
        raise InvalidInputError.of("schedule.timezone", message) from error
    return str(name)


def _exdates(values: Mapping[str, Any]) -> Sequence[Any]:
    exdates: Sequence[Any] = values.get("exdates") or []
    if len(exdates) > EXDATES_MAX:
        raise InvalidInputError.of("schedule.exdates", f"At most {EXDATES_MAX} dates.")
    return exdates
