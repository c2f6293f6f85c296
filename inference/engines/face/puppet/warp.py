"""Bends one layer by the pose: a coarse grid of displacements, scaled up and applied by `remap`.

The turn of the head is a bump: what lies near the nose moves more than what lies at the ears.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.puppet.bake import Layer
from inference.engines.face.puppet.rig import LayerRig, Placement, Rig

Region = tuple[int, int, int, int]
Floats = np.ndarray[Any, np.dtype[Any]]
Pose = dict[str, float]

# Side of a cell of the grid, in art units: the jaw bends within two of them.
_CELL: Final = 20.0


class LayerWarp:
    """How a layer is bent inside a region of the picture (x0 y0 x1 y1 px, ends excluded)."""

    def __init__(
        self, rig: Rig, layer: LayerRig, baked: Layer, place: Placement, region: Region
    ) -> None:
        self.name = layer.name
        self.region = region
        self._rig, self._layer, self._baked, self._place = rig, layer, baked, place
        self._cell_px = max(2, round(_CELL * place.scale))
        self._x, self._y = self._nodes()
        rows, columns = self._x.shape
        cell = self._cell_px
        self._padded = (columns * cell, rows * cell)
        self._map_x = np.empty((rows * cell, columns * cell), np.float32)
        self._map_y = np.empty_like(self._map_x)
        self._head_weight = _ramp(self._y, layer.head_weight)
        sway = layer.sway
        self._sway = _smooth(self._y, sway[0], sway[1]) * sway[2] if sway else None
        # The shoulders rise with the breath and lean with the body, the waist stays.
        rise = (rig.waist[1] - self._y) / (rig.waist[1] - rig.neck[1])
        self._rise = np.clip(rise, 0.0, 1.15).astype(np.float32)

    def bend(self, pose: Pose) -> None:
        """Work out where the colours of the region come from in this pose."""
        x, y = self._source_points(pose)
        scale, place, baked = self._place.scale, self._place, self._baked
        grid_x = x * scale + (place.left_px - baked.left_px)
        grid_y = y * scale + (place.top_px - baked.top_px)
        cv2.resize(grid_x.astype(np.float32), self._padded, dst=self._map_x)
        cv2.resize(grid_y.astype(np.float32), self._padded, dst=self._map_y)

    def pull(self, pixels: Any, part: Region, out: Any) -> None:
        """Fill `out` with a part of the bent layer. part: in px of the picture, in the region.

        pixels: the layer's baked pixels, or others of the same size, any number of channels.
        """
        left, top = self.region[0] - self._cell_px, self.region[1] - self._cell_px
        x0, y0, x1, y1 = part
        rows, columns = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        cv2.remap(
            pixels,
            self._map_x[rows, columns],
            self._map_y[rows, columns],
            cv2.INTER_LINEAR,
            dst=out,
        )

    def _nodes(self) -> tuple[Floats, Floats]:
        """The grid's nodes in art units, with a cell to spare on each side.

        `resize` puts node i at px (i + .5) * cell - .5 and holds the outermost values flat, which
        must not happen inside the region.
        """
        x0, y0, x1, y1 = self.region
        cell = self._cell_px
        columns, rows = math.ceil((x1 - x0) / cell) + 2, math.ceil((y1 - y0) / cell) + 2
        xs = x0 + (np.arange(columns) - 0.5) * cell - 0.5
        ys = y0 + (np.arange(rows) - 0.5) * cell - 0.5
        x, y = np.meshgrid(
            (xs - self._place.left_px) / self._place.scale,
            (ys - self._place.top_px) / self._place.scale,
        )
        return x.astype(np.float32), y.astype(np.float32)

    def _source_points(self, pose: Pose) -> tuple[Floats, Floats]:
        """For each node of the picture, where in the drawing its colour comes from."""
        x, y = self._unbend_body(pose, self._x, self._y)
        if self._head_weight is not None:
            x, y = self._unbend_head(pose, x, y, self._head_weight)
        if self._sway is not None:
            name = "ParamHairFront" if self._layer.depth > 0 else "ParamHairSide"
            x = x - self._sway * pose[name]
        return x, y

    def _unbend_body(self, pose: Pose, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        forms, rig = self._rig.keyforms, self._rig
        lean = math.tan(math.radians(pose["ParamBodyAngleZ"])) * (rig.waist[1] - rig.neck[1])
        lean += forms["ParamBodyAngleX"]["chest_shift"] * pose["ParamBodyAngleX"]
        breath = forms["ParamBreath"]["shoulder_shift"] * pose["ParamBreath"]
        lift = breath + pose["ShoulderLift"]
        return x - lean * self._rise, y + lift * self._rise

    def _unbend_head(
        self, pose: Pose, x: Floats, y: Floats, weight: Floats
    ) -> tuple[Floats, Floats]:
        rig, depth = self._rig, self._layer.depth
        yaw, pitch = pose["ParamAngleX"] / 30, pose["ParamAngleY"] / 30
        forms_x, forms_y = rig.keyforms["ParamAngleX"], rig.keyforms["ParamAngleY"]
        angle = math.radians(pose["ParamAngleZ"])
        cos, sin = math.cos(angle), math.sin(angle)
        from_x, from_y = x - rig.neck[0], y - rig.neck[1]
        shift_x, shift_y = forms_x["head_shift"] * yaw, -forms_y["head_shift"] * pitch
        turned_x = cos * from_x + sin * from_y + (rig.neck[0] - shift_x)
        turned_y = cos * from_y - sin * from_x + (rig.neck[1] - shift_y)
        u = (turned_x - rig.face_middle[0]) / rig.face_radius[0]
        v = (turned_y - rig.face_middle[1]) / rig.face_radius[1]
        bump = np.exp(-0.75 * (u * u + v * v)) * depth
        turned_x = turned_x - forms_x["face_shift"] * yaw * bump
        turned_y = turned_y + forms_y["face_shift"] * pitch * bump
        if self.name == "head":
            turned_y = turned_y - self._jaw(pose, turned_x, turned_y)
        return x + weight * (turned_x - x), y + weight * (turned_y - y)

    def _jaw(self, pose: Pose, x: Floats, y: Floats) -> Floats:
        """How far the jaw has dropped at each point."""
        top, bottom, half_width = self._rig.jaw
        drop = self._rig.keyforms["ParamMouthOpenY"]["jaw_shift"] * pose["ParamMouthOpenY"]
        across = np.exp(-(((x - self._rig.neck[0]) / half_width) ** 2))
        jaw: Floats = drop * across * _smooth(y, top, bottom)
        return jaw


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
