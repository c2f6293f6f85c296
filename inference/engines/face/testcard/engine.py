"""A face that is a measuring instrument: clock, generation and a flash instead of a presenter."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import numpy as np

from inference.catalog import EXPRESSIONS, GESTURES
from inference.engines.base import EngineError, FaceSetup, FaceSpeech, Picture
from inference.engines.face.testcard import layout

_SAMPLES_PER_MS: Final = 48
# Luma of BT.601 limited range; the ground is dark enough for the flash to be seen by anything.
_BLACK: Final = 16
_WHITE: Final = 235
_GROUND: Final = 70


class TestcardEngine:
    """Burns the media clock of each frame into it; speech changes nothing but the generation."""

    __test__ = False
    needs_audio = False

    def __init__(self, setup: FaceSetup) -> None:
        self._width, self._height = setup.width_px, setup.height_px
        self._blank = blank_card(setup.width_px, setup.height_px)
        self._boxes = [
            layout.bit_box_px(index, self._width, self._height)
            for index in range(layout.COLUMNS * layout.ROWS)
        ]
        self._flash_box = layout.box_px(layout.FLASH, self._width, self._height)

    def start_speech(self, speech: FaceSpeech) -> None:
        """Accepted: the card looks the same whoever speaks."""

    def cut(self, at_sample: int, generation: int) -> None:
        """Accepted: the generation comes with each frame."""

    def drop(self, utterance: str, from_sample: int) -> None:
        """Accepted: the card looks the same whoever speaks."""

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        """Accepted when the name exists, like any other face."""
        if name not in EXPRESSIONS:
            raise EngineError("unknown_expression", f"There is no expression {name!r}.")

    def play_gesture(self, name: str, at_sample: int) -> None:
        """Accepted when the name exists, like any other face."""
        if name not in GESTURES:
            raise EngineError("unknown_gesture", f"There is no gesture {name!r}.")

    def play_clip(self, name: str, at_sample: int) -> None:
        """Refused: a card does not move."""
        raise EngineError("unknown_clip", f"The test card has no clip {name!r}.")

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the card of this media time into out: (height * 3 // 2, width) uint8 I420."""
        np.copyto(out, self._blank)
        clock_ms = max(0, pts_samples) // _SAMPLES_PER_MS
        word = layout.encode_bits(clock_ms, generation)
        for index, box in enumerate(reversed(self._boxes)):
            _fill(out, box, _WHITE if word >> index & 1 else _BLACK)
        if clock_ms % 1000 < layout.FLASH_MS:
            _fill(out, self._flash_box, _WHITE)

    def close(self) -> None:
        """Nothing is held."""


def blank_card(width_px: int, height_px: int) -> Picture:
    """A card without clock, (height * 3 // 2, width) I420: the ground and its two references."""
    picture = np.full((height_px * 3 // 2, width_px), 128, np.uint8)
    picture[:height_px] = _GROUND
    _fill(picture, layout.box_px(layout.BLACK, width_px, height_px), _BLACK)
    _fill(picture, layout.box_px(layout.WHITE, width_px, height_px), _WHITE)
    return picture


def _fill(picture: Picture, box: layout.Box, luma: int) -> None:
    x0, y0, x1, y1 = box
    picture[y0:y1, x0:x1] = luma


def create_engine(setup: FaceSetup) -> TestcardEngine:
    """The test card. Raises EngineError unless TEST_ENGINES=1: it must never go on a real air."""
    if os.environ.get("TEST_ENGINES") != "1":
        raise EngineError(
            "test_engines_off",
            "The test card is offered only with TEST_ENGINES=1.",
            retryable=False,
        )
    return TestcardEngine(setup)


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """Draws the card without a clock: an idle loop must not be read as a media time."""
    blank = blank_card(setup.width_px, setup.height_px)

    def paint(phase: float, out: Picture) -> None:
        np.copyto(out, blank)

    return paint
