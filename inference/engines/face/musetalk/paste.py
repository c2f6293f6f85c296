"""Put a painted face back into its picture, in I420 and only where the mask is."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.musetalk.bundle import Film, Pixels
from inference.media.picture import Planes

# As `media.picture`: OpenCV's pool would fight the threads of the worker.
cv2.setNumThreads(1)

Weights = np.ndarray[Any, np.dtype[np.float32]]

_FULL: Final = 255.0


def paste_face(film: Film, index: int, face: Pixels, planes: Planes, share: float = 1.0) -> None:
    """Blend a face into the picture in `planes`, which shows frame `index`.

    face: (size, size, 3) uint8 BGR of the box. share: 0 … 1 of what the mask says.
    """
    x0, y0, x1, y1 = film.rois[index].tolist()
    patch = _patch(face, film.boxes[index].tolist(), (x0, y0, x1, y1))
    weights = film.mask(index) * np.float32(share / _FULL)
    converted = np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2YUV_I420), np.uint8)
    height, width = y1 - y0, x1 - x0
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    flat = converted.reshape(-1)
    _blend(converted[:height], planes.y[y0:y1, x0:x1], weights)
    small = np.asarray(cv2.resize(weights, half[::-1], interpolation=cv2.INTER_AREA), np.float32)
    part = np.s_[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
    _blend(flat[luma : luma + chroma].reshape(half), planes.u[part], small)
    _blend(flat[luma + chroma :].reshape(half), planes.v[part], small)


def first_shown_row(film: Film, face_px: int) -> int:
    """The first row of painted faces of `face_px` that any picture of the film shows.

    Masks end below the eyes, so what lies above need not be brought back from a GPU.
    """
    top = film.boxes[:, 1].astype(np.float64)
    heights = film.boxes[:, 3] - top
    first = np.floor((film.rois[:, 1] - top) / heights * face_px).min()
    # Scaling looks half a row further up, and a chroma row is two.
    return max(0, int(first) - 2)


def _patch(face: Pixels, box: list[int], roi: tuple[int, int, int, int]) -> Pixels:
    """The face at the size of its box, cut to the ROI, or grown by the px that makes it even."""
    left, top, right, bottom = box
    x0, y0, x1, y1 = roi
    scaled = cv2.resize(face, (right - left, bottom - top))
    inside = scaled[max(0, y0 - top) : y1 - top, max(0, x0 - left) : x1 - left]
    margins = (max(0, top - y0), max(0, y1 - bottom), max(0, left - x0), max(0, x1 - right))
    if not any(margins):
        return np.ascontiguousarray(inside)
    return np.asarray(cv2.copyMakeBorder(inside, *margins, cv2.BORDER_REPLICATE), np.uint8)


def _blend(painted: Pixels, target: Pixels, weights: Weights) -> None:
    """target += (painted - target) * weights"""
    target[:] = cv2.blendLinear(painted, np.ascontiguousarray(target), weights, 1 - weights)
