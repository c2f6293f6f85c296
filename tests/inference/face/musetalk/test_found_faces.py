"""A film that comes alone becomes a bundle whose mask lies on the mouth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.engines.face.face_mesh.finding import find_landmarks
from inference.engines.face.musetalk.building import Footage, build_bundle
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.geometry import face_box
from tests.inference.face.portrait import drawn

LEFT, WIDTH, HEIGHT = 480, 960, 720


def test_bundle_of_a_film_whose_face_was_found_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_ENGINES", "1")
    near = np.ascontiguousarray(drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH])
    pictures = np.stack([np.asarray(cv2.cvtColor(near, cv2.COLOR_BGR2YUV_I420), np.uint8)] * 4)
    (tmp_path / "frames.i420").write_bytes(pictures.tobytes())
    footage = Footage(pictures, 25, find_landmarks(pictures, 25))

    build_bundle(tmp_path, footage, "musetalk_tiny", {}, {}, lambda *_: None)

    film = open_bundle(tmp_path).film
    known = drawn.points() - np.array([LEFT, 0], np.float32)
    box = face_box(known, height_px=HEIGHT)
    assert box is not None
    assert np.abs(film.boxes - np.array(box)).max() < 0.06 * (box[2] - box[0])
    (x0, y0), mouth = film.rois[0, :2], known[62]
    assert film.mask(0)[int(mouth[1]) - y0, int(mouth[0]) - x0] == 255
