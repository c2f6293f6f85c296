"""The mel spectrogram that Wav2Lip hears, and which part of it belongs to a frame.

80 bands of 55 to 7600 Hz, 80 steps a second, pre-emphasis 0.97, -100 dB .. 0 dB against 20 dB as
-4 .. 4: the parameters of Wav2Lip's `hparams`. Bands are those of Slaney's auditory toolbox, each
of area 1. A frame is given 200 ms from its own beginning on, as Wav2Lip's inference does. (Its
training begins 40 ms earlier; nothing here can judge which looks better.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[Any]]

RATE_HZ: Final = 16_000
WINDOW: Final = 800
HOP: Final = 200
BANDS: Final = 80
STEPS: Final = 16
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 7600.0
_EMPHASIS: Final = 0.97
_FLOOR_DB: Final = -100.0
_REFERENCE_DB: Final = 20.0
_RANGE: Final = 4.0
# Of Slaney's scale: linear up to 1 kHz, 15 bands for it, then 27 to a factor of 6.4.
_LINEAR_HZ: Final = 200.0 / 3
_BREAK_HZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27
# A frame of 40 ms needs sound until so long after it has begun.
REACH_SAMPLES: Final = (STEPS - 1) * HOP + WINDOW // 2


def first_step(frame: int, frame_samples: int) -> int:
    """The mel step at which a frame begins. frame_samples: its duration at 48 kHz."""
    return frame * frame_samples // (3 * HOP)


def mel_of_frame(sound: Floats, first_sample: int, step: int) -> Floats:
    """(80, 16) float32 of the steps from `step` on.

    sound: (n,) -1..1 mono at 16 kHz, whose first sample is sample `first_sample` of the clock; what
    lies outside of it is silence. Step k is centred on sample 200 k.
    """
    begin = step * HOP - WINDOW // 2 - 1  # one more, for the pre-emphasis
    end = (step + STEPS - 1) * HOP + WINDOW // 2
    low, high = max(begin, first_sample), min(end, first_sample + len(sound))
    heard = np.zeros(end - begin, np.float64)
    if low < high:
        heard[low - begin : high - begin] = sound[low - first_sample : high - first_sample]
    return spectrogram(heard[1:] - _EMPHASIS * heard[:-1])


def spectrogram(emphasised: Floats) -> Floats:
    """(80, steps) float32 of whole windows. emphasised: (800 + 200 * (steps - 1),)."""
    windows = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::HOP]
    spectra = np.abs(np.fft.rfft(windows * _hann(), axis=1))
    mel = mel_filters() @ spectra.T
    decibels = 20 * np.log10(np.maximum(10 ** (_FLOOR_DB / 20), mel)) - _REFERENCE_DB
    scaled = 2 * _RANGE * (decibels - _FLOOR_DB) / -_FLOOR_DB - _RANGE
    mel_levels: Floats = np.clip(scaled, -_RANGE, _RANGE).astype(np.float32)
    return mel_levels


@lru_cache(maxsize=1)
def mel_filters() -> Floats:
    """(80, 401): what each band hears of each frequency of the Fourier transform."""
    edges = _hertz(np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2))
    bins = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters: Floats = triangles * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters


@lru_cache(maxsize=1)
def _hann() -> Floats:
    """Periodic, as for transforms that follow on each other."""
    window: Floats = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return window


def _mel(hertz: float) -> float:
    if hertz < _BREAK_HZ:
        return hertz / _LINEAR_HZ
    return float(_BREAK_HZ / _LINEAR_HZ + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _hertz(mel: Floats) -> Floats:
    at_break = _BREAK_HZ / _LINEAR_HZ
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - at_break))
    return np.where(mel < at_break, mel * _LINEAR_HZ, above)
