"""The model server with what needs no weights: `python -m benchmarks.weightless_server WHAT …`.

WHAT: stub paints nothing; kl and tiny are MuseTalk with that decoder, in the official sizes with
random weights. All else is as `python -m inference.gpu` takes it; it calls itself as it is told.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from benchmarks.stub_painter import StubPainter
from inference.gpu import __main__ as server
from inference.gpu.painters import Networks, Painter


def main(what: str, arguments: list[str]) -> int:
    """Serve; the exit status."""

    def opened(
        networks: Networks, weights: Path, device: str, max_bucket: int | None, graphs: bool | None
    ) -> Painter:
        if what == "stub":
            return StubPainter()
        # By name: PyTorch takes seconds, and the stub needs none of it.
        module = importlib.import_module("benchmarks.neural_networks")
        painter: Painter = module.open_random(what, device, max_bucket, graphs)
        return painter

    return server.main(arguments, opened)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
