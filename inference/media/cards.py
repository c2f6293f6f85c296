"""Draw a product card: picture, name, price, QR code. It takes 20 ms: off the media threads."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
import segno
from PIL import Image, ImageDraw, ImageFont, ImageOps

from inference.media.fonts import load_font
from inference.media.layout import Box
from inference.media.overlay import OverlayPatch
from inference.media.panels import Colour, clip_to, panel, place, rounded_mask, with_shadow
from inference.media.wrapping import wrap_to
from inference.overlay_spec import CardSpec

logger = logging.getLogger(__name__)

_GROUND: Final[Colour] = (255, 255, 255, 255)
_INK: Final[Colour] = (24, 32, 48, 255)
_QUIET: Final[Colour] = (98, 108, 128, 255)
_PRICE: Final[Colour] = (222, 44, 38, 255)
_TITLE_SHARE: Final = 0.044  # of the picture's short side
_TEXT_SHARE: Final = 0.034
_PRICE_SHARE: Final = 0.062
_QR_SHARE: Final = 0.19
_QR_WIDTH_SHARE: Final = 0.65  # of the card, at most
_CLEAR_MODULE_PX: Final = 3  # smaller ones do not survive the video's coding
_PHOTO_LEAST_SHARE: Final = 0.6  # of the card's width: below that its text gives way
# A picture is cut at its edges to fill its place, unless more than this share would be lost.
_CUT_AT_MOST: Final = 0.2


def render_card(card: CardSpec, box: Box, short_px: int) -> OverlayPatch:
    """A card in its box: a column where the box is tall, else a row. short_px: of the picture.

    A picture that cannot be read is left out, and logged. Raises FontMissingError.
    """
    drawing = _Drawing(card, box, short_px)
    image = drawing.column() if box.height >= box.width * 0.6 else drawing.row()
    reach = max(4, round(short_px * 0.014)) & ~1
    shaded = with_shadow(image, reach, 110)
    x = box.right - image.width - reach
    y = box.top + (box.height - image.height) // 2 - reach
    return place(shaded, x, y)


class _Drawing:
    """One card being drawn."""

    def __init__(self, card: CardSpec, box: Box, short_px: int) -> None:
        self._card = card
        self._box = box
        self._pad = round(short_px * 0.024)
        self._title = load_font(max(13, round(short_px * _TITLE_SHARE)))
        self._text = load_font(max(11, round(short_px * _TEXT_SHARE)))
        self._price = load_font(max(16, round(short_px * _PRICE_SHARE)))
        self._photo = _open(card.picture)
        most = min(box.height - 2 * self._pad, round(box.width * _QR_WIDTH_SHARE))
        self._qr = draw_qr(card.url, round(short_px * _QR_SHARE), most) if card.url else None

    def column(self) -> Image.Image:
        """Picture on top, then name and text, then price and QR code beside each other."""
        pad, width = self._pad, self._box.width
        inner = width - 2 * pad
        title = wrap_to(self._card.title, self._title, inner, 2)
        text = wrap_to(self._card.text, self._text, inner, 1)
        beside = inner - (self._qr.width + pad if self._qr else 0)
        price = _fit(self._card.price, self._price, beside)
        foot = max(_line(price) if price else 0, self._qr.height if self._qr else 0)
        words = _height(title, self._title) + foot + 2 * pad + (pad if foot else 0)
        if self._photo and self._box.height - words < width * _PHOTO_LEAST_SHARE:
            text = []  # the product is seen rather than praised
        words += _height(text, self._text)
        room = min(self._box.height - words, round(width * 0.8))
        photo = self._fitted(width, room) if room > 2 * pad else None
        top = photo.height if photo else 0
        image = panel(width, top + words, _GROUND, pad)
        if photo:
            self._paste_photo(image, photo, 0, 0, rounded_mask(image.width, image.height, pad))
        draw = ImageDraw.Draw(image)
        y = self._write(draw, title, self._title, _INK, (pad, top + pad))
        y = self._write(draw, text, self._text, _QUIET, (pad, y)) + pad
        if self._qr:
            image.paste(self._qr, (width - pad - self._qr.width, y + (foot - self._qr.height) // 2))
        if price:
            at = (pad, y + (foot - _line(price)) // 2)
            self._write(draw, [self._card.price], price, _PRICE, at)
        return image

    def row(self) -> Image.Image:
        """Picture at the left, QR code at the right, the texts between them."""
        pad, height = self._pad, self._box.height
        photo = self._fitted(height - 2 * pad, height - 2 * pad)
        left = pad + (photo.width + pad if photo else 0)
        right = self._box.width - pad - (self._qr.width + pad if self._qr else 0)
        image = panel(self._box.width, height, _GROUND, round(pad * 1.2))
        if photo:
            mask = Image.new("L", image.size, 0)
            mask.paste(rounded_mask(*photo.size, pad // 2), (pad, pad))
            self._paste_photo(image, photo, pad, (height - photo.height) // 2, mask)
        if self._qr:
            at = (image.width - pad - self._qr.width, (height - self._qr.height) // 2)
            image.paste(self._qr, at)
        self._texts(ImageDraw.Draw(image), left, right - left)
        return image

    def _texts(self, draw: ImageDraw.ImageDraw, left: int, width: int) -> None:
        """Name, text and price of a row, centred in its height."""
        price = _fit(self._card.price, self._price, width)
        title = wrap_to(self._card.title, self._title, width, 2)
        lines = 1 if len(title) == 2 else 2
        text = wrap_to(self._card.text, self._text, width, lines)
        total = (
            _height(title, self._title)
            + _height(text, self._text)
            + _height([self._card.price] if price else [], price)
        )
        y = max(self._pad // 2, (self._box.height - total) // 2)
        y = self._write(draw, title, self._title, _INK, (left, y))
        y = self._write(draw, text, self._text, _QUIET, (left, y))
        if price:
            self._write(draw, [self._card.price], price, _PRICE, (left, y))

    def _write(
        self,
        draw: ImageDraw.ImageDraw,
        lines: list[str],
        font: ImageFont.FreeTypeFont,
        colour: Colour,
        at: tuple[int, int],
    ) -> int:
        """Lines below each other; returns where the next one begins."""
        x, y = at
        # The font has one weight: a hair of outline makes name and price heavier.
        stroke = 0 if font is self._text else font.size / 60
        for line in lines:
            draw.text((x, y + _line(font) / 2), line, colour, font, anchor="lm",
                      stroke_width=stroke, stroke_fill=colour)  # fmt: skip
            y += _line(font)
        return y

    def _fitted(self, width: int, height: int) -> Image.Image | None:
        """The product's picture in this place: cut to fill it where little is lost, else whole."""
        if self._photo is None:
            return None
        size = (max(2, width), max(2, height))
        ratio = (self._photo.width / self._photo.height) / (size[0] / size[1])
        if min(ratio, 1 / ratio) >= 1 - _CUT_AT_MOST:
            return ImageOps.fit(self._photo, size, Image.Resampling.LANCZOS)
        whole = ImageOps.contain(self._photo, size, Image.Resampling.LANCZOS)
        ground = Image.new("RGBA", size, _edge_colour(whole))
        ground.alpha_composite(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
        return ground

    def _paste_photo(
        self, image: Image.Image, photo: Image.Image, x: int, y: int, mask: Image.Image
    ) -> None:
        sheet = Image.new("RGBA", image.size, (255, 255, 255, 0))
        sheet.paste(photo, (x, y))
        image.alpha_composite(clip_to(sheet, mask))


def draw_qr(url: str, size_px: int, most_px: int) -> Image.Image:
    """A QR code of about `size_px`, RGB, with whole pixels per module: 3 or more if they fit.

    Without the quiet zone it needs: the white card around it is that.
    """
    code = segno.make(url, error="l", micro=False, boost_error=True)
    modules = np.array([list(row) for row in code.matrix], np.uint8)
    factor = max(_CLEAR_MODULE_PX, size_px // len(modules))
    factor = max(1, min(factor, most_px // len(modules)))
    dots = np.kron(1 - modules, np.full((factor, factor), 255, np.uint8))
    return Image.fromarray(np.asarray(dots, np.uint8)).convert("RGB")


def _open(path: str) -> Image.Image | None:
    if not path:
        return None
    try:
        return Image.open(Path(path), formats=("PNG", "JPEG")).convert("RGBA")
    except (OSError, ValueError) as error:
        logger.warning("a card is shown without its picture", extra={"reason": str(error)})
        return None


def _edge_colour(image: Image.Image) -> tuple[int, int, int, int]:
    """What lies beside a picture that does not fill its place: the colour of its corners."""
    corners = [
        (0, 0),
        (image.width - 1, 0),
        (0, image.height - 1),
        (image.width - 1, image.height - 1),
    ]
    colours = np.array([image.getpixel(corner) for corner in corners], np.int32)
    if colours[:, 3].min() < 255 or int(np.ptp(colours, axis=0).max()) > 24:
        return (255, 255, 255, 255)
    red, green, blue, _ = (int(value) for value in colours.mean(axis=0))
    return red, green, blue, 255


def _fit(text: str, font: ImageFont.FreeTypeFont, width: int) -> ImageFont.FreeTypeFont | None:
    """The font, or a smaller one in which the text fits into one line; None without text."""
    if not text:
        return None
    size = int(font.size)
    while size > 10 and load_font(size).getlength(text) > width:
        size -= 1
    return load_font(size)


def _line(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size * 1.3)


def _height(lines: list[str], font: ImageFont.FreeTypeFont | None) -> int:
    return len(lines) * _line(font) if font else 0
