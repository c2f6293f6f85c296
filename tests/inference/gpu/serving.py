"""A model server driven turn by turn, and clients of it: what happens when is the test's choice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.stub_painter import PROMPT_BYTES, StubPainter
from inference.gpu import client
from inference.gpu.link import Presenter, ServerLink
from inference.gpu.painters import FaceOrder, Networks, Pass
from inference.gpu.server import ModelServer
from inference.gpu.wire import Answer, new_socket, socket_address

NETWORKS = Networks("stub", "v1.5", "kl")
FACE_PX = 16
FRAMES = 40
DEADLINE_SECONDS = 30.0
# Below the 30 s that a server takes orders for, with the four frames ahead.
PATIENCE_SECONDS = 20.0


class RecordingPainter(StubPainter):
    """Remembers its passes: the film frames of each, in the order they were taken."""

    def __init__(
        self, *, sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32), pass_seconds: float = 1e-4
    ) -> None:
        super().__init__(FACE_PX, sizes)
        self.passes: list[list[int]] = []
        self.fails = False
        self._pass_seconds = pass_seconds

    def start(self, orders: Sequence[FaceOrder], first_row: int) -> Pass:
        if self.fails:
            raise RuntimeError("out of memory")
        self.passes.append([order.index for order in orders])
        return super().start(orders, first_row)

    def measure(self) -> tuple[dict[int, float], dict[int, float]]:
        sizes = self._buckets
        return dict.fromkeys(sizes, self._pass_seconds), dict.fromkeys(sizes, 1e-4)


class Serving:
    """One server at a socket in `folder`, and the links that were opened to it."""

    def __init__(self, folder: Path, painter: Any = None, networks: Networks = NETWORKS) -> None:
        self.painter = painter or RecordingPainter()
        self.path = folder / "server.sock"
        self.reports: list[Any] = []
        self._listener = new_socket()
        with socket_address(self.path) as address:
            self._listener.bind(address)
        self._listener.listen(16)
        self.server = ModelServer(self._listener, self.painter, networks, self.reports.append)
        self.links: list[ServerLink] = []
        self._pool = ThreadPoolExecutor(1)

    def while_turning(self, work: Callable[[], Any]) -> Any:
        """The result of something that waits for the server."""
        task = self._pool.submit(work)
        until = time.monotonic() + DEADLINE_SECONDS
        while not task.done() and time.monotonic() < until:
            self.server.turn(0.01)
        return task.result(0)

    def connect(self, presenter: Presenter) -> ServerLink:
        link: ServerLink = self.while_turning(lambda: ServerLink.connect(self.path, presenter))
        self.links.append(link)
        return link

    def answers(self, link: ServerLink, count: int) -> list[Answer]:
        """The next `count` answers of a link; the server turns until they are there."""
        found: list[Answer] = []
        until = time.monotonic() + DEADLINE_SECONDS
        while len(found) < count and time.monotonic() < until:
            self.server.turn(0.01)
            found += link.receive(0)
        assert len(found) == count
        return found

    def turn_until(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            assert time.monotonic() < until
            self.server.turn(0.01)

    def close(self) -> None:
        """Once a test, whatever it did before."""
        for link in self.links:
            link.close()
        self.server.end_on(_ended_pipe())
        self.server.run()
        self.server.close()
        self._listener.close()
        self._pool.shutdown()


def write_latents(folder: Path, frames: int = FRAMES, side: int = 2) -> Path:
    path = folder / "latents.npy"
    values = np.random.default_rng(3).normal(size=(frames, 8, side, side))
    np.save(path, values.astype(np.float16))
    return path


def presenter(latents: Path, **values: Any) -> Presenter:
    known: dict[str, Any] = {
        "engine": "stub", "version": "v1.5", "decoder": "kl", "frame_samples": 1920,
        "first_row": 0, "film": latents,
    }  # fmt: skip
    return Presenter(**{**known, **values})


def soon(seconds: float = 9.0) -> float:
    """A moment that no slow machine misses."""
    return time.monotonic() + seconds


def wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face is waited for however long this machine stands still, not for two frames."""
    monkeypatch.setattr(client, "patience_seconds", lambda frame_samples: PATIENCE_SECONDS)


def no_prompt() -> Any:
    return np.zeros(PROMPT_BYTES, np.uint8)


def _ended_pipe() -> int:
    reader, writer = os.pipe()
    with suppress(OSError):
        os.close(writer)
    return reader
