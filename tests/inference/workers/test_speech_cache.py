"""What the core keeps of the sentences that were made, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from inference.protocol import VoiceSpec
from inference.workers import speech_client
from inference.workers.speech_client import Sentence, SpeechClient
from inference.workers.wire import Json


class RefusingWorker:
    """Stands in for the process: each sentence fails at once and for good."""

    has_hung = False

    def __init__(self, *_: object, on_message: Callable[[Json, bytes], None], **__: Any) -> None:
        self._on_message = on_message
        self.asked = 0

    def send(self, header: Json, payload: bytes = b"") -> bool:
        self.asked += header["type"] == "synthesize"
        failed = {"type": "failed", "code": "nothing_to_say", "message": "no", "retryable": False}
        answer = {**failed, "request": header["request"]}
        asyncio.get_running_loop().call_soon(self._on_message, answer, b"")
        return True

    async def close(self) -> None: ...


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SpeechClient]:
    monkeypatch.setattr(speech_client, "WorkerProcess", RefusingWorker)
    made = SpeechClient(
        (VoiceSpec("only", "espeak", "en-US"),),
        on_ready=lambda speech: None,
        on_state=lambda state, pid, reason: None,
        on_voice_failed=lambda voice, message: None,
    )
    yield made
    await made.close()


async def test_sentences_that_cannot_be_said_do_not_pile_up(client: SpeechClient) -> None:
    worker: Any = client.worker

    for number in range(2000):
        await client.get(Sentence(f"? {number}", "en-US", 3), "say").done.wait()

    assert worker.asked == 2000
    assert client.get(Sentence("? 1999", "en-US", 3), "say").error == "no"
    assert worker.asked == 2000
    await client.get(Sentence("? 0", "en-US", 3), "say").done.wait()
    assert worker.asked == 2001
