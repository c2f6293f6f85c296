"""Lips of one utterance: viseme track in, opening, form and pucker at any time out.

The curve is made once per track; asking it is a pure function of time, so that any frame can be
drawn again. Method: each viseme pulls with a dominance that fades in Gaussian tails; the opening
then follows with a fast attack and slower release; each p, b, m presses the lips together for at
least one frame: lips that merely touch look open when the vowel beside them makes them round.
Targets and constants were found by measurement (lips against loudness, both languages).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.engines.base import VISEMES, FaceSpeech
from inference.engines.face.puppet.motion import Curve
from inference.engines.face.puppet.mouth import PRESSED

Floats = np.ndarray[Any, np.dtype[Any]]

# Opening, form, pucker of each viseme, in the order of VISEMES.
TARGETS: Final = np.array([
    (0.00, 0.45, 0.00), (0.00, 0.10, 0.15), (0.10, 0.25, 0.00), (0.20, 0.25, 0.00),
    (0.20, 0.35, 0.00), (0.22, 0.20, 0.00), (0.20, -0.10, 0.55), (0.13, 0.50, 0.00),
    (0.18, 0.30, 0.00), (0.20, -0.10, 0.45), (0.85, 0.15, 0.00), (0.48, 0.50, 0.00),
    (0.28, 0.85, 0.00), (0.62, -0.10, 0.60), (0.28, -0.15, 1.00),
])  # fmt: skip
# p, b, m need no more here: `_closures` shuts them in any case, and vowels beside them stay open.
_DOMINANCE: Final = {"sil": 1.2, "PP": 2.5, "FF": 4.0, "CH": 0.8, "RR": 0.8}
_VOWELS: Final = frozenset(("aa", "E", "I", "O", "U"))
_PP: Final = VISEMES.index("PP")

LEAD_SECONDS: Final = 0.045
_STEP_SECONDS: Final = 0.005
REST: Final = (0.0, 0.45, 0.0)
_TAIL_SECONDS: Final = (0.022, 0.050)
_ATTACK_SECONDS: Final = 0.012
_RELEASE_SECONDS: Final = 0.022
_SHORT_VOWEL_SECONDS: Final = 0.070
_HELD_PAUSE_SECONDS: Final = 0.120
_RELAXED_PAUSE_SECONDS: Final = 0.350
# From one shape of the lips to the next, so that none is reached within a single frame.
_SHAPE_SECONDS: Final = 0.12
# A plosive is closed 40-120 ms before its burst; longer tracks of one viseme are not a closure.
_CLOSURE_SECONDS: Final = 0.080
# Quicker than a frame: lips that begin to close earlier are shut while the vowel is still loud.
_CLOSING_SECONDS: Final = 0.020
# The curve reaches this far before and after the track, so that lips open and close in time.
_MARGIN_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Segment:
    """One viseme from start to end, in seconds of the utterance."""

    start: float
    end: float
    viseme: int
    weight: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class LipCurve:
    """The lips of one utterance. frame_seconds: the longest gap between two drawn frames."""

    def __init__(self, speech: FaceSpeech, frame_seconds: float) -> None:
        duration = speech.duration_samples / 48_000
        segments = _segments(speech.visemes, duration)
        count = math.ceil((duration + 2 * _MARGIN_SECONDS) / _STEP_SECONDS) + 1
        times = np.arange(count) * _STEP_SECONDS - _MARGIN_SECONDS
        self._last = float(times[-1])
        curve = _dominance(segments, times)
        curve[:, 0] *= _loudness_gain(speech.loudness, times) * _liveliness(speech.emotion)
        if not segments:
            curve[:, 0] = _opening_from_loudness(speech.loudness, times)
        curve[:, 0] = _follow(np.clip(curve[:, 0], 0.0, 1.0))
        free = _closures(segments, times, frame_seconds)
        curve[:, 0] = curve[:, 0] * free + PRESSED * (1 - free)
        for axis in (1, 2):
            curve[:, axis] = _soften(curve[:, axis])
        self._curves = [Curve(values, _STEP_SECONDS) for values in curve.T]

    def at(self, seconds: float) -> tuple[float, float, float]:
        """(opening PRESSED..1, form -1..1, pucker 0..1) at a moment of the utterance's sound."""
        moment = seconds + LEAD_SECONDS
        if not -_MARGIN_SECONDS <= moment <= self._last:
            return REST
        opening, form, pucker = (curve.at(moment + _MARGIN_SECONDS) for curve in self._curves)
        return opening, form, pucker


def closure_times(speech: FaceSpeech) -> list[float]:
    """The middle of each p, b, m as shown, in seconds of the utterance's sound."""
    segments = _segments(speech.visemes, speech.duration_samples / 48_000)
    return [_closure_middle(item) - LEAD_SECONDS for item in segments if item.viseme == _PP]


def _segments(track: tuple[tuple[float, int, float], ...], duration: float) -> list[_Segment]:
    """Visemes with their ends; pauses too short to be seen are left to their neighbours."""
    result = []
    for index, (start, viseme, weight) in enumerate(track):
        end = track[index + 1][0] if index + 1 < len(track) else max(duration, start + 0.05)
        is_short = end - start < _HELD_PAUSE_SECONDS
        is_inside = 0 < index < len(track) - 1
        if weight <= 0 or end <= start or (viseme == 0 and is_short and is_inside):
            continue
        result.append(_Segment(start, end, viseme, weight))
    return result


def _dominance(segments: list[_Segment], times: Floats) -> Floats:
    """(n, 3): the weighted mean of the targets, pulled to rest where nothing is near."""
    rest_pull = 0.02
    pull = np.full(len(times), rest_pull)
    total = pull[:, None] * np.array(REST)
    for item in segments:
        low, high = _TAIL_SECONDS
        tail = min(max(0.35 * item.seconds, low), high)
        first, last = np.searchsorted(times, (item.start - 4 * tail, item.end + 4 * tail))
        near = times[first:last]
        outside = np.maximum(np.maximum(item.start - near, near - item.end), 0.0)
        weight = _strength(item) * np.exp(-0.5 * (outside / tail) ** 2)
        pull[first:last] += weight
        total[first:last] += weight[:, None] * _target(item)
    mean: Floats = total / pull[:, None]
    return mean


def _strength(item: _Segment) -> float:
    name = VISEMES[item.viseme]
    if name == "sil" and item.seconds < _RELAXED_PAUSE_SECONDS:
        return 0.5 * item.weight
    default = 1.0 if name in _VOWELS else 0.55
    return _DOMINANCE.get(name, default) * item.weight


def _target(item: _Segment) -> Floats:
    target = TARGETS[item.viseme].copy()
    if VISEMES[item.viseme] in _VOWELS and item.seconds < _SHORT_VOWEL_SECONDS:
        target[0] *= 0.75
    result: Floats = target
    return result


def _loudness_at(loudness: tuple[float, ...], times: Floats) -> Floats:
    """Loudness in dB against the loudest of the sentence, smoothed over 60 ms."""
    levels = 20 * np.log10(np.maximum(np.array(loudness), 1e-4))
    levels = np.convolve(np.pad(levels, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    middles = (np.arange(len(levels)) + 0.5) * 0.020
    result: Floats = np.interp(times, middles, levels - levels.max(), left=-60.0, right=-60.0)
    return result


def _loudness_gain(loudness: tuple[float, ...], times: Floats) -> Floats:
    """0.75 in quiet syllables .. 1.1 in loud ones."""
    if not loudness:
        return np.ones(len(times))
    result: Floats = np.interp(_loudness_at(loudness, times), [-24.0, -3.0], [0.75, 1.1])
    return result


def _opening_from_loudness(loudness: tuple[float, ...], times: Floats) -> Floats:
    """A voice without timings still moves the jaw."""
    if not loudness:
        return np.zeros(len(times))
    result: Floats = np.interp(_loudness_at(loudness, times), [-30.0, -2.0], [0.0, 0.6])
    return result


def _liveliness(emotion: int) -> float:
    return 0.85 + 0.05 * min(max(emotion, 1), 5)


def _follow(target: Floats) -> Floats:
    """A first-order follower: opens quickly, closes a little slower."""
    attack = 1 - math.exp(-_STEP_SECONDS / _ATTACK_SECONDS)
    release = 1 - math.exp(-_STEP_SECONDS / _RELEASE_SECONDS)
    value, result = 0.0, []
    for wanted in target.tolist():
        value += (attack if wanted > value else release) * (wanted - value)
        result.append(value)
    return np.array(result)


def _soften(values: Floats) -> Floats:
    """Corners and pursing follow slower than the jaw: a Hann-weighted running mean."""
    half = round(_SHAPE_SECONDS / _STEP_SECONDS / 2)
    window = np.hanning(2 * half + 1)
    padded = np.pad(values, half, mode="edge")
    result: Floats = np.convolve(padded, window / window.sum(), mode="valid")
    return result


def _closure_middle(item: _Segment) -> float:
    return item.start + min(item.seconds, _CLOSURE_SECONDS) / 2


def _closures(segments: list[_Segment], times: Floats, frame_seconds: float) -> Floats:
    """(n,) share of the opening left: 0 at least a frame long at each p, b, m, 1 elsewhere."""
    factor = np.ones(len(times))
    for item in segments:
        if item.viseme != _PP:
            continue
        middle = _closure_middle(item)
        # One step more on each side, because the curve is interpolated between its points.
        half = max(min(item.seconds, _CLOSURE_SECONDS), frame_seconds) / 2 + _STEP_SECONDS
        distance = np.abs(times - middle) - half
        share = np.clip(distance / _CLOSING_SECONDS, 0.0, 1.0)
        factor = np.minimum(factor, share * share * (3 - 2 * share))
    return factor
