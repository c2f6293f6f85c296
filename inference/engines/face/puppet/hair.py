"""Loose hair as a damped spring that hangs from the head and follows it late.

The hair's angle x obeys x'' + 2 s x' + (s^2 + w^2) (x - head) = 0: a pendulum whose upper end moves
with the head and whose swing the air damps. Its answer to any motion of the head is the head's past
weighted with the impulse response, so where it hangs is a pure function of time: the same at every
frame rate, stable whatever the head does, and at rest when the head has rested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[Any]]

# How far the past is felt: then 2 % of a swing are left.
MEMORY_SECONDS: Final = 0.72
_STEP_SECONDS: Final = 0.04
_SWINGS_PER_SECOND: Final = 1.7
_FADING_SECONDS: Final = 0.18

DELAYS: Final[Floats] = np.arange(0.0, MEMORY_SECONDS + 1e-9, _STEP_SECONDS)
DELAY_SAMPLES: Final = tuple(round(48_000 * delay) for delay in DELAYS.tolist())


def _weights() -> tuple[float, ...]:
    """Impulse response at DELAYS; the sum is 1, so that a head at rest has its hair hang down."""
    turns = 2 * math.pi * _SWINGS_PER_SECOND * DELAYS
    answer: Floats = np.exp(-DELAYS / _FADING_SECONDS) * np.sin(turns)
    weights: list[float] = (answer / answer.sum()).tolist()
    return tuple(weights)


_WEIGHTS: Final = _weights()


def lag(angles: Sequence[float]) -> float:
    """How far the hair is behind the head now. angles: of the head at now - DELAYS, now first."""
    return angles[0] - math.fsum(map(mul, angles, _WEIGHTS))
