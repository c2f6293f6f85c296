"""A page of what the presenter can look like: `python -m …puppet.contact_sheet OUT.png`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.catalog import EXPRESSIONS
from inference.engines.base import VISEMES, FaceSetup
from inference.engines.face.puppet.bake import Pixels, load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.lips import TARGETS
from inference.engines.face.puppet.parameters import (
    EXPRESSION_POSES,
    Pose,
    clamp_pose,
    rest_pose,
)

_WIDTH_PX: Final = 1280
_HEIGHT_PX: Final = 720
_MOUTHS: Final = ("PP", "FF", "SS", "nn", "CH", "aa", "E", "I", "O", "U")


def expression_pose(name: str) -> Pose:
    """The rest pose with one expression at emotion 3."""
    pose = rest_pose()
    for parameter, value in EXPRESSION_POSES[name].items():
        pose[parameter] += value
    clamp_pose(pose)
    return pose


def viseme_pose(name: str) -> Pose:
    """The rest pose with the mouth of one viseme."""
    pose = rest_pose()
    opening, form, pucker = TARGETS[VISEMES.index(name)].tolist()
    pose |= {"ParamMouthOpenY": opening, "ParamMouthForm": form, "MouthPucker": pucker}
    return pose


def draw_sheet(character: str, cache_folder: str) -> Pixels:
    """(height, width, 3) uint8 BGR: eight expressions, ten mouths, the whole picture below."""
    settings = {"character": character}
    setup = FaceSetup(_WIDTH_PX, _HEIGHT_PX, 1920, "full", "studio", settings, cache_folder)
    compositor = Compositor(load_art(setup))

    def shot(pose: Pose) -> Pixels:
        picture = np.empty((_HEIGHT_PX * 3 // 2, _WIDTH_PX), np.uint8)
        compositor.draw(pose, picture)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420), np.uint8)

    faces = [shot(expression_pose(name))[20:500, 460:820] for name in EXPRESSIONS]
    mouths = [shot(viseme_pose(name))[280:408, 556:724] for name in _MOUTHS]
    rows = [_row(faces[:4], _WIDTH_PX), _row(faces[4:], _WIDTH_PX)]
    rows += [_row(mouths[:5], _WIDTH_PX), _row(mouths[5:], _WIDTH_PX), shot(rest_pose())]
    return np.vstack(rows)


def _row(pictures: list[Pixels], width_px: int) -> Pixels:
    row = np.hstack(pictures)
    height = round(row.shape[0] * width_px / row.shape[1])
    return np.asarray(cv2.resize(row, (width_px, height), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> int:
    """Write the sheet; exit status 1 when it cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--character", default="lin")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheet = draw_sheet(given.character, folder)
    return 0 if cv2.imwrite(str(given.out), sheet) else 1


if __name__ == "__main__":
    sys.exit(main())
