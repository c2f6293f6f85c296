"""Presenter and voice outside of a broadcast: sound, phoneme times and the same pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.talk import TALKS
from inference.engines.base import FaceSetup, FaceSpeech, SpeechRequest, Timing
from inference.engines.face.puppet.engine import PuppetEngine
from inference.engines.speech.espeak.engine import EspeakEngine, create_engine
from inference.media.captions import draw_label, paginate_caption, render_caption
from inference.media.overlay import OverlayStack, TimedOverlay
from inference.media.panels import place
from inference.media.picture import planes
from inference.media.resample import Resampler

RATE_HZ: Final = 48_000
WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 720
FRAME_SAMPLES: Final = 1920
BITRATE_KBPS: Final = 2500
_GAP_SAMPLES: Final = RATE_HZ // 4
_WINDOW: Final = RATE_HZ // 50
_LABEL: Final = "AI生成 AI-generated"
_LABEL_AT: Final = (32, 24)

Samples = np.ndarray[Any, np.dtype[np.int16]]
Pictures = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """samples: (n,) int16 at 48 kHz. phonemes: (seconds, mnemonic), each until the next."""

    text: str
    samples: Samples
    phonemes: tuple[tuple[float, str], ...]
    visemes: tuple[tuple[float, int, float], ...]


def speak(text: str, language: str) -> Sentence:
    """The sentence as the built-in voice says it: the same samples as on air."""
    engine = _voice()
    resampler = Resampler(engine.sample_rate_hz)
    parts: list[Samples] = []
    timings: list[Timing] = []
    for chunk in engine.synthesize(SpeechRequest(text, language)):
        parts.append(resampler.push(chunk.samples))
        timings += chunk.timings
    parts.append(resampler.finish())
    phonemes = tuple((t.at_seconds, t.text) for t in timings if t.kind == "phoneme")
    visemes = tuple(engine.visemes(timings, language))
    return Sentence(text, np.concatenate(parts), phonemes, visemes)


@lru_cache(maxsize=1)
def _voice() -> EspeakEngine:
    # The library is one per process, so its engine is too.
    return create_engine()


def render_talk(path: Path, *, language: str, frames: int) -> Pictures:
    """The speaking presenter at 720p25, captions and AI label on it as on air, written to a file.

    Returns (frames, height * 3 // 2, width) uint8 I420, mapped from it.
    """
    setup = FaceSetup(
        WIDTH_PX, HEIGHT_PX, FRAME_SAMPLES, "full", "studio", {}, str(path.parent)
    )  # fmt: skip
    engine = PuppetEngine(setup)
    overlays = _overlays(_place_speech(engine, language, frames * FRAME_SAMPLES))
    shape = (frames, HEIGHT_PX * 3 // 2, WIDTH_PX)
    pictures = np.memmap(path, np.uint8, "w+", shape=shape)
    canvas = np.empty(shape[1:], np.uint8)
    for index in range(frames):
        engine.render(index * FRAME_SAMPLES, 0, canvas)
        pictures[index] = canvas
        for patch in overlays.due(index * FRAME_SAMPLES, 0):
            patch.paste(planes(pictures[index]))
    return pictures


def _overlays(said: list[tuple[int, Sentence]]) -> OverlayStack:
    """The label, and captions in their time. said: first sample of each sentence."""
    stack = OverlayStack()
    label = draw_label(_LABEL, WIDTH_PX, HEIGHT_PX)
    assert label is not None
    stack.put("label", TimedOverlay(place(label, *_LABEL_AT)))
    for start, sentence in said:
        at, letters = start, max(1, len(sentence.text))
        for page in paginate_caption(sentence.text, WIDTH_PX, HEIGHT_PX):
            until = at + len(sentence.samples) * len(page) // letters
            patch = render_caption(page, WIDTH_PX, HEIGHT_PX)
            if patch is not None:
                stack.put("caption", TimedOverlay(patch, at, until))
            at = until
    return stack


def map_talk(path: Path) -> Pictures:
    """Pictures that `render_talk` has written."""
    frames = os.path.getsize(path) // (WIDTH_PX * HEIGHT_PX * 3 // 2)
    return np.memmap(path, np.uint8, "r", shape=(frames, HEIGHT_PX * 3 // 2, WIDTH_PX))


def _place_speech(
    engine: PuppetEngine, language: str, until_sample: int
) -> list[tuple[int, Sentence]]:
    """Have the presenter say the talk again and again; each sentence with its first sample."""
    at_sample, number, said = 0, 0, []
    texts = TALKS[language]
    while at_sample < until_sample:
        sentence = speak(texts[number % len(texts)], language)
        engine.start_speech(
            FaceSpeech(
                utterance=f"u{number}",
                generation=0,
                start_sample=at_sample,
                duration_samples=len(sentence.samples),
                visemes=sentence.visemes,
                loudness=loudness(sentence.samples),
            )
        )
        said.append((at_sample, sentence))
        at_sample += len(sentence.samples) + _GAP_SAMPLES
        number += 1
    return said


def loudness(samples: Samples) -> tuple[float, ...]:
    """RMS of each 20 ms, 0..1 of full scale."""
    whole = samples[: len(samples) // _WINDOW * _WINDOW].astype(np.float64) / 32768
    rms = np.sqrt(np.mean(whole.reshape(-1, _WINDOW) ** 2, axis=1))
    return tuple(rms.tolist())
