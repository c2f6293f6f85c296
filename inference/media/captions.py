"""Draw captions, titles and the AI label as patches. It takes some ms: off the media threads."""

from __future__ import annotations

import math
import unicodedata
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.media.fonts import font_of_height, load_font
from inference.media.overlay import OverlayPatch, make_patch

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]

CAPTION_LINES: Final = 2
LABEL_SHARE: Final = 0.05  # of the short side: the least height of the label's text
_CAPTION_SHARE: Final = 0.052
_TITLE_SHARE: Final = 0.05
_CAPTION_WIDTH_SHARE: Final = 0.86
_PANEL: Final = (12, 16, 24, 150)
_TITLE_PANEL: Final = (18, 32, 58, 215)
_ACCENT: Final = (64, 156, 255, 255)
_WHITE: Final = (255, 255, 255, 255)
_OUTLINE: Final = (0, 0, 0, 230)
# Signs that may not begin a line, and such that may not end one.
_NOT_FIRST: Final = frozenset("，。！？；：、）】》」』”’…—％,.!?;:)]}%")
_NOT_LAST: Final = frozenset("（【《「『“‘([{")


def render_caption(
    text: str, width_px: int, height_px: int, *, above_label: bool = False
) -> OverlayPatch | None:
    """A caption on a soft panel, centred at the bottom, at most two lines.

    width_px, height_px: of the picture. above_label: the AI label stands at the bottom. Longer
    text ends in "…": cut it with `paginate_caption` first. None for blank text.
    Raises FontMissingError.
    """
    font = _caption_font(width_px, height_px)
    lines = _wrap(text, font, _caption_width(width_px))
    if not lines:
        return None
    if len(lines) > CAPTION_LINES:
        lines = [*lines[: CAPTION_LINES - 1], _cut(lines[CAPTION_LINES - 1])]
    image = _draw_lines([line.rstrip() for line in lines], font)
    short = min(width_px, height_px)
    bottom = max(round(height_px * 0.06), round(short * 0.14) if above_label else 0)
    x_px = (width_px - image.width) // 2
    return _patch(image, x_px, height_px - bottom - image.height)


def paginate_caption(text: str, width_px: int, height_px: int) -> tuple[str, ...]:
    """The text cut into parts that each fit a caption of two lines, in order."""
    font = _caption_font(width_px, height_px)
    lines = _wrap(text, font, _caption_width(width_px))
    pages = [lines[i : i + CAPTION_LINES] for i in range(0, len(lines), CAPTION_LINES)]
    return tuple("".join(page).rstrip() for page in pages)


def render_title(text: str, width_px: int, height_px: int) -> OverlayPatch | None:
    """A lower third with the show's title, one line, above where captions stand. None if blank."""
    short = min(width_px, height_px)
    font = load_font(round(short * _TITLE_SHARE * 1.15))
    lines = _wrap(text, font, round(width_px * 0.7))
    if not lines:
        return None
    line = lines[0] if len(lines) == 1 else _cut(lines[0])
    image = _draw_title(line, font)
    return _patch(image, round(width_px * 0.05), round(height_px * 0.66) - image.height)


def render_label(text: str, position: Corner, width_px: int, height_px: int) -> OverlayPatch | None:
    """The AI label in a corner; its text is at least 5 % of the short side high. None if blank."""
    if not text.strip():
        return None
    short = min(width_px, height_px)
    # Measured on the ink of a full character: the em square is larger than what is seen.
    sample = "国" if any(_is_wide(sign) for sign in text) else "A"
    font = font_of_height(math.ceil(short * LABEL_SHARE), sample)
    image = _draw_label(text.strip(), font)
    if image.width > width_px:
        raise ValueError(f"the label {text!r} is too long for a picture {width_px} px wide")
    margin = min(round(short * 0.03), (width_px - image.width) // 2)
    x_px = margin if position.endswith("left") else width_px - margin - image.width
    y_px = margin if position.startswith("top") else height_px - margin - image.height
    return _patch(image, x_px, y_px)


def _caption_font(width_px: int, height_px: int) -> ImageFont.FreeTypeFont:
    return load_font(max(12, round(min(width_px, height_px) * _CAPTION_SHARE)))


def _caption_width(width_px: int) -> int:
    return round(width_px * _CAPTION_WIDTH_SHARE)


def _wrap(text: str, font: ImageFont.FreeTypeFont, limit_px: int) -> list[str]:
    """Lines no wider than the limit: broken between Chinese characters or Latin words.

    Their join is the text; a space at the end of a line is not counted.
    """
    lines: list[str] = []
    line = ""
    for word in _words(" ".join(text.split())):
        if line and font.getlength((line + word).rstrip()) > limit_px:
            lines.append(line)
            line = ""
        line += word
        while font.getlength(line.rstrip()) > limit_px:  # one word wider than a line
            fitting = _fitting(line, font, limit_px)
            lines.append(line[:fitting])
            line = line[fitting:]
    return [*lines, line] if line.strip() else lines


def _cut(line: str) -> str:
    return line.rstrip()[:-1] + "…"


def _words(text: str) -> list[str]:
    """Pieces that a line break may stand between; their join is the text."""
    words: list[str] = []
    for sign in text:
        if words and not _may_break(words[-1][-1], sign):
            words[-1] += sign
        else:
            words.append(sign)
    return words


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST or before in _NOT_LAST or after == " ":
        return False
    return before == " " or _is_wide(before) or _is_wide(after)


def _is_wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"


def _fitting(line: str, font: ImageFont.FreeTypeFont, limit_px: int) -> int:
    count = 1
    while count < len(line) and font.getlength(line[: count + 1]) <= limit_px:
        count += 1
    return count


def _draw_lines(lines: list[str], font: ImageFont.FreeTypeFont) -> Image.Image:
    ascent, descent = font.getmetrics()
    line_height = round((ascent + descent) * 1.0)
    padding = round(font.size * 0.45)
    width = math.ceil(max(font.getlength(line) for line in lines)) + 2 * padding
    image = _panel(width, line_height * len(lines) + padding, _PANEL, radius=padding)
    draw = ImageDraw.Draw(image)
    stroke = max(1, round(font.size / 14))
    for number, line in enumerate(lines):
        x = (image.width - font.getlength(line)) / 2
        y = padding // 2 + number * line_height
        draw.text((x, y), line, _WHITE, font, stroke_width=stroke, stroke_fill=_OUTLINE)
    return image


def _draw_title(line: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    ascent, descent = font.getmetrics()
    padding, bar = round(font.size * 0.5), max(4, round(font.size * 0.18))
    width = math.ceil(font.getlength(line)) + 2 * padding + bar
    image = _panel(width, ascent + descent + padding, _TITLE_PANEL, radius=bar)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, bar, image.height), _ACCENT)
    draw.text((bar + padding, padding // 2), line, _WHITE, font)
    return image


def _draw_label(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(text)
    padding = round(font.size * 0.3)
    width, height = math.ceil(right - left) + 2 * padding, math.ceil(bottom - top) + 2 * padding
    image = _panel(width, height, _PANEL, radius=padding)
    origin = (padding - left, padding - top)
    ImageDraw.Draw(image).text(origin, text, _WHITE, font)
    return image


def _panel(width: int, height: int, colour: tuple[int, ...], *, radius: int) -> Image.Image:
    # The clear corners carry the panel's colour: half-resolution chroma mixes with neighbours.
    image = Image.new("RGBA", (width + width % 2, height + height % 2), (*colour[:3], 0))
    shape = (0, 0, image.width - 1, image.height - 1)
    ImageDraw.Draw(image).rounded_rectangle(shape, radius, colour)
    return image


def _patch(image: Image.Image, x_px: int, y_px: int) -> OverlayPatch:
    return make_patch(np.asarray(image, np.uint8), max(0, x_px) & ~1, max(0, y_px) & ~1)
