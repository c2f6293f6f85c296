"""A face worker whose mouths come from the model server: two processes and their networks."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.base import FaceSetup
from inference.engines.face.musetalk.bundle import write_manifest
from inference.media.ring import RingReader, ring_path
from inference.workers import wire
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import HEIGHT, WIDTH

pytestmark = pytest.mark.long

# One picture a second: no slow processor is refused, and a face is waited for two seconds.
FRAME = 48_000
SECONDS = 120.0


def wait_for(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.05)


class Stage:
    """A presenter of small networks, the server that paints it and the worker that shows it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "0.sock"
        self._bundle = films.write_bundle(folder / "bundle")
        latents = np.random.default_rng(2).normal(size=(10, 8, 8, 8)).astype(np.float16)
        np.save(self._bundle / "latents.npy", latents)
        write_manifest(self._bundle, dataclasses.replace(films.manifest(), face_px=64, latent_px=8))
        self._cache = folder / "cache"
        self.ring = RingReader.create(
            ring_path(str(uuid.uuid4()), 1), width_px=WIDTH, height_px=HEIGHT
        )
        self._environment = {**os.environ, "TEST_ENGINES": "1"}
        self._children: list[subprocess.Popen[bytes]] = []

    def start_server(self) -> subprocess.Popen[bytes]:
        command = ["inference.gpu", "--socket", str(self.socket), "--engine", "musetalk_tiny"]
        child = self._start(*command, "--device", "cpu", "--max-bucket", "2")
        wait_for(self.socket.exists, "the server is not ready")
        return child

    def start_worker(self) -> subprocess.Popen[bytes]:
        child = self._start("inference.workers.face")
        settings = {"bundle": str(self._bundle), "servers": [str(self.socket)]}
        setup = FaceSetup(WIDTH, HEIGHT, FRAME, "full", "studio", settings, str(self._cache))
        configure = {"engine": "musetalk_tiny", "setup": dataclasses.asdict(setup)}
        self.tell(child, type="configure", ring=str(self.ring.path), **configure)
        return child

    def speak(self, worker: subprocess.Popen[bytes]) -> None:
        """A minute of sound from the first sample on."""
        at = np.arange(60 * 48_000)
        sound = (9000 * np.sin(at * 0.05) * (1 + np.sin(at * 0.0004)) / 2).astype(np.int16)
        header = {
            "type": "speech", "utterance": "u", "generation": 0, "start_sample": 0,
            "duration_samples": len(sound), "visemes": [], "loudness": [],
        }  # fmt: skip
        assert worker.stdin is not None
        worker.stdin.write(wire.pack(header, sound.tobytes()))
        worker.stdin.flush()

    @staticmethod
    def tell(worker: subprocess.Popen[bytes], **header: Any) -> None:
        assert worker.stdin is not None
        worker.stdin.write(wire.pack(header))
        worker.stdin.flush()

    @staticmethod
    def hear(worker: subprocess.Popen[bytes]) -> wire.Json:
        assert worker.stdout is not None
        while (message := wire.read_message(worker.stdout)) is not None:
            if message[0]["type"] != "loading":
                return message[0]
        return {}

    def is_painted(self, frame: int) -> bool:
        """Whether the mouth of a frame is not the film's; the clock is moved to the one before."""
        self.ring.move_clock(frame - 1, 0)
        picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
        wait_for(lambda: self.ring.copy_frame(frame, picture) == 0, "nothing is drawn")
        return len(np.unique(picture[:HEIGHT])) > 1

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                pipe.close()
        self.ring.unlink()
        self.ring.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=self._environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._children.append(child)
        return child


def _a_moment_later(look: Callable[[], bool]) -> bool:
    time.sleep(0.3)
    return look()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    running = Stage(tmp_path)
    yield running
    running.end()


def test_mouth_is_painted_by_the_server_leaves_with_it_and_comes_back(stage: Stage) -> None:
    server, worker = stage.start_server(), stage.start_worker()
    assert stage.hear(worker)["type"] == "ready"
    stage.speak(worker)
    wait_for(lambda: stage.is_painted(2), "no mouth is painted")

    server.kill()
    server.wait()
    stage.socket.unlink()
    wait_for(lambda: not stage.is_painted(10), "a dead server paints")
    shown = [stage.is_painted(frame) for frame in range(14, 18)]
    while (failed := stage.hear(worker))["type"] != "failed":
        pass
    late = stage.hear(worker)
    stage.start_server()

    assert shown == [False] * 4
    assert "until it is back the mouth stays as it was filmed" in failed["message"]
    assert late["frames"] > 0
    # The worker connects again within two seconds.
    assert any(_a_moment_later(lambda at=frame: stage.is_painted(at)) for frame in range(20, 58))


def test_worker_says_that_no_server_runs(stage: Stage) -> None:
    """The core's supervisor tells the console and tries again; the idle loop stays on air."""
    worker = stage.start_worker()

    answer = stage.hear(worker)

    assert (answer["type"], answer["retryable"]) == ("failed", True)
    assert "The model server of the GPU is not running" in answer["message"]
