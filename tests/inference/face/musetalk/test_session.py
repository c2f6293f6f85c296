"""A presenter on air: which picture, how much of which mouth, and what it hears."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from inference.engines.face.musetalk import tiny
from inference.engines.face.musetalk.bundle import Clip
from inference.engines.face.musetalk.cycle import Cycle, mirrored
from inference.engines.face.musetalk.local import LocalRenderer
from inference.engines.face.musetalk.session import TalkingSession
from inference.engines.face.musetalk.soundtrack import SoundTrack
from inference.engines.face.musetalk.spans import heard_span
from inference.engines.face.musetalk.windows import cut_prompts
from tests.inference.face import references
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import HEIGHT, WIDTH, GreenRenderer

FRAME = 1920
MOUTH = (80, 80)


def open_session(
    *clips: Clip, count: int = 10, frame_samples: int = FRAME, batch: int = 1, **values: Any
) -> tuple[TalkingSession, GreenRenderer]:
    renderer = GreenRenderer(batch)
    manifest = films.manifest(count, *clips, **values)
    return TalkingSession(manifest, films.small_film(count), renderer, frame_samples), renderer


def draw(session: TalkingSession, frame: int, generation: int = 0, samples: int = FRAME) -> Any:
    out = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    session.render(frame * samples, generation, out)
    return out


def green_share(picture: Any, base: int) -> float:
    """How much of the mouth is painted, 0 … 1: chroma is not moved by the film's own light."""
    u = picture.reshape(-1)[WIDTH * HEIGHT :][: WIDTH * HEIGHT // 4].reshape(
        HEIGHT // 2, WIDTH // 2
    )
    green_u = 74
    return float((128 - u[MOUTH[1] // 2, MOUTH[0] // 2]) / (128 - green_u))


def tone(seconds: float, level: float = 0.3) -> Any:
    at = np.arange(round(seconds * 48_000))
    return (level * 32767 * np.sin(at * 0.05)).astype(np.int16)


def shares(session: TalkingSession, frames: range, generation: int = 0) -> list[float]:
    return [green_share(draw(session, frame, generation), 0) for frame in frames]


@pytest.mark.parametrize("rate", [10, 15, 25, 30])
def test_silence_shows_the_film_to_and_fro_at_every_rate(rate: int) -> None:
    samples = 48_000 // rate
    session, renderer = open_session(frame_samples=samples)
    film = films.make_frames(10)

    for frame in range(2 * rate):
        at = frame * samples * 25 // 48_000
        expected = film[mirrored(at, 10)]
        np.testing.assert_array_equal(draw(session, frame, samples=samples), expected)
    assert renderer.painted == []


@pytest.mark.parametrize(("whose", "name"), [("avatar", "order"), ("livetalking", "turns")])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_mirror_is_musetalks_doubled_list_and_livetalkings_turns(
    whose: str, name: str, count: int
) -> None:
    """P9. MuseTalk keeps frames + reversed frames; LiveTalking counts turns."""
    theirs = references.reference(f"tests.inference.face.musetalk.make_{whose}_reference")

    ours = [mirrored(position, count) for position in range(5 * count)]

    assert ours == theirs[f"{name}_{count}"].tolist()


def test_mouth_comes_and_goes_in_110_ms_with_120_ms_of_hangover() -> None:
    session, _ = open_session()
    session.place("u", 0, 25 * FRAME)
    session.hear("u", tone(1.0))

    seen = shares(session, range(18, 65))

    by_frame = dict(zip(range(18, 65), seen, strict=True))
    # The middle of frame 22 is 100 ms ahead of the first sound.
    assert [by_frame[frame] for frame in (18, 21)] == [0, 0]
    assert by_frame[22] == pytest.approx(1 - 100 / 110, abs=0.05)
    assert by_frame[24] == pytest.approx(1 - 20 / 110, abs=0.05)
    assert all(by_frame[frame] > 0.95 for frame in range(25, 53))
    # The sound ends with frame 49; frame 53 begins to close 120 ms behind it.
    assert by_frame[53] == pytest.approx(1 - 20 / 110, abs=0.06)
    assert by_frame[55] == pytest.approx(1 - 100 / 110, abs=0.06)
    assert all(by_frame[frame] == 0 for frame in range(56, 65))
    assert all(abs(after - before) < 0.45 for before, after in pairwise(seen))


def test_mouth_of_a_sentence_that_is_told_late_begins_late_and_does_not_jump() -> None:
    session, _ = open_session()
    session.place("u", 0, 10 * FRAME, known_sample=10 * FRAME)
    session.hear("u", tone(1.0))

    seen = shares(session, range(8, 15))

    assert seen == pytest.approx([0, 0, 20 / 110, 60 / 110, 100 / 110, 1, 1], abs=0.06)


def test_only_frames_in_which_something_is_heard_are_painted() -> None:
    """The gate is per frame: an utterance with a long pause is not painted through it."""
    session, renderer = open_session()
    sound = np.concatenate([tone(0.4), np.zeros(48_000, np.int16), tone(0.4)])
    session.place("u", 0, 0)
    session.hear("u", sound)

    for frame in range(60):
        draw(session, frame)

    painted = [feature[0] for _, feature in renderer.painted]
    assert painted == [*range(16), *range(32, 51)]


def test_frame_is_made_of_the_sound_80_ms_to_either_side() -> None:
    """A click is in token k; the frames whose windows hold it are those of 2i-4 … 2i+5, no others.

    Fails when windows begin at the frame itself, which makes lips 80 ms early.
    """
    click_token = 60
    track = SoundTrack()
    sound = np.zeros(96_000, np.int16)
    sound[click_token * 960 + 480] = 30_000
    track.place("u", 0, 0)
    track.append("u", sound)
    places = {}
    for step in range(10):
        span = heard_span(step, FRAME)
        heard = track.read(span.first, span.last)
        tokens = torch.from_numpy(np.abs(heard).reshape(-1, 320).max(axis=1))[:, None, None]
        prompts = cut_prompts(tokens, span.first_token, span.frames, FRAME, "v1.5")
        for frame, prompt in zip(span.frames, prompts[:, :, 0], strict=True):
            if prompt.max() > 0.1:
                places[frame] = int(prompt.argmax())

    # Frame 30 begins with the click: four tokens of the past lie before it.
    assert places == {28: 8, 29: 6, 30: 4, 31: 2, 32: 0}


def test_step_hears_120_ms_behind_its_last_frame_and_30_s_before() -> None:
    span = heard_span(500, FRAME)

    assert list(span.frames) == [2000, 2001, 2002, 2003]
    end_of_last_ms, heard_until_ms = 2004 * 40, span.last / 16
    assert heard_until_ms - end_of_last_ms == 120
    assert span.last - span.first == 30 * 16_000
    assert span.first == span.first_token * 320
    assert heard_span(0, FRAME).first == 0


def test_sound_in_pieces_of_20_ms_gives_the_same_pictures_as_whole() -> None:
    whole, pieces = SoundTrack(), SoundTrack()
    sound = np.random.default_rng(1).integers(-9000, 9000, 48_000 * 2 + 77).astype(np.int16)
    whole.place("u", 0, 4800)
    whole.append("u", sound)
    pieces.place("u", 0, 4800)
    for at in range(0, len(sound), 960):
        pieces.append("u", sound[at : at + 960])

    np.testing.assert_allclose(pieces.read(0, 40_000), whole.read(0, 40_000), atol=1e-6)
    assert len(pieces.spoken[0].sound) == len(whole.spoken[0].sound)
    np.testing.assert_array_equal(pieces.spoken[0].loud, whole.spoken[0].loud)


def test_sound_keeps_its_place_and_level_at_16_khz() -> None:
    track = SoundTrack()
    at = np.arange(48_000)
    track.place("u", 0, 48_000)
    track.append("u", (16_000 * np.sin(2 * np.pi * 440 * at / 48_000)).astype(np.int16))

    heard = track.read(0, 32_000)

    expected = 16_000 / 32768 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert not heard[:16_000].any()
    np.testing.assert_allclose(heard[16_100:31_900], expected[100:15_900], atol=2e-3)


def test_what_comes_late_is_drawn_anew() -> None:
    session, renderer = open_session()
    session.place("u", 0, 0)
    session.hear("u", tone(0.2))
    early = [feature for _, feature in _painted_by(session, renderer, range(4))]

    session.hear("u", tone(0.2))
    late = [feature for _, feature in _painted_by(session, renderer, range(4))]
    again = _painted_by(session, renderer, range(4))

    assert [frame for frame, _ in early] == [frame for frame, _ in late] == [0, 1, 2, 3]
    assert all(after > before for (_, before), (_, after) in zip(early, late, strict=True))
    assert again == []  # nothing changed: what was painted is used again


def test_cut_leaves_nothing_of_the_old_generation() -> None:
    """The mouth sinks within 110 ms, and what would have been said has no part in it."""
    pictures = []
    for level in (0.3, 0.9):
        session, _ = open_session()
        session.place("u", 1, 0)
        session.hear("u", np.concatenate([tone(1.0), tone(1.0, level)]))
        draw(session, 26, 1)
        session.cut(25 * FRAME, 2)
        pictures.append([draw(session, frame, 2) for frame in range(22, 40)])
        seen = shares(session, range(22, 40), 2)

        assert seen[:3] == pytest.approx([1, 1, 1], abs=0.02)
        # The middle of frame 25 is 20 ms behind the cut.
        assert seen[3:6] == pytest.approx([1 - 20 / 110, 1 - 60 / 110, 1 - 100 / 110], abs=0.05)
        assert all(share == 0 for share in seen[6:])
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_frame_of_a_generation_not_told_yet_has_no_mouth() -> None:
    """The ring may know of an interrupt before its message arrives."""
    session, _ = open_session()
    session.place("u", 1, 0)
    session.hear("u", tone(2.0))

    assert green_share(draw(session, 20, 1), 0) > 0.95
    assert green_share(draw(session, 20, 2), 0) == 0
    session.place("v", 2, 0)
    session.hear("v", tone(2.0))
    assert green_share(draw(session, 20, 2), 0) > 0.95


def test_what_was_taken_back_is_not_seen() -> None:
    session, _ = open_session(Clip("wave", 6, 4), idle=6)
    session.place("line#0", 0, 10 * FRAME)
    session.hear("line#0", tone(1.0))
    session.cycle.play("wave", 10 * FRAME)

    session.drop("line", 10 * FRAME)

    film = films.make_frames(10)
    for frame in range(8, 20):
        np.testing.assert_array_equal(draw(session, frame), film[mirrored(frame, 6)])


def test_batch_paints_what_follows_and_gives_the_same_pictures() -> None:
    one, one_renderer = open_session()
    four, four_renderer = open_session(batch=4)
    for session in (one, four):
        session.place("u", 0, 0)
        session.hear("u", tone(0.5))

    for frame in range(20):
        np.testing.assert_array_equal(draw(one, frame), draw(four, frame))
    assert sorted(four_renderer.painted) == sorted(one_renderer.painted)


def test_clip_is_entered_behind_its_frame_and_left_to_its_frame() -> None:
    wave = Clip("wave", 6, 4, enter=5, leave=2)
    cycle = Cycle(films.manifest(10, wave, idle=6))

    assert cycle.play("wave", 2 * FRAME)
    shown = [cycle.at(frame * FRAME) for frame in range(16)]

    assert [item.index for item in shown] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 5, 4]
    assert all(item.before is None for item in shown)


def test_clip_without_frames_that_fit_fades_in_and_out() -> None:
    cycle = Cycle(films.manifest(10, Clip("wave", 6, 4), idle=6))

    cycle.play("wave", 2 * FRAME)
    shown = {frame: cycle.at(frame * FRAME) for frame in range(2, 11)}

    assert [shown[frame].index for frame in range(2, 6)] == [6, 7, 8, 9]
    assert [shown[frame].before for frame in (2, 3, 4)] == [2, 3, None]
    assert shown[2].share == pytest.approx(40 / 110)
    # The idle film goes on where it was left.
    assert [shown[frame].index for frame in range(6, 9)] == [2, 3, 4]
    assert [shown[frame].before for frame in (6, 7, 8)] == [9, 9, None]


def test_clip_that_is_asked_for_in_another_one_waits() -> None:
    cycle = Cycle(films.manifest(10, Clip("a", 4, 3), Clip("b", 7, 3), idle=4))
    cycle.play("a", 0)
    cycle.play("b", FRAME)

    assert [cycle.at(frame * FRAME).index for frame in range(6)] == [4, 5, 6, 7, 8, 9]
    assert not cycle.play("dance", 0)
    assert cycle.names == ("a", "b")


def test_lips_are_painted_on_the_pictures_of_a_clip() -> None:
    session, renderer = open_session(Clip("wave", 6, 4, enter=5), idle=6)
    session.place("u", 0, 0)
    session.hear("u", tone(1.0))
    session.cycle.play("wave", 0)

    painted = _painted_by(session, renderer, range(6, 10))

    assert [(index, feature[0]) for index, feature in painted] == [(6, 6), (7, 7), (8, 8), (9, 9)]


def test_both_pictures_of_a_fade_have_their_lips() -> None:
    session, renderer = open_session(Clip("wave", 6, 4), idle=6)
    session.place("u", 0, 0)
    session.hear("u", tone(1.0))
    session.cycle.play("wave", 3 * FRAME)

    out = draw(session, 3)

    assert {index for index, _ in renderer.painted} == {3, 6}
    assert green_share(out, 0) > 0.95


def test_real_networks_paint_the_same_in_every_order_and_batch() -> None:
    """The tiny networks: what was asked before, and with whom a frame was batched, do not show."""
    count = 6
    latents = np.random.default_rng(5).normal(0, 1, (count, 8, 8, 8)).astype(np.float16)
    networks = tiny.make_networks()
    pictures = []
    for batch, order in ((1, range(8)), (4, range(8)), (1, reversed(range(8)))):
        renderer = LocalRenderer(networks, latents, FRAME)
        renderer.batch_frames = batch
        session = TalkingSession(films.manifest(count), films.small_film(count), renderer, FRAME)
        session.place("u", 0, 0)
        session.hear("u", tone(0.4))
        made = {frame: draw(session, frame) for frame in order}
        pictures.append(np.stack([made[frame] for frame in range(8)]).astype(int))

    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    np.testing.assert_array_equal(pictures[0], pictures[2])
    assert np.abs(np.diff(pictures[0], axis=0)).max() > 10


def test_features_are_those_of_the_same_30_s_heard_at_once() -> None:
    """P10: what the session hears step by step is what one window gives."""
    networks = tiny.make_networks()
    renderer = LocalRenderer(networks, np.zeros((1, 8, 8, 8), np.float16), FRAME)
    track = SoundTrack()
    track.place("u", 0, 0)
    track.append("u", tone(1.0))
    span = heard_span(5, FRAME)
    heard = track.read(span.first, span.last)

    made = renderer.features(heard, span.first_token, span.frames)

    tokens = networks.features.encode(heard)
    expected = torch.stack([tokens[2 * i - 4 : 2 * i + 6].flatten(0, 1) for i in span.frames])
    assert torch.equal(made, expected)


def _painted_by(session: TalkingSession, renderer: GreenRenderer, frames: range) -> list[Any]:
    renderer.painted.clear()
    for frame in frames:
        draw(session, frame)
    return list(renderer.painted)


@pytest.mark.parametrize("frames_at_once", [1, 2, 4, 8, 16])
def test_sound_in_pieces_of_any_size_gives_the_same_prompts(frames_at_once: int) -> None:
    """P10: once the 120 ms behind a frame are there, its prompt is that of the whole sound."""
    networks = tiny.make_networks()
    renderer = LocalRenderer(networks, np.zeros((1, 8, 8, 8), np.float16), FRAME)
    sound = np.random.default_rng(2).integers(-9000, 9000, 20 * FRAME).astype(np.int16)
    whole = SoundTrack()
    whole.place("u", 0, 0)
    whole.append("u", sound)
    pieces = SoundTrack()
    pieces.place("u", 0, 0)

    for at in range(0, len(sound), frames_at_once * FRAME):
        pieces.append("u", sound[at : at + frames_at_once * FRAME])
        heard = len(pieces.spoken[0].raw) // 3
        steps = [step for step in range(4) if heard_span(step, FRAME).last <= heard - 16]
        for step in steps[-1:]:
            span = heard_span(step, FRAME)
            made = [
                renderer.features(track.read(span.first, span.last), span.first_token, span.frames)
                for track in (whole, pieces)
            ]
            torch.testing.assert_close(made[0], made[1], atol=1e-4, rtol=0)
    assert steps == [0, 1, 2, 3]


def test_mouth_follows_the_sound_of_its_own_moment() -> None:
    """A click at 2 s is in the windows of the frames from 120 ms before it to 80 ms behind it."""
    track = SoundTrack()
    track.place("u", 0, 0)
    sound = np.zeros(48_000 * 4, np.int16)
    sound[96_000:96_048] = 20_000
    track.append("u", sound)

    def tokens_heard(frame: int) -> list[int]:
        span = heard_span(frame // 4, FRAME)
        levels = np.abs(track.read(span.first, span.last)).reshape(-1, 320).max(axis=1)
        tokens = torch.from_numpy(levels)[:, None, None]
        cut = cut_prompts(tokens, span.first_token, span.frames, FRAME, "v1.5")
        return np.flatnonzero(cut[frame % 4, :, 0] > 0.1).tolist()

    frames = [frame for frame in range(40, 60) if tokens_heard(frame)]

    # Frame 50 begins with token 100, which lies in 2i-4 ... 2i+5 for i = 48 ... 52.
    assert frames == [48, 49, 50, 51, 52]
    assert tokens_heard(50) == [4]
