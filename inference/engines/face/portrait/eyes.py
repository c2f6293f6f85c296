"""Shuts the eyes of a photo: the skin above an eye is drawn down over it, lashes first.

Column by column on the eye's own axes, so that nothing can fold: what lies between brow and lid
is stretched to where the lid has come, what lies below stays until it is covered.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.engines.face.portrait.axes import (
    Floats,
    Patch,
    Pixels,
    axes_between,
    smooth,
)

# Of the 68 points: outer to inner corner above, the same below, and the brow, for each eye.
_EYES: Final = (
    ((36, 37, 38, 39), (36, 41, 40, 39), slice(17, 22)),
    ((42, 43, 44, 45), (42, 47, 46, 45), slice(22, 27)),
)
# Of half the eye's width: the least room between lid and brow that is stretched, and the lashes
# with the rim of the lid, which come down as they are.
_ROOM: Final = 0.5
_BROW_SHARE: Final = 0.75
_RIM: Final = 0.2
# Points lie a little inside the eye: what is drawn down begins above them, without white.
_ABOVE: Final = 0.07
# A shut eye has a darker line than a lid in the light.
_LASH: Final = 0.06
# A lid goes a little over the rim of the other one: points are not exact to the px.
_OVER: Final = 1.1
_LASH_DARK: Final = 0.35


class Eye:
    """One eye of a photo at one size."""

    def __init__(self, picture: Pixels, points: Floats, number: int) -> None:
        """number: 0 of the picture's left, 1 of its right."""
        above, below, brow = _EYES[number]
        self.axes, half = axes_between(points[above[0]], points[above[-1]])
        self.half_px = half
        own = np.stack(self.axes.local(points[:, 0], points[:, 1]), axis=1) / half
        brow_y = float(np.median(own[brow, 1]))
        middle_y = float(own[list(above[1:3]), 1].mean())
        top = min(middle_y - _ROOM, middle_y + _BROW_SHARE * (brow_y - middle_y))
        bottom = float(own[list(below[1:3]), 1].mean())
        self.patch = Patch(self._corners(top, bottom), picture.shape[1], picture.shape[0])
        x, y = self.axes.local(self.patch.x, self.patch.y)
        self._x, self._y = (each / np.float32(half) for each in (x, y))
        self._upper = _lid(own[list(above)], self._x)
        self._lower = np.maximum(_lid(own[list(below)], self._x), self._upper)
        self._top = np.float32(top) + np.maximum(self._upper - middle_y, 0) * 0.5
        self._bare = self._without_eye(picture, bottom)
        # At the corners there is nothing to cover: there the skin is not stretched either.
        self._height = (self._lower - self._upper) * smooth(1.12, 0.9, np.abs(self._x))

    def draw(self, source: Pixels, closed: float) -> Pixels:
        """The patch of `source`, a whole picture in BGR, with the eye shut by `closed` 0..1."""
        fallen = self._height * np.float32(_OVER * closed)
        edge = self._upper + fallen
        # From the lashes up the lid comes down whole; what is above them unrolls.
        room = np.maximum(self._upper - _RIM - self._top, 0.05)
        share = np.clip((self._y - self._top) / (room + fallen), 0, 1)
        lid = self._moved(source, -(fallen + _ABOVE * np.minimum(1, 4 * fallen)) * share)
        # What unrolls is skin that the photo does not show: bare, without the crease.
        bare = np.clip((edge - _RIM - self._y) / 0.12, 0, 1) * smooth(0.0, 0.35, self._height)
        bare = np.float32(smooth(0.1, 0.9, np.array(closed))) * bare * (self._y > self._top)
        skin = lid + (self._bare - lid) * bare[..., None]
        x0, y0, x1, y1 = self.patch.box
        eye = source[y0:y1, x0:x1].astype(np.float32)
        cover = np.clip((edge - self._y) * np.float32(self.half_px) + 0.5, 0, 1)
        cover = np.where(fallen > 0.001, cover, 1.0)[..., None]
        mixed = eye + (skin - eye) * cover
        lash = np.exp(-(((self._y - edge) / np.float32(_LASH)) ** 2)) * (self._height > 0.02)
        mixed *= (1 - np.float32(_LASH_DARK * closed) * lash)[..., None]
        return np.clip(mixed, 0, 255).astype(np.uint8)

    def _without_eye(self, picture: Pixels, bottom: float) -> Floats:
        """The patch as if there were skin alone, from below the brow to below the eye."""
        x0, y0, x1, y1 = self.patch.box
        part = np.ascontiguousarray(picture[y0:y1, x0:x1])
        hole = (np.abs(self._x) < 1.4) & (self._y > self._top + 0.02) & (self._y < bottom + 0.15)
        radius = max(2.0, 0.08 * self.half_px)
        filled = cv2.inpaint(part, hole.astype(np.uint8), radius, cv2.INPAINT_TELEA)
        return cv2.GaussianBlur(filled, (0, 0), radius / 2).astype(np.float32)

    def _moved(self, source: Pixels, down: Floats) -> Pixels:
        half = np.float32(self.half_px)
        return self.patch.cut(source, self.axes, np.zeros_like(down), down * half)

    def _corners(self, top: float, bottom: float) -> Floats:
        across = np.array([-1.6, 1.6, -1.6, 1.6]) * self.half_px
        down = np.array([top, top, bottom + 0.5, bottom + 0.5]) * self.half_px
        right, below = self.axes.turned(across, down)
        return np.stack([right + self.axes.x, below + self.axes.y], axis=1)


def _lid(own: Floats, x: Floats) -> Floats:
    """The edge of a lid at each x: a smooth curve through its four points, level beyond them."""
    curve = np.polynomial.polynomial.polyfit(own[:, 0], own[:, 1], 3)
    inside = np.clip(x, -1, 1)
    result: Floats = np.polynomial.polynomial.polyval(inside, curve).astype(np.float32)
    return result
