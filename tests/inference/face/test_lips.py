"""Lips follow the visemes: every p, b, m closes, vowels differ, any moment can be asked again."""

from __future__ import annotations

import random

import numpy as np
import pytest

from inference.engines.base import VISEMES, FaceSpeech
from inference.engines.face.puppet.lips import LEAD_SECONDS, LipCurve, closure_times
from inference.engines.face.puppet.mouth import MouthShape
from inference.engines.face.puppet.parameters import REST_SMILE
from inference.engines.face.puppet.rig import characters, load_rig

Track = tuple[tuple[float, int, float], ...]
PP, SIL = VISEMES.index("PP"), VISEMES.index("sil")


def _speech(track: Track, seconds: float, loudness: tuple[float, ...] = ()) -> FaceSpeech:
    return FaceSpeech("u", 1, 0, round(seconds * 48_000), track, loudness)


def _random_speech(seed: int) -> FaceSpeech:
    """Syllables of 60 to 300 ms, a third of them beginning with p, b or m."""
    chance = random.Random(seed)
    at, track = 0.1, [(0.0, SIL, 1.0)]
    for _ in range(25):
        onset = PP if chance.random() < 0.34 else chance.randrange(1, 10)
        track.append((at, onset, chance.uniform(0.5, 1.0)))
        at += chance.uniform(0.03, 0.11)
        track.append((at, chance.randrange(10, 15), 1.0))
        at += chance.uniform(0.03, 0.19)
        if chance.random() < 0.15:
            track.append((at, SIL, 1.0))
            at += chance.uniform(0.05, 0.6)
    loudness = tuple(chance.uniform(0.0, 0.4) for _ in range(int(at / 0.02)))
    return _speech(tuple(track), at, loudness)


@pytest.mark.parametrize("frames_per_second", [15, 25, 30])
@pytest.mark.parametrize("seed", range(12))
def test_every_plosive_has_a_closed_frame(frames_per_second: int, seed: int) -> None:
    speech = _random_speech(seed)
    frame = 1 / frames_per_second
    curve = LipCurve(speech, frame)
    closures = closure_times(speech)
    assert len(closures) >= 4

    # The utterance may begin anywhere between two frames.
    for phase in np.arange(0.0, frame, frame / 7):
        times = np.arange(phase - 10 * frame, speech.duration_samples / 48_000 + 0.3, frame)
        openings = np.array([curve.at(time)[0] for time in times.tolist()])
        for closure in closures:
            near = openings[np.abs(times - closure) <= 0.5 * frame + 0.001]
            assert near.min() <= 0.02


def _lips_height(character: str, lips: tuple[float, float, float]) -> float:
    """From the top of the upper lip to the bottom of the lower one, in art units."""
    shape = MouthShape(*lips, load_rig(character).mouth)
    return shape.bottom + shape.lower_lip - (shape.top - shape.upper_lip)


@pytest.mark.parametrize("character", characters())
@pytest.mark.parametrize("vowel", ["aa", "E", "I", "O", "U"])
def test_plosive_is_seen_closed_beside_any_vowel(vowel: str, character: str) -> None:
    """Round lips are thick: merely shut, they look as high as lips that are a little open."""
    frame, other = 0.04, VISEMES.index(vowel)
    track = [(0.0, SIL, 1.0)]
    for start in np.arange(0.3, 2.0, 0.17).tolist():
        track += [(start, PP, 1.0), (start + 0.06, other, 1.0)]
    speech = _speech(tuple(track), 2.1)
    curve = LipCurve(speech, frame)
    rest = _lips_height(character, (0.0, REST_SMILE, 0.0))

    for phase in np.arange(0.0, frame, 0.002).tolist():
        times = np.arange(phase, 2.1, frame)
        heights = np.array([_lips_height(character, curve.at(time)) for time in times.tolist()])
        for closure in closure_times(speech):
            assert heights[np.abs(times - closure) <= 0.5 * frame + 0.001].min() < rest - 1.0


def test_vowels_have_their_shapes() -> None:
    vowels = {name: VISEMES.index(name) for name in ("aa", "E", "I", "O", "U")}
    shapes = {}
    for name, viseme in vowels.items():
        curve = LipCurve(_speech(((0.0, SIL, 1.0), (0.2, viseme, 1.0), (0.5, SIL, 1.0)), 0.8), 0.04)
        shapes[name] = curve.at(0.35 - LEAD_SECONDS)

    assert shapes["aa"][0] > shapes["O"][0] > shapes["E"][0] > shapes["I"][0]
    assert shapes["I"][1] > 0.7
    assert shapes["U"][2] > 0.9
    assert shapes["O"][2] == pytest.approx(0.6, abs=0.05)
    assert shapes["aa"][2] < 0.05


def test_lips_lead_the_sound() -> None:
    curve = LipCurve(_speech(((0.0, SIL, 1.0), (0.5, VISEMES.index("aa"), 1.0)), 1.0), 0.04)

    opened_at = next(t / 1000 for t in range(300, 700) if curve.at(t / 1000)[0] > 0.4)

    assert 0.42 <= opened_at <= 0.5


def test_short_pause_holds_and_long_pause_closes() -> None:
    vowel = VISEMES.index("aa")

    def middle(pause: float) -> float:
        track = ((0.0, vowel, 1.0), (0.4, SIL, 1.0), (0.4 + pause, vowel, 1.0))
        curve = LipCurve(_speech(track, 1.2), 0.04)
        return curve.at(0.4 + pause / 2 - LEAD_SECONDS)[0]

    assert middle(0.10) > 0.6
    assert middle(0.40) < 0.05


def test_lips_are_at_rest_outside_and_smooth_inside() -> None:
    speech = _random_speech(3)
    curve = LipCurve(speech, 0.04)
    end = speech.duration_samples / 48_000

    assert curve.at(-1.0)[0] == 0.0
    assert curve.at(end + 1.0)[0] == 0.0
    openings = np.array([curve.at(t)[0] for t in np.arange(0.0, end, 0.01).tolist()])
    assert openings.max() > 0.5
    assert np.abs(np.diff(openings)).max() < 0.42


def test_voice_without_timings_still_opens_the_mouth() -> None:
    loud = tuple(0.3 if 10 <= step < 20 else 0.0001 for step in range(40))
    curve = LipCurve(_speech((), 0.8, loud), 0.04)

    assert curve.at(0.3 - LEAD_SECONDS)[0] > 0.4
    assert curve.at(0.7)[0] < 0.05
