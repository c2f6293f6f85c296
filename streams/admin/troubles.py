"""What went wrong: the events, airings and missed starts that a host should know about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from streams.models import Broadcast, BroadcastEvent, BroadcastOutput, Occurrence
from streams.models.schedule import OccurrenceState

LATELY: Final = timedelta(days=7)
EVENTS_READ: Final = 300
_BAD_EVENTS: Final = (
    Q(kind="worker", data__state__in=["died", "failed"])
    | Q(kind="output", data__state__in=["retrying", "failed"])
    | Q(kind="recording", data__state="failed")
    | Q(kind="broadcast.state", data__state="failed")
    | Q(kind="runner.started", data__lease_epoch__gt=1)
    | Q(kind__in=["clock.rebased", "viewer.failed"])
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that went wrong. until: of the last repetition; count: how often."""

    at: datetime
    title: str
    what: str
    reason: str
    url: str
    is_serious: bool
    count: int = 1
    until: datetime | None = None


def troubles_of(broadcast: Broadcast, limit: int = 50) -> list[Trouble]:
    """Of one airing, newest first."""
    return _from_events(broadcast.events.all())[:limit]


def recent_troubles(
    broadcasts: QuerySet[Broadcast], occurrences: QuerySet[Occurrence], limit: int = 8
) -> list[Trouble]:
    """Of the last days, newest first. broadcasts, occurrences: those the user may see."""
    since = timezone.now() - LATELY
    events = BroadcastEvent.objects.filter(broadcast__in=broadcasts, at__gte=since)
    missed = occurrences.filter(starts_at__gte=since, state=OccurrenceState.MISSED)
    failed = broadcasts.filter(state="failed", ended_at__gte=since).order_by("-ended_at")[:limit]
    found = _from_events(events)
    told = {trouble.url for trouble in found if trouble.what == _("The broadcast failed")}
    found += [_of_missed(row) for row in missed.order_by("-starts_at")[:limit]]
    found += [row for row in map(_of_failed, failed) if row.url not in told]
    return sorted(found, key=lambda trouble: trouble.at, reverse=True)[:limit]


def broadcast_url(broadcast_id: Any) -> str:
    """The page of an airing in the admin."""
    return reverse("admin:streams_broadcast_change", args=[broadcast_id])


def _from_events(events: QuerySet[BroadcastEvent]) -> list[Trouble]:
    rows = list(
        events.filter(_BAD_EVENTS).select_related("broadcast").order_by("-at")[:EVENTS_READ]
    )
    ids = {row.broadcast_id for row in rows}
    outputs = BroadcastOutput.objects.filter(broadcast__in=ids)
    names = {str(output.pk): output.name for output in outputs}
    return _in_runs(_of_event(row, names) for row in rows)


def _in_runs(troubles: Iterable[Trouble]) -> list[Trouble]:
    """An output that retries all night is one line, not a thousand. Newest first, both ways."""
    runs: dict[tuple[str, str, str], Trouble] = {}
    for trouble in troubles:
        key = (trouble.url, trouble.what, trouble.reason)
        newest = runs.get(key)
        if newest is None:
            runs[key] = trouble
            continue
        until = newest.until or newest.at
        runs[key] = replace(newest, at=trouble.at, until=until, count=newest.count + 1)
    return list(runs.values())


def _of_event(event: BroadcastEvent, names: dict[str, str]) -> Trouble:
    data = event.data
    what, is_serious = _words(event.kind, data, names)
    return Trouble(
        at=event.at,
        title=str(event.broadcast.snapshot.get("title", "")),
        what=what,
        reason=str(data.get("reason") or ""),
        url=broadcast_url(event.broadcast_id),
        is_serious=is_serious,
    )


def _words(kind: str, data: dict[str, Any], names: dict[str, str]) -> tuple[str, bool]:
    """What happened, and whether viewers noticed more than a hiccup."""
    state = data.get("state")
    if kind == "worker":
        return _worker_words(str(data.get("kind")), has_died=state == "died")
    if kind == "output":
        name = names.get(str(data.get("id")), "")
        if state == "failed":
            return _("Output %s gave up") % name, True
        return _("Output %s lost its connection and tries again") % name, False
    if kind == "recording":
        return _("The recording failed"), True
    if kind == "clock.rebased":
        gap_seconds = float(data.get("gap_ms") or 0) / 1000
        return _("The machine stood still for %.1f s") % gap_seconds, False
    if kind == "viewer.failed":
        return _("A viewer could not connect"), False
    if kind == "runner.started":
        return _("The presenter's process was replaced"), False
    return _("The broadcast failed"), True


def _worker_words(kind: str, *, has_died: bool) -> tuple[str, bool]:
    is_speech = kind == "speech"
    if kind == "recorder":
        return _("The recording failed"), True
    if kind == "idle_loop":
        return _("The stored idle picture could not be used"), False
    if kind == "overlays":
        return _("Something is missing in the picture"), True
    if kind.startswith("voice:"):
        return _("A voice could not say a sentence"), False
    if has_died and is_speech:
        return _("The voice's process died and was replaced"), False
    if has_died:
        return _("The picture's process died and was replaced"), False
    if is_speech:
        return _("The voice's process could not be started"), True
    return _("The picture's process could not be started"), True


def _of_missed(row: Occurrence) -> Trouble:
    return Trouble(
        at=row.starts_at,
        title=row.show.title,
        what=_("A planned start was missed"),
        reason=row.reason,
        url=reverse("admin:streams_show_change", args=[row.show_id]),
        is_serious=True,
    )


def _of_failed(broadcast: Broadcast) -> Trouble:
    return Trouble(
        at=broadcast.ended_at or broadcast.created_at,
        title=str(broadcast.snapshot.get("title", "")),
        what=_("The broadcast failed"),
        reason=broadcast.reason,
        url=broadcast_url(broadcast.pk),
        is_serious=True,
    )
