"""When a show airs: its schedule, and the rows of planned airings that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from livestudio.common.errors import InvalidInputError
from streams.models import Occurrence, Schedule, Show
from streams.models.schedule import CatchUp, OccurrenceState
from streams.poke import poke_control_loop
from streams.services.recurrence import Rule, check_zone, parse_rule, unroll

LISTED_MAX: Final = 366
WINDOW_MAX: Final = timedelta(days=366)
MATERIALISE_AHEAD: Final = timedelta(hours=48)
# After a longer standstill, older airings are not even noted as missed.
LOOK_BACK: Final = timedelta(days=31)
EXDATES_MAX: Final = 366
_DATE_CHARACTERS: Final = len("2027-03-01")


@dataclass(frozen=True, slots=True)
class Start:
    """One start that follows from a schedule. at: UTC; local: in the schedule's zone."""

    local: datetime
    at: datetime
    is_left_out: bool


def check_schedule(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Schedule`, checked and in their stored form.

    values: starts_at_local, timezone, rrule, exdates, catch_up as the API takes them; an exdate
    that is only a day leaves out the start of that day. Raises InvalidInputError naming the field
    below `schedule`.
    """
    start = _local(values["starts_at_local"], "schedule.starts_at_local")
    zone = check_zone(str(values["timezone"]))
    rule = str(values.get("rrule") or "").removeprefix("RRULE:")
    if rule:
        parse_rule(rule, start, zone)
    exdates = [
        _exdate(text, start, f"schedule.exdates.{index}")
        for index, text in enumerate(_exdates(values))
    ]
    return {
        "starts_at_local": start.isoformat(),
        "timezone": zone.key,
        "rrule": rule,
        "exdates": exdates,
        "catch_up": values.get("catch_up") or CatchUp.SKIP,
    }


def list_starts(schedule: Schedule, since: datetime, until: datetime) -> list[datetime]:
    """Starts in since <= start < until (aware), as aware UTC times, at most LISTED_MAX.

    Raises InvalidInputError when the schedule cannot be read (a zone that was taken away).
    """
    return [start.at for start in unroll_schedule(schedule, since, until) if not start.is_left_out]


def unroll_schedule(schedule: Schedule, since: datetime, until: datetime) -> list[Start]:
    """As `list_starts`, with those that are left out by an exdate."""
    left_out = set(schedule.exdates)
    found: list[Start] = []
    for local, at in _moments(schedule, since, until):
        found.append(Start(local, at, local.isoformat() in left_out))
        if len(found) == LISTED_MAX:
            break
    return found


def find_next_start(schedule: Schedule, since: datetime) -> datetime | None:
    """The first start from `since` on, within the window that can be listed. Raises as above."""
    left_out = set(schedule.exdates)
    moments = _moments(schedule, since, since + WINDOW_MAX)
    return next((at for local, at in moments if local.isoformat() not in left_out), None)


def materialise(schedule: Schedule, now: datetime) -> int:
    """Write rows for the airings from where the last look ended to 48 hours ahead; how many.

    Any number may call it at once: one of them moves `planned_until` and writes. What lies behind
    `now` came due while no control loop ran; it gets a row too, so that it can be told as missed.
    """
    since, until = _window(schedule, now)
    seen = Schedule.objects.filter(
        pk=schedule.pk, planned_until=schedule.planned_until, updated_at=schedule.updated_at
    )
    with transaction.atomic():
        # First, because the lock it takes keeps an edit of the schedule out until we commit.
        if seen.update(planned_until=until) != 1:
            return 0
        rows = [
            Occurrence(show_id=schedule.show_id, starts_at=start)
            for start in list_starts(schedule, since, until)
        ]
        Occurrence.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def replace_schedule(show: Show, values: Mapping[str, Any] | None) -> None:
    """Set or clear the schedule of a show; airings that were planned but not begun are dropped."""
    with transaction.atomic():
        if values is None:
            Schedule.objects.filter(show=show).delete()
            drop_planned(show)
            return
        fields = {**check_schedule(values), "planned_until": timezone.now()}
        Schedule.objects.update_or_create(show=show, defaults=fields)
        drop_planned(show)


def plan_anew(show: Show) -> None:
    """After its schedule was changed elsewhere (a form of the admin): plan from now on."""
    with transaction.atomic():
        now = timezone.now()
        Schedule.objects.filter(show=show).update(planned_until=now, updated_at=now)
        drop_planned(show)


def drop_planned(show: Show) -> None:
    """Forget the airings that were planned and not begun. Change the schedule before, not after."""
    planned = show.occurrences.filter(state=OccurrenceState.SCHEDULED)
    # In one statement, so that each row is either dropped here or begun by a control loop; deleting
    # reads first, and could take away the row of an airing that has begun since.
    planned.update(state=OccurrenceState.DROPPED)
    show.occurrences.filter(state=OccurrenceState.DROPPED).delete()
    transaction.on_commit(poke_control_loop)


def _window(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
    until = now + MATERIALISE_AHEAD
    since = schedule.planned_until or now
    # Further ahead than anybody plans: the clock was wrong when it was written.
    is_wrong = since > until + timedelta(hours=1)
    return (now if is_wrong else max(since, now - LOOK_BACK)), until


def _moments(
    schedule: Schedule, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    start = datetime.fromisoformat(schedule.starts_at_local)
    zone = check_zone(schedule.timezone)
    return unroll(_rule(schedule, start, zone), start, zone, since, until)


def _rule(schedule: Schedule, start: datetime, zone: ZoneInfo) -> Rule | None:
    return parse_rule(schedule.rrule, start, zone) if schedule.rrule else None


def _local(text: Any, field: str) -> datetime:
    try:
        value = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise _refuse_local(field) from error
    if value.tzinfo is not None or not 2000 <= value.year <= 2200:
        raise _refuse_local(field)
    return value.replace(microsecond=0)


def _exdate(text: Any, start: datetime, field: str) -> str:
    local = _local(text, field)
    if len(str(text).strip()) == _DATE_CHARACTERS:
        local = datetime.combine(local, start.time())
    return local.isoformat()


def _refuse_local(field: str) -> InvalidInputError:
    message = "Give a local time without zone, such as 2026-01-31T20:00:00."
    return InvalidInputError.of(field, message)


def _exdates(values: Mapping[str, Any]) -> Sequence[Any]:
    exdates: Sequence[Any] = values.get("exdates") or []
    if isinstance(exdates, str) or len(exdates) > EXDATES_MAX:
        raise InvalidInputError.of("schedule.exdates", f"A list of at most {EXDATES_MAX} dates.")
    return exdates
