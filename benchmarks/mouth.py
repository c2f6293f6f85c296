"""How high a drawn mouth is, lips included, from the pixels of a decoded picture alone.

Lips are the red patches in the middle of the face; from the upper lip's top to the lower lip's
bottom, in the middle columns, the mouth has a height that grows with its opening and is smallest
when lip lies on lip. Nothing of what the presenter was told is used.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

# Where the built-in presenter's mouth can be, as shares of the picture: left, top, right, bottom.
REGION: Final = (0.455, 0.41, 0.545, 0.53)
_LIP_REDNESS: Final = 76  # red minus green, of 255: lips 90 and more, skin 25, blush and nose 65
_LEAST_AREA: Final = 0.01  # of the region
_LEAST_LIP: Final = 0.2  # of the larger lip
_MIDDLE_SHARE: Final = 0.16  # of the mouth's width, to each side of its middle


def mouth_height(bgr: Pixels) -> float | None:
    """Height of the mouth in thousandths of the picture's; None where no mouth is found.

    bgr: (height, width, 3) uint8.
    """
    height, width = bgr.shape[:2]
    left, top, right, bottom = REGION
    rows = slice(round(top * height), round(bottom * height))
    mouth = _mouth(bgr[rows, round(left * width) : round(right * width)])
    if mouth is None:
        return None
    columns = np.flatnonzero(mouth.any(axis=0))
    middle, half = (columns[0] + columns[-1]) / 2, len(columns) * _MIDDLE_SHARE
    heights = mouth[:, round(middle - half) : round(middle + half) + 1].sum(axis=0)
    pixels = float(heights.mean())
    in_thousandths: float = pixels * 1000 / height
    return in_thousandths


def _mouth(part: Pixels) -> Mask | None:
    """Both lips, with everything between them."""
    values = part.astype(np.int16)
    mask = (values[..., 2] - values[..., 1] > _LIP_REDNESS).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max() < mask.size * _LEAST_AREA:
        return None
    # An open mouth parts the lips; the tip of the nose is far smaller than either.
    is_lip = np.concatenate(([False], areas >= areas.max() * _LEAST_LIP))
    patch = is_lip[labels]
    below = np.logical_or.accumulate(patch, axis=0)
    above = np.logical_or.accumulate(patch[::-1], axis=0)[::-1]
    filled: Mask = below & above
    return filled
