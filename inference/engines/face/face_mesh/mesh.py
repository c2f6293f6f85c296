"""The 468 points of one face: MediaPipe's face mesh, in a square that is turned as the face is.

Source: Kartynnik and others, arXiv 1907.06724; the figures are those of MediaPipe's
`face_landmark` graphs. Weights: Google, Apache-2.0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from inference.engines.face.face_mesh.detector import Floats, Found, Picture
from inference.engines.face.face_mesh.networks import MESH, Network

POINTS: Final = 468
_SIDE_PX: Final = 192
# The square's side, of the longer side of a face's box.
_ROOM: Final = 1.5
_EYE_CORNERS: Final = (33, 263)


@dataclass(frozen=True, slots=True)
class Square:
    """Where a face is read. x, y: its middle, px. side: px. radians: its turn, clockwise."""

    x: float
    y: float
    side: float
    radians: float

    @classmethod
    def around(cls, box: Floats, left_eye: Floats, right_eye: Floats) -> Square:
        """box: x0 y0 x1 y1 px. The eyes are named as they are seen."""
        across = right_eye - left_eye
        (x, y), side = (box[:2] + box[2:]) / 2, _ROOM * float((box[2:] - box[:2]).max())
        return cls(float(x), float(y), side, math.atan2(float(across[1]), float(across[0])))


@dataclass(frozen=True, slots=True)
class Face:
    """presence: 0..1, that there is a face at all. points: (468, 2) px of the picture."""

    presence: float
    points: Floats

    @property
    def square(self) -> Square:
        """Where to look for it in the next picture."""
        box = np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])
        left, right = (self.points[index] for index in _EYE_CORNERS)
        return Square.around(box, left, right)

    @property
    def width(self) -> float:
        """px of the picture."""
        return float(np.ptp(self.points[:, 0]))

    def is_same(self, other: Face) -> bool:
        """Whether two meshes lie on one face: their middles are nearer than half of it."""
        apart = np.linalg.norm(self.points.mean(axis=0) - other.points.mean(axis=0))
        return bool(apart < max(self.width, other.width) / 2)


class FaceMesh:
    """Reads faces whose place is known."""

    def __init__(self) -> None:
        self._network = Network(MESH)

    def read(self, picture: Picture, square: Square) -> Face:
        """picture: RGB (height, width, 3)."""
        to_picture = _to_picture(square)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(
            picture, to_picture, (_SIDE_PX,) * 2, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        logit, values = self._network.run(cv2.dnn.blobFromImage(part, 1 / 255))
        flat = values.reshape(POINTS, 3)[:, :2]
        points = flat @ to_picture[:, :2].T + to_picture[:, 2]
        presence = 1 / (1 + math.exp(-max(-80.0, min(80.0, float(logit.item())))))
        return Face(presence, points.astype(np.float32))


def square_of(found: Found) -> Square:
    """Where a face that was detected is read."""
    return Square.around(found.box, *found.eyes)


def _to_picture(square: Square) -> Floats:
    """(2, 3): from px of the network's input to px of the picture."""
    scale = square.side / _SIDE_PX
    cosine, sine = scale * math.cos(square.radians), scale * math.sin(square.radians)
    half = _SIDE_PX / 2
    x = square.x - half * (cosine - sine)
    y = square.y - half * (sine + cosine)
    return np.array([[cosine, -sine, x], [sine, cosine, y]], np.float32)
