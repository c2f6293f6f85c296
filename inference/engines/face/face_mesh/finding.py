"""Finds the presenter in each picture of a film and says it as a browser would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np

from inference.engines.base import Json
from inference.engines.face.face_mesh.detector import FaceDetector, Floats, Picture
from inference.engines.face.face_mesh.mesh import Face, FaceMesh, square_of

Frames = np.ndarray[Any, np.dtype[np.uint8]]
Progress = Callable[[float], None]

# Below this the mesh lies on something that is no face.
_PRESENT: Final = 0.5
# Pictures from one search of the whole picture to the next: for others who come into view.
_SEARCH_EVERY: Final = 5
# Of the presenter's width: what is smaller hangs on the wall.
_BYSTANDER: Final = 0.25
# Points tremble by 0.2 % of a face's width. Pictures that are blended, and their deviation.
_BLENDED, _DEVIATION = 5, 1.0
# Of the face's width from one picture to the next: more is a cut, which must stay one.
_CUT: Final = 0.15


class FaceFinder:
    """Follows the presenter from picture to picture: the largest face of the first search."""

    def __init__(self) -> None:
        """Raises EngineError: the networks are not on this machine."""
        self._detector = FaceDetector()
        self._mesh = FaceMesh()
        self._last: Face | None = None
        self._count = 0

    def look(self, picture: Picture) -> list[Face]:
        """The presenter first, if seen, then others. picture: RGB, the next one of the film."""
        self._last = self._followed(picture)
        faces = [self._last] if self._last else []
        if not faces or self._count % _SEARCH_EVERY == 0:
            faces += self._others(picture, faces)
        self._last = faces[0] if faces else None
        self._count += 1
        return [face for face in faces if face.width >= _BYSTANDER * faces[0].width]

    def _followed(self, picture: Picture) -> Face | None:
        if self._last is None:
            return None
        face = self._mesh.read(picture, self._last.square)
        # Behind a cut the mesh would creep to where the face is now, picture by picture.
        is_here = face.presence > _PRESENT and not _is_cut(self._last.points, face.points)
        return face if is_here else None

    def _others(self, picture: Picture, known: list[Face]) -> list[Face]:
        """Faces that are not known yet, the largest first."""
        others: list[Face] = []
        for found in self._detector.find(picture):
            roughly = self._mesh.read(picture, square_of(found))
            # Again, in the square in which the next pictures are read: no step after the first one.
            face = self._mesh.read(picture, roughly.square)
            is_face = min(roughly.presence, face.presence) > _PRESENT
            if is_face and not any(face.is_same(other) for other in known + others):
                others.append(face)
        return sorted(others, key=lambda face: -face.width)


def find_landmarks(
    frames: Frames, frame_rate: int, progress: Progress = lambda share: None
) -> Json:
    """The document that is posted with a film, one look for each picture. Raises EngineError.

    frames: (n, height * 3 // 2, width) I420. progress: told the share that is done.
    """
    finder = FaceFinder()
    seen: list[list[Floats]] = []
    for frame in frames:
        picture = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_YUV2RGB_I420)
        seen.append([face.points for face in finder.look(np.asarray(picture, np.uint8))])
        progress(len(seen) / len(frames))
    _steady(seen)
    looks = [
        {"at_seconds": number / frame_rate, "faces": [face.round(1).tolist() for face in faces]}
        for number, faces in enumerate(seen)
    ]
    height, width = frames.shape[1] * 2 // 3, frames.shape[2]
    return {"width_px": width, "height_px": height, "frames": looks}


def _steady(seen: list[list[Floats]]) -> None:
    """Blend the presenter's points over time, in each run of pictures without gap or cut."""
    first = 0
    for end in range(1, len(seen) + 1):
        if end < len(seen) and _goes_on(seen[end - 1], seen[end]):
            continue
        run = [faces[0].reshape(-1) for faces in seen[first:end] if faces]
        if run:
            kernel, border = (1, _BLENDED), cv2.BORDER_REPLICATE
            still = cv2.GaussianBlur(np.stack(run), kernel, 0, None, _DEVIATION, border)
            for faces, points in zip(seen[first:end], still, strict=True):
                faces[0] = points.reshape(-1, 2)
        first = end


def _goes_on(before: list[Floats], after: list[Floats]) -> bool:
    """Whether two pictures show one face that moved as a person moves; or both show none."""
    if not before or not after:
        return not before and not after
    return not _is_cut(before[0], after[0])


def _is_cut(before: Floats, after: Floats) -> bool:
    moved = np.linalg.norm(after.mean(axis=0) - before.mean(axis=0))
    return bool(moved > _CUT * np.ptp(before[:, 0]))
