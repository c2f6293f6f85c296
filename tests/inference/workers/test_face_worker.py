"""The face worker as the core meets it: a child process, its pipes and the shared ring."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.base import VISEMES, FaceSetup
from inference.engines.face.testcard.decode import TestcardReading, decode_testcard
from inference.media.ring import LEAD_FRAMES, RingReader, ring_path
from inference.workers import wire

WIDTH, HEIGHT, FRAME_SAMPLES = 640, 360, 1920


class Worker:
    """A running child, its ring and its messages."""

    def __init__(self, ring: RingReader, cache_folder: Path) -> None:
        self.ring = ring
        self.setup = FaceSetup(
            WIDTH, HEIGHT, FRAME_SAMPLES, "full", "studio", {}, str(cache_folder)
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inference.workers.face"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def send(self, **header: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(wire.pack(header))
        self.process.stdin.flush()

    def receive(self) -> wire.Json:
        """The next message but `loading`, which a slow machine says now and then."""
        assert self.process.stdout is not None
        while True:
            message = wire.read_message(self.process.stdout)
            assert message is not None
            if message[0]["type"] != "loading":
                return message[0]

    def configure(self, engine: str = "testcard", **changes: Any) -> None:
        setup = asdict(self.setup) | changes
        self.send(type="configure", engine=engine, setup=setup, ring=str(self.ring.path))

    def frame(self, number: int, generation: int, seconds: float = 60.0) -> np.ndarray:
        """Frame `number` once it is drawn with this generation."""
        picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
        _until(lambda: self.ring.copy_frame(number, picture) == generation, seconds)
        return picture

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the worker did not get there in time"
        time.sleep(0.005)


def _reading(picture: np.ndarray) -> TestcardReading:
    reading = decode_testcard(picture[:HEIGHT])
    assert reading is not None
    return reading


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("TEST_ENGINES", "1")
    path = ring_path(f"test-{uuid.uuid4().hex}", 1)
    ring = RingReader.create(path, width_px=WIDTH, height_px=HEIGHT)
    child = Worker(ring, tmp_path)
    yield child
    child.close()
    ring.close()
    ring.unlink()


def test_worker_draws_ahead_of_the_clock_and_no_further(worker: Worker) -> None:
    worker.configure()
    assert worker.receive() == {"type": "ready", "pid": worker.process.pid}

    for clock in range(0, 40, 4):
        worker.ring.move_clock(clock, 1)
        for frame in range(clock + 1, clock + 1 + LEAD_FRAMES):
            reading = _reading(worker.frame(frame, 1))
            assert (reading.clock_ms, reading.generation) == (frame * 40, 1)
        picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
        assert worker.ring.copy_frame(clock + 1 + LEAD_FRAMES, picture) is None


def test_new_generation_redraws_frames_not_yet_due(worker: Worker) -> None:
    worker.configure()
    worker.ring.move_clock(10, 1)
    worker.frame(13, 1)

    worker.ring.move_clock(10, 2)

    for frame in (11, 12, 13):
        assert _reading(worker.frame(frame, 2)).generation == 2


def test_clock_that_jumps_is_followed(worker: Worker) -> None:
    worker.configure()
    worker.frame(0, 0)

    worker.ring.move_clock(100_000, 1)

    assert _reading(worker.frame(100_001, 1)).clock_ms == 100_001 * 40
    worker.ring.move_clock(5, 1)
    assert _reading(worker.frame(6, 1)).clock_ms == 6 * 40


def test_speech_and_cut_redraw_frames_not_yet_due(worker: Worker) -> None:
    worker.configure(engine="puppet")
    assert worker.receive()["type"] == "ready"
    worker.ring.move_clock(100, 1)
    silent = worker.frame(103, 1)
    start = 101 * FRAME_SAMPLES
    visemes = [[0.0, VISEMES.index("aa"), 1.0]]

    worker.send(
        type="speech", utterance="u", generation=1, start_sample=start,
        duration_samples=96_000, visemes=visemes, loudness=[0.3] * 100, emotion=3, marks=[],
    )  # fmt: skip
    _until(lambda: not np.array_equal(worker.frame(103, 1), silent), 60)
    worker.send(type="cut", at_sample=start, generation=2)
    worker.ring.move_clock(100, 2)

    _until(lambda: np.array_equal(worker.frame(103, 2), silent), 60)


def test_bad_messages_are_answered_and_survived(worker: Worker) -> None:
    speech = {"type": "speech", "utterance": "u", "generation": 1, "start_sample": 0}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"type": "dance"}, "unknown type"),
        ({"type": "cut", "at_sample": 1, "generation": 2}, "configure"),
        ({"type": "configure", "engine": "testcard", "setup": {}, "ring": "/x"}, "width_px"),
    ]
    for message, words in bad:
        worker.send(**message)
        answer = worker.receive()
        assert (answer["type"], answer["code"]) == ("failed", "bad_message")
        assert words in answer["message"]

    worker.configure(engine="hologram")
    assert worker.receive()["code"] == "unknown_engine"
    worker.configure(width_px=642)
    assert worker.receive()["code"] == "ring_failed"
    worker.configure()
    assert worker.receive()["type"] == "ready"
    worker.send(**speech, duration_samples=48_000, visemes=[[0.1, 99, 1.0]])
    assert "viseme index" in worker.receive()["message"]
    worker.send(type="expression", name="smug", emotion=3, at_sample=0)
    assert worker.receive()["code"] == "unknown_expression"

    worker.ring.move_clock(3, 1)
    assert _reading(worker.frame(4, 1)).clock_ms == 160


def test_worker_ends_with_its_input(worker: Worker) -> None:
    worker.configure()
    worker.receive()

    worker.close()

    assert worker.process.returncode == 0


def test_broken_stream_ends_the_worker(worker: Worker) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(b"\xff" * 64)
    worker.process.stdin.flush()

    assert worker.process.wait(60) == 0
