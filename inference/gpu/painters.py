"""What paints for the server: MuseTalk's networks, or a stub that measures the way there."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from inference.gpu.wire import Bytes, Shapes

Seconds = dict[int, float]


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks a server runs; a presenter fits only those that it was made for."""

    engine: str
    version: str
    decoder: str

    def __str__(self) -> str:
        return f"{self.engine} {self.version} with the decoder {self.decoder}"


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
    latent_px: int

    def keep(self, latents: np.ndarray[Any, np.dtype[np.float16]]) -> Any:
        """A film's latents, (n, 8, side, side), on the device, until they are let go."""

    def hear(self, orders: Sequence[SoundOrder]) -> list[Bytes]:
        """(frames, prompt_bytes) of each order."""

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
        """Begin a pass; the one before the last must have been fetched."""

    def measure(self) -> tuple[Seconds, Seconds]:
        """Seconds of a pass by its size, of faces and of sounds, first calls paid for."""


def open_musetalk(
    networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
) -> Painter:
    """MuseTalk on `auto`, `cpu` or `cuda`. Raises EngineError: weights, device, settings."""
    # By name: PyTorch takes seconds, and the stub needs none of it.
    module = importlib.import_module("inference.gpu.musetalk")
    painter: Painter = module.open_painter(networks, weights, device, max_bucket, graphs)
    return painter


def open_stub(face_px: int = 256, buckets: Sequence[int] = (1, 2, 4, 8, 16, 32)) -> Painter:
    return StubPainter(face_px, tuple(buckets))


class StubPainter:
    """Paints nothing, at once: each face is filled with the film's frame number."""

    device = "stub"
    latent_px = 2
    _PROMPT_BYTES: Final = 50 * 384 * 2

    def __init__(self, face_px: int, buckets: tuple[int, ...]) -> None:
        self.shapes = Shapes(self._PROMPT_BYTES, face_px)
        self._buckets = buckets
        self._faces = np.empty((max(buckets), face_px, face_px, 3), np.uint8)

    def keep(self, latents: np.ndarray[Any, np.dtype[np.float16]]) -> Any:
        return latents

    def hear(self, orders: Sequence[SoundOrder]) -> list[Bytes]:
        size = self.shapes.prompt_bytes
        return [np.zeros((len(order.frames), size), np.uint8) for order in orders]

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
        for at, order in enumerate(orders):
            self._faces[at] = order.index % 256
        return _Done(self._faces[: len(orders), first_row:])

    def measure(self) -> tuple[Seconds, Seconds]:
        return dict.fromkeys(self._buckets, 1e-4), dict.fromkeys(self._buckets, 1e-4)


@dataclass(frozen=True, slots=True)
class _Done:
    made: Bytes

    def is_done(self) -> bool:
        return True

    def faces(self) -> Bytes:
        return self.made
