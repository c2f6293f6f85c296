"""A page of what a photo looks like when it speaks: `python -m …portrait.contact_sheet IN OUT`.

IN is a folder with a built bundle, OUT a JPEG: the photo at rest, blinking and turning, and ten
mouths.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.engines.base import EngineError
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.portrait.axes import Pixels
from inference.engines.face.portrait.still import Still
from inference.engines.face.puppet.contact_sheet import expression_pose, viseme_pose
from inference.engines.face.puppet.parameters import Pose, rest_pose

_SIZE_PX: Final = (1280, 720)
_SHEET_PX: Final = 1600
_JPEG_QUALITY: Final = 85
_MOUTHS: Final = ("PP", "FF", "SS", "nn", "CH", "aa", "E", "I", "O", "U")


def draw_sheet(bundle_folder: Path, cache_folder: Path) -> Pixels:
    """(height, width, 3) uint8 BGR. Raises BundleError."""
    still = Still(open_bundle(bundle_folder), *_SIZE_PX, cache_folder)
    heads = [_shot(still, pose)[:, 280:1000] for pose in _head_poses()]
    left, top, right, bottom = still.mouth_box
    mouths = [_shot(still, viseme_pose(name))[top:bottom, left:right] for name in _MOUTHS]
    return np.vstack([_row(heads), _row(mouths[:5]), _row(mouths[5:])])


def _head_poses() -> list[Pose]:
    shut = {**rest_pose(), "ParamEyeLOpen": 0.0, "ParamEyeROpen": 0.0}
    turned = {**rest_pose(), "ParamAngleX": 9.0, "ParamAngleZ": 4.0}
    return [rest_pose(), shut, turned, expression_pose("happy"), expression_pose("surprised")]


def _shot(still: Still, pose: Pose) -> Pixels:
    width, height = _SIZE_PX
    picture = np.empty((height * 3 // 2, width), np.uint8)
    still.draw(pose, picture)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420), np.uint8)


def _row(pictures: list[Pixels]) -> Pixels:
    row = np.hstack(pictures)
    height = round(row.shape[0] * _SHEET_PX / row.shape[1])
    return np.asarray(cv2.resize(row, (_SHEET_PX, height), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> int:
    """Write the sheet; exit status 1 when the bundle cannot be read or the sheet not be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            sheet = draw_sheet(given.bundle, Path(folder))
    except EngineError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return 0 if cv2.imwrite(str(given.out), sheet, quality) else 1


if __name__ == "__main__":
    sys.exit(main())
