"""Where the bars of a timeline lie: pure arithmetic from wall times to SVG units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

GUTTER: Final = 150.0
HOUR: Final = 44.0
HEAD: Final = 26.0
BAR: Final = 26.0
GAP: Final = 6.0
# Narrower ones could be neither seen nor hit.
BAR_MIN: Final = 10.0
# Below this the text stands beside its bar, this wide.
NARROW: Final = 70.0
BESIDE: Final = 150.0
PADDING: Final = 7.0
# Of a Chinese character and of a Latin letter, at the size of the style sheet.
WIDE: Final = 11.5
NARROW_LETTER: Final = 6.3
_FIRST_WIDE: Final = "\u2e80"
# The names of lanes: where they begin, and how much larger than the other texts they are.
LANE_X: Final = 12.0
_LANE_SCALE: Final = 12.5 / 11.5
WIDTH: Final = GUTTER + 24 * HOUR


@dataclass(frozen=True, slots=True)
class Slot:
    """What a bar stands for. start, end: wall times without zone."""

    start: datetime
    end: datetime
    text: str
    description: str
    tone: str
    is_open: bool
    url: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the picture: one day, of one show or of all. now: marks with their names."""

    title: str
    subtitle: str
    day: date
    slots: Sequence[Slot]
    now: Sequence[tuple[datetime, str]]


@dataclass(frozen=True, slots=True)
class Bar:
    slot: Slot
    x: float
    y: float
    width: float
    height: float

    @property
    def is_narrow(self) -> bool:
        return self.width < NARROW

    @property
    def is_late(self) -> bool:
        """Its text would run out of the picture, so that it stands before the bar."""
        return self.is_narrow and self.x + self.width + BESIDE > WIDTH

    @property
    def label_x(self) -> float:
        if self.is_late:
            return self.x - BESIDE
        return self.x + self.width if self.is_narrow else self.x

    @property
    def label_width(self) -> float:
        return BESIDE if self.is_narrow else self.width

    @property
    def text(self) -> str:
        """As much of the text as has room."""
        return fit_text(self.slot.text, self.label_width - 2 * PADDING)

    @property
    def text_x(self) -> float:
        """Inside the label; the end of the text where it stands before its bar."""
        return BESIDE - PADDING if self.is_late else PADDING

    @property
    def left(self) -> float:
        return min(self.x, self.label_x)

    @property
    def right(self) -> float:
        return max(self.x + self.width, self.label_x + self.label_width)


@dataclass(frozen=True, slots=True)
class Row:
    """lines: (x, name) of now."""

    lane: Lane
    y: float
    height: float
    bars: list[Bar]
    lines: list[tuple[float, str]]

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def title(self) -> str:
        """As much of the lane's name as has room beside the hours."""
        return fit_text(self.lane.title, (GUTTER - LANE_X - PADDING) / _LANE_SCALE)


@dataclass(frozen=True, slots=True)
class Grid:
    """The whole picture. hours: (x, text) of the vertical lines.

    gutter: the width of the names at the left, which stay where they are when the hours scroll.
    """

    width: float
    height: float
    gutter: float
    hours: list[tuple[float, str]]
    rows: list[Row]

    @property
    def gutter_percent(self) -> float:
        return round(100 * self.gutter / self.width, 4)

    @property
    def hours_width(self) -> float:
        return self.width - self.gutter

    @property
    def hours_percent(self) -> float:
        return 100 - self.gutter_percent


def draw_grid(lanes: Iterable[Lane]) -> Grid:
    """Rows below each other, as high as what overlaps in them needs."""
    rows: list[Row] = []
    y = HEAD
    for lane in lanes:
        row = _row(lane, y)
        rows.append(row)
        y += row.height
    hours = [(GUTTER + hour * HOUR, f"{hour:02d}:00") for hour in range(0, 24, 2)]
    return Grid(WIDTH, y, GUTTER, hours, rows)


def fit_text(text: str, width: float) -> str:
    """The text, cut with an ellipsis where it is certainly wider; a browser alone knows exactly."""
    room = width
    for index, character in enumerate(text):
        room -= WIDE if character >= _FIRST_WIDE else NARROW_LETTER
        if room < 0:
            return text[: max(0, index - 1)].rstrip() + "…"
    return text


def _row(lane: Lane, y: float) -> Row:
    midnight = datetime.combine(lane.day, time())
    seen = [slot for slot in lane.slots if _touches(slot, midnight)]
    ends: list[float] = []
    bars = []
    for slot in sorted(seen, key=lambda slot: slot.start):
        x, width = _across(slot, midnight)
        bar = Bar(slot, x, y + GAP, width, BAR)
        level = next((n for n, end in enumerate(ends) if end <= bar.left), len(ends))
        ends[level : level + 1] = [bar.right]
        bars.append(replace(bar, y=bar.y + level * (BAR + GAP)))
    height = max(1, len(ends)) * (BAR + GAP) + GAP
    lines = [(_x(at, midnight), name) for at, name in lane.now]
    return Row(lane, y, height, bars, lines)


def _touches(slot: Slot, midnight: datetime) -> bool:
    starts_here = midnight <= slot.start < midnight + timedelta(days=1)
    return starts_here or slot.start < midnight < slot.end


def _across(slot: Slot, midnight: datetime) -> tuple[float, float]:
    x = max(GUTTER, _x(slot.start, midnight))
    end = min(WIDTH, _x(slot.end, midnight))
    x = min(x, WIDTH - BAR_MIN)
    return x, max(BAR_MIN, end - x)


def _x(at: datetime, midnight: datetime) -> float:
    return GUTTER + (at - midnight).total_seconds() / 3600 * HOUR
