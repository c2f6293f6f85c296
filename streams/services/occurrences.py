"""The starts of a show in a window of time: from rows where there are some, else computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import Organization
from livestudio.common.errors import DomainError
from streams.models import Broadcast, Occurrence, Schedule, Show
from streams.models.schedule import OccurrenceState
from streams.services.recurrence import check_zone
from streams.services.schedule import LISTED_MAX, find_next_start, list_starts

# A miss that nobody has made good is told this long.
TELL_MISSED: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PlannedAiring:
    """One start. at: UTC; local: in the zone of the show; state: an OccurrenceState."""

    at: datetime
    local: datetime
    state: str
    reason: str = ""
    broadcast: UUID | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NextAiring:
    """What a show airs next, and what it missed last; None = nothing.

    next: it may lie behind while it waits for the airing before. missed: only as long as the show
    has not been on air since.
    """

    show: UUID
    next: PlannedAiring | None
    missed: PlannedAiring | None


def list_next_airings(organization: Organization, now: datetime) -> list[NextAiring]:
    """Of every show that is not put away and has something to tell; in a few queries."""
    shows = Show.objects.filter(organization=organization, archived_at=None)
    missed = {row.show_id: row for row in _missed(shows, now)}
    # Newest first, so that the earliest of a show is the one that stays.
    planned = Occurrence.objects.filter(show__in=shows, state=OccurrenceState.SCHEDULED)
    planned = planned.select_related("broadcast").order_by("-starts_at")
    rows = {row.show_id: row for row in planned}
    shows = shows.filter(Q(schedule__isnull=False) | Q(pk__in=[*missed, *rows]))
    found = (
        _next_airing(show, rows.get(show.pk), missed.get(show.pk), now)
        for show in shows.select_related("schedule")
    )
    return [item for item in found if item.next or item.missed]


def _missed(shows: QuerySet[Show], now: datetime) -> QuerySet[Occurrence]:
    """Misses of the last days that no airing has made good, oldest first."""
    aired = Broadcast.objects.filter(show=OuterRef("show"), created_at__gt=OuterRef("starts_at"))
    rows = Occurrence.objects.filter(~Exists(aired), show__in=shows, state=OccurrenceState.MISSED)
    rows = rows.filter(starts_at__gte=now - TELL_MISSED).select_related("broadcast")
    return rows.order_by("starts_at")


def _next_airing(
    show: Show, row: Occurrence | None, missed: Occurrence | None, now: datetime
) -> NextAiring:
    schedule: Schedule | None = getattr(show, "schedule", None)
    try:
        zone = check_zone(schedule.timezone) if schedule else UTC
        at = find_next_start(schedule, now) if schedule else None
    except DomainError:  # a zone or a rule that an older version took
        zone, at = UTC, None
    ahead = [_of_row(row, zone)] if row else []
    ahead += [_planned(at, zone)] if at else []
    upcoming = min(ahead, key=lambda item: item.at, default=None)
    return NextAiring(show.pk, upcoming, _of_row(missed, zone) if missed else None)


def list_occurrences(show: Show, since: datetime, until: datetime) -> list[PlannedAiring]:
    """Starts in since <= start < until, by time.

    What lies ahead follows from the schedule as it is now. What lies behind is what was planned
    then: rows remain when the schedule is changed or cleared.
    """
    schedule = Schedule.objects.filter(show=show).first()
    rows = list(_rows(since, until).filter(show=show)[:LISTED_MAX])
    return _readable(schedule, rows, since, until)


def list_airings(
    organization: Organization, since: datetime, until: datetime
) -> list[tuple[Show, PlannedAiring]]:
    """As `list_occurrences`, of every show that is not put away; in a few queries."""
    shows = Show.objects.filter(organization=organization, archived_at=None)
    rows: dict[UUID, list[Occurrence]] = defaultdict(list)
    for row in _rows(since, until).filter(show__in=shows):
        rows[row.show_id].append(row)
    shows = shows.filter(Q(schedule__isnull=False) | Q(pk__in=rows))
    found: list[tuple[Show, PlannedAiring]] = []
    for show in shows.select_related("schedule", "avatar").prefetch_related("cues"):
        schedule: Schedule | None = getattr(show, "schedule", None)
        found += ((show, item) for item in _readable(schedule, rows[show.pk], since, until))
    return sorted(found, key=lambda pair: (pair[1].at, pair[0].pk))


def _readable(
    schedule: Schedule | None, rows: list[Occurrence], since: datetime, until: datetime
) -> list[PlannedAiring]:
    try:
        return _merged(schedule, rows, since, until)
    except DomainError:  # a zone that was taken away; the page of the show says so
        return _merged(None, rows, since, until)


def _rows(since: datetime, until: datetime) -> QuerySet[Occurrence]:
    rows = Occurrence.objects.filter(starts_at__gte=since, starts_at__lt=until)
    return rows.exclude(state=OccurrenceState.DROPPED).select_related("broadcast")


def _merged(
    schedule: Schedule | None, rows: Iterable[Occurrence], since: datetime, until: datetime
) -> list[PlannedAiring]:
    zone = check_zone(schedule.timezone) if schedule else UTC
    found = {row.starts_at: _of_row(row, zone) for row in rows}
    if schedule is not None:
        for at in list_starts(schedule, max(since, timezone.now()), until):
            found.setdefault(at, _planned(at, zone))
    return sorted(found.values(), key=lambda item: item.at)


def _of_row(row: Occurrence, zone: tzinfo) -> PlannedAiring:
    broadcast: Broadcast | None = getattr(row, "broadcast", None)
    local = row.starts_at.astimezone(zone).replace(tzinfo=None)
    return PlannedAiring(
        row.starts_at,
        local,
        row.state,
        row.reason,
        broadcast.pk if broadcast else None,
        broadcast.ended_at if broadcast else None,
    )


def _planned(at: datetime, zone: tzinfo) -> PlannedAiring:
    local = at.astimezone(zone).replace(tzinfo=None)
    return PlannedAiring(at, local, OccurrenceState.SCHEDULED)
