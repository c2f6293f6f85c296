"""The reference: pictures encoded alone, paced as on air. `python -m benchmarks.encode_alone FILE`.

Prints {"cpu_ms_per_frame": …}: processor time of encoding only. Each picture is first copied to one
buffer, unmeasured, so that the encoder meets it as warm as on air.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.platform import ROOT
from benchmarks.rendering import (
    BITRATE_KBPS,
    FRAME_SAMPLES,
    HEIGHT_PX,
    RATE_HZ,
    WIDTH_PX,
    Pictures,
    map_talk,
)
from inference.media.clock import prefer_this_thread
from inference.media.encoder import VideoEncoder
from inference.protocol import RenditionSpec


def encode_paced(path: Path, seconds: float) -> float:
    """Processor ms per frame of the broadcast's own encoder, fed at 25 frames a second."""
    prefer_this_thread()
    spec = RenditionSpec("main", WIDTH_PX, HEIGHT_PX, FRAME_SAMPLES, BITRATE_KBPS)
    encoder, pictures = VideoEncoder(spec), map_talk(path)
    canvas = np.empty(pictures.shape[1:], np.uint8)
    frames = round(seconds * RATE_HZ / FRAME_SAMPLES)
    began, spent_ns = time.monotonic(), 0
    for frame in range(frames):
        due = began + frame * FRAME_SAMPLES / RATE_HZ
        time.sleep(max(0.0, due - time.monotonic()))
        np.copyto(canvas, _picture(pictures, frame))
        start_ns = time.thread_time_ns()
        encoder.encode(canvas, frame)
        spent_ns += time.thread_time_ns() - start_ns
    return spent_ns / frames / 1e6


def _picture(pictures: Pictures, frame: int) -> Pictures:
    """Forth and back, so that the film has no cut where it begins again."""
    position = frame % (2 * len(pictures))
    picture: Pictures = pictures[min(position, 2 * len(pictures) - 1 - position)]
    return picture


def measure_alone(path: Path, seconds: float) -> float:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.encode_alone", str(path), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["cpu_ms_per_frame"])


if __name__ == "__main__":
    print(json.dumps({"cpu_ms_per_frame": encode_paced(Path(sys.argv[1]), float(sys.argv[2]))}))
