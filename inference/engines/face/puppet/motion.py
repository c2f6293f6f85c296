"""What a person does without thinking: blinking, breathing, looking about, nodding while speaking.

Everything is a pure function of time and seed, so that any frame can be drawn again and hair can
look back at where the head was.
"""

from __future__ import annotations

import math
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


def smooth(value: float) -> float:
    """0 below 0, 1 above 1, an S between."""
    share = min(max(value, 0.0), 1.0)
    return share * share * (3 - 2 * share)


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


def idle_head(seed: int, seconds: float) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees of a head that is merely alive."""
    yaw = 3.4 * noise(seed + 20, 0.31 * seconds) + 1.1 * noise(seed + 21, 0.83 * seconds)
    pitch = 1.9 * noise(seed + 22, 0.37 * seconds) + 0.7 * noise(seed + 23, 0.97 * seconds)
    roll = 1.5 * noise(seed + 24, 0.27 * seconds) + 0.4 * noise(seed + 25, 0.71 * seconds)
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
        self._nod = Curve(_blur(stress, 13) * 3.5, _LOUDNESS_STEP_SECONDS)
        active = np.clip(_blur((heard > 0.25).astype(np.float64), 31) * 1.5, 0.0, 1.0)
        self._activity = Curve(active, _LOUDNESS_STEP_SECONDS)
        self._first = self._start + (0.5 - margin) * _LOUDNESS_STEP_SECONDS
        self.gain = 0.8 + 0.12 * min(max(speech.emotion, 1), 5)

    def activity(self, seconds: float) -> float:
        """0..1: is the voice heard around this time."""
        return self._activity.at(seconds - self._first)

    def head(self, seconds: float) -> tuple[float, float, float]:
        """Yaw, pitch, roll in degrees that the voice adds."""
        active = self.activity(seconds) * self.gain
        nod = self._nod.at(seconds - self._first) * self.gain
        seed = self._seed
        yaw = active * 4.2 * noise(seed, 0.9 * seconds)
        roll = active * 2.6 * noise(seed + 1, 0.75 * seconds) + 1.2 * nod
        pitch = active * 1.6 * noise(seed + 2, 1.1 * seconds) - 9.0 * nod
        return yaw, pitch, roll


class Curve:
    """Values at equal steps from 0 on, asked for one time after another: straight between, else 0.

    Plain numbers: for one time, numpy's own `interp` takes ten times as long.
    """

    def __init__(self, values: Floats, step_seconds: float) -> None:
        """values: (n,)."""
        self._values: list[float] = values.tolist()
        self._step_seconds = step_seconds

    def at(self, seconds: float) -> float:
        position = seconds / self._step_seconds
        last = len(self._values) - 1
        if not 0.0 <= position <= last:
            return 0.0
        index = min(int(position), last - 1)
        low, high = self._values[index], self._values[index + 1]
        return low + (position - index) * (high - low)


def _blur(values: Floats, width: int) -> Floats:
    """A Hann-weighted running mean of odd width, the same length."""
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, width // 2, mode="edge")
    result: Floats = np.convolve(padded, window / window.sum(), mode="valid")
    return result
