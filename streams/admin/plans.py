"""Planned starts and past airings of a user's shows, as stretches of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger
from streams.admin.cards import broadcasts_of, occurrences_of
from streams.admin.troubles import broadcast_url
from streams.models import Occurrence, Schedule, Show
from streams.models.schedule import OccurrenceState
from streams.services.lengths import planned_length
from streams.services.recurrence import is_zone
from streams.services.schedule import Start, unroll_schedule

ROWS_MAX: Final = 500
# How long an airing is drawn whose end nobody knows.
OPEN_LENGTH: Final = timedelta(minutes=60)
# The tone of a start that is left out.
SKIPPED: Final = "skipped"
_TONES: Final = {"missed": "missed", "scheduled": "plan"}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One airing, planned or real. zone: of the show. is_open: nobody knows its end."""

    show_id: Any
    title: str
    starts_at: datetime
    ends_at: datetime
    is_open: bool
    zone: str
    tone: str
    state_label: str
    reason: str
    url: str


def stretches_of(user: User, since: datetime, until: datetime) -> list[Stretch]:
    """What aired, airs, was missed or is planned in since <= start < until, by start."""
    found = [*_aired(user, since, until), *_recorded(user, since, until)]
    found += _computed(user, since, until)
    usual = usual_zone(user)
    unique = {
        (item.show_id, item.starts_at): item if item.zone else replace(item, zone=usual)
        for item in reversed(found)
    }
    return sorted(unique.values(), key=lambda item: (item.starts_at, item.title))


def usual_zone(user: User) -> str:
    """The zone that most of the user's shows are planned in: for shows without a plan."""
    usual = Counter(show_zones(user)).most_common(1)
    return usual[0][0] if usual else "UTC"


def show_zones(user: User) -> list[str]:
    """The zones of the user's schedules, once for each; those that are known today."""
    allowed = user.organizations_where("show.view")
    rows = Schedule.objects.filter(show__organization__in=allowed, show__archived_at=None)
    return sorted(name for name in rows.values_list("timezone", flat=True) if is_zone(name))


def _aired(user: User, since: datetime, until: datetime) -> list[Stretch]:
    rows = broadcasts_of(user).filter(created_at__lt=until)
    rows = rows.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("-created_at")
    rows = rows.select_related("show__schedule", "occurrence")
    now = timezone.now()
    tones = {"ended": "done", "failed": "bad"}
    return [
        Stretch(
            show_id=row.show_id,
            title=str(row.snapshot.get("title") or row.show.title),
            starts_at=row.started_at or row.created_at,
            ends_at=row.ended_at or now,
            is_open=row.ended_at is None,
            zone=_zone_of(row.show),
            tone=tones.get(row.state, "tally"),
            state_label=str(row.get_state_display()),
            reason=row.reason,
            url=broadcast_url(row.pk),
        )
        for row in rows[:ROWS_MAX]
    ]


def _recorded(user: User, since: datetime, until: datetime) -> list[Stretch]:
    """Planned airings that have a row but no broadcast: soon, missed, or left out."""
    rows = occurrences_of(user).filter(starts_at__gte=since, starts_at__lt=until, broadcast=None)
    rows = rows.exclude(state=OccurrenceState.DROPPED)
    rows = rows.select_related("show__schedule").prefetch_related("show__cues")
    return [_from_row(row) for row in rows.order_by("starts_at")[:ROWS_MAX]]


def _from_row(row: Occurrence) -> Stretch:
    is_late = row.state == OccurrenceState.SCHEDULED and row.starts_at < timezone.now()
    label = _("Due") if is_late else str(row.get_state_display())
    return _stretch(row.show, row.starts_at, _TONES.get(row.state, "plan"), label, row.reason)


def _computed(user: User, since: datetime, until: datetime) -> list[Stretch]:
    """From the rules: what lies too far ahead to have a row, and what is left out."""
    now = timezone.now()
    return [
        _skipped(schedule.show, start) if start.is_left_out else _planned(schedule.show, start)
        for schedule in _schedules(user)
        for start in _starts(schedule, since, until)
        if start.is_left_out or start.at >= now
    ]


def _planned(show: Show, start: Start) -> Stretch:
    return _stretch(show, start.at, "plan", _("Scheduled"), "")


def _skipped(show: Show, start: Start) -> Stretch:
    return _stretch(show, start.at, SKIPPED, _("Skipped"), _("Left out in the schedule."))


def _schedules(user: User) -> QuerySet[Schedule]:
    allowed = user.organizations_where("show.view")
    rows = Schedule.objects.filter(show__organization__in=allowed, show__archived_at=None)
    return rows.select_related("show__schedule").prefetch_related("show__cues")[:ROWS_MAX]


def _starts(schedule: Schedule, since: datetime, until: datetime) -> list[Start]:
    try:
        return unroll_schedule(schedule, since, until)
    except DomainError as error:  # a rule that was written before it was checked
        log.warning("schedule cannot be read", show_id=str(schedule.show_id), error=error.message)
        return []


def _stretch(show: Show, start: datetime, tone: str, label: str, reason: str) -> Stretch:
    length = planned_length(show)
    return Stretch(
        show_id=show.pk,
        title=show.title,
        starts_at=start,
        ends_at=start + (length or OPEN_LENGTH),
        is_open=length is None,
        zone=_zone_of(show),
        tone=tone,
        state_label=label,
        reason=reason,
        url=reverse("admin:streams_show_change", args=[show.pk]),
    )


def _zone_of(show: Show) -> str:
    schedule: Schedule | None = getattr(show, "schedule", None)
    return schedule.timezone if schedule and is_zone(schedule.timezone) else ""
