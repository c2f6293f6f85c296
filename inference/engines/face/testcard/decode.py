"""Reads a test card back from any decoded picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.engines.face.testcard import layout

Gray = np.ndarray[Any, np.dtype[np.uint8]]

# Below this difference between black and white there is no card, or nothing readable of it.
_LEAST_CONTRAST: Final = 60.0
_BITS: Final = layout.COLUMNS * layout.ROWS


@dataclass(frozen=True, slots=True)
class TestcardReading:
    """clock_ms: media time modulo 2**24. generation: modulo 256. flash: is the mark lit."""

    __test__ = False  # pytest would take the name for a test class

    clock_ms: int
    generation: int
    flash: bool


def decode_testcard(gray: Gray) -> TestcardReading | None:
    """What the card says, from its brightness (height, width) uint8 at any size from 320x180 up.

    None when the picture holds no card or a damaged one.
    """
    height, width = gray.shape
    black = _level(gray, layout.box_px(layout.BLACK, width, height))
    white = _level(gray, layout.box_px(layout.WHITE, width, height))
    if white - black < _LEAST_CONTRAST:
        return None
    middle = (white + black) / 2
    word = 0
    for index in range(_BITS):
        bit = _level(gray, layout.bit_box_px(index, width, height)) > middle
        word = word << 1 | int(bit)
    content = layout.decode_bits(word)
    if content is None:
        return None
    flash = _level(gray, layout.box_px(layout.FLASH, width, height)) > middle
    return TestcardReading(content[0], content[1], flash)


def _level(gray: Gray, box: layout.Box) -> float:
    """Mean of the inner half of a block: its edges are smeared by scaling and coding."""
    x0, y0, x1, y1 = box
    margin_x, margin_y = (x1 - x0) // 4, (y1 - y0) // 4
    return float(gray[y0 + margin_y : y1 - margin_y, x0 + margin_x : x1 - margin_x].mean())
