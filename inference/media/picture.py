"""I420 pictures as arrays: planes, scaling, conversion, a plain background, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from inference.media.ring import Picture

# One small image at a time in threads of our own: OpenCV's pool would only fight them.
cv2.setNumThreads(1)

_TOP_BGR: Final = (74, 58, 46)
_BOTTOM_BGR: Final = (38, 28, 22)
_JPEG_QUALITIES: Final = (80, 65, 50, 35, 20, 10)


@dataclass(frozen=True, slots=True)
class Planes:
    """Views into one I420 picture. y: (height, width), u and v: half of that, all uint8."""

    y: Picture
    u: Picture
    v: Picture


def empty_picture(width_px: int, height_px: int) -> Picture:
    """A new I420 picture, (height * 3 // 2, width) uint8, contents undefined."""
    return np.empty((height_px * 3 // 2, width_px), np.uint8)


def planes(picture: Picture) -> Planes:
    """The planes of a contiguous I420 picture with even sides."""
    rows, width = picture.shape
    height = rows * 2 // 3
    flat = picture.reshape(-1)
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return Planes(
        picture[:height],
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def scale_picture(source: Picture, out: Picture) -> None:
    """Fill out with source at another size, both I420."""
    if source.shape == out.shape:
        np.copyto(out, source)
        return
    before, after = planes(source), planes(out)
    for part, target in ((before.y, after.y), (before.u, after.u), (before.v, after.v)):
        size = (target.shape[1], target.shape[0])
        cv2.resize(part, size, dst=target, interpolation=cv2.INTER_AREA)


def plain_background(width_px: int, height_px: int) -> Picture:
    """A quiet vertical gradient: what is shown when there is no presenter to show."""
    fraction = np.linspace(0, 1, height_px, dtype=np.float32)[:, None]
    top, bottom = np.array(_TOP_BGR, np.float32), np.array(_BOTTOM_BGR, np.float32)
    rows = (1 - fraction) * top + fraction * bottom
    image = np.repeat(rows[:, None, :], width_px, axis=1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def jpeg_picture(picture: Picture, *, limit_bytes: int) -> bytes | None:
    """The picture as JPEG in the best quality that fits the limit; None if none does."""
    image = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    for quality in _JPEG_QUALITIES:
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if encoded.size <= limit_bytes:
            return encoded.tobytes()
    return None


def fit_inside(width_px: int, height_px: int, *, short_side_px: int) -> tuple[int, int]:
    """Even sides of the same shape whose shorter one is at most `short_side_px`."""
    factor = min(1.0, short_side_px / min(width_px, height_px))
    return round(width_px * factor / 2) * 2, round(height_px * factor / 2) * 2
