"""A line that is told minutes ahead is shown from its beginning; what is over is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference.engines.base import VISEMES, FaceSpeech
from inference.engines.face.musetalk.bundle import Clip
from inference.engines.face.musetalk.cycle import Cycle
from inference.engines.face.musetalk.session import TalkingSession
from inference.engines.face.puppet.timeline import Timeline
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import GreenRenderer

RATE_HZ, FRAME = 48_000, 1920
AA = VISEMES.index("aa")
SENTENCE_SECONDS = 5
MARKS = ((0.2, "happy"), (2.0, "neutral"))


def sentence(number: int) -> FaceSpeech:
    """One of a line: five seconds, a second behind the one before."""
    start = (1 + 6 * number) * RATE_HZ
    visemes = ((0.0, AA, 1.0), (4.8, 0, 1.0))
    loudness = (0.3,) * (50 * SENTENCE_SECONDS)
    count = SENTENCE_SECONDS * RATE_HZ
    return FaceSpeech(f"u#{number}", 1, start, count, visemes, loudness, marks=MARKS)


def open_session(*clips: Clip) -> TalkingSession:
    manifest = films.manifest(10, *clips, idle=6)
    return TalkingSession(manifest, films.small_film(10), GreenRenderer(), FRAME)


def test_drawn_lips_move_in_every_sentence() -> None:
    timeline = Timeline(0.04, 7)

    for number in range(60):
        timeline.start_speech(sentence(number))

    for number in range(60):
        (said,) = timeline.near(3.0 + 6 * number, 0.5, 0.5)
        assert said.lips.at(2.0)[0] > 0.3
        assert [item.name for item, _ in timeline.expression_weights(2.0 + 6 * number)] == ["happy"]


def test_painted_lips_move_in_every_sentence() -> None:
    session = open_session()
    tone = (9000 * np.sin(np.arange(SENTENCE_SECONDS * RATE_HZ) * 0.05)).astype(np.int16)

    for number in range(20):
        said = sentence(number)
        session.place(said.utterance, 1, said.start_sample, known_sample=0)
        session.hear(said.utterance, tone)

    assert [session.share(number * 150 + 75) for number in range(20)] == [1.0] * 20


def test_clips_of_every_sentence_are_played() -> None:
    session = open_session(Clip("wave", 6, 4))

    for number in range(40):
        session.cycle.play("wave", number * 10 * RATE_HZ)

    shown = [session.cycle.at(number * 10 * RATE_HZ + 2 * FRAME).index for number in range(40)]
    assert shown == [8] * 40


def test_what_is_over_is_forgotten() -> None:
    timeline, session = Timeline(0.04, 7), open_session(Clip("wave", 6, 4))

    for number in range(60):
        said = sentence(number)
        known = said.start_sample - RATE_HZ
        timeline.start_speech(replace(said, known_sample=known))
        session.place(said.utterance, 1, said.start_sample, known)
        session.hear(said.utterance, np.full(4800, 9000, np.int16))
        session.cycle.play("wave", said.start_sample)

    assert len(timeline.utterances) < 10
    assert len(timeline.expressions) < 30
    assert len(session.track.spoken) < 15
    assert len(session.cycle.asked) < 5


def test_orders_do_not_pile_up_where_nothing_is_said() -> None:
    timeline, cycle = Timeline(0.04, 7), Cycle(films.manifest(10, Clip("wave", 6, 4), idle=6))

    for number in range(1000):
        at = number * 10 * RATE_HZ
        timeline.set_expression("happy" if number % 2 else "neutral", 3, at)
        timeline.play_gesture("wave", at)
        cycle.play("wave", at)

    assert [len(timeline.expressions), len(timeline.gestures), len(cycle.asked)] == [256] * 3
    assert [item.name for item, _ in timeline.expression_weights(9_991.0)] == ["happy"]
    assert [item.name for item in timeline.gestures_at(9_991.0)] == ["wave"]
    assert cycle.at(9_990 * RATE_HZ + 2 * FRAME).index == 8


def test_idle_clip_goes_on_where_a_forgotten_clip_left_it() -> None:
    cycle = Cycle(films.manifest(10, Clip("wave", 6, 4, enter=5), idle=6))
    cycle.play("wave", 0)
    before = [cycle.at(200 * RATE_HZ + frame * FRAME) for frame in range(40)]

    cycle.forget_before(190 * RATE_HZ)
    cycle.play("wave", 202 * RATE_HZ)

    assert [cycle.at(200 * RATE_HZ + frame * FRAME) for frame in range(40)] == before
