"""Finds the line where lip lies on lip: points of a face miss it by some px, and that is seen."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.engines.face.musetalk.geometry import Points
from inference.engines.face.portrait.axes import Floats, Pixels, axes_between
from inference.engines.face.portrait.mouth import CORNERS

# Samples across the mouth, and of half its width: how far off the line may be, and steps of it.
_COLUMNS: Final = 41
_REACH: Final = 0.16
_STEP: Final = 0.01
# What a step up or down between two columns costs, and each step away from the points, in levels
# of lightness.
_BEND: Final = 3.0
_AWAY: Final = 0.6
# The inner lips of the 68 points, from the left corner to the right one, above and below.
_ABOVE: Final = (60, 61, 62, 63, 64)
_BELOW: Final = (60, 67, 66, 65, 64)


def find_seam(picture: Pixels, points: Points) -> Points:
    """The points with the inner lips laid on the darkest line between the corners of the mouth.

    picture: (height, width, 3) BGR. points: (68, 2) px. The line is the cheapest path by dynamic
    programming; where nothing is dark it stays where the points have it.
    """
    axes, half = axes_between(points[CORNERS[0]], points[CORNERS[1]])
    own = np.stack(axes.local(points[:, 0], points[:, 1]), axis=1) / half
    line = (own[list(_ABOVE)] + own[list(_BELOW)]) / 2
    x = np.linspace(-0.9, 0.9, _COLUMNS)
    guess = np.interp(x, line[:, 0], line[:, 1])
    offsets = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    across = np.broadcast_to(x, (len(offsets), _COLUMNS)) * half
    down = (guess + offsets[:, None]) * half
    right, below = axes.turned(across, down)
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), max(0.6, half / 60))
    light = cv2.remap(
        grey, (right + axes.x).astype(np.float32), (below + axes.y).astype(np.float32),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    # Less sure towards the corners, where shadows of the cheeks begin.
    away = _AWAY * (np.abs(offsets) / _STEP)[:, None] * (1 + 2 * x**2)
    path = _cheapest(light.astype(np.float64) + away)
    found = guess + _evened(offsets[path])
    seen = np.interp(own[:, 0], x, found)
    moved = points.copy()
    for number in {*_ABOVE, *_BELOW}:
        right, below = axes.turned(own[number, 0] * half, seen[number] * half)
        moved[number] = (right + axes.x, below + axes.y)
    return moved


def _cheapest(cost: Floats) -> Floats:
    """(columns,) row of the path from left to right that costs least."""
    rows, columns = cost.shape
    bend = _BEND * np.abs(np.arange(rows)[:, None] - np.arange(rows))
    total, came = cost[:, 0], np.zeros((rows, columns), np.int64)
    for column in range(1, columns):
        ways = total[None, :] + bend
        came[:, column] = ways.argmin(axis=1)
        total = ways.min(axis=1) + cost[:, column]
    path = [int(total.argmin())]
    for column in range(columns - 1, 0, -1):
        path.append(int(came[path[-1], column]))
    return np.array(path[::-1])


def _evened(values: Floats) -> Floats:
    """Without steps: a running mean over a seventh of the mouth."""
    window = np.hanning(9)[1:-1]
    padded = np.pad(values, 3, mode="edge")
    result: Floats = np.convolve(padded, window / window.sum(), mode="valid")
    return result
