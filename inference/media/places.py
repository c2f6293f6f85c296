"""Shares of the picture that overlays take, and what they leave to a presenter's raised hands.

Apart from `layout`: a face engine asks it, and has no use for fonts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MARGIN_SHARE: Final = 0.03  # of the short side
CARD_WIDTH_SHARE: Final = 0.235  # of a wide picture
TALL_CARD_HEIGHT_SHARE: Final = 0.29  # of the short side of a tall picture
CAPTION_BOTTOM_SHARE: Final = 0.045  # of the height: what captions keep free below them
# Of the short side: two lines of a caption in the fonts that come along are 0.172.
_CAPTION_HEIGHT_SHARE: Final = 0.175


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def hands_box(width_px: int, height_px: int) -> Box:
    """Where raised hands are seen whole: beside the product card or above it, above captions."""
    short = min(width_px, height_px)
    margin = round(short * MARGIN_SHARE)
    captions = height_px * CAPTION_BOTTOM_SHARE + short * _CAPTION_HEIGHT_SHARE
    bottom = round(height_px - captions)
    if height_px > width_px:
        card = round(short * TALL_CARD_HEIGHT_SHARE)
        return Box(0, 0, width_px, bottom - margin - card)
    right = width_px - 2 * margin - round(width_px * CARD_WIDTH_SHARE)
    return Box(width_px - right, 0, right, bottom)
