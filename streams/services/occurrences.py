"""The starts of a show in a window of time: from rows where there are some, else computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from streams.models import Broadcast, Occurrence, Schedule, Show
from streams.models.schedule import OccurrenceState
from streams.services.schedule import LISTED_MAX, list_starts


@dataclass(frozen=True, slots=True)
class PlannedAiring:
    """One start. at: UTC; local: in the zone of the show; state: an OccurrenceState."""

    at: datetime
    local: datetime
    state: str
    reason: str = ""
    broadcast: UUID | None = None


def list_occurrences(show: Show, since: datetime, until: datetime) -> list[PlannedAiring]:
    """Starts in since <= start < until, by time.

    What lies ahead follows from the schedule as it is now. What lies behind is what was planned
    then: rows remain when the schedule is changed or cleared.
    """
    schedule = Schedule.objects.filter(show=show).first()
    zone = ZoneInfo(schedule.timezone) if schedule else UTC
    rows = show.occurrences.exclude(state=OccurrenceState.DROPPED).select_related("broadcast")
    found = {
        row.starts_at: _of_row(row, zone)
        for row in rows.filter(starts_at__gte=since, starts_at__lt=until)[:LISTED_MAX]
    }
    if schedule is not None:
        for at in list_starts(schedule, max(since, timezone.now()), until):
            found.setdefault(at, _planned(at, zone))
    return sorted(found.values(), key=lambda item: item.at)


def _of_row(row: Occurrence, zone: tzinfo) -> PlannedAiring:
    broadcast: Broadcast | None = getattr(row, "broadcast", None)
    local = row.starts_at.astimezone(zone).replace(tzinfo=None)
    return PlannedAiring(
        row.starts_at, local, row.state, row.reason, broadcast.pk if broadcast else None
    )


def _planned(at: datetime, zone: tzinfo) -> PlannedAiring:
    local = at.astimezone(zone).replace(tzinfo=None)
    return PlannedAiring(at, local, OccurrenceState.SCHEDULED)
