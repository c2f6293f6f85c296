"""A presenter of one photo in the face worker: the pose of the drawn ones moves the photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from inference.engines.base import EngineError, FaceSetup, Picture
from inference.engines.face.musetalk.engine import bundle_of
from inference.engines.face.portrait.still import Still
from inference.engines.face.puppet.idle import loop_pose
from inference.engines.face.puppet.performer import Performer
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ

ENGINE: Final = "portrait"


class PortraitEngine(Performer):
    """`FaceEngine` of one photo. Arms and glances are not in it: gestures move the head alone."""

    def __init__(self, setup: FaceSetup) -> None:
        """Raises EngineError: not built, a bundle that is damaged or of another engine."""
        super().__init__(setup)
        self._still = _open(setup)

    def play_clip(self, name: str, at_sample: int) -> None:
        """A photo has no clips. Raises EngineError."""
        raise EngineError("unknown_clip", f"A presenter of a photo has no clip {name!r}.")

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at a moment into out: (height * 3 // 2, width) uint8 I420."""
        self._still.draw(self.pose(pts_samples / SAMPLE_RATE_HZ), out)

    def close(self) -> None:
        """Nothing but memory is held."""


def create_engine(setup: FaceSetup) -> PortraitEngine:
    """A presenter of a photo. Raises EngineError."""
    return PortraitEngine(setup)


def create_idle_painter(setup: FaceSetup) -> Callable[[float, Picture], None]:
    """Draws the loop's picture of a phase. Raises EngineError."""
    still = _open(setup)

    def paint(phase: float, out: Picture) -> None:
        still.draw(loop_pose(phase), out)

    return paint


def _open(setup: FaceSetup) -> Still:
    bundle = bundle_of(setup.settings, ENGINE)
    return Still(bundle, setup.width_px, setup.height_px, Path(setup.cache_folder))
