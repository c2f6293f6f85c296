"""Opens, spreads and purses the mouth of a photo.

Everything is measured in halves of the mouth's width, on the mouth's own axes, from the line where
lip lies on lip. What is above that line moves with the skull, what is below it with the jaw: the
picture is torn there and nowhere else, and what the tear shows is painted (`teeth`).
All shifts are of sources: a px at a place shows what was at place + shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from inference.engines.face.portrait.axes import (
    Floats,
    Patch,
    Pixels,
    axes_between,
    smooth,
)
from inference.engines.face.portrait.teeth import Inside

# Of the 68 points: corners, chin, the base of the nose, and where lip lies on lip.
CORNERS: Final = (48, 54)
CHIN: Final = 8
NOSE_BASE: Final = 33
SEAM: Final = (48, 61, 62, 63, 54)
_SEAM_BELOW: Final = (48, 67, 66, 65, 54)
_LIP_TOP, _LIP_BOTTOM = 51, 57

# Of half the mouth's width, at an opening of 1: the jaw, and the upper lip.
_JAW: Final = 0.74
_UPPER: Final = 0.13
# How far the corners come in when the lips are pursed, and go out in a smile.
_PURSED: Final = 0.30
_SPREAD: Final = 0.13
_LIFT: Final = 0.13
_OPEN_CORNERS: Final = 0.07
# Pursed lips swell, pressed lips are thinner.
_SWELL: Final = 0.30
_PRESS: Final = 0.30
# How far to each side of its middle a mouth moves the face.
_REACH: Final = 3.0


@dataclass(frozen=True, slots=True)
class MouthPose:
    """opening: PRESSED..1. form: what a smile adds to the photo, -1.5..0.5. pucker: 0..1."""

    opening: float
    form: float
    pucker: float
    press: float = 0.0

    @property
    def is_still(self) -> bool:
        return max(abs(self.opening), abs(self.form), self.pucker, self.press) < 0.004


class Mouth:
    """The mouth of one photo at one size."""

    def __init__(self, picture: Pixels, points: Floats) -> None:
        """picture: (height, width, 3) BGR. points: (68, 2) px."""
        self.axes, half = axes_between(points[CORNERS[0]], points[CORNERS[1]])
        self.half_px = half
        own = np.stack(self.axes.local(points[:, 0], points[:, 1]), axis=1) / half
        self._seam_x, self._seam_y = _seam(own)
        self._chin = max(1.2, float(own[CHIN, 1]))
        self._nose = min(-0.6, float(own[NOSE_BASE, 1]))
        self._thick = max(0.12, (float(own[_LIP_BOTTOM, 1]) - float(own[_LIP_TOP, 1])) / 2)
        self.patch = Patch(self._corners(), picture.shape[1], picture.shape[0])
        self._x, self._y = (each / half for each in self.patch.coarse(self.axes))
        self._rest = self._y - self._seam_at(self._x)
        fine = [each / np.float32(half) for each in self.axes.local(self.patch.x, self.patch.y)]
        self._fine_x = fine[0].astype(np.float32)
        self._fine_rest = (fine[1] - self._seam_at(fine[0])).astype(np.float32)
        self._edge = smooth(-_REACH, -0.85 * _REACH, self._x) * smooth(
            _REACH, 0.85 * _REACH, self._x
        )
        self._inside = Inside(picture, points, half)

    def draw(self, source: Pixels, pose: MouthPose) -> Pixels:
        """The patch of `source`, a whole picture in BGR, with the mouth posed."""
        across, lift, moved, upper, lower = self.patch.fine(*self._shifts(pose))
        # Where a px of the moved picture lies: above the seam or below it.
        side = self._fine_rest + moved
        is_upper = side < 0
        shift = np.where(is_upper, upper, lower)
        # How far its source lies beyond the seam: there is no lip, but the inside of the mouth.
        beyond = np.where(is_upper, side + shift, -side - shift)
        past = np.maximum(beyond, 0)
        shift -= np.where(is_upper, past, -past)
        half = np.float32(self.half_px)
        moved_px = self.patch.cut(source, self.axes, across * half, (lift + shift) * half)
        if pose.opening > 0:
            self._inside.paint(moved_px, self._fine_x, side, side + lower, beyond)
        return moved_px

    def _shifts(self, pose: MouthPose) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """On the coarse grid: across, lift, how the seam moves, and shifts above and below it."""
        opening = max(0.0, pose.opening)
        near = smooth(self._nose, -0.25, self._rest) * smooth(self._chin, 0.35, self._rest)
        near *= self._edge
        cheek = near * smooth(0.8 * self._chin, 0.3, self._rest)
        drawn_in = _PURSED * pose.pucker - _SPREAD * pose.form + _OPEN_CORNERS * opening
        across = np.float32(drawn_in) * _pull(self._x) * cheek
        own_x = self._x + across
        arch = np.minimum(own_x * own_x, 1) * smooth(2.0, 1.0, np.abs(own_x))
        lift = np.float32(_LIFT * pose.form) * arch * near
        moved = lift + self._seam_at(self._x) - self._seam_at(own_x)
        side = self._rest + moved
        swell = _swell(side, self._thick) * smooth(1.5, 0.7, np.abs(own_x))
        swell *= np.float32(_PRESS * pose.press - _SWELL * pose.pucker * (1 - 0.5 * opening))
        return (
            across,
            lift,
            moved,
            self._above(own_x, side, opening) + swell,
            (self._below(own_x, side, opening) + swell),
        )

    def _above(self, x: Floats, side: Floats, opening: float) -> Floats:
        """The upper lip is lifted: its px come from below."""
        raised = np.float32(_UPPER * opening) * _bell(x)
        return raised * smooth(self._nose * 0.75, -0.1, side)

    def _below(self, x: Floats, side: Floats, opening: float) -> Floats:
        """The jaw drops, the wider the lower: its px come from above."""
        share = smooth(0.15, 0.75 * self._chin, side)
        # Lips end at the corners; the chin takes the cheeks along, less and less.
        bell = _bell(x)
        bell += (smooth(_REACH, 0.2, np.abs(x)) - bell) * share
        fallen = np.float32(_JAW * opening) * bell
        # The chin goes a little less far than the lip; the neck stays where it is.
        return -fallen * (1 - 0.26 * share) * smooth(1.95 * self._chin, 1.12 * self._chin, side)

    def _seam_at(self, x: Floats) -> Floats:
        """y of the line between the lips; beyond the corners it goes on level."""
        return np.interp(x, self._seam_x, self._seam_y).astype(np.float32)

    def _corners(self) -> Floats:
        """(4, 2) px: the corners of what moves."""
        bottom = 2.0 * self._chin + 0.1
        across = np.array([-_REACH, _REACH] * 2, np.float32) * np.float32(self.half_px)
        down = np.array([self._nose, self._nose, bottom, bottom]) * self.half_px
        right, below = self.axes.turned(across, down.astype(np.float32))
        return np.stack([right + self.axes.x, below + self.axes.y], axis=1)


def _seam(own: Floats) -> tuple[Floats, Floats]:
    """x and y of the line between the lips: a smooth curve through five places."""
    line = (own[list(SEAM)] + own[list(_SEAM_BELOW)]) / 2
    x = np.linspace(-1, 1, 41)
    curve = np.polynomial.polynomial.polyfit(line[:, 0], line[:, 1], 4)
    return x, np.polynomial.polynomial.polyval(x, curve)


def _bell(x: Floats) -> Floats:
    """1 in the middle, 0 from the corners on, with a rounded end."""
    inside = np.maximum(1 - np.abs(x) ** np.float32(2.15), 0)
    result: Floats = inside ** np.float32(1.25)
    return result


def _pull(x: Floats) -> Floats:
    """Across: as far as the corners in proportion, beyond them dying away."""
    far = np.abs(x)
    return np.sign(x) * np.minimum(far, 1) * smooth(2.35, 0.95, far)


def _swell(side: Floats, thick: float) -> Floats:
    """Down and up from the seam: in proportion within a lip, beyond it dying away."""
    far = np.abs(side)
    lip = 2 * thick
    result: Floats = np.sign(side) * np.minimum(far, lip) * smooth(2.6 * lip, 0.9 * lip, far)
    return result
