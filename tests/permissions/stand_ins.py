"""The runner and the media tools answer at once: only rights are asked about here."""

from __future__ import annotations

from typing import Any

import pytest

from inference.protocol import Signal
from streams.services import signalling
from streams.services.pictures import Rewritten
from tests.streams.pictures import png_bytes

SDP = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


def put_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of everything that a request waits for outside the web process."""

    async def answer(broadcast_id: Any, viewer: str, kind: str, data: Any, **_: Any) -> Signal:
        return Signal(viewer, "1", "answer", {"sdp": SDP})

    monkeypatch.setattr(signalling, "request", answer)
    told = {"utterance": None, "generation": 1}
    monkeypatch.setattr("streams.verbs.wait_for_result", lambda command: told)
    monkeypatch.setattr("voices.services.preview_voice", lambda **_: b"RIFF")
    rewritten = Rewritten(png_bytes(), "png", 32, 32)
    monkeypatch.setattr("streams.services.pictures.rewrite_upload", lambda *_: rewritten)
