"""Knows where a layer paints: which tiles it must be drawn in, in a pose, and which it hides.

Where a layer does not show, or a layer above hides it, nothing is drawn; where it is opaque, it
is copied without blending. That is most of the cost of a frame.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.puppet.bake import Art, Layer
from inference.engines.face.puppet.gestures import Arm
from inference.engines.face.puppet.parameters import LIMITS, PARAMETERS, Pose, rest_pose
from inference.engines.face.puppet.rig import LayerRig
from inference.engines.face.puppet.tiles import Floats, Mask, Numbers, Region, TileGrid
from inference.engines.face.puppet.warp import ArmWarp, LayerWarp, Part

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
# Around a drawing, so that a tile just beyond its edge is known to reach into it.
_MARGIN_PX: Final = 48
# Distances are kept for blocks of 2 x 2 px: a quarter of the memory to fetch.
_BLOCK_SHIFT: Final = 1


class Near:
    """What a layer paints around any of its pixels: nothing, something, or everything.

    Kept as the distance, in px along the further axis, to the nearest pixel that is painted, and
    to the nearest that is not opaque.
    """

    def __init__(self, baked: Layer) -> None:
        alpha = cv2.copyMakeBorder(
            cv2.extractChannel(baked.pixels, 3),
            _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=(0,),
        )  # fmt: skip
        self.last_px = (alpha.shape[1] - 1, alpha.shape[0] - 1)
        to_paint, to_gap = _distances(alpha == 0), _distances(alpha >= _OPAQUE_ALPHA)
        self.width = to_paint.shape[1]
        # Both in one number: each look at them misses the cache while others have used it.
        self.distances = np.stack((to_paint, to_gap), axis=-1).view(np.uint16).ravel()


class Coverage:
    """What layers paint that are bent together, each over some rows of tiles."""

    def __init__(self, parts: Sequence[tuple[Near, int]]) -> None:
        """parts: a layer and its rows of nodes, one below the other.

        The row of tiles between two parts is nobody's; what is said of it means nothing.
        """
        self._distances = np.concatenate([near.distances for near, _ in parts])
        offsets = [0, *itertools.accumulate(len(near.distances) for near, _ in parts)]
        counts = [rows for _, rows in parts]
        last = np.array([near.last_px for near, _ in parts], np.float32)
        # For each row of tiles.
        self._last = np.repeat(last, counts, axis=0)[:-1].T[:, np.newaxis, :, np.newaxis]
        widths = np.repeat([near.width for near, _ in parts], counts)[:-1]
        self._widths = widths[:, np.newaxis]
        self._offsets = np.repeat(offsets[:-1], counts)[:-1, np.newaxis]

    def kinds_of(self, nodes: Floats) -> Kinds:
        """EMPTY, MIXED or OPAQUE for each tile, from the px of the drawing at the corners.

        nodes: (2, poses, rows + 1, columns + 1), x and y. Returns (poses, rows, columns).
        """
        reach = _reach_px(nodes)
        middles = _middles(nodes)
        middles += np.float32(_MARGIN_PX)
        np.maximum(middles, 0, out=middles)
        np.minimum(middles, self._last, out=middles)
        # Whole numbers before the product: 32-bit floats would not hold it.
        columns, rows = middles.astype(np.int64) >> _BLOCK_SHIFT
        rows *= self._widths
        rows += columns
        rows += self._offsets
        near = self._distances.take(rows).view(np.uint8)
        shows = near[..., ::2] < reach
        covers = near[..., 1::2] >= reach
        kinds: Kinds = shows.view(np.uint8) + covers.view(np.uint8)
        return kinds


def _distances(mask: Any) -> Kinds:
    """The distance in px, at most 255, to the nearest pixel beyond the mask.

    For each block of pixels, the least in it.
    """
    far = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, 3)
    near = np.minimum(far, 255).astype(np.uint8)
    side = 1 << _BLOCK_SHIFT
    height, width = (-(-length // side) for length in near.shape)
    edges = ((0, height * side - near.shape[0]), (0, width * side - near.shape[1]))
    blocks = np.pad(near, edges, mode="edge").reshape(height, side, width, side)
    least: Kinds = blocks.min(axis=(1, 3))
    return least


def _middles(nodes: Floats) -> Floats:
    """Values in the middle of each tile, from those at the corners: one fewer along both axes."""
    pairs = nodes[..., 1:, :] + nodes[..., :-1, :]
    result: Floats = (pairs[..., 1:] + pairs[..., :-1]) * np.float32(0.25)
    return result


def _reach_px(nodes: Floats) -> Floats:
    """Less far than this from the middle of each tile, along either axis, lies what its pixels take
    their colour from.

    Returns (poses, rows, columns).
    """
    falling = np.abs(nodes[..., 1:, 1:] - nodes[..., :-1, :-1])
    rising = np.abs(nodes[..., 1:, :-1] - nodes[..., :-1, 1:])
    np.maximum(falling, rising, out=falling)
    longest: Floats = np.maximum(*falling)
    longest *= np.float32(0.5)
    # A tenth for what a tile is bent out of a parallelogram, one for the neighbour that a colour is
    # mixed with; the middle is rounded down, as the place of a colour is.
    longest += np.float32(1.1)
    return longest


def reached_region(
    warp: LayerWarp, coverage: Coverage, grid: TileGrid, poses: list[Pose]
) -> Region:
    """The tiles (x0 y0 x1 y1, ends excluded) a layer ever shows in. warp: of the whole grid.

    Tried in extreme poses, with a tile to spare around them.
    """
    reached = coverage.kinds_of(warp.bend(poses)).max(axis=0)
    left, top, width, height = cv2.boundingRect(reached)
    if not width:
        return 0, 0, 1, 1
    return (
        max(0, left - 1), max(0, top - 1),
        min(grid.columns, left + width + 1), min(grid.rows, top + height + 1),
    )  # fmt: skip


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


def arm_poses(arm: Arm) -> list[Pose]:
    """An arm on its way up, swinging, on a body that leans and breathes."""
    poses = []
    for step, lean, swing in itertools.product(range(12), (-1.0, 1.0), (-1.0, 0.0, 1.0)):
        pose = _pose_of(dict.fromkeys(_MOVING, lean), lean, 0.0)
        pose |= {arm.parameter: 1.0 - step / 12, "GestureSwing": swing}
        poses.append(pose)
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

    numbers: (n,) of the grid. corners: (2, n, 4), x and y px of the drawing at the tiles' corners.
    """

    layer: str
    numbers: Numbers
    mixed: int
    corners: Floats


def _name(layer: LayerRig | Arm) -> str:
    return layer.layer if isinstance(layer, Arm) else layer.name


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a layer is: rows and columns of the grid, rows of the sheet, numbers of its tiles."""

    rows: slice
    columns: slice
    sheet: slice
    numbers: Numbers


class TiledLayers:
    """Layers that are bent together, or one arm, over the tiles they ever reach."""

    def __init__(
        self,
        art: Art,
        layers: Sequence[LayerRig] | Sequence[Arm],
        grid: TileGrid,
        *,
        planned: bool = True,
    ) -> None:
        """planned: False paints every tile, whether a layer shows there or not."""
        self._art, self._grid, self._planned = art, grid, planned
        self.names = [_name(layer) for layer in layers]
        near = {name: Near(art.layers[name]) for name in self.names}
        reached = [self._reached(layer, near[_name(layer)]) for layer in layers]
        x0, x1 = min(region[0] for region in reached), max(region[2] for region in reached)
        regions = [(x0, y0, x1, y1) for _, y0, _, y1 in reached]
        self._warp = self._make_warp(layers, regions)
        heights = [y1 - y0 + 1 for _, y0, _, y1 in regions]
        self._coverage = Coverage(list(zip(near.values(), heights, strict=True)))
        self._places = dict(zip(self.names, self._place(regions), strict=True))
        rows, columns = np.divmod(np.arange((sum(heights) - 1) * (x1 - x0)), x1 - x0)
        first = rows * (x1 - x0 + 1) + columns
        # Of each tile of the sheet, where its corners are among the nodes.
        self._corners = first[:, np.newaxis] + np.array([0, 1, x1 - x0 + 1, x1 - x0 + 2])

    def tiles(self, name: str) -> int:
        """How many tiles a layer can reach."""
        return len(self._places[name].numbers)

    def bend(self, poses: Sequence[Pose]) -> None:
        """Take these poses for the strokes that follow."""
        self._nodes = self._warp.bend(poses)
        self._kinds = self._coverage.kinds_of(self._nodes)
        if not self._planned:
            self._kinds[:] = MIXED

    def stroke(self, name: str, number: int, hidden: Mask) -> Stroke:
        """What to paint of a layer where it is not hidden; marks in `hidden` what it hides.

        number: of the pose. hidden: (rows, columns) of the grid.
        """
        place = self._places[name]
        kinds = self._kinds[number, place.sheet]
        seen = hidden[place.rows, place.columns]
        np.copyto(kinds, EMPTY, where=seen)
        opaque = kinds == OPAQUE
        mixed = np.flatnonzero(kinds == MIXED)
        seen |= opaque
        chosen = np.concatenate([mixed, np.flatnonzero(opaque)])
        first = place.sheet.start * kinds.shape[1]
        nodes = self._nodes[:, number].reshape(2, -1)
        corners = nodes.take(self._corners[first + chosen], axis=1)
        return Stroke(name, place.numbers[chosen], len(mixed), corners)

    def _reached(self, layer: LayerRig | Arm, near: Near) -> Region:
        """The tiles that a layer ever shows in."""
        whole = (0, 0, self._grid.columns, self._grid.rows)
        if not self._planned:
            return whole
        poses = arm_poses(layer) if isinstance(layer, Arm) else extreme_poses()
        warp, coverage = self._make_warp([layer], [whole]), Coverage([(near, whole[3] + 1)])
        return reached_region(warp, coverage, self._grid, poses)

    def _make_warp(self, layers: Sequence[LayerRig | Arm], regions: Sequence[Region]) -> LayerWarp:
        art, parts = self._art, []
        for layer, region in zip(layers, regions, strict=True):
            x_px, y_px = self._grid.nodes(region)
            baked = art.layers[_name(layer)]
            if isinstance(layer, Arm):
                return ArmWarp(art.rig, layer, baked, art.placement, (x_px, y_px))
            parts.append(Part(layer, baked, y_px))
        return LayerWarp(art.rig, parts, art.placement, x_px)

    def _place(self, regions: Sequence[Region]) -> Iterator[_Place]:
        numbers = np.arange(self._grid.rows * self._grid.columns).reshape(self._grid.rows, -1)
        top = 0
        for x0, y0, x1, y1 in regions:
            rows, columns = slice(y0, y1), slice(x0, x1)
            yield _Place(rows, columns, slice(top, top + y1 - y0), numbers[rows, columns].ravel())
            top += y1 - y0 + 1
