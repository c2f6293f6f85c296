"""A painter that paints nothing, at once: what the way to the model server and back costs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.gpu.painters import FaceOrder, FilmForm, Pass, Seconds, SoundOrder
from inference.gpu.wire import Bytes, Shapes

PROMPT_BYTES: Final = 50 * 384 * 2
BUCKETS: Final = (1, 2, 4, 8, 16, 32)


class StubPainter:
    """`Painter` that fills each face with the film's frame number."""

    device = "stub"
    film = FilmForm((8, 2, 2), np.float16)

    def __init__(self, face_px: int = 256, buckets: tuple[int, ...] = BUCKETS) -> None:
        self.shapes = Shapes(PROMPT_BYTES, face_px)
        self._buckets = buckets
        self._faces = np.empty((max(buckets), face_px, face_px, 3), np.uint8)

    def keep(self, film: np.ndarray[Any, Any]) -> Any:
        return film

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
