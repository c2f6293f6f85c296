"""Reads of usage: what is left now, and what was used by day and by broadcast."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet, Sum

from livestudio.common.csv_form import csv_text
from livestudio.common.errors import InvalidInputError
from metering.errors import moment
from metering.hooks import PRESENT
from metering.limits import limits_of, plan_of, zone_of
from metering.meters import METERS, WARN_SHARE, Meter
from metering.models import Counter, OrganizationQuota, UsageEntry
from metering.periods import NOW, day_of, end_of

Json = dict[str, Any]

DAYS_SHOWN: Final = 30
DAYS_MAX: Final = 366
CSV_COLUMNS: Final = ("day", "holder", "broadcast", "title", "meter", "used")


def usage_json(organization_id: UUID, since: date, until: date, now: datetime) -> Json:
    """The meters as they stand now, and what was used each day from `since` to `until`."""
    plan = plan_of(organization_id)
    zone = zone_of(organization_id)
    return {
        "plan": plan.name if plan else None,
        "timezone": zone.key,
        "from": since.isoformat(),
        "to": until.isoformat(),
        "meters": meters_json(organization_id, now),
        "days": _days_json(organization_id, since, until),
    }


def meters_json(organization_id: UUID, now: datetime) -> list[Json]:
    """Each meter: limit, used, remaining, when it is renewed. limit null: not limited."""
    limits, zone = limits_of(organization_id), zone_of(organization_id)
    today = day_of(now, zone)
    rows = Counter.objects.filter(organization=organization_id, period=today.isoformat())
    counters = {row.meter: row for row in rows}
    found = []
    for name, meter in METERS.items():
        counter = counters.get(name) or Counter()
        used = counter.used if meter.kind == "day" else PRESENT[name](organization_id)
        resets_at = moment(end_of(today, zone)) if meter.kind == "day" else None
        found.append(_meter_json(meter, limits[name], used, counter.reserved, resets_at))
    return found


def quota_json(organization_id: UUID) -> Json:
    """The plan, when the day begins, and how shows end when their minutes run out."""
    rows = OrganizationQuota.objects.filter(organization=organization_id)
    quota, plan = rows.first() or OrganizationQuota(), plan_of(organization_id)
    own = ("timezone", "closing", "closing_line_zh", "closing_line_en")
    return {
        "plan": plan.name if plan else None,
        **{name: str(getattr(quota, name)) for name in own},
    }


def count_passed(now: datetime) -> dict[tuple[str, str], int]:
    """How many organizations have passed `warning` or `reached` of each meter now."""
    since, found = now - timedelta(days=1), {}
    for name, meter in METERS.items():
        rows = Counter.objects.filter(meter=name)
        if meter.kind == "now":
            rows = rows.filter(period=NOW)
        for level, field in (("warning", "warned_at"), ("reached", "reached_at")):
            # A day that began in any zone within the last 24 hours.
            passed = (
                {f"{field}__gte": since} if meter.kind == "day" else {f"{field}__isnull": False}
            )
            if meter.warns:
                found[name, level] = rows.filter(**passed).count()
    return found


def parse_days(query: Any, today: date) -> tuple[date, date]:
    """`from` and `to` of a query, both included. Raises InvalidInputError."""
    until = _day(query.get("to"), "to") or today
    since = _day(query.get("from"), "from") or until - timedelta(days=DAYS_SHOWN - 1)
    if since > until:
        raise InvalidInputError.of("from", "This day lies behind the last one.")
    if (until - since).days >= DAYS_MAX:
        raise InvalidInputError.of("from", f"At most {DAYS_MAX} days at once.")
    return since, until


def list_entries(organization_id: UUID, since: date, until: date) -> QuerySet[UsageEntry]:
    """What each broadcast used on each day."""
    rows = UsageEntry.objects.filter(organization=organization_id, day__range=(since, until))
    return rows.filter(used__gt=0)


def entry_json(entry: UsageEntry) -> Json:
    """One broadcast's part of a day; `broadcast` null: used by something else (`holder`)."""
    is_broadcast = _is_uuid(entry.holder)
    return {
        "id": str(entry.pk),
        "day": entry.day.isoformat(),
        "broadcast": entry.holder if is_broadcast else None,
        "holder": "broadcast" if is_broadcast else entry.holder,
        "title": entry.title,
        "meter": entry.meter,
        "used": METERS[entry.meter].shown(entry.used),
    }


def usage_csv(entries: Iterable[UsageEntry]) -> str:
    """The entries as a table for spreadsheets."""
    rows = map(entry_json, entries)
    cells = ([row[name] for name in CSV_COLUMNS] for row in rows)
    return csv_text(CSV_COLUMNS, cells)


def _meter_json(
    meter: Meter, limit: int | None, used: int, reserved: int, resets_at: str | None
) -> Json:
    remaining = None if limit is None else meter.shown(max(0, limit - used - reserved))
    return {
        "meter": meter.name,
        "period": meter.kind,
        "limit": None if limit is None else meter.shown(limit),
        "used": meter.shown(used),
        "reserved": meter.shown(reserved),
        "remaining": remaining,
        "resets_at": resets_at,
        "is_low": limit is not None and meter.warns and used >= WARN_SHARE * limit,
        "is_reached": limit is not None and used + reserved >= limit,
    }


def _days_json(organization_id: UUID, since: date, until: date) -> list[Json]:
    rows = list_entries(organization_id, since, until).values("day", "meter")
    days: dict[date, Json] = {}
    for row in rows.annotate(total=Sum("used")).order_by("day", "meter"):
        amounts = days.setdefault(row["day"], {})
        amounts[row["meter"]] = METERS[row["meter"]].shown(row["total"])
    return [{"day": day.isoformat(), "used": amounts} for day, amounts in days.items()]


def _day(text: str | None, field: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError.of(field, "Give a day such as 2026-01-31.") from error


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
