"""Bends layers by the pose: says of the corners of tiles where in the drawing they come from.

The turn of the head is a bump: what lies near the nose moves more than what lies at the ears.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.engines.face.puppet.bake import Layer
from inference.engines.face.puppet.gestures import Arm, placed
from inference.engines.face.puppet.rig import LayerRig, Placement, Rig
from inference.engines.face.puppet.tiles import Floats

Pose = dict[str, float]

# An arm that is down has turned so far outwards, and dropped so many art units.
_DOWN_DEGREES: Final = 26.0
_DOWN_UNITS: Final = 430.0
# A wave: degrees of the forearm about the elbow, and of the hand on it.
_SWING_DEGREES: Final = 6.0
_HAND_DEGREES: Final = 11.0
# Art units along the forearm, from below the wrist to the palm, over which the hand bends.
_WRIST: Final = (-40.0, 40.0)


@dataclass(frozen=True, slots=True)
class Part:
    """A layer and the heights at which it is bent. y_px: (n, 1)."""

    layer: LayerRig
    baked: Layer
    y_px: Floats


class Poses:
    """A parameter of several poses at once, (poses, 1, 1), by its name."""

    def __init__(self, poses: Sequence[Pose]) -> None:
        self._poses = poses

    def __getitem__(self, name: str) -> Floats:
        values = [pose[name] for pose in self._poses]
        return np.array(values, np.float32)[:, np.newaxis, np.newaxis]


class LayerWarp:
    """How layers are bent at some nodes of the picture: at each height of each, the same places.

    Layers that move alike are bent together, one below the other, and in several poses at once:
    numpy's calls are what costs.
    """

    def __init__(self, rig: Rig, parts: Sequence[Part], place: Placement, x_px: Floats) -> None:
        """x_px: (1, columns)."""
        self._rig = rig
        self._scale = np.float32(place.scale)
        self._x = ((x_px - place.left_px) / place.scale).astype(np.float32)
        heights = np.concatenate([part.y_px for part in parts])
        self._y = ((heights - place.top_px) / place.scale).astype(np.float32)
        # What differs from layer to layer, at each height.
        corners = [(place.left_px - p.baked.left_px, place.top_px - p.baked.top_px) for p in parts]
        self._corner = np.stack([_each(parts, [c[axis] for c in corners]) for axis in (0, 1)])
        self._depth = _each(parts, [part.layer.depth for part in parts])
        self._rows = _rows_of(parts)
        self._head_weight = self._ramps(parts)
        self._sway_front, self._sway_side = self._sways(parts)
        names = [part.layer.name for part in parts]
        self._head_rows = self._rows[names.index("head")] if "head" in names else None
        # The shoulders rise with the breath and lean with the body, the waist stays.
        rise = (rig.waist[1] - self._y) / (rig.waist[1] - rig.neck[1])
        self._rise = np.clip(rise, 0.0, 1.15).astype(np.float32)

    def bend(self, poses: Sequence[Pose]) -> Floats:
        """For each pose and node, the px of the baked drawing that is seen there.

        Returns (2, poses, rows, columns): x, then y.
        """
        x, y = self._source_points(Poses(poses))
        points = np.empty((2, len(poses), len(self._y), self._x.shape[1]), np.float32)
        np.multiply(x, self._scale, out=points[0])
        np.multiply(y, self._scale, out=points[1])
        points += self._corner[:, np.newaxis]
        return points

    def _ramps(self, parts: Sequence[Part]) -> Floats | None:
        """How much of the head's motion each height takes over; None: nothing does."""
        if not any(part.layer.follows_head for part in parts):
            return None
        weights = [part.layer.head_weight for part in parts]
        ramps = [
            _ramp(self._y[rows], weight) if weight else np.zeros_like(self._y[rows])
            for rows, weight in zip(self._rows, weights, strict=True)
        ]
        return np.concatenate(ramps)

    def _sways(self, parts: Sequence[Part]) -> tuple[Floats, Floats]:
        """How far loose hair swings at each height, that in front of the head and that behind."""
        front, side = np.zeros_like(self._y), np.zeros_like(self._y)
        for part, rows in zip(parts, self._rows, strict=True):
            if part.layer.sway is not None:
                top, bottom, shift = part.layer.sway
                hair = front if part.layer.depth > 0 else side
                hair[rows] = _smooth(self._y[rows], top, bottom) * np.float32(shift)
        return front, side

    def _source_points(self, pose: Poses) -> tuple[Floats, Floats]:
        """For each node of the picture, where in the drawing its colour comes from."""
        x, y = self._unbend_body(pose, self._x, self._y)
        if self._head_weight is not None:
            x, y = self._unbend_head(pose, x, y, self._head_weight)
            x -= self._sway_front * pose["ParamHairFront"] + self._sway_side * pose["ParamHairSide"]
        return x, y

    def _unbend_body(self, pose: Poses, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        forms, rig = self._rig.keyforms, self._rig
        lean = np.tan(np.radians(pose["ParamBodyAngleZ"])) * (rig.waist[1] - rig.neck[1])
        lean += forms["ParamBodyAngleX"]["chest_shift"] * pose["ParamBodyAngleX"]
        breath = forms["ParamBreath"]["shoulder_shift"] * pose["ParamBreath"]
        lift = breath + pose["ShoulderLift"]
        return x - lean * self._rise, y + lift * self._rise

    def _unbend_head(
        self, pose: Poses, x: Floats, y: Floats, weight: Floats
    ) -> tuple[Floats, Floats]:
        rig = self._rig
        yaw, pitch = pose["ParamAngleX"] / 30, pose["ParamAngleY"] / 30
        forms_x, forms_y = rig.keyforms["ParamAngleX"], rig.keyforms["ParamAngleY"]
        angle = np.radians(pose["ParamAngleZ"])
        cos, sin = np.cos(angle), np.sin(angle)
        from_x, from_y = x - rig.neck[0], y - rig.neck[1]
        shift_x, shift_y = forms_x["head_shift"] * yaw, -forms_y["head_shift"] * pitch
        turned_x = cos * from_x + (sin * from_y + (rig.neck[0] - shift_x))
        turned_y = (cos * from_y + (rig.neck[1] - shift_y)) - sin * from_x
        u = (turned_x - rig.face_middle[0]) * (1 / rig.face_radius[0])
        v = (turned_y - rig.face_middle[1]) * (1 / rig.face_radius[1])
        bump = np.exp(-0.75 * (u * u + v * v)) * self._depth
        turned_x -= forms_x["face_shift"] * yaw * bump
        turned_y += forms_y["face_shift"] * pitch * bump
        if self._head_rows is not None:
            rows = self._head_rows
            turned_y[:, rows] -= self._jaw(pose, turned_x[:, rows], turned_y[:, rows])
        return x + weight * (turned_x - x), y + weight * (turned_y - y)

    def _jaw(self, pose: Poses, x: Floats, y: Floats) -> Floats:
        """How far the jaw has dropped at each point."""
        top, bottom, half_width = self._rig.jaw
        drop = self._rig.keyforms["ParamMouthOpenY"]["jaw_shift"] * pose["ParamMouthOpenY"]
        across = np.exp(-(((x - self._rig.neck[0]) / half_width) ** 2))
        jaw: Floats = drop * across * _smooth(y, top, bottom)
        return jaw


def _rows_of(parts: Sequence[Part]) -> list[slice]:
    """Where each part's heights are among those of all."""
    ends = list(itertools.accumulate(len(part.y_px) for part in parts))
    return [slice(end - len(part.y_px), end) for part, end in zip(parts, ends, strict=True)]


def _each(parts: Sequence[Part], values: Sequence[float]) -> Floats:
    """A value for each part, at each of its heights: (rows, 1)."""
    columns = [
        np.full_like(part.y_px, value, np.float32)
        for part, value in zip(parts, values, strict=True)
    ]
    return np.concatenate(columns)


class ArmWarp(LayerWarp):
    """How a raised arm moves at some nodes of the picture: about its elbow, its hand on it."""

    def __init__(
        self, rig: Rig, arm: Arm, baked: Layer, place: Placement, nodes: tuple[Floats, Floats]
    ) -> None:
        part = Part(LayerRig(arm.layer, 0.0, None, None), baked, nodes[1])
        super().__init__(rig, [part], place, nodes[0])
        self._arm = arm = placed(arm, place.half_width, place.bottom)
        self._side = -1.0 if arm.is_mirrored else 1.0
        self._elbow = self._of_side(arm.elbow[0]), arm.elbow[1]
        self._wrist = self._of_side(arm.wrist[0]), arm.wrist[1]
        length = math.dist(self._elbow, self._wrist)
        self._axis = tuple((w - e) / length for w, e in zip(self._wrist, self._elbow, strict=True))

    def _of_side(self, x: float) -> float:
        return self._rig.neck[0] + self._side * (x - self._rig.neck[0])

    def _source_points(self, pose: Poses) -> tuple[Floats, Floats]:
        down = 1.0 - pose[self._arm.parameter]
        swing = pose["GestureSwing"] * np.float32(self._arm.swings)
        x, y = self._unbend_body(pose, self._x, self._y)
        y = y - _DOWN_UNITS * down
        degrees = self._side * (_DOWN_DEGREES * down + _SWING_DEGREES * swing)
        x, y = _turned(x, y, self._elbow, np.radians(degrees))
        if not swing.any():
            return x, y
        from_x, from_y = x - self._wrist[0], y - self._wrist[1]
        along = from_x * self._axis[0] + from_y * self._axis[1]
        bend = _smooth(along, *_WRIST) * np.radians(self._side * _HAND_DEGREES * swing)
        return _turned(x, y, self._wrist, bend)


def _turned(
    x: Floats, y: Floats, middle: tuple[float, float], angle: Floats
) -> tuple[Floats, Floats]:
    """Points turned clockwise about a middle: where they come from when the drawing turns back."""
    cos, sin = np.cos(angle), np.sin(angle)
    from_x, from_y = x - np.float32(middle[0]), y - np.float32(middle[1])
    return (
        cos * from_x - sin * from_y + np.float32(middle[0]),
        sin * from_x + cos * from_y + np.float32(middle[1]),
    )


def _smooth(value: Floats, low: float, high: float) -> Floats:
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    result: Floats = (share * share * (3 - 2 * share)).astype(np.float32)
    return result


def _ramp(y: Floats, weight: tuple[float, float, float, float]) -> Floats:
    y0, w0, y1, w1 = weight
    result: Floats = (w0 + (w1 - w0) * _smooth(y, y0, y1)).astype(np.float32)
    return result
