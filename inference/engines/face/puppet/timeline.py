"""What is known to happen: utterances, expressions, gestures on the media clock.

Asking for a time never changes anything; commands may arrive for the past or the future.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from inference.catalog import EXPRESSIONS, GESTURES
from inference.engines.base import EngineError, FaceSpeech
from inference.engines.face.puppet.gestures import LEAVE_SECONDS, Shown, plan_gestures
from inference.engines.face.puppet.lips import LipCurve
from inference.engines.face.puppet.motion import VoiceMotion, smooth

SAMPLE_RATE_HZ: Final = 48_000
_FADE_SECONDS: Final = 0.24
# After a cut: how fast the mouth shuts, its shape relaxes, the head comes to rest.
_CLOSING_SECONDS: Final = 0.06
_RELAXING_SECONDS: Final = 0.2
_SETTLING_SECONDS: Final = 0.45
# A person makes ready to speak: from so long before the sound the mouth takes the first shape.
# When it is known too late for that, the same way is gone from then on, into the sound if need be.
_READY_SECONDS: Final = 0.24
_SHAPING_SECONDS: Final = 0.2
_TURNING_SECONDS: Final = 0.35
_KEPT_SECONDS: Final = 30.0
# Expressions, and gestures, where nothing is said for long: a line of 2,000 characters has fewer.
_KEPT_ORDERS: Final = 256
# An expression written inside a sentence fades this long after the sentence.
_MARK_HOLD_SECONDS: Final = 0.6


@dataclass(frozen=True, slots=True)
class Utterance:
    """A speech with its curves. end: seconds on the media clock, earlier when it was cut."""

    speech: FaceSpeech
    lips: LipCurve
    voice: VoiceMotion
    end: float
    is_cut: bool = False

    @property
    def start(self) -> float:
        return self.speech.start_sample / SAMPLE_RATE_HZ

    @property
    def known(self) -> float:
        return self.speech.known_sample / SAMPLE_RATE_HZ

    def presence(self, seconds: float, fade_seconds: float = _CLOSING_SECONDS) -> float:
        """1 while it may be seen; after a cut it fades."""
        if not self.is_cut:
            return 1.0
        return 1.0 - smooth((seconds - self.end) / fade_seconds)

    def readiness(self, seconds: float) -> float:
        """0 before the mouth makes ready for it, 1 when the mouth is all its own."""
        begin = max(self.start - _READY_SECONDS, self.known)
        return smooth((seconds - begin) / _SHAPING_SECONDS)

    def activity(self, seconds: float) -> float:
        """0..1: how much the face is that of somebody who says it."""
        heard = max(self.voice.activity(seconds), self.voice.activity(seconds + 0.12))
        noticed = smooth((seconds - self.known) / _SHAPING_SECONDS)
        return heard * noticed * self.presence(seconds, _RELAXING_SECONDS)

    def head_share(self, seconds: float) -> float:
        """How much of its motion the head follows, 0..1."""
        share = 1.0
        if self.known > self.start - 2 * _TURNING_SECONDS:
            share = smooth((seconds - self.known) / _TURNING_SECONDS)
        if self.is_cut:
            share *= 1.0 - smooth((seconds - self.end) / _SETTLING_SECONDS)
        return share


@dataclass(frozen=True, slots=True)
class Directive:
    """An expression or gesture from `at` seconds on. owner: utterance it is written in, or ''.

    is_return: back to the expression that was set last outside of utterances.
    """

    at: float
    name: str
    emotion: int
    owner: str = ""
    generation: int = 0
    is_return: bool = False


class Timeline:
    """Keeps the last half minute and everything ahead."""

    def __init__(self, frame_seconds: float, seed: int) -> None:
        self._frame_seconds = frame_seconds
        self._seed = seed
        self.utterances: list[Utterance] = []
        self.expressions: list[Directive] = []
        self.gestures: list[Directive] = []

    def start_speech(self, speech: FaceSpeech) -> None:
        """Add an utterance or replace what is known of it."""
        # A long line is told minutes ahead: what is over is told by the clock, not by its start.
        present_sample = min(speech.start_sample, speech.known_sample)
        self._forget_before(present_sample / SAMPLE_RATE_HZ - _KEPT_SECONDS)
        for item in self.utterances:
            if item.speech.utterance == speech.utterance:
                known_sample = min(item.speech.known_sample, speech.known_sample)
                speech = replace(speech, known_sample=known_sample)
        self._drop(speech.utterance)
        end = (speech.start_sample + speech.duration_samples) / SAMPLE_RATE_HZ
        lips = LipCurve(speech, self._frame_seconds)
        utterance = Utterance(speech, lips, VoiceMotion(speech, self._seed), end)
        self.utterances = sorted([*self.utterances, utterance], key=lambda item: item.start)
        self._add_marks(speech, end)

    def cut(self, at_sample: int, generation: int) -> None:
        """End older generations at a sample; what had not begun is gone."""
        at = at_sample / SAMPLE_RATE_HZ
        kept = []
        for item in self.utterances:
            if item.speech.generation >= generation or item.end <= at:
                kept.append(item)
            elif max(item.start - _SETTLING_SECONDS, item.known) < at:
                # Also one that the face was only making ready for: what it showed of it fades.
                kept.append(replace(item, end=at, is_cut=True))
        self.utterances = kept
        self.expressions = _without_cut(self.expressions, at, generation)
        self.gestures = _without_cut(self.gestures, at, generation)

    def drop(self, utterance: str, from_sample: int) -> None:
        """Forget what was taken back: utterances whose id starts so, and what was to come."""
        at = from_sample / SAMPLE_RATE_HZ
        for name in [item.speech.utterance for item in self.utterances]:
            if name.startswith(utterance):
                self._drop(name)
        self.expressions = [item for item in self.expressions if item.owner or item.at < at]
        self.gestures = [item for item in self.gestures if item.owner or item.at < at]

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        """Raises EngineError naming the expressions that exist."""
        _require(name, EXPRESSIONS, "expression")
        if not 1 <= emotion <= 5:
            raise EngineError("bad_emotion", f"Emotion is 1 to 5, not {emotion}.", retryable=False)
        directive = Directive(at_sample / SAMPLE_RATE_HZ, name, emotion)
        self.expressions = _inserted(self.expressions, directive)

    def play_gesture(self, name: str, at_sample: int) -> None:
        """Raises EngineError naming the gestures that exist."""
        _require(name, GESTURES, "gesture")
        directive = Directive(at_sample / SAMPLE_RATE_HZ, name, 3)
        self.gestures = _inserted(self.gestures, directive)

    def near(self, seconds: float, before: float, after: float) -> list[Utterance]:
        """Utterances that begin within `before` seconds or ended within `after`, in order."""
        return [
            item
            for item in self.utterances
            if item.start - before < seconds < max(item.end, item.start) + after
        ]

    def expression_weights(self, seconds: float) -> list[tuple[Directive, float]]:
        """What is shown, oldest first; weights add up to at most 1, the rest is neutral."""
        weights: list[tuple[Directive, float]] = []
        base = Directive(0.0, "neutral", 3)
        for directive in self.expressions:
            share = smooth((seconds - directive.at) / _FADE_SECONDS)
            if share <= 0.0:
                break
            base = base if directive.owner else directive
            if directive.is_return:
                directive = replace(base, at=directive.at)
            weights = [(item, weight * (1 - share)) for item, weight in weights]
            weights = [*[pair for pair in weights if pair[1] > 0.001], (directive, share)]
        return weights

    def gestures_at(self, seconds: float) -> list[Shown]:
        """Gestures whose arms are up or on their way."""
        if not self.gestures:
            return []
        told = [(item.at, item.name) for item in self.gestures]
        return [
            item for item in plan_gestures(told) if item.start < seconds < item.end + LEAVE_SECONDS
        ]

    def _add_marks(self, speech: FaceSpeech, end: float) -> None:
        start = speech.start_sample / SAMPLE_RATE_HZ
        shown = None
        for offset, name in sorted(speech.marks):
            directive = Directive(
                start + offset, name, speech.emotion, speech.utterance, speech.generation
            )
            if name in EXPRESSIONS:
                shown = directive
                self.expressions = _inserted(self.expressions, directive)
            elif name in GESTURES:
                self.gestures = _inserted(self.gestures, directive)
        if shown is not None:
            back = replace(shown, at=end + _MARK_HOLD_SECONDS, is_return=True)
            self.expressions = _inserted(self.expressions, back)

    def _drop(self, utterance: str) -> None:
        self.utterances = [item for item in self.utterances if item.speech.utterance != utterance]
        self.expressions = [item for item in self.expressions if item.owner != utterance]
        self.gestures = [item for item in self.gestures if item.owner != utterance]

    def _forget_before(self, seconds: float) -> None:
        self.utterances = [item for item in self.utterances if item.end >= seconds]
        self.gestures = [item for item in self.gestures if item.at >= seconds]
        past = [item for item in self.expressions if item.at < seconds]
        self.expressions = past[-1:] + [item for item in self.expressions if item.at >= seconds]


def _without_cut(items: list[Directive], at: float, generation: int) -> list[Directive]:
    """What was to come after a cut will not happen; the way back from a mark comes at once.

    Without an owner it belonged to a line that was placed and is gone: new ones are told anew.
    """
    kept = []
    for item in items:
        is_newer = bool(item.owner) and item.generation >= generation
        if is_newer or item.at <= at:
            kept.append(item)
        elif item.is_return:
            kept.append(replace(item, at=at))
    return sorted(kept, key=lambda item: item.at)


def _inserted(items: list[Directive], item: Directive) -> list[Directive]:
    return sorted([*items, item], key=lambda each: each.at)[-_KEPT_ORDERS:]


def _require(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise EngineError(
            f"unknown_{kind}",
            f"There is no {kind} {name!r}. There are: {', '.join(known)}.",
            retryable=False,
        )
