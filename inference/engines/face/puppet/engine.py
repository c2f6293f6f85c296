"""The drawn presenter: its pose becomes a picture."""

from __future__ import annotations

from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.gestures import PARAMETERS
from inference.engines.face.puppet.idle import create_idle_painter
from inference.engines.face.puppet.parameters import Pose
from inference.engines.face.puppet.performer import Performer
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ

__all__ = ["PuppetEngine", "create_engine", "create_idle_painter"]


class PuppetEngine(Performer):
    """A presenter at one picture size. `render` is a pure function of pts and what was told."""

    def __init__(self, setup: FaceSetup) -> None:
        super().__init__(setup)
        self._compositor = Compositor(load_art(setup))
        self._frame_samples = setup.frame_samples
        # When and how it was last drawn; -1 once something else was told.
        self._kept: tuple[int, Pose] = (-1, {})

    def changed(self) -> None:
        self._kept = (-1, {})

    def play_clip(self, name: str, at_sample: int) -> None:
        """A drawn presenter has gestures, and nothing that was filmed. Raises EngineError."""
        raise EngineError("unknown_clip", f"A drawn presenter has no clip {name!r}.")

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at a moment into out: (height * 3 // 2, width) uint8 I420."""
        pose = self.pose(pts_samples / SAMPLE_RATE_HZ)
        self._compositor.draw(pose, out, body=self._body(pts_samples, pose))

    def _body(self, pts_samples: int, pose: Pose) -> Pose:
        """The pose that bends the body: of every second frame, unless the arms are up.

        It leans and breathes by less than half a px a frame, and is half of what is drawn.
        """
        before, kept = self._kept
        self._kept = pts_samples, pose
        is_second = pts_samples // self._frame_samples % 2 == 1
        if not is_second or any(pose[name] for name in PARAMETERS.values()):
            return pose
        first = pts_samples - self._frame_samples
        return kept if before == first else self.pose(first / SAMPLE_RATE_HZ)

    def close(self) -> None:
        """Nothing but memory is held."""


def create_engine(setup: FaceSetup) -> PuppetEngine:
    """A drawn presenter. Raises EngineError on an unknown character, background or framing."""
    return PuppetEngine(setup)
