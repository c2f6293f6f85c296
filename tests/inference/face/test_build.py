"""The idle loop as the web side and the core get it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.build import build_idle_loop, main
from inference.engines.face.puppet.idle import loop_pose
from inference.media.idle import idle_loop_path, open_idle_loop


def _setup(folder: Path) -> FaceSetup:
    return FaceSetup(320, 180, 3200, "full", "studio", {"character": "lin"}, str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_command_line_prints_the_path_of_a_loop(folder: Path) -> None:
    command = [sys.executable, "-m", "inference.engines.face.build", "--width", "320"]
    command += ["--height", "180", "--frame-samples", "3200", "--cache", str(folder)]
    command += ["--settings", '{"character": "lin"}']

    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    values = json.loads(answer.stdout)
    assert values == {"path": str(idle_loop_path(_setup(folder))), "frames": 30}
    assert open_idle_loop(Path(values["path"])).width_px == 320


def test_loop_is_seamless_and_alive(folder: Path) -> None:
    loop = open_idle_loop(build_idle_loop(_setup(folder)))
    luma = loop.pictures[:, :180].astype(np.int16)
    steps = [float(np.abs(luma[i] - luma[i - 1]).mean()) for i in range(loop.frames)]

    assert loop.frames == 30
    assert steps[0] <= 1.5 * max(steps[1:])
    assert max(steps) > 0.05
    assert loop_pose(0.0) == pytest.approx(loop_pose(1.0), abs=1e-9)
    assert loop_pose(0.585)["ParamEyeLOpen"] < 0.1


def test_damaged_loop_is_built_again(folder: Path) -> None:
    path = build_idle_loop(_setup(folder))
    sound = path.read_bytes()
    path.write_bytes(sound[:-10])

    assert build_idle_loop(_setup(folder)) == path

    assert path.read_bytes() == sound
    assert [item.name for item in folder.iterdir() if item.name.startswith(".")] == []


def test_what_cannot_be_drawn_is_refused_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--width", "320", "--height", "180", "--frame-samples", "3200"]

    assert main([*common, "--cache", str(folder), "--engine", "hologram"]) == 1
    assert "there are: puppet" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main([*common, "--cache", str(folder), "--background", "moon"]) == 1
    assert "studio" in json.loads(capsys.readouterr().out)["error"]["message"]
    (folder / "file").write_text("")
    assert main([*common, "--cache", str(folder / "file")]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cache_failed"
    with pytest.raises(EngineError, match="There are: chen, lin"):
        build_idle_loop(FaceSetup(64, 36, 3200, "full", "studio", {"character": "x"}, str(folder)))
