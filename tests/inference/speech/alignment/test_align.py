"""Lips from text and sound: how near they come to the truth, and when they trust the sound only."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from inference.engines.base import VISEMES, Samples, SpeechRequest
from inference.engines.speech.alignment.align import align, find_lips, loudness_to_visemes
from inference.engines.speech.alignment.warping import warp
from tests.inference.speech.alignment.stranger import (
    RATE_HZ,
    Stranger,
    closures,
    stranger_says,
)

ROOT = Path(__file__).resolve().parents[4]
TEXTS = {
    "zh-CN": [
        "大家好，欢迎来到我们的直播间，今天给大家带来一款特别棒的保温杯。",
        "妈妈和爸爸买了苹果、面包和牛奶，明天一起去北京。",
        "这个面膜补水效果非常明显，满三百减五十，赶快下单吧！",
    ],
    "en-US": [
        "Hello everyone, and welcome to the show, we have plenty of bargains tonight.",
        "My brother Bob bought a big brown bag of apples and pumpkins from the market.",
        "Please remember to subscribe, and press the button below the picture.",
    ],
}
STRANGERS = [("klatt4", 135), ("m3", 150), ("edward", 190)]


@pytest.fixture(scope="module")
def spoken() -> list[tuple[str, str, Stranger]]:
    return [
        (text, language, stranger_says(text, language, variant, rate))
        for language, texts in TEXTS.items()
        for text in texts
        for variant, rate in STRANGERS
    ]


@pytest.mark.parametrize("with_words", [False, True])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_lips_close_when_p_b_and_m_are_heard(
    spoken: list[tuple[str, str, Stranger]], language: str, with_words: bool
) -> None:
    errors: list[float] = []
    for text, _, stranger in (item for item in spoken if item[1] == language):
        words = tuple(stranger.words) if with_words else ()
        found = align(stranger.samples, RATE_HZ, SpeechRequest(text, language), words)
        assert found is not None
        errors += list(np.abs(closures(found) - closures(stranger.phonemes)))

    assert len(errors) >= 50
    assert np.median(errors) <= 0.030
    assert np.percentile(errors, 90) <= 0.120


def test_stretching_alone_would_not_do(spoken: list[tuple[str, str, Stranger]]) -> None:
    """The control: the built-in voice's times, stretched to the length, are far off."""
    aligned, stretched = [], []
    for text, language, stranger in spoken:
        found = align(stranger.samples, RATE_HZ, SpeechRequest(text, language))
        quick = stranger_says(text, language, "f5", 170, seed=99)
        assert found is not None
        truth = closures(stranger.phonemes)
        scale = len(stranger.samples) / len(quick.samples)
        aligned += list(np.abs(closures(found) - truth))
        stretched += list(np.abs(closures(quick.phonemes) * scale - truth))

    assert np.median(aligned) < np.median(stretched) / 4


@pytest.mark.parametrize("seconds", [0.5, pytest.param(0.080, marks=pytest.mark.long)])
def test_a_sentence_costs_little_processor_time(seconds: float) -> None:
    """In a process of its own with one thread, as the speech worker has it.

    docs/engines.md promises about 50 ms; a slow machine has its own milliseconds.
    """
    code = (
        "import time, statistics\n"
        "from inference.engines.base import SpeechRequest\n"
        "from inference.engines.speech.alignment.align import find_lips\n"
        "from tests.inference.speech.alignment.stranger import RATE_HZ, stranger_says\n"
        f"texts = {TEXTS!r}\n"
        "costs = []\n"
        "for language, several in texts.items():\n"
        "    for text in several:\n"
        "        said = stranger_says(text, language, 'edward', 170)\n"
        "        before = time.process_time()\n"
        "        find_lips(said.samples, RATE_HZ, SpeechRequest(text, language))\n"
        "        costs.append(time.process_time() - before)\n"
        "print(statistics.median(costs))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": "."},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert float(done.stdout) <= seconds


def test_the_longest_sentence_costs_little_memory() -> None:
    frames = 3000  # 30 s
    rows = np.random.default_rng(1).normal(size=(frames, 26)).astype(np.float32)
    tracemalloc.start()
    try:
        found = warp(rows, rows, np.arange(frames, dtype=np.float64), 900.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    np.testing.assert_array_equal(found.times, np.arange(frames))
    assert peak < 120e6


def test_words_are_found_for_voices_that_tell_none(
    spoken: list[tuple[str, str, Stranger]],
) -> None:
    errors = []
    for text, language, stranger in spoken:
        lips = find_lips(stranger.samples, RATE_HZ, SpeechRequest(text, language))
        truth = {word.position: word.at_seconds for word in stranger.words}
        assert lips.method == "text"
        assert [w.position for w in lips.words] == sorted(w.position for w in lips.words)
        errors += [abs(w.at_seconds - truth[w.position]) for w in lips.words if w.position in truth]

    assert len(errors) > 100
    assert np.median(errors) <= 0.040


def test_the_words_of_a_voice_are_not_replaced() -> None:
    text, language = TEXTS["en-US"][0], "en-US"
    stranger = stranger_says(text, language, "m3", 150)

    lips = find_lips(
        stranger.samples, RATE_HZ, SpeechRequest(text, language), tuple(stranger.words)
    )

    assert lips.words == ()
    assert lips.method == "text"


def sounds() -> dict[str, Samples]:
    generator = np.random.default_rng(5)
    at = np.arange(RATE_HZ * 5) / RATE_HZ
    beat = 1 + np.sin(2 * np.pi * 1.2 * at)
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (220, 277, 330))
    return {
        "noise": generator.normal(0, 3000, len(at)).astype(np.int16),
        "tone": (8000 * np.sin(2 * np.pi * 175 * at)).astype(np.int16),
        "music": (3000 * beat * chord).astype(np.int16),
    }


@pytest.mark.parametrize("name", ["noise", "tone", "music"])
@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_sound_that_is_not_the_text_moves_the_mouth_by_loudness(name: str, language: str) -> None:
    lips = find_lips(sounds()[name], RATE_HZ, SpeechRequest(TEXTS[language][0], language))

    assert lips.method == "sound"
    assert lips.visemes[-1][1] == VISEMES.index("sil")


def test_text_without_a_reference_is_followed_by_loudness() -> None:
    stranger = stranger_says(TEXTS["en-US"][0], "en-US", "m3", 150)

    assert find_lips(stranger.samples, RATE_HZ, SpeechRequest("……", "en-US")).method == "sound"
    assert find_lips(stranger.samples, RATE_HZ, SpeechRequest("Bonjour", "fr-FR")).method == "sound"


def test_a_sound_too_long_for_a_table_is_followed_by_loudness() -> None:
    samples = np.zeros(RATE_HZ * 31, np.int16)

    assert find_lips(samples, RATE_HZ, SpeechRequest(TEXTS["en-US"][0], "en-US")).method == "sound"


def test_the_mouth_opens_with_the_loudness_and_closes_in_silence() -> None:
    second = np.sin(np.arange(RATE_HZ) * 0.06)
    samples = np.concatenate((second * 0, second * 12_000, second * 0)).astype(np.int16)

    track = loudness_to_visemes(samples, RATE_HZ)

    shown = [(at, VISEMES[shape]) for at, shape, _ in track]
    assert shown[0] == (0.0, "sil")
    assert next(at for at, name in shown if name == "aa") == pytest.approx(1.0, abs=0.06)
    assert [at for at, name in shown if name == "sil"][1] == pytest.approx(2.0, abs=0.06)
    assert max(weight for _, shape, weight in track if shape) == 1.0
    assert [at for at, _, _ in track] == sorted(at for at, _, _ in track)


def test_very_short_sounds_and_silence_do_no_harm() -> None:
    for length in (0, 1, 500, 3000):
        lips = find_lips(np.zeros(length, np.int16), RATE_HZ, SpeechRequest("Hello there", "en-US"))
        assert {shape for _, shape, _ in lips.visemes} <= set(range(len(VISEMES)))
        assert lips.visemes
