"""Backgrounds: the drawn ones are all there, and a picture of one's own fills the frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.catalog import BACKGROUNDS
from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.puppet.ground import load_picture
from inference.engines.face.puppet.rig import ART, backgrounds
from inference.media.idle import idle_loop_path


def halves(path: Path, width: int = 400, height: int = 100) -> str:
    """A picture that is red at its left and blue at its right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (0, 0, 255)
    image[:, width // 2 :] = (255, 0, 0)
    cv2.imwrite(str(path), image)
    return str(path)


def test_every_background_is_drawn() -> None:
    assert set(BACKGROUNDS) == set(backgrounds())


def test_tall_rooms_belong_to_wide_ones() -> None:
    tall = {path.stem for path in (ART / "backgrounds" / "tall").glob("*.svg")}

    assert tall <= set(BACKGROUNDS)


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (800, 100)])
def test_picture_is_cut_in_its_middle_and_fills_the_frame(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    pixels = load_picture(halves(tmp_path / "a.png"), *size)

    assert pixels.shape == (size[1], size[0], 4)
    assert (pixels[..., 3] == 255).all()
    assert tuple(pixels[0, 0, :3]) == (0, 0, 255)
    assert tuple(pixels[-1, -1, :3]) == (255, 0, 0)
    assert tuple(pixels[0, size[0] // 2 - 4, :3]) == (0, 0, 255)
    assert tuple(pixels[0, size[0] // 2 + 4, :3]) == (255, 0, 0)


def test_lost_picture_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="choose it again") as caught:
        load_picture(str(tmp_path / "gone.png"), 160, 90)

    assert not caught.value.retryable


def test_idle_loop_of_each_picture_is_another(tmp_path: Path) -> None:
    def loop(background: str) -> Path:
        return idle_loop_path(FaceSetup(160, 90, 1920, "full", background, {}, str(tmp_path)))

    assert loop("/a.png") != loop("/b.png")
    assert loop("/a.png") == loop("/a.png")
