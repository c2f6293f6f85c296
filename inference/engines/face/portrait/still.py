"""A photo at the size of a show, and how its parts move: everything that is worked out once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from inference.engines.base import Picture
from inference.engines.face.musetalk.bundle import Bundle, Film
from inference.engines.face.musetalk.prepared import Crop, crop_for, open_prepared
from inference.engines.face.portrait.axes import Box, Floats, Pixels
from inference.engines.face.portrait.eyes import Eye
from inference.engines.face.portrait.mouth import Mouth, MouthPose
from inference.engines.face.portrait.sway import Pose, Sway
from inference.engines.face.puppet.mouth import PRESSED
from inference.engines.face.puppet.parameters import REST_SMILE
from inference.media.picture import planes

# Beside a photo that is narrower than the show: the photo itself, out of focus and darker.
_BLUR: Final = 0.04
_DARKER: Final = 0.55
_SHUT: Final = 0.02


class Still:
    """The photo of a bundle at one size. Not thread-safe: it owns the picture that is worked on."""

    def __init__(self, bundle: Bundle, width_px: int, height_px: int, cache_folder: Path) -> None:
        """Raises BundleError."""
        film = open_prepared(bundle, width_px, height_px, cache_folder)
        crop = crop_for(bundle.film, width_px, height_px)
        if film is bundle.film:
            crop = Crop(0, 0, width_px, height_px)
        points = _points_in(crop, bundle, width_px, height_px)
        picture = cv2.cvtColor(np.array(film.frames[0]), cv2.COLOR_YUV2BGR_I420)
        self._photo = _with_bars_filled(np.asarray(picture, np.uint8), crop, bundle.film)
        self._i420 = np.asarray(cv2.cvtColor(self._photo, cv2.COLOR_BGR2YUV_I420), np.uint8)
        x0, y0, x1, y1 = film.rois[0].tolist()
        self._box: Box = (x0, y0, x1, y1)
        self._plain = _luma_and_chroma(self._i420)
        self._worked = tuple(plane.copy() for plane in self._plain)
        self._touched: list[Box] = []
        self._mouth = Mouth(self._photo, points)
        self._eyes = [Eye(self._photo, points, number) for number in (0, 1)]
        self._sway = Sway(points, self._box, np.array(film.mask(0)))

    @property
    def mouth_box(self) -> Box:
        """The part of the picture that the mouth moves, px."""
        return self._mouth.patch.box

    def draw(self, pose: Pose, out: Picture) -> None:
        """The photo in a pose, into out: (height * 3 // 2, width) uint8 I420."""
        np.copyto(out, self._i420)
        self._undo()
        for eye, side in zip(self._eyes, "LR", strict=True):
            closed = 1.0 - min(max(pose[f"ParamEye{side}Open"], 0.0), 1.0)
            if closed > _SHUT:
                self._put(eye.draw(self._photo, closed), eye.patch.box)
        mouth = mouth_pose(pose)
        if not mouth.is_still:
            self._put(self._mouth.draw(self._photo, mouth), self._mouth.patch.box)
        luma, chroma = self._sway.draw(pose, *self._worked)
        x0, y0, x1, y1 = self._box
        target = planes(out)
        target.y[y0:y1, x0:x1] = luma
        half = np.s_[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        target.u[half], target.v[half] = cv2.split(chroma)

    def _put(self, patch: Pixels, box: Box) -> None:
        """Lay a patch in BGR on what is worked on."""
        parts = _luma_and_chroma(np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2YUV_I420), np.uint8))
        for part, plane, unit in zip(parts, self._worked, (1, 2), strict=True):
            plane[_in(box, unit)] = part
        self._touched.append(box)

    def _undo(self) -> None:
        for box in self._touched:
            for plain, plane, unit in zip(self._plain, self._worked, (1, 2), strict=True):
                plane[_in(box, unit)] = plain[_in(box, unit)]
        self._touched.clear()


def mouth_pose(pose: Pose) -> MouthPose:
    """What a pose says of the mouth, beside that of a face at rest."""
    opening = pose["ParamMouthOpenY"]
    return MouthPose(
        opening=max(0.0, opening),
        form=pose["ParamMouthForm"] - REST_SMILE,
        pucker=pose["MouthPucker"],
        press=min(1.0, max(0.0, opening / PRESSED)),
    )


def _points_in(crop: Crop, bundle: Bundle, width_px: int, height_px: int) -> Floats:
    scale = np.array([width_px / crop.width, height_px / crop.height], np.float32)
    origin = np.array([crop.x0, crop.y0], np.float32)
    # Of px centres, as pictures are scaled.
    points: Floats = (np.array(bundle.points[0]) + 0.5 - origin) * scale - 0.5
    return points


def _with_bars_filled(picture: Pixels, crop: Crop, film: Film) -> Pixels:
    """A photo that is narrower or lower than the show stands before itself, out of focus."""
    height, width = picture.shape[:2]
    scale_x, scale_y = width / crop.width, height / crop.height
    x0, y0 = max(0, round(-crop.x0 * scale_x)), max(0, round(-crop.y0 * scale_y))
    x1 = min(width, round((film.width_px - crop.x0) * scale_x))
    y1 = min(height, round((film.height_px - crop.y0) * scale_y))
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return picture
    inner = picture[y0:y1, x0:x1].copy()
    factor = max(width / (x1 - x0), height / (y1 - y0))
    covering = cv2.resize(inner, None, fx=factor, fy=factor)
    left, top = (covering.shape[1] - width) // 2, (covering.shape[0] - height) // 2
    filled = np.ascontiguousarray(covering[top : top + height, left : left + width])
    filled = cv2.resize(filled, (width, height))
    filled = cv2.GaussianBlur(filled, (0, 0), _BLUR * width)
    darker = np.asarray(cv2.convertScaleAbs(filled, alpha=_DARKER), np.uint8)
    darker[y0:y1, x0:x1] = inner
    return darker


def _luma_and_chroma(picture: Picture) -> tuple[Pixels, Pixels]:
    """(height, width) and (height / 2, width / 2, 2) of an I420 picture."""
    parts = planes(np.ascontiguousarray(picture))
    return np.array(parts.y), np.dstack([parts.u, parts.v])


def _in(box: Box, unit: int) -> tuple[slice, slice]:
    """A box of even px in a plane of which one px covers `unit` of the picture."""
    x0, y0, x1, y1 = (value // unit for value in box)
    return slice(y0, y1), slice(x0, x1)
