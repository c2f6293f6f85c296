"""What a host should know when a show is saved: no label, clashes with other shows, dead ends.

Warnings, never refusals: only who saves knows whether two shows may share a presenter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from livestudio.common.errors import DomainError
from streams.models import Output, Schedule, Show
from streams.models.output import OutputKind
from streams.models.show import Ends, LabelPreset, RundownMode
from streams.services.lengths import planned_length
from streams.services.recurrence import is_zone
from streams.services.schedule import list_starts, unroll_schedule

# So far ahead is looked for clashes.
HORIZON: Final = timedelta(days=35)
# A start farther away than this is as good as none.
FIRST_WITHIN: Final = timedelta(days=366)
SHOWS_MAX: Final = 500
# How long an airing is taken to be whose end nobody knows.
OPEN_LENGTH: Final = timedelta(minutes=60)

TEXTS: Final[Mapping[str, Promise]] = {
    "no_label": gettext_lazy(
        "Viewers are not told that this show is made by AI. China, the EU and most platforms ask "
        "for a visible label; that it was taken away is kept in the audit trail."
    ),
    "no_start": gettext_lazy("No start lies ahead within a year: the show will not air by itself."),
    "exdate_unused": gettext_lazy("Left out, but the show would not air then anyway: %(dates)s."),
    "never_ends": gettext_lazy(
        "The show ends only when somebody stops it. While it is on air, its next starts wait, "
        "and are missed in the end."
    ),
    "overlaps_itself": gettext_lazy(
        "An airing takes longer than the time until the next one begins (%(at)s)."
    ),
    "presenter_busy": gettext_lazy("%(presenter)s also presents “%(show)s” at %(at)s."),
    "output_conflict": gettext_lazy(
        "The output %(output)s also carries “%(show)s” at %(at)s: a platform takes one stream "
        "for each key."
    ),
    "over_capacity": gettext_lazy(
        "%(count)s shows are on air at %(at)s; this system is set for %(capacity)s at once."
    ),
}


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One thing to look at. show: the other show; at: when it happens first, UTC."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    show: UUID | None = None
    at: datetime | None = None

    @property
    def text(self) -> str:
        """In the language of whoever reads."""
        return str(TEXTS[self.code]) % self.values

    @property
    def message(self) -> str:
        """In English, as everything that the API says."""
        with translation.override("en"):
            return self.text


@dataclass(frozen=True, slots=True)
class Airing:
    """A planned stretch of a show."""

    show: Show
    start: datetime
    end: datetime

    def meets(self, other: Airing) -> bool:
        return self.start < other.end and other.start < self.end


def warnings_of(show: Show, now: datetime | None = None) -> list[PlanWarning]:
    """What to tell about a saved show: its label, and the clashes of its schedule."""
    if show.archived_at is not None:
        return []
    unlabelled = [PlanWarning("no_label")] if show.label_preset == LabelPreset.NONE else []
    schedule = Schedule.objects.filter(show=show).first()
    # Nothing follows from a zone that was taken away; the page of the show says so.
    if schedule is None or not is_zone(schedule.timezone):
        return unlabelled
    return unlabelled + _of_schedule(show, schedule, now or timezone.now())


def _of_schedule(show: Show, schedule: Schedule, now: datetime) -> list[PlanWarning]:
    own = list(_airings(show, schedule, now))
    others = list(_others(show, now))
    found = [*_dead_ends(show, schedule, now), *_with_itself(own, schedule)]
    found += _with_others(show, own, others, ZoneInfo(schedule.timezone))
    return [*found, *_capacity(own, others, ZoneInfo(schedule.timezone))]


def _dead_ends(show: Show, schedule: Schedule, now: datetime) -> Iterator[PlanWarning]:
    starts = unroll_schedule(schedule, now, now + FIRST_WITHIN)
    if all(start.is_left_out for start in starts):
        yield PlanWarning("no_start")
    if unused := _unused_exdates(schedule, now, {start.local.isoformat() for start in starts}):
        dates = ", ".join(text[:16].replace("T", " ") for text in unused[:5])
        yield PlanWarning("exdate_unused", {"dates": dates})
    loops = show.ends == Ends.AFTER_RUNDOWN and show.rundown_mode == RundownMode.LOOP
    if (loops or show.ends == Ends.MANUAL) and len(starts) > 1:
        yield PlanWarning("never_ends")


def _unused_exdates(schedule: Schedule, now: datetime, starts: set[str]) -> list[str]:
    """Those of the next year that meet no start; those that are over are nobody's mistake."""
    local = now.astimezone(ZoneInfo(schedule.timezone)).replace(tzinfo=None)
    first, last = local.isoformat(), (local + FIRST_WITHIN).isoformat()
    return [text for text in schedule.exdates if first < text < last and text not in starts]


def _with_itself(own: list[Airing], schedule: Schedule) -> Iterator[PlanWarning]:
    if own and planned_length(own[0].show) is None:
        return
    for one, next_ in zip(own, own[1:], strict=False):
        if one.meets(next_):
            zone = ZoneInfo(schedule.timezone)
            yield PlanWarning("overlaps_itself", {"at": _clock(next_.start, zone)}, at=next_.start)
            return


def _with_others(
    show: Show, own: list[Airing], others: list[Airing], zone: ZoneInfo
) -> Iterator[PlanWarning]:
    """Each other show once, at the first time that they meet."""
    own_outputs = _destinations(show)
    told: set[UUID] = set()
    for one, other in _meetings(own, others):
        if other.show.pk in told:
            continue
        told.add(other.show.pk)
        at = max(one.start, other.start)
        values = {"show": other.show.title, "at": _clock(at, zone)}
        for shared in own_outputs.keys() & _destinations(other.show).keys():
            named = {**values, "output": own_outputs[shared].name}
            yield PlanWarning("output_conflict", named, other.show.pk, at)
        if other.show.avatar_id == show.avatar_id:
            named = {**values, "presenter": show.avatar.name}
            yield PlanWarning("presenter_busy", named, other.show.pk, at)


def _capacity(own: list[Airing], others: list[Airing], zone: ZoneInfo) -> Iterator[PlanWarning]:
    """The first moment at which more is on air than runs well here."""
    capacity: int = settings.BROADCASTS_AT_ONCE
    for one in own:
        near = [other for other in others if one.meets(other)]
        # It is fullest when something begins.
        for at in sorted({max(one.start, other.start) for other in near}):
            count = 1 + sum(other.start <= at < other.end for other in near)
            if count > capacity:
                values = {"count": count, "capacity": capacity, "at": _clock(at, zone)}
                yield PlanWarning("over_capacity", values, at=at)
                return


def _meetings(own: list[Airing], others: list[Airing]) -> Iterator[tuple[Airing, Airing]]:
    for one in own:
        yield from ((one, other) for other in others if one.meets(other))


def _others(show: Show, now: datetime) -> Iterator[Airing]:
    rows = Schedule.objects.filter(
        show__organization=show.organization_id, show__archived_at=None
    ).exclude(show=show)
    rows = rows.select_related("show").prefetch_related("show__outputs", "show__cues")
    for schedule in rows[:SHOWS_MAX]:
        yield from _airings(schedule.show, schedule, now)


def _airings(show: Show, schedule: Schedule, now: datetime) -> Iterator[Airing]:
    length = planned_length(show) or OPEN_LENGTH
    try:
        starts = list_starts(schedule, now, now + HORIZON)
    except DomainError:  # a zone that was taken away; its own page says so
        return
    yield from (Airing(show, start, start + length) for start in starts)


def _destinations(show: Show) -> dict[tuple[str, str], Output]:
    """Where the outputs of a show go: two rows with one address and key are one stream there.

    The hint stands for the key, which stays in the vault.
    """
    rtmp = (item for item in show.outputs.all() if item.kind == OutputKind.RTMP)
    fixed = (item for item in rtmp if not item.key_per_broadcast)
    return {(item.url.rstrip("/"), item.key_hint or str(item.pk)): item for item in fixed}


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
