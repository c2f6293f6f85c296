"""Server and workers as processes: whoever is killed or stopped, the others go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.gpu.client import RemoteRenderer
from inference.gpu.link import ServerGoneError, ServerLink
from inference.gpu.wire import Outcome
from tests.inference.gpu import serving
from tests.inference.gpu.serving import DEADLINE_SECONDS, no_prompt, soon

# A worker that asks for as much as it may, until it is ended.
BUSY = """
import sys, time
from pathlib import Path
from inference.gpu.link import ServerLink
from tests.inference.gpu import serving
link = ServerLink.connect(Path(sys.argv[1]), serving.presenter(Path(sys.argv[2])))
print("on air", flush=True)
while True:
    for frame in range(20):
        link.paint(frame, serving.no_prompt(), serving.soon())
    for _ in range(20):
        for answer in link.receive(1):
            link.release(answer)
"""


def wait_for(is_so: Callable[[], Any]) -> Any:
    until = time.monotonic() + DEADLINE_SECONDS
    while not (found := is_so()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


STUB = ("-m", "benchmarks.weightless_server", "stub")


class Processes:
    """The server of a folder, and workers of it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "0.sock"
        self.latents = serving.write_latents(folder)
        self._children: list[subprocess.Popen[bytes]] = []

    def start_server(self) -> subprocess.Popen[bytes]:
        command = [*STUB, "--socket", str(self.socket), "--engine", "stub"]
        return self._start(*command)

    def start_busy(self) -> subprocess.Popen[bytes]:
        child = self._start("-c", BUSY, str(self.socket), str(self.latents))
        assert child.stdout is not None
        assert child.stdout.readline() == b"on air\n"
        return child

    def connect(self) -> ServerLink:
        def link() -> ServerLink | None:
            try:
                return ServerLink.connect(self.socket, serving.presenter(self.latents))
            except ServerGoneError:
                return None

        found: ServerLink = wait_for(link)
        return found

    def said(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.socket.with_suffix(".json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def has(self, on_air: int, link: ServerLink) -> bool:
        """Whether so many are on air; the link stays one of them."""
        link.say_alive()
        return bool(self.said().get("on_air") == on_air)

    def end(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._children.append(child)
        return child


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    running = Processes(tmp_path)
    yield running
    running.end()


def paint_one(link: ServerLink, frame: int) -> int:
    """Ask for a face and wait for it; the film frame that was painted."""
    assert link.paint(frame, no_prompt(), soon()) is not None
    (answer,) = wait_for(lambda: link.receive(1))
    assert answer.outcome == Outcome.DONE
    face = link.take_face(answer)
    link.release(answer)
    return int(face[-1, -1, -1])


def test_worker_that_is_killed_or_stopped_touches_no_other(processes: Processes) -> None:
    processes.start_server()
    processes.connect().close()
    killed, stopped = processes.start_busy(), processes.start_busy()
    link = processes.connect()  # the last one: who says nothing for long loses its room
    wait_for(lambda: processes.has(3, link))

    killed.kill()
    stopped.send_signal(signal.SIGSTOP)

    # No more than it may ask for at once: a quick machine paints faster than is shown.
    assert [paint_one(link, frame) for frame in range(20)] == [*range(20)]
    # The room of the dead one is free at once; that of the stopped one when it is silent for long.
    wait_for(lambda: processes.has(2, link))
    link.close()


def test_server_that_is_killed_is_replaced_and_its_broadcasts_go_on(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.wait_long(monkeypatch)
    first = processes.start_server()
    processes.connect().close()
    renderer = RemoteRenderer(
        [processes.socket], serving.presenter(processes.latents, frame_samples=48_000)
    )
    heard = renderer.features(np.zeros(480_000, np.float32), 0, range(4))
    (face,) = renderer.paint([7], [heard[0]])
    painted = face.wait()
    assert painted is not None
    assert painted[0, 0, 0] == 7

    first.kill()
    wait_for(lambda: not renderer.is_connected)
    (lost,) = renderer.paint([8], [heard[0]])
    assert lost.wait() is None
    assert processes.socket.exists(), "what is killed leaves its socket behind"
    processes.start_server()
    wait_for(lambda: renderer.is_connected)

    # What was heard before is good for the new server too.
    (face,) = renderer.paint([9], [heard[1]])
    again = face.wait()
    assert again is not None
    assert again[0, 0, 0] == 9
    renderer.close()


def test_second_server_of_a_socket_leaves_the_first_alone(processes: Processes) -> None:
    processes.start_server()
    link = processes.connect()

    second = processes.start_server()

    assert second.wait(DEADLINE_SECONDS) == 1
    assert paint_one(link, 3) == 3
    link.close()


def test_server_ends_with_the_pipe_of_its_parent(processes: Processes) -> None:
    life, end = os.pipe()
    command = [*STUB, "--socket", str(processes.socket), "--engine", "stub"]
    child = subprocess.Popen(
        [sys.executable, *command, "--life-fd", str(life)],
        pass_fds=(life,),
        stderr=subprocess.DEVNULL,
    )
    os.close(life)
    processes.connect().close()

    os.close(end)

    assert child.wait(DEADLINE_SECONDS) == 0
    assert not processes.socket.exists()


@pytest.mark.long
def test_server_without_its_weights_says_which_are_missing_and_keeps_trying(
    tmp_path: Path,
) -> None:
    """The real networks, of which nothing is there."""
    socket = tmp_path / "0.sock"
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "inference.gpu",
            "--socket",
            str(socket),
            "--weights",
            str(tmp_path),
        ],
        stderr=subprocess.DEVNULL,
    )
    status = socket.with_suffix(".json")

    def failure() -> str:
        said = json.loads(status.read_text()) if status.exists() else {}
        return str(said.get("message", ""))

    words = wait_for(failure)
    still_there = child.poll() is None
    child.terminate()

    assert "lacks weights" in words
    assert "Licence: " in words
    assert still_there
    assert child.wait(DEADLINE_SECONDS) == 0
