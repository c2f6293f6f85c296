"""The product card of the cue that is heard: comes with its first sound, leaves with its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inference.media.cards import render_card
from inference.media.fonts import FontMissingError
from inference.media.layout import Layout
from inference.media.overlay import OverlayPatch, OverlayStack, TimedOverlay
from inference.protocol import CardSpec, CueSpec, RenditionSpec
from inference.runner.drawing import draw

logger = logging.getLogger(__name__)

ENTER_SAMPLES: Final = 48_000 * 28 // 100
LEAVE_SAMPLES: Final = 48_000 * 16 // 100
# A cue that follows at once takes over without a gap; see CUE_GAP_SAMPLES in `lines`.
GRACE_SAMPLES: Final = 48_000 * 45 // 100
_SLIDE_SHARE: Final = 0.05  # of the short side
_DRAWN_AT_ONCE: Final = 4


class CardBoard:
    """Shows and hides cards. On the event loop; drawing is done in threads.

    position(): the sample that leaves the clock now. tell(reason): something is not shown.
    """

    def __init__(
        self,
        overlays: OverlayStack,
        rendition: RenditionSpec,
        position: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        self._overlays = overlays
        self._rendition = rendition
        self._position = position
        self._tell = tell
        self._layout: asyncio.Future[Layout] = asyncio.get_running_loop().create_future()
        self._drawn: dict[str, asyncio.Task[OverlayPatch | None]] = {}
        self._heard: str | None = None
        self._shown: tuple[str, OverlayPatch] | None = None
        self._leaves_at = 0

    def set_layout(self, layout: Layout) -> None:
        """Where cards stand; nothing is drawn before."""
        self._layout.set_result(layout)

    def prepare(self, cue: CueSpec) -> None:
        """A sentence of this cue waits to be heard: have its card drawn."""
        if cue.card is None:
            return
        task = self._drawn.pop(cue.id, None) or asyncio.create_task(self._draw(cue.card))
        self._drawn[cue.id] = task  # the one used last is the last one
        for old in list(self._drawn)[:-_DRAWN_AT_ONCE]:
            self._drawn.pop(old).cancel()

    def heard(self, cue: CueSpec, sample: int) -> None:
        """A sentence (or the silence) of this cue has begun to leave the clock."""
        self._heard = cue.id
        if cue.card is None:
            self._hide(sample)
            return
        self.prepare(cue)
        task = self._drawn[cue.id]
        if task.done():
            self._show(cue.id, task)
        else:
            task.add_done_callback(lambda done: self._show(cue.id, done))

    def left(self) -> None:
        """The cue that was heard is over."""
        self._heard = None
        self._hide(self._position() + GRACE_SAMPLES)

    def close(self) -> None:
        for task in self._drawn.values():
            task.cancel()

    async def _draw(self, card: CardSpec) -> OverlayPatch | None:
        """Off the loop; a show without a font goes on without cards, and says so."""
        layout = await asyncio.shield(self._layout)
        patch, trouble = await draw(_render, card, layout)
        if trouble:
            self._tell(trouble)
        return patch

    def _show(self, cue: str, drawn: asyncio.Task[OverlayPatch | None]) -> None:
        # Whoever waited for a slow drawing may have been left or overtaken meanwhile.
        if self._heard != cue or drawn.cancelled() or (patch := drawn.result()) is None:
            return
        now = self._position()
        if self._shown is not None and self._shown[0] == cue and not self._has_left(now):
            self._stay(now)
            return
        if self._shown is not None and not self._has_left(now):
            # The old card lies under the new one until that is whole.
            under = TimedOverlay(self._shown[1], now, now + ENTER_SAMPLES)
            self._overlays.put("leaving_card", under)
        self._shown, self._leaves_at = (cue, patch), 0
        self._overlays.end("card", now)
        self._enter(patch, now)

    def _stay(self, now: int) -> None:
        """Take back what `_hide` has planned."""
        if self._shown is None or not self._leaves_at:
            return
        self._leaves_at = 0
        self._overlays.end("card", now)
        self._overlays.put("card", TimedOverlay(self._shown[1], now))

    def _hide(self, at_sample: int) -> None:
        if self._shown is None or self._leaves_at:
            return
        patch = self._shown[1]
        self._leaves_at = at_sample
        self._overlays.end("card", at_sample)
        self._play(patch, at_sample, LEAVE_SAMPLES, lambda share: 1 - share)

    def _has_left(self, now: int) -> bool:
        return bool(self._leaves_at) and now >= self._leaves_at

    def _enter(self, patch: OverlayPatch, now: int) -> None:
        self._play(patch, now, ENTER_SAMPLES, lambda share: 1 - (1 - share) ** 3)
        self._overlays.put("card", TimedOverlay(patch, now + ENTER_SAMPLES))

    def _play(
        self, patch: OverlayPatch, start: int, length: int, presence: Callable[[float], float]
    ) -> None:
        """One patch per frame. presence: of the share of time that is over, 0 hidden .. 1 there."""
        slide = min(self._rendition.width_px, self._rendition.height_px) * _SLIDE_SHARE
        frame = self._rendition.frame_samples
        steps = max(1, length // frame)
        for step in range(steps):
            there = presence((step + 0.5) / steps)
            begin, end = start + length * step // steps, start + length * (step + 1) // steps
            low = self._rendition.height_px - patch.y_px - patch.height_px
            shift = min(round((1 - there) * slide), low)
            self._overlays.put("card", TimedOverlay(patch.faded(there).moved(shift), begin, end))


def _render(card: CardSpec, layout: Layout) -> tuple[OverlayPatch | None, str]:
    """The patch of a card, and what is missing, in words for a host."""
    short = min(layout.width_px, layout.height_px)
    try:
        patch = render_card(card, layout.card_box(), short)
    except (FontMissingError, ValueError, OSError) as error:
        logger.warning("a card is not shown", extra={"reason": str(error)})
        return None, "a product card cannot be drawn"
    is_lost = card.picture and not Path(card.picture).is_file()
    return patch, "the picture of a product card is gone" if is_lost else ""
