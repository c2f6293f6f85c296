"""From what a network calls each pixel to the region that is repainted: raw, neck and jaw.

As MuseTalk's `FaceParsing` makes them (github.com/TMElyralab/MuseTalk at 0a89dec): `raw` is skin
and mouth, `neck` the neck besides, `jaw` skin that is grown downwards and taken in at the cheeks,
so that a chin has room to drop.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from PIL import Image

from inference.engines.face.musetalk.bundle import Pixels

MODES: Final = ("polygon", "raw", "neck", "jaw")
SIDE_PX: Final = 512
# Classes of CelebAMask-HQ.
_SKIN, _NOSE, _NECK = 1, 10, 14
_MOUTH: Final = (11, 12, 13)
# Half the middle that is left as it is grown, in px of SIDE_PX.
_CHEEKS_PX: Final = {"v1": 80, "v1.5": 90}
_CONE_PX, _TAIL_PX = 21, 12
_CHEEK_KERNEL: Final = (35, 3)


def region_of_labels(labels: Pixels, mode: str, version: str, side: int) -> Pixels:
    """255 where the face is, (side, side) uint8, smooth at its edge.

    labels: (512, 512) classes of a square crop. mode: raw, neck or jaw.
    """
    kept = np.isin(labels, (_SKIN, *_MOUTH))
    if mode == "neck":
        kept |= labels == _NECK
    if mode == "jaw":
        kept = _jaw(labels, _CHEEKS_PX[version])
    whole = Image.fromarray(kept.astype(np.uint8) * 255)
    return np.asarray(whole.resize((side, side), Image.Resampling.BICUBIC), np.uint8)


def _jaw(labels: Pixels, cheeks_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    skin = (labels == _SKIN).astype(np.uint8)
    grown = cv2.dilate(skin, _downwards())
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, _CHEEK_KERNEL)
    taken_in = cv2.erode(grown, ellipse, iterations=2)
    is_cheek = np.ones(SIDE_PX, bool)
    middle = SIDE_PX // 2
    is_cheek[middle - cheeks_px + 1 : middle + cheeks_px] = False
    region = np.where(is_cheek[None], taken_in, grown) > 0
    return np.asarray((region & (labels != _NOSE)) | np.isin(labels, _MOUTH), np.bool_)


def _downwards() -> Pixels:
    """A kernel like a cone on a block: it grows a region to below, and hardly to the sides."""
    side = _CONE_PX + _TAIL_PX
    rows = np.arange(side)
    half = np.clip(rows - _CONE_PX // 2, -1, _CONE_PX // 2)
    away = np.abs(rows - side // 2)
    return (away[None] <= half[:, None]).astype(np.uint8)
