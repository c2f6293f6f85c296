"""From 68 face points to the box that is repainted and the mask by which it is pasted back.

Boxes and masks are those of MuseTalk (`get_landmark_and_bbox`, `get_image_prepare_material`). Where
MuseTalk asks a network which pixels are face, whose weights may not be used commercially, a polygon
along the jaw stands in: it needs no weights.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from inference.engines.face.musetalk.bundle import Pixels
from inference.engines.face.musetalk.settings import Version

# (68, 2): the order of iBUG's 300-W, as dlib and DWPose's face points have it.
Points = np.ndarray[Any, np.dtype[np.float32]]
Box = tuple[int, int, int, int]

JAW: Final = slice(0, 17)
_NOSE_BRIDGE_END: Final = 29
# v1.5 leaves room for a chin that drops.
EXTRA_MARGIN_PX: Final = 10
_EXPAND: Final = 1.5
_UPPER_SHARE: Final = 0.5
BLUR_LIVE: Final = 0.1
# How far the polygon is grown beyond the jaw line, of the box's width.
_GROWN: Final = 0.05


def face_box(
    points: Points, *, height_px: int, version: Version = "v1.5", shift_px: int = 0
) -> Box | None:
    """x0 y0 x1 y1 of what is repainted: as far above the nose as the chin is below it.

    shift_px: of the middle, v1 only, down is more. None when the points make no face.
    """
    whole = points.astype(np.int32)
    half = int(whole[_NOSE_BRIDGE_END, 1]) + (shift_px if version == "v1" else 0)
    bottom = int(whole[:, 1].max())
    top = max(0, half - (bottom - half))
    left, right = int(whole[:, 0].min()), int(whole[:, 0].max())
    if bottom <= top or right <= left or left < 0:
        return None
    if version == "v1.5":
        bottom = min(bottom + EXTRA_MARGIN_PX, height_px)
    return left, top, right, bottom


def crop_box(box: Box, expand: float = _EXPAND) -> Box:
    """The square around a box in which its mask is made; it may reach out of the picture."""
    left, top, right, bottom = box
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    side = int(max(right - left, bottom - top) // 2 * expand)
    return middle_x - side, middle_y - side, middle_x + side, middle_y + side


def jaw_region(points: Points, box: Box) -> Pixels:
    """255 on the lower face, in the crop box of `box`: the jaw line, grown a little."""
    crop = crop_box(box)
    side = crop[2] - crop[0]
    region = np.zeros((side, side), np.uint8)
    outline = points[JAW] - np.array(crop[:2], np.float32)
    cv2.fillPoly(region, [np.rint(outline).astype(np.int32)], 255)
    grown = max(1, round((box[2] - box[0]) * _GROWN))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1))
    return np.asarray(cv2.dilate(region, kernel), np.uint8)


def soft_mask(region: Pixels, box: Box, blur: float = BLUR_LIVE) -> Pixels:
    """The mask of a region, both in the crop box: inside the box, its lower half, blurred.

    region: (side, side) uint8, 255 where the face is. blur: of the crop box's width.
    """
    crop = crop_box(box)
    left, top, right, bottom = (box[i] - crop[i % 2] for i in range(4))
    kept = np.zeros_like(region)
    first = max(top, int(region.shape[0] * _UPPER_SHARE))
    kept[first:bottom, left:right] = region[first:bottom, left:right]
    kernel = int(blur * region.shape[1] // 2 * 2) + 1
    return np.asarray(cv2.GaussianBlur(kept, (kernel, kernel), 0), np.uint8)


def roi_of_mask(
    mask: Pixels, box: Box, width_px: int, height_px: int, *, crop: Box | None = None
) -> tuple[Box, Pixels]:
    """The even part of the picture that a mask of the crop box covers, and the mask in it.

    Outside of the face box a mask changes nothing there: the painted face ends with its box.
    crop: where the mask lies, if not in the crop box of `box`.
    """
    crop = crop or crop_box(box)
    whole = np.zeros((height_px, width_px), np.uint8)
    left, top = max(box[0], crop[0], 0), max(box[1], crop[1], 0)
    right, bottom = min(box[2], crop[2], width_px), min(box[3], crop[3], height_px)
    part = mask[top - crop[1] : bottom - crop[1], left - crop[0] : right - crop[0]]
    whole[top:bottom, left:right] = part
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not rows.size:
        rows = columns = np.array([0, 1])
    x0, y0 = (left + int(columns[0])) // 2 * 2, (top + int(rows[0])) // 2 * 2
    x1 = -(-(left + int(columns[-1]) + 1) // 2) * 2
    y1 = -(-(top + int(rows[-1]) + 1) // 2) * 2
    return (x0, y0, x1, y1), whole[y0:y1, x0:x1]
