"""Bends one layer by the pose: a coarse grid of displacements, scaled up and applied by `remap`.

The turn of the head is a bump: what lies near the nose moves more than what lies at the ears.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.puppet.bake import Layer, Pixels
from inference.engines.face.puppet.rig import LayerRig, Placement, Rig

Region = tuple[int, int, int, int]
Floats = np.ndarray[Any, np.dtype[Any]]

# How far any point may leave its place, in art units: the rim of the region a layer can touch.
REACH: Final = 26
_CELL_PX: Final = 16
# `remap` takes x and y in one map; the second stays empty.
_NO_MAP: Final = np.empty(0, np.float32)


class LayerWarp:
    """Where one layer can appear (`region`: x0 y0 x1 y1 px, even) and how it is bent into it."""

    def __init__(
        self, rig: Rig, layer: LayerRig, baked: Layer, place: Placement, size_px: tuple[int, int]
    ) -> None:
        self.name = layer.name
        self._rig, self._layer, self._baked, self._place = rig, layer, baked, place
        self.region = _region(baked, place, size_px)
        x0, y0, x1, y1 = self.region
        self._size = (x1 - x0, y1 - y0)
        self._x, self._y = self._nodes()
        self._map = np.empty((self._size[1], self._size[0], 2), np.float32)
        self._out = np.empty((self._size[1], self._size[0], 4), np.uint8)
        self._head_weight = _ramp(self._y, layer.head_weight)
        sway = layer.sway
        self._sway = _smooth(self._y, sway[0], sway[1]) * sway[2] if sway else None
        # The shoulders rise with the breath and lean with the body, the waist stays.
        rise = (rig.waist[1] - self._y) / (rig.waist[1] - rig.neck[1])
        self._rise = np.clip(rise, 0.0, 1.15).astype(np.float32)

    def apply(self, pose: dict[str, float], source: Pixels | None = None) -> Pixels:
        """The bent layer, (h, w, 4) of `region`; valid until the next call.

        source: pixels to take instead of the baked ones, of the same size.
        """
        x, y = self._source_points(pose)
        scale, place, baked = self._place.scale, self._place, self._baked
        grid = np.empty((*x.shape, 2), np.float32)
        grid[..., 0] = x * scale + (place.left_px - baked.left_px)
        grid[..., 1] = y * scale + (place.top_px - baked.top_px)
        cv2.resize(grid, self._size, dst=self._map, interpolation=cv2.INTER_LINEAR)
        pixels = baked.pixels if source is None else source
        cv2.remap(pixels, self._map, _NO_MAP, cv2.INTER_LINEAR, dst=self._out)
        return self._out

    def _nodes(self) -> tuple[Floats, Floats]:
        """The grid's nodes in art units. `resize` puts node i at px (i + .5) * cell - .5."""
        x0, y0, x1, y1 = self.region
        columns = max(2, math.ceil((x1 - x0) / _CELL_PX))
        rows = max(2, math.ceil((y1 - y0) / _CELL_PX))
        xs = x0 + (np.arange(columns) + 0.5) * ((x1 - x0) / columns) - 0.5
        ys = y0 + (np.arange(rows) + 0.5) * ((y1 - y0) / rows) - 0.5
        x, y = np.meshgrid(
            (xs - self._place.left_px) / self._place.scale,
            (ys - self._place.top_px) / self._place.scale,
        )
        return x.astype(np.float32), y.astype(np.float32)

    def _source_points(self, pose: dict[str, float]) -> tuple[Floats, Floats]:
        """For each node of the picture, where in the drawing its colour comes from."""
        x, y = self._unbend_body(pose, self._x, self._y)
        if self._head_weight is not None:
            x, y = self._unbend_head(pose, x, y, self._head_weight)
        if self._sway is not None:
            x = x - self._sway * (pose["ParamHairFront"] if self._layer.depth > 0 else
                                  pose["ParamHairSide"])  # fmt: skip
        return x, y

    def _unbend_body(self, pose: dict[str, float], x: Floats, y: Floats) -> tuple[Floats, Floats]:
        forms = self._rig.keyforms
        lean = math.tan(math.radians(pose["ParamBodyAngleZ"])) * (
            self._rig.waist[1] - self._rig.neck[1]
        )
        lean += forms["ParamBodyAngleX"]["chest_shift"] * pose["ParamBodyAngleX"]
        breath = forms["ParamBreath"]["shoulder_shift"] * pose["ParamBreath"]
        lift = breath + pose["ShoulderLift"]
        return x - lean * self._rise, y + lift * self._rise

    def _unbend_head(
        self, pose: dict[str, float], x: Floats, y: Floats, weight: Floats
    ) -> tuple[Floats, Floats]:
        rig, depth = self._rig, self._layer.depth
        yaw, pitch = pose["ParamAngleX"] / 30, pose["ParamAngleY"] / 30
        forms_x, forms_y = rig.keyforms["ParamAngleX"], rig.keyforms["ParamAngleY"]
        angle = math.radians(pose["ParamAngleZ"])
        cos, sin = math.cos(angle), math.sin(angle)
        from_x, from_y = x - rig.neck[0], y - rig.neck[1]
        shift_x, shift_y = forms_x["head_shift"] * yaw, -forms_y["head_shift"] * pitch
        turned_x = cos * from_x + sin * from_y + rig.neck[0] - shift_x
        turned_y = -sin * from_x + cos * from_y + rig.neck[1] - shift_y
        u = (turned_x - rig.face_middle[0]) / rig.face_radius[0]
        v = (turned_y - rig.face_middle[1]) / rig.face_radius[1]
        bump = np.exp(-0.75 * (u * u + v * v)) * depth
        turned_x = turned_x - forms_x["face_shift"] * yaw * bump
        turned_y = turned_y + forms_y["face_shift"] * pitch * bump
        if self.name == "head":
            turned_y = turned_y - self._jaw(pose, turned_x, turned_y)
        return x + weight * (turned_x - x), y + weight * (turned_y - y)

    def _jaw(self, pose: dict[str, float], x: Floats, y: Floats) -> Floats:
        """How far the jaw has dropped at each point."""
        top, bottom, half_width = self._rig.jaw
        drop = self._rig.keyforms["ParamMouthOpenY"]["jaw_shift"] * pose["ParamMouthOpenY"]
        across = np.exp(-(((x - self._rig.neck[0]) / half_width) ** 2))
        jaw: Floats = drop * across * _smooth(y, top, bottom)
        return jaw


def _region(baked: Layer, place: Placement, size_px: tuple[int, int]) -> Region:
    reach = REACH * place.scale
    height, width = baked.pixels.shape[:2]
    x0, y0 = baked.left_px - reach, baked.top_px - reach
    x1, y1 = baked.left_px + width + reach, baked.top_px + height + reach
    return (
        max(0, 2 * math.floor(x0 / 2)),
        max(0, 2 * math.floor(y0 / 2)),
        min(size_px[0], 2 * math.ceil(x1 / 2)),
        min(size_px[1], 2 * math.ceil(y1 / 2)),
    )


def _smooth(value: Floats, low: float, high: float) -> Floats:
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    result: Floats = (share * share * (3 - 2 * share)).astype(np.float32)
    return result


def _ramp(y: Floats, weight: tuple[float, float, float, float] | None) -> Floats | None:
    if weight is None:
        return None
    y0, w0, y1, w1 = weight
    result: Floats = (w0 + (w1 - w0) * _smooth(y, y0, y1)).astype(np.float32)
    return result
