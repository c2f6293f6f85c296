"""Face points of an upload, moved to the frames of the film.

They were found here (`face_mesh.finding`) or came with it as JSON:

    {"width_px": 1280, "height_px": 720, "frames": [{"at_seconds": 0.0, "faces": [[[x, y], …]]}, …]}

Each face has 68 points in the order of 300-W, or the 468 (478) of MediaPipe's face mesh, or the 17
marks of `marks`, set by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError, Json
from inference.engines.face.musetalk.geometry import Points
from inference.engines.face.musetalk.marks import MARKS, points_of_marks

MAX_BYTES: Final = 64 * 1024 * 1024
# Between two looks the face is on the line between them, unless they are further apart.
MAX_GAP_SECONDS: Final = 0.25
MAX_MISSING_SHARE: Final = 0.05

# Face mesh → 68 points: jaw, brows, nose, eyes, outer and inner lips.
_MESH: Final = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip


class LandmarksError(EngineError):
    """The points cannot be used; the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, retryable=False)


class _SideError(ValueError):
    """The document has a size that no picture has; said in words."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen. seconds: (m,) rising. points: (m, 68, 2) px. missing: looks without a face."""

    width_px: int
    height_px: int
    seconds: np.ndarray[Any, np.dtype[np.float64]]
    points: Points
    missing: int


@dataclass(frozen=True, slots=True)
class Tracked:
    """Points of each frame. missing: frames whose points are those of the last good one."""

    points: Points
    missing: int


def read_landmarks(given: Path | Json) -> Looks:
    """The points of a document or its file. Raises LandmarksError: malformed, no or two faces."""
    if isinstance(given, Path) and given.stat().st_size > MAX_BYTES:
        raise LandmarksError("landmarks_too_large", "The face points are over 64 MB.")
    try:
        document = json.loads(given.read_bytes()) if isinstance(given, Path) else given
        width, height = _side(document, "width_px"), _side(document, "height_px")
        frames = [(float(item["at_seconds"]), list(item["faces"])) for item in document["frames"]]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise _malformed(_what_is_wrong(error)) from error
    frames.sort(key=lambda item: item[0])
    _refuse_two_faces(frames)
    seen = [(at, _points(faces[0])) for at, faces in frames if faces]
    if not seen or len(seen) < (1 - MAX_MISSING_SHARE) * len(frames):
        raise LandmarksError(
            "no_face",
            f"A face was found in {len(seen)} of {len(frames)} pictures. "
            "Film the person from the front, in good light, all the time.",
        )
    points = np.stack([item for _, item in seen])
    seconds = np.array([at for at, _ in seen])
    return Looks(width, height, seconds, points, len(frames) - len(seen))


def points_of_frames(looks: Looks, count: int, frame_rate: int, size: tuple[int, int]) -> Tracked:
    """(count, 68, 2) px of a film of another size and rate. Raises LandmarksError for gaps."""
    width, height = size
    ratio = (looks.width_px / looks.height_px) / (width / height)
    if not 0.98 < ratio < 1.02:
        raise LandmarksError(
            "landmarks_of_another_picture",
            f"The face points are of a picture of {looks.width_px}x{looks.height_px}, the film has "
            f"{width}x{height}: another shape.",
        )
    scale = np.array([width / looks.width_px, height / looks.height_px], np.float32)
    at = np.arange(count) / frame_rate
    after = np.searchsorted(looks.seconds, at).clip(0, len(looks.seconds) - 1)
    before = (after - 1).clip(0)
    before = np.where(looks.seconds[after] <= at, after, before)
    gap = np.minimum(np.abs(looks.seconds[after] - at), np.abs(at - looks.seconds[before]))
    is_photo = count == 1
    missing = 0 if is_photo else int((gap > MAX_GAP_SECONDS).sum())
    if missing > MAX_MISSING_SHARE * count:
        raise LandmarksError(
            "no_face",
            f"{missing} of {count} pictures have no face points near them. "
            "Upload the points of the whole video.",
        )
    span = looks.seconds[after] - looks.seconds[before]
    share = np.where(span > 0, (at - looks.seconds[before]) / np.where(span > 0, span, 1), 0)
    share = share.clip(0, 1)[:, None, None].astype(np.float32)
    mixed = looks.points[before] * (1 - share) + looks.points[after] * share
    return Tracked((mixed * scale).astype(np.float32), missing)


def _points(face: Any) -> Points:
    try:
        points = np.array(face, np.float32)
    except (ValueError, TypeError) as error:
        raise _malformed("points are pairs of numbers") from error
    if points.ndim != 2 or points.shape[1] not in (2, 3) or not np.isfinite(points).all():
        raise _malformed("points are pairs of numbers")
    points = points[:, :2]
    if len(points) in (468, 478):
        points = points[list(_MESH)]
    if len(points) == len(MARKS):
        points = points_of_marks(points)
    if len(points) != 68 or np.abs(points).max() > 100_000:
        raise _malformed("a face has 68 points, 468 or 478 of the face mesh, or 17 marks, in px")
    return points


def _refuse_two_faces(frames: list[tuple[float, list[Any]]]) -> None:
    crowded = [at for at, faces in frames if len(faces) > 1]
    if crowded:
        raise LandmarksError(
            "two_faces",
            f"More than one face is in the picture at {crowded[0]:.1f} s. "
            "Only the presenter may be seen.",
        )


def _side(document: Any, name: str) -> int:
    value = document[name]
    if type(value) is not int or not 16 <= value <= 16_384:
        raise _SideError(f"{name} must be a whole number of px")
    return value


def _what_is_wrong(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "the file is not JSON"
    return (
        str(error) if isinstance(error, _SideError) else "its fields are not those of face points"
    )


def _malformed(reason: str) -> LandmarksError:
    return LandmarksError("bad_landmarks", f"The face points cannot be read: {reason}.")
