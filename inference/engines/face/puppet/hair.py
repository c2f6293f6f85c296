"""Loose hair as a damped spring that hangs from the head and follows it late.

The hair's angle x obeys x'' + 2 s x' + (s^2 + w^2) (x - head) = 0: a pendulum whose upper end moves
with the head and whose swing the air damps. Its answer to any motion of the head is the head's past
weighted with the impulse response, so where it hangs is a pure function of time: the same at every
frame rate, stable whatever the head does, and at rest when the head has rested. The air resists the
more the faster the head moves: hair that a quick turn throws does not reach its stop and snap back.
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
# Hair is dragged along by a head that turns quicker: no more than so many degrees a step are felt.
_FELT_DEGREES: Final = 2.0

DELAYS: Final[Floats] = np.arange(0.0, MEMORY_SECONDS + 1e-9, _STEP_SECONDS)
DELAY_SAMPLES: Final = tuple(round(48_000 * delay) for delay in DELAYS.tolist())


def _weights() -> tuple[float, ...]:
    """How much of each step of the head, newest first, the hair has not followed yet: what is left
    of the impulse response at DELAYS, the sum of which is 1."""
    turns = 2 * math.pi * _SWINGS_PER_SECOND * DELAYS
    answer: Floats = np.exp(-DELAYS / _FADING_SECONDS) * np.sin(turns)
    left: list[float] = (1.0 - np.cumsum(answer / answer.sum()))[:-1].tolist()
    return tuple(left)


_WEIGHTS: Final = _weights()


def lag(angles: Sequence[float]) -> float:
    """How far the hair is behind the head now. angles: of the head at now - DELAYS, now first."""
    return math.fsum(map(mul, map(_felt, angles, angles[1:]), _WEIGHTS))


def _felt(after: float, before: float) -> float:
    """Degrees of a step that swing the hair: little ones whole, softly limited."""
    return _FELT_DEGREES * math.tanh((after - before) / _FELT_DEGREES)
