"""Phoneme times for any voice: the built-in voice says the same text, and its times move over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError, Samples, SpeechRequest, Timing
from inference.engines.speech.alignment.features import (
    FRAME_SECONDS,
    Floats,
    loudness_db,
    speech_features,
)
from inference.engines.speech.alignment.warping import warp
from inference.engines.speech.espeak.engine import create_engine
from inference.engines.speech.visemes import VisemeTrack, phonemes_to_visemes
from inference.text.lexicon import SETTING

log = logging.getLogger(__name__)

# The way through the sound is cheaper forwards than with the reference played backwards, if it is
# this text: 0.50 to 0.80 of it for speakers unknown to each other, 0.86 to 1 for another text,
# 0.95 and more for noise, tones and music. Cost by itself tells nothing: a tone is cheap.
_WORST_SHARE: Final = 0.93
_CHECK_STEP: Final = 3  # of three frames one is enough to compare with backwards
# A sentence longer than this is aligned by its sound alone: one as long takes 110 MB for a moment.
_LONGEST_SECONDS: Final = 30.0
_BAND_SHARE: Final = 0.30  # of the sentence, to both sides of its straight line
_BAND_MINIMUM_FRAMES: Final = 40.0
_ANCHORED_FRAMES: Final = 15.0
_MINIMUM_ANCHORS: Final = 2


@dataclass(frozen=True, slots=True)
class Lips:
    """visemes: (seconds, index in VISEMES, weight). words: found times, when the voice gave none.

    method: "text" aligned with the text, "sound" from loudness alone.
    """

    visemes: VisemeTrack
    words: tuple[Timing, ...]
    method: str


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A sentence of the built-in voice. features: (n, 26)."""

    features: Floats
    timings: list[Timing]
    seconds: float


def find_lips(
    samples: Samples, rate_hz: int, speech: SpeechRequest, words: tuple[Timing, ...] = ()
) -> Lips:
    """Lips of a whole sentence, whose outer silence is cut. Never fails: worst is by loudness.

    samples: (n,) int16 mono. words: word times of the voice, with positions in the text.
    """
    if len(samples) <= _LONGEST_SECONDS * rate_hz:
        timings = align(samples, rate_hz, speech, words)
        if timings is not None:
            found = () if words else tuple(t for t in timings if t.kind == "word")
            return Lips(phonemes_to_visemes(timings, speech.language), found, "text")
    return Lips(loudness_to_visemes(samples, rate_hz), (), "sound")


def align(
    samples: Samples, rate_hz: int, speech: SpeechRequest, words: tuple[Timing, ...] = ()
) -> list[Timing] | None:
    """Phoneme and word times in the sound, in order; None when text and sound do not match."""
    try:
        spoken = _speak(speech)
    except EngineError as error:
        log.warning("no reference speech to align with", extra={"code": error.code})
        return None
    sound = speech_features(samples, rate_hz)
    expected, slack = _expectation(spoken, len(sound), words)
    found = warp(spoken.features, sound, expected, slack)
    thin, spare = expected[::_CHECK_STEP] / _CHECK_STEP, slack / _CHECK_STEP + 2
    backwards = warp(spoken.features[::-1][::_CHECK_STEP], sound[::_CHECK_STEP], thin, spare)
    share = found.cost / max(backwards.cost, 1e-6)
    if share > _WORST_SHARE:
        log.info("text and sound do not match", extra={"share": round(share, 2)})
        return None
    return _moved(spoken, found.times, len(samples) / rate_hz)


def loudness_to_visemes(samples: Samples, rate_hz: int) -> VisemeTrack:
    """A mouth that opens with the loudness: for unknown text, music and noise."""
    levels = loudness_db(samples, rate_hz)
    if not len(levels):
        return [(0.0, 0, 1.0)]
    loudest = float(np.percentile(levels, 95))
    smooth = np.convolve(np.pad(levels, 2, mode="edge"), np.full(5, 0.2), "valid")
    opening = np.clip((smooth - (loudest - _RANGE_DB)) / _RANGE_DB, 0, 1)
    track: VisemeTrack = []
    for index in range(0, len(opening), _SOUND_STEP_FRAMES):
        weight = round(float(opening[index]) * 4) / 4
        shape = (_OPEN_MOUTH, weight) if weight else (0, 1.0)
        if not track or track[-1][1:] != shape:
            track.append((round(index * FRAME_SECONDS, 4), *shape))
    if track[-1][1] != 0:
        track.append((round(len(opening) * FRAME_SECONDS, 4), 0, 1.0))
    return track


_RANGE_DB: Final = 30.0  # from a closed to a wide open mouth
_SOUND_STEP_FRAMES: Final = 4
_OPEN_MOUTH: Final = 10  # VISEMES.index("aa")


def _speak(speech: SpeechRequest) -> _Spoken:
    """The text in the built-in voice, read by the same list of words. Raises EngineError."""
    engine = create_engine()
    settings = {SETTING: speech.settings.get(SETTING)}
    chunks = list(engine.synthesize(SpeechRequest(speech.text, speech.language, settings)))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    return _Spoken(
        speech_features(samples, engine.sample_rate_hz),
        [timing for chunk in chunks for timing in chunk.timings],
        len(samples) / engine.sample_rate_hz,
    )


def _expectation(
    spoken: _Spoken, sound_frames: int, words: tuple[Timing, ...]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
    """Where each frame of the reference should be in the sound, and how far off it may be."""
    frames = len(spoken.features)
    points = [(0.0, 0.0), (frames - 1.0, sound_frames - 1.0)]
    anchors = _anchors(spoken, words, frames, sound_frames)
    points[1:1] = anchors
    x, y = np.array(points).T
    expected = np.interp(np.arange(frames, dtype=np.float64), x, y)
    if len(anchors) >= _MINIMUM_ANCHORS:
        return expected, max(_ANCHORED_FRAMES, float(np.diff(expected).max(initial=0)) + 2)
    # One step of the straight line must stay inside the band, or no path would exist.
    step = sound_frames / frames
    return expected, max(_BAND_MINIMUM_FRAMES, _BAND_SHARE * sound_frames, step + 2)


def _anchors(
    spoken: _Spoken, words: tuple[Timing, ...], frames: int, sound_frames: int
) -> list[tuple[float, float]]:
    """(frame of the reference, frame of the sound) of words that begin at the same character."""
    own = {t.position: t.at_seconds for t in spoken.timings if t.kind == "word"}
    found: list[tuple[float, float]] = []
    for word in words:
        x = own.get(word.position, -1.0) / FRAME_SECONDS
        y = word.at_seconds / FRAME_SECONDS
        last_x, last_y = found[-1] if found else (0.0, 0.0)
        if last_x + 1 < x < frames - 2 and last_y + 1 < y < sound_frames - 2:
            found.append((x, y))
    return found


def _moved(
    spoken: _Spoken, times: np.ndarray[Any, np.dtype[np.float64]], end_seconds: float
) -> list[Timing]:
    # Features stand for the middle of their 10 ms.
    x = (np.arange(len(times)) + 0.5) * FRAME_SECONDS
    y = (times + 0.5) * FRAME_SECONDS
    x = np.concatenate(([0.0], x, [max(spoken.seconds, float(x[-1]) + 1e-3)]))
    y = np.concatenate(([0.0], y, [end_seconds]))
    return [
        Timing(t.kind, t.text, float(np.interp(t.at_seconds, x, y)), t.position)
        for t in spoken.timings
        if t.kind in ("phoneme", "word")
    ]
