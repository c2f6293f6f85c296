"""What paints mouths for a session: in this process, or in the model server of a GPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from inference.engines.face.musetalk.bundle import Pixels
from inference.engines.face.musetalk.soundtrack import Sound


class FacePromise(ABC):
    """A face that another process paints."""

    @abstractmethod
    def wait(self) -> Pixels | None:
        """(size, size, 3) uint8 BGR, as soon as it is here; None when it was due and is not."""

    @abstractmethod
    def withdraw(self) -> None:
        """Nobody wants it any more."""


class Renderer(Protocol):
    """One avatar's networks. `features` and what `paint` takes are the renderer's own."""

    @property
    def batch_frames(self) -> int:
        """Frames that are painted at once where it costs little more than one."""

    def features(self, sound: Sound, first_token: int, frames: range) -> Any:
        """What the mouth follows in each of `frames`, indexed from 0.

        sound: at most 30 s of 16 kHz, of which the first sample is that of token `first_token`.
        """

    def paint(
        self, indexes: Sequence[int], features: Sequence[Any]
    ) -> Pixels | Sequence[FacePromise]:
        """(n, size, size, 3) uint8 BGR: the faces of film frames with the mouths of features.

        Promises of them where another process paints: they are asked for ahead of their time.
        """

    def warm_up(self) -> None:
        """Pay for first calls before anybody is on air."""

    def close(self) -> None: ...


class FarRenderer(Renderer, Protocol):
    """One whose networks are in another process."""

    @property
    def trouble(self) -> str:
        """Why nothing is painted, in words for a host; empty while something is."""
