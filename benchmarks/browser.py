"""A real Chromium as a measuring viewer: every picture and every sample with its wall clock time.

Runs on a thread of its own, because Playwright's own loop must not be kept waiting.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.figures import Json
from inference.engines.face.testcard import layout
from inference.engines.face.testcard.decode import TestcardReading
from scripts.provision.tools import HINT, find_chromium

try:
    from playwright.sync_api import Page, sync_playwright
except ModuleNotFoundError as error:
    raise SystemExit(f"{error.name} is not installed. {HINT}") from error

RATE_HZ: Final = 48_000
_BLOCK: Final = 128
_WIDTH_PX: Final = 320
_HEIGHT_PX: Final = 180
_SCRIPT: Final = Path(__file__).with_name("viewer.js")
_LEAST_CONTRAST: Final = 50.0  # in full-range RGB, after the browser's conversion
CHROMIUM_FLAGS: Final = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
)

Samples = np.ndarray[Any, np.dtype[np.int16]]


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """unix_ms: when the page could draw it. shown_ms: when the browser expects it on the screen."""

    unix_ms: float
    shown_ms: float
    presented: int
    card: TestcardReading | None


@dataclass(frozen=True, slots=True)
class BrowserSound:
    """samples: (n,) int16 mono at 48 kHz. times_ms: wall clock at which each block of 128 came."""

    samples: Samples
    times_ms: np.ndarray[Any, np.dtype[np.float64]]

    def unix_of(self, sample: int) -> float:
        """When this sample reached the page."""
        block, rest = divmod(min(sample, len(self.samples) - 1), _BLOCK)
        return float(self.times_ms[block]) + rest * 1000 / RATE_HZ


class BrowserViewer:
    """One viewer of one broadcast. Made by `open_viewer`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._clock_error_ms = 0.0

    def join(self, broadcast: str) -> None:
        """Watch by WHEP. Raises playwright's Error with the page's words."""
        self._call(f"join('/api/v1/broadcasts/{broadcast}/whep/')")
        self._clock_error_ms = float(self._call("clockError()"))

    def record_sound(self) -> None:
        self._call("recordSound()")

    def watch_pictures(self) -> None:
        boxes = [list(_inner(box)) for box in _boxes()]
        self._page.evaluate(
            "([w, h, boxes]) => measuringViewer.watchPictures(w, h, boxes)",
            [_WIDTH_PX, _HEIGHT_PX, boxes],
        )

    def take_pictures(self) -> list[ShownPicture]:
        """Those since the last call."""
        return [self._picture(row) for row in self._call("takePictures()")]

    def take_sound(self) -> BrowserSound:
        """What came since the last call."""
        taken: Json = self._call("takeSound()")
        samples = np.frombuffer(base64.b64decode(taken["sound"]), "<i2").astype(np.int16)
        # A block is heard from its stamp on; + 0.5: Date.now is cut to whole milliseconds.
        return BrowserSound(samples, np.array(taken["times"], np.float64) + 0.5)

    def loudness(self) -> float:
        return float(self._call("loudness()"))

    def stats(self) -> Json:
        """WebRTC's own report of what came in: {"video": ..., "audio": ...}."""
        found: Json = self._call("stats()")
        return found

    def wait(self, seconds: float) -> None:
        """Let the page work."""
        self._page.wait_for_timeout(seconds * 1000)

    def leave(self) -> None:
        self._call("leave()")

    def _call(self, text: str) -> Any:
        return self._page.evaluate(f"() => measuringViewer.{text}")

    def _picture(self, row: list[float]) -> ShownPicture:
        seen, shown, presented, *levels = row
        error = self._clock_error_ms
        return ShownPicture(seen + error, shown + error, int(presented), _reading(levels))


@contextmanager
def open_viewer(base_url: str) -> Iterator[BrowserViewer]:
    """Chromium with the measuring page of a platform's origin."""
    tool = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(tool.executable),
            args=[*tool.arguments, *CHROMIUM_FLAGS],
            env=dict(tool.environment),
        )
        try:
            page = browser.new_context(bypass_csp=True).new_page()
            page.goto(f"{base_url}/livez")
            page.evaluate(_SCRIPT.read_text())
            yield BrowserViewer(page)
        finally:
            browser.close()


def _boxes() -> list[layout.Box]:
    bits = [
        layout.bit_box_px(index, _WIDTH_PX, _HEIGHT_PX)
        for index in range(layout.COLUMNS * layout.ROWS)
    ]
    marks = (layout.BLACK, layout.WHITE, layout.FLASH)
    return [*bits, *(layout.box_px(mark, _WIDTH_PX, _HEIGHT_PX) for mark in marks)]


def _inner(box: layout.Box) -> layout.Box:
    """The inner half of a block: its edges are smeared by scaling and coding."""
    x0, y0, x1, y1 = box
    margin_x, margin_y = (x1 - x0) // 4, (y1 - y0) // 4
    return x0 + margin_x, y0 + margin_y, x1 - margin_x, y1 - margin_y


def _reading(levels: list[float]) -> TestcardReading | None:
    *bits, black, white, flash = levels
    if white - black < _LEAST_CONTRAST:
        return None
    middle = (white + black) / 2
    word = 0
    for level in bits:
        word = word << 1 | int(level > middle)
    content = layout.decode_bits(word)
    return None if content is None else TestcardReading(content[0], content[1], flash > middle)
