"""Streaming resampling of speech to 48 kHz: exact in length, no drift, no joints between chunks."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

OUTPUT_RATE_HZ: Final = 48_000
_TAPS: Final = 32  # input samples each output sample is made of
_KAISER_BETA: Final = 8.0  # about 80 dB of stop band, source: Kaiser's window design formula
_CUTOFF: Final = 0.92  # of the lower Nyquist frequency

Samples = np.ndarray[Any, np.dtype[np.int16]]
_Floats = np.ndarray[Any, np.dtype[np.float32]]


class Resampler:
    """A polyphase windowed-sinc filter from one rate to 48 kHz.

    Output sample n is the input at time n / 48000; n input samples give ceil(n * 48000 / rate).
    """

    def __init__(self, rate_hz: int) -> None:
        divisor = math.gcd(rate_hz, OUTPUT_RATE_HZ)
        self._up = OUTPUT_RATE_HZ // divisor
        self._down = rate_hz // divisor
        self._filters = _filters(self._up, self._down)
        # History so that the first output is centred on the first input.
        self._history: _Floats = np.zeros(_TAPS // 2 - 1, np.float32)
        self._first = -(_TAPS // 2 - 1)  # input index of the history's first sample
        self._received = 0
        self._made = 0

    def push(self, samples: Samples) -> Samples:
        """What can be made with (n,) int16 more input; up to 16 input samples stay inside."""
        self._received += len(samples)
        if self._up == self._down:
            return samples
        return self._advance(samples.astype(np.float32), self._ready_count())

    def finish(self) -> Samples:
        """The rest, so that the whole output has its exact length."""
        if self._up == self._down:
            return np.empty(0, np.int16)
        padding = np.zeros(_TAPS // 2 + 1, np.float32)
        return self._advance(padding, -(-self._received * self._up // self._down))

    def _ready_count(self) -> int:
        """Outputs whose taps have all arrived: those centred `_TAPS / 2` before the end."""
        last_centre = self._received - _TAPS // 2 - 1
        return 0 if last_centre < 0 else last_centre * self._up // self._down + 1

    def _advance(self, fresh: _Floats, count: int) -> Samples:
        self._history = np.concatenate((self._history, fresh))
        if count <= self._made:
            return np.empty(0, np.int16)
        positions = np.arange(self._made, count, dtype=np.int64) * self._down
        starts = positions // self._up - (_TAPS // 2 - 1) - self._first
        windows = np.lib.stride_tricks.sliding_window_view(self._history, _TAPS)[starts]
        sound = np.einsum("ij,ij->i", windows, self._filters[positions % self._up])
        self._made = count
        self._forget(count * self._down // self._up - (_TAPS // 2 - 1))
        made: Samples = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
        return made

    def _forget(self, first_needed: int) -> None:
        keep_from = max(0, min(first_needed - self._first, len(self._history)))
        self._history = self._history[keep_from:].copy()
        self._first += keep_from


def _filters(up: int, down: int) -> _Floats:
    """(up, taps) float32: one filter per phase, each with unit gain at 0 Hz."""
    cutoff = _CUTOFF * min(1.0, up / down)
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1)
    distance = offsets[None, :] - (np.arange(up) / up)[:, None]
    half_width = _TAPS / 2
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (distance / half_width) ** 2, 0, 1)))
    filters = np.sinc(distance * cutoff) * window
    normalised: _Floats = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
