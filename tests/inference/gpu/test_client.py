"""A session whose faces come from the server: the same pictures, and the film while it is away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.stub_painter import StubPainter
from inference.engines.base import EngineError
from inference.engines.face.musetalk.session import TalkingSession
from inference.gpu import client
from inference.gpu.client import RemoteRenderer
from inference.gpu.link import ServerGoneError, ServerLink
from tests.inference.face.musetalk import films
from tests.inference.face.musetalk.films import HEIGHT, WIDTH
from tests.inference.gpu import serving
from tests.inference.gpu.serving import DEADLINE_SECONDS, FACE_PX, RecordingPainter, Serving

# A picture every second.
FRAME = 48_000


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    serving.wait_long(monkeypatch)


class Running:
    """A server in a thread of its own, until `end`."""

    def __init__(self, folder: Path) -> None:
        self.site = Serving(folder, RecordingPainter())
        self._life, self._end = os.pipe()
        self.site.server.end_on(self._life)
        self._thread = threading.Thread(target=self.site.server.run)
        self._thread.start()

    def end(self) -> None:
        os.close(self._end)
        self._thread.join(DEADLINE_SECONDS)
        self.site.server.close()
        os.close(self._life)
        self.site._listener.close()
        self.site._pool.shutdown()
        self.site.path.unlink()


class LocalStub:
    """What the server's stub paints, in this process."""

    batch_frames = 1

    def __init__(self) -> None:
        self._painter = StubPainter(FACE_PX, (1,))

    def features(self, sound: Any, first_token: int, frames: range) -> Any:
        return list(frames)

    def paint(self, indexes: Any, features: Any) -> Any:
        return np.stack([np.full((FACE_PX, FACE_PX, 3), index, np.uint8) for index in indexes])

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Running]]:
    running: list[Running] = []

    def start_one() -> Running:
        running.append(Running(tmp_path))
        return running[-1]

    yield start_one
    for each in running:
        if each._thread.is_alive():
            each.end()


@pytest.fixture
def open_renderer(tmp_path: Path) -> Iterator[Callable[..., RemoteRenderer]]:
    opened: list[RemoteRenderer] = []
    latents = serving.write_latents(tmp_path)

    def open_one(frame_samples: int = FRAME) -> RemoteRenderer:
        presenter = serving.presenter(latents, frame_samples=frame_samples)
        opened.append(RemoteRenderer([tmp_path / "server.sock"], presenter))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def talking(renderer: Any) -> TalkingSession:
    session = TalkingSession(films.manifest(rate=1), films.small_film(), renderer, FRAME)
    session.place("u", 0, 0)
    session.hear("u", np.full(48_000 * 12, 9000, np.int16))
    return session


def draw(session: TalkingSession, frame: int) -> Any:
    out = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    session.render(frame * FRAME, 0, out)
    return out


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_pictures_are_those_of_a_renderer_in_the_same_process(
    start: Callable[[], Running], open_renderer: Callable[..., RemoteRenderer]
) -> None:
    start()
    served, local = talking(open_renderer()), talking(LocalStub())

    for frame in range(12):
        np.testing.assert_array_equal(draw(served, frame), draw(local, frame))
    assert served.late_frames == 0


def test_faces_that_could_not_be_asked_for_are_not_waited_for(
    start: Callable[[], Running],
    open_renderer: Callable[..., RemoteRenderer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start()
    renderer = open_renderer()
    heard = renderer.features(np.full(16_000, 0.2, np.float32), 0, range(4))
    wait_for(lambda: heard.values is not None)

    def end(*_: object) -> None:
        raise ServerGoneError("it has ended")

    monkeypatch.setattr(ServerLink, "paint", end)
    began = time.monotonic()
    faces = renderer.paint([0, 1, 2], [heard[0], heard[1], heard[2]])

    assert [face.wait() for face in faces] == [None] * 3
    assert time.monotonic() - began < serving.PATIENCE_SECONDS / 2


def test_faces_ahead_are_asked_for_before_they_are_needed(
    start: Callable[[], Running], open_renderer: Callable[..., RemoteRenderer]
) -> None:
    running = start()
    session = talking(open_renderer())
    draw(session, 0)

    wait_for(lambda: sum(map(len, running.site.painter.passes)) == 4)
    draw(session, 1)
    wait_for(lambda: sum(map(len, running.site.painter.passes)) == 5)


def test_film_is_shown_while_the_server_is_away_and_the_mouth_comes_back(
    start: Callable[[], Running], open_renderer: Callable[..., RemoteRenderer]
) -> None:
    """The server is killed in mid-sentence and started again: nobody has to do anything."""
    first = start()
    renderer = open_renderer()
    session, film = talking(renderer), films.make_frames(10)
    assert not np.array_equal(draw(session, 0), film[0])

    first.end()
    wait_for(lambda: not renderer.is_connected)
    began = time.monotonic()
    shown = [draw(session, frame) for frame in range(4, 8)]
    took = time.monotonic() - began

    for frame, picture in enumerate(shown, 4):
        np.testing.assert_array_equal(picture, film[frame])
    assert session.late_frames == 4
    assert took < serving.PATIENCE_SECONDS, "nobody waits for a server that is not there"
    start()
    wait_for(lambda: renderer.is_connected)
    assert not np.array_equal(draw(session, 8), film[8])
    assert session.late_frames == 4


def test_connection_that_is_made_while_a_show_ends_is_closed(
    start: Callable[[], Running],
    open_renderer: Callable[..., RemoteRenderer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connecting may take longer than a show waits for it when it ends."""
    monkeypatch.setattr(client, "ALIVE_SECONDS", 0.05)
    running = start()
    renderer = open_renderer()
    connecting, connected, closed = (threading.Event() for _ in range(3))

    class Late:
        close = staticmethod(closed.set)

    def connect(_: RemoteRenderer) -> Any:
        connecting.set()
        assert connected.wait(DEADLINE_SECONDS)
        return Late()

    monkeypatch.setattr(RemoteRenderer, "_connect", connect)
    running.end()
    assert connecting.wait(DEADLINE_SECONDS)
    renderer.close()
    connected.set()

    assert closed.wait(DEADLINE_SECONDS)
    assert not renderer.is_connected


def test_interrupt_withdraws_what_was_asked_for(
    start: Callable[[], Running],
    open_renderer: Callable[..., RemoteRenderer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start()
    renderer = open_renderer()
    withdrawn: list[int] = []
    monkeypatch.setattr(
        RemoteRenderer, "withdraw", lambda _, face: withdrawn.append(face.features.frame)
    )
    session = talking(renderer)
    draw(session, 2)

    session.cut(3 * FRAME, 1)

    assert withdrawn == [3, 4, 5]


def test_worker_without_a_server_says_what_to_do(
    open_renderer: Callable[..., RemoteRenderer],
) -> None:
    with pytest.raises(EngineError, match="not running; see `manage.py doctor`") as refused:
        open_renderer()

    assert refused.value.retryable


def test_worker_says_why_the_networks_are_not_there(
    tmp_path: Path, open_renderer: Callable[..., RemoteRenderer]
) -> None:
    (tmp_path / "server.json").write_text(
        '{"state": "failed", "message": "MuseTalk lacks weights."}'
    )

    with pytest.raises(EngineError, match="cannot load its networks: MuseTalk lacks weights"):
        open_renderer()
