"""The drawn presenter: the same moment is the same picture, and each command is seen in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.catalog import EXPRESSIONS, GESTURES, PRESENTERS
from inference.engines.base import VISEMES, EngineError, FaceSetup, FaceSpeech
from inference.engines.face.puppet import motion
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.coverage import arm_poses, extreme_poses
from inference.engines.face.puppet.engine import PuppetEngine, create_engine
from inference.engines.face.puppet.gestures import ARMS, plan_gestures
from inference.engines.face.puppet.measure import PARTS, measure
from inference.engines.face.puppet.parameters import EXPRESSION_POSES, PARAMETERS, rest_pose
from inference.engines.face.puppet.rig import characters, outfits

WIDTH, HEIGHT, FRAME_SAMPLES = 480, 270, 1920
AA = VISEMES.index("aa")


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> FaceSetup:
    folder = str(tmp_path_factory.mktemp("cache"))
    settings = {"character": "lin"}
    return FaceSetup(WIDTH, HEIGHT, FRAME_SAMPLES, "full", "studio", settings, folder)


@pytest.fixture
def engine(setup: FaceSetup) -> PuppetEngine:
    return create_engine(setup)


def _speech(start_seconds: float = 1.0, generation: int = 1, **changes: object) -> FaceSpeech:
    track = [((0.2 * i, AA, 1.0), (0.2 * i + 0.12, VISEMES.index("PP"), 1.0)) for i in range(15)]
    visemes = tuple(item for pair in track for item in pair)
    loudness = tuple(0.3 if step % 20 < 12 else 0.01 for step in range(150))
    speech = FaceSpeech("u1", generation, round(start_seconds * 48_000), 144_000, visemes, loudness)
    return replace(speech, **changes)


def _widest(engine: PuppetEngine, start: float) -> float:
    """The widest opening of the mouth in the 400 ms from `start`."""
    return max(engine.pose(start + 0.02 * i)["ParamMouthOpenY"] for i in range(20))


def _render(engine: PuppetEngine, seconds: float) -> np.ndarray:
    picture = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
    engine.render(round(seconds * 48_000), 1, picture)
    return picture


def test_same_moment_is_the_same_picture_whatever_came_between(setup: FaceSetup) -> None:
    first, second = create_engine(setup), create_engine(setup)
    for engine in (first, second):
        engine.set_expression("happy", 3, 24_000)
        engine.start_speech(_speech())
    forward = {t: _render(first, t) for t in (0.2, 1.3, 1.34, 2.0, 500.0)}

    for seconds in (2.0, 500.0, 1.34, 0.2, 1.3):
        assert np.array_equal(_render(second, seconds), forward[seconds])
        assert np.array_equal(_render(first, seconds), forward[seconds])


def test_pictures_in_a_row_are_those_drawn_one_by_one(setup: FaceSetup) -> None:
    """What a picture takes over from the one before is what it would have drawn itself."""
    in_a_row, alone = PuppetEngine(setup), PuppetEngine(setup)
    for each in (in_a_row, alone):
        each.start_speech(_speech())
        each.set_expression("happy", 3, 60_000)

    moments = [1.0 + frame / 25 for frame in range(12)]
    rows = {moment: _render(in_a_row, moment) for moment in moments}
    ones = {moment: _render(alone, moment) for moment in reversed(moments)}

    for moment in moments:
        np.testing.assert_array_equal(rows[moment], ones[moment])


def test_body_moves_with_every_second_picture_and_the_head_with_each(setup: FaceSetup) -> None:
    engine = PuppetEngine(setup)
    engine.start_speech(_speech())
    pictures = [_render(engine, 1.2 + frame / 25).astype(np.int16) for frame in range(8)]

    changes = [abs(after - before) for before, after in zip(pictures, pictures[1:], strict=False)]
    clothes = [
        change[HEIGHT - 24 : HEIGHT, WIDTH // 2 - 30 : WIDTH // 2 + 30] for change in changes
    ]

    assert all(change[: HEIGHT // 2].any() for change in changes)
    assert [bool(change.any()) for change in clothes].count(False) >= 3


def test_cut_closes_the_mouth_and_keeps_newer_speech(engine: PuppetEngine) -> None:
    engine.start_speech(_speech())
    engine.start_speech(_speech(5.0, utterance="u2"))
    assert _widest(engine, 2.0) > 0.3

    engine.cut(round(2.0 * 48_000), 2)
    engine.start_speech(_speech(3.0, 2, utterance="u3"))

    assert _widest(engine, 1.59) > 0.3
    assert max(_widest(engine, 2.07), _widest(engine, 2.4)) <= 0.02
    assert _widest(engine, 3.2) > 0.3
    assert _widest(engine, 6.2) <= 0.02


def test_same_utterance_again_replaces_what_is_known(engine: PuppetEngine) -> None:
    engine.start_speech(_speech(visemes=(), loudness=()))
    assert engine.pose(2.0)["ParamMouthOpenY"] == 0.0

    engine.start_speech(_speech())

    assert _widest(engine, 1.8) > 0.3


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "neutral"])
def test_expression_fades_in_and_is_seen(setup: FaceSetup, name: str) -> None:
    engine, neutral = create_engine(setup), create_engine(setup)

    engine.set_expression(name, 3, 48_000)

    assert np.array_equal(_render(engine, 0.99), _render(neutral, 0.99))
    changed = np.abs(_render(engine, 1.5).astype(int) - _render(neutral, 1.5)).max()
    assert changed > 40
    steps = [engine.pose(1.0 + 0.04 * i) for i in range(8)]
    for parameter in ("ParamMouthForm", "ParamEyeLSmile", "ParamBrowLY"):
        assert (
            max(abs(b[parameter] - a[parameter]) for a, b in zip(steps, steps[1:], strict=False))
            < 0.5
        )


def test_emotion_scales_the_expression(engine: PuppetEngine, setup: FaceSetup) -> None:
    flat, excited = create_engine(setup), create_engine(setup)

    flat.set_expression("happy", 1, 0)
    excited.set_expression("happy", 5, 0)

    assert excited.pose(1.0)["ParamCheek"] > 2 * flat.pose(1.0)["ParamCheek"] > 0


def test_mark_in_a_sentence_shows_and_returns(engine: PuppetEngine) -> None:
    engine.start_speech(_speech(marks=((0.5, "happy"), (0.6, "open_hands"), (0.7, "pause 0.3"))))

    assert engine.pose(1.4)["ParamCheek"] == 0.0
    assert engine.pose(2.5)["ParamCheek"] == pytest.approx(0.5)
    assert engine.pose(6.0)["ParamCheek"] == 0.0


def test_cut_forgets_expressions_and_gestures_to_come(engine: PuppetEngine) -> None:
    engine.set_expression("sad", 3, 0)
    engine.set_expression("happy", 3, 2 * 48_000)
    engine.play_gesture("wave", 2 * 48_000)
    engine.start_speech(_speech(0.0, marks=((0.1, "happy"), (2.5, "laugh"))))
    assert engine.pose(0.9)["ParamCheek"] > 0.4

    engine.cut(48_000, 2)

    assert engine.pose(1.5)["ParamCheek"] == 0.0
    assert engine.pose(3.0)["ParamCheek"] == 0.0
    assert engine.pose(3.0)["ParamMouthForm"] < 0.0


def test_lips_close_under_any_expression(engine: PuppetEngine) -> None:
    engine.set_expression("surprised", 5, 0)
    engine.start_speech(_speech())

    openings = [engine.pose(1.0 + 0.04 * i)["ParamMouthOpenY"] for i in range(8, 70)]

    assert sum(opening <= 0.02 for opening in openings) >= 12


@pytest.mark.parametrize("name", [name for name in GESTURES if name != "none"])
def test_gesture_moves_and_ends(setup: FaceSetup, name: str) -> None:
    engine, still = create_engine(setup), create_engine(setup)

    engine.play_gesture(name, 48_000)

    assert np.array_equal(_render(engine, 1.0), _render(still, 1.0))
    changed = cv2.absdiff(_render(engine, 2.0), _render(still, 2.0))[:HEIGHT]
    # A hand's worth of picture, above the captions.
    assert np.count_nonzero(changed[: HEIGHT * 5 // 6] > 24) > 0.02 * WIDTH * HEIGHT
    assert engine.pose(4.7) == still.pose(4.7)  # the hair has swung out too


@pytest.mark.parametrize("name", [name for name in GESTURES if name != "none"])
@pytest.mark.parametrize("size", [(480, 270), (270, 480)])
def test_raised_hands_are_inside_the_picture(
    tmp_path_factory: pytest.TempPathFactory, name: str, size: tuple[int, int]
) -> None:
    """At the sides nothing but green is left beside a hand, in wide and in tall pictures."""
    width, height = size
    folder = str(tmp_path_factory.getbasetemp() / "tall-and-wide")
    engine = create_engine(FaceSetup(width, height, 1920, "full", "#00ff00", {}, folder))
    engine.play_gesture(name, 0)
    picture = np.zeros((height * 3 // 2, width), np.uint8)

    for seconds in np.arange(0.5, 2.0, 0.1).tolist():
        engine.render(round(seconds * 48_000), 0, picture)
        above = picture[: height * 3 // 4]
        assert np.ptp(above[:, 0]) <= 3
        assert np.ptp(above[:, -1]) <= 3


def test_arms_are_smooth_and_nobody_has_three() -> None:
    told = [(1.0, "wave"), (1.6, "heart"), (2.0, "heart"), (3.0, "none"), (9.0, "point_left")]
    shown = plan_gestures(told)

    assert [item.name for item in shown] == ["wave", "heart", "point_left"]
    for seconds in np.arange(0.0, 13.0, 0.04).tolist():
        raised = [item.raised(seconds) for item in shown]
        after = [item.raised(seconds + 0.04) for item in shown]
        assert sum(raised) <= 1.0
        assert sum(amount > 0.1 for amount in raised) <= 1
        assert max(abs(b - a) for a, b in zip(raised, after, strict=True)) < 0.15
    assert shown[1].raised(2.9) == 1.0
    assert shown[1].raised(3.6) == 0.0


def test_gesture_again_while_it_is_shown_goes_on() -> None:
    (shown,) = plan_gestures([(1.0, "wave"), (2.5, "wave")])

    assert shown.raised(4.5) == 1.0
    assert shown.raised(5.5) == 0.0


def test_voice_moves_the_head(setup: FaceSetup) -> None:
    engine, still = create_engine(setup), create_engine(setup)
    engine.start_speech(_speech())

    moved = [
        engine.pose(t)["ParamAngleY"] - still.pose(t)["ParamAngleY"] for t in np.arange(1, 4, 0.04)
    ]

    assert np.ptp(moved) > 1.0
    assert engine.pose(20.0) == still.pose(20.0)


def test_blinks_come_two_to_six_seconds_apart() -> None:
    times = np.arange(0.0, 240.0, 0.02)
    closed = np.array([motion.blink(7, time) for time in times.tolist()]) > 0.5
    starts = times[1:][closed[1:] & ~closed[:-1]]
    gaps = np.diff(starts)

    assert 1.0 - closed.mean() > 0.9
    assert gaps[gaps > 0.5].min() >= 1.6
    assert gaps.max() <= 6.0


def test_curve_is_straight_between_its_values_and_nothing_beyond_them() -> None:
    values = np.array([3.0, -1.0, 0.5, 2.0])
    times = np.linspace(-0.05, 0.11, 81)

    curve = motion.Curve(values, 0.02)

    asked = [curve.at(time) for time in times.tolist()]
    wanted = np.interp(times, 0.02 * np.arange(4), values, left=0.0, right=0.0)
    assert asked == pytest.approx(wanted.tolist(), abs=1e-9)


def test_measure_finds_a_cost_for_each_part() -> None:
    costs = measure(320, 180, frames=4, tries=1)

    assert len(costs) == len(PARTS)
    assert all(0.0 < cost < 200.0 for cost in costs)


def test_unknown_names_are_refused_with_the_known_ones(
    engine: PuppetEngine, setup: FaceSetup
) -> None:
    with pytest.raises(EngineError, match="thinking"):
        engine.set_expression("smug", 3, 0)
    with pytest.raises(EngineError, match="1 to 5"):
        engine.set_expression("happy", 9, 0)
    with pytest.raises(EngineError, match="open_hands"):
        engine.play_gesture("bow", 0)
    for changes, words in (
        ({"settings": {"character": "bob"}}, "There are: chen, lin"),
        ({"settings": {"character": "lin", "outfit": "suit"}}, "There are: blazer, knit"),
        ({"background": "moon"}, "studio"),
        ({"framing": "feet"}, "close"),
        ({"settings": {"seed": -1}}, "seed"),
    ):
        with pytest.raises(EngineError, match=words):
            create_engine(replace(setup, **changes))


def test_damaged_cache_is_baked_again(setup: FaceSetup, tmp_path: Path) -> None:
    fresh = replace(setup, cache_folder=str(tmp_path))
    before = _render(create_engine(fresh), 1.0)
    (path,) = tmp_path.glob("*.pack")
    content = bytearray(path.read_bytes())
    content[-1000] ^= 0xFF
    path.write_bytes(content)

    after = _render(create_engine(fresh), 1.0)

    assert np.array_equal(before, after)
    assert path.read_bytes() != bytes(content)


def test_plan_of_tiles_loses_nothing(setup: FaceSetup) -> None:
    """Drawing only the planned tiles is drawing everything, in any pose."""
    art = load_art(setup)
    planned, whole = Compositor(art), Compositor(art, planned=False)
    first, second = (np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2))

    poses = [rest_pose(), *extreme_poses()[::4]]
    poses += [pose for arm in ARMS for pose in arm_poses(arm)[::13]]
    for pose in poses:
        planned.draw(pose, first)
        whole.draw(pose, second)
        assert cv2.absdiff(first, second).max() <= 1


def test_poses_planned_together_are_drawn_as_each_alone(setup: FaceSetup) -> None:
    art = load_art(setup)
    together, alone = Compositor(art), Compositor(art)
    first, second = (np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8) for _ in range(2))
    poses = [rest_pose(), *arm_poses(ARMS[0])[4:6], *extreme_poses()[::9], rest_pose()]
    # The body stays for two pictures, as on air.
    bodies = [poses[number // 2 * 2] for number in range(len(poses))]

    for pose, body, strokes in zip(poses, bodies, together.plan(poses, bodies), strict=True):
        together.draw_planned(pose, strokes, first)
        alone.draw(pose, second, body)
        assert cv2.absdiff(first, second).max() <= 1


@pytest.mark.parametrize("size", [(640, 360), (640, 352)])
def test_picture_drawn_into_again_is_that_of_a_new_one(
    setup: FaceSetup, size: tuple[int, int]
) -> None:
    """What the pose before has painted is gone, in one picture of a ring as in all."""
    art = load_art(replace(setup, width_px=size[0], height_px=size[1]))
    compositor = Compositor(art)
    shape = size[1] * 3 // 2, size[0]
    ring = [np.full(shape, 77, np.uint8) for _ in range(3)]

    for number, pose in enumerate([*arm_poses(ARMS[0])[::5], *extreme_poses()[::3]]):
        again, new = ring[number % 3], np.full(shape, 99, np.uint8)
        compositor.draw(pose, again)
        compositor.draw(pose, new)
        assert np.array_equal(again, new), number


@pytest.mark.parametrize("character", characters())
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_figure_fills_the_picture_and_leaves_its_edges(
    tmp_path: Path, size: tuple[int, int], character: str
) -> None:
    width, height = size
    settings = {"character": character}
    setup = FaceSetup(width, height, 1920, "full", "#00ff00", settings, str(tmp_path))
    picture = np.zeros((height * 3 // 2, width), np.uint8)

    create_engine(setup).render(0, 0, picture)

    blue = picture[height : height * 5 // 4].reshape(height // 2, width // 2)
    assert blue[1, 1] == pytest.approx(54, abs=3)
    assert np.all(blue[-1, width // 4 - 20 : width // 4 + 20] > 90)
    # Nothing is smeared to the edges of the picture.
    assert np.all(np.abs(blue[:, :3].astype(int) - 54) <= 3)


def test_catalog_names_the_presenters_that_are_drawn() -> None:
    named = {item.character: [outfit.name for outfit in item.outfits] for item in PRESENTERS}

    assert named == {character: outfits(character) for character in characters()}


@pytest.mark.parametrize("character", characters())
def test_outfits_change_the_clothes_and_not_the_face(tmp_path: Path, character: str) -> None:
    pictures = []
    for outfit in outfits(character):
        settings = {"character": character, "outfit": outfit}
        setup = FaceSetup(WIDTH, HEIGHT, FRAME_SAMPLES, "full", "studio", settings, str(tmp_path))
        picture = np.zeros((HEIGHT * 3 // 2, WIDTH), np.uint8)
        create_engine(setup).render(0, 0, picture)
        pictures.append(picture[:HEIGHT])

    first, second = pictures
    assert np.array_equal(first[: HEIGHT * 2 // 5], second[: HEIGHT * 2 // 5])
    clothes = cv2.absdiff(first, second)[HEIGHT * 2 // 3 :, WIDTH // 3 : WIDTH * 2 // 3]
    assert clothes.mean() > 20


@pytest.mark.parametrize("name", ["happy", "laugh"])
def test_smile_shows_its_teeth(setup: FaceSetup, name: str) -> None:
    """White between the lips, where the same opening without a smile is dark."""
    art = load_art(replace(setup, width_px=960, height_px=540))
    compositor = Compositor(art)
    x, y = art.rig.anchors["mouth"]
    row, column = round(y * art.placement.scale), round(x * art.placement.scale)

    def white(form: float) -> float:
        pose = rest_pose()
        for parameter, value in EXPRESSION_POSES[name].items():
            if not parameter.startswith("ParamAngle"):
                pose[parameter] += value
        pose["ParamMouthForm"] = form
        picture = np.zeros((810, 960), np.uint8)
        compositor.draw(pose, picture)
        mouth = picture[row - 8 : row + 16, column - 20 : column + 20]
        return float((mouth > 205).mean())

    assert white(1.0) > white(-0.2) + 0.05


def test_rest_pose_lies_within_the_ranges() -> None:
    for rest, lowest, highest in PARAMETERS.values():
        assert lowest <= rest <= highest
