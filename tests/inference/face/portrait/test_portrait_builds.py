"""From a photo to a bundle, and every photo that cannot speak."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference.engines.base import EngineError
from inference.engines.face.musetalk.bundle import BundleError, open_bundle
from inference.engines.face.musetalk.marks import MARKS, points_of_marks
from inference.engines.face.portrait.seam import find_seam
from tests.inference.face.portrait import drawn

# Of the 68 points, those that a host would mark.
MARKED = (36, 39, (37, 38), (40, 41), 42, 45, (43, 44), (46, 47), 30, 48, 54, 51, 62, 57, 8, 4, 12)


@pytest.fixture(scope="module")
def photo() -> np.ndarray[Any, Any]:
    return drawn.photo()[:, 480:1440].copy()


@pytest.fixture
def points() -> np.ndarray[Any, Any]:
    return drawn.points() - np.array([480, 0], np.float32)


def marks_of(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.stack([points[list(at)].mean(axis=0) if isinstance(at, tuple) else points[at]
                     for at in MARKED])  # fmt: skip


def test_bundle_of_a_photo(tmp_path: Path, photo: Any, points: Any) -> None:
    drawn.build(tmp_path, picture=photo, faces=(points,))

    bundle = open_bundle(tmp_path, verify_hashes=True)
    assert bundle.manifest.engine == "portrait"
    assert bundle.manifest.frames == 1
    assert bundle.points.shape == (1, 68, 2)
    x0, y0, _, _ = bundle.film.rois[0].tolist()
    mask = bundle.film.mask(0)
    nose, corner = points[30].astype(int), (20, 20)
    assert mask[nose[1] - y0, nose[0] - x0] == 255
    assert mask[corner] == 0
    with pytest.raises(BundleError, match="another engine"):
        _ = bundle.latents


def test_same_photo_gives_the_same_bundle(tmp_path: Path, photo: Any, points: Any) -> None:
    made = [drawn.build(tmp_path / name, picture=photo, faces=(points,)) for name in "ab"]

    first, second = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        for folder in made
    )
    assert first == second


def test_marks_set_by_hand_give_the_points_of_a_face(points: Any) -> None:
    found = points_of_marks(marks_of(points))

    width = np.hypot(*(points[16] - points[0]))
    away = np.hypot(*(found - points).T) / width
    assert away[36:48].max() < 0.02  # eyes
    assert away[48:68].max() < 0.04  # lips
    assert away[4:13].max() < 0.06  # jaw


def test_photo_with_marks_speaks_like_one_with_points(
    tmp_path: Path, photo: Any, points: Any
) -> None:
    drawn.build(tmp_path, picture=photo, faces=(marks_of(points),))

    built = open_bundle(tmp_path).points[0]
    assert np.abs(built[60:68] - points[60:68]).max() < 4
    assert len(MARKS) == len(MARKED)


@pytest.mark.parametrize("off_px", [-5, -3, 4, 6])
def test_line_between_the_lips_is_found_where_points_miss_it(
    photo: Any, points: Any, off_px: int
) -> None:
    missed = points.copy()
    missed[60:68, 1] += off_px

    found = find_seam(photo, missed)

    assert np.abs(found[60:68] - find_seam(photo, points)[60:68]).max() < 1.5
    assert np.abs(found[[61, 62, 63], 1] - points[[61, 62, 63], 1]).max() < 2
    np.testing.assert_array_equal(np.delete(found, range(60, 68), 0),
                                  np.delete(missed, range(60, 68), 0))  # fmt: skip


def test_photo_without_a_dark_line_keeps_its_points(points: Any) -> None:
    plain = np.full((1080, 960, 3), 180, np.uint8)

    found = find_seam(plain, points)

    assert np.abs(found - points).max() < 3


def turn(points: Any) -> Any:
    """The nose goes to the side, as when the head turns."""
    turned = points.copy()
    turned[27:36, 0] += 45
    return turned


def tilt(points: Any) -> Any:
    middle, angle = points.mean(axis=0), np.deg2rad(20)
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((points - middle) @ turning.T + middle).astype(np.float32)


def shut(points: Any) -> Any:
    shut = points.copy()
    shut[[46, 47], 1] = shut[[44, 43], 1] + 2
    return shut


def agape(points: Any) -> Any:
    opened = points.copy()
    opened[65:68, 1] += 14
    return opened


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (turn, "face_turned"),
        (tilt, "face_tilted"),
        (shut, "eyes_shut"),
        (agape, "mouth_open"),
        (lambda points: points * 0.6, "face_too_small"),
        (lambda points: points - [0, points[:, 1].min() + 3], "face_cut_off"),
        (lambda points: points[:20], "bad_landmarks"),
    ],
)
def test_photo_that_cannot_speak_is_refused_in_words(
    tmp_path: Path, photo: Any, points: Any, change: Callable[[Any], Any], code: str
) -> None:
    with pytest.raises(EngineError) as refused:
        drawn.build(tmp_path, picture=photo, faces=(change(points),))

    assert refused.value.code == code
    assert refused.value.retryable is False
    assert len(refused.value.message) > 20


def test_no_face_and_two_faces_are_refused(tmp_path: Path, photo: Any, points: Any) -> None:
    for faces, code in (((), "no_face"), ((points, points), "two_faces")):
        with pytest.raises(EngineError) as refused:
            drawn.build(tmp_path, picture=photo, faces=faces)
        assert refused.value.code == code


@pytest.mark.parametrize(("light", "code"), [(0.12, "too_dark"), (9.0, "too_bright")])
def test_bad_light_is_refused(
    tmp_path: Path, photo: Any, points: Any, light: float, code: str
) -> None:
    lit = np.asarray(cv2.convertScaleAbs(photo, alpha=light, beta=0 if light < 1 else 200))

    with pytest.raises(EngineError) as refused:
        drawn.build(tmp_path, picture=lit, faces=(points,))

    assert refused.value.code == code


def test_film_is_refused(tmp_path: Path, photo: Any, points: Any) -> None:
    with pytest.raises(EngineError) as refused:
        drawn.build(tmp_path, picture=photo, faces=(points,), frames=2)

    assert refused.value.code == "not_a_photo"


def test_bundle_with_points_that_are_no_numbers_is_refused(
    tmp_path: Path, photo: Any, points: Any
) -> None:
    drawn.build(tmp_path, picture=photo, faces=(points,))
    broken = np.load(tmp_path / "points.npy")
    broken[0, 3, 0] = np.nan
    np.save(tmp_path / "points.npy", broken)

    with pytest.raises(BundleError, match="no numbers"):
        open_bundle(tmp_path)


@pytest.mark.parametrize(("point", "place"), [(36, (-5, 90)), (8, (9e9, 9e9)), (54, None)])
def test_bundle_with_points_that_make_no_face_is_refused(
    tmp_path: Path, photo: Any, points: Any, point: int, place: Any
) -> None:
    """A bundle may come from anywhere: beside the picture there is nothing that can be bent."""
    drawn.build(tmp_path, picture=photo, faces=(points,))
    broken = np.load(tmp_path / "points.npy")
    broken[0, point] = broken[0, 48] if place is None else place
    np.save(tmp_path / "points.npy", broken)

    with pytest.raises(BundleError, match="no face"):
        open_bundle(tmp_path)


def test_bundle_must_hold_what_its_engine_was_given(
    tmp_path: Path, photo: Any, points: Any
) -> None:
    drawn.build(tmp_path, picture=photo, faces=(points,))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["files"]["points.npy"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(BundleError, match=r"points\.npy"):
        open_bundle(tmp_path)
