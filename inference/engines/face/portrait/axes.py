"""Axes of a face's own: whoever tilts the head in the photo tilts every motion with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

# float32; typed loosely, because mypy takes arithmetic with plain numbers for float64.
Floats = np.ndarray[Any, np.dtype[Any]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Box = tuple[int, int, int, int]

# px between the points at which a smooth motion is worked out; between them it is bilinear.
STEP_PX: Final = 4


@dataclass(frozen=True, slots=True)
class Axes:
    """Origin in px of the picture, x along `cosine`, `sine`, y at right angles to it, downwards."""

    x: float
    y: float
    cosine: float
    sine: float

    def local(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where px of the picture lie on these axes, in px."""
        right, down = x - self.x, y - self.y
        return right * self.cosine + down * self.sine, down * self.cosine - right * self.sine

    def turned(self, across: Floats, down: Floats) -> tuple[Floats, Floats]:
        """A shift along these axes as one of the picture."""
        return (
            across * self.cosine - down * self.sine,
            across * self.sine + down * self.cosine,
        )


def axes_between(left: Floats, right: Floats) -> tuple[Axes, float]:
    """Axes in the middle of two points (2,), and half their distance in px."""
    middle, half = (left + right) / 2, (right - left) / 2
    length = float(np.hypot(*half))
    return Axes(float(middle[0]), float(middle[1]), half[0] / length, half[1] / length), length


def smooth(low: float, high: float, values: Floats) -> Floats:
    """0 at `low`, 1 at `high`, an S between; falling when high < low. float32."""
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result


class Patch:
    """A part of the picture whose px are moved: its places, and a coarse grid over them."""

    def __init__(self, wanted: Floats, width_px: int, height_px: int) -> None:
        """wanted: (n, 2) points that it shall hold. Its box is even, inside the picture."""
        x0, y0 = np.floor(wanted.min(axis=0) / 2).astype(int) * 2
        x1, y1 = np.ceil(wanted.max(axis=0) / 2).astype(int) * 2
        self.box: Box = (
            max(0, int(x0)), max(0, int(y0)), min(width_px, int(x1)), min(height_px, int(y1)),
        )  # fmt: skip
        x0, y0, x1, y1 = self.box
        self.size = (x1 - x0, y1 - y0)
        self.x, self.y = _places(x0, y0, *self.size)
        self._coarse = (-(-self.size[0] // STEP_PX), -(-self.size[1] // STEP_PX))

    def coarse(self, axes: Axes) -> tuple[Floats, Floats]:
        """On the axes: where the points of the coarse grid lie."""
        columns, rows = self._coarse
        width, height = self.size
        # The points that `cv2.resize` takes the values of a smaller picture for.
        x = self.box[0] + (np.arange(columns, dtype=np.float32) + 0.5) * width / columns - 0.5
        y = self.box[1] + (np.arange(rows, dtype=np.float32) + 0.5) * height / rows - 0.5
        grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return axes.local(*grid)

    def fine(self, *fields: Floats) -> list[Floats]:
        """Values at every px of fields of the coarse grid."""
        return [
            np.asarray(cv2.resize(np.asarray(field, np.float32), self.size)) for field in fields
        ]

    def cut(self, source: Pixels, axes: Axes, across: Floats, down: Floats) -> Pixels:
        """(height, width, 3): each px from `across` and `down` px of the axes beside itself."""
        right, below = axes.turned(across, down)
        map_x = (self.x + right).astype(np.float32)
        map_y = (self.y + below).astype(np.float32)
        return np.asarray(
            cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )


def _places(x0: int, y0: int, width: int, height: int) -> tuple[Floats, Floats]:
    grid = np.meshgrid(np.arange(width), np.arange(height))
    return grid[0].astype(np.float32) + x0, grid[1].astype(np.float32) + y0
