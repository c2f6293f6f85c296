"""The tag a test tone carries: four steady tones that say utterance number and generation.

Bands of tones 150 Hz apart, one tone of each band sounding at a time: the number's high and low
octal digit, the generation, and a check digit. Nothing changes during the sentence, so any piece of
it longer than one analysis window (20 ms) tells the whole tag; the level is constant, so that its
last sample can be found. All frequencies are multiples of 50 Hz: they fall on bins of that window.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

RATE_HZ: Final = 48_000
NUMBERS: Final = 64
GENERATIONS: Final = 16
SPACING_HZ: Final = 150
# (lowest frequency in Hz, how many tones)
BANDS: Final = ((600, 8), (1950, 8), (3300, 16), (5850, 8))
AMPLITUDE: Final = 0.12  # of full scale, each tone; together 0.48 at most
BEEP_HZ: Final = 1000
BEEP_SECONDS: Final = 0.020
BEEP_AMPLITUDE: Final = 0.5

_Samples = np.ndarray[Any, np.dtype[np.int16]]


def tag_digits(number: int, generation: int) -> tuple[int, int, int, int]:
    """The tone of each band. number is taken mod 64, generation mod 16."""
    high, low = divmod(number % NUMBERS, 8)
    generation %= GENERATIONS
    return high, low, generation, check_digit(high, low, generation)


def check_digit(high: int, low: int, generation: int) -> int:
    """0..7, different after a change of any one of the others."""
    return (5 * high + 3 * low + generation + generation // 8) % 8


def band_frequencies_hz(band: int) -> list[int]:
    lowest, count = BANDS[band]
    return [lowest + SPACING_HZ * index for index in range(count)]


def tag_sound(number: int, generation: int, first: int, count: int) -> _Samples:
    """(count,) int16 at 48 kHz, from sample `first` of the sentence on."""
    seconds = np.arange(first, first + count) / RATE_HZ
    sound = np.zeros(count)
    for band, digit in enumerate(tag_digits(number, generation)):
        sound += np.sin(2 * np.pi * band_frequencies_hz(band)[digit] * seconds)
    return _as_samples(sound * AMPLITUDE)


def beep_sound(first: int, count: int) -> _Samples:
    """(count,) int16: 20 ms of 1 kHz from each whole second of the utterance, else silence."""
    index = np.arange(first, first + count)
    is_on = index % RATE_HZ < BEEP_SECONDS * RATE_HZ
    return _as_samples(BEEP_AMPLITUDE * np.sin(2 * np.pi * BEEP_HZ * index / RATE_HZ) * is_on)


def _as_samples(sound: np.ndarray[Any, np.dtype[np.float64]]) -> _Samples:
    samples: _Samples = np.rint(sound * 32767).astype(np.int16)
    return samples
