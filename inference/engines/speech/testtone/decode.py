"""Finding the tags of test tones in recorded sound, after any codec."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from inference.engines.speech.testtone.tones import (
    BANDS,
    RATE_HZ,
    band_frequencies_hz,
    tag_digits,
)

_WINDOW: Final = RATE_HZ // 50  # 20 ms: bins of 50 Hz
_HOP: Final = _WINDOW // 4
_FRAMES_AT_ONCE: Final = 4096
_HANN: Final = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
# A windowed tone of amplitude a holds a**2 / 2 * sum(window**2).
_POWER_PER_PEAK: Final = float(2 * (_HANN**2).sum() / _HANN.sum() ** 2)
_LEAST_AMPLITUDE: Final = 0.01  # of full scale, each tone: a twelfth of what is sent
_LEAST_DOMINANCE: Final = 0.75  # of the band's power in its loudest tone
_LEAST_SHARE: Final = 0.6  # of all power in the four tones
_GREATEST_RATIO: Final = 6.0  # between the amplitudes of the four tones
_GAP_FRAMES: Final = 6  # 30 ms without a tag do not end a run: a concealed packet
_LEAST_FRAMES: Final = 3

_Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
_Ints = np.ndarray[Any, np.dtype[np.int64]]
Tag = tuple[int, int, int, int]


def _analysers() -> list[tuple[_Floats, _Floats]]:
    """For each band (window, tones) cosines and sines: what a Fourier transform of it would use."""
    found = []
    for band in range(len(BANDS)):
        turns = np.outer(np.arange(_WINDOW) / RATE_HZ, band_frequencies_hz(band))
        angles = 2 * np.pi * turns
        found.append((np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)))
    return found


_ANALYSERS: Final = _analysers()


def decode_tags(samples_48k: np.ndarray[Any, Any]) -> list[Tag]:
    """[(start_sample, end_sample, number mod 64, generation mod 16)], end excluded, in order.

    samples_48k: (n,) mono, int16 or float in -1..1. Edges are right within 5 ms; a tag is found
    where at least about 30 ms of it sound.
    """
    sound = _as_floats(samples_48k)
    if len(sound) < _WINDOW:
        return []
    codes = _frame_codes(sound)
    tags = []
    for code, first, last in _runs(codes):
        number, generation = divmod(code, 16)
        start, end = _edges(sound, number, generation, first, last)
        if end > start:
            tags.append((start, end, number, generation))
    return tags


def _as_floats(samples: np.ndarray[Any, Any]) -> _Floats:
    if samples.ndim != 1:
        raise ValueError(f"sound must be mono, one value per sample; got shape {samples.shape}")
    scale = 32768.0 if samples.dtype.kind == "i" else 1.0
    return samples.astype(np.float32) / np.float32(scale)


def _frame_codes(sound: _Floats) -> _Ints:
    """number * 16 + generation of each analysis frame, -1 without a tag."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    parts = [
        _codes_of(frames[first : first + _FRAMES_AT_ONCE])
        for first in range(0, len(frames), _FRAMES_AT_ONCE)
    ]
    return np.concatenate(parts)


def _codes_of(frames: _Floats) -> _Ints:
    windowed = frames * _HANN
    total = np.einsum("ij,ij->i", windowed, windowed) + 1e-12
    is_tag = np.ones(len(frames), bool)
    digits, peaks = [], []
    for cosines, sines in _ANALYSERS:
        of_band = (windowed @ cosines) ** 2 + (windowed @ sines) ** 2
        digits.append(of_band.argmax(axis=1))
        peaks.append(of_band.max(axis=1))
        is_tag &= peaks[-1] >= _LEAST_DOMINANCE * of_band.sum(axis=1)
    loudest, quietest = np.max(peaks, axis=0), np.min(peaks, axis=0)
    # A tone of amplitude a has the peak (a * sum(window) / 2) ** 2.
    is_tag &= quietest >= (_LEAST_AMPLITUDE * _HANN.sum() / 2) ** 2
    is_tag &= loudest <= quietest * _GREATEST_RATIO**2
    is_tag &= np.sum(peaks, axis=0) * _POWER_PER_PEAK >= _LEAST_SHARE * total
    high, low, generation, check = digits
    expected = (5 * high + 3 * low + generation + generation // 8) % 8
    is_tag &= check == expected
    codes: _Ints = np.where(is_tag, (high * 8 + low) * 16 + generation, -1)
    return codes


def _runs(codes: _Ints) -> list[tuple[int, int, int]]:
    """(code, first frame, last frame) of each stretch of one tag, short gaps bridged."""
    runs: list[tuple[int, int, int]] = []
    for frame in np.flatnonzero(codes >= 0).tolist():
        code = int(codes[frame])
        if runs and runs[-1][0] == code and frame - runs[-1][2] <= _GAP_FRAMES:
            runs[-1] = (code, runs[-1][1], frame)
        else:
            runs.append((code, frame, frame))
    return [run for run in runs if run[2] - run[1] + 1 >= _LEAST_FRAMES]


def _edges(sound: _Floats, number: int, generation: int, first: int, last: int) -> tuple[int, int]:
    """The first and one past the last sample of a tag that sounds in these frames."""
    start = _edge(sound, number, generation, first * _HOP + _WINDOW // 2, step=-1)
    end = _edge(sound, number, generation, last * _HOP + _WINDOW // 2, step=1)
    return start, min(end + 1, len(sound))


def _edge(sound: _Floats, number: int, generation: int, inside: int, *, step: int) -> int:
    """The last sample, from `inside` on in this direction, where the tag is half there.

    A symmetric window's envelope passes one half exactly where a tone starts or ends.
    """
    low = max(0, inside - 2 * _WINDOW)
    high = min(len(sound), inside + 2 * _WINDOW)
    presence = _presence(sound, number, generation, low, high)
    position = inside - low
    while 0 <= position + step < len(presence) and presence[position + step] >= 0.5:
        position += step
    return low + position


def _presence(sound: _Floats, number: int, generation: int, low: int, high: int) -> _Floats:
    """(high - low,) envelope of the tag's second weakest tone, 1 where it sounds fully.

    Different tags differ in two tones at least (the check digit), and a codec may starve one tone.
    """
    margin = _WINDOW // 2
    padded = np.zeros(high - low + 2 * margin, np.float32)
    source_low, source_high = max(0, low - margin), min(len(sound), high + margin)
    offset = source_low - (low - margin)
    padded[offset : offset + source_high - source_low] = sound[source_low:source_high]
    seconds = np.arange(len(padded)) / RATE_HZ
    envelopes = []
    for band, digit in enumerate(tag_digits(number, generation)):
        frequency = band_frequencies_hz(band)[digit]
        turned = padded * np.exp(-2j * np.pi * frequency * seconds)
        envelope = np.abs(np.convolve(turned, _HANN, "same"))[margin : margin + high - low]
        envelopes.append(envelope / (envelope.max() + 1e-12))
    second: _Floats = np.sort(envelopes, axis=0)[1]
    return second
