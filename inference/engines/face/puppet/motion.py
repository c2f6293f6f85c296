"""What a person does without thinking: blinking, breathing, looking about, nodding while speaking.

Everything is a pure function of time and seed, also for arrays of times, so that any frame can be
drawn again and hair can look back at where the head was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from inference.engines.base import FaceSpeech

Floats = np.ndarray[Any, np.dtype[Any]]

_BLINK_SLOT_SECONDS: Final = 4.0
_BLINK_SECONDS: Final = 0.26
_GAZE_SLOT_SECONDS: Final = 1.7
_SACCADE_SECONDS: Final = 0.07
_BREATH_SECONDS: Final = 3.9
_LOUDNESS_STEP_SECONDS: Final = 0.020
_WORD: Final = (1 << 64) - 1


@lru_cache(maxsize=4096)
def random_unit(seed: int, slot: int) -> float:
    """A number in 0..1 for each slot, always the same (splitmix64)."""
    value = (slot * 0x9E3779B97F4A7C15 + seed * 7919 + 12345) & _WORD
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _WORD
    return (value ^ (value >> 31)) / _WORD


def noise(seed: int, seconds: float) -> float:
    """Smooth noise in -1..1, one random value per unit of time."""
    slot = math.floor(seconds)
    share = seconds - slot
    share = share * share * share * (share * (share * 6 - 15) + 10)
    low, high = random_unit(seed, slot), random_unit(seed, slot + 1)
    return 2 * (low + share * (high - low)) - 1


def noises(seeds: Sequence[int], times: Floats) -> Floats:
    """The `noise` of each seed at its own row of times: (seeds, n) in, (seeds, n) out."""
    whole = np.floor(times)
    share = times - whole
    share = share * share * share * (share * (share * 6 - 15) + 10)
    firsts = whole.min(axis=1, keepdims=True)
    index = (whole - firsts).astype(np.int64)
    slots = range(int(index.max()) + 2)
    values = np.array(
        [
            [random_unit(seed, first + slot) for slot in slots]
            for seed, first in zip(seeds, firsts.ravel().astype(np.int64).tolist(), strict=True)
        ]
    )
    low = np.take_along_axis(values, index, axis=1)
    high = np.take_along_axis(values, index + 1, axis=1)
    result: Floats = 2 * (low + share * (high - low)) - 1
    return result


def smooth(value: float) -> float:
    """0 below 0, 1 above 1, an S between."""
    share = min(max(value, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def smooths(values: Floats) -> Floats:
    """The `smooth` of each value."""
    share = np.clip(values, 0.0, 1.0)
    result: Floats = share * share * (3 - 2 * share)
    return result


def blink(seed: int, seconds: float) -> float:
    """How far a blink has closed the eyes, 0..1. Blinks come 2 to 6 s apart."""
    slot = math.floor(seconds / _BLINK_SLOT_SECONDS)
    closed = 0.0
    for number in (slot - 1, slot):
        start = (number + 0.5 * random_unit(seed, number)) * _BLINK_SLOT_SECONDS
        closed = max(closed, _blink_shape((seconds - start) / _BLINK_SECONDS))
        if random_unit(seed + 1, number) < 0.12:
            closed = max(closed, _blink_shape((seconds - start - 0.34) / _BLINK_SECONDS))
    return closed


def _blink_shape(share: float) -> float:
    """Down in a third of the time, a moment shut, up slower."""
    if not 0.0 < share < 1.0:
        return 0.0
    return smooth(share / 0.32) if share < 0.42 else 1.0 - smooth((share - 0.42) / 0.58)


def gaze(seed: int, seconds: float) -> tuple[float, float]:
    """Where the eyes look, x and y in -1..1: mostly at the viewer, with small darts aside."""
    slot = math.floor(seconds / _GAZE_SLOT_SECONDS)
    start = (slot + 0.4 * random_unit(seed + 5, slot)) * _GAZE_SLOT_SECONDS
    share = smooth((seconds - start) / _SACCADE_SECONDS)
    before, after = _gaze_target(seed, slot - 1), _gaze_target(seed, slot)
    drift = 0.03 * noise(seed + 9, seconds * 2.1)
    return (
        before[0] + share * (after[0] - before[0]) + drift,
        before[1] + share * (after[1] - before[1]),
    )


def _gaze_target(seed: int, slot: int) -> tuple[float, float]:
    if random_unit(seed + 6, slot) < 0.62:
        return 0.0, 0.0
    x = 0.7 * random_unit(seed + 7, slot) - 0.35
    y = 0.36 * random_unit(seed + 8, slot) - 0.18
    return x, y


def breath(seconds: float) -> float:
    """0..1: in a little faster than out."""
    phase = (seconds / _BREATH_SECONDS) % 1.0
    return smooth(phase / 0.42) if phase < 0.42 else 1.0 - smooth((phase - 0.42) / 0.58)


def idle_head(seed: int, times: Floats) -> tuple[Floats, Floats, Floats]:
    """Yaw, pitch, roll in degrees of a head that is merely alive, for each time."""
    rates = np.array([[0.31], [0.83], [0.37], [0.97], [0.27], [0.71]])
    wave = noises(range(seed + 20, seed + 26), times * rates)
    yaw = 3.4 * wave[0] + 1.1 * wave[1]
    pitch = 1.9 * wave[2] + 0.7 * wave[3]
    roll = 1.5 * wave[4] + 0.4 * wave[5]
    return yaw, pitch, roll


class VoiceMotion:
    """How one utterance moves the head: nods on stressed syllables, livelier turns, phrasing.

    Made from the loudness of each 20 ms; quiet before and after.
    """

    def __init__(self, speech: FaceSpeech, seed: int) -> None:
        self._start = speech.start_sample / 48_000
        self._seed = seed + 101 + speech.start_sample % 9973
        levels = np.array(speech.loudness or (0.0,), np.float64)
        level = 20 * np.log10(np.maximum(levels, 1e-4))
        heard = np.clip((level - level.max() + 32) / 32, 0.0, 1.0) * (level.max() > -60)
        margin = 40
        heard = np.concatenate([np.zeros(margin), heard, np.zeros(margin)])
        # A stressed syllable stands above the phrase around it.
        stress = np.maximum(_blur(heard, 5) - _blur(heard, 33), 0.0)
        self._nod = _blur(stress, 13) * 3.5
        self._activity = np.clip(_blur((heard > 0.25).astype(np.float64), 31) * 1.5, 0.0, 1.0)
        steps = np.arange(len(heard)) - margin + 0.5
        self._times = self._start + steps * _LOUDNESS_STEP_SECONDS
        self.gain = 0.8 + 0.12 * min(max(speech.emotion, 1), 5)

    def activity(self, times: Floats) -> Floats:
        """0..1: is the voice heard around each time."""
        result: Floats = np.interp(times, self._times, self._activity, left=0.0, right=0.0)
        return result

    def head(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """Yaw, pitch, roll in degrees that the voice adds at each time."""
        active = self.activity(times) * self.gain
        nod = np.interp(times, self._times, self._nod, left=0.0, right=0.0) * self.gain
        rates = np.array([[0.9], [0.75], [1.1]])
        wave = noises(range(self._seed, self._seed + 3), times * rates)
        yaw = active * 4.2 * wave[0]
        roll = active * (2.6 * wave[1]) + 1.2 * nod
        pitch = active * 1.6 * wave[2] - 9.0 * nod
        return yaw, pitch, roll


def _blur(values: Floats, width: int) -> Floats:
    """A Hann-weighted running mean of odd width, the same length."""
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, width // 2, mode="edge")
    result: Floats = np.convolve(padded, window / window.sum(), mode="valid")
    return result
