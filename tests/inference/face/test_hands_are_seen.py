"""Raised hands are seen whole: no product card, name line or caption lies over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference.engines.base import FaceSetup
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.contact_sheet import gesture_pose
from inference.engines.face.puppet.gestures import PARAMETERS
from inference.engines.face.puppet.rig import load_rig
from inference.media.badges import draw_lower_third
from inference.media.layout import Layout

Mask = np.ndarray[Any, np.dtype[np.bool_]]

SIZES = [(720, 1280), (960, 540)]


def skin_of_arms(folder: Path, character: str, gesture: str, size: tuple[int, int]) -> Mask:
    """Where the picture shows hands: skin that is not there while the arms are down."""
    setup = FaceSetup(*size, 1920, "full", "studio", {"character": character}, str(folder))
    compositor, pose = Compositor(load_art(setup)), gesture_pose(gesture)
    pictures = []
    for raised in (1.0, 0.0):
        planes = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
        compositor.draw(pose | {PARAMETERS[gesture]: raised}, planes)
        pictures.append(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420).astype(int))
    red, green, blue = bytes.fromhex(load_rig(character).skin.base[1:])
    is_new = np.abs(pictures[0] - pictures[1]).max(axis=2) > 16
    is_skin = np.abs(pictures[0] - (blue, green, red)).max(axis=2) < 24
    return np.asarray(is_new & is_skin, np.bool_)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("character", ["lin", "chen"])
def test_nothing_lies_over_a_hand(tmp_path: Path, character: str, size: tuple[int, int]) -> None:
    third = draw_lower_third("林小雅", "茗香旗舰店 · 主播", *size)
    assert third is not None
    layout = Layout(*size, {}, lower_third=third.size)
    card, (x, y) = layout.card_box(), layout.lower_third_place()

    for gesture in PARAMETERS:
        hands = skin_of_arms(tmp_path, character, gesture, size)

        whole = hands.sum()
        assert whole > 0.004 * hands.size, gesture
        # Wrists below a heart, whose tip is above them, may be covered.
        most = (0.2 if gesture == "heart" else 0.01) * whole
        assert hands[card.top : card.bottom, card.left : card.right].sum() < most, gesture
        assert hands[y : y + third.height, x : x + third.width].sum() < 0.01 * whole, gesture
        assert hands[layout.caption_top_px :].sum() < most, gesture
