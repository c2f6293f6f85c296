"""Mel-frequency cepstra of speech, comparable between two speakers, and its loudness."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from inference.engines.base import Samples

FRAME_SECONDS: Final = 0.010
_WINDOW_SECONDS: Final = 0.025
_BANDS: Final = 26
_CEPSTRA: Final = 12
_LOWEST_HZ: Final = 80.0
_HIGHEST_HZ: Final = 7_000.0
_FLOOR: Final = 30.0  # of int16 amplitude: what lies below counts as silence
_DELTA_WEIGHT: Final = 0.5
_LOUDNESS_WEIGHT: Final = 1.0

Floats = np.ndarray[Any, np.dtype[np.float32]]


def speech_features(samples: Samples, rate_hz: int) -> Floats:
    """(n, 26) float32, one row each 10 ms: cepstra, loudness, and how they change.

    samples: (k,) int16 mono. Each column has mean 0 and spread 1 over the sentence, so that
    the timbre of a speaker drops out. Source: Davis and Mermelstein 1980, normalised per sentence.
    """
    bands = _log_bands(samples, rate_hz)
    cepstra = bands @ _cosines()
    loudness = bands.max(axis=1, keepdims=True)
    static = _normalised(np.concatenate((cepstra, loudness), axis=1))
    static[:, -1] *= _LOUDNESS_WEIGHT
    padded = np.pad(static, ((2, 2), (0, 0)), mode="edge")
    change = _normalised(padded[4:] - padded[:-4]) * _DELTA_WEIGHT
    return np.concatenate((static, change), axis=1).astype(np.float32)


def loudness_db(samples: Samples, rate_hz: int) -> Floats:
    """(n,) float32: RMS of each 10 ms in dB of full scale, not below -90."""
    frame = int(rate_hz * FRAME_SECONDS)
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float32)
    power = np.mean((whole / 32768) ** 2, axis=1)
    levels: Floats = (10 * np.log10(np.maximum(power, 1e-9))).astype(np.float32)
    return levels


def _log_bands(samples: Samples, rate_hz: int) -> Floats:
    """(n, 26) float32: natural logarithm of the energy in each mel band."""
    hop, window = int(rate_hz * FRAME_SECONDS), int(rate_hz * _WINDOW_SECONDS)
    count = max(1, len(samples) // hop)
    # The window is centred on its 10 ms, so that times of features are times of the sound.
    before = (window - hop) // 2
    padded = np.zeros(before + count * hop + window, np.float32)
    padded[before : before + len(samples)] = samples[: len(padded) - before]
    emphasised = np.append(padded[:1], padded[1:] - 0.97 * padded[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, window)[: count * hop : hop]
    size = 1 << (window - 1).bit_length()
    spectrum = np.fft.rfft(frames * np.hanning(window).astype(np.float32), size)
    power = spectrum.real**2 + spectrum.imag**2
    energy = power[:, : _mel_filters(rate_hz, size).shape[0]] @ _mel_filters(rate_hz, size)
    logs: Floats = np.log(energy / window + _FLOOR**2).astype(np.float32)
    return logs


def _normalised(columns: Floats) -> Floats:
    spread = columns.std(axis=0, keepdims=True)
    result: Floats = (columns - columns.mean(axis=0, keepdims=True)) / np.maximum(spread, 1e-3)
    return result


@functools.cache
def _cosines() -> Floats:
    """(26, 12) float32: the discrete cosine transform without its constant."""
    bands = (np.arange(_BANDS) + 0.5)[:, None]
    orders = np.arange(1, _CEPSTRA + 1)[None, :]
    cosines: Floats = np.cos(np.pi / _BANDS * bands * orders).astype(np.float32)
    return cosines


@functools.cache
def _mel_filters(rate_hz: int, size: int) -> Floats:
    """(bins, 26) float32: triangles of equal width in mel, up to 7 kHz or the Nyquist frequency."""
    highest = min(_HIGHEST_HZ, rate_hz / 2)
    edges_mel = np.linspace(_mel(_LOWEST_HZ), _mel(highest), _BANDS + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    bins = np.arange(int(highest * size / rate_hz) + 1)[:, None] * rate_hz / size
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))
