"""Faces in pictures: against MediaPipe, against what was drawn, and where there is no face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference.engines.base import EngineError
from inference.engines.face.avatar_build import BuildRequest, build_avatar
from inference.engines.face.avatar_look import Upload, look_at_upload
from inference.engines.face.face_mesh import networks
from inference.engines.face.face_mesh.finding import FaceFinder, find_landmarks
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.musetalk.landmarks import (
    LandmarksError,
    points_of_frames,
    read_landmarks,
)
from tests.inference.face.portrait import drawn

Picture = np.ndarray[Any, Any]

WIDTH, HEIGHT = 1280, 720
MOUTH_CORNERS = [48, 54]


def stage(height: int = HEIGHT) -> Picture:
    """The drawn presenter, BGR, 16:9."""
    size = (height * 16 // 9, height)
    return np.asarray(cv2.resize(drawn.photo(), size, interpolation=cv2.INTER_AREA))


def truth(height: int = HEIGHT) -> Picture:
    return drawn.points() * (height / drawn.STAGE[1])


def film(*pictures: Picture) -> Picture:
    return np.stack([np.asarray(cv2.cvtColor(each, cv2.COLOR_BGR2YUV_I420)) for each in pictures])


def moved(right: float = 0, *, degrees: float = 0, scale: float = 1) -> Picture:
    """The matrix that moves the stage; its face stays in view."""
    middle = truth().mean(axis=0)
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), degrees, scale)
    matrix[0, 2] += right
    return np.asarray(matrix)


def shown(matrix: Picture) -> Picture:
    size = (WIDTH, HEIGHT)
    return np.asarray(cv2.warpAffine(stage(), matrix, size, borderMode=cv2.BORDER_REPLICATE))


def points_of(frames: Picture) -> Picture:
    """(n, 68, 2) px, by the way that a build takes."""
    looks = read_landmarks(find_landmarks(frames, 25))
    size = frames.shape[2], frames.shape[1] * 2 // 3
    return points_of_frames(looks, len(frames), 25, size).points


def apart(found: Picture, expected: Picture) -> Picture:
    """Distance of each point, of the face's width."""
    distance = np.linalg.norm(found - expected, axis=-1)
    return np.asarray(distance / np.ptp(expected[..., 0]))


def without_face() -> Picture:
    picture = stage().copy()
    (left, top), (right, bottom) = truth().min(axis=0).astype(int), truth().max(axis=0).astype(int)
    picture[top - 60 : bottom + 20, left - 20 : right + 20] = 128
    return picture


def beside(scale: float) -> Picture:
    """The presenter, and somebody else in the upper left corner, so many times as large."""
    picture = stage().copy()
    x, y = truth().mean(axis=0).astype(int)
    other = cv2.resize(stage()[y - 200 : y + 160, x - 180 : x + 180], None, fx=scale, fy=scale)
    picture[: len(other), : len(other)] = other
    return picture


def test_points_are_those_of_mediapipe() -> None:
    reference = np.load(Path(__file__).with_name("reference.npz"))["points"]

    [face] = FaceFinder().look(np.ascontiguousarray(drawn.photo()[:, :, ::-1]))

    distance = apart(face.points, reference)
    assert distance.mean() < 0.015
    assert distance.max() < 0.04


@pytest.mark.parametrize("height", [360, 540, 720, 1080])
def test_points_lie_where_the_presenter_is_drawn(height: int) -> None:
    [found] = points_of(film(stage(height)))

    distance = apart(found, truth(height))
    # Her eyes are larger than anybody's: the mesh, which knows people, is off there.
    assert distance.mean() < 0.05
    assert distance[MOUTH_CORNERS].max() < 0.015


@pytest.mark.parametrize(
    "matrix",
    [moved(-400), moved(400), moved(scale=0.5), moved(scale=1.8), moved(degrees=30)],
    ids=["left", "right", "far", "near", "tilted"],
)
def test_face_is_found_anywhere(matrix: Picture) -> None:
    [found] = points_of(film(shown(matrix)))

    expected = cv2.transform(truth()[None], matrix)[0]
    assert apart(found, expected).mean() < 0.06


@pytest.mark.parametrize(
    "spoil",
    [
        lambda picture: (picture * 0.2).astype(np.uint8),
        lambda picture: np.clip(picture * 1.7, 0, 255).astype(np.uint8),
        lambda picture: cv2.GaussianBlur(picture, (0, 0), 5),
        lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [1, 10])[1], 1),
    ],
    ids=["dark", "bright", "blurred", "crushed"],
)
def test_face_is_found_in_poor_pictures(spoil: Callable[[Picture], Picture]) -> None:
    [found] = points_of(film(spoil(stage())))

    assert apart(found, truth()).mean() < 0.06


@pytest.mark.parametrize(
    "picture",
    [
        np.full((HEIGHT, WIDTH, 3), 120, np.uint8),
        np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        without_face(),
        np.ascontiguousarray(stage()[:, WIDTH // 2 :]),
    ],
    ids=["grey", "noise", "painted over", "half a face"],
)
def test_no_face_is_seen_where_there_is_none(picture: Picture) -> None:
    with pytest.raises(LandmarksError) as caught:
        points_of(film(picture))

    assert caught.value.code == "no_face"


def test_second_person_is_refused() -> None:
    with pytest.raises(LandmarksError) as caught:
        points_of(film(beside(0.8)))

    assert caught.value.code == "two_faces"


def test_second_person_who_comes_later_is_seen() -> None:
    seen = find_landmarks(film(*[stage()] * 3, *[beside(0.8)] * 5), 25)["frames"]

    assert {len(look["faces"]) for look in seen[:3]} == {1}
    assert max(len(look["faces"]) for look in seen[3:]) == 2


def test_picture_on_the_wall_is_nobody() -> None:
    near = shown(moved(scale=1.8))
    small = cv2.resize(stage()[40:440, 440:840], (150, 150), interpolation=cv2.INTER_AREA)
    alone = np.full_like(near, 200)
    alone[:150, :150] = near[:150, :150] = small

    assert len(find_landmarks(film(alone), 25)["frames"][0]["faces"]) == 1
    assert len(points_of(film(near))) == 1


def test_points_stay_with_a_head_that_moves() -> None:
    matrices = [moved(60 * np.sin(turn / 5), degrees=8 * np.sin(turn / 6)) for turn in range(20)]

    found = points_of(film(*[shown(matrix) for matrix in matrices]))

    for points, matrix in zip(found, matrices, strict=True):
        assert apart(points, cv2.transform(truth()[None], matrix)[0]).mean() < 0.06


def test_points_do_not_tremble_with_the_noise_of_a_camera() -> None:
    random = np.random.default_rng(0)
    noisy = [
        np.clip(stage() + random.normal(0, 4, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        for _ in range(12)
    ]

    found = points_of(film(*noisy))

    assert found.std(axis=0).mean() < 0.0015 * np.ptp(truth()[:, 0])


@pytest.mark.parametrize("far", [60, 120, 200])
def test_cut_stays_a_cut(far: int) -> None:
    found = points_of(film(*[stage()] * 4, *[shown(moved(far))] * 4))

    steps = np.diff(found.mean(axis=1)[:, 0])
    assert steps[3] == pytest.approx(far, abs=6)
    assert np.abs(np.delete(steps, 3)).max() < 6


def test_pictures_without_the_presenter_are_told() -> None:
    looks = find_landmarks(film(stage(), without_face(), stage()), 25)["frames"]

    assert [len(look["faces"]) for look in looks] == [1, 0, 1]


@pytest.mark.parametrize("content", [None, b"another file"])
def test_machine_without_the_networks_asks_for_points(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "packed.data"
    if content is not None:
        packed.write_bytes(content)
    monkeypatch.setattr(networks, "PACKED", packed)

    with pytest.raises(EngineError) as caught:
        look_at_upload(Upload("portrait", {}, drawn.PHOTO, None, {}))

    assert caught.value.code == "no_landmarks"


def test_photo_needs_no_points(tmp_path: Path) -> None:
    photo = tmp_path / "me.png"
    cv2.imwrite(str(photo), drawn.photo()[:720, 480:1440])
    request = BuildRequest("portrait", {}, photo, None, tmp_path / "out", tmp_path / "cache", {})

    look_at_upload(Upload("portrait", {}, photo, None, {}))
    build_avatar(request, lambda *_: None)

    [found] = open_bundle(tmp_path / "out").points
    assert apart(found, drawn.points() - (480, 0))[MOUTH_CORNERS].max() < 0.03
