"""What paints mouths for a session: in this process today, behind a socket tomorrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from inference.engines.face.musetalk.bundle import Pixels
from inference.engines.face.musetalk.soundtrack import Sound


class Renderer(Protocol):
    """One avatar's networks. `features` and what `paint` takes are the renderer's own."""

    # Frames that are painted at once where it costs little more than one.
    batch_frames: int

    def features(self, sound: Sound, first_token: int, frames: range) -> Any:
        """What the mouth follows in each of `frames`, indexed from 0.

        sound: at most 30 s of 16 kHz, of which the first sample is that of token `first_token`.
        """

    def paint(self, indexes: Sequence[int], features: Sequence[Any]) -> Pixels:
        """(n, size, size, 3) uint8 BGR: the faces of film frames with the mouths of features."""

    def warm_up(self) -> None:
        """Pay for first calls before anybody is on air."""

    def close(self) -> None: ...
