"""Where things stand over the picture, so that nothing covers anything else.

Corners hold the AI label, the logo and the clock, from the edge inwards. Captions stand at the
bottom. In a wide picture the lower third stands above them at the left, and the product card is a
column at the right: raised hands are seen between the two. In a tall one the card is a row above
the captions, below the hands, and the lower third stands on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inference.media.captions import caption_height, usual_bottom
from inference.media.places import (
    CARD_WIDTH_SHARE,
    MARGIN_SHARE,
    TALL_CARD_HEIGHT_SHARE,
    Box,
)
from inference.overlay_spec import Corner

Size = tuple[int, int]
Point = tuple[int, int]

_CORNERS: Final[tuple[Corner, ...]] = ("top_left", "top_right", "bottom_left", "bottom_right")


class Layout:
    """The places in one picture. corners: what stands in corners, nearest to the edge first.

    lower_third: its size, None without one. Everything is in px.
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        corners: Mapping[str, tuple[Corner, Size]],
        *,
        lower_third: Size | None = None,
        has_captions: bool = True,
    ) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.is_tall = height_px > width_px
        self._short = min(width_px, height_px)
        self.margin_px = round(self._short * MARGIN_SHARE)
        self._corners = corners
        self._lower_third = lower_third
        self._has_captions = has_captions
        self._places, self._depths = self._fill_corners()

    def corner_place(self, name: str) -> Point:
        """Where the top left of something in a corner is."""
        return self._places[name]

    @property
    def caption_bottom_px(self) -> int:
        """What captions keep free below them."""
        return max(usual_bottom(self.height_px), self._deepest("bottom"))

    @property
    def caption_top_px(self) -> int:
        """Below here a caption of two lines may stand, or something in a lower corner."""
        height = caption_height(self.width_px, self.height_px) if self._has_captions else 0
        return self.height_px - self.caption_bottom_px - height

    def lower_third_place(self) -> Point:
        """Where the top left of the lower third is; in a tall picture it stands on top."""
        assert self._lower_third is not None
        left = 2 * self.margin_px
        if self.is_tall:
            return left, self._top_of_tall(left + self._lower_third[0])
        return left, self._lower_third_top

    def title_place(self, size: Size) -> Point:
        """Where the top left of the title is: above the lower third; in a tall picture below."""
        left = 2 * self.margin_px
        if self.is_tall and self._lower_third is not None:
            above = self.lower_third_place()[1] + self._lower_third[1] + self.margin_px
            return left, max(above, self._top_of_tall(left + size[0]))
        if self.is_tall:
            return left, self._top_of_tall(left + size[0])
        bottom = min(round(self.height_px * 0.66), self._lower_third_top - self.margin_px)
        return left, bottom - size[1]

    def card_box(self) -> Box:
        """The room for the product card."""
        margin = self.margin_px
        if self.is_tall:
            bottom = self.caption_top_px - margin
            height = round(self._short * TALL_CARD_HEIGHT_SHARE)
            return Box(margin * 2, bottom - height, self.width_px - 2 * margin, bottom)
        right = self.width_px - 2 * margin
        top = max(self._depths["top_right"], margin) + margin
        return Box(
            right - round(self.width_px * CARD_WIDTH_SHARE), top, right, self._bottom_of_card()
        )

    @property
    def _lower_third_top(self) -> int:
        height = self._lower_third[1] + self.margin_px if self._lower_third else 0
        return self.caption_top_px - height

    def _top_of_tall(self, right: int) -> int:
        """Below what stands in the upper corners, as far as it stands left of `right`."""
        beside = [self._places[n][0] for n, (at, _) in self._corners.items() if at == "top_right"]
        is_free = right + self.margin_px <= min(beside, default=self.width_px)
        return (self._depths["top_left"] if is_free else self._deepest("top")) + self.margin_px

    def _bottom_of_card(self) -> int:
        free = max(self._depths["bottom_right"], self.margin_px)
        return min(self.caption_top_px, self.height_px - free) - self.margin_px

    def _deepest(self, side: str) -> int:
        return max(depth for corner, depth in self._depths.items() if corner.startswith(side))

    def _fill_corners(self) -> tuple[dict[str, Point], dict[Corner, int]]:
        """The places, and how far each corner reaches into the picture from top or bottom."""
        places: dict[str, Point] = {}
        depths: dict[Corner, int] = {}
        for corner in _CORNERS:
            held = {name: size for name, (at, size) in self._corners.items() if at == corner}
            found = self._column(corner, held) if self._stacks(corner) else self._row(corner, held)
            places |= found
            depths[corner] = self._depth(corner, found, held)
        return places, depths

    def _stacks(self, corner: Corner) -> bool:
        """Whether things lie below each other: in a tall picture, and where a row is too wide."""
        side = corner.partition("_")[0]
        widths = [size[0] for at, size in self._corners.values() if at.startswith(side)]
        total = sum(widths) + self.margin_px * (len(widths) + 1)
        return self.is_tall or total > self.width_px

    def _row(self, corner: Corner, held: Mapping[str, Size]) -> dict[str, Point]:
        places, x = {}, self._edge
        tallest = max((height for _, height in held.values()), default=0)
        for name, (width, height) in held.items():
            left = x if corner.endswith("left") else self.width_px - x - width
            # Smaller ones are centred beside the tallest.
            inset = self._edge + (tallest - height) // 2
            places[name] = (left, self._down(corner, inset, height))
            x += width + self.margin_px
        return places

    def _column(self, corner: Corner, held: Mapping[str, Size]) -> dict[str, Point]:
        places, y = {}, self._edge
        for name, (width, height) in held.items():
            edge = min(self._edge, max(0, (self.width_px - width) // 2))
            left = edge if corner.endswith("left") else self.width_px - edge - width
            places[name] = (left, self._down(corner, y, height))
            y += height + self.margin_px // 2
        return places

    @property
    def _edge(self) -> int:
        return self.margin_px

    def _down(self, corner: Corner, inset: int, height: int) -> int:
        return inset if corner.startswith("top") else self.height_px - inset - height

    def _depth(self, corner: Corner, places: dict[str, Point], held: Mapping[str, Size]) -> int:
        if not places:
            return 0
        if corner.startswith("top"):
            return max(y + held[name][1] for name, (_, y) in places.items())
        return self.height_px - min(y for _, y in places.values()) + self.margin_px // 2
