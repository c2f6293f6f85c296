"""The presenter at rest for one loop: every motion comes back to where it began."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from inference.engines.base import FaceSetup, Picture
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.motion import smooth
from inference.engines.face.puppet.parameters import Pose, clamp_pose, rest_pose

# The blink's start and length as a share of the loop.
_BLINK: Final = (0.52, 0.13)


def loop_pose(phase: float) -> Pose:
    """The pose at a phase 0..1; at 0 and 1 it is the rest pose, and so is its speed there."""
    pose = rest_pose()
    wave = 2 * math.pi * phase
    pose["ParamAngleX"] = 1.1 * math.sin(wave)
    pose["ParamAngleY"] = 0.5 * math.sin(2 * wave)
    pose["ParamAngleZ"] = 0.45 * math.sin(wave)
    pose["ParamBodyAngleX"] = 0.4 * math.sin(wave)
    pose["ParamBreath"] = 0.35 - 0.35 * math.cos(wave)
    pose["ParamHairFront"] = 0.1 * math.sin(wave)
    pose["ParamHairSide"] = 0.12 * math.sin(wave)
    share = (phase - _BLINK[0]) / _BLINK[1]
    closed = smooth(3 * share) * (1.0 - smooth(1.8 * share - 0.8))
    for side in ("L", "R"):
        pose[f"ParamEye{side}Open"] = 1.0 - closed
    clamp_pose(pose)
    return pose


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """Draws the loop's picture of a phase. Raises EngineError on a setup that cannot be drawn."""
    compositor = Compositor(load_art(setup))

    def paint(phase: float, out: Picture) -> None:
        compositor.draw(loop_pose(phase), out)

    return paint
