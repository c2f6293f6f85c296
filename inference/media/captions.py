"""Draw captions, titles and the AI label as patches. It takes some ms: off the media threads."""

from __future__ import annotations

import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from inference.media.fonts import font_of_height, load_font
from inference.media.overlay import OverlayPatch
from inference.media.panels import WHITE, panel, place
from inference.media.places import CAPTION_BOTTOM_SHARE
from inference.media.wrapping import balance, cut, is_wide, wrap

CAPTION_LINES: Final = 2
LABEL_SHARE: Final = 0.05  # of the short side: the least height of the label's text
_CAPTION_SHARE: Final = 0.052
_TITLE_SHARE: Final = 0.05
_CAPTION_WIDTH_SHARE: Final = 0.86
_PANEL: Final = (12, 16, 24, 150)
_TITLE_PANEL: Final = (16, 28, 52, 225)
_ACCENT: Final = (64, 156, 255, 255)
_OUTLINE: Final = (0, 0, 0, 230)


def render_caption(
    text: str, width_px: int, height_px: int, *, bottom_px: int | None = None
) -> OverlayPatch | None:
    """A caption on a soft panel, centred at the bottom, at most two lines.

    width_px, height_px: of the picture. bottom_px: what it keeps free below, None = the usual.
    Longer text ends in "…": cut it with `paginate_caption` first. None for blank text.
    Raises FontMissingError.
    """
    font = _caption_font(width_px, height_px)
    lines = wrap(text, font, _caption_width(width_px))
    if not lines:
        return None
    if len(lines) > CAPTION_LINES:
        lines = [*lines[: CAPTION_LINES - 1], cut(lines[CAPTION_LINES - 1])]
    else:
        lines = balance(lines, font)
    image = _draw_lines([line.rstrip() for line in lines], font)
    bottom = usual_bottom(height_px) if bottom_px is None else bottom_px
    x_px = (width_px - image.width) // 2
    return place(image, x_px, height_px - bottom - image.height)


def usual_bottom(height_px: int) -> int:
    """What captions keep free below them, px."""
    return round(height_px * CAPTION_BOTTOM_SHARE)


def caption_height(width_px: int, height_px: int) -> int:
    """The height of a caption with as many lines as it may have, px."""
    font = _caption_font(width_px, height_px)
    return _line_height(font) * CAPTION_LINES + _caption_padding(font) + 1


def paginate_caption(text: str, width_px: int, height_px: int) -> tuple[str, ...]:
    """The text cut into parts that each fit a caption of two lines, in order."""
    font = _caption_font(width_px, height_px)
    lines = wrap(text, font, _caption_width(width_px))
    pages = [lines[i : i + CAPTION_LINES] for i in range(0, len(lines), CAPTION_LINES)]
    return tuple("".join(page).rstrip() for page in pages)


def draw_title(text: str, width_px: int, height_px: int) -> Image.Image | None:
    """The show's title, one line, as an image to be placed. None if blank."""
    short = min(width_px, height_px)
    font = load_font(round(short * _TITLE_SHARE * 1.15))
    lines = wrap(text, font, round(width_px * 0.7))
    if not lines:
        return None
    return _draw_title(lines[0] if len(lines) == 1 else cut(lines[0]), font)


def draw_label(text: str, width_px: int, height_px: int) -> Image.Image | None:
    """The AI label as an image to be placed; its text is at least 5 % of the short side high.

    None if blank. Raises ValueError when it is too long for the picture.
    """
    if not text.strip():
        return None
    # Measured on the ink of a full character: the em square is larger than what is seen.
    sample = "国" if any(is_wide(sign) for sign in text) else "A"
    font = font_of_height(math.ceil(min(width_px, height_px) * LABEL_SHARE), sample)
    image = _draw_label(text.strip(), font)
    if image.width > width_px:
        raise ValueError(f"the label {text!r} is too long for a picture {width_px} px wide")
    return image


def _caption_font(width_px: int, height_px: int) -> ImageFont.FreeTypeFont:
    return load_font(max(12, round(min(width_px, height_px) * _CAPTION_SHARE)))


def _caption_width(width_px: int) -> int:
    return round(width_px * _CAPTION_WIDTH_SHARE)


def _draw_lines(lines: list[str], font: ImageFont.FreeTypeFont) -> Image.Image:
    line_height, padding = _line_height(font), _caption_padding(font)
    width = math.ceil(max(font.getlength(line) for line in lines)) + 2 * padding
    image = panel(width, line_height * len(lines) + padding, _PANEL, padding)
    draw = ImageDraw.Draw(image)
    stroke = max(1, round(font.size / 14))
    for number, line in enumerate(lines):
        x = (image.width - font.getlength(line)) / 2
        y = padding // 2 + number * line_height
        draw.text((x, y), line, WHITE, font, stroke_width=stroke, stroke_fill=_OUTLINE)
    return image


def _line_height(font: ImageFont.FreeTypeFont) -> int:
    return sum(font.getmetrics())


def _caption_padding(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size * 0.45)


def _draw_title(line: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    ascent, descent = font.getmetrics()
    padding, bar = round(font.size * 0.45), max(4, round(font.size * 0.16))
    width = math.ceil(font.getlength(line)) + 2 * padding + bar
    image = panel(width, ascent + descent + padding, _TITLE_PANEL, round(padding * 0.6))
    draw = ImageDraw.Draw(image)
    inset = padding // 2
    shape = (inset, inset, inset + bar, image.height - inset)
    draw.rounded_rectangle(shape, bar // 2, _ACCENT)
    draw.text((bar + padding, padding // 2), line, WHITE, font)
    return image


def _draw_label(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(text)
    padding = round(font.size * 0.3)
    width, height = math.ceil(right - left) + 2 * padding, math.ceil(bottom - top) + 2 * padding
    image = panel(width, height, _PANEL, padding)
    origin = (padding - left, padding - top)
    ImageDraw.Draw(image).text(origin, text, WHITE, font)
    return image
