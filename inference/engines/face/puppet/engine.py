"""The drawn presenter: what is said, felt and done becomes a pose, the pose becomes a picture."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from inference.engines.base import EngineError, FaceSetup, FaceSpeech, Picture
from inference.engines.face.puppet import motion
from inference.engines.face.puppet.bake import load_art
from inference.engines.face.puppet.compositor import Compositor
from inference.engines.face.puppet.gestures import PARAMETERS, Shown
from inference.engines.face.puppet.idle import create_idle_painter
from inference.engines.face.puppet.parameters import (
    EMOTION_SCALE,
    EXPRESSION_POSES,
    REST_SMILE,
    Pose,
    clamp_pose,
    rest_pose,
)
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ, Directive, Timeline

# When hair is asked where it hangs, it remembers the head of the last half second.
_HAIR_DELAYS: Final = np.linspace(0.0, 0.56, 15)
# Impulse response of a damped spring: 1.7 Hz, gone after 0.18 s; its sum is 1.
_SPRING: Final = np.exp(-_HAIR_DELAYS / 0.18) * np.cos(2 * np.pi * 1.7 * _HAIR_DELAYS)
_HAIR_WEIGHTS: Final = _SPRING / _SPRING.sum()
_WINK_SECONDS: Final = 0.75

__all__ = ["PuppetEngine", "create_engine", "create_idle_painter"]


class PuppetEngine:
    """A presenter at one picture size. `render` is a pure function of pts and what was told."""

    needs_audio = False

    def __init__(self, setup: FaceSetup) -> None:
        self._seed = _seed(setup)
        self._compositor = Compositor(load_art(setup))
        self._timeline = Timeline(setup.frame_samples / SAMPLE_RATE_HZ, self._seed)

    def start_speech(self, speech: FaceSpeech) -> None:
        """Follow an utterance; the same id again replaces what is known."""
        self._timeline.start_speech(speech)

    def cut(self, at_sample: int, generation: int) -> None:
        """End utterances of older generations at a sample; the mouth closes within 60 ms."""
        self._timeline.cut(at_sample, generation)

    def drop(self, utterance: str, from_sample: int) -> None:
        """Forget an utterance that was taken back before it began."""
        self._timeline.drop(utterance, from_sample)

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        """Fade to an expression within 240 ms. Raises EngineError on an unknown name."""
        self._timeline.set_expression(name, emotion, at_sample)

    def play_gesture(self, name: str, at_sample: int) -> None:
        """Raise the arms for a gesture, some three seconds long; `none` lets them sink.

        Raises EngineError on an unknown name.
        """
        self._timeline.play_gesture(name, at_sample)

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at a moment into out: (height * 3 // 2, width) uint8 I420."""
        self._compositor.draw(self.pose(pts_samples / SAMPLE_RATE_HZ), out)

    def close(self) -> None:
        """Nothing but memory is held."""

    def pose(self, seconds: float) -> Pose:
        """Every parameter at a moment of the media clock."""
        pose = rest_pose()
        self._express(pose, seconds)
        self._live(pose, seconds)
        self._move_head(pose, seconds)
        self._speak(pose, seconds)
        clamp_pose(pose)
        return pose

    def _express(self, pose: Pose, seconds: float) -> None:
        for directive, weight in self._timeline.expression_weights(seconds):
            scale = weight * EMOTION_SCALE[min(max(directive.emotion, 1), 5)]
            for name, value in EXPRESSION_POSES[directive.name].items():
                pose[name] += scale * value * _fading(directive, name, seconds)
            if directive.name == "laugh":
                _shake(pose, directive, weight, seconds)

    def _live(self, pose: Pose, seconds: float) -> None:
        closed = motion.blink(self._seed, seconds)
        for side in ("L", "R"):
            pose[f"ParamEye{side}Open"] *= 1.0 - closed
        look_x, look_y = motion.gaze(self._seed, seconds)
        pose["ParamEyeBallX"] += look_x
        pose["ParamEyeBallY"] += look_y
        pose["ParamBreath"] = motion.breath(seconds)

    def _move_head(self, pose: Pose, seconds: float) -> None:
        times = seconds - _HAIR_DELAYS
        yaw, pitch, roll = motion.idle_head(self._seed, times)
        for utterance in self._timeline.utterances:
            if not utterance.start - 2 < seconds < utterance.end + 3:
                continue
            parts = utterance.voice.head(times)
            share = np.array([utterance.presence(time) for time in times.tolist()])
            yaw, pitch, roll = (
                base + part * share for base, part in zip((yaw, pitch, roll), parts, strict=True)
            )
        for gesture in self._timeline.gestures_at(seconds):
            _gesture(pose, gesture, seconds)
        # Swing: what the head has done against where it is now.
        swing = yaw[0] - float(yaw @ _HAIR_WEIGHTS) + 1.5 * (roll[0] - float(roll @ _HAIR_WEIGHTS))
        drift = 0.08 * float(motion.noise(self._seed + 40, seconds * 0.6))
        pose["ParamHairFront"] = -0.16 * swing + drift
        pose["ParamHairSide"] = -0.2 * swing + 0.7 * drift
        pose["ParamAngleX"] += float(yaw[0])
        pose["ParamAngleY"] += float(pitch[0])
        pose["ParamAngleZ"] += float(roll[0])
        pose["ParamBodyAngleX"] += 0.35 * float(yaw[0])
        pose["ParamBodyAngleZ"] += 0.22 * float(roll[0])

    def _speak(self, pose: Pose, seconds: float) -> None:
        utterance = self._timeline.speaking(seconds)
        if utterance is None:
            return
        opening, form, pucker = utterance.lips.at(seconds - utterance.start)
        presence = utterance.presence(seconds)
        moment = np.array([seconds, seconds + 0.12])
        activity = float(utterance.voice.activity(moment).max()) * presence
        feeling_form = pose["ParamMouthForm"] - REST_SMILE
        pose["ParamMouthForm"] += activity * (form + 0.45 * feeling_form - pose["ParamMouthForm"])
        pose["MouthPucker"] += activity * (pucker - pose["MouthPucker"])
        # The mouth of an expression gives way to the lips, else a p would not close.
        pose["ParamMouthOpenY"] *= 1.0 - min(1.0, 3 * activity)
        pose["ParamMouthOpenY"] += opening * presence
        pose["ParamBrowLY"] += 0.12 * activity
        pose["ParamBrowRY"] += 0.12 * activity


def _fading(directive: Directive, name: str, seconds: float) -> float:
    """A wink opens the eye again; everything else stays while its expression does."""
    if directive.name != "wink" or name not in ("ParamEyeROpen", "ParamEyeRSmile"):
        return 1.0
    return 1.0 - motion.smooth((seconds - directive.at - _WINK_SECONDS) / 0.25)


def _shake(pose: Pose, directive: Directive, weight: float, seconds: float) -> None:
    """A laugh shakes the shoulders for a second and a half."""
    age = seconds - directive.at
    strength = weight * math.exp(-age / 0.8)
    wave = math.sin(2 * math.pi * 4.4 * age)
    pose["ShoulderLift"] += 1.6 * strength * wave
    pose["ParamAngleY"] += 1.8 * strength * wave


def _gesture(pose: Pose, gesture: Shown, seconds: float) -> None:
    """The arms, and the head and shoulders that go with them."""
    raised = gesture.raised(seconds)
    pose[PARAMETERS[gesture.name]] = raised
    if gesture.name == "wave":
        swing = gesture.swing(seconds)
        pose["GestureSwing"] = swing
        pose["ParamAngleZ"] += raised * (4.0 + 1.2 * swing)
        pose["ShoulderLift"] += 1.5 * raised
    elif gesture.name in ("point_left", "point_right"):
        side = -1.0 if gesture.name == "point_left" else 1.0
        pose["ParamAngleX"] += 10.0 * side * raised
        pose["ParamEyeBallX"] += 0.5 * side * raised
        pose["ParamBodyAngleX"] += 4.0 * side * raised
    elif gesture.name == "open_hands":
        pose["ShoulderLift"] += 4.0 * raised
        pose["ParamAngleY"] += 3.0 * raised
    else:
        pose["ParamAngleZ"] -= 6.0 * raised
        pose["ShoulderLift"] += 2.5 * raised
        pose["ParamCheek"] += 0.5 * raised


def _seed(setup: FaceSetup) -> int:
    seed = setup.settings.get("seed", 7)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 31:
        raise EngineError(
            "bad_seed", "The avatar's seed must be a whole number from 0 on.", retryable=False
        )
    return seed


def create_engine(setup: FaceSetup) -> PuppetEngine:
    """A drawn presenter. Raises EngineError on an unknown character, background or framing."""
    return PuppetEngine(setup)
