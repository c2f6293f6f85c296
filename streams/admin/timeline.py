"""The timeline page: a day or a week of planned and past airings, in the zone one wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.actor import signed_in
from livestudio.common.reasons import translate_reason
from streams.admin.plans import Stretch, show_zones, stretches_of, usual_zone
from streams.admin.timeline_layout import Grid, Lane, Slot, draw_grid
from streams.services.recurrence import zone_names

SHOW_ZONE: Final = "show"
COMMON_ZONES: Final = (
    "Asia/Shanghai", "Asia/Tokyo", "Asia/Singapore", "Europe/London", "Europe/Berlin",
    "America/New_York", "America/Los_Angeles", "UTC",
)  # fmt: skip
_SESSION_KEY: Final = "timeline_zone"
_DAYS: Final = {"day": 1, "week": 7}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page shows. zone: a name, or SHOW_ZONE for each show's own."""

    view: str
    first_day: date
    zone: str

    @property
    def days(self) -> list[date]:
        return [self.first_day + timedelta(days=n) for n in range(_DAYS[self.view])]

    def zone_of(self, stretch: Stretch) -> ZoneInfo:
        return ZoneInfo(stretch.zone if self.zone == SHOW_ZONE else self.zone)

    def address(self, **changes: Any) -> str:
        """The query of this page with something changed."""
        values = {"view": self.view, "date": self.first_day.isoformat(), "zone": self.zone}
        return "?" + urlencode({**values, **changes})


@dataclass(frozen=True, slots=True)
class Line:
    """One airing in the list below the picture. local: wall time without zone."""

    stretch: Stretch
    local: datetime
    local_end: datetime
    zone: str


@never_cache
@require_safe
def timeline_page(request: HttpRequest) -> HttpResponse:
    """Day and week, with a picture and the same as a list."""
    choice = _read_choice(request)
    # Midnight differs by up to 14 hours between zones: look wider, then keep what falls inside.
    since = datetime.combine(choice.days[0], time(), UTC) - timedelta(days=1)
    until = datetime.combine(choice.days[-1], time(), UTC) + timedelta(days=2)
    stretches = stretches_of(signed_in(request), since, until)
    lines = [line for line in (_line(choice, item) for item in stretches) if _is_seen(choice, line)]
    # As the clocks of the page show it: with each show in its own zone that is another order.
    lines.sort(key=lambda line: (line.local, line.stretch.title))
    context = {
        **admin.site.each_context(request),
        "title": _("Timeline"),
        "choice": choice,
        "lines": lines,
        "grid": _grid(choice, lines),
        "legend": _legend(),
        "clocks": _clocks(choice, lines),
        "links": _links(choice),
        "zones": _zones(request, choice),
        "all_zones": sorted(zone_names()),
    }
    return TemplateResponse(request, "streams/admin/timeline.html", context)


def _read_choice(request: HttpRequest) -> Choice:
    view = request.GET.get("view", "week")
    zone = request.GET.get("zone") or request.session.get(_SESSION_KEY) or SHOW_ZONE
    if zone != SHOW_ZONE and zone not in zone_names():
        messages.error(request, _("There is no time zone %s.") % zone[:64])
        zone = SHOW_ZONE
    if request.GET.get("zone"):
        request.session[_SESSION_KEY] = zone
    today = timezone.now().astimezone(_main_zone(request, zone)).date()
    day = _read_day(request, today)
    view = view if view in _DAYS else "week"
    if view == "week":
        day -= timedelta(days=day.weekday())
    return Choice(view, day, zone)


def _read_day(request: HttpRequest, today: date) -> date:
    text = request.GET.get("date", "")
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError:
        messages.error(request, _("Give a date such as 2026-01-31."))
        return today
    # Beyond these the arithmetic with zones overflows, and nobody plans there.
    return day if 2000 <= day.year <= 2100 else today


def _main_zone(request: HttpRequest, zone: str) -> ZoneInfo:
    """Whose today it is: of the chosen zone, or of the one that most shows have."""
    if zone != SHOW_ZONE:
        return ZoneInfo(zone)
    return ZoneInfo(usual_zone(signed_in(request)))


def _zones(request: HttpRequest, choice: Choice) -> list[str]:
    return sorted({*COMMON_ZONES, *show_zones(signed_in(request)), choice.zone} - {SHOW_ZONE})


def _line(choice: Choice, stretch: Stretch) -> Line:
    zone = choice.zone_of(stretch)
    start, end = (at.astimezone(zone).replace(tzinfo=None) for at in _ends(stretch))
    return Line(stretch, start, end, zone.key)


def _ends(stretch: Stretch) -> tuple[datetime, datetime]:
    return stretch.starts_at, max(stretch.ends_at, stretch.starts_at)


def _is_seen(choice: Choice, line: Line) -> bool:
    first = datetime.combine(choice.days[0], time())
    last = datetime.combine(choice.days[-1], time()) + timedelta(days=1)
    return line.local < last and (line.local_end > first or line.local >= first)


def _grid(choice: Choice, lines: list[Line]) -> Grid:
    if choice.view == "day":
        return draw_grid(_lanes_by_show(choice, lines))
    return draw_grid(_lanes_by_day(choice, lines))


def _lanes_by_show(choice: Choice, lines: list[Line]) -> list[Lane]:
    groups: dict[Any, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.stretch.show_id, []).append(line)
    return [
        Lane(
            title=group[0].stretch.title,
            subtitle=group[0].zone,
            day=choice.first_day,
            slots=[_slot(choice, line) for line in group],
            now=_now_marks(choice, group, choice.first_day),
        )
        for group in groups.values()
    ]


def _lanes_by_day(choice: Choice, lines: list[Line]) -> list[Lane]:
    today = timezone.now().astimezone(UTC).date()
    return [
        Lane(
            title=date_format(day, "D"),
            subtitle=date_format(day, "m-d"),
            day=day,
            slots=[_slot(choice, line) for line in lines],
            now=_now_marks(choice, lines, day) if abs((day - today).days) <= 1 else [],
        )
        for day in choice.days
    ]


def _slot(choice: Choice, line: Line) -> Slot:
    item = line.stretch
    hours = f"{line.local:%H:%M}–{'…' if item.is_open else f'{line.local_end:%H:%M}'}"
    words = [item.title, hours, line.zone, item.state_label, translate_reason(item.reason)]
    return Slot(
        start=line.local,
        end=line.local_end,
        text=f"{line.local:%H:%M} {item.title}",
        description=" · ".join(word for word in words if word),
        tone=item.tone,
        is_open=item.is_open,
        url=item.url,
    )


def _legend() -> list[tuple[str, str]]:
    """What the colours of the bars mean: (tone, word)."""
    return [
        ("tally", _("Live")),
        ("plan", _("Scheduled")),
        ("done", _("Ended")),
        ("skipped", _("Skipped")),
        ("missed", _("Missed")),
        ("bad", _("Failed")),
    ]


def _now_marks(choice: Choice, lines: list[Line], day: date) -> list[tuple[datetime, str]]:
    """Where now is on this day; once per zone that is shown."""
    names = {line.zone for line in lines} if choice.zone == SHOW_ZONE else {choice.zone}
    now = timezone.now()
    marks = [(now.astimezone(ZoneInfo(name)).replace(tzinfo=None), name) for name in sorted(names)]
    return [(at, name) for at, name in marks if at.date() == day]


def _clocks(choice: Choice, lines: list[Line]) -> list[tuple[str, str]]:
    """The time in each zone that the picture shows: which mark of now is whose."""
    names = {line.zone for line in lines} if choice.zone == SHOW_ZONE else {choice.zone}
    now = timezone.now()
    return [(name, f"{now.astimezone(ZoneInfo(name)):%H:%M}") for name in sorted(names)]


def _links(choice: Choice) -> dict[str, str]:
    step = timedelta(days=_DAYS[choice.view])
    return {
        "before": choice.address(date=(choice.first_day - step).isoformat()),
        "after": choice.address(date=(choice.first_day + step).isoformat()),
        "today": "?" + urlencode({"view": choice.view, "zone": choice.zone}),
        "day": choice.address(view="day"),
        "week": choice.address(view="week"),
    }
