"""Draw a product card: picture, name, price, QR code. It takes 20 ms: off the media threads."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import segno
from PIL import Image, ImageDraw, ImageFont, ImageOps

from inference.media.fonts import drawable, load_font
from inference.media.overlay import OverlayPatch
from inference.media.panels import Colour, clip_to, panel, place, rounded_mask, with_shadow
from inference.media.places import Box
from inference.media.uploads import open_kept
from inference.media.wrapping import wrap, wrap_to
from inference.overlay_spec import CardSpec

Font = ImageFont.FreeTypeFont

logger = logging.getLogger(__name__)

_GROUND: Final[Colour] = (255, 255, 255, 255)
_INK: Final[Colour] = (24, 32, 48, 255)
_QUIET: Final[Colour] = (98, 108, 128, 255)
_PRICE: Final[Colour] = (222, 44, 38, 255)
_TITLE_SHARE: Final = 0.044  # of the picture's short side
_TEXT_SHARE: Final = 0.037
_PRICE_SHARE: Final = 0.062
_QR_SHARE: Final = 0.19
_QR_WIDTH_SHARE: Final = 0.72  # of the card, at most
_PRICE_LEAST_SHARE: Final = 0.4  # of a column's width, beside its code
_CLEAR_MODULE_PX: Final = 3  # smaller ones do not survive the video's coding
_SCALES: Final = (1.0, 0.92, 0.84, 0.76)  # of the words
# What a column tries in turn, (the picture's least share of its width, scales of the words), before
# the text gives way.
_TRIES: Final = ((0.6, _SCALES[:3]), (0.42, _SCALES))
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


@dataclass(frozen=True, slots=True)
class _Texts:
    """The words of a card in their fonts, broken into lines. is_whole: nothing of them is cut."""

    title: list[str]
    title_font: Font
    text: list[str]
    text_font: Font
    price_font: Font | None
    is_whole: bool

    @property
    def height(self) -> int:
        """Of name and text, px."""
        return _height(self.title, self.title_font) + _height(self.text, self.text_font)

    @property
    def price_height(self) -> int:
        return _line(self.price_font) if self.price_font else 0


class _Drawing:
    """One card being drawn."""

    def __init__(self, card: CardSpec, box: Box, short_px: int) -> None:
        self._card = replace(card, price=" ".join(drawable(card.price).split()))
        self._box = box
        self._short = short_px
        self._pad = round(short_px * 0.024)
        self._photo = _open(card.picture)
        most = min(box.height - 2 * self._pad, round(box.width * _QR_WIDTH_SHARE))
        self._qrs = _qr_codes(card.url, round(short_px * _QR_SHARE), most) if card.url else [None]

    def column(self) -> Image.Image:
        """Picture on top, then name and text, then price and QR code beside each other.

        Where they do not fit beside each other, the price stands above the code.
        """
        pad, width = self._pad, self._box.width
        words, qr = self._column_words()
        is_beside = self._is_beside(qr)
        foot = self._foot(words, qr)
        below = words.height + foot + 2 * pad + (pad if foot else 0)
        room = min(self._box.height - below, round(width * 0.8))
        photo = self._fitted(width, room) if room > 2 * pad else None
        top = photo.height if photo else 0
        image = panel(width, top + below, _GROUND, pad)
        if photo:
            self._paste_photo(image, photo, 0, 0, rounded_mask(image.width, image.height, pad))
        draw = ImageDraw.Draw(image)
        y = self._write_words(draw, words, (pad, top + pad)) + pad
        if words.price_font:
            high = foot if is_beside else words.price_height
            self._write_price(draw, words, (pad, y + (high - words.price_height) // 2))
        if qr:
            x = width - pad - qr.width if is_beside else (width - qr.width) // 2
            image.paste(qr, (x, y + (foot - qr.height) // (2 if is_beside else 1)))
        return image

    def row(self) -> Image.Image:
        """Picture at the left, QR code at the right, the texts between them."""
        pad, height = self._pad, self._box.height
        photo = self._fitted(height - 2 * pad, height - 2 * pad)
        left = pad + (photo.width + pad if photo else 0)
        words, qr = self._row_words(left)
        image = panel(self._box.width, height, _GROUND, round(pad * 1.2))
        if photo:
            mask = Image.new("L", image.size, 0)
            mask.paste(rounded_mask(*photo.size, pad // 2), (pad, pad))
            self._paste_photo(image, photo, pad, (height - photo.height) // 2, mask)
        if qr:
            at = (image.width - pad - qr.width, (height - qr.height) // 2)
            image.paste(qr, at)
        draw = ImageDraw.Draw(image)
        y = max(pad // 2, (height - words.height - words.price_height) // 2)
        self._write_price(draw, words, (left, self._write_words(draw, words, (left, y))))
        return image

    def _column_words(self) -> tuple[_Texts, Image.Image | None]:
        """The largest words that are whole and leave the picture its place; else cut ones."""
        inner = self._box.width - 2 * self._pad
        for share, scales in _TRIES:
            least = share * self._box.width if self._photo else 0
            for scale, qr in product(scales, self._qrs):
                words = self._words(scale, inner, self._price_width(qr), 2)
                below = words.height + self._foot(words, qr) + 3 * self._pad
                if words.is_whole and self._box.height - below >= least:
                    return words, qr
        # The product is seen rather than praised.
        qr = self._qrs[-1]
        return self._words(_SCALES[-1], inner, self._price_width(qr), 0 if self._photo else 1), qr

    def _row_words(self, left: int) -> tuple[_Texts, Image.Image | None]:
        """The largest words that are whole in what picture and QR code leave; else cut ones."""
        room = self._box.height - self._pad
        for scale, qr in product(_SCALES, self._qrs):
            words = self._words(scale, self._row_width(left, qr), None, 2)
            if words.is_whole and words.height + words.price_height <= room:
                return words, qr
        qr = self._qrs[-1]
        return self._words(_SCALES[-1], self._row_width(left, qr), None, 1), qr

    def _words(self, scale: float, width: int, price_width: int | None, lines: int) -> _Texts:
        """Two lines of name, `lines` of text. price_width: None = as wide as the text."""
        short = self._short * scale
        title, text = (
            load_font(max(least, round(short * share)))
            for least, share in ((13, _TITLE_SHARE), (11, _TEXT_SHARE))
        )
        price = load_font(max(16, round(self._short * _PRICE_SHARE)))
        whole = (
            len(wrap(self._card.title, title, width)) <= 2
            and len(wrap(self._card.text, text, width)) <= lines
        )
        return _Texts(
            wrap_to(self._card.title, title, width, 2),
            title,
            wrap_to(self._card.text, text, width, lines) if lines else [],
            text,
            _fit(self._card.price, price, width if price_width is None else price_width),
            whole,
        )

    def _row_width(self, left: int, qr: Image.Image | None) -> int:
        return self._box.width - self._pad - left - (qr.width + self._pad if qr else 0)

    def _is_beside(self, qr: Image.Image | None) -> bool:
        """Whether the price of a column has enough room beside the code."""
        inner = self._box.width - 2 * self._pad
        return qr is None or inner - qr.width - self._pad >= inner * _PRICE_LEAST_SHARE

    def _price_width(self, qr: Image.Image | None) -> int:
        inner = self._box.width - 2 * self._pad
        return inner - qr.width - self._pad if qr and self._is_beside(qr) else inner

    def _foot(self, words: _Texts, qr: Image.Image | None) -> int:
        """The height of price and code."""
        heights = words.price_height, qr.height if qr else 0
        if self._is_beside(qr):
            return max(heights)
        return sum(heights) + (self._pad // 2 if all(heights) else 0)

    def _write_words(self, draw: ImageDraw.ImageDraw, words: _Texts, at: tuple[int, int]) -> int:
        y = self._write(draw, words.title, words.title_font, _INK, at)
        return self._write(draw, words.text, words.text_font, _QUIET, (at[0], y))

    def _write_price(self, draw: ImageDraw.ImageDraw, words: _Texts, at: tuple[int, int]) -> None:
        if words.price_font:
            self._write(draw, [self._card.price], words.price_font, _PRICE, at)

    def _write(
        self,
        draw: ImageDraw.ImageDraw,
        lines: list[str],
        font: Font,
        colour: Colour,
        at: tuple[int, int],
    ) -> int:
        """Lines below each other; returns where the next one begins."""
        x, y = at
        # The font has one weight: a hair of outline makes name and price heavier.
        stroke = 0 if colour is _QUIET else font.size / 60
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


def _qr_codes(url: str, size_px: int, most_px: int) -> list[Image.Image | None]:
    """The code as large as wanted, and the smallest that is still clear."""
    return [draw_qr(url, size_px, most_px), draw_qr(url, 0, most_px)]


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
        return open_kept(Path(path))
    except OSError as error:
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


def _fit(text: str, font: Font, width: int) -> Font | None:
    """The font, or a smaller one in which the text fits into one line; None without text."""
    if not text:
        return None
    size = int(font.size)
    while size > 10 and load_font(size).getlength(text) > width:
        size -= 1
    return load_font(size)


def _line(font: Font) -> int:
    return round(font.size * 1.3)


def _height(lines: list[str], font: Font | None) -> int:
    return len(lines) * _line(font) if font else 0
