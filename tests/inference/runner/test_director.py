"""What viewers' pages are told when a line is cut."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest

from inference.engines.base import FaceSpeech
from inference.media import captions
from inference.media.fonts import FontMissingError
from inference.protocol import OverlaySpec, RenditionSpec
from inference.runner.director import Director
from inference.runner.lines import Line, Piece
from inference.runner.mixer import Interruption
from inference.text.script import ScriptSentence
from inference.workers.speech_client import Sentence, Speech
from tests.inference.runner.viewer_peer import eventually


class Face:
    def cut(self, at_sample: int, generation: int) -> None: ...


class FaceThatListens:
    def speak(self, speech: FaceSpeech) -> None: ...


@pytest.mark.parametrize(
    ("utterance", "told"),
    [
        ("u1", [("caption", {"utterance": "u1", "text": "", "start_ms": 2500, "end_ms": 2500})]),
        (None, []),  # nothing was being said, so no caption stands
    ],
)
async def test_cut_line_takes_its_caption_away_with_the_moment(utterance: Any, told: Any) -> None:
    published: list[tuple[str, Any]] = []
    mixer: Any = SimpleNamespace(position=120_960)
    core: Any = SimpleNamespace(mixer=mixer, overlays=None)
    face: Any = Face()
    rendition = RenditionSpec("main", 320, 180, 1920, 500)

    def publish(kind: str, data: Any) -> None:
        published.append((kind, data))

    director = Director(core, face, OverlaySpec(), rendition, publish, print)

    director.cut(Interruption(2, 120_000, utterance, 4_800, ()))

    director.close()

    assert published == told


async def test_show_without_a_font_goes_on_without_captions(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_font(size_px: int) -> Any:
        raise FontMissingError("no font with Chinese characters")

    monkeypatch.setattr(captions, "load_font", no_font)
    lost: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: lost.append(context))
    core: Any = SimpleNamespace(mixer=SimpleNamespace(position=0), overlays=None)
    rendition = RenditionSpec("main", 320, 180, 1920, 500)
    director = Director(core, FaceThatListens(), OverlaySpec(), rendition, lambda *_: None, print)  # type: ignore[arg-type]
    line = Line("u1", "script", "News.", (ScriptSentence("News."),), 1)

    director.piece_placed(Piece(line, 0, "News.", Speech(Sentence("News.", "en-US", 3)), 0, 0))
    await eventually(lambda: not director._following, "all that follows the piece has ended")
    director.close()
    gc.collect()

    assert lost == []
    assert "text is not shown" in caplog.text
