"""Draws a pose: warps the baked layers, blends them over the background, hands out I420.

OpenCV and numpy only, one thread: each layer is a handful of calls over all its tiles at once, so
the cost hardly depends on how complicated the drawing is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from inference.engines.base import Picture
from inference.engines.face.puppet import eyes, gestures, mouth
from inference.engines.face.puppet.bake import Art, Pixels, sprite_size
from inference.engines.face.puppet.coverage import MIXED, OPAQUE, Stroke, TiledLayers
from inference.engines.face.puppet.parameters import BODY_PARAMETERS
from inference.engines.face.puppet.tiles import (
    Blender,
    Mask,
    Numbers,
    Spread,
    TileGrid,
    TilePicture,
    tile_side_px,
)

Pose = dict[str, float]
Box = tuple[int, int, int, int]

_LEAST: Final = 0.02
# All of the face but the mouth, in steps too small to see: a fifth of a px of the iris.
_UPPER: Final = (
    "ParamCheek", "ParamEyeBallX", "ParamEyeBallY",
    *(f"Param{part}" for part in (
        "EyeLOpen", "EyeROpen", "EyeLSmile", "EyeRSmile", "BrowLY", "BrowRY", "BrowLAngle",
        "BrowRAngle", "BrowLForm", "BrowRForm",
    )),
)  # fmt: skip
_UPPER_STEPS: Final = 64
# Half the side of the iris sprite, in art units.
_IRIS: Final = 24
# Tiles are bent and laid down in lots, so that all between the first look at the drawing and the
# canvas stays in a processor's own cache (1 MiB on an AMD EPYC of 2026).
_AT_ONCE: Final = 256

cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a layer that follows the body alone is painted, in all its tiles, and what it hides."""

    stroke: Stroke
    hides: Mask


class _Body:
    """A layer that follows the body alone, and what was last painted of it: poses repeat."""

    def __init__(self, layers: TiledLayers, name: str, ground: Pixels) -> None:
        self._layers, self._name = layers, name
        self._shapes: dict[tuple[float, ...], _Shape] = {}
        self.pixels = np.empty_like(ground[: layers.tiles(name)])
        self.painted: Stroke | None = None

    def shapes(self, poses: Sequence[Pose], hidden: Mask) -> list[_Shape]:
        """One for each pose, the same for the same: those tiles too that are hidden now.

        hidden: any mask of the grid.
        """
        values = [tuple(pose[name] for name in BODY_PARAMETERS) for pose in poses]
        new = {value: pose for value, pose in zip(values, poses, strict=True)
               if value not in self._shapes}  # fmt: skip
        known = {value: shape for value, shape in self._shapes.items() if value in values}
        if new:
            self._layers.bend(list(new.values()))
            for number, value in enumerate(new):
                hides = np.zeros_like(hidden)
                known[value] = _Shape(self._layers.stroke(self._name, number, hides), hides)
        self._shapes = known
        return [known[value] for value in values]


class Compositor:
    """Owns the working pictures of one size; not thread-safe.

    planned: False draws every layer everywhere, which is slow and the measure of the plan.
    """

    def __init__(self, art: Art, *, planned: bool = True) -> None:
        self._art, self._scale = art, art.placement.scale
        height, width = art.ground.shape[:2]
        self._grid = TileGrid(width, height, tile_side_px(self._scale))
        on_head = [layer for layer in art.rig.layers if layer.follows_head]
        self._order = [layer.name for layer in art.rig.layers]
        self._head_layers = TiledLayers(art, on_head, self._grid, planned=planned)
        self._arms = [
            (arm.parameter, TiledLayers(art, [arm], self._grid, planned=planned))
            for arm in gestures.ARMS
        ]
        self._ground = self._grid.cut(art.ground)
        self._spread = Spread(self._grid.side_px)
        self._picture = TilePicture(self._grid, art.ground_i420)
        self._canvas = np.empty_like(self._ground)
        self._bodies = {
            layer.name: _Body(
                TiledLayers(art, [layer], self._grid, planned=planned), layer.name, self._ground
            )
            for layer in art.rig.layers
            if not layer.follows_head
        }
        few = self._ground[:_AT_ONCE]
        self._over, self._under = np.empty_like(few), np.empty_like(few)
        self._maps = np.empty((2 * _AT_ONCE, few.shape[1]), np.float32)
        self._blend = Blender(self._ground.size // 4).blend
        self._face = art.layers["head"]
        self._head = self._face.pixels.copy()
        self._flipped = _mirror(art)
        self._upper: tuple[float, ...] | None = None
        self._bare_mouth = np.empty_like(self._at("mouth", mouth.BOX))

    def draw(self, pose: Pose, out: Picture, body: Pose | None = None) -> None:
        """Draw into out: (height * 3 // 2, width) uint8 I420, BT.601 limited range.

        out: new, or as the last call with it left it.
        body: the pose that bends the body itself, if another; repeated, it is hardly drawn again.
        """
        [strokes] = self.plan([pose], [body or pose])
        self.draw_planned(pose, strokes, out)

    def draw_planned(self, pose: Pose, strokes: Sequence[Stroke], out: Picture) -> None:
        """Draw what `plan` has said of a pose."""
        self.draw_face(pose)
        numbers, tiles = self.paint(strokes)
        self.write(numbers, tiles, out)

    def plan(self, poses: Sequence[Pose], bodies: Sequence[Pose]) -> list[list[Stroke]]:
        """What to paint in each pose, lowest layer first.

        bodies: the poses that bend the body. Several poses at once cost little more than one.
        """
        hidden = np.zeros((len(poses), self._grid.rows, self._grid.columns), np.bool_)
        self._head_layers.bend(poses)
        shapes = {name: body.shapes(bodies, hidden[0]) for name, body in self._bodies.items()}
        plans = [self._raised(pose, seen) for pose, seen in zip(poses, hidden, strict=True)]
        for number, (strokes, seen) in enumerate(zip(plans, hidden, strict=True)):
            for name in reversed(self._order):
                if name in shapes:
                    shape = shapes[name][number]
                    strokes.append(shape.stroke)
                    seen |= shape.hides
                else:
                    strokes.append(self._head_layers.stroke(name, number, seen))
        return [strokes[::-1] for strokes in plans]

    def _raised(self, pose: Pose, hidden: Mask) -> list[Stroke]:
        """The arms that are up, the uppermost first; looked at from above, as all that follows."""
        strokes = []
        for parameter, arm in reversed(self._arms):
            if pose[parameter] > 0.0:
                arm.bend([pose])
                strokes.append(arm.stroke(arm.names[0], 0, hidden))
        return strokes

    def paint(self, strokes: Sequence[Stroke]) -> tuple[Numbers, Pixels]:
        """The numbers of the tiles that are painted, and their pixels, valid until the next."""
        kinds = np.zeros(len(self._ground), np.uint8)
        for stroke in reversed(strokes):  # the lowest has the last word
            kinds[stroke.numbers[: stroke.mixed]] = MIXED
            kinds[stroke.numbers[stroke.mixed :]] = OPAQUE
        numbers = np.flatnonzero(kinds)
        places = np.zeros(len(self._ground), np.int64)
        places[numbers] = np.arange(len(numbers))
        canvas = self._canvas[: len(numbers)]
        seen = np.flatnonzero(kinds == MIXED)
        canvas[places[seen]] = self._ground[seen]
        for stroke in strokes:
            self._paint(stroke, places[stroke.numbers], canvas)
        return numbers, canvas

    def write(self, numbers: Numbers, tiles: Pixels, out: Picture) -> None:
        """Put painted tiles over the background."""
        self._picture.write(numbers, tiles, out)

    def _paint(self, stroke: Stroke, places: Numbers, canvas: Pixels) -> None:
        """Bend a layer's tiles and lay them on the canvas. places: their numbers on the canvas."""
        body = self._bodies.get(stroke.layer)
        for first in range(0, len(places), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            over = self._over if body is None else body.pixels[part]
            over = over[: len(places[part])]
            if body is None or body.painted is not stroke:
                self._bend(stroke, part, over)
            self._lay(over, places[part], max(0, stroke.mixed - first), canvas)
        if body is not None:
            body.painted = stroke

    def _bend(self, stroke: Stroke, part: slice, out: Pixels) -> None:
        pixels = self._head if stroke.layer == "head" else self._art.layers[stroke.layer].pixels
        map_x, map_y = self._spread(stroke.corners[:, part], self._maps)
        cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, dst=out)

    def _lay(self, over: Pixels, places: Numbers, mixed: int, canvas: Pixels) -> None:
        """Put tiles on the canvas; the first `mixed` of them show what is below."""
        if mixed:
            under = self._under[: len(places[:mixed])]
            np.take(canvas, places[:mixed], axis=0, out=under, mode="clip")
            self._blend(under, over[:mixed])
            canvas[places[:mixed]] = under
        canvas[places[mixed:]] = over[mixed:]

    def draw_face(self, pose: Pose) -> None:
        """Lay cheeks, eyes, brows and mouth of this pose on the drawing of the head.

        Between blinks and glances only the mouth moves: the rest is drawn when it changes.
        """
        steady = {name: round(pose[name] * _UPPER_STEPS) / _UPPER_STEPS for name in _UPPER}
        upper = tuple(steady.values())
        if upper != self._upper:
            self._draw_upper(steady)
            np.copyto(self._bare_mouth, self._at("mouth", mouth.BOX))
            self._upper = upper
        else:
            np.copyto(self._at("mouth", mouth.BOX), self._bare_mouth)
        self._draw_mouth(pose)

    def _draw_upper(self, pose: Pose) -> None:
        np.copyto(self._head, self._face.pixels)
        self._draw_cheeks(pose["ParamCheek"])
        for side in ("L", "R"):
            self._draw_eye(pose, side)
            self._draw_brow(pose, side)

    def _at(self, name: str, box: Box) -> Pixels:
        """The part of the head under a sprite whose anchor is `name`."""
        x, y = self._art.rig.anchors[name]
        width, height = sprite_size(box, self._scale)
        place = self._art.placement
        left = round((x + box[0]) * self._scale + place.left_px) - self._face.left_px
        top = round((y + box[1]) * self._scale + place.top_px) - self._face.top_px
        return self._head[top : top + height, left : left + width]

    def _draw_cheeks(self, strength: float) -> None:
        if strength < _LEAST:
            return
        cheek = self._art.cheek
        left, top = cheek.left_px - self._face.left_px, cheek.top_px - self._face.top_px
        height, width = cheek.pixels.shape[:2]
        over = cv2.convertScaleAbs(cheek.pixels, alpha=min(1.0, strength))
        self._blend(self._head[top : top + height, left : left + width], over)

    def _draw_eye(self, pose: Pose, side: str) -> None:
        opening, smile = pose[f"ParamEye{side}Open"], pose[f"ParamEye{side}Smile"]
        whites, lashes = self._flipped[side, "whites"], self._flipped[side, "lashes"]
        lids = ((eyes.OPENINGS, opening), (eyes.SMILES, smile))
        patch = self._at("eye_left" if side == "L" else "eye_right", eyes.EYE_BOX)
        if opening > _LEAST:
            white = _sample(whites, *lids).copy()
            self._draw_iris(white, pose)
            self._blend(patch, white)
        self._blend(patch, _sample(lashes, *lids))

    def _draw_iris(self, white: Pixels, pose: Pose) -> None:
        """Paint the iris into the white, whose alpha clips it."""
        forms, scale = self._art.rig.keyforms, self._scale
        left, top = eyes.EYE_BOX[:2]
        height, width = self._art.iris.shape[:2]
        x = forms["ParamEyeBallX"]["iris_shift"] * pose["ParamEyeBallX"]
        y = -forms["ParamEyeBallY"]["iris_shift"] * pose["ParamEyeBallY"]
        # Where the iris comes to lie in px of the white: whole px by its box, the rest by the warp.
        at_x, at_y = (x - _IRIS - left) * scale, (y - _IRIS - top) * scale
        column, row = math.floor(at_x), math.floor(at_y)
        move = np.array([[1, 0, at_x - column], [0, 1, at_y - row]], np.float32)
        box = white[max(0, row) : row + height + 1, max(0, column) : column + width + 1]
        iris = cv2.warpAffine(self._art.iris, move, (width + 1, height + 1))
        iris = iris[max(0, -row) :, max(0, -column) :][: box.shape[0], : box.shape[1]]
        mask = cv2.extractChannel(box, 3)
        clip = cv2.merge((mask, mask, mask, mask))
        self._blend(box, cv2.multiply(iris, clip, scale=1 / 255))

    def _draw_brow(self, pose: Pose, side: str) -> None:
        brows = self._flipped[side, "brows"]
        forms, scale = self._art.rig.keyforms, self._scale
        sprite = _sample(brows, (eyes.BROW_FORMS, pose[f"ParamBrow{side}Form"]))
        patch = self._at("brow_left" if side == "L" else "brow_right", eyes.BROW_BOX)
        # Positive angle lifts the inner end, as in Live2D; the right brow is a mirror image.
        degrees = forms["ParamBrowAngle"]["brow_degrees"] * pose[f"ParamBrow{side}Angle"]
        turn = cv2.getRotationMatrix2D(
            (sprite.shape[1] / 2, sprite.shape[0] / 2), degrees if side == "L" else -degrees, 1.0
        )
        turn[1, 2] -= forms["ParamBrowY"]["brow_shift"] * pose[f"ParamBrow{side}Y"] * scale
        self._blend(patch, cv2.warpAffine(sprite, turn, (sprite.shape[1], sprite.shape[0])))

    def _draw_mouth(self, pose: Pose) -> None:
        sprite = _sample(
            self._art.mouths,
            (mouth.OPENINGS, pose["ParamMouthOpenY"]),
            (mouth.FORMS, pose["ParamMouthForm"]),
            (mouth.PUCKERS, pose["MouthPucker"]),
        )
        self._blend(self._at("mouth", mouth.BOX), sprite)


def _mirror(art: Art) -> dict[tuple[str, str], Pixels]:
    """The sprites by side: the right of the picture shows mirror images."""
    sprites = {}
    for name in ("whites", "lashes", "brows"):
        grid: Pixels = getattr(art, name)
        sprites["L", name] = grid
        sprites["R", name] = np.ascontiguousarray(grid[..., ::-1, :])
    return sprites


def _sample(grid: Pixels, *axes: tuple[tuple[float, ...], float]) -> Pixels:
    """The sprite at a point of a grid, blended from its neighbours along each axis in turn."""
    if not axes:
        return grid
    stops, value = axes[0]
    index = min(max(bisect_right(stops, value) - 1, 0), len(stops) - 2)
    share = (value - stops[index]) / (stops[index + 1] - stops[index])
    if share < _LEAST:
        return _sample(grid[index], *axes[1:])
    if share > 1 - _LEAST:
        return _sample(grid[index + 1], *axes[1:])
    low, high = _sample(grid[index], *axes[1:]), _sample(grid[index + 1], *axes[1:])
    return np.asarray(cv2.addWeighted(low, 1 - share, high, share, 0), np.uint8)
