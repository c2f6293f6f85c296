"""Resampling to 48 kHz."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inference.engines.base import Samples
from inference.media.resample import Resampler


def resample(samples: Samples, rate_hz: int, sizes: list[int]) -> Samples:
    """The output of pushing pieces of these sizes, repeated until all is pushed."""
    resampler = Resampler(rate_hz)
    pieces, first, turn = [], 0, 0
    while first < len(samples):
        size = sizes[turn % len(sizes)]
        pieces.append(resampler.push(samples[first : first + size]))
        first, turn = first + size, turn + 1
    return np.concatenate([*pieces, resampler.finish()])


def sine(frequency_hz: float, rate_hz: int, count: int) -> Samples:
    turns = frequency_hz * np.arange(count) / rate_hz
    return np.rint(20_000 * np.sin(2 * np.pi * turns)).astype(np.int16)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("count", [1, 2, 15, 100, 22_051])
def test_the_length_is_exact(rate_hz: int, count: int) -> None:
    made = resample(np.zeros(count, np.int16), rate_hz, [1324])

    assert len(made) == math.ceil(count * 48_000 / rate_hz)


def test_chunk_sizes_do_not_change_the_sound() -> None:
    samples = np.random.default_rng(2).integers(-20_000, 20_000, 9000).astype(np.int16)

    whole = resample(samples, 22_050, [9000])

    assert np.array_equal(whole, resample(samples, 22_050, [1, 7, 1324, 40]))
    assert np.array_equal(whole, resample(samples, 22_050, [13]))


@pytest.mark.parametrize("frequency_hz", [100, 1000, 5000, 8000])
def test_tones_keep_their_place_and_level(frequency_hz: float) -> None:
    made = resample(sine(frequency_hz, 22_050, 22_050), 22_050, [1324]).astype(float)

    expected = sine(frequency_hz, 48_000, 48_000).astype(float)
    difference = (made - expected)[500:-500]  # the filter reaches over the ends
    assert np.sqrt((difference**2).mean()) < 20_000 * 10 ** (-50 / 20)


def test_a_long_stream_does_not_drift() -> None:
    rate_hz = 22_050
    made = resample(sine(441, rate_hz, rate_hz * 60), rate_hz, [1324])

    assert len(made) == 48_000 * 60
    last = sine(441, 48_000, 48_000 * 60)[-2000:-500].astype(float)
    assert np.abs(made[-2000:-500] - last).max() < 100


def test_full_scale_does_not_wrap_around() -> None:
    square = np.where(np.arange(4000) % 200 < 100, 32767, -32768).astype(np.int16)

    made = resample(square, 22_050, [500]).astype(int)

    assert np.abs(np.diff(made)).max() < 60_000
    assert made.max() == 32767
