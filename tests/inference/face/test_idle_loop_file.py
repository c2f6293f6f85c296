"""The idle loop's file: what is missing or damaged is refused in clear words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import FaceSetup
from inference.media.idle import IdleLoopError, idle_loop_path, open_idle_loop, sidecar_path

SETUP = FaceSetup(64, 36, 1920, "full", "studio", {"character": "lin"}, "/cache")


def _write_loop(path: Path, *, frames: int = 4, missing_bytes: int = 0) -> None:
    values = {"width": 64, "height": 36, "frame_samples": 1920, "frames": frames}
    sidecar_path(path).write_text(json.dumps(values))
    content = b"".join(bytes([index]) * (64 * 54) for index in range(frames))
    path.write_bytes(content[: len(content) - missing_bytes])


def test_loop_is_mapped_read_only_and_goes_round(tmp_path: Path) -> None:
    path = tmp_path / "loop.i420"
    _write_loop(path)

    loop = open_idle_loop(path)

    assert (loop.width_px, loop.height_px, loop.frame_samples, loop.frames) == (64, 36, 1920, 4)
    assert loop.frame(6).shape == (54, 64)
    assert np.all(loop.frame(6) == 2)
    with pytest.raises(ValueError, match="read-only"):
        loop.frame(0)[0, 0] = 1


def test_missing_or_damaged_loop_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.i420"
    with pytest.raises(IdleLoopError, match="no readable description"):
        open_idle_loop(path)

    _write_loop(path, missing_bytes=1)
    with pytest.raises(IdleLoopError, match="13823 bytes instead of 13824"):
        open_idle_loop(path)

    path.unlink()
    with pytest.raises(IdleLoopError, match="cannot be opened"):
        open_idle_loop(path)

    for text in ("{", "[]", '{"width": 64}', '{"width":0,"height":1,"frame_samples":1,"frames":1}'):
        sidecar_path(path).write_text(text)
        with pytest.raises(IdleLoopError, match="description"):
            open_idle_loop(path)


def test_path_depends_on_everything_that_changes_the_picture() -> None:
    variants = [
        SETUP,
        replace(SETUP, width_px=128),
        replace(SETUP, frame_samples=1600),
        replace(SETUP, background="plain"),
        replace(SETUP, settings={"character": "other"}),
    ]

    paths = {idle_loop_path(setup) for setup in variants}

    assert len(paths) == len(variants)
    assert idle_loop_path(SETUP) in paths
    assert idle_loop_path(SETUP, engine="testcard") not in paths


def test_asking_for_the_path_imports_nothing_heavy() -> None:
    code = "import inference.media.idle, sys; print('numpy' in sys.modules)"

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "False"
