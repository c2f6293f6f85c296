"""What a face worker is told, and what its successor hears again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from inference.engines.base import FaceSetup, FaceSpeech
from inference.workers import face_client
from inference.workers.face_client import FaceClient
from inference.workers.supervisor import MAX_UNREAD_BYTES
from inference.workers.wire import Json

SETUP = FaceSetup(64, 64, 1920, "full", "studio", {}, "/nowhere")
PIECE_SECONDS = 6


class Worker:
    """Stands in for the process: keeps what it is told, and reads only when the test lets it."""

    def __init__(self, *_: object, on_started: Callable[[], None], **values: Any) -> None:
        self.is_ready = False
        self.unread_bytes = 0
        self.most_unread_bytes = 0
        self.told: list[tuple[Json, bytes]] = []
        self._on_started = on_started
        self._on_state = values["on_state"]

    def start(self) -> None:
        self.told, self.unread_bytes, self.is_ready = [], 0, True
        self._on_state("started", 1, "")
        self._on_started()

    def die(self) -> None:
        self.is_ready = False
        self._on_state("died", 1, "it died")

    def send(self, header: Json, payload: bytes = b"") -> bool:
        if self.is_ready:
            self.told.append((header, payload))
            self.unread_bytes += len(payload)
            self.most_unread_bytes = max(self.most_unread_bytes, self.unread_bytes)
        return self.is_ready

    async def close(self) -> None: ...

    def heard(self) -> dict[str, int]:
        """Utterances that were told, and how much of their sound."""
        return {h["utterance"]: len(sound) for h, sound in self.told if h["type"] == "speech"}


class Show:
    """A face client on a clock that the test moves."""

    def __init__(self) -> None:
        self.position = 0
        self.client = FaceClient(
            f"test-{uuid.uuid4().hex}", "musetalk_tiny", SETUP,
            attach=lambda ring: None, detach=lambda: None, position=lambda: self.position,
            on_state=lambda state, pid, reason: None, on_failed=lambda message: None,
        )  # fmt: skip
        worker: Any = self.client.worker
        self.worker: Worker = worker

    def say(self, number: int, generation: int = 0) -> None:
        count = PIECE_SECONDS * 48_000
        self.client.speak(
            FaceSpeech(
                f"line#{number}",
                generation,
                number * count,
                count,
                (),
                (),
                samples=np.full(count, 9, np.int16),
            )  # fmt: skip
        )

    async def let_it_read(self, *, of: int) -> None:
        async with asyncio.timeout(20):
            while len(self.worker.heard()) < of:
                self.worker.unread_bytes = 0
                await asyncio.sleep(0.005)


@pytest.fixture
async def show(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Show]:
    monkeypatch.setattr(face_client, "WorkerProcess", Worker)
    show = Show()
    yield show
    await show.client.close()


async def test_new_worker_hears_all_of_a_long_line_that_is_still_to_come(show: Show) -> None:
    show.worker.start()
    for number in range(100):
        show.say(number)
    await show.let_it_read(of=100)
    show.position = 60 * 48_000

    show.worker.die()
    show.say(100)
    show.worker.start()
    await show.let_it_read(of=97)

    sound = PIECE_SECONDS * 48_000 * 2
    assert show.worker.heard() == {f"line#{number}": sound for number in range(4, 101)}


async def test_worker_is_told_no_faster_than_it_reads(show: Show) -> None:
    show.worker.start()
    for number in range(100):
        show.say(number)
    await show.let_it_read(of=100)
    show.worker.die()

    show.worker.start()
    await show.let_it_read(of=100)

    assert show.worker.most_unread_bytes < MAX_UNREAD_BYTES // 2


async def test_what_was_cut_meanwhile_is_not_told_any_more(show: Show) -> None:
    show.worker.start()
    for number in range(100):
        show.say(number)
    assert len(show.worker.heard()) < 10

    show.client.cut(0, 1)
    show.say(100, generation=1)
    await show.let_it_read(of=len(show.worker.heard()) + 1)

    cut_at = [header["type"] for header, _ in show.worker.told].index("cut")
    assert [header["utterance"] for header, _ in show.worker.told[cut_at + 1 :]] == ["line#100"]


async def test_what_was_taken_back_meanwhile_is_not_told_any_more(show: Show) -> None:
    show.worker.start()
    for number in range(100):
        show.say(number)
    told = len(show.worker.heard())

    show.client.drop("line#", 0)
    show.worker.unread_bytes = 0
    await asyncio.sleep(0.1)

    assert len(show.worker.heard()) == told
