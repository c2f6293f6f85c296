"""Prints what a frame costs: `python -m inference.engines.face.puppet.measure`.

CPU milliseconds of one frame by part, each the mean over frames in a row of the best of several
tries, so that a busy machine does not count. On a shared AMD EPYC with two cores, 2026, while a
sentence is spoken: 7.7 ms at 1280x720 and 4.5 ms at 960x540 when layers were drawn in fixed
rectangles by 65 calls a frame; in tiles, in the same minutes, 3.9 and 2.9.
"""

from __future__ import annotations

import os

# As in the worker; numpy reads it when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import random
import sys
import tempfile
import time
from typing import Final

import numpy as np

from inference.engines.base import VISEMES, FaceSetup, FaceSpeech, Picture
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.engine import PLANNED, PuppetEngine
from inference.engines.face.puppet.tiles import Floats
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ

SIZES_PX: Final = ((960, 540), (1280, 720))
PARTS: Final = ("pose", "plan", "face", "paint", "write")
_FRAME_SAMPLES: Final = 1920
_SECONDS: Final = 30


def measure(width_px: int, height_px: int, *, frames: int = 48, tries: int = 8) -> list[float]:
    """CPU ms of one frame for each of PARTS, while speaking. frames: PLANNED or a multiple."""
    with tempfile.TemporaryDirectory() as folder:
        setup = FaceSetup(width_px, height_px, _FRAME_SAMPLES, "full", "studio", {}, folder)
        engine, compositor = PuppetEngine(setup), Compositor(load_art(setup))
    engine.start_speech(speech_of_syllables())
    picture = np.empty((height_px * 3 // 2, width_px), np.uint8)
    best = np.full((frames // PLANNED, len(PARTS)), np.inf)
    for _ in range(tries):
        for number in range(len(best)):
            times = [1.0 + frame * _FRAME_SAMPLES / SAMPLE_RATE_HZ
                     for frame in range(number * PLANNED, (number + 1) * PLANNED)]  # fmt: skip
            best[number] = np.minimum(best[number], _parts(engine, compositor, times, picture))
    result: list[float] = (1000 / PLANNED * best.mean(axis=0)).tolist()
    return result


def _parts(
    engine: PuppetEngine, compositor: Compositor, times: list[float], picture: Picture
) -> Floats:
    """Seconds of each of PARTS, for pictures that are planned together."""
    spent = np.zeros(len(PARTS))
    marks = [time.process_time()]
    poses = [engine.pose(seconds) for seconds in times]
    marks.append(time.process_time())
    plans = compositor.plan(poses, poses)
    marks.append(time.process_time())
    spent[:2] = np.diff(marks)
    for pose, strokes in zip(poses, plans, strict=True):
        marks = [time.process_time()]
        compositor.draw_face(pose)
        marks.append(time.process_time())
        numbers, tiles = compositor.paint(strokes)
        marks.append(time.process_time())
        compositor.write(numbers, tiles, picture)
        marks.append(time.process_time())
        spent[2:] += np.diff(marks)
    return spent


def speech_of_syllables() -> FaceSpeech:
    """Half a minute of syllables, eleven sounds a second, as loud as a voice is."""
    chance = random.Random(1)  # noqa: S311 - the same sentence at every run
    visemes = tuple(
        (0.09 * step, chance.randrange(len(VISEMES)), 1.0) for step in range(int(_SECONDS / 0.09))
    )
    loudness = tuple(0.3 * chance.random() for _ in range(_SECONDS * 50))
    return FaceSpeech("measured", 0, 0, _SECONDS * 48_000, visemes, loudness)


def main() -> int:
    """Print a line for each size."""
    sys.stdout.write("size       " + "".join(f"{part:>8}" for part in PARTS) + "     all  (ms)\n")
    for width_px, height_px in SIZES_PX:
        costs = measure(width_px, height_px)
        cells = "".join(f"{cost:8.2f}" for cost in [*costs, sum(costs)])
        sys.stdout.write(f"{width_px}x{height_px:<5} {cells}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
