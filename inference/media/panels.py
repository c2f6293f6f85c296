"""The surfaces that overlays are drawn on: smooth rounded panels, shadows, patches."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from inference.media.overlay import OverlayPatch, make_patch

Colour = tuple[int, int, int, int]

WHITE: Final[Colour] = (255, 255, 255, 255)
# Edges are drawn so many times larger and made smaller: Pillow's own are jagged.
_OVERSAMPLING: Final = 4


def panel(width_px: int, height_px: int, colour: Colour, radius_px: int) -> Image.Image:
    """A rounded panel in an image with even sides (at most 1 px is added), RGBA."""
    width, height = width_px + width_px % 2, height_px + height_px % 2
    # The clear corners carry the panel's colour: half-resolution chroma mixes with neighbours.
    image = Image.new("RGBA", (width, height), (*colour[:3], 0))
    mask = rounded_mask(width, height, radius_px)
    image.putalpha(mask.point(lambda share: share * colour[3] // 255))
    return image


def rounded_mask(width_px: int, height_px: int, radius_px: int) -> Image.Image:
    """(width, height) L: 255 inside a rounded rectangle, smooth at its edge."""
    side_px = radius_px + 1
    if min(width_px, height_px) < 2 * side_px:
        return _drawn_mask(width_px, height_px, radius_px)
    # Only the corners are not full: a panel that is all corners has them.
    corners = np.asarray(_drawn_mask(2 * side_px, 2 * side_px, radius_px))
    mask = np.full((height_px, width_px), 255, np.uint8)
    for corner in itertools.product((slice(side_px), slice(-side_px, None)), repeat=2):
        mask[corner] = corners[corner]
    return Image.fromarray(mask)


def _drawn_mask(width_px: int, height_px: int, radius_px: int) -> Image.Image:
    factor = _OVERSAMPLING
    large = Image.new("L", (width_px * factor, height_px * factor), 0)
    shape = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(shape, radius_px * factor, 255)
    return large.resize((width_px, height_px), Image.Resampling.BOX)


def with_shadow(image: Image.Image, reach_px: int, strength: int) -> Image.Image:
    """The image on a soft shadow, with `reach_px` (even) of room around it. strength: 0..255."""
    size = (image.width + 2 * reach_px, image.height + 2 * reach_px)
    shape = Image.new("L", size, 0)
    shape.paste(image.getchannel("A"), (reach_px, reach_px + reach_px // 3))
    blurred = shape.filter(ImageFilter.GaussianBlur(reach_px / 2.5))
    ground = Image.new("RGBA", size, (10, 14, 24, 0))
    ground.putalpha(blurred.point(lambda share: share * strength // 255))
    above = Image.new("RGBA", size, (255, 255, 255, 0))
    above.paste(image, (reach_px, reach_px))
    return Image.alpha_composite(ground, above)


def clip_to(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The image, clear where the mask is 0. mask: L of the same size."""
    clipped = image.convert("RGBA")
    clipped.putalpha(ImageChops.multiply(clipped.getchannel("A"), mask))
    return clipped


def place(image: Image.Image, x_px: int, y_px: int) -> OverlayPatch:
    """A drawing as a patch, at the nearest even position up and left that is in the picture."""
    return make_patch(np.asarray(image, np.uint8), max(0, x_px) & ~1, max(0, y_px) & ~1)
