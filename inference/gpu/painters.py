"""What paints for the server: the networks of one engine, on one device."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from inference.engines.base import EngineError
from inference.gpu.wire import Bytes, Shapes
from inference.model_servers import name_networks

Seconds = dict[int, float]

# By name: PyTorch takes seconds.
_PAINTERS: Final = {
    "musetalk": "inference.gpu.musetalk",
    "musetalk_tiny": "inference.gpu.musetalk",
    "wav2lip256": "inference.gpu.wav2lip",
    "wav2lip256_tiny": "inference.gpu.wav2lip",
}


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks a server runs; a presenter fits only those that it was made for."""

    engine: str
    version: str
    decoder: str

    def __str__(self) -> str:
        return name_networks(self.engine, self.version, self.decoder)


@dataclass(frozen=True, slots=True)
class FilmForm:
    """What a presenter's film is for the networks: the shape of a frame, and of what numbers."""

    frame: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True, slots=True)
class FaceOrder:
    """One face: a kept film, its frame, and the bytes of the features."""

    film: Any
    index: int
    prompt: Bytes


@dataclass(frozen=True, slots=True)
class SoundOrder:
    """One step to be heard: (n,) float32 at 16 kHz whose first sample is of `first_token`."""

    sound: np.ndarray[Any, np.dtype[np.float32]]
    first_token: int
    frames: range
    frame_samples: int


class Pass(Protocol):
    """Faces that are being painted."""

    def is_done(self) -> bool: ...

    def faces(self) -> Bytes:
        """(n, rows, size, 3) uint8 BGR, from the first row that was asked for; waits."""


class Painter(Protocol):
    """One device's networks."""

    device: str
    shapes: Shapes
    film: FilmForm

    def keep(self, film: np.ndarray[Any, Any]) -> Any:
        """A film, (n, *frame), on the device, until it is let go. Called on a thread of its own.

        Raises MemoryError: there is no room for it; RuntimeError: the device is broken.
        """

    def hear(self, orders: Sequence[SoundOrder]) -> list[Bytes]:
        """(frames, prompt_bytes) of each order."""

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
        """Begin a pass; the one before the last must have been fetched."""

    def measure(self) -> tuple[Seconds, Seconds]:
        """Seconds of a pass by its size, of faces and of sounds, first calls paid for."""


class Opener(Protocol):
    """Loads networks for the server."""

    def __call__(
        self,
        networks: Networks,
        weights: Path,
        device: str,
        max_bucket: int | None,
        graphs: bool | None,
    ) -> Painter: ...


def open_painter(
    networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
) -> Painter:
    """The networks of an engine on `auto`, `cpu` or `cuda`.

    Raises EngineError: weights, device, settings, an engine that nobody paints for here.
    """
    name = _PAINTERS.get(networks.engine)
    if name is None:
        text = f"The model server has no engine {networks.engine!r}."
        raise EngineError("unknown_engine", text, retryable=False)
    module = importlib.import_module(name)
    painter: Painter = module.open_painter(networks, weights, device, max_bucket, graphs)
    return painter
