"""Planned starts and past airings of a user's shows, as stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
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
from streams.admin.lengths import estimate_rundown_seconds
from streams.admin.troubles import broadcast_url
from streams.models import Occurrence, Schedule, Show
from streams.models.schedule import OccurrenceState
from streams.models.show import Ends, RundownMode
from streams.services.schedule import list_starts

ROWS_MAX: Final = 500
# How long an airing is drawn whose end nobody knows.
OPEN_LENGTH: Final = timedelta(minutes=60)
SHORTEST: Final = timedelta(minutes=5)
UNSCHEDULED_ZONE: Final = "UTC"
_TONES: Final = {"missed": "bad", "skipped": "quiet", "scheduled": "plan", "starting": "info"}

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
    found += _planned(user, max(since, timezone.now()), until)
    unique = {(item.show_id, item.starts_at): item for item in reversed(found)}
    return sorted(unique.values(), key=lambda item: (item.starts_at, item.title))


def planned_length(show: Show) -> timedelta | None:
    """How long an airing of the show will take; None when it ends by hand or not at all."""
    if show.ends == Ends.AFTER_DURATION and show.duration_minutes:
        return timedelta(minutes=show.duration_minutes)
    if show.ends == Ends.AFTER_RUNDOWN and show.rundown_mode == RundownMode.ONCE:
        seconds = estimate_rundown_seconds(show.cues.all(), show.language)
        return max(SHORTEST, timedelta(seconds=seconds))
    return None


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
    rows = rows.select_related("show__schedule").prefetch_related("show__cues")
    return [_from_row(row) for row in rows.order_by("starts_at")[:ROWS_MAX]]


def _from_row(row: Occurrence) -> Stretch:
    is_late = row.state == OccurrenceState.SCHEDULED and row.starts_at < timezone.now()
    label = _("Due") if is_late else str(row.get_state_display())
    return _stretch(row.show, row.starts_at, _TONES.get(row.state, "plan"), label, row.reason)


def _planned(user: User, since: datetime, until: datetime) -> list[Stretch]:
    """From the rules: also what lies too far ahead to have a row."""
    if since >= until:
        return []
    return [
        _stretch(schedule.show, start, "plan", _("Scheduled"), "")
        for schedule in _schedules(user)
        for start in _starts(schedule, since, until)
    ]


def _schedules(user: User) -> QuerySet[Schedule]:
    allowed = user.organizations_where("show.view")
    rows = Schedule.objects.filter(show__organization__in=allowed, show__archived_at=None)
    return rows.select_related("show__schedule").prefetch_related("show__cues")[:ROWS_MAX]


def _starts(schedule: Schedule, since: datetime, until: datetime) -> list[datetime]:
    try:
        return list_starts(schedule, since, until)
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
    return schedule.timezone if schedule else UNSCHEDULED_ZONE
