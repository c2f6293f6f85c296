"""The parameters of the rig, the presets of the eight expressions, and how a pose is kept sane."""

from __future__ import annotations

import math
from typing import Final

from inference.engines.face.puppet import gestures
from inference.engines.face.puppet.mouth import PRESSED

Pose = dict[str, float]

# The friendly face of a host who says nothing.
REST_SMILE: Final = 0.55

# (rest, lowest, highest), names and ranges as in Live2D; a mouth that presses its lips, below 0,
# MouthPucker, ShoulderLift and what raises the arms of gestures are ours.
PARAMETERS: Final[dict[str, tuple[float, float, float]]] = {
    "ParamAngleX": (0.0, -30.0, 30.0),
    "ParamAngleY": (0.0, -30.0, 30.0),
    "ParamAngleZ": (0.0, -30.0, 30.0),
    "ParamEyeLOpen": (1.0, 0.0, 1.2),
    "ParamEyeROpen": (1.0, 0.0, 1.2),
    "ParamEyeLSmile": (0.12, 0.0, 1.0),
    "ParamEyeRSmile": (0.12, 0.0, 1.0),
    "ParamEyeBallX": (0.0, -1.0, 1.0),
    "ParamEyeBallY": (0.0, -1.0, 1.0),
    "ParamBrowLY": (0.0, -1.0, 1.0),
    "ParamBrowRY": (0.0, -1.0, 1.0),
    "ParamBrowLAngle": (0.0, -1.0, 1.0),
    "ParamBrowRAngle": (0.0, -1.0, 1.0),
    "ParamBrowLForm": (0.0, -1.0, 1.0),
    "ParamBrowRForm": (0.0, -1.0, 1.0),
    "ParamMouthForm": (REST_SMILE, -1.0, 1.0),
    "ParamMouthOpenY": (0.0, PRESSED, 1.0),
    "MouthPucker": (0.0, 0.0, 1.0),
    "ParamCheek": (0.0, 0.0, 1.0),
    "ParamBodyAngleX": (0.0, -10.0, 10.0),
    "ParamBodyAngleZ": (0.0, -10.0, 10.0),
    "ParamBreath": (0.0, 0.0, 1.0),
    "ParamHairFront": (0.0, -1.0, 1.0),
    "ParamHairSide": (0.0, -1.0, 1.0),
    "ShoulderLift": (0.0, -5.0, 5.0),
    "GestureSwing": (0.0, -1.0, 1.0),
    **dict.fromkeys(gestures.PARAMETERS.values(), (0.0, 0.0, 1.0)),
}

# What bends the body and all that stands on it.
BODY_PARAMETERS: Final = ("ParamBodyAngleX", "ParamBodyAngleZ", "ParamBreath", "ShoulderLift")

# How far this drawing may turn: softly limited, because it knows no more than one view. Loose hair
# too: at a hard limit it would stop dead, and snap back from it.
LIMITS: Final = {
    "ParamAngleX": 12.0,
    "ParamAngleY": 10.0,
    "ParamAngleZ": 6.0,
    "ParamBodyAngleX": 5.0,
    "ParamBodyAngleZ": 1.6,
    "ParamHairFront": 1.0,
    "ParamHairSide": 1.0,
}


def _both(name: str, value: float) -> Pose:
    return {f"Param{name.replace('*', side)}": value for side in ("L", "R")}


# What each expression adds to the rest pose at emotion 3. A mouth opening is shown only while
# nothing is said: the lips belong to the speech.
EXPRESSION_POSES: Final[dict[str, Pose]] = {
    "neutral": {},
    "happy": {
        **_both("Eye*Smile", 0.5), **_both("Brow*Y", 0.2), **_both("Brow*Form", 0.4),
        **_both("Eye*Open", -0.08), "ParamMouthForm": 0.5, "ParamMouthOpenY": 0.18,
        "ParamCheek": 0.5,
    },
    "laugh": {
        **_both("Eye*Smile", 1.0), **_both("Eye*Open", -1.0), **_both("Brow*Y", 0.4),
        **_both("Brow*Form", 0.7), "ParamMouthForm": 0.6, "ParamMouthOpenY": 0.42,
        "ParamCheek": 0.85, "ParamAngleY": 3.0, "ParamAngleZ": 2.0,
    },
    "surprised": {
        **_both("Eye*Open", 0.2), **_both("Brow*Y", 0.9), **_both("Brow*Form", 0.8),
        "ParamMouthForm": -0.45, "ParamMouthOpenY": 0.34, "MouthPucker": 0.5, "ParamAngleY": 3.0,
        "ShoulderLift": 2.0,
    },
    "sad": {
        **_both("Eye*Open", -0.28), **_both("Brow*Y", -0.1), **_both("Brow*Angle", 0.95),
        **_both("Brow*Form", -0.3), "ParamMouthForm": -1.05, "ParamEyeBallY": -0.35,
        "ParamAngleY": -6.0, "ParamAngleZ": -2.5, "ShoulderLift": -2.0,
    },
    "angry": {
        **_both("Eye*Open", -0.16), **_both("Brow*Y", -0.55), **_both("Brow*Angle", -1.0),
        **_both("Brow*Form", -0.7), "ParamMouthForm": -0.95, "ParamAngleY": -3.0,
        "ShoulderLift": 1.5,
    },
    "thinking": {
        "ParamEyeBallX": 0.75, "ParamEyeBallY": 0.75, **_both("Brow*Form", 0.2),
        "ParamBrowLY": 0.1, "ParamBrowRY": 0.75, "ParamBrowLAngle": -0.3, "ParamMouthForm": -0.35,
        "MouthPucker": 0.3, "ParamAngleX": 6.0, "ParamAngleY": 3.0, "ParamAngleZ": 5.0,
        **_both("Eye*Open", -0.06),
    },
    "wink": {
        "ParamEyeROpen": -1.0, "ParamEyeRSmile": 0.9, "ParamEyeLSmile": 0.35,
        "ParamBrowRY": -0.25, "ParamBrowLY": 0.35, "ParamBrowLForm": 0.4, "ParamMouthForm": 0.55,
        "ParamCheek": 0.6, "ParamAngleZ": 4.0, "ParamAngleX": -3.0,
    },
}  # fmt: skip

# Emotion 1 (flat) .. 5 (excited) scales the expression.
EMOTION_SCALE: Final = {1: 0.45, 2: 0.75, 3: 1.0, 4: 1.12, 5: 1.25}


def rest_pose() -> Pose:
    """A new pose with every parameter at rest."""
    return {name: rest for name, (rest, _, _) in PARAMETERS.items()}


def clamp_pose(pose: Pose) -> None:
    """Bring every parameter into its range, in place; angles and hair softly."""
    for name, limit in LIMITS.items():
        pose[name] = limit * math.tanh(pose[name] / limit)
    for name, (_, lowest, highest) in PARAMETERS.items():
        pose[name] = min(max(pose[name], lowest), highest)
