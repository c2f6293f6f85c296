"""What an open mouth shows: the dark of it, the upper teeth, the tongue. Painted, not of the photo.

The upper teeth hang from the skull and stay; the tongue lies in the jaw and falls with it. Lengths
are halves of the mouth's width (some 25 mm). Widths of teeth: an upper front tooth has 8.5 mm, the
next 6.5 mm, a canine 7.5 mm (Wheeler's Dental Anatomy).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.engines.face.portrait.axes import Floats, Pixels, smooth

_TEETH_BGR: Final = (206, 220, 228)
_TONGUE_BGR: Final = (92, 84, 158)
_DARK_BGR: Final = (26, 18, 44)
_DEEP_BGR: Final = (10, 6, 18)
# Where one tooth ends and the next begins.
_GAPS: Final = (0.0, 0.34, 0.60, 0.88)
_EDGE: Final = 0.10
# Textures: px to a half of the mouth's width, and what of the mouth they cover.
_TEXEL: Final = 96
_ACROSS: Final = 1.1
_UP: Final = 0.45
# Skin of this lightness is lit as the colours above are.
_USUAL_LIGHT: Final = 165.0


class Inside:
    """Paints between the lips of one photo, as light as its skin is."""

    def __init__(self, picture: Pixels, points: Floats, half_px: float) -> None:
        self._light = float(np.clip(_skin_light(picture, points) / _USUAL_LIGHT, 0.35, 1.15))
        self._teeth = _teeth()
        self._tongue = _tongue()
        # An edge of about one px and a half, whatever the size.
        self._soft = np.float32(max(0.02, 1.6 / half_px))

    def paint(self, out: Pixels, x: Floats, skull: Floats, jaw: Floats, beyond: Floats) -> None:
        """Blend into `out`, (height, width, 3) BGR, where `beyond` is above 0.

        x: across. skull, jaw: below the seam, of what hangs from the skull and lies in the jaw.
        beyond: how far from the nearest lip. All (height, width) in halves of the mouth's width.
        """
        box = _box_of(beyond)
        if box is None:
            return
        x, skull, jaw, beyond = (each[box] for each in (x, skull, jaw, beyond))
        colour = _cavity(skull, jaw)
        _lay_over(colour, self._tongue, x, jaw)
        _lay_over(colour, self._teeth, x, skull)
        # Lips throw a shadow on what is behind them.
        light = np.float32(self._light) * (0.45 + 0.55 * smooth(0.0, 0.16, beyond))
        colour *= light[..., None]
        share = np.clip(beyond / self._soft, 0, 1)[..., None]
        part = out[box]
        part[:] = np.clip(part + (colour - part) * share, 0, 255).astype(np.uint8)


def _box_of(beyond: Floats) -> tuple[slice, slice] | None:
    seen = (beyond > 0).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(seen)
    return (slice(y, y + height), slice(x, x + width)) if width else None


def _cavity(skull: Floats, jaw: Floats) -> Floats:
    """(height, width, 3) float32: darker to the middle, away from both lips."""
    depth = (smooth(0.0, 0.3, skull) * smooth(0.0, 0.3, -jaw))[..., None]
    dark, deep = np.array(_DARK_BGR, np.float32), np.array(_DEEP_BGR, np.float32)
    colour: Floats = dark + (deep - dark) * depth
    return colour


def _lay_over(colour: Floats, texture: Pixels, x: Floats, down: Floats) -> None:
    map_x = (x + np.float32(_ACROSS)) * np.float32(_TEXEL)
    map_y = (down + np.float32(_UP)) * np.float32(_TEXEL)
    drawn = cv2.remap(texture, map_x, map_y, cv2.INTER_LINEAR).astype(np.float32)
    colour += (drawn[..., :3] - colour) * (drawn[..., 3:] / 255)


def _texture(colour: Floats, alpha: Floats) -> Pixels:
    """Not premultiplied: the colour goes on where nothing is seen of it."""
    return np.dstack([np.clip(colour, 0, 255), 255 * np.clip(alpha, 0, 1)]).astype(np.uint8)


def _grid() -> tuple[Floats, Floats]:
    """x and y of the texels."""
    columns, rows = round(2 * _ACROSS * _TEXEL), round(2 * _UP * _TEXEL)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return (
        (x / _TEXEL - _ACROSS).astype(np.float32),
        (y / _TEXEL - _UP).astype(np.float32),
    )


def _teeth() -> Pixels:
    """The upper row: an arch, so its sides are shorter, darker and further back."""
    x, y = _grid()
    far = np.abs(x)
    gap = np.min([np.abs(far - at) for at in _GAPS], axis=0)
    # Rounded corners where two teeth meet; sides of the arch go up out of sight.
    edge = _EDGE - 0.03 * (far > 0.34) - 0.16 * far**2 - 0.035 * np.exp(-((gap / 0.035) ** 2))
    alpha = smooth(0.025, -0.025, y - edge) * smooth(0.92, 0.72, far)
    shade = (1 - 0.5 * far**2) * (1 - 0.22 * np.exp(-((gap / 0.014) ** 2)))
    shade *= 0.86 + 0.14 * smooth(-0.3, 0.05, y)
    return _texture(np.array(_TEETH_BGR, np.float32) * shade[..., None], alpha)


def _tongue() -> Pixels:
    """A low hump in the jaw with a furrow."""
    x, y = _grid()
    top = -0.16 + 0.24 * x**2
    alpha = 0.85 * smooth(-0.05, 0.05, y - top) * smooth(0.85, 0.6, np.abs(x))
    shade = 0.62 + 0.3 * np.exp(-(((y - top - 0.05) / 0.07) ** 2))
    shade = shade - 0.12 * np.exp(-((x / 0.05) ** 2))
    return _texture(np.array(_TONGUE_BGR, np.float32) * shade[..., None], alpha)


def _skin_light(picture: Pixels, points: Floats) -> float:
    """How light the skin beside the nose is, 0..255."""
    half = max(2, round(float(np.hypot(*(points[54] - points[48]))) * 0.08))
    lights = []
    for cheek, nose in ((2, 31), (14, 35)):
        x, y = np.rint((points[cheek] + points[nose]) / 2).astype(int)
        part = picture[max(0, y - half) : y + half, max(0, x - half) : x + half]
        if part.size:
            lights.append(float(part.max(axis=2).mean()))
    return max(lights, default=_USUAL_LIGHT)
