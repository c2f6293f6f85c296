"""A page of what the presenters can look like: `python -m …puppet.contact_sheet OUT.png`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.catalog import EXPRESSIONS, GESTURES
from inference.engines.base import VISEMES, FaceSetup
from inference.engines.face.puppet.bake import Pixels, load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.gestures import PARAMETERS as GESTURE_PARAMETERS
from inference.engines.face.puppet.lips import TARGETS
from inference.engines.face.puppet.parameters import (
    EXPRESSION_POSES,
    Pose,
    clamp_pose,
    rest_pose,
)
from inference.engines.face.puppet.rig import outfits

_WIDE_PX: Final = (1280, 720)
_SHEET_PX: Final = 1280
_CHARACTERS: Final = ("lin", "chen")
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


def gesture_pose(name: str) -> Pose:
    """The rest pose with the arms of one gesture up."""
    pose = rest_pose()
    pose[GESTURE_PARAMETERS[name]] = 1.0
    return pose


class Camera:
    """Takes pictures of one presenter, wide or tall."""

    def __init__(self, character: str, outfit: str, cache_folder: str, *, tall: bool) -> None:
        self._size = _WIDE_PX[::-1] if tall else _WIDE_PX
        settings = {"character": character, "outfit": outfit}
        setup = FaceSetup(*self._size, 1920, "full", "studio", settings, cache_folder)
        self._compositor = Compositor(load_art(setup))

    def shot(self, pose: Pose) -> Pixels:
        """(height, width, 3) uint8 BGR."""
        width, height = self._size
        picture = np.empty((height * 3 // 2, width), np.uint8)
        self._compositor.draw(pose, picture)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420), np.uint8)


def draw_sheet(cache_folder: str) -> Pixels:
    """(height, width, 3) uint8 BGR: both presenters at rest, their expressions, the five gestures,
    ten mouths, and tall pictures in the other outfits."""
    pairs = [(character, outfits(character)) for character in _CHARACTERS]
    wide = [Camera(name, worn[0], cache_folder, tall=False) for name, worn in pairs]
    tall = [Camera(name, worn[1], cache_folder, tall=True) for name, worn in pairs]
    rows = [_row([camera.shot(rest_pose()) for camera in wide])]
    for camera in wide:
        faces = [camera.shot(expression_pose(name)) for name in EXPRESSIONS]
        rows.append(_row([face[20:430, 480:800] for face in faces]))
    gestures = [name for name in GESTURES if name != "none"]
    for start, camera in enumerate(wide):
        rows.append(_row([camera.shot(gesture_pose(name)) for name in gestures[start::2]]))
    mouths = [wide[0].shot(viseme_pose(name))[280:408, 556:724] for name in _MOUTHS]
    rows.append(_row(mouths))
    poses = (rest_pose(), gesture_pose("heart"), gesture_pose("wave"))
    rows.append(_row([camera.shot(pose) for camera in tall for pose in poses]))
    return np.vstack(rows)


def _row(pictures: list[Pixels]) -> Pixels:
    row = np.hstack(pictures)
    height = round(row.shape[0] * _SHEET_PX / row.shape[1])
    return np.asarray(cv2.resize(row, (_SHEET_PX, height), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> int:
    """Write the sheet; exit status 1 when it cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheet = draw_sheet(folder)
    return 0 if cv2.imwrite(str(given.out), sheet) else 1


if __name__ == "__main__":
    sys.exit(main())
