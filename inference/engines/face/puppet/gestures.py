"""Gestures: which arms each one raises, and when they come and go.

An arm rests out of the picture, below its edge. It is baked as it is held up; on its way there it
turns about its elbow and rises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from inference.engines.face.puppet import hands
from inference.engines.face.puppet.motion import smooth

ENTER_SECONDS: Final = 0.45
LEAVE_SECONDS: Final = 0.5
# The next gesture begins when the arms of the one before are nearly gone.
_CHANGE_SECONDS: Final = 0.35
_WAVES_PER_SECOND: Final = 1.7

# The parameter of the pose that raises the arms of a gesture, 0..1, and how long it is held.
PARAMETERS: Final = {
    "wave": "GestureWave", "point_left": "GesturePointLeft", "point_right": "GesturePointRight",
    "open_hands": "GestureOpenHands", "heart": "GestureHeart",
}  # fmt: skip
_HELD_SECONDS: Final = {
    "wave": 1.9, "point_left": 1.6, "point_right": 1.6, "open_hands": 1.5, "heart": 1.9,
}  # fmt: skip
# What the rest of the presenter does while the arms are up: nobody waves with a stiff face.
_SMILE: Final = {"ParamMouthForm": 0.35, "ParamEyeLSmile": 0.35, "ParamEyeRSmile": 0.35}
POSES: Final[dict[str, dict[str, float]]] = {
    "wave": {**_SMILE, "ParamAngleZ": 4.0, "ShoulderLift": 1.5, "ParamCheek": 0.2},
    "point_left": {"ParamAngleX": -10.0, "ParamEyeBallX": -0.5, "ParamBodyAngleX": -4.0},
    "point_right": {"ParamAngleX": 10.0, "ParamEyeBallX": 0.5, "ParamBodyAngleX": 4.0},
    "open_hands": {
        "ParamAngleY": 3.0, "ShoulderLift": 4.0, "ParamMouthForm": 0.2, "ParamBrowLY": 0.25,
        "ParamBrowRY": 0.25, "ParamBrowLForm": 0.25, "ParamBrowRForm": 0.25,
    },
    "heart": {**_SMILE, "ParamAngleZ": -6.0, "ShoulderLift": 2.5, "ParamCheek": 0.5},
}  # fmt: skip
LONGEST_SECONDS: Final = ENTER_SECONDS + max(_HELD_SECONDS.values()) + LEAVE_SECONDS

# Half of the stage's width: arms are drawn for the left of it, mirrored for the right.
_MIDDLE: Final = 640.0
_ELBOW_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a gesture, in art units as for the left of the picture.

    wrist: where it is held. lean: degrees the forearm leans to the right. turn: degrees the hand
    is turned on it. reach: how far it goes from the middle. shown: so many units below the wrist
    are in every picture. swings: it follows GestureSwing.
    """

    layer: str
    gesture: str
    hand: str
    wrist: tuple[float, float]
    lean: float
    turn: float
    reach: float
    shown: float = 25.0
    is_mirrored: bool = False
    swings: bool = False

    @property
    def parameter(self) -> str:
        return PARAMETERS[self.gesture]

    @property
    def elbow(self) -> tuple[float, float]:
        angle = math.radians(self.lean)
        x, y = self.wrist
        return x - hands.FOREARM * math.sin(angle), y + hands.FOREARM * math.cos(angle)


def _both(arm: Arm) -> tuple[Arm, Arm]:
    """An arm and the same one on the other side."""
    return (
        replace(arm, layer=f"{arm.layer}_left"),
        replace(arm, layer=f"{arm.layer}_right", is_mirrored=True),
    )


ARMS: Final = (
    Arm("wave", "wave", "wave", (336, 578), -14, 6, 455, swings=True),
    Arm("point_left", "point_left", "point", (345, 588), -14, -48, 450),
    Arm("point_right", "point_right", "point", (345, 588), -14, -48, 450, is_mirrored=True),
    *_both(Arm("open_hands", "open_hands", "open_hands", (342, 585), -20, -34, 465)),
    # Held in the middle: brought closer, the hands would cross. Its tip is above the wrists.
    *_both(Arm("heart", "heart", "heart", (540, 635), 25, -25, 160, shown=-22)),
)


def hand_of(arm: Arm, skin: hands.Skin) -> hands.Hand:
    """The drawing of an arm's hand."""
    if arm.hand == "heart":
        return hands.heart_hand(skin)
    if arm.hand == "point":
        return hands.pointing_hand(skin)
    return hands.open_hand(skin, 1.0 if arm.hand == "wave" else 0.75)


def placed(arm: Arm, half_width: float, bottom: float) -> Arm:
    """The arm held so that a picture holds all of its hand.

    half_width: units seen to each side; in a narrow picture the wrist comes in and the elbow
    follows a little, the hand keeps its angle. bottom: the lowest height seen, in units; where the
    hand would lie below it, the whole arm is higher.
    """
    inward = max(0.0, arm.reach - half_width)
    higher = max(0.0, arm.wrist[1] + arm.shown - bottom)
    x, y = arm.elbow[0] + _ELBOW_SHARE * inward, arm.elbow[1] - higher
    share = (arm.wrist[0] + inward - x) / hands.FOREARM
    lean = math.degrees(math.asin(min(max(share, -1.0), 1.0)))
    wrist = (x + hands.FOREARM * share, y - hands.FOREARM * math.cos(math.radians(lean)))
    return replace(arm, wrist=wrist, lean=lean, turn=arm.turn + arm.lean - lean)


def arm_svg(arm: Arm, skin: hands.Skin, sleeve: hands.Sleeve) -> str:
    """The arm as it is held, on a sheet of 1280 x 1000 units."""
    x, y = arm.wrist
    drawing = hands.arm(hand_of(arm, skin), sleeve, wrist=arm.turn, skin=skin)
    mirror = f'transform="translate({2 * _MIDDLE} 0) scale(-1 1)"' if arm.is_mirrored else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 1000">'
        f"{hands.sleeve_defs(skin, sleeve, is_mirrored=arm.is_mirrored)}<g {mirror}>"
        f'<g transform="translate({x:.2f} {y:.2f}) rotate({arm.lean:.2f})">{drawing}</g></g></svg>'
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A gesture from `start` on; from `end` on its arms go down again. Seconds of one clock."""

    name: str
    start: float
    end: float

    def raised(self, seconds: float) -> float:
        """How far the arms are up, 0..1."""
        up = smooth((seconds - self.start) / ENTER_SECONDS)
        return up * (1.0 - smooth((seconds - self.end) / LEAVE_SECONDS))

    def swing(self, seconds: float) -> float:
        """A wave's way to and fro, -1..1; it dies down while the arm sinks."""
        age = seconds - self.start - 0.6 * ENTER_SECONDS
        share = smooth(age / 0.2) * (1.0 - smooth((seconds - self.end) / LEAVE_SECONDS))
        return math.sin(2 * math.pi * _WAVES_PER_SECOND * age) * share


def plan_gestures(told: Sequence[tuple[float, str]]) -> list[Shown]:
    """What is shown of gestures that were told (second, name) in order.

    Nobody has three arms: the next gesture, or `none`, ends the one before. The same gesture
    again while it is shown goes on.
    """
    shown: list[Shown] = []
    for at, name in told:
        last = shown[-1] if shown else None
        is_up = last is not None and at < last.end
        if last is not None and is_up:
            end = at + ENTER_SECONDS + _HELD_SECONDS[name] if name == last.name else at
            shown[-1] = last = Shown(last.name, last.start, max(end, last.start))
        if name == "none" or (last is not None and is_up and name == last.name):
            continue
        start = at if last is None else max(at, last.end + _CHANGE_SECONDS)
        shown.append(Shown(name, start, start + ENTER_SECONDS + _HELD_SECONDS[name]))
    return shown
