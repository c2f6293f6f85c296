"""Small line charts as numbers for SVG: drawn by the server, they need no script or style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from streams.models import Broadcast, MetricSample

WIDTH: Final = 120
HEIGHT: Final = 32
# One sample every 10 s: the last ten minutes.
SAMPLES_SHOWN: Final = 60
SHOWN_FOR: Final = timedelta(minutes=10)
_MARGIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of the runner. floor: the chart's lowest top, so that noise looks like noise.

    warn_above: from where on the newest value is worth a look.
    """

    key: str
    label: Any
    unit: str
    floor: float
    warn_above: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. line, area: `points` of a polyline and a polygon; empty below two samples."""

    label: str
    unit: str
    value: str
    line: str
    area: str
    description: str
    is_warning: bool


MEASURES: Final = (
    Measure("fps", gettext_lazy("Frame rate"), "fps", 30.0),
    Measure("skew_ms", gettext_lazy("Picture after sound"), "ms", 40.0, warn_above=60.0),
    Measure("encode_ms", gettext_lazy("Encoding"), "ms", 20.0, warn_above=30.0),
    Measure("dropped", gettext_lazy("Dropped"), "", 10.0),
)


def samples_of(broadcasts: Sequence[Broadcast]) -> dict[UUID, list[Any]]:
    """What was kept of each in its last ten minutes on air, oldest first."""
    found: dict[UUID, list[Any]] = {broadcast.pk: [] for broadcast in broadcasts}
    since = min((row.ended_at or timezone.now() for row in broadcasts), default=timezone.now())
    rows = MetricSample.objects.filter(broadcast__in=found, at__gte=since - SHOWN_FOR)
    for key, values in rows.order_by("at").values_list("broadcast", "values"):
        found[key].append(values)
    return found


def charts_of(broadcast: Broadcast, samples: Sequence[Any]) -> list[Chart]:
    """The charts of an airing, from what was kept of it and its newest numbers."""
    history = [*samples[-SAMPLES_SHOWN:], broadcast.metrics]
    return [make_chart(m, [_number(values, m.key) for values in history]) for m in MEASURES]


def make_chart(measure: Measure, values: Sequence[float | None]) -> Chart:
    """values: oldest first, None where there was no number."""
    known = [value for value in values if value is not None]
    newest = known[-1] if known else None
    line = _points(values, max(measure.floor, *known, 0.0) if known else measure.floor)
    ends = (line.split(" ")[0].split(",")[0], line.split(" ")[-1].split(",")[0]) if line else None
    return Chart(
        label=str(measure.label),
        unit=measure.unit,
        value="–" if newest is None else f"{newest:.0f}",
        line=line,
        area=f"{ends[0]},{HEIGHT} {line} {ends[1]},{HEIGHT}" if ends else "",
        description=_describe(measure, known),
        is_warning=measure.warn_above is not None and (newest or 0.0) > measure.warn_above,
    )


def _points(values: Sequence[float | None], top: float) -> str:
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    step = (WIDTH - 2 * _MARGIN) / (len(values) - 1)
    usable = HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{_MARGIN + index * step:.1f},{HEIGHT - _MARGIN - max(0.0, value) / top * usable:.1f}"
        for index, value in known
    )


def _describe(measure: Measure, known: Sequence[float]) -> str:
    if not known:
        return str(_("%s: no numbers yet") % measure.label)
    text: str = _("%(label)s: %(now).0f %(unit)s now, between %(low).0f and %(high).0f lately")
    return text % {
        "label": measure.label,
        "now": known[-1],
        "unit": measure.unit,
        "low": min(known),
        "high": max(known),
    }


def _number(values: Any, key: str) -> float | None:
    value = values.get(key) if isinstance(values, dict) else None
    return float(value) if isinstance(value, int | float) else None
