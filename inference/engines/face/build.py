"""Builds what a face needs before it goes on air: baked art and the idle loop.

Run as `python -m inference.engines.face.build --engine puppet --width 960 --height 540
--frame-samples 1920 --background studio --cache DIR`; it prints JSON: {"path": ..., "frames": ...}
or, with exit status 1, {"error": {"code": ..., "message": ...}}.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from inference.catalog import get_engine
from inference.engines.base import EngineError, FaceSetup, Picture
from inference.media.idle import IdleLoopError, idle_loop_path, open_idle_loop, sidecar_path

# Draws the loop's picture of a phase 0..1 into a (height * 3 // 2, width) uint8 I420 array.
IdlePainter = Callable[[float, Picture], None]

_LOOP_SAMPLES: Final = 96_000


def build_idle_loop(setup: FaceSetup, *, engine: str = "puppet") -> Path:
    """The idle loop of a setup, drawn now unless a sound one is in the cache.

    At most 2 s; the last frame leads back into the first. Safe to run in several processes at
    once. Raises EngineError, OSError (no room).
    """
    path = idle_loop_path(setup, engine=engine)
    try:
        open_idle_loop(path)
    except IdleLoopError:
        _draw_loop(path, setup, _painter(setup, engine))
    return path


def _painter(setup: FaceSetup, engine: str) -> IdlePainter:
    try:
        module = importlib.import_module(get_engine("face", engine).factory.partition(":")[0])
    except LookupError as error:
        raise EngineError("unknown_engine", str(error), retryable=False) from error
    painter: IdlePainter = module.create_idle_painter(setup)
    return painter


def _draw_loop(path: Path, setup: FaceSetup, paint: IdlePainter) -> None:
    frames = max(1, _LOOP_SAMPLES // setup.frame_samples)
    picture = np.empty((setup.height_px * 3 // 2, setup.width_px), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for index in range(frames):
                paint(index / frames, picture)
                file.write(picture.data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # Last: a loop without description counts as missing and is built again.
    _write_description(path, setup, frames)


def _write_description(path: Path, setup: FaceSetup, frames: int) -> None:
    values = {
        "width": setup.width_px,
        "height": setup.height_px,
        "frame_samples": setup.frame_samples,
        "frames": frames,
    }
    sidecar = sidecar_path(path)
    temporary = sidecar.with_name(f".{sidecar.name}-{os.getpid()}")
    temporary.write_text(json.dumps(values))
    temporary.replace(sidecar)


def _parse(arguments: list[str]) -> tuple[str, FaceSetup]:
    parser = argparse.ArgumentParser(prog="inference.engines.face.build", description=__doc__)
    parser.add_argument("--engine", default="puppet")
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--frame-samples", type=int, required=True)
    parser.add_argument("--framing", default="full")
    parser.add_argument("--background", default="studio")
    parser.add_argument("--settings", default="{}", help="the avatar's settings as JSON")
    parser.add_argument("--cache", required=True, help="folder of the disk cache")
    given = parser.parse_args(arguments)
    try:
        settings = json.loads(given.settings)
    except ValueError as error:
        parser.error(f"--settings is not JSON: {error}")
    if not isinstance(settings, dict):
        parser.error("--settings must be a JSON object")
    if given.width < 16 or given.height < 16 or given.width % 2 or given.height % 2:
        parser.error("--width and --height must be even and at least 16")
    if not 1 <= given.frame_samples <= 48_000:
        parser.error("--frame-samples must lie between 1 and 48000")
    setup = FaceSetup(
        given.width, given.height, given.frame_samples, given.framing, given.background,
        settings, str(given.cache),
    )  # fmt: skip
    return given.engine, setup


def main(arguments: list[str]) -> int:
    """Build, print where it lies, and return the exit status."""
    engine, setup = _parse(arguments)
    try:
        path = build_idle_loop(setup, engine=engine)
        answer: dict[str, object] = {"path": str(path), "frames": open_idle_loop(path).frames}
    except EngineError as error:
        answer = {"error": {"code": error.code, "message": error.message}}
    except OSError as error:
        answer = {
            "error": {"code": "cache_failed", "message": f"The cache cannot hold it: {error}"}
        }
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
