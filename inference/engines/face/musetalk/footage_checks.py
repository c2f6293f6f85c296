"""What a film must be like to become an avatar, said in words that a host understands."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError
from inference.engines.face.musetalk.bundle import Numbers, Pixels
from inference.engines.face.musetalk.geometry import Points

MIN_FACE_PX: Final = 200
_DARK, _BRIGHT = 45.0, 225.0
_FLAT: Final = 6.0
# Opening of the inner lips over the mouth's width; a closed mouth has some 0.02.
_OPEN: Final = 0.12
_INNER_LIPS: Final = ((61, 67), (62, 66), (63, 65))
_CORNERS: Final = (48, 54)
# Of the box's width between two pictures: more is a cut, or another person.
_JUMP: Final = 0.25


class FootageError(EngineError):
    """The upload cannot become a presenter; the message says what to film instead."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, retryable=False)


def check_footage(
    frames: Pixels, boxes: Numbers, points: Points, frame_rate: int, idle_frames: int
) -> list[str]:
    """Raises FootageError for what spoils the presenter; returns notes on what merely weakens it.

    frames: (n, height * 3 // 2, width) I420, of which the first `idle_frames` go to and fro.
    """
    _check_size(boxes)
    check_light(frames, boxes)
    _check_jumps(boxes, frame_rate)
    return _notes_on_mouth(points, idle_frames)


def mouth_opening(points: Points) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n,) how far the lips are apart, of the mouth's width. points: (n, 68, 2)."""
    gaps = [np.linalg.norm(points[:, a] - points[:, b], axis=1) for a, b in _INNER_LIPS]
    width = np.linalg.norm(points[:, _CORNERS[0]] - points[:, _CORNERS[1]], axis=1)
    opening: np.ndarray[Any, np.dtype[np.float64]] = np.mean(gaps, axis=0) / np.maximum(width, 1)
    return opening


def _check_size(boxes: Numbers) -> None:
    sides = boxes[:, 2:] - boxes[:, :2]
    smallest = int(sides.min())
    if smallest < MIN_FACE_PX:
        raise FootageError(
            "face_too_small",
            f"The face is {smallest} px wide or high; at least {MIN_FACE_PX} are needed. "
            "Come nearer to the camera, or film with a higher resolution.",
        )


def check_light(frames: Pixels, boxes: Numbers) -> None:
    """Raises FootageError for faces that are too dark, too bright, or without any detail."""
    looked = np.linspace(0, len(frames) - 1, min(len(frames), 8)).astype(int)
    faces = [
        frames[index][boxes[index][1] : boxes[index][3], boxes[index][0] : boxes[index][2]]
        for index in looked
    ]
    light = float(np.mean([face.mean() for face in faces]))
    contrast = float(np.mean([face.std() for face in faces]))
    if light < _DARK:
        raise FootageError("too_dark", "The face is too dark. Turn on a light in front of it.")
    if light > _BRIGHT:
        raise FootageError("too_bright", "The face is overexposed. Turn the light down.")
    if contrast < _FLAT:
        raise FootageError("no_detail", "There is nothing to see where the face should be.")


def _check_jumps(boxes: Numbers, frame_rate: int) -> None:
    if len(boxes) < 2:
        return
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    moved = np.linalg.norm(np.diff(middles, axis=0), axis=1)
    worst = int(moved.argmax())
    if moved[worst] > _JUMP * (boxes[worst, 2] - boxes[worst, 0]):
        raise FootageError(
            "face_jumps",
            f"The face jumps at {(worst + 1) / frame_rate:.1f} s: there is a cut, or it moves too "
            "fast. Upload one uncut take.",
        )


def _notes_on_mouth(points: Points, idle_frames: int) -> list[str]:
    opening = mouth_opening(points)
    if max(opening[0], opening[idle_frames - 1], opening[-1]) > _OPEN:
        raise FootageError(
            "mouth_open_at_ends",
            "The mouth is open at the beginning or the end. Begin and end with closed lips: the "
            "film is played to and fro.",
        )
    talking = float((opening > _OPEN).mean())
    if talking > 0.1:
        return [
            f"The mouth is open in {talking:.0%} of the pictures; in pauses the presenter will "
            "seem to talk without sound. A film with closed lips looks better."
        ]
    return []
