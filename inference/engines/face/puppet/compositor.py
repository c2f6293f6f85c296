"""Draws a pose: warps the baked layers, blends them over the background, hands out I420.

OpenCV only, one thread: a frame is a few large `remap` and `multiply` calls, so the
cost hardly depends on how complicated the drawing is.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.base import Picture
from inference.engines.face.puppet import eyes, mouth
from inference.engines.face.puppet.bake import Art, Pixels, sprite_size
from inference.engines.face.puppet.coverage import Plan, plan_layers
from inference.engines.face.puppet.warp import LayerWarp, Region

Pose = dict[str, float]
Box = tuple[int, int, int, int]

_LEAST: Final = 0.02
# Half the side of the iris sprite, in art units.
_IRIS: Final = 24

cv2.setNumThreads(1)


class Blender:
    """Lays one picture over another, with working memory that is allocated once.

    Fresh arrays of this size would be mapped and faulted in at every call, which costs more than
    the arithmetic.
    """

    def __init__(self, most_pixels: int) -> None:
        self._clear = np.empty(most_pixels, np.uint8)
        self._inverse = np.empty(most_pixels * 4, np.uint8)

    def blend(self, canvas: Pixels, over: Any) -> None:
        """Lay `over` on `canvas`, both (h, w, 4) uint8 premultiplied; canvas changes in place."""
        height, width = canvas.shape[:2]
        count = height * width
        clear = self._clear[:count].reshape(height, width)
        inverse = self._inverse[: 4 * count].reshape(height, width, 4)
        cv2.extractChannel(over, 3, dst=clear)
        cv2.bitwise_not(clear, dst=clear)
        cv2.merge((clear, clear, clear, clear), dst=inverse)
        cv2.multiply(canvas, inverse, dst=inverse, scale=1 / 255)
        cv2.add(inverse, over, dst=canvas)


class Compositor:
    """Owns the working pictures of one size; not thread-safe.

    planned: False draws every layer everywhere, which is slow and the measure of the plan.
    """

    def __init__(self, art: Art, *, planned: bool = True) -> None:
        self._art = art
        rig, scale = art.rig, art.placement.scale
        height, width = art.ground.shape[:2]
        self._height, self._width = height, width
        everywhere = Plan((0, 0, width, height), ((0, 0, width, height),), ())
        self._plans = plan_layers(art) if planned else [everywhere] * len(rig.layers)
        self._warps = [
            LayerWarp(rig, layer, art.layers[layer.name], art.placement, plan.region)
            for layer, plan in zip(rig.layers, self._plans, strict=True)
        ]
        self._region = _union([plan.region for plan in self._plans])
        x0, y0, x1, y1 = self._region
        self._ground = np.ascontiguousarray(art.ground[y0:y1, x0:x1])
        self._canvas = np.empty_like(self._ground)
        self._scratch = np.empty(self._ground.size, np.uint8)
        self._yuv = np.empty((self._ground.shape[0] * 3 // 2, self._ground.shape[1]), np.uint8)
        self._blend = Blender(self._ground.size // 4).blend
        self._face = art.layers["head"]
        self._head = self._face.pixels.copy()
        self._scale = scale
        self._flipped = _mirror(art)

    def draw(self, pose: Pose, out: Picture) -> None:
        """Draw into out: (height * 3 // 2, width) uint8 I420, BT.601 limited range."""
        self._draw_face(pose)
        np.copyto(self._canvas, self._ground)
        for warp, plan in zip(self._warps, self._plans, strict=True):
            warp.bend(pose)
            pixels = self._head if warp.name == "head" else self._art.layers[warp.name].pixels
            for part in plan.copied:
                warp.pull(pixels, part, self._part(part))
            for part in plan.blended:
                under = self._part(part)
                over = self._scratch[: under.size].reshape(under.shape)
                warp.pull(pixels, part, over)
                self._blend(under, over)
        self._write_i420(out)

    def _part(self, part: Region) -> Pixels:
        """The canvas under a rectangle of the picture."""
        left, top = self._region[:2]
        return self._canvas[part[1] - top : part[3] - top, part[0] - left : part[2] - left]

    def _write_i420(self, out: Picture) -> None:
        np.copyto(out, self._art.ground_i420)
        x0, y0, x1, y1 = self._region
        width, height = x1 - x0, y1 - y0
        part = cv2.cvtColor(self._canvas, cv2.COLOR_BGRA2YUV_I420, dst=self._yuv)
        out[y0:y1, x0:x1] = part[:height]
        chroma = part[height:].reshape(2, height // 2, width // 2)
        planes = out[self._height :].reshape(2, self._height // 2, self._width // 2)
        planes[:, y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = chroma

    def _draw_face(self, pose: Pose) -> None:
        np.copyto(self._head, self._face.pixels)
        self._draw_cheeks(pose["ParamCheek"])
        for side in ("L", "R"):
            self._draw_eye(pose, side)
            self._draw_brow(pose, side)
        self._draw_mouth(pose)

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
        x = forms["ParamEyeBallX"]["iris_shift"] * pose["ParamEyeBallX"]
        y = -forms["ParamEyeBallY"]["iris_shift"] * pose["ParamEyeBallY"]
        move = np.array(
            [[1, 0, (x - _IRIS - left) * scale], [0, 1, (y - _IRIS - top) * scale]], np.float32
        )
        size = (white.shape[1], white.shape[0])
        iris = cv2.warpAffine(self._art.iris, move, size)
        mask = cv2.extractChannel(white, 3)
        clip = cv2.merge((mask, mask, mask, mask))
        self._blend(white, cv2.multiply(iris, clip, scale=1 / 255))

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


def _union(regions: list[Region]) -> Region:
    x0 = min(region[0] for region in regions)
    y0 = min(region[1] for region in regions)
    x1 = max(region[2] for region in regions)
    y1 = max(region[3] for region in regions)
    return x0, y0, x1, y1
