"""The model server with what needs no weights: `python -m benchmarks.weightless_server WHAT …`.

WHAT: stub paints nothing; stamps:MS nothing but the time, and takes so many ms for a pass; kl and
tiny are MuseTalk with that decoder, in the official sizes with random weights. All else is as
`python -m inference.gpu` takes it; it calls itself as it is told.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.stub_painter import StubPainter
from inference.gpu import __main__ as server
from inference.gpu.painters import FaceOrder, Networks, Painter, Pass, Seconds
from inference.gpu.wire import Bytes

STAMPS: Final = "stamps:"


@dataclass(frozen=True, slots=True)
class Timed:
    """A pass that is on the device until a moment."""

    made: Bytes
    ends_at: float

    def is_done(self) -> bool:
        return time.monotonic() >= self.ends_at

    def faces(self) -> Bytes:
        return self.made


class StampingPainter(StubPainter):
    """One that takes its time: the first eight bytes of each face say when its pass was over.

    Seconds of CLOCK_MONOTONIC. All else is left as it is: to fill faces would take a third of the
    server's time for one.
    """

    def __init__(self, pass_seconds: float) -> None:
        super().__init__()
        self._pass_seconds = pass_seconds
        self._ends_at = 0.0

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
        self._ends_at = max(self._ends_at, time.monotonic()) + self._pass_seconds
        stamp = np.frombuffer(np.float64(self._ends_at).tobytes(), np.uint8)
        made = np.empty_like(self._faces[: len(orders), first_row:])
        made[:, 0].reshape(len(orders), -1)[:, : stamp.size] = stamp
        return Timed(made, self._ends_at)

    def measure(self) -> tuple[Seconds, Seconds]:
        faces, sounds = super().measure()
        return {size: max(took, self._pass_seconds) for size, took in faces.items()}, sounds


def main(what: str, arguments: list[str]) -> int:
    """Serve; the exit status."""

    def opened(
        networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
    ) -> Painter:
        if what == "stub":
            return StubPainter()
        if what.startswith(STAMPS):
            return StampingPainter(float(what.removeprefix(STAMPS)) / 1000)
        # By name: PyTorch takes seconds, and the stub needs none of it.
        module = importlib.import_module("benchmarks.neural_networks")
        painter: Painter = module.open_random(what, device, max_bucket, graphs)
        return painter

    return server.main(arguments, opened)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
