"""Finds out, once per start, which tiles of the picture each layer must be drawn in, and how.

Every layer is tried in the extreme poses at a quarter of the size. Where it never shows, or where
a layer above always hides it, nothing is drawn; where it is always opaque, it is copied without
blending. That halves the cost of a frame.
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
from inference.engines.face.puppet.rig import Placement
from inference.engines.face.puppet.warp import LayerWarp, Region

# A smaller tile saves pixels, a larger one saves calls; measured best of 16, 24, 32, 48 at 540p.
TILE_PX: Final = 32
_SHRINK: Final = 4
_POSES_BETWEEN: Final = 48
_MOVING: Final = (
    "ParamAngleX", "ParamAngleZ", "ParamBodyAngleX", "ParamBodyAngleZ", "ParamHairFront",
)  # fmt: skip
# A tile is split off for copying only if it saves more than the extra calls cost.
_LEAST_COPY_TILES: Final = 2

Mask = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a layer is drawn: rectangles in px. blended: mixed with what is below."""

    region: Region
    blended: tuple[Region, ...]
    copied: tuple[Region, ...]


def plan_layers(art: Art) -> list[Plan]:
    """A plan for each layer of the rig, lowest first."""
    height, width = art.ground.shape[:2]
    seen = [_try_poses(art, index) for index in range(len(art.rig.layers))]
    hidden = np.zeros((math.ceil(height / TILE_PX), math.ceil(width / TILE_PX)), bool)
    plans: list[Plan] = []
    for shows, covers in reversed(seen):
        opaque = _tiles(covers, all_of=True)
        shown = _tiles(shows, all_of=False) & ~hidden
        plans.insert(0, _plan(shown, opaque, (width, height)))
        hidden |= opaque
    return plans


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


def _try_poses(art: Art, index: int) -> tuple[Mask, Mask]:
    """(may show, always covers) of a layer, both bool at a quarter of the picture's size."""
    layer = art.rig.layers[index]
    baked = art.layers[layer.name]
    height, width = (math.ceil(side / _SHRINK) for side in art.ground.shape[:2])
    small, place = _shrunk(baked, art.placement)
    warp = LayerWarp(art.rig, layer, small, place, (0, 0, width, height))
    most = np.zeros((height, width), np.uint8)
    least = np.full((height, width), 255, np.uint8)
    alpha = np.empty((height, width), np.uint8)
    for pose in extreme_poses():
        warp.bend(pose)
        warp.pull(small.pixels, warp.region, alpha)
        np.maximum(most, alpha, out=most)
        np.minimum(least, alpha, out=least)
    # One small pixel of margin on each side for what lies between the tried poses.
    kernel = np.ones((3, 3), np.uint8)
    border = cv2.BORDER_REPLICATE
    shows = cv2.dilate(most, kernel, borderType=border) > 0
    covers = cv2.erode(least, kernel, borderType=border) >= 254
    return np.asarray(shows), np.asarray(covers)


def _shrunk(baked: Layer, place: Placement) -> tuple[Layer, Placement]:
    """The layer's alpha and its place, both at a quarter of the size."""
    alpha = np.ascontiguousarray(baked.pixels[:, :, 3])
    # The layer's corner must fall on a whole small pixel.
    left, top = baked.left_px % _SHRINK, baked.top_px % _SHRINK
    padded = cv2.copyMakeBorder(alpha, top, _SHRINK, left, _SHRINK, cv2.BORDER_CONSTANT, value=0)
    rows, columns = padded.shape[0] // _SHRINK, padded.shape[1] // _SHRINK
    padded = np.ascontiguousarray(padded[: rows * _SHRINK, : columns * _SHRINK])
    small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    layer = Layer(
        np.asarray(small, np.uint8),
        (baked.left_px - left) // _SHRINK,
        (baked.top_px - top) // _SHRINK,
    )
    scaled = Placement(place.scale / _SHRINK, place.left_px / _SHRINK, place.top_px / _SHRINK)
    return layer, scaled


def _tiles(mask: Mask, *, all_of: bool) -> Mask:
    """The mask by tiles: does it hold for all, or for any, of a tile's pixels?"""
    side = TILE_PX // _SHRINK
    rows, columns = (math.ceil(length / side) for length in mask.shape)
    padded = np.full((rows * side, columns * side), all_of)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    blocks = padded.reshape(rows, side, columns, side)
    return np.asarray(blocks.all(axis=(1, 3)) if all_of else blocks.any(axis=(1, 3)))


def _plan(shown: Mask, opaque: Mask, size_px: tuple[int, int]) -> Plan:
    copied = _rectangles(shown & opaque)
    copied = [box for box in copied if _area(box) >= _LEAST_COPY_TILES]
    rest = shown.copy()
    for x0, y0, x1, y1 in copied:
        rest[y0:y1, x0:x1] = False
    blended = _rectangles(rest)
    # A layer that never shows still gets a tile: the rest needs no special case.
    boxes = copied + blended or [(0, 0, 1, 1)]
    whole = (
        min(box[0] for box in boxes), min(box[1] for box in boxes),
        max(box[2] for box in boxes), max(box[3] for box in boxes),
    )  # fmt: skip
    return Plan(
        _px(whole, size_px),
        tuple(_px(box, size_px) for box in blended),
        tuple(_px(box, size_px) for box in copied),
    )


def _rectangles(tiles: Mask) -> list[Region]:
    """Few rectangles that cover exactly the marked tiles: runs, drawn down as far as they go."""
    left = tiles.copy()
    boxes = []
    for y, x in np.argwhere(tiles).tolist():
        if not left[y, x]:
            continue
        x1 = x
        while x1 < left.shape[1] and left[y, x1]:
            x1 += 1
        y1 = y
        while y1 < left.shape[0] and left[y1, x:x1].all():
            y1 += 1
        left[y:y1, x:x1] = False
        boxes.append((x, y, x1, y1))
    return boxes


def _area(box: Region) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _px(box: Region, size_px: tuple[int, int]) -> Region:
    return (
        box[0] * TILE_PX,
        box[1] * TILE_PX,
        min(size_px[0], box[2] * TILE_PX),
        min(size_px[1], box[3] * TILE_PX),
    )
