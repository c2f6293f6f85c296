"""Test tones: each piece tells its utterance and generation, also after real codecs."""

from __future__ import annotations

import random
from typing import Any

import av
import numpy as np
import pytest

from inference.engines.base import EngineError, Samples, SpeechRequest
from inference.engines.speech.espeak.engine import create_engine as create_espeak
from inference.engines.speech.testtone.decode import decode_tags
from inference.engines.speech.testtone.engine import create_engine
from inference.engines.speech.testtone.tones import GENERATIONS, NUMBERS, tag_digits

RATE_HZ = 48_000
MILLISECOND = RATE_HZ // 1000

CODECS = [
    pytest.param("aac", 128_000, "stereo", "fltp", {}, id="aac-128k"),
    pytest.param("aac", 64_000, "mono", "fltp", {}, id="aac-64k"),
    pytest.param("libopus", 48_000, "mono", "s16", {"application": "lowdelay"}, id="opus-48k"),
    pytest.param("libopus", 32_000, "mono", "s16", {"application": "voip"}, id="opus-32k"),
]


def tone(number: int, generation: int, seconds: float) -> Samples:
    """Exactly `seconds` of a tag, which may be shorter than the engine speaks."""
    request = SpeechRequest("x", "en-US", number=number, generation=generation)
    whole = [chunk.samples for chunk in create_engine().synthesize(request)]
    while sum(map(len, whole)) < seconds * RATE_HZ:
        settings = {"seconds": seconds + 0.1}
        longer = SpeechRequest("x", "en-US", settings, number=number, generation=generation)
        whole = [chunk.samples for chunk in create_engine().synthesize(longer)]
    return np.concatenate(whole)[: round(seconds * RATE_HZ)]


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.int16)


def transcode(
    samples: Samples, codec: str, bit_rate: int, layout: str, fmt: str, options: dict[str, str]
) -> Samples:
    """The sound after encoding and decoding, on the clock of the packets' pts."""
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, layout, fmt
    encoder.bit_rate, encoder.options = bit_rate, options
    encoder.open()
    decoder: Any = av.CodecContext.create("aac" if codec == "aac" else "opus", "r")
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    split = av.AudioResampler(fmt, layout, RATE_HZ, frame_size=encoder.frame_size)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate, frame.pts = RATE_HZ, 0
    packets = [
        packet
        for part in (*split.resample(frame), *split.resample(None), None)
        for packet in encoder.encode(part)
    ]
    join = av.AudioResampler("s16", "mono", RATE_HZ)
    pieces = []
    for packet in packets:
        for decoded in decoder.decode(packet):
            pieces += [part.to_ndarray()[0] for part in join.resample(decoded)]
    # AAC's first packet holds 1024 samples of priming; the Opus decoder skips its own.
    return np.concatenate(pieces)[1024 if codec == "aac" else 0 :]


@pytest.mark.parametrize(("codec", "bit_rate", "layout", "fmt", "options"), CODECS)
def test_tags_are_read_with_their_edges_after_a_codec(
    codec: str, bit_rate: int, layout: str, fmt: str, options: dict[str, str]
) -> None:
    chance = random.Random(codec)
    plan, parts, position = [], [], 0
    for _ in range(24):
        number, generation = chance.randrange(NUMBERS), chance.randrange(GENERATIONS)
        part = tone(number, generation, chance.uniform(0.06, 0.7))
        plan.append((position, position + len(part), number, generation))
        gap = silence(chance.choice([0.0, 0.01, 0.2]))
        parts += [part, gap]
        position += len(part) + len(gap)

    tags = decode_tags(transcode(np.concatenate(parts), codec, bit_rate, layout, fmt, options))

    assert [tag[2:] for tag in tags] == [planned[2:] for planned in plan]
    for tag, planned in zip(tags, plan, strict=True):
        assert abs(tag[0] - planned[0]) <= 5 * MILLISECOND
        assert abs(tag[1] - planned[1]) <= 5 * MILLISECOND


@pytest.mark.parametrize(("codec", "bit_rate", "layout", "fmt", "options"), CODECS)
def test_any_60_ms_of_a_tone_tell_the_tag(
    codec: str, bit_rate: int, layout: str, fmt: str, options: dict[str, str]
) -> None:
    sound = transcode(tone(37, 11, 2.0), codec, bit_rate, layout, fmt, options)
    sound = sound[4800:-9600]

    for first in range(0, len(sound) - 2880, 2311):
        assert [tag[2:] for tag in decode_tags(sound[first : first + 2880])] == [(37, 11)]


def test_all_tags_differ_and_survive_opus() -> None:
    pairs = [(number, number * 7 % GENERATIONS) for number in range(NUMBERS)]
    sound = np.concatenate([tone(number, generation, 0.1) for number, generation in pairs])

    tags = decode_tags(transcode(sound, *CODECS[2].values))  # type: ignore[arg-type]

    assert [tag[2:] for tag in tags] == pairs
    every = {tag_digits(n, g) for n in range(NUMBERS) for g in range(GENERATIONS)}
    assert len(every) == NUMBERS * GENERATIONS


def test_number_and_generation_wrap() -> None:
    assert [tag[2:] for tag in decode_tags(tone(64 + 3, 16 + 2, 0.2))] == [(3, 2)]


def test_a_faded_end_is_found_in_the_middle_of_the_fade() -> None:
    sound = tone(9, 4, 0.5).astype(float)
    sound[-480:] *= np.linspace(1, 0, 480)

    start, end, *_ = decode_tags(np.concatenate([sound.astype(np.int16), silence(0.3)]))[0]

    assert abs(start) <= MILLISECOND
    assert abs(end - (24_000 - 240)) <= 2 * MILLISECOND


def test_a_quieter_copy_and_floats_are_read_too() -> None:
    quiet = (tone(12, 1, 0.4).astype(np.float32) / 32768) * 0.2

    assert [tag[2:] for tag in decode_tags(quiet)] == [(12, 1)]


def test_speech_noise_and_silence_hold_no_tags() -> None:
    speech = [
        chunk.samples
        for chunk in create_espeak().synthesize(SpeechRequest("Nothing to see here. " * 9, "en-US"))
    ]
    noise = np.random.default_rng(1).normal(0, 4000, 96_000).astype(np.int16)

    assert decode_tags(np.concatenate(speech)) == []
    assert decode_tags(noise) == []
    assert decode_tags(silence(1)) == []
    assert decode_tags(silence(0.001)) == []
    with pytest.raises(ValueError, match="mono"):
        decode_tags(np.zeros((2, 100), np.int16))


def test_length_follows_the_text_or_the_setting() -> None:
    engine = create_engine()

    def length(text: str, settings: dict[str, Any]) -> int:
        chunks = engine.synthesize(SpeechRequest(text, "zh-CN", settings))
        return sum(len(chunk.samples) for chunk in chunks)

    assert length("好", {}) == 24_000
    assert length("好" * 20, {}) == 57_600
    assert length("好", {"seconds": 2.125}) == 102_000
    for wrong in ({"seconds": 0}, {"seconds": "1"}, {"seconds": True}, {"mode": "sing"}):
        with pytest.raises(EngineError, match="test tone"):
            engine.synthesize(SpeechRequest("好", "zh-CN", wrong))


def test_the_mouth_says_ma_ma_ma() -> None:
    engine = create_engine()
    chunks = engine.synthesize(SpeechRequest("x", "zh-CN", {"seconds": 0.48}))

    timings = [timing for chunk in chunks for timing in chunk.timings]

    track = engine.visemes(timings, "zh-CN")
    assert [(s, index) for s, index, _ in track] == [
        (0.0, 1),
        (0.08, 10),
        (0.24, 1),
        (0.32, 10),
        (0.48, 0),
    ]


def test_beep_mode_beeps_at_each_whole_second() -> None:
    settings = {"mode": "beep", "seconds": 3.5}
    chunks = list(create_engine().synthesize(SpeechRequest("x", "en-US", settings)))

    sound = np.concatenate([chunk.samples for chunk in chunks]).astype(int)

    loud = np.flatnonzero(np.abs(sound) > 1000)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-RATE_HZ) > 4800)]
    assert [round(int(n) / MILLISECOND) for n in starts] == [0, 1000, 2000, 3000]
    assert all(np.abs(sound[n + 965 : n + 4000]).max() == 0 for n in starts)
    spectrum = np.abs(np.fft.rfft(sound[:960]))
    assert int(spectrum.argmax()) * 50 == 1000
