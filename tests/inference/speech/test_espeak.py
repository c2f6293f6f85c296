"""The built-in voice, with the real library."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from inference.engines.base import EngineError, Samples, SpeechRequest, Timing
from inference.engines.speech.espeak import library
from inference.engines.speech.espeak.engine import EspeakEngine, create_engine

ZH = "大家好，欢迎来到直播间。"
EN = "Hello everyone, welcome to the show."


@pytest.fixture(scope="module")
def engine() -> EspeakEngine:
    return create_engine()


def speak(
    engine: EspeakEngine, text: str, language: str, **more: Any
) -> tuple[Samples, list[Timing]]:
    chunks = list(engine.synthesize(SpeechRequest(text, language, **more)))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    return samples, [timing for chunk in chunks for timing in chunk.timings]


def seconds(samples: Samples) -> float:
    return len(samples) / 22050


def pitch_hz(samples: Samples) -> float:
    """The median fundamental frequency of the voiced 40 ms frames, by autocorrelation."""
    found = []
    for first in range(0, len(samples) - 882, 441):
        frame = samples[first : first + 882].astype(float)
        if np.sqrt((frame**2).mean()) < 1500:
            continue
        correlation = np.correlate(frame, frame, "full")[881:]
        lags = correlation[55:315]
        if lags.max() > 0.5 * correlation[0]:
            found.append(22050 / (55 + int(lags.argmax())))
    return float(np.median(found))


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh-CN"), (EN, "en-US")])
@pytest.mark.parametrize("gender", ["female", "male"])
def test_speaks_both_languages_as_woman_and_man(
    engine: EspeakEngine, text: str, language: str, gender: str
) -> None:
    samples, timings = speak(engine, text, language, settings={"gender": gender})

    assert engine.sample_rate_hz == 22050
    assert 1.5 < seconds(samples) < 4.5
    assert 800 < np.sqrt((samples.astype(float) ** 2).mean()) < 9000
    assert {timing.kind for timing in timings} == {"phoneme", "word"}


def test_the_woman_speaks_higher_than_the_man(engine: EspeakEngine) -> None:
    female, _ = speak(engine, EN, "en-US", settings={"gender": "female"})
    male, _ = speak(engine, EN, "en-US", settings={"gender": "male"})

    assert 150 < pitch_hz(female) < 300
    assert 70 < pitch_hz(male) < 150


def test_silence_is_cut_to_5_ms_before_and_20_ms_after(engine: EspeakEngine) -> None:
    for text, language in ((ZH, "zh-CN"), (EN, "en-US")):
        samples, timings = speak(engine, text, language)
        audible = np.flatnonzero(np.abs(samples.astype(int)) >= 64)

        assert audible[0] == 110
        assert len(samples) - 1 - audible[-1] == 441
        assert all(0 <= t.at_seconds <= seconds(samples) for t in timings)
        assert [t.at_seconds for t in timings] == sorted(t.at_seconds for t in timings)


def test_phoneme_times_agree_with_the_sound(engine: EspeakEngine) -> None:
    samples, timings = speak(engine, "Ah. Ah. Ah.", "en-US")

    onsets = [t.at_seconds for t in timings if t.kind == "phoneme" and "A" in t.text]
    loud = np.abs(samples.astype(int)) > 300
    quiet_before = [
        n / 22050 for n in np.flatnonzero(loud) if n < 200 or not loud[max(0, n - 1500) : n].any()
    ]
    assert len(onsets) == 3
    assert len(quiet_before) >= 3
    for onset in onsets:
        assert min(abs(onset - start) for start in quiet_before) < 0.015


def test_words_and_directives_refer_to_the_original_text(engine: EspeakEngine) -> None:
    text = "满300减50，快来"

    _, timings = speak(engine, text, "zh-CN", directives=((6, "wave"), (10, "heart")))

    positions = [t.position for t in timings if t.kind == "word"]
    assert positions[0] == 0
    assert 8 in positions
    assert set(positions) <= {0, 1, 4, 5, 8, 9}
    marks = [(t.text, t.at_seconds) for t in timings if t.kind == "mark"]
    word = next(t for t in timings if t.kind == "word" and t.position == 8)
    assert marks[0] == ("wave", word.at_seconds)
    assert marks[1][0] == "heart"
    assert marks[1][1] > word.at_seconds


def test_rate_pitch_and_emotion_are_heard(engine: EspeakEngine) -> None:
    plain, _ = speak(engine, EN, "en-US")
    fast, _ = speak(engine, EN, "en-US", settings={"rate": 1.5})
    high, _ = speak(engine, EN, "en-US", settings={"pitch": 30})
    levels = [speak(engine, EN, "en-US", emotion=level)[0] for level in range(1, 6)]

    assert 0.55 < seconds(fast) / seconds(plain) < 0.80
    assert pitch_hz(high) > pitch_hz(plain) * 1.1
    durations = [seconds(level) for level in levels]
    assert durations == sorted(durations, reverse=True)
    assert len(set(durations)) == 5
    assert pitch_hz(levels[4]) > pitch_hz(levels[0]) * 1.1
    loudness = [float(np.sqrt((level.astype(float) ** 2).mean())) for level in levels]
    assert loudness[4] > loudness[0] * 1.2


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh-CN"), (EN, "en-US")])
def test_both_voices_are_as_loud_and_the_loudest_does_not_clip(
    engine: EspeakEngine, text: str, language: str
) -> None:
    def speech(gender: str, emotion: int) -> Samples:
        settings = {"gender": gender}
        return speak(engine, text, language, settings=settings, emotion=emotion)[0]

    loudness = [
        20 * np.log10(np.sqrt((speech(gender, 3).astype(float) ** 2).mean()) / 32768)
        for gender in ("female", "male")
    ]
    peaks = [int(np.abs(speech(gender, 5).astype(int)).max()) for gender in ("female", "male")]

    assert abs(loudness[0] - loudness[1]) < 2
    assert all(-26 < level < -17 for level in loudness)
    assert max(peaks) < 32000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"language": "fr-FR"}, "zh-CN, en-US"),
        ({"settings": {"gender": "robot"}}, "female or male"),
        ({"settings": {"rate": 3}}, "0.5 to 2.0"),
        ({"settings": {"rate": "fast"}}, "0.5 to 2.0"),
        ({"settings": {"rate": True}}, "0.5 to 2.0"),
        ({"settings": {"pitch": -51}}, "-50 to 50"),
        ({"emotion": 6}, "1 to 5"),
        ({"text": "❤️……"}, "nothing to say"),
        ({"text": ""}, "nothing to say"),
    ],
)
def test_bad_requests_are_refused_in_words(
    engine: EspeakEngine, changes: dict[str, Any], words: str
) -> None:
    fields: dict[str, Any] = {"text": EN, "language": "en-US", **changes}

    with pytest.raises(EngineError, match=words) as caught:
        engine.synthesize(SpeechRequest(**fields))

    assert not caught.value.retryable


def test_closing_stops_the_synthesis_at_once(engine: EspeakEngine) -> None:
    waits = []
    for _ in range(5):
        chunks = engine.synthesize(SpeechRequest(ZH * 200, "zh-CN"))
        next(chunks)
        before = time.perf_counter()
        chunks.close()  # type: ignore[attr-defined]
        waits.append(time.perf_counter() - before)

    # To its end it would take seconds. The quickest of some: the rest is what a busy machine adds.
    assert min(waits) < 0.2
    assert not any(thread.name == "espeak" for thread in threading.enumerate())
    assert 1.5 < seconds(speak(engine, EN, "en-US")[0]) < 4.5


def test_a_slow_reader_loses_nothing(engine: EspeakEngine) -> None:
    whole, _ = speak(engine, ZH, "zh-CN")
    pieces = []
    for chunk in engine.synthesize(SpeechRequest(ZH, "zh-CN")):
        time.sleep(0.002)
        pieces.append(chunk.samples)

    assert abs(len(np.concatenate(pieces)) - len(whole)) < 220  # eSpeak varies by a few samples


def test_a_second_sentence_waits_for_the_first_and_is_refused_in_the_end(
    engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_LOCK_TIMEOUT_SECONDS", 0.05)
    first = engine.synthesize(SpeechRequest(ZH * 40, "zh-CN"))
    next(first)

    with pytest.raises(EngineError, match="another sentence") as caught:
        list(engine.synthesize(SpeechRequest(EN, "en-US")))

    assert caught.value.retryable
    first.close()  # type: ignore[attr-defined]


def test_a_missing_library_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)

    with pytest.raises(EngineError, match="espeakng-loader") as caught:
        library.load_library.__wrapped__()

    assert caught.value.code == "voice_library_missing"


def test_first_sound_comes_within_50_ms(engine: EspeakEngine) -> None:
    speak(engine, ZH, "zh-CN")
    waits = [1.0]
    while min(waits) >= 0.050 and len(waits) < 200:  # 1 ms; the rest is what a busy machine adds
        before = time.perf_counter()
        chunks = engine.synthesize(SpeechRequest(ZH, "zh-CN"))
        first = next(chunks)
        waits.append(time.perf_counter() - before)
        assert len(first.samples) > 0
        chunks.close()  # type: ignore[attr-defined]

    assert min(waits) < 0.050


def test_chunks_stay_short_where_there_is_sound(engine: EspeakEngine) -> None:
    chunks = list(engine.synthesize(SpeechRequest("Mama " * 20, "en-US")))

    lengths = [len(chunk.samples) for chunk in itertools.islice(chunks, 20)]
    assert max(lengths) <= 2 * 1324
