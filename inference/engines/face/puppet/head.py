"""Which way the head is turned at any moment: alive by itself, moved by the voice, directed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inference.engines.face.puppet import gestures, hair, motion
from inference.engines.face.puppet.parameters import EMOTION_SCALE, EXPRESSION_POSES
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ, Timeline

# Voices move the head from so long before they begin until so long after they end.
_BEFORE_SECONDS: Final = 2.0
_AFTER_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Degrees. turn, tilt: what gestures and expressions add to yaw and roll."""

    yaw: float
    pitch: float
    roll: float
    turn: float
    tilt: float


class HeadPath:
    """The head's way on a timeline; where it was lately is kept, for hair that looks back.

    At each picture only the newest moment is worked out, unless something else was told.
    """

    def __init__(self, timeline: Timeline, seed: int) -> None:
        self._timeline = timeline
        self._seed = seed
        self._known: dict[int, Turn] = {}

    def forget(self) -> None:
        """Something else was told."""
        self._known = {}

    def now_and_before(self, seconds: float) -> list[Turn]:
        """Where it is and was, at each of `hair.DELAYS` before `seconds`, now first."""
        now = round(seconds * SAMPLE_RATE_HZ)
        known, self._known = self._known, {}
        for delay in hair.DELAY_SAMPLES:
            sample = now - delay
            turn = known.get(sample)
            self._known[sample] = self._at(sample / SAMPLE_RATE_HZ) if turn is None else turn
        return list(self._known.values())

    def _at(self, seconds: float) -> Turn:
        yaw, pitch, roll = motion.idle_head(self._seed, seconds)
        for utterance in self._timeline.near(seconds, _BEFORE_SECONDS, _AFTER_SECONDS):
            more_yaw, more_pitch, more_roll = utterance.voice.head(seconds)
            share = utterance.head_share(seconds)
            yaw += share * more_yaw
            pitch += share * more_pitch
            roll += share * more_roll
        turn, tilt = self._directed(seconds)
        return Turn(yaw, pitch, roll, turn, tilt)

    def _directed(self, seconds: float) -> tuple[float, float]:
        turn = tilt = 0.0
        for gesture in self._timeline.gestures_at(seconds):
            posed, weight = gestures.POSES[gesture.name], gesture.raised(seconds)
            turn += weight * posed.get("ParamAngleX", 0.0)
            tilt += weight * posed.get("ParamAngleZ", 0.0)
        for directive, weight in self._timeline.expression_weights(seconds):
            posed = EXPRESSION_POSES[directive.name]
            weight *= EMOTION_SCALE[min(max(directive.emotion, 1), 5)]
            turn += weight * posed.get("ParamAngleX", 0.0)
            tilt += weight * posed.get("ParamAngleZ", 0.0)
        return turn, tilt
