"""The drawn presenter: its pose becomes a picture."""

from __future__ import annotations

from typing import Final

from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.coverage import Stroke
from inference.engines.face.puppet.gestures import PARAMETERS
from inference.engines.face.puppet.idle import create_idle_painter
from inference.engines.face.puppet.parameters import Pose
from inference.engines.face.puppet.performer import Performer
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ

__all__ = ["PuppetEngine", "create_engine", "create_idle_painter"]


# Planned together: pose and plan of a picture take 0.35 ms instead of 0.58, because calls of numpy
# are what costs. A face worker draws as many in a row.
PLANNED: Final = 4


class PuppetEngine(Performer):
    """A presenter at one picture size. `render` is a pure function of pts and what was told."""

    def __init__(self, setup: FaceSetup) -> None:
        super().__init__(setup)
        self._compositor = Compositor(load_art(setup))
        self._frame_samples = setup.frame_samples
        # By pts, of the pictures that come next.
        self._plans: dict[int, tuple[Pose, list[Stroke]]] = {}

    def changed(self) -> None:
        self._plans = {}

    def play_clip(self, name: str, at_sample: int) -> None:
        """A drawn presenter has gestures, and nothing that was filmed. Raises EngineError."""
        raise EngineError("unknown_clip", f"A drawn presenter has no clip {name!r}.")

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at a moment into out: (height * 3 // 2, width) uint8 I420."""
        if pts_samples not in self._plans:
            self._plan_from(pts_samples)
        self._compositor.draw_planned(*self._plans.pop(pts_samples), out)

    def _plan_from(self, pts_samples: int) -> None:
        """Plan a picture and those behind it: nothing that is told until then is a new plan."""
        times = [pts_samples + number * self._frame_samples for number in range(PLANNED)]
        poses = [self.pose(time / SAMPLE_RATE_HZ) for time in times]
        bodies = [self._body(*each) for each in zip(times, poses, [None, *poses[:-1]], strict=True)]
        plans = self._compositor.plan(poses, bodies)
        self._plans = dict(zip(times, zip(poses, plans, strict=True), strict=True))

    def _body(self, pts_samples: int, pose: Pose, before: Pose | None) -> Pose:
        """The pose that bends the body: of every second frame, unless the arms are up.

        It leans and breathes by less than half a px a frame, and is half of what is drawn.
        before: the pose of the frame before, if it is known.
        """
        is_second = pts_samples // self._frame_samples % 2 == 1
        if not is_second or any(pose[name] for name in PARAMETERS.values()):
            return pose
        return before or self.pose((pts_samples - self._frame_samples) / SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Nothing but memory is held."""


def create_engine(setup: FaceSetup) -> PuppetEngine:
    """A drawn presenter. Raises EngineError on an unknown character, background or framing."""
    return PuppetEngine(setup)
