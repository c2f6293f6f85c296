"""What a photo must be like to speak, said in words that a host understands."""

from __future__ import annotations

from typing import Final

import numpy as np

from inference.engines.face.musetalk.bundle import Numbers, Pixels
from inference.engines.face.musetalk.footage_checks import (
    FootageError,
    check_light,
    mouth_opening,
)
from inference.engines.face.musetalk.geometry import Points

MIN_FACE_PX: Final = 200
# Below it everything moves well; more is sharper.
GOOD_FACE_PX: Final = 300
_TILT_DEGREES: Final = 15.0
# Of the nearer half of the face to the other: 1 looks straight at the camera.
_TURNED: Final = 0.6
# Opening over width: an open eye has some 0.3, a shut one 0.1.
_EYE_OPEN: Final = 0.16
_LIPS_APART: Final = 0.10
_EYES: Final = ((36, 39, (37, 41), (38, 40)), (42, 45, (43, 47), (44, 46)))


def check_photo(frames: Pixels, points: Points, boxes: Numbers) -> list[str]:
    """Raises FootageError for what spoils the presenter; returns notes on what merely weakens it.

    frames: (1, height * 3 // 2, width) I420. points: (68, 2) px. boxes: (1, 4) of the face.
    """
    if len(frames) != 1:
        raise not_a_photo()
    height, width = frames.shape[1] * 2 // 3, frames.shape[2]
    if (points < 1).any() or (points > (width - 2, height - 2)).any():
        raise FootageError("face_cut_off", "The face is cut off. Keep all of it in the photo.")
    face_px = _face_px(points)
    if face_px < MIN_FACE_PX:
        raise FootageError(
            "face_too_small",
            f"The face is {face_px} px wide; at least {MIN_FACE_PX} are needed. "
            "Take the photo from nearer, or with a higher resolution.",
        )
    _check_pose(points)
    _check_features(points)
    check_light(frames, boxes)
    if face_px < GOOD_FACE_PX:
        return [f"The face is {face_px} px wide; with {GOOD_FACE_PX} and more it looks sharper."]
    return []


def not_a_photo() -> FootageError:
    return FootageError("not_a_photo", "This presenter is made of one photo, not of a film.")


def _face_px(points: Points) -> int:
    return int(np.hypot(*(points[16] - points[0])))


def _check_pose(points: Points) -> None:
    between = points[36:48].reshape(2, 6, 2).mean(axis=1)
    across, down = between[1] - between[0]
    tilt = abs(float(np.degrees(np.arctan2(down, across))))
    if tilt > _TILT_DEGREES:
        raise FootageError(
            "face_tilted", f"The head is tilted by {tilt:.0f} degrees. Hold it upright."
        )
    axis = np.array([across, down]) / np.hypot(across, down)
    left = float((points[30] - points[2]) @ axis)
    right = float((points[14] - points[30]) @ axis)
    if min(left, right) < _TURNED * max(left, right):
        raise FootageError(
            "face_turned", "The face is turned to the side. Look straight into the camera."
        )


def _check_features(points: Points) -> None:
    for left, right, *gaps in _EYES:
        width = np.hypot(*(points[right] - points[left]))
        opened = np.mean([np.hypot(*(points[a] - points[b])) for a, b in gaps])
        if opened < _EYE_OPEN * width:
            raise FootageError(
                "eyes_shut", "An eye is shut. Take a photo with both eyes open, without sunglasses."
            )
    if float(mouth_opening(points[None])[0]) > _LIPS_APART:
        raise FootageError(
            "mouth_open",
            "The lips are apart. Take a photo with closed lips and without a broad smile: what is "
            "between them is painted when the presenter speaks.",
        )
