"""Turns and nods the head of a photo a little, and lets the chest breathe.

One photo shows one view, so the motions are small; they die away inside the person's outline, and
the background stands still.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.engines.face.portrait.axes import (
    Axes,
    Box,
    Floats,
    Pixels,
    axes_between,
    smooth,
)

Pose = dict[str, float]

# px between the points at which the motion is worked out.
_STEP_PX: Final = 8
# Shares of the face's width that the tip of the nose goes for a degree.
_YAW: Final = 0.0044
_PITCH: Final = 0.0038
_ROLL: Final = 0.45
_BREATH: Final = 0.006
_BROWS: Final = 0.035
# How much the rim of the face follows a turn of its middle.
_RIM: Final = 0.35


class Sway:
    """The motion of one photo at one size, inside one box of it."""

    def __init__(self, points: Floats, box: Box, hold: Pixels) -> None:
        """box: even px that may move. hold: its (height, width), 255 where nothing holds them."""
        self._box = box
        x0, y0, x1, y1 = box
        self._size = (x1 - x0, y1 - y0)
        columns, rows = -(-self._size[0] // _STEP_PX), -(-self._size[1] // _STEP_PX)
        x = x0 + (np.arange(columns) + 0.5) * self._size[0] / columns - 0.5
        y = y0 + (np.arange(rows) + 0.5) * self._size[1] / rows - 0.5
        grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        free = cv2.resize(hold, (columns, rows), interpolation=cv2.INTER_AREA) / np.float32(255)
        self._set_fields(points, *grid, free.astype(np.float32))
        self._places = _places(*self._size)
        self._half_places = _places(self._size[0] // 2, self._size[1] // 2)

    def _set_fields(self, points: Floats, x: Floats, y: Floats, free: Floats) -> None:
        """Shifts of sources, px of a degree or of a whole breath, on the coarse grid."""
        axes, half = axes_between(points[0], points[16])
        across, down = (each / np.float32(half) for each in axes.local(x, y))
        brow, chin = (_down(points[part], axes, half) for part in (slice(17, 27), slice(8, 9)))
        height = chin - brow
        middle = (brow + chin) / 2
        radius = np.sqrt(across**2 + ((down - middle) / np.float32(0.72 * height)) ** 2)
        head = smooth(1.75, 1.0, radius) * smooth(chin + 0.75 * height, chin, down) * free
        dome = np.sqrt(np.maximum(1 - np.minimum(radius, 1) ** 2, 0))
        depth = head * (_RIM + (1 - _RIM) * dome)
        width = np.float32(2 * half)
        self._yaw = -_YAW * width * depth
        self._pitch = _PITCH * width * depth
        # About where neck and head meet, so that the chin stays over the neck.
        pivot = np.float32(chin + 0.15 * height)
        angle = np.float32(np.deg2rad(_ROLL) * half) * head
        self._roll = (down - pivot) * angle, -across * angle
        chest = smooth(brow, chin + 0.5 * height, down) * smooth(1.9, 1.0, np.abs(across)) * free
        edge = smooth(float(y.max()), float(y.max()) - 0.5 * height * half, y)
        self._breath = np.float32(_BREATH) * width * np.maximum(chest * edge, head)
        raised = smooth(brow - 0.75 * height, brow, down) * smooth(brow + 0.28 * height, brow, down)
        self._brows = [
            np.float32(_BROWS * width) * raised * side * head
            for side in (smooth(0.12, -0.12, across), smooth(-0.12, 0.12, across))
        ]
        self._turn = axes

    def draw(self, pose: Pose, luma: Pixels, chroma: Pixels) -> tuple[Pixels, Pixels]:
        """The box of a picture with its head moved: luma, and both colours as two channels.

        luma: (height, width). chroma: (height / 2, width / 2, 2). Both of the whole picture.
        """
        shift = np.dstack(self._turn.turned(*self._shifts(pose))).astype(np.float32)
        x0, y0, x1, y1 = self._box
        colour = chroma[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        return (
            _moved(luma[y0:y1, x0:x1], shift, self._places),
            _moved(colour, shift / 2, self._half_places),
        )

    def _shifts(self, pose: Pose) -> tuple[Floats, Floats]:
        roll_x, roll_y = self._roll
        tilt = pose["ParamAngleZ"]
        across = pose["ParamAngleX"] * self._yaw + tilt * roll_x
        down = pose["ParamAngleY"] * self._pitch + tilt * roll_y
        down = down + pose["ParamBreath"] * self._breath
        for side, field in zip("LR", self._brows, strict=True):
            down = down + pose[f"ParamBrow{side}Y"] * field
        return across, down


def _down(points: Floats, axes: Axes, half: float) -> float:
    """How far below the axes points lie on the average, in halves of the face's width."""
    return float(np.mean(axes.local(points[:, 0], points[:, 1])[1])) / half


def _places(width: int, height: int) -> tuple[Floats, Floats]:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return x.astype(np.float32), y.astype(np.float32)


def _moved(part: Pixels, shift: Floats, places: tuple[Floats, Floats]) -> Pixels:
    fine = cv2.resize(shift, part.shape[1::-1])
    map_x, map_y = cv2.split(fine)
    map_x += places[0]
    map_y += places[1]
    return np.asarray(
        cv2.remap(part, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
