"""Prints what a frame of a photo costs: `python -m inference.engines.face.portrait.measure BUNDLE`.

CPU milliseconds of one frame by part while a sentence is spoken, each the mean over frames of the
best of several tries, so that a busy machine does not count.
"""

from __future__ import annotations

import os

# As in the worker; numpy reads it when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from inference.engines.base import FaceSetup
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.portrait.engine import ENGINE, PortraitEngine
from inference.engines.face.portrait.still import Still
from inference.engines.face.puppet.measure import SIZES_PX, speech_of_syllables

_FRAME_SAMPLES: Final = 1920
_SECONDS: Final = 28


def measure(bundle: Path, width_px: int, height_px: int, *, tries: int = 8) -> tuple[float, float]:
    """CPU ms of one frame while speaking: the pose, and drawing it. Raises EngineError."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"bundle": str(bundle)}
        setup = FaceSetup(width_px, height_px, _FRAME_SAMPLES, "full", "studio", settings, folder)
        engine = PortraitEngine(setup)
        still = Still(open_bundle(bundle), width_px, height_px, Path(folder))
    engine.start_speech(speech_of_syllables())
    picture = np.empty((height_px * 3 // 2, width_px), np.uint8)
    moments = np.linspace(1.0, _SECONDS, 40)
    best = np.full((len(moments), 2), np.inf)
    for _ in range(tries):
        for number, seconds in enumerate(moments.tolist()):
            begun = time.process_time()
            pose = engine.pose(seconds)
            posed = time.process_time()
            still.draw(pose, picture)
            spent = posed - begun, time.process_time() - posed
            best[number] = np.minimum(best[number], spent)
    pose_ms, draw_ms = (1000 * best.mean(axis=0)).tolist()
    return pose_ms, draw_ms


def main() -> int:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder of a built presenter of the engine "
                        f"`{ENGINE}`")  # fmt: skip
    bundle = parser.parse_args().bundle
    sys.stdout.write("size          pose    draw     all  (ms)\n")
    for width_px, height_px in SIZES_PX:
        pose_ms, draw_ms = measure(bundle, width_px, height_px)
        cells = f"{pose_ms:8.2f}{draw_ms:8.2f}{pose_ms + draw_ms:8.2f}"
        sys.stdout.write(f"{width_px}x{height_px:<5} {cells}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
