"""Which px of a photo a motion may take along: the person's, fading to nothing at the outline.

GrabCut (Rother and others, 2004) tells person from background by colour; it needs no weights. Where
it is wrong the rim of the hair moves a little more or less: the face itself is always free.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.engines.face.musetalk.geometry import JAW, Points
from inference.engines.face.portrait.axes import Floats, Pixels

# The colours are judged in a picture so small; a second of a processor.
_WORK_PX: Final = 320
_ROUNDS: Final = 4
# Of the face's width: from the outline inwards the motion grows to its full size.
_RAMP: Final = 0.12
_SEED: Final = 7


def person_hold(picture: Pixels, points: Points) -> Pixels:
    """(height, width) uint8: 255 where nothing holds a px back, 0 in the background.

    picture: (height, width, 3) BGR. points: (68, 2) px.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _WORK_PX / max(height, width))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    near = points * scale
    person = _person(np.asarray(small, np.uint8), near)
    face_px = float(np.hypot(*(near[16] - near[0])))
    distance = cv2.distanceTransform(person, cv2.DIST_L2, 5)
    hold = np.clip(distance / (_RAMP * face_px) - 0.25, 0, 1)
    hold = np.maximum(hold, _oval(near, hold.shape, face_px))
    hold = cv2.GaussianBlur(hold.astype(np.float32), (0, 0), 0.03 * face_px)
    hold = cv2.resize(hold, (width, height))
    return np.asarray(np.rint(255 * np.clip(hold, 0, 1)), np.uint8)


def _person(small: Pixels, points: Points) -> Pixels:
    """1 where the person is, else 0."""
    marks = _guess(small.shape[:2], points)
    models = [np.zeros((1, 65)) for _ in "ab"]
    cv2.setRNGSeed(_SEED)  # the same photo gives the same bundle
    nowhere = (0, 0, 1, 1)  # a rectangle that marks replace
    cv2.grabCut(small, marks, nowhere, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    is_person = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    closed = cv2.morphologyEx(is_person.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel), np.uint8)


def _guess(shape: tuple[int, int], points: Points) -> Pixels:
    """What is sure, and what is likely, before colours are looked at."""
    height, width = shape
    marks = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    size = right - left
    middle = int((left + right) / 2), int((top + bottom) / 2 - 0.12 * size)
    cv2.ellipse(marks, middle, (int(0.8 * size), int(1.1 * size)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    shoulders = np.array([
        (left - 0.7 * size, height), (left - 0.35 * size, bottom + 0.5 * size),
        (right + 0.35 * size, bottom + 0.5 * size), (right + 0.7 * size, height),
    ])  # fmt: skip
    cv2.fillPoly(marks, [np.rint(shoulders).astype(np.int32)], cv2.GC_PR_FGD)
    cv2.fillPoly(marks, [np.rint(_outline(points)).astype(np.int32)], cv2.GC_FGD)
    margin = 1.4 * size
    for side in (slice(0, max(0, int(left - margin))), slice(int(right + margin), width)):
        marks[: int(bottom), side] = cv2.GC_BGD
    marks[:2, : int(left)] = marks[:2, int(right) :] = cv2.GC_BGD
    return marks


def _outline(points: Points) -> Floats:
    """The jaw, closed over the brows."""
    jaw = points[JAW]
    brows = points[17:27][::-1].copy()
    return np.concatenate([jaw, brows])


def _oval(points: Points, shape: tuple[int, ...], face_px: float) -> Floats:
    """1 inside the face, blurred outwards."""
    oval = np.zeros(shape, np.float32)
    cv2.fillPoly(oval, [np.rint(_outline(points)).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(oval, (0, 0), 0.04 * face_px), np.float32)
