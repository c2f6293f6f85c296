"""Planned airings: rows for the next two days, and each due one started exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from accounts.roles import SYSTEM
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger
from streams.models import Occurrence, Schedule
from streams.models.schedule import CatchUp, OccurrenceState
from streams.services.lifecycle import start_broadcast
from streams.services.schedule import materialise_occurrences

log = get_logger(__name__)

# A start this late still counts as on time: a loop was restarted, a machine was busy.
GRACE_SECONDS: Final = 300.0
# Later than this nobody waits for the show any more, whatever the policy.
CATCH_UP_SECONDS: Final = 6 * 3600.0
# A claim whose loop died before it could start the broadcast.
CLAIM_SECONDS: Final = 60.0


def plan_airings(now: datetime) -> int:
    """Rows for the airings of the next 48 hours of every show with a schedule."""
    schedules = Schedule.objects.filter(show__archived_at=None).select_related("show")
    return sum(len(materialise_occurrences(schedule.show, now)) for schedule in schedules)


def start_due_airings(now: datetime) -> int:
    """Start what is due; of many loops one claims each airing. How many were started."""
    due = Occurrence.objects.filter(_is_claimable(now), starts_at__lte=now)
    return sum(_fire(row, now) for row in due.select_related("show").order_by("starts_at")[:100])


def _is_claimable(now: datetime) -> Q:
    abandoned = now - timedelta(seconds=CLAIM_SECONDS)
    lost = Q(state=OccurrenceState.STARTING, updated_at__lt=abandoned, broadcast=None)
    return Q(state=OccurrenceState.SCHEDULED) | lost


def _fire(occurrence: Occurrence, now: datetime) -> bool:
    rows = Occurrence.objects.filter(
        pk=occurrence.pk, state=occurrence.state, updated_at=occurrence.updated_at
    )
    if rows.update(state=OccurrenceState.STARTING, updated_at=now) != 1:
        return False
    if (now - occurrence.starts_at).total_seconds() > _patience_seconds(occurrence):
        return _close(occurrence, OccurrenceState.MISSED, "The system was not running in time.")
    try:
        start_broadcast(show=occurrence.show, actor=SYSTEM, occurrence=occurrence)
    except DomainError as error:
        return _close(occurrence, OccurrenceState.MISSED, error.message)
    Occurrence.objects.filter(pk=occurrence.pk).update(state=OccurrenceState.STARTED)
    return True


def _patience_seconds(occurrence: Occurrence) -> float:
    schedule = Schedule.objects.filter(show=occurrence.show_id).first()
    is_patient = schedule is not None and schedule.catch_up != CatchUp.SKIP
    return CATCH_UP_SECONDS if is_patient else GRACE_SECONDS


def _close(occurrence: Occurrence, state: str, reason: str) -> bool:
    log.warning("airing not started", occurrence_id=str(occurrence.pk), reason=reason)
    rows = Occurrence.objects.filter(pk=occurrence.pk)
    rows.update(state=state, reason=reason[:300])
    return False
