"""Recorded motions on air: cues that play one, and the operator's order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inference.protocol import (
    AvatarSpec,
    CueSpec,
    Cursor,
    Interrupt,
    OverlaySpec,
    PlayClip,
    RenditionSpec,
    Say,
)
from inference.runner.commands import CommandDesk
from inference.runner.director import Director
from inference.runner.link import CommandRefused
from inference.runner.mixer import TICK_SAMPLES

from .shows import SPOKEN_SAMPLES, Show

FILMED = AvatarSpec("a", "musetalk", clips={"wave": 800, "bow": 1200})
CUES = (
    CueSpec("c1", "speech", "One."),
    CueSpec("c2", "clip", clip="wave"),
    CueSpec("c3", "speech", "Two."),
)


class Face:
    """What the face worker is told."""

    def __init__(self) -> None:
        self.clips: list[tuple[str, int]] = []

    def play_clip(self, name: str, at_sample: int) -> None:
        self.clips.append((name, at_sample))

    def set_expression(self, name: str, emotion: int, at_sample: int) -> None: ...


def director_of(show: Show, face: Face) -> Director:
    core: Any = SimpleNamespace(mixer=show.mixer, overlays=None)
    rendition = RenditionSpec("main", 320, 180, 1920, 500)
    face_client: Any = face
    return Director(core, face_client, OverlaySpec(), rendition, print, print)


async def test_clip_cue_is_silence_as_long_as_the_clip() -> None:
    show = Show(cues=CUES, avatar=FILMED).start()

    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]
    first, second = (piece.start_sample for piece in show.stage.pieces)
    assert second - first - SPOKEN_SAMPLES >= 800 * 48
    assert ("c2", 0, 0) in show.cursors()


async def test_clip_begins_with_its_silence() -> None:
    show, face = Show(cues=CUES, avatar=FILMED), Face()
    director = director_of(show, face)
    placed = show.stage.line_placed

    def line_placed(line: Any, start_sample: int) -> None:
        placed(line, start_sample)
        if line.is_silence:
            director.line_placed(line, start_sample)

    show.stage.line_placed = line_placed  # type: ignore[method-assign]
    show.start()
    await show.until(lambda: show.ended)

    first, second = (piece.start_sample for piece in show.stage.pieces)
    ((name, at_sample),) = face.clips
    assert name == "wave"
    assert first + SPOKEN_SAMPLES <= at_sample <= second - 800 * 48


@pytest.mark.parametrize(
    "avatar", [AvatarSpec("a", "puppet"), AvatarSpec("a", "musetalk", clips={"bow": 900})]
)
async def test_clip_that_is_not_there_is_skipped(avatar: AvatarSpec) -> None:
    show = Show(cues=CUES, avatar=avatar).start()

    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]
    assert show.cursors() == [("c1", 0, 0), ("c3", 0, 0), (None, 0, 0)]


async def test_line_over_a_clip_does_not_play_it_again() -> None:
    show = Show(cues=CUES, avatar=FILMED).start(Cursor("c2"))
    await show.until(lambda: "+c2" in show.stage.cues)
    await show.tick(4)

    show.script.say(Say("u1", "News."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["News.", "Two."]
    assert show.stage.cues.count("+c2") == 1


async def test_interrupted_clip_is_over_and_the_script_goes_on_behind_it() -> None:
    show = Show(cues=CUES, avatar=FILMED).start(Cursor("c2"))
    await show.until(lambda: "+c2" in show.stage.cues)

    show.script.interrupt(Interrupt())
    await show.tick(4)
    show.script.resume()
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["Two."]
    assert show.stage.cues.count("+c2") == 1


async def test_operators_clip_plays_at_once() -> None:
    show, face = Show("One.", avatar=FILMED).start(), Face()
    await show.tick(3)
    session: Any = SimpleNamespace(
        spec=SimpleNamespace(avatar=FILMED), director=director_of(show, face)
    )

    await CommandDesk(session).execute(PlayClip("bow"))

    assert face.clips == [("bow", 3 * TICK_SAMPLES)]


@pytest.mark.parametrize(
    ("avatar", "words"),
    [
        (FILMED, "This presenter has no clip dance; it has: wave, bow."),
        (AvatarSpec("a", "puppet"), "This presenter has no clips."),
    ],
)
async def test_unknown_clip_is_refused_in_words(avatar: AvatarSpec, words: str) -> None:
    session: Any = SimpleNamespace(spec=SimpleNamespace(avatar=avatar), director=None)

    with pytest.raises(CommandRefused, match=words) as refused:
        await CommandDesk(session).execute(PlayClip("dance"))

    assert refused.value.code == "unknown_clip"
