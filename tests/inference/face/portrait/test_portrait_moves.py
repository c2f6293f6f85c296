"""A photo speaks, blinks and sways: what moves, what stays, and that nothing tears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.lips import CORRELATION_LIMIT, LAG_LIMITS_MS, Film, bilabials, match_lips
from benchmarks.mouth import mouth_height
from benchmarks.rendering import loudness, speak
from inference.engines.base import EngineError, FaceSetup, FaceSpeech
from inference.engines.face.musetalk.bundle import open_bundle
from inference.engines.face.portrait.engine import (
    PortraitEngine,
    create_engine,
    create_idle_painter,
)
from inference.engines.face.portrait.mouth import Mouth, MouthPose
from inference.engines.face.portrait.still import Still
from inference.engines.face.puppet.contact_sheet import viseme_pose
from inference.engines.face.puppet.parameters import Pose, rest_pose
from tests.inference.face.portrait import drawn

SIZE = WIDTH, HEIGHT = 1280, 720
FRAME = 1920
TEXTS = {
    "zh-CN": "大家好，欢迎来到直播间，今天有八折的面包和牛奶。",
    "en-US": "Hello everybody, maybe we begin with a big bowl of pumpkin soup.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("portrait")
    drawn.build(made / "bundle", picture=drawn.photo(), faces=(drawn.points(),))
    return made


def setup_for(folder: Path, **settings: Any) -> FaceSetup:
    values = {"bundle": str(folder / "bundle"), "weights": "nowhere", **settings}
    return FaceSetup(WIDTH, HEIGHT, FRAME, "full", "studio", values, str(folder / "cache"))


@pytest.fixture(scope="module")
def still(folder: Path) -> Still:
    return Still(open_bundle(folder / "bundle"), WIDTH, HEIGHT, folder / "cache")


@pytest.fixture
def engine(folder: Path) -> Iterator[PortraitEngine]:
    made = create_engine(setup_for(folder))
    yield made
    made.close()


def shot(still: Still, **changes: float) -> np.ndarray[Any, Any]:
    """(HEIGHT, WIDTH, 3) BGR of the rest pose, changed."""
    picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    still.draw({**rest_pose(), **changes}, picture)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)).astype(np.int16)


def moved(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(HEIGHT, WIDTH) whether a px is another one."""
    return np.asarray(np.abs(before - after).max(axis=2) > 2)


@pytest.mark.parametrize("language", TEXTS)
def test_lips_go_with_the_sound_and_close_for_p_b_and_m(
    engine: PortraitEngine, language: str
) -> None:
    sentence = speak(TEXTS[language], language)
    start = 24_000
    engine.start_speech(
        FaceSpeech(
            "u", 0, start, len(sentence.samples), sentence.visemes, loudness(sentence.samples)
        )
    )
    sound = np.concatenate([np.zeros(start), sentence.samples / 32768, np.zeros(24_000)])
    count = len(sound) // FRAME
    picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    heights = []
    for number in range(count):
        engine.render(number * FRAME, 0, picture)
        height = mouth_height(np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)))
        heights.append(np.nan if height is None else height)

    film = Film(np.arange(count) * FRAME / 48_000, np.array(heights), sound)
    assert not np.isnan(film.heights).any()
    match = match_lips(film, np.random.default_rng(1))
    assert match.correlation >= CORRELATION_LIMIT
    assert LAG_LIMITS_MS[0] <= match.lag_ms <= LAG_LIMITS_MS[1]
    closed = film.heights[2]
    lips = [
        film.heights[(film.times >= start / 48_000 + begin - 0.105) & (
            film.times <= start / 48_000 + end
        )].min()
        for begin, end in bilabials(sentence)
    ]  # fmt: skip
    assert lips
    assert max(lips) <= closed + 2.8  # thousandths of the picture: 2 px


@pytest.mark.parametrize("name", ["aa", "E", "I", "O", "U", "FF", "CH"])
def test_only_the_lower_face_moves_when_the_mouth_does(still: Still, name: str) -> None:
    spoken = {key: viseme_pose(name)[key] for key in MOUTH}

    changed = moved(shot(still), shot(still, **spoken))

    x0, y0, x1, y1 = still.mouth_box
    assert changed.any()
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


MOUTH = ("ParamMouthOpenY", "ParamMouthForm", "MouthPucker")


def test_open_mouth_shows_dark_and_teeth_between_the_lips(still: Still) -> None:
    points = drawn.points("lin", SIZE)
    x, y = points[62].astype(int)
    spoken = {key: viseme_pose("aa")[key] for key in MOUTH}

    picture = shot(still, **spoken)

    column = picture[y - 6 : y + 16, x - 6]
    is_tooth = column.min(axis=1) > 150
    is_dark = column.max(axis=1) < 80
    assert 2 <= is_tooth.sum() <= 10
    assert is_dark.sum() >= 4
    # Teeth hang above the dark.
    assert np.flatnonzero(is_tooth).max() < np.flatnonzero(is_dark).max()


def test_background_stays_still_however_the_head_moves(still: Still, folder: Path) -> None:
    turned = shot(
        still, ParamAngleX=12.0, ParamAngleY=-10.0, ParamAngleZ=6.0, ParamBreath=1.0,
        ParamBrowLY=1.0, ParamBrowRY=1.0,
    )  # fmt: skip

    changed = moved(shot(still), turned)

    assert changed[HEIGHT // 3, WIDTH // 2 - 60 : WIDTH // 2 + 60].any()
    # Beside the presenter, above, and everything that does not belong to the person.
    assert not changed[:, :400].any()
    assert not changed[:, -400:].any()
    assert not changed[:20].any()


def test_nothing_folds_in_any_shape_of_the_mouth() -> None:
    photo, points = drawn.photo(), drawn.points()
    mouth = Mouth(photo, points)
    for opening in (0.0, 0.3, 1.0):
        for form in (-1.5, 0.0, 0.45):
            for pucker in (0.0, 1.0):
                for press in (0.0, 1.0):
                    assert_no_fold(mouth, MouthPose(opening, form, pucker, press))


def assert_no_fold(mouth: Mouth, pose: MouthPose) -> None:
    """From left to right and, on each side of the seam, from top to bottom sources rise."""
    across, lift, seam, upper, lower = mouth._shifts(pose)
    sources = mouth._x + across
    assert (np.diff(sources, axis=1) > 0).all(), pose
    side = mouth._rest + seam
    for shift, is_here in ((upper, side < 0), (lower, side >= 0)):
        rising = np.diff(mouth._y + lift + shift, axis=0) > 0
        assert rising[is_here[1:] & is_here[:-1]].all(), pose


def test_nothing_folds_when_the_head_is_turned_to_its_limits(still: Still) -> None:
    sway = still._sway
    columns, rows = sway._yaw.shape[1], sway._yaw.shape[0]
    step_x, step_y = sway._size[0] / columns, sway._size[1] / rows
    for signs in np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(-1, 3).tolist():
        pose: Pose = rest_pose()
        names = ("ParamAngleX", "ParamAngleY", "ParamAngleZ")
        pose |= dict(zip(names, (signs * np.array([12, 10, 6])).tolist(), strict=True))
        pose |= {"ParamBreath": 1.0, "ParamBrowLY": 1.0, "ParamBrowRY": -1.0}

        across, down = sway._shifts(pose)

        assert (np.diff(across, axis=1) + step_x > 0.3 * step_x).all()
        assert (np.diff(down, axis=0) + step_y > 0.3 * step_y).all()


@pytest.mark.parametrize(("side", "points"), [("L", slice(36, 42)), ("R", slice(42, 48))])
def test_blink_hides_the_eye_and_only_that_one(still: Still, side: str, points: slice) -> None:
    eyes = drawn.points("lin", SIZE)
    (x0, y0), (x1, y1) = eyes[points].min(axis=0).astype(int), eyes[points].max(axis=0).astype(int)

    opened, shut = shot(still), shot(still, **{f"ParamEye{side}Open": 0.0})

    def whites(picture: np.ndarray[Any, Any]) -> int:
        part = picture[y0:y1, x0:x1]
        return int(((part.min(axis=2) > 200) & (np.ptp(part, axis=2) < 25)).sum())

    assert whites(opened) > 20
    assert whites(shut) <= 0.05 * whites(opened)
    middle = WIDTH // 2
    other = slice(middle, None) if side == "L" else slice(None, middle)
    assert not moved(opened, shut)[:, other].any()


def test_blink_ends_where_it_began(still: Still) -> None:
    before = shot(still)
    shot(still, ParamEyeLOpen=0.0, ParamMouthOpenY=0.8)

    np.testing.assert_array_equal(shot(still), before)


def test_picture_is_a_function_of_its_moment_alone(engine: PortraitEngine, folder: Path) -> None:
    other = create_engine(setup_for(folder))
    first, again = (np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2))
    for at in (0, 48_000, 9 * FRAME):
        engine.render(at, 0, first)

    other.render(9 * FRAME, 0, again)

    np.testing.assert_array_equal(first, again)


def test_cut_closes_the_mouth(engine: PortraitEngine) -> None:
    level = tuple([0.3] * 150)
    engine.start_speech(FaceSpeech("u", 1, 0, 3 * 48_000, ((0.0, 10, 1.0),), level))
    assert engine.pose(1.5)["ParamMouthOpenY"] > 0.4

    engine.cut(72_000, 2)

    assert engine.pose(1.7)["ParamMouthOpenY"] < 0.02


def test_clips_and_what_does_not_exist_are_refused(engine: PortraitEngine) -> None:
    engine.play_gesture("wave", 0)
    engine.set_expression("happy", 3, 0)
    for told in (
        lambda: engine.play_clip("wave", 0),
        lambda: engine.play_gesture("somersault", 0),
        lambda: engine.set_expression("hungry", 3, 0),
    ):
        with pytest.raises(EngineError):
            told()


def test_presenter_that_was_not_built_says_so(folder: Path) -> None:
    with pytest.raises(EngineError, match="upload a video or photo"):
        create_engine(setup_for(folder, bundle=""))


def test_idle_loop_ends_where_it_began(folder: Path) -> None:
    paint = create_idle_painter(setup_for(folder))
    first, last = (np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2))

    paint(0.0, first)
    paint(1.0, last)

    assert np.abs(first.astype(int) - last).max() <= 1


def test_tall_photo_in_a_wide_show_stands_before_itself(tmp_path: Path) -> None:
    photo, points = drawn.photo(), drawn.points()
    drawn.build(tmp_path / "bundle", picture=photo[:, 660:1260].copy(), faces=(points - [660, 0],))
    still = Still(open_bundle(tmp_path / "bundle"), WIDTH, HEIGHT, tmp_path / "cache")

    picture = shot(still)

    bar = picture[:, :300]
    assert bar.mean() > 30  # not black
    assert np.abs(np.diff(bar.astype(int), axis=1)).max() <= 6  # out of focus
    assert np.abs(np.diff(picture[:, 440:840].astype(int), axis=1)).max() > 60
