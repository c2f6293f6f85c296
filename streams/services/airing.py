"""Planned airings: rows for the next two days, and each due one started exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.roles import SYSTEM
from inference.protocol import encode
from livestudio.common.deadlocks import tried_again_on_deadlock
from livestudio.common.errors import DomainError
from livestudio.common.log import get_logger
from streams.errors import BroadcastAlreadyLiveError
from streams.models import Broadcast, Occurrence, Schedule, Show
from streams.models.schedule import CatchUp, OccurrenceState
from streams.models.show import Ends
from streams.services.lengths import position_after
from streams.services.lifecycle import start_broadcast
from streams.services.schedule import MATERIALISE_AHEAD, materialise

log = get_logger(__name__)

# A start this late still counts as on time: a loop was restarted, the airing before ran over.
GRACE_SECONDS: Final = 300.0
# Later than this nobody waits for the show any more, whatever the policy.
CATCH_UP_SECONDS: Final = 6 * 3600.0
# A show that joins later than this begins where it would be by now, else from the top.
JOIN_SECONDS: Final = 10.0
# Rows are written again when less than this has gone of the two days.
PLAN_AGAIN: Final = timedelta(hours=1)
# The work of one round; the rest is done in the next.
PLANNED_PER_ROUND: Final = 200
STARTED_PER_ROUND: Final = 50
_REASON_CHARACTERS: Final = 300

# Translated by `livestudio.common.reasons`.
NOT_RUNNING: Final = "The system was not running in time."
STILL_ON_AIR: Final = "The airing before was still on air."
WAITS: Final = "Waits until the airing before has ended."
OVER_BY_NOW: Final = "The show would have been over already."
BROKEN: Final = "The start failed inside the system; its log says why."


def plan_airings(now: datetime) -> int:
    """Rows for the airings of the next 48 hours of every show with a schedule; how many."""
    _revive(now)
    ahead = now + MATERIALISE_AHEAD
    is_due = Q(planned_until=None) | Q(planned_until__lt=ahead - PLAN_AGAIN)
    # It cannot lie further ahead than that, unless the clock was wrong.
    is_due |= Q(planned_until__gt=ahead + PLAN_AGAIN)
    schedules = Schedule.objects.filter(is_due, show__archived_at=None).order_by("planned_until")
    return sum(_plan(schedule, now) for schedule in schedules[:PLANNED_PER_ROUND])


def start_due_airings(now: datetime) -> int:
    """Start what is due; of many loops one starts each airing. How many were started."""
    on_air = Exists(Broadcast.objects.filter(active_key=OuterRef("show_id")))
    due = Occurrence.objects.filter(state=OccurrenceState.SCHEDULED, starts_at__lte=now)
    # Those that wait come last: however many there are, they keep nobody from starting.
    rows = due.annotate(is_on_air=on_air).order_by("is_on_air", "starts_at")
    rows = rows.select_related("show__schedule")[:STARTED_PER_ROUND]
    return sum(_look_at(row, now) for row in rows)


def _look_at(row: Occurrence, now: datetime) -> bool:
    is_on_air: bool = row.is_on_air  # type: ignore[attr-defined]  # annotated
    is_late = (now - row.starts_at).total_seconds() > _patience_seconds(row)
    if is_late:
        return _miss(row, STILL_ON_AIR if is_on_air else NOT_RUNNING)
    if is_on_air:
        return _wait(row)
    try:
        return _start(row, now)
    except (OperationalError, InterfaceError):
        raise  # the database's trouble, not this row's
    except Exception:  # noqa: BLE001 - the edge: one bad row must not stop every show
        log.exception("airing failed to start", occurrence_id=str(row.pk))
        return _miss(row, BROKEN)


@tried_again_on_deadlock
def _start(row: Occurrence, now: datetime) -> bool:
    """Claim and open in one transaction: a loop that dies in between has done nothing."""
    with transaction.atomic():
        # First, as whoever changes the show or puts it away does: in another order two that meet
        # here would wait for each other.
        show = Show.objects.select_for_update().get(pk=row.show_id)
        if not _claim(row, OccurrenceState.STARTED):
            return False
        try:
            reason = _open(row, show, (now - row.starts_at).total_seconds())
        except BroadcastAlreadyLiveError:  # started by hand a moment ago
            _close(row, OccurrenceState.SCHEDULED, WAITS)
            return False
        except DomainError as error:
            reason = error.message
        if reason:
            _close(row, OccurrenceState.MISSED, reason)
    return not reason


def _open(row: Occurrence, show: Show, late_seconds: float) -> str:
    """Put the show on air; why not, or an empty text. Raises what `start_broadcast` raises."""
    joins = _catch_up(row) == CatchUp.JOIN and late_seconds > JOIN_SECONDS
    position = position_after(show, late_seconds) if joins else None
    if joins and position is None:
        return OVER_BY_NOW
    broadcast = start_broadcast(show=show, actor=SYSTEM, occurrence=row)
    if position is not None:
        broadcast.cursor = encode(position)
        broadcast.snapshot["joined_seconds"] = late_seconds
        broadcast.save(update_fields=["cursor", "snapshot", "updated_at"])
    return ""


def _plan(schedule: Schedule, now: datetime) -> int:
    try:
        return materialise(schedule, now)
    except DomainError as error:  # a zone or a rule that an older version took
        log.warning("schedule cannot be read", show_id=str(schedule.show_id), reason=str(error))
        # Looked at again in an hour, not in each round.
        Schedule.objects.filter(pk=schedule.pk).update(planned_until=now + MATERIALISE_AHEAD)
        return 0


def _revive(now: datetime) -> None:
    """What was missed and still lies ahead, or was judged later than now: the clock was wrong."""
    ahead = now + timedelta(minutes=1)
    is_wrong = Q(starts_at__gt=ahead) | Q(updated_at__gt=ahead)
    rows = Occurrence.objects.filter(is_wrong, state=OccurrenceState.MISSED)
    rows.update(state=OccurrenceState.SCHEDULED, reason="")


def _patience_seconds(row: Occurrence) -> float:
    policy = _catch_up(row)
    if policy == CatchUp.SKIP:
        return GRACE_SECONDS
    minutes = row.show.duration_minutes
    if policy == CatchUp.JOIN and row.show.ends == Ends.AFTER_DURATION and minutes:
        return max(GRACE_SECONDS, minutes * 60.0)
    return CATCH_UP_SECONDS


def _catch_up(row: Occurrence) -> str:
    schedule: Schedule | None = getattr(row.show, "schedule", None)
    return schedule.catch_up if schedule is not None else CatchUp.SKIP


def _wait(row: Occurrence) -> bool:
    if row.reason != WAITS:
        _claim(row, OccurrenceState.SCHEDULED, WAITS)
    return False


def _miss(row: Occurrence, reason: str) -> bool:
    if _claim(row, OccurrenceState.MISSED, reason):
        log.warning("airing missed", occurrence_id=str(row.pk), reason=reason)
    return False


def _claim(row: Occurrence, state: str, reason: str = "") -> bool:
    """Compare-and-set: of many loops one gets True."""
    rows = Occurrence.objects.filter(pk=row.pk, state=OccurrenceState.SCHEDULED)
    return rows.update(state=state, reason=reason, updated_at=timezone.now()) == 1


def _close(row: Occurrence, state: str, reason: str) -> None:
    log.info("airing not started", occurrence_id=str(row.pk), reason=reason)
    rows = Occurrence.objects.filter(pk=row.pk)
    rows.update(state=state, reason=reason[:_REASON_CHARACTERS])
