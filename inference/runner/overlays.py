"""What lies over the picture all the time: AI label, logo, clock, lower third; and the title."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PIL import Image

from inference.media.badges import draw_clock, draw_lower_third, fit_logo
from inference.media.captions import draw_label, draw_title
from inference.media.fonts import FontMissingError
from inference.media.layout import Layout
from inference.media.overlay import OverlayStack, TimedOverlay
from inference.media.panels import place
from inference.media.uploads import open_kept
from inference.overlay_spec import ClockSpec, Corner, OverlaySpec
from inference.protocol import RenditionSpec
from inference.runner.drawing import draw

logger = logging.getLogger(__name__)

TITLE_SECONDS: Final = 8.0
# The next time of the clock is drawn this long before it is due.
_CLOCK_AHEAD_SECONDS: Final = 0.4
_CLOCK_LOOK_SECONDS: Final = 0.2
_CLOCK_FORMATS: Final = {"minute": "%H:%M", "second": "%H:%M:%S"}
_CLOCK_SECONDS: Final = {"minute": 60, "second": 1}
# What a host is told; the runner's log says why.
_MISSING: Final = {
    "label": "the AI label cannot be drawn",
    "title": "the title cannot be drawn",
    "logo": "the logo cannot be read",
    "clock": "the clock cannot be drawn",
    "lower_third": "the name line cannot be drawn",
}


class Backdrop:
    """Draws and places what does not follow the speech.

    position(): the sample of this moment. tell(reason): something is not shown. now(): the wall
    clock, seconds since 1970.
    """

    def __init__(
        self,
        spec: OverlaySpec,
        rendition: RenditionSpec,
        overlays: OverlayStack,
        position: Callable[[], int],
        tell: Callable[[str], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._spec = spec
        self._size = rendition.width_px, rendition.height_px
        self._overlays = overlays
        self._position = position
        self._tell = tell
        self._now = now
        self._clock: asyncio.Task[None] | None = None

    async def show(self) -> Layout:
        """Put everything in its place, the label first; returns the places."""
        images, missing = await draw(self._draw_all)
        for reason in missing:
            self._tell(reason)
        layout = await draw(self._lay_out, images)
        for name in ("label", "logo"):
            if name in images:
                self._put(name, images[name], layout.corner_place(name))
        if "lower_third" in images:
            self._put("lower_third", images["lower_third"], layout.lower_third_place())
        if "title" in images:
            now = self._position()
            place_px = layout.title_place(images["title"].size)
            timed = (now, now + round(TITLE_SECONDS * 48_000))
            self._put("title", images["title"], place_px, *timed)
        if self._spec.clock is not None and "clock" in images:
            at = layout.corner_place("clock")
            self._clock = asyncio.create_task(self._run_clock(self._spec.clock, at))
        return layout

    def close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()

    def _draw_all(self) -> tuple[dict[str, Image.Image], list[str]]:
        """What can be drawn, and why the rest cannot: the show goes on without a font or file."""
        spec, size = self._spec, self._size
        logo, clock, third = spec.logo, spec.clock, spec.lower_third
        drawings: dict[str, Callable[[], Image.Image | None]] = {
            "label": lambda: draw_label(spec.label_text, *size),
            "title": lambda: draw_title(spec.title, *size),
        }
        if logo is not None:
            drawings["logo"] = lambda: fit_logo(open_kept(Path(logo.picture)), *size)
        if clock is not None:
            drawings["clock"] = lambda: draw_clock(_time_of(clock, 0), *size)
        if third is not None:
            drawings["lower_third"] = lambda: draw_lower_third(third.name, third.role, *size)
        images: dict[str, Image.Image] = {}
        missing = []
        for name, make in drawings.items():
            try:
                image = make()
            except (FontMissingError, ValueError, OSError) as error:
                logger.warning("something is not shown", extra={"what": name, "reason": str(error)})
                missing.append(_MISSING[name])
                continue
            if image is not None:
                images[name] = image
        return images, missing

    def _lay_out(self, images: dict[str, Image.Image]) -> Layout:
        spec = self._spec
        corners: dict[str, Corner] = {"label": spec.label_position}
        if spec.logo:
            corners["logo"] = spec.logo.position
        if spec.clock:
            corners["clock"] = spec.clock.position
        third = images.get("lower_third")
        return Layout(
            *self._size,
            {name: (at, images[name].size) for name, at in corners.items() if name in images},
            lower_third=third.size if third else None,
            has_captions=spec.captions,
        )

    def _put(
        self,
        layer: str,
        image: Image.Image,
        at: tuple[int, int],
        from_sample: int = 0,
        until_sample: int | None = None,
    ) -> None:
        self._overlays.put(layer, TimedOverlay(place(image, *at), from_sample, until_sample))

    async def _run_clock(self, clock: ClockSpec, at: tuple[int, int]) -> None:
        """Each time is drawn ahead and shows from the very sample at which it is that time."""
        period = _CLOCK_SECONDS[clock.format]
        due = 0.0
        while True:
            # Where the machine stood still or its clock was set, the present time comes at once.
            due = max(due, self._now() // period * period)
            image = await draw(draw_clock, _time_of(clock, due), *self._size)
            sample = self._position() + round((due - self._now()) * 48_000)
            self._put("clock", image, at, max(0, sample))
            due += period
            while (left := due - _CLOCK_AHEAD_SECONDS - self._now()) > 0:  # noqa: ASYNC110 - a clock rings no bell
                await asyncio.sleep(min(left, _CLOCK_LOOK_SECONDS))


def _time_of(clock: ClockSpec, unix_seconds: float) -> str:
    try:
        zone: ZoneInfo | None = ZoneInfo(clock.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = None  # of a machine that does not know the zone
    return datetime.fromtimestamp(unix_seconds, zone or UTC).strftime(_CLOCK_FORMATS[clock.format])
