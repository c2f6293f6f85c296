"""Features while sound comes in: when they are ready, and that they do not show how it was cut."""

from __future__ import annotations

import pytest
import torch
from whisper.model import AudioEncoder

from inference.engines.face.musetalk.speech_features import FeatureStream, Prompts, SpeechFeatures
from inference.engines.face.musetalk.windows import cut_prompts
from tests.inference.face.musetalk import tiny

FRAME_SAMPLES = 1920
# One small layer is enough: what is tested is when it hears what.
WIDTH = 8


@pytest.fixture(scope="module")
def features() -> SpeechFeatures:
    encoder = AudioEncoder(80, 1500, WIDTH, 1, 1).eval()
    encoder.load_state_dict(tiny.by_formula(encoder))
    return SpeechFeatures(encoder, "v1.5", torch.float32)


def joined(made: list[Prompts]) -> torch.Tensor:
    """All prompts; asserts that no frame is left out."""
    frames = [
        frame
        for item in made
        for frame in range(item.first_frame, item.first_frame + len(item.values))
    ]
    assert frames == list(range(len(frames)))
    return torch.cat([item.values for item in made])


def streamed(features: SpeechFeatures, piece: int, seconds: float = 0.7) -> torch.Tensor:
    stream = FeatureStream(features, frame_samples=FRAME_SAMPLES)
    sound = tiny.sound(seconds)
    pushed = [stream.push(sound[at : at + piece]) for at in range(0, len(sound), piece)]
    return joined([item for made in (*pushed, stream.close()) for item in made])


def test_features_do_not_depend_on_how_the_sound_is_cut(features: SpeechFeatures) -> None:
    at_once = streamed(features, 100_000)

    assert at_once.shape == (17, 20, WIDTH)
    for chunks in (1, 2, 4, 8, 16):
        assert torch.equal(streamed(features, 320 * chunks), at_once)
    assert torch.equal(streamed(features, 511), at_once)


def test_features_come_120_ms_after_the_end_of_the_last_frame_of_a_step(
    features: SpeechFeatures,
) -> None:
    stream = FeatureStream(features, frame_samples=FRAME_SAMPLES, step_frames=2)
    needed = (2 * 40 + 120) * 16

    before = stream.push(tiny.sound()[: needed - 1])
    then = stream.push(tiny.sound()[needed - 1 : needed])

    assert before == []
    assert [(made.first_frame, len(made.values)) for made in then] == [(0, 2)]


def test_end_of_the_stream_is_as_the_whole_sound_at_once(features: SpeechFeatures) -> None:
    sound = tiny.sound(0.7)
    expected = cut_prompts(features.encode(sound), 0, range(17), FRAME_SAMPLES, "v1.5")

    assert torch.equal(streamed(features, 320)[16:], expected[16:])


@pytest.mark.parametrize("frame_samples", [1600, 1920, 3200])
def test_whole_frames_of_the_sound_are_given_at_each_rate(
    features: SpeechFeatures, frame_samples: int
) -> None:
    stream = FeatureStream(features, frame_samples=frame_samples, step_frames=8)
    sound = tiny.sound(0.99)

    made = joined([*stream.push(sound), *stream.close()])

    assert len(made) == len(sound) * 3 // frame_samples


def test_long_sound_is_heard_30_seconds_back(features: SpeechFeatures) -> None:
    step = 400
    stream = FeatureStream(features, frame_samples=FRAME_SAMPLES, step_frames=step)
    sound = tiny.sound(67)

    made = [
        item for at in range(0, len(sound), 5000) for item in stream.push(sound[at : at + 5000])
    ]

    assert [item.first_frame for item in made] == [0, 400, 800, 1200]
    end_token = 2 * 1599 + 8
    window = sound[(end_token - 1500) * 320 : end_token * 320]
    frames = range(1200, 1600)
    tokens = features.encode(window)
    expected = cut_prompts(tokens, end_token - 1500, frames, FRAME_SAMPLES, "v1.5")
    assert torch.equal(made[-1].values, expected)


def test_stream_without_sound_gives_nothing(features: SpeechFeatures) -> None:
    stream = FeatureStream(features, frame_samples=FRAME_SAMPLES)

    assert stream.close() == []


def test_sound_of_more_than_one_window_is_refused(features: SpeechFeatures) -> None:
    with pytest.raises(ValueError, match=r"this is 31\.0 s"):
        features.encode(tiny.sound(31))
