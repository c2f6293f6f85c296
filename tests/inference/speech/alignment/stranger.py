"""A speaker that the alignment does not know, whose phonemes the test does.

Another voice of eSpeak, slower or faster, with pauses at random words and noise: independent of the
reference in timbre and rhythm, though not in its choice of phonemes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.engines.base import Samples, Timing
from inference.engines.speech.espeak.library import LibraryEvent, VoiceSettings, load_library
from inference.text.normalise import normalise

RATE_HZ = 22_050
_NAMES = {"zh-CN": "cmn", "en-US": "en-us"}


@dataclass(frozen=True)
class Stranger:
    """samples: (n,) int16 at 22.05 kHz without outer silence. phonemes, words: their true times."""

    samples: Samples
    phonemes: list[Timing]
    words: list[Timing]


def stranger_says(text: str, language: str, variant: str, rate_wpm: int, seed: int = 3) -> Stranger:
    generator = np.random.default_rng(seed)
    normalised = normalise(text, language)
    blocks: list[Samples] = []
    events: list[LibraryEvent] = []

    def sink(samples: Samples, more: list[LibraryEvent]) -> bool:
        blocks.append(samples)
        events.extend(more)
        return True

    voice = VoiceSettings(f"{_NAMES[language]}+{variant}", rate_wpm, 45, 60, 90)
    load_library().speak(normalised.text, voice, sink)
    starts = [event.sample for event in events if event.kind == "word"][1:]
    pauses = [
        (start, int(generator.uniform(0.05, 0.35) * RATE_HZ))
        for start in starts
        if generator.random() < 0.35
    ]
    sound = _with_pauses(np.concatenate(blocks).astype(np.float64), pauses)
    sound += generator.normal(0, 60, len(sound))
    loud = np.flatnonzero(np.abs(sound) > 300)
    first, end = max(0, int(loud[0]) - 110), int(loud[-1]) + 441

    def moved(sample: int) -> float:
        later = sum(length for start, length in pauses if start <= sample)
        return (sample + later - first) / RATE_HZ

    samples = np.clip(sound[first:end], -32768, 32767).astype(np.int16)
    return Stranger(
        samples,
        [Timing("phoneme", e.text, moved(e.sample)) for e in events if e.kind == "phoneme"],
        [
            Timing("word", "", max(0.0, moved(e.sample)), normalised.source_position(e.position))
            for e in events
            if e.kind == "word"
        ],
    )


def closures(timings: list[Timing]) -> np.ndarray:
    """The middles of p, b and m in seconds."""
    phonemes = [timing for timing in timings if timing.kind == "phoneme"]
    return np.array(
        [
            (phoneme.at_seconds + following.at_seconds) / 2
            for phoneme, following in zip(phonemes, phonemes[1:], strict=False)
            if phoneme.text.lstrip("',%=") in ("p", "b", "m", "ph")
        ]
    )


def _with_pauses(sound: np.ndarray, pauses: list[tuple[int, int]]) -> np.ndarray:
    pieces, last = [], 0
    for start, length in pauses:
        pieces += [sound[last:start], np.zeros(length)]
        last = start
    return np.concatenate([*pieces, sound[last:]])
