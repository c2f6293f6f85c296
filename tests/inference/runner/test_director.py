"""What viewers' pages are told when a line is cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from inference.protocol import OverlaySpec, RenditionSpec
from inference.runner.director import Director
from inference.runner.mixer import Interruption


class Face:
    def cut(self, at_sample: int, generation: int) -> None: ...


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
