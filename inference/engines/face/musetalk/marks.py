"""From marks that somebody sets by hand to the 68 points of a face.

For machines and browsers without a detector: seventeen places that a host can point at. Eyes, lips
and nose between them are drawn as faces have them; the jaw is rounded through three marks.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[Any]]

# In this order; left and right are the picture's.
MARKS: Final = (
    "left_eye_outer", "left_eye_inner", "left_lid_upper", "left_lid_lower",
    "right_eye_inner", "right_eye_outer", "right_lid_upper", "right_lid_lower",
    "nose_tip", "mouth_left", "mouth_right", "lip_top", "lips_meet", "lip_bottom",
    "chin", "jaw_left", "jaw_right",
)  # fmt: skip


def points_of_marks(marks: Floats) -> Floats:
    """(68, 2) px in the order of 300-W. marks: (17, 2) px in the order of MARKS."""
    at = dict(zip(MARKS, np.asarray(marks, np.float32), strict=True))
    left = _eye(at["left_eye_outer"], at["left_eye_inner"], at["left_lid_upper"],
                at["left_lid_lower"])  # fmt: skip
    right = _eye(at["right_eye_inner"], at["right_eye_outer"], at["right_lid_upper"],
                 at["right_lid_lower"])  # fmt: skip
    middle = (at["left_eye_inner"] + at["right_eye_inner"]) / 2
    down = at["chin"] - middle
    down = down / np.hypot(*down)
    parts = [
        _jaw(at, middle, down), _brow(left, down), _brow(right, down),
        _nose(at, middle), left, right, _lips(at),
    ]  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


def _arc(first: Floats, last: Floats, bow: Floats, count: int) -> Floats:
    """`count` points from first to last on a parabola; bow: how far its middle is off the line."""
    share = np.linspace(0, 1, count)[:, None]
    line: Floats = first + share * (last - first) + 4 * share * (1 - share) * bow
    return line


def _bow(first: Floats, last: Floats, through: Floats) -> Floats:
    return through - (first + last) / 2


def _eye(first: Floats, last: Floats, upper: Floats, lower: Floats) -> Floats:
    """Six points: above from left to right, below from right to left."""
    above = _arc(first, last, _bow(first, last, upper), 4)
    below = _arc(last, first, _bow(first, last, lower), 4)[1:3]
    return np.concatenate([above, below])


def _brow(eye: Floats, down: Floats) -> Floats:
    """Five points, as far above an eye as brows usually are."""
    width = float(np.hypot(*(eye[3] - eye[0])))
    lifted = (eye[0], eye[3]) - np.float32(0.62 * width) * down
    wider = 0.12 * (lifted[1] - lifted[0])
    return _arc(lifted[0] - wider, lifted[1] + wider, np.float32(-0.14 * width) * down, 5)


def _nose(at: dict[str, Floats], middle: Floats) -> Floats:
    """Four points down the bridge, five along the base."""
    bridge = _arc(middle, at["nose_tip"], np.zeros(2, np.float32), 4)
    eyes = at["right_eye_inner"] - at["left_eye_inner"]
    below = at["nose_tip"] + 0.3 * (at["lip_top"] - at["nose_tip"])
    base = _arc(below - 0.45 * eyes, below + 0.45 * eyes, 0.1 * (at["lip_top"] - below), 5)
    return np.concatenate([bridge, base])


def _lips(at: dict[str, Floats]) -> Floats:
    """Twelve points around the lips, eight where they meet: they are closed."""
    left, right = at["mouth_left"], at["mouth_right"]
    top = _arc(left, right, _bow(left, right, at["lip_top"]), 7)
    bottom = _arc(right, left, _bow(left, right, at["lip_bottom"]), 7)[1:6]
    meet = _arc(left, right, _bow(left, right, at["lips_meet"]), 9)
    return np.concatenate([top, bottom, meet[[1, 2, 4, 6, 7]], meet[[6, 4, 2]]])


def _jaw(at: dict[str, Floats], middle: Floats, down: Floats) -> Floats:
    """Seventeen points: from beside the eyes down both jaws, round the chin."""
    chin, left, right = at["chin"], at["jaw_left"], at["jaw_right"]
    sides = []
    for jaw in (left, right):
        # Straight up from the jaw's mark to the height of the eyes, a little wider there.
        height = float((middle - jaw) @ down)
        temple = jaw + np.float32(height) * down
        temple = temple + 0.06 * (temple - middle)
        upper = _arc(temple, jaw, np.zeros(2, np.float32), 5)[:4]
        # A quarter of an ellipse from the jaw's mark to the chin.
        centre = chin - np.float32(float((chin - jaw) @ down)) * down
        angle = np.linspace(0, np.pi / 2, 5)[:, None]
        lower = centre + np.cos(angle) * (jaw - centre) + np.sin(angle) * (chin - centre)
        sides.append(np.concatenate([upper, lower]))
    return np.concatenate([sides[0], sides[1][:8][::-1]])
