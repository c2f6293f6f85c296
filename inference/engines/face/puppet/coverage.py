"""Knows where a layer paints: which tiles it must be drawn in, in a pose, and which it hides.

Where a layer does not show, or a layer above hides it, nothing is drawn; where it is opaque, it
is copied without blending. That is most of the cost of a frame.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.puppet.bake import Art, Layer
from inference.engines.face.puppet.parameters import LIMITS, PARAMETERS, Pose, rest_pose
from inference.engines.face.puppet.rig import LayerRig
from inference.engines.face.puppet.tiles import Floats, Mask, Numbers, Region, TileGrid
from inference.engines.face.puppet.warp import LayerWarp

Kinds = np.ndarray[Any, np.dtype[np.uint8]]

EMPTY: Final = 0
MIXED: Final = 1
OPAQUE: Final = 2

_POSES_BETWEEN: Final = 48
_MOVING: Final = (
    "ParamAngleX", "ParamAngleZ", "ParamBodyAngleX", "ParamBodyAngleZ", "ParamHairFront",
)  # fmt: skip
# Alpha from here on counts as opaque: drawings that overlap leave 254 here and there.
_OPAQUE_ALPHA: Final = 254
# Source pixels per cell of the table of kinds.
_CELL_PX: Final = 2


class Coverage:
    """What a layer paints around any of its pixels: nothing, something, or everything."""

    def __init__(self, baked: Layer, reach_px: int) -> None:
        """reach_px: how far from the middle of a tile its pixels may take their colour."""
        reach = reach_px + _CELL_PX
        margin = reach + 2 * _CELL_PX
        alpha = cv2.copyMakeBorder(
            cv2.extractChannel(baked.pixels, 3),
            margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0,),
        )  # fmt: skip
        around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        shows = cv2.dilate(alpha, around)[::_CELL_PX, ::_CELL_PX] > 0
        covers = cv2.erode(alpha, around)[::_CELL_PX, ::_CELL_PX] >= _OPAQUE_ALPHA
        self._kinds: Kinds = shows.astype(np.uint8) + covers
        self._margin = margin

    def kinds_at(self, x: Floats, y: Floats) -> Kinds:
        """EMPTY, MIXED or OPAQUE for tiles whose middles come from x, y px of the drawing."""
        height, width = self._kinds.shape
        columns = ((x + self._margin) * (1 / _CELL_PX)).astype(np.int32)
        rows = ((y + self._margin) * (1 / _CELL_PX)).astype(np.int32)
        np.clip(columns, 0, width - 1, out=columns)
        np.clip(rows, 0, height - 1, out=rows)
        return self._kinds[rows, columns]


def survey(warp: LayerWarp, baked: Layer, grid: TileGrid) -> tuple[Region, Coverage]:
    """The tiles (x0 y0 x1 y1, ends excluded) a layer ever reaches, and what it paints.

    warp: of the whole grid. Tried in the extreme poses, with a tile to spare around them.
    """
    bent = [warp.bend(pose) for pose in extreme_poses()]
    coverage = Coverage(baked, math.ceil(max(_reach_px(x, y) for x, y in bent)) + 1)
    reached = np.zeros((grid.rows, grid.columns), np.uint8)
    for x, y in bent:
        reached |= coverage.kinds_at(middles(x), middles(y))
    left, top, width, height = cv2.boundingRect(reached)
    region = (
        max(0, left - 1), max(0, top - 1),
        min(grid.columns, left + width + 1), min(grid.rows, top + height + 1),
    )  # fmt: skip
    return region, coverage


def middles(nodes: Floats) -> Floats:
    """Values in the middle of each tile, from those at the corners: one fewer in each row."""
    pairs = nodes[1:] + nodes[:-1]
    result: Floats = (pairs[:, 1:] + pairs[:, :-1]) * np.float32(0.25)
    return result


def _reach_px(x: Floats, y: Floats) -> float:
    """The furthest, along either axis, that a tile's corner lies from its middle."""
    furthest = 0.0
    for nodes in (x, y):
        middle = middles(nodes)
        for corner in (nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, :-1], nodes[1:, 1:]):
            furthest = max(furthest, float(np.abs(corner - middle).max()))
    return furthest


def extreme_poses() -> list[Pose]:
    """Corners of what the parameters may reach together, and some poses between."""
    generator = random.Random(1)  # noqa: S311 - the same poses at every start
    poses = []
    for signs in itertools.product((-1.0, 1.0), repeat=len(_MOVING)):
        shares = dict(zip(_MOVING, signs, strict=True))
        poses.append(_pose_of(shares, generator.choice((-1.0, 1.0)), generator.choice((0.0, 1.0))))
    for _ in range(_POSES_BETWEEN):
        shares = {name: generator.uniform(-1, 1) for name in _MOVING}
        poses.append(_pose_of(shares, generator.uniform(-1, 1), generator.random()))
    return poses


def _pose_of(shares: dict[str, float], vertical: float, opening: float) -> Pose:
    pose = rest_pose()
    for name, share in shares.items():
        pose[name] = share * LIMITS.get(name, PARAMETERS[name][2])
    pose["ParamHairSide"] = pose["ParamHairFront"]
    pose["ParamAngleY"] = vertical * LIMITS["ParamAngleY"]
    pose["ShoulderLift"] = vertical * PARAMETERS["ShoulderLift"][2]
    pose["ParamBreath"] = max(0.0, vertical)
    pose["ParamMouthOpenY"] = opening
    return pose


@dataclass(frozen=True, slots=True)
class Stroke:
    """The tiles a layer is painted in, in one pose: first those it is mixed in, then the opaque.

    numbers: (n,) of the grid. x, y: (n, 4) px of the drawing at their corners, row by row.
    """

    layer: str
    numbers: Numbers
    mixed: int
    x: Floats
    y: Floats


class TiledLayer:
    """One layer of the rig over the tiles it ever reaches."""

    def __init__(self, art: Art, layer: LayerRig, grid: TileGrid, *, planned: bool = True) -> None:
        """planned: False paints every tile, whether the layer shows there or not."""
        self._name, self._planned = layer.name, planned
        baked = art.layers[layer.name]
        everywhere = LayerWarp(art.rig, layer, baked, art.placement, grid.nodes())
        region, self._coverage = survey(everywhere, baked, grid)
        if not planned:
            region = (0, 0, grid.columns, grid.rows)
        self._warp = LayerWarp(art.rig, layer, baked, art.placement, grid.nodes(region))
        x0, y0, x1, y1 = region
        self._rows, self._columns = slice(y0, y1), slice(x0, x1)
        numbers = np.arange(grid.rows * grid.columns).reshape(grid.rows, grid.columns)
        self._numbers = numbers[y0:y1, x0:x1].ravel()

    def stroke(self, pose: Pose, hidden: Mask) -> Stroke:
        """What to paint where it is not hidden; marks in `hidden` what this layer hides.

        hidden: (rows, columns) of the grid.
        """
        x, y = self._warp.bend(pose)
        kinds = self._coverage.kinds_at(middles(x), middles(y))
        if not self._planned:
            kinds[:] = MIXED
        seen = hidden[self._rows, self._columns]
        kinds[seen] = EMPTY
        opaque = kinds == OPAQUE
        mixed = np.flatnonzero(kinds == MIXED)
        seen |= opaque
        chosen = np.concatenate([mixed, np.flatnonzero(opaque)])
        return Stroke(
            self._name, self._numbers[chosen], len(mixed), _corners(x, chosen), _corners(y, chosen)
        )


def _corners(nodes: Floats, chosen: Numbers) -> Floats:
    """(n, 4) values at the corners of the chosen tiles, counted row by row."""
    four = (nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, :-1], nodes[1:, 1:])
    return np.stack([corner.ravel()[chosen] for corner in four], axis=1)
