"""Draw the lower third, the clock and the logo as images to be placed. Off the media threads."""

from __future__ import annotations

import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from inference.media.fonts import load_font
from inference.media.panels import WHITE, Colour, panel
from inference.media.wrapping import wrap_to

LOGO_HEIGHT_SHARE: Final = 0.12  # of the short side
LOGO_WIDTH_SHARE: Final = 0.30
_CLOCK_SHARE: Final = 0.052
_NAME_SHARE: Final = 0.056
_ROLE_SHARE: Final = 0.036
_NAVY: Final[Colour] = (16, 28, 52, 225)
_ACCENT: Final[Colour] = (64, 156, 255, 255)
_PALE: Final[Colour] = (196, 214, 242, 255)
_GLASS: Final[Colour] = (12, 16, 24, 150)


def draw_lower_third(name: str, role: str, width_px: int, height_px: int) -> Image.Image | None:
    """Who speaks: the name, below it the role, with an accent at the left. None without a name."""
    short = min(width_px, height_px)
    limit = round(width_px * (0.6 if height_px > width_px else 0.34))
    name_font = load_font(round(short * _NAME_SHARE))
    role_font = load_font(max(10, round(short * _ROLE_SHARE)))
    lines = [(line, name_font, WHITE) for line in wrap_to(name, name_font, limit, 1)]
    lines += [(line, role_font, _PALE) for line in wrap_to(role, role_font, limit, 1)]
    if not lines or not name.strip():
        return None
    pad, bar = round(name_font.size * 0.5), max(3, round(name_font.size * 0.16))
    widest = max(math.ceil(font.getlength(line)) for line, font, _ in lines)
    heights = [round(font.size * 1.28) for _, font, _ in lines]
    image = panel(bar + 2 * pad + widest, sum(heights) + pad, _NAVY, round(pad * 0.6))
    draw = ImageDraw.Draw(image)
    inset = pad // 2
    shape = (inset, inset, inset + bar, image.height - inset)
    draw.rounded_rectangle(shape, bar // 2, _ACCENT)
    y = pad / 2
    for (line, font, colour), height in zip(lines, heights, strict=True):
        draw.text((pad + bar, y + height / 2), line, colour, font, anchor="lm")
        y += height
    return image


def draw_clock(text: str, width_px: int, height_px: int) -> Image.Image:
    """The time of day, such as 20:05:09, in digits that do not move about."""
    font = load_font(max(12, round(min(width_px, height_px) * _CLOCK_SHARE)))
    widths = [_cell_width(sign, font) for sign in text]
    pad = round(font.size * 0.36)
    image = panel(math.ceil(sum(widths)) + 2 * pad, round(font.size * 1.16) + pad, _GLASS, pad)
    draw = ImageDraw.Draw(image)
    x, middle = float(pad), image.height / 2
    for sign, width in zip(text, widths, strict=True):
        draw.text((x + width / 2, middle), sign, WHITE, font, anchor="mm")
        x += width
    return image


def fit_logo(logo: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """The logo as large as it may be, RGBA with even sides, its clear margin cut off."""
    short = min(width_px, height_px)
    logo = logo.convert("RGBA")
    box = logo.getchannel("A").getbbox()
    if box is not None:
        logo = logo.crop(box)
    scale = min(short * LOGO_HEIGHT_SHARE / logo.height, short * LOGO_WIDTH_SHARE / logo.width)
    size = (_even(logo.width * scale), _even(logo.height * scale))
    # Premultiplied while it is made smaller: clear pixels must not lend their colour to the edge.
    return logo.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")


def _cell_width(sign: str, font: ImageFont.FreeTypeFont) -> float:
    widest = max(font.getlength(digit) for digit in "0123456789")
    return widest if sign.isdigit() else font.getlength(sign)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
