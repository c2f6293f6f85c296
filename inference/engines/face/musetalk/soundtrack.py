"""What the mouth hears: every sentence where it lies on the media clock, at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from inference.engines.base import Samples

Sound = np.ndarray[Any, np.dtype[np.float32]]

SAMPLE_RATE_HZ: Final = 16_000
CLOCK_PER_SAMPLE: Final = 3  # the media clock counts 48 kHz
# What Whisper hears at once; older sound is forgotten.
HISTORY_SAMPLES: Final = 30 * SAMPLE_RATE_HZ
BLOCK_SAMPLES: Final = SAMPLE_RATE_HZ // 50
# Of the mixer: what is cut fades out in 10 ms.
_FADE_SAMPLES: Final = SAMPLE_RATE_HZ // 100
# RMS of 20 ms, of full scale: a room's noise is below, the faintest consonant above (-46 dB).
_LOUD: Final = 0.005
_TAPS: Final = 49
_CUTOFF: Final = 0.9 / CLOCK_PER_SAMPLE


def _low_pass() -> Sound:
    at = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(at * _CUTOFF) * np.kaiser(_TAPS, 8.0)
    return np.asarray(taps / taps.sum(), np.float32)


_LOW_PASS: Final = _low_pass()


@dataclass(slots=True)
class Spoken:
    """One utterance. start: of its first sample, 16 kHz. raw: its sound at 48 kHz as it came.

    known: pictures before this sample were shown without knowing of it.
    """

    utterance: str
    generation: int
    start: int
    raw: Samples = field(default_factory=lambda: np.empty(0, np.int16))
    sound: Sound = field(default_factory=lambda: np.empty(0, np.float32))
    loud: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.empty(0, np.int64))
    cut_at: int | None = None
    known: int = -SAMPLE_RATE_HZ

    @property
    def end(self) -> int:
        """Behind its last sample."""
        return self.start + len(self.sound)


class SoundTrack:
    """Sentences on the clock. What changes returns the first sample (16 kHz) that it changes."""

    def __init__(self) -> None:
        self.spoken: list[Spoken] = []
        # The newest that was told of.
        self.generation = 0

    def place(
        self, utterance: str, generation: int, start_sample: int, known_sample: int | None = None
    ) -> int:
        """Make room for an utterance; the same id again replaces it. Samples of 48 kHz.

        known_sample: where the mouth may begin to make ready; None: it was known for long.
        """
        self.generation = max(self.generation, generation)
        start = start_sample // CLOCK_PER_SAMPLE
        changed = min([start, *(item.start for item in self.spoken if item.utterance == utterance)])
        kept = [item for item in self.spoken if item.utterance != utterance]
        spoken = Spoken(utterance, generation, start)
        if known_sample is not None:
            spoken.known = known_sample // CLOCK_PER_SAMPLE
        # A long line is told minutes ahead: what is over is told by the clock, not by its start.
        present = start if known_sample is None else min(start, spoken.known)
        kept = [item for item in kept if item.end > present - 2 * HISTORY_SAMPLES]
        kept.append(spoken)
        self.spoken = sorted(kept, key=lambda item: item.start)
        return changed

    def append(self, utterance: str, samples: Samples) -> int:
        """More of its sound: (n,) int16 mono at 48 kHz, as little as 20 ms. LookupError."""
        item = next((item for item in self.spoken if item.utterance == utterance), None)
        if item is None:
            raise LookupError(f"no utterance {utterance!r} was placed")
        # The filter reaches as far back as the sound that it could not hear the end of.
        changed = max(item.start, item.end - _TAPS)
        kept = max(0, (len(item.raw) - _TAPS) // CLOCK_PER_SAMPLE)
        item.raw = np.concatenate([item.raw, samples])
        item.sound = np.concatenate([item.sound[:kept], _at_16_khz(item.raw, kept)])
        item.loud = _loud_blocks(item)
        return changed

    def cut(self, at_sample: int, generation: int) -> int:
        """Older generations end at a sample of 48 kHz, with the mixer's fade."""
        self.generation = max(self.generation, generation)
        at = at_sample // CLOCK_PER_SAMPLE
        kept = []
        for item in self.spoken:
            if item.generation >= generation or item.end <= at:
                kept.append(item)
            elif item.start < at:
                kept.append(_cut_short(item, at))
        self.spoken = kept
        return at

    def drop(self, prefix: str) -> int | None:
        """Forget utterances whose id starts so; None when there were none."""
        gone = [item.start for item in self.spoken if item.utterance.startswith(prefix)]
        self.spoken = [item for item in self.spoken if not item.utterance.startswith(prefix)]
        return min(gone, default=None)

    def read(self, first: int, last: int) -> Sound:
        """The sound from sample `first` to before `last`, silence where nothing is said."""
        heard = np.zeros(last - first, np.float32)
        for item in self.spoken:
            begin, end = max(item.start, first), min(item.end, last)
            if begin < end:
                part = item.sound[begin - item.start : end - item.start]
                heard[begin - first : end - first] += part
        return heard


def _at_16_khz(raw: Samples, first: int) -> Sound:
    """The samples at 16 kHz of `raw`, from number `first` on."""
    context = min(first, _TAPS)
    part = raw[(first - context) * CLOCK_PER_SAMPLE :].astype(np.float32) / 32768
    edge = np.zeros(_TAPS // 2, np.float32)
    filtered = np.convolve(np.concatenate([edge, part, edge]), _LOW_PASS, "valid")
    return filtered[context * CLOCK_PER_SAMPLE :: CLOCK_PER_SAMPLE].astype(np.float32)


def _loud_blocks(item: Spoken) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Starts (16 kHz, on the clock) of the 20 ms in which something is heard."""
    count = -(-len(item.sound) // BLOCK_SAMPLES)
    padded = np.zeros(count * BLOCK_SAMPLES, np.float32)
    padded[: len(item.sound)] = item.sound
    levels = np.sqrt(np.mean(padded.reshape(-1, BLOCK_SAMPLES) ** 2, axis=1))
    return item.start + np.flatnonzero(levels > _LOUD) * BLOCK_SAMPLES


def _cut_short(item: Spoken, at: int) -> Spoken:
    sound = item.sound[: at - item.start + _FADE_SAMPLES].copy()
    tail = sound[at - item.start :]
    tail *= np.linspace(1.0, 0.0, _FADE_SAMPLES, dtype=np.float32)[: len(tail)]
    loud = item.loud[item.loud < at]
    raw = item.raw[: (at - item.start) * CLOCK_PER_SAMPLE]
    return replace(item, raw=raw, sound=sound, loud=loud, cut_at=at)
