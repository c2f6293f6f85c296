"""What a presenter does at any moment: what is said, felt and done becomes a pose."""

from __future__ import annotations

import math
from typing import Final

from inference.engines.base import EngineError, FaceSetup, FaceSpeech
from inference.engines.face.puppet import gestures, hair, motion
from inference.engines.face.puppet.gestures import PARAMETERS, Shown
from inference.engines.face.puppet.head import HeadPath
from inference.engines.face.puppet.lips import REST
from inference.engines.face.puppet.parameters import (
    EMOTION_SCALE,
    EXPRESSION_POSES,
    REST_SMILE,
    Pose,
    clamp_pose,
    rest_pose,
)
from inference.engines.face.puppet.timeline import SAMPLE_RATE_HZ, Directive, Timeline

_WINK_SECONDS: Final = 0.75


class Performer:
    """Told as a `FaceEngine` is; `pose` is a pure function of time and what was told.

    Whoever draws the pose builds on it: a drawn presenter, a photo.
    """

    needs_audio = False

    def __init__(self, setup: FaceSetup) -> None:
        self._seed = _seed(setup)
        self._timeline = Timeline(setup.frame_samples / SAMPLE_RATE_HZ, self._seed)
        self._head = HeadPath(self._timeline, self._seed)

    def start_speech(self, speech: FaceSpeech) -> None:
        """Follow an utterance; the same id again replaces what is known."""
        self._told()
        self._timeline.start_speech(speech)

    def cut(self, at_sample: int, generation: int) -> None:
        """End utterances of older generations at a sample; the mouth closes within 60 ms."""
        self._told()
        self._timeline.cut(at_sample, generation)

    def drop(self, utterance: str, from_sample: int) -> None:
        """Forget an utterance that was taken back before it began."""
        self._told()
        self._timeline.drop(utterance, from_sample)

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None:
        """Fade to an expression within 240 ms. Raises EngineError on an unknown name."""
        self._told()
        self._timeline.set_expression(name, emotion, at_sample)

    def play_gesture(self, name: str, at_sample: int) -> None:
        """Raise the arms for a gesture, some three seconds long; `none` lets them sink.

        Raises EngineError on an unknown name.
        """
        self._told()
        self._timeline.play_gesture(name, at_sample)

    def changed(self) -> None:
        """Something else was told: what was made of the old plan may be wrong."""

    def _told(self) -> None:
        self._head.forget()
        self.changed()

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
        path = self._head.now_and_before(seconds)
        for gesture in self._timeline.gestures_at(seconds):
            _gesture(pose, gesture, seconds)
        now = path[0]
        pose["ParamAngleX"] += now.yaw
        pose["ParamAngleY"] += now.pitch
        pose["ParamAngleZ"] += now.roll
        pose["ParamBodyAngleX"] += 0.35 * now.yaw
        pose["ParamBodyAngleZ"] += 0.22 * now.roll
        turns, tilts = [t.yaw + t.turn for t in path], [t.roll + t.tilt for t in path]
        self._swing_hair(pose, seconds, hair.lag(turns), hair.lag(tilts))

    def _swing_hair(self, pose: Pose, seconds: float, turn_lag: float, tilt_lag: float) -> None:
        """Hair hangs where the spring has it, and stirs a little in the air of the room."""
        swing = turn_lag + 1.5 * tilt_lag
        drift = 0.08 * motion.noise(self._seed + 40, seconds * 0.6)
        pose["ParamHairFront"] = -0.16 * swing + drift
        pose["ParamHairSide"] = -0.2 * swing + 0.7 * drift

    def _speak(self, pose: Pose, seconds: float) -> None:
        """The lips of what is said; between two utterances they go over from one to the next."""
        (opening, form, pucker), activity = REST, 0.0
        for utterance in self._timeline.near(seconds, 0.5, 0.5):
            share = utterance.readiness(seconds)
            own_opening, own_form, own_pucker = utterance.lips.at(seconds - utterance.start)
            opening += share * (own_opening * utterance.presence(seconds) - opening)
            form += share * (own_form - form)
            pucker += share * (own_pucker - pucker)
            activity = max(activity, utterance.activity(seconds))
        feeling_form = pose["ParamMouthForm"] - REST_SMILE
        pose["ParamMouthForm"] += activity * (form + 0.45 * feeling_form - pose["ParamMouthForm"])
        pose["MouthPucker"] += activity * (pucker - pose["MouthPucker"])
        # The mouth of an expression gives way to the lips, else a p would not close.
        pose["ParamMouthOpenY"] *= 1.0 - min(1.0, 3 * activity)
        pose["ParamMouthOpenY"] += opening
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
    """The arms, and the face and shoulders that go with them."""
    raised = gesture.raised(seconds)
    pose[PARAMETERS[gesture.name]] = raised
    for name, value in gestures.POSES[gesture.name].items():
        pose[name] += raised * value
    if gesture.name == "wave":
        swing = gesture.swing(seconds)
        pose["GestureSwing"] = swing
        pose["ParamAngleZ"] += raised * 1.2 * swing


def _seed(setup: FaceSetup) -> int:
    seed = setup.settings.get("seed", 7)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 31:
        raise EngineError(
            "bad_seed", "The avatar's seed must be a whole number from 0 on.", retryable=False
        )
    return seed
