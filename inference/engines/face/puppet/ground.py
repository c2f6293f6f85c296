"""A picture of the organization's own as the background."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inference.engines.base import EngineError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def is_picture(background: str) -> bool:
    """Whether a background is a file's path; names and colours are not."""
    return Path(background).is_absolute()


def load_picture(background: str, width_px: int, height_px: int) -> Pixels:
    """The picture cut in its middle to fill the frame, (height, width, 4) uint8 BGRA, opaque.

    Raises EngineError when the file is gone or damaged.
    """
    image = cv2.imread(background, cv2.IMREAD_COLOR)
    if image is None:
        message = "The picture of the background cannot be read any more; choose it again."
        raise EngineError("background_unreadable", message, retryable=False)
    height, width = image.shape[:2]
    scale = max(width_px / width, height_px / height)
    size = max(width_px, round(width * scale)), max(height_px, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    filled = cv2.resize(image, size, interpolation=way)
    x, y = (size[0] - width_px) // 2, (size[1] - height_px) // 2
    cut = filled[y : y + height_px, x : x + width_px]
    return np.asarray(cv2.cvtColor(cut, cv2.COLOR_BGR2BGRA), np.uint8)
