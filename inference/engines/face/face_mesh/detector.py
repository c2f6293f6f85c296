"""Where faces are in a picture: BlazeFace (short range), its anchors and its overlapping answers.

Source: Bazarevsky and others, arXiv 1907.05047; the figures are those of MediaPipe's
`face_detection_short_range` graph. Weights: Google, Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.face_mesh.networks import DETECTOR, Network

Picture = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.float32]]

_SIDE_PX: Final = 128
# (cells a side, anchors a cell): strides 8, 16, 16, 16, two anchors each.
_GRIDS: Final = ((16, 2), (8, 6))
_MIN_SCORE: Final = 0.5
# Shared area of two answers, of both areas: more is one face.
_SAME_FACE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Found:
    """A face. box: (4,) px, x0 y0 x1 y1, brow to chin. eyes: (2, 2) px, the left one first."""

    score: float
    box: Floats
    eyes: Floats


class FaceDetector:
    """Looks at squares of a picture, so that a face far from the camera is large enough."""

    def __init__(self) -> None:
        self._network = Network(DETECTOR)
        self._anchors = _anchors()

    def find(self, picture: Picture) -> list[Found]:
        """Faces of an RGB picture (height, width, 3), the surest first."""
        found = [face for square in _squares(picture) for face in self._look(picture, *square)]
        return _without_doubles(found)

    def _look(self, picture: Picture, left: int, top: int, side: int) -> list[Found]:
        """Faces in a square, which may reach out of the picture: it is black there."""
        part = picture[max(0, top) : top + side, max(0, left) : left + side]
        height, width = part.shape[:2]
        above, before = max(0, -top), max(0, -left)
        square = cv2.copyMakeBorder(
            part, above, side - height - above, before, side - width - before, cv2.BORDER_CONSTANT
        )
        small = cv2.resize(square, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        blob = cv2.dnn.blobFromImage(small, 1 / 127.5, mean=(127.5,) * 3)
        logits, shapes = self._network.run(blob)
        return _decoded(logits[0, :, 0], shapes[0], self._anchors, (left, top), side)


def _decoded(
    logits: Floats, shapes: Floats, anchors: Floats, corner: tuple[int, int], side: int
) -> list[Found]:
    """shapes: (896, 16), of the input's px: middle, size, six points; of which two are eyes."""
    scores = 1 / (1 + np.exp(-logits.clip(-80, 80)))
    kept = np.flatnonzero(scores > _MIN_SCORE)
    pairs = shapes[kept].reshape(-1, 8, 2) / _SIDE_PX
    pairs[:, 0] += anchors[kept]
    pairs[:, 2:] += anchors[kept, None]
    pairs *= side
    move = np.array(corner, np.float32)
    return [
        Found(
            float(score),
            np.concatenate([pair[0] - pair[1] / 2, pair[0] + pair[1] / 2]) + np.tile(move, 2),
            pair[2:4] + move,
        )
        for score, pair in zip(scores[kept], pairs, strict=True)
    ]


def _anchors() -> Floats:
    """(896, 2) middles of the anchors, 0..1, x y; row by row, the anchors of a cell together."""
    made = []
    for cells, each in _GRIDS:
        rows, columns = np.mgrid[:cells, :cells]
        middles = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / cells
        made.append(np.repeat(middles, each, axis=0))
    return np.concatenate(made).astype(np.float32)


def _squares(picture: Picture) -> list[tuple[int, int, int]]:
    """left, top, side: the whole with black beside it, then both ends and the middle of its length.

    The network sees no face under a fifth of its input.
    """
    height, width = picture.shape[:2]
    side, long = min(height, width), max(height, width)
    whole = ((width - long) // 2, (height - long) // 2, long)
    if long < 1.2 * side:
        return [whole]
    places = (0, (long - side) // 2, long - side)
    return [whole, *((at, 0, side) if width > height else (0, at, side) for at in places)]


def _without_doubles(found: list[Found]) -> list[Found]:
    """Answers for one face become their mean, weighed by score, as MediaPipe blends them."""
    rest = sorted(found, key=lambda face: -face.score)
    faces = []
    while rest:
        same = [face for face in rest if _overlap(face.box, rest[0].box) > _SAME_FACE]
        rest = [face for face in rest if not any(face is other for other in same)]
        weights = [face.score for face in same]
        box = np.average([face.box for face in same], axis=0, weights=weights)
        eyes = np.average([face.eyes for face in same], axis=0, weights=weights)
        faces.append(Found(same[0].score, box.astype(np.float32), eyes.astype(np.float32)))
    return faces


def _overlap(one: Floats, other: Floats) -> float:
    size = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(size.clip(0).prod())
    areas = [float((box[2:] - box[:2]).clip(0).prod()) for box in (one, other)]
    return common / max(sum(areas) - common, 1e-6)
