"""The engine that a worker opens when its settings name model servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import EngineError, FaceSetup, PaintedElsewhere
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.engine import ServedEngine
from inference.gpu.client import RemoteRenderer
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import HEIGHT, WIDTH
from tests.inference.gpu import serving
from tests.inference.gpu.serving import Serving

OPEN = """
import sys
from inference.engines.base import EngineError, FaceSetup
from inference.engines.face.musetalk.engine import create_engine
settings = {"bundle": sys.argv[1], "servers": [sys.argv[2]]}
setup = FaceSetup(160, 120, 1920, "full", "studio", settings, sys.argv[1])
try:
    create_engine(setup)
except EngineError as error:
    print(error.code, "torch" in sys.modules)
"""


def test_engine_of_a_server_draws_the_film_and_tells_of_trouble(tmp_path: Path) -> None:
    bundle = open_bundle(films.write_bundle(tmp_path / "bundle"))
    site = Serving(tmp_path)
    presenter = serving.presenter(serving.write_latents(tmp_path))
    renderer = site.while_turning(lambda: RemoteRenderer([site.path], presenter))
    setup = FaceSetup(WIDTH, HEIGHT, 1920, "full", "studio", {}, str(tmp_path / "cache"))
    engine = ServedEngine(setup, bundle, renderer)
    out = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)

    engine.render(0, 0, out)

    np.testing.assert_array_equal(out, bundle.film.frames[0])
    assert isinstance(engine, PaintedElsewhere)
    assert (engine.late_frames, engine.trouble) == (0, "")
    engine.close()
    assert "the mouth stays as it was filmed" in engine.trouble
    site.close()


def test_worker_of_a_served_presenter_loads_no_networks(tmp_path: Path) -> None:
    """That is a gigabyte in each of fifty workers."""
    folder = tmp_path / "bundle"
    films.write_bundle(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("musetalk_tiny", "musetalk"))

    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder), str(tmp_path / "0.sock")],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip

    assert done.stdout == "model_server_gone False\n"


def test_setting_of_no_servers_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No model server is set up"):
        RemoteRenderer([], serving.presenter(serving.write_latents(tmp_path)))
