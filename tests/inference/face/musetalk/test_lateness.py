"""Faces that come late: held, faded out, and counted; nothing jumps when they come again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inference.engines.face.musetalk.renderer import FacePromise
from inference.engines.face.musetalk.session import TalkingSession
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import FACE_PX, GREEN, GreenRenderer
from tests.inference.face.musetalk.test_session import FRAME, draw, green_share, tone


class Promise(FacePromise):
    def __init__(self, renderer: FarRenderer, frame: int) -> None:
        self.renderer, self.frame = renderer, frame

    def wait(self) -> Any:
        if self.frame in self.renderer.late:
            return None
        return np.tile(np.array(GREEN, np.uint8), (FACE_PX, FACE_PX, 1))

    def withdraw(self) -> None:
        self.renderer.withdrawn.append(self.frame)


class FarRenderer(GreenRenderer):
    """Promises green faces; those of frames in `late` do not come."""

    def __init__(self, *late: int) -> None:
        super().__init__(batch_frames=4)
        self.late = set(late)
        self.withdrawn: list[int] = []

    def paint(self, indexes: Any, features: Any) -> Any:
        super().paint(indexes, features)
        return [Promise(self, frame) for frame, _ in features]


def speaking(renderer: FarRenderer) -> TalkingSession:
    session = TalkingSession(films.manifest(), films.small_film(), renderer, FRAME)
    session.place("u", 0, 0)
    session.hear("u", tone(3.0))
    return session


def shares_of(session: TalkingSession, frames: range) -> list[float]:
    return [green_share(draw(session, frame), 0) for frame in frames]


def test_one_late_frame_shows_the_mouth_before_it_a_little_weaker() -> None:
    session = speaking(FarRenderer(20))

    seen = shares_of(session, range(18, 24))

    assert seen == pytest.approx([1, 1, 1 - 40 / 110, 1, 1, 1], abs=0.03)
    assert session.late_frames == 1


def test_mouth_goes_back_to_the_film_within_110_ms_and_comes_back_as_slowly() -> None:
    session = speaking(FarRenderer(*range(20, 40)))

    seen = shares_of(session, range(18, 46))

    assert seen[:5] == pytest.approx([1, 1, 1 - 40 / 110, 1 - 80 / 110, 0], abs=0.03)
    assert seen[5:22] == [0] * 17
    assert seen[22:26] == pytest.approx([40 / 110, 80 / 110, 1, 1], abs=0.03)
    assert session.late_frames == 20


def test_each_face_is_asked_for_once_and_ahead_of_its_time() -> None:
    renderer = FarRenderer()
    session = speaking(renderer)
    shares_of(session, range(18, 24))

    asked = [feature[0] for _, feature in renderer.painted]

    assert asked == [*range(18, 27)]


def test_what_an_interrupt_makes_old_is_withdrawn() -> None:
    renderer = FarRenderer()
    session = speaking(renderer)
    draw(session, 20)

    session.cut(21 * FRAME, 1)

    assert renderer.withdrawn == [21, 22, 23]
