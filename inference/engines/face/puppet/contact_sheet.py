"""A page of what the presenters can look like: `python -m …puppet.contact_sheet OUT.jpg`."""

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
from inference.engines.face.puppet import gestures
from inference.engines.face.puppet.bake import Pixels, load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.lips import TARGETS
from inference.engines.face.puppet.parameters import (
    EXPRESSION_POSES,
    Pose,
    clamp_pose,
    rest_pose,
)
from inference.engines.face.puppet.rig import outfits

_WIDE_PX: Final = (1280, 720)
_SHEET_PX: Final = 1600
_JPEG_QUALITY: Final = 82
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
    """The rest pose with the arms of one gesture up, and the face that goes with it."""
    pose = rest_pose()
    pose[gestures.PARAMETERS[name]] = 1.0
    for parameter, value in gestures.POSES[name].items():
        pose[parameter] += value
    clamp_pose(pose)
    return pose


class Camera:
    """Takes pictures of one presenter. view: full, close or tall."""

    def __init__(self, character: str, outfit: str, cache_folder: str, view: str) -> None:
        self._size = _WIDE_PX[::-1] if view == "tall" else _WIDE_PX
        settings = {"character": character, "outfit": outfit}
        framing = "close" if view == "close" else "full"
        setup = FaceSetup(*self._size, 1920, framing, "studio", settings, cache_folder)
        self._compositor = Compositor(load_art(setup))

    def shot(self, pose: Pose) -> Pixels:
        """(height, width, 3) uint8 BGR."""
        width, height = self._size
        picture = np.empty((height * 3 // 2, width), np.uint8)
        self._compositor.draw(pose, picture)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420), np.uint8)


def draw_sheet(cache_folder: str) -> Pixels:
    """(height, width, 3) uint8 BGR: both presenters at rest, their expressions, their gestures in
    both framings, ten mouths, and tall pictures in the other outfits."""
    worn = {character: outfits(character) for character in _CHARACTERS}

    def cameras(view: str, outfit: int = 0) -> list[Camera]:
        return [Camera(name, worn[name][outfit], cache_folder, view) for name in _CHARACTERS]

    full = cameras("full")
    rows = [_row([camera.shot(rest_pose()) for camera in full])]
    for camera in full:
        faces = [camera.shot(expression_pose(name)) for name in EXPRESSIONS]
        rows.append(_row([face[20:430, 480:800] for face in faces]))
    for camera in [*full, *cameras("close")]:
        rows.append(_row([camera.shot(gesture_pose(name)) for name in gestures.PARAMETERS]))
    mouths = [full[0].shot(viseme_pose(name))[280:408, 556:724] for name in _MOUTHS]
    rows.append(_row(mouths))
    poses = (rest_pose(), gesture_pose("heart"), gesture_pose("wave"))
    rows.append(_row([camera.shot(pose) for camera in cameras("tall", 1) for pose in poses]))
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
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return 0 if cv2.imwrite(str(given.out), sheet, quality) else 1


if __name__ == "__main__":
    sys.exit(main())
